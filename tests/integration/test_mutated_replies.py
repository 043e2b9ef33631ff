# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whatever a manager answers, a module ends with a result that Ansible can pass on, or with an error that says why.

Each module's usual conversation with the lab is recorded once. Then it is replayed with one field of one reply changed,
for every field; what was not asked then is asked of the lab.
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
import secrets
import typing as t
from pathlib import Path
from unittest import mock

import pytest
from ansible.module_utils.common import json as ansible_json
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._activation.activation import (
    ACTIVATION_ARGUMENTS,
    ActivationWish,
    keep_activation,
)
from ansible_collections.workload_security.agent.plugins.module_utils._activation.deployment_script import (
    SCRIPT_ARGUMENTS,
    ScriptAsked,
    read_script,
    without_script,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.cipher_fleet import (
    CIPHER_ARGUMENTS,
    CiphersAsked,
    read_ciphers,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.communication import (
    CommunicationAsked,
    describe_communication,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.fleet_communication import (
    FleetAsked,
    read_fleet,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.health import (
    HEALTH_ARGUMENTS,
    TROUBLES,
    HealthAsked,
    read_health,
)
from ansible_collections.workload_security.agent.plugins.module_utils._answers.info import ObjectsAsked, read_objects
from ansible_collections.workload_security.agent.plugins.module_utils._answers.inventory import (
    PREFIXES,
    HostsAsked,
    read_hosts,
)
from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import Problem
from ansible_collections.workload_security.agent.plugins.module_utils._basis.text import encodable
from ansible_collections.workload_security.agent.plugins.module_utils._communication.capture import (
    CAPTURE_ARGUMENTS,
    CaptureWish,
    capture,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.document import (
    facet_document,
    read_document,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.result import Run, converge
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import ManagerError
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import COMPUTER, POLICY
from ansible_collections.workload_security.agent.plugins.module_utils._manager.parser import PageParser
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import Transport
from ansible_collections.workload_security.agent.plugins.module_utils._sending.result import (
    SENDING_ARGUMENTS,
    SendingAsked,
    send_policies,
)
from ansible_collections.workload_security.agent.plugins.module_utils._task.rollout import (
    ROLLOUT_ARGUMENTS,
    RolloutAsked,
    cut_waves,
)
from ansible_collections.workload_security.agent.plugins.module_utils._task.rollout_gate import (
    GATE_ARGUMENTS,
    GateAsked,
    pass_gate,
)
from tests.integration.captured import read
from tests.integration.in_process import run_tasks
from tests.integration.scene import APPLY, REMOVE, Scene
from tests.integration.support import DEFAULTS, LabClock, connection
from tests.lab.manager.process import LabManager

pytestmark = pytest.mark.slow

NAMESPACE = "workload_security.agent"
CHECKED_PER_MODULE = 300


# -- what each module asks


class FilingScene(Scene):
    """A scene with a folder, and files in it that were written while all was well."""

    def __init__(self, lab: LabManager, folder: Path) -> None:
        super().__init__(lab)
        self.folder = folder

    @functools.cached_property
    def plan(self) -> Path:
        """A plan for all targets of the scene."""
        path = self.folder / "plan.json"
        options = {"profiles": self.profiles(APPLY), "plan_file": str(path)}
        (planned,) = run_tasks(self.lab, [{f"{NAMESPACE}.communication_profile": options, "check_mode": True}]).results
        assert not planned["failed"], planned
        return path

    @functools.cached_property
    def waves(self) -> Path:
        """One wave with the agents of the lab, which beat."""
        plan, path = str(self.folder / "agents.json"), self.folder / "cut.json"
        profile = {
            "name": "all",
            "computers_query": "[?starts_with(agent_version, '20')]",
            "heartbeat": {"interval": 7},
        }
        self.lab.let_live()
        tasks = [
            {f"{NAMESPACE}.communication_profile": {"profiles": [profile], "plan_file": plan}, "check_mode": True},
            {f"{NAMESPACE}.rollout_plan": {"plan_file": plan, "waves_file": str(path), "waves": ["100 %"]}},
            {f"{NAMESPACE}.communication_profile": {"apply_plan": plan}},
        ]
        results = run_tasks(self.lab, tasks).results
        assert [one["failed"] for one in results] == [False] * 3 and results[1]["waves"][0]["judged"], results
        return path


def filled(arguments: dict[str, dict], **given: t.Any) -> dict[str, t.Any]:
    """Options as Ansible fills them in."""
    return {name: given.get(name, spec.get("default")) for name, spec in arguments.items()}


def apply_profile(client: Client, scene: Scene) -> t.Any:
    profiles = scene.profiles(APPLY)
    profiles[0]["firewall_restriction"] = {**DEFAULTS["firewall_restriction"], **profiles[0]["firewall_restriction"]}
    return converge(client, read_document(profiles, "on_premises"), Run(concurrency=1, list_targets=True))


def firewall_absent(client: Client, scene: Scene) -> t.Any:
    options = {**DEFAULTS["firewall_restriction"], **REMOVE.facets["firewall_restriction"]}
    options |= {"policies": ["Alpha", "Beta"], "computers_query": "[?ends_with(host_name, '.example.com')]"}
    return converge(client, facet_document("firewall_restriction", options, "on_premises"), Run(concurrency=1))


def directions(client: Client, _scene: Scene) -> t.Any:
    options = {"policies": ["Alpha"], "computers_query": "[?!contains(group, 'x')]", "direction": "bidirectional"}
    options |= {"accept_inherited": True}
    return converge(client, facet_document("communication_direction", options, "on_premises"), Run(check_mode=True))


def communication_info(client: Client, _scene: Scene) -> t.Any:
    facets = ["heartbeat", "communication_direction", "firewall_restriction"]
    options = {"policies": ["Alpha", "Beta"], "computers": ["one.example.com"], "computers_query": "[]"}
    return describe_communication(client, CommunicationAsked.from_options({**options, "facets": facets}, "on_premises"))


def communication_fleet_info(client: Client, _scene: Scene) -> t.Any:
    return read_fleet(client, FleetAsked("on_premises", rule_overrides=True, now=0))


def agent_health_info(client: Client, _scene: Scene) -> t.Any:
    thresholds = {level: dict.fromkeys(TROUBLES, "1") for level in ("warning", "critical")}
    return read_health(client, HealthAsked.from_options(filled(HEALTH_ARGUMENTS, **thresholds), "on_premises"))


def policy_sending(client: Client, _scene: Scene) -> t.Any:
    params = filled(SENDING_ARGUMENTS, computers_query="[]", wait=True, wait_timeout=1, wait_interval=60)
    # One name each time, so that the reply to the same request is the one that is changed.
    with mock.patch.object(secrets, "token_hex", return_value="0123abcd"):
        return send_policies(client, SendingAsked.from_options(params, "on_premises"), check_mode=False)


def policy_info(client: Client, _scene: Scene) -> t.Any:
    params = {"policies": ["Alpha"], "expand": ["settings", "firewall"], "overrides": False, "query": None}
    return read_objects(client, ObjectsAsked.from_options(POLICY, params))


def computer_info(client: Client, _scene: Scene) -> t.Any:
    params = {"computers": None, "expand": ["computerSettings"], "overrides": True, "query": "[?hostName != 'x']"}
    return read_objects(client, ObjectsAsked.from_options(COMPUTER, params))


def activation(client: Client, _scene: Scene) -> t.Any:
    params = filled(ACTIVATION_ARGUMENTS, allow="any_computer", policy="Alpha", reactivate_cloned=True)
    return keep_activation(client, ActivationWish.from_options(params, "on_premises"), check_mode=False)


def deployment_script(client: Client, _scene: Scene) -> t.Any:
    params = filled(SCRIPT_ARGUMENTS, platform="linux", policy="Alpha", computer_group=1)
    return without_script(read_script(client, ScriptAsked.from_options(params, "on_premises")))


def ciphers(client: Client, _scene: Scene) -> t.Any:
    params = filled(CIPHER_ARGUMENTS, minimum_tls="1.2", computers="all")
    return read_ciphers(client, CiphersAsked.from_options(params))


def communication_document(client: Client, scene: FilingScene) -> t.Any:
    path = scene.folder / "captured.yml"
    path.unlink(missing_ok=True)
    params = filled(CAPTURE_ARGUMENTS, path=str(path))
    result = capture(client, CaptureWish.from_options(params, "on_premises"), check_mode=False)
    assert "communication_profiles" in read(path.read_text(encoding="utf-8"))
    return result


def rollout_plan(client: Client, scene: FilingScene) -> t.Any:
    files = {"plan_file": str(scene.plan), "waves_file": str(scene.folder / "waves.json")}
    waves = [{"name": "pilot", "computers_query": "[?host_name == 'one.example.com']"}, 1, "50 %"]
    params = filled(ROLLOUT_ARGUMENTS, **files, waves=waves, hosts=[["one", "one.example.com"]])
    return cut_waves(client, RolloutAsked.from_options(params, "on_premises"), check_mode=False)


def rollout_gate(client: Client, scene: FilingScene) -> t.Any:
    """Of what is noted first, all is believed later: it is read from the file."""
    path = scene.folder / "before.json"
    path.unlink(missing_ok=True)
    files = {"waves_file": str(scene.waves), "before_file": str(path)}
    params = filled(GATE_ARGUMENTS, **files, wave=1, heartbeats=1, wait_interval=3600)
    noted = GateAsked.from_options({**params, "judge": False}, "on_premises")
    return pass_gate(client, noted, False), pass_gate(client, GateAsked.from_options(params, "on_premises"), False)


def inventory(client: Client, _scene: Scene) -> t.Any:
    params = {"computers_query": "[?!contains(group, 'x')]", "group_by": [*PREFIXES]}
    found = read_hosts(client, HostsAsked.from_options(params), lambda name: f"g{name}")
    return {**found, "hosts": [*found["hosts"]]}


MODULES: dict[str, tuple[t.Callable[[Client, FilingScene], t.Any], bool]] = {
    # With the restriction and settings there already, or not.
    "apply": (apply_profile, False),
    "firewall absent": (firewall_absent, True),
    "direction": (directions, True),
    "communication_info": (communication_info, True),
    "communication_document": (communication_document, True),
    "communication_fleet_info": (communication_fleet_info, False),
    "agent_health_info": (agent_health_info, False),
    "policy_info": (policy_info, True),
    "policy_sending": (policy_sending, False),
    "computer_info": (computer_info, True),
    "activation": (activation, False),
    "deployment script": (deployment_script, False),
    "ciphers": (ciphers, False),
    "rollout_plan": (rollout_plan, False),
    "rollout_gate": (rollout_gate, False),
    "inventory": (inventory, True),
}


# -- recording and replaying

Request = t.Tuple[str, str, str]


class Recorder:
    """Stands where the transport is: keeps what was answered, and answers the same again, one reply of it changed."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self.progress, self.url, self.threads = transport.progress, transport.url, transport.threads
        self.clock, self.pause = transport.clock, transport.pause
        self.requests = {"sent": 0, "writes": 0}
        self.replies: dict[Request, list[t.Any]] = {}
        self._rest: dict[Request, t.Iterator[t.Any]] | None = None

    def replay(self, replies: dict[Request, list[t.Any]]) -> None:
        """From now on, answer from these, the last one again and again."""
        self._rest = {
            request: itertools.chain(answers, itertools.repeat(answers[-1])) for request, answers in replies.items()
        }

    def read(
        self, method: str, path: str, *, query: t.Any = None, body: t.Any = None, as_page: PageParser | None = None
    ) -> t.Any:
        answer = self._answer("read", method, path, query, body)
        page = as_page(json.dumps(answer).encode()) if as_page else None
        return answer if page is None else page

    def ahead(self, *_asked: t.Any, **_how: t.Any) -> None:
        """Every read is answered when it is asked for: nobody can tell the difference."""

    def write(self, method: str, path: str, *, query: t.Any = None, body: t.Any = None) -> t.Any:
        return self._answer("write", method, path, query, body)

    def create(self, path: str, body: t.Any) -> t.Any:
        return self._answer("create", "POST", path, None, body)

    def _answer(self, how: str, method: str, path: str, query: t.Any, body: t.Any) -> t.Any:
        request = (method, path, json.dumps([query, body], sort_keys=True))
        if self._rest and request in self._rest:
            answer = next(self._rest[request])
        else:
            answer = self._ask(how, method, path, query, body)
        if self._rest is None:
            self.replies.setdefault(request, []).append(answer)
        if isinstance(answer, ManagerError):
            raise answer
        return answer

    def _ask(self, how: str, method: str, path: str, query: t.Any, body: t.Any) -> t.Any:
        try:
            if how == "create":
                return self._transport.create(path, body)
            return getattr(self._transport, how)(method, path, query=query, body=body)
        except ManagerError as error:
            return error


# -- mutations

DEEP: t.Any = functools.reduce(lambda inside, _level: [inside], range(400), [])
MISSING = "missing"
REPEATED = "repeated"
MUTATIONS: dict[str, t.Any] = {
    MISSING: None,
    REPEATED: None,
    "null": None,
    "zero": 0,
    "negative": -1,
    "number": 7,
    "fraction": 1.5,
    "not a number": float("nan"),
    "endless": float("inf"),
    "huge number": 10**30,
    "empty text": "",
    "text": "word",
    "digits": "7",
    "huge text": "x" * 20_000,
    "unpaired surrogate": "a\ud800b",
    "control characters": "a\x1b[2J\r\nb\u202e",
    "empty list": [],
    "list": ["a", 1, None],
    "list of objects": [{"ID": 1}],
    "empty dictionary": {},
    "dictionary": {"value": 1},
    "tagged": {"__ansible_type": "AnsibleTaggedObject", "value": "x", "tags": []},
    "true": True,
    "deep": DEEP,
}
# Of a list that long, only these items are changed; of settings, those that are looked at.
ITEMS = (0, 1, -1)
Place = t.Tuple[t.Any, ...]


def places(value: t.Any, above: Place = ()) -> t.Iterator[Place]:
    """Where a reply can be changed: itself, its fields and items, and theirs."""
    yield above
    if isinstance(value, dict):
        keys = sorted(value)
        if len(keys) > 60:
            keys = [key for key in keys if "Heartbeat" in key or "Direction" in key or "AgentInitiated" in key]
        for key in keys:
            yield from places(value[key], (*above, key))
    elif isinstance(value, list):
        for number in sorted({number % len(value) for number in ITEMS} if len(value) > 3 else set(range(len(value)))):
            yield from places(value[number], (*above, number))


def mutated(reply: t.Any, place: Place, mutation: str) -> t.Any:
    """The reply with the mutation in that place. What is no object any more is what the transport refuses."""
    root = [copy.deepcopy(reply)]
    holder: t.Any = root
    for step in (0, *place)[:-1] if place else ():
        holder = holder[step]
    key = place[-1] if place else 0
    if mutation == MISSING:
        del holder[key]
    elif mutation == REPEATED:
        if isinstance(holder, list):
            holder.insert(key, copy.deepcopy(holder[key]))
        elif isinstance(holder[key], list):
            holder[key] += copy.deepcopy(holder[key])
    else:
        holder[key] = copy.deepcopy(MUTATIONS[mutation])
    changed = root[0] if root else {}
    return changed if isinstance(changed, dict) else {}


class Conversation:
    """A module's usual conversation, and all that can be wrong with it."""

    def __init__(self, lab: LabManager, name: str, folder: Path) -> None:
        self.run, prepared = MODULES[name]
        lab.reset()
        self.scene = FilingScene(lab, folder)
        if prepared:
            assert self.scene.run(APPLY)["failed_targets"] == []
        self._transport = Transport(connection(lab), clock=LabClock(lab), random=lambda: 0.5)
        recorder = Recorder(self._transport)
        self.run(Client(t.cast(Transport, recorder)), self.scene)
        self.replies = recorder.replies
        # By the shape of the request: the same mistake in one policy or another is one.
        self.cases = [
            (request, number, place, mutation)
            for request, answers in self.replies.items()
            for number, answer in enumerate(answers)
            if isinstance(answer, dict)
            for place in places(answer)
            for mutation in MUTATIONS
        ]

    def replay(self, request: Request, number: int, place: Place, mutation: str) -> t.Any:
        """What the module makes of it: its result, or its error."""
        replies = dict(self.replies)
        replies[request] = list(replies[request])
        replies[request][number] = mutated(replies[request][number], place, mutation)
        recorder = Recorder(self._transport)
        recorder.replay(replies)
        try:
            return self.run(Client(t.cast(Transport, recorder)), self.scene)
        except Problem as problem:
            return problem.as_failure()

    def close(self) -> None:
        self._transport.close()


@pytest.fixture(scope="module")
def small_lab() -> t.Iterator[LabManager]:
    """Three computers, six policies: short replies."""
    with LabManager(computers=3, policies=6, seed=4) as lab:
        yield lab


@pytest.fixture(scope="module", params=MODULES)
def conversation(
    request: pytest.FixtureRequest, small_lab: LabManager, tmp_path_factory: pytest.TempPathFactory
) -> t.Iterator[Conversation]:
    talk = Conversation(small_lab, request.param, tmp_path_factory.mktemp("conversation"))
    yield talk
    talk.close()


def passes_through_ansible(result: t.Any) -> None:
    """From a module to the controller, as C(AnsibleModule.exit_json) sends a result."""
    for profile in ("legacy", "modern"):
        direction = ansible_json.Direction.MODULE_TO_CONTROLLER
        sent = json.dumps(encodable(result), cls=ansible_json.get_module_encoder(profile, direction))
        json.loads(sent.encode("utf-8"), cls=ansible_json.get_module_decoder(profile, direction))


# The fractions of all cases at which some fell that no other test has: the first, the middle, the last.
@settings(
    max_examples=CHECKED_PER_MODULE,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(share=st.integers(min_value=0, max_value=2**20 - 1))
@example(share=0)
@example(share=2**20 - 1)
def test_any_field_of_any_reply(conversation: Conversation, share: int) -> None:
    """Every other exception than the project's own ends the test."""
    case = conversation.cases[share * len(conversation.cases) >> 20]
    passes_through_ansible(conversation.replay(*case))
