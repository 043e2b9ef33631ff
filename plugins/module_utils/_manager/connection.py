# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that say how to reach the manager, for modules and plugins alike."""

from __future__ import annotations

import os
import re
import ssl
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ansible.module_utils.common.validation import check_type_dict
from ansible.module_utils.errors import AnsibleFallbackNotFound

from .._basis.errors import OptionError
from .._basis.files import readable_file
from .._basis.numbers import whole_number
from .._ssh.server import SERVER_ARGUMENTS, Server, read_server
from .._vendor.deployment import (
    CLOUD,
    DEPLOYMENTS,
    ON_PREMISES,
    deployment_of,
    is_legacy,
    normalize_url,
    url_for_region,
)
from .api_key import API_KEY_ARGUMENTS, read_api_key, was_exposed
from .proxy import PROXY_ARGUMENTS, PROXY_EXPOSED, Proxy, read_proxy


def variable(option: str) -> str:
    """The environment variable for an option of the connection."""
    return f"WORKLOAD_SECURITY_{option.upper()}"


def _from_environment(name: str) -> t.Any:
    """The value of an option in its environment variable. An empty variable counts as not set."""
    value = os.environ.get(name)
    if not value:
        raise AnsibleFallbackNotFound
    return _server(value) if name == variable("jump_host") else value


def _server(text: str) -> t.Any:
    """The suboptions in a text, which may also be just the name of a host."""
    if not re.search("[={]", text):
        return {"host": text}
    try:
        parsed: dict[object, t.Any] = check_type_dict(text)  # type: ignore[no-untyped-call]
        return {str(name): value for name, value in parsed.items()}
    except TypeError:
        # Ansible's own check reports the error.
        return text


_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "url": {"type": "str"},
    "region": {"type": "str"},
    "deployment": {"type": "str", "choices": list(DEPLOYMENTS)},
    "ca_path": {"type": "path"},
    "validate_certs": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 30},
    "concurrency": {"type": "int", "default": 8},
    "requests_per_minute": {"type": "int", "default": 0},
    "deadline": {"type": "int", "default": 0},
    "progress_interval": {"type": "int", "default": 10},
    **PROXY_ARGUMENTS,
    "jump_host": {
        "type": "dict",
        "options": SERVER_ARGUMENTS,
    },
}

# Documented in plugins/doc_fragments/connection.py.
CONNECTION_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    **{
        option: {**argument, "fallback": (_from_environment, [variable(option)])}
        for option, argument in _ARGUMENTS.items()
    },
    # These have their own environment variables. Either of the two options overrides both variables.
    **API_KEY_ARGUMENTS,
}


@dataclass(frozen=True)
class Connection:
    """How to reach one manager: valid, plain values. Its repr does not show the API key.

    url: C(https://host[:port][/folder]/api). timeout: seconds for connecting, and for each wait for data. concurrency:
    connections at once. requests_per_minute: 0 for no limit. deadline: minutes for a task, 0 for no limit.
    progress_interval: seconds between two lines of progress, 0 for none. proxy, jump_host: at most one of them.
    key_header: C(api-secret-key) or C(Authorization). warnings: what the user should know.
    """

    url: str
    api_key: str = field(repr=False)
    deployment: str = ON_PREMISES
    key_header: str = "api-secret-key"
    ca_path: str | None = None
    validate_certs: bool = True
    timeout: int = 30
    concurrency: int = 8
    requests_per_minute: int = 0
    deadline: int = 0
    progress_interval: int = 10
    proxy: Proxy | None = None
    jump_host: Server | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_options(cls, params: Mapping[str, t.Any], environment: Mapping[str, str] | None = None) -> Connection:
        """The connection that the options of a module or plugin describe. Missing options have their defaults.

        C(environment): that of the task, where it is not what this process was started with.

        Raises C(OptionError) for the first wrong option. Sends nothing.
        """
        told = os.environ if environment is None else environment
        try:
            return cls._from_options(params, environment, told)
        except OptionError as error:
            name = variable(error.option)
            if not told.get(name) or error.option in API_KEY_ARGUMENTS:
                raise
            hint = f"{error.what_would_be_right} (where the option is not set, {name} in the environment is used)"
            raise OptionError(error.option, error.value, hint) from None

    @classmethod
    def _from_options(
        cls, params: Mapping[str, t.Any], environment: Mapping[str, str] | None, told: Mapping[str, str]
    ) -> Connection:
        url = _url(params)
        deployment = _text(params, "deployment")
        if deployment not in (None, *DEPLOYMENTS):
            raise OptionError("deployment", deployment, f"it must be one of {', '.join(DEPLOYMENTS)}")
        # A key does not tell the kind of its account, so the host decides, unless an option does.
        by_host = CLOUD if deployment_of(url) == CLOUD and not is_legacy(url) else ON_PREMISES
        bearer = (deployment or by_host) == CLOUD
        key = read_api_key(params, environment)
        validate_certs = bool(params.get("validate_certs", True))
        proxy, jump_host = read_proxy(params, url, told), params.get("jump_host")
        if proxy is not None and jump_host is not None:
            raise OptionError(
                "jump_host",
                None,
                f"give either this or a proxy, not both, and there is {proxy.name}; use_proxy: false turns the proxy off",
            )
        return cls(
            url=url,
            api_key=key.value,
            deployment=deployment or deployment_of(url),
            key_header="Authorization" if bearer else "api-secret-key",
            ca_path=_ca_path(params),
            validate_certs=validate_certs,
            timeout=_number(params, "timeout", 30, 1, 600, "a number of seconds"),
            concurrency=_number(params, "concurrency", 8, 1, 64, "a number of connections"),
            requests_per_minute=_number(
                params, "requests_per_minute", 0, 0, 1_000_000, "a number of requests", ", 0 for no pacing"
            ),
            deadline=_number(params, "deadline", 0, 0, 10_080, "a number of minutes", ", 0 for none"),
            progress_interval=_number(params, "progress_interval", 10, 0, 3600, "a number of seconds", ", 0 for never"),
            proxy=proxy,
            jump_host=None if jump_host is None else read_server("jump_host", jump_host, "jump host"),
            warnings=(
                *key.warnings,
                *((PROXY_EXPOSED,) if proxy is not None and was_exposed(proxy.told, None) else ()),
                *(() if validate_certs else (_unverified(url),)),
            ),
        )

    def shared_by(self, tasks: int) -> Connection:
        """The connection for one of C(tasks) tasks that share C(requests_per_minute) at the same time."""
        pace = self.requests_per_minute and max(1, self.requests_per_minute // tasks)
        return replace(self, requests_per_minute=pace)

    def headers(self) -> dict[str, str]:
        """The headers that authenticate a request."""
        key = f"ApiKey {self.api_key}" if self.key_header == "Authorization" else self.api_key
        return {self.key_header: key, "api-version": "v1"}


def _text(params: Mapping[str, t.Any], option: str) -> str | None:
    """The option's value as a plain str (ansible-core hands over tagged subclasses), None if it is missing or empty."""
    value = params.get(option)
    return None if value is None or value == "" else str(value)


def _url(params: Mapping[str, t.Any]) -> str:
    url, region = _text(params, "url"), _text(params, "region")
    from_url = None if url is None else normalize_url(url)
    from_region = None if region is None else url_for_region(region)
    if from_url and from_region and from_url != from_region:
        raise OptionError(
            "url",
            from_url,
            f"it must be {from_region}, since option region is '{region}'; give one of the two only (they may come "
            "from the environment as WORKLOAD_SECURITY_URL and WORKLOAD_SECURITY_REGION)",
        )
    found = from_url or from_region
    if found is None:
        raise OptionError(
            "url",
            None,
            "one of url and region is needed, as an option or in the environment as WORKLOAD_SECURITY_URL or "
            "WORKLOAD_SECURITY_REGION",
        )
    return found


def _number(
    params: Mapping[str, t.Any], option: str, default: int, least: int, most: int, meaning: str, hint: str = ""
) -> int:
    value = params.get(option)
    return default if value is None else whole_number(option, value, least, most, meaning, hint)


def _ca_path(params: Mapping[str, t.Any]) -> str | None:
    path = _text(params, "ca_path")
    if path is not None:
        path = readable_file("ca_path", path, "CA certificates in PEM format")
        store = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            store.load_verify_locations(cafile=path)
        except (ssl.SSLError, OSError):
            pass
        if not store.cert_store_stats()["x509"]:
            raise OptionError("ca_path", path, "it must contain CA certificates in PEM format, and contains none")
    return path


def _unverified(url: str) -> str:
    return f"validate_certs is off: whoever answers for {url} gets the API key"
