# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bare script: the same requests as a task's, with the same HTTP library, and nothing else.

    python tests/bench/bare.py REQUESTS.json

REQUESTS.json contains C(url), C(ca_path), C(concurrency) and C(requests), each with C(method), C(path), C(query),
C(body) and whether it C(writes). Reads are sent one after the other. Of consecutive writes, as many are sent at once as
the task sends. Each reply is parsed. After a 429, a request is tried again every second. The key comes from the
environment.
"""

from __future__ import annotations

import itertools
import json
import os
import ssl
import sys
import time
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import urllib3


def send_all(given: dict[str, t.Any]) -> None:
    """Send the requests. Raises C(RuntimeError) if one is refused."""
    url = urlsplit(given["url"])
    pool = urllib3.HTTPSConnectionPool(
        url.hostname,
        url.port,
        maxsize=given["concurrency"],
        block=True,
        headers={
            "Accept": "application/json",
            "Accept-Encoding": "gzip",
            "Content-Type": "application/json",
            "api-version": "v1",
            "api-secret-key": os.environ["WORKLOAD_SECURITY_API_KEY"],
        },
        ssl_context=ssl.create_default_context(cafile=given["ca_path"]),
    )

    def send(request: dict[str, t.Any]) -> None:
        target = f"{url.path}{request['path']}?{urlencode(request['query'], doseq=True)}"
        body = None if request["body"] is None else json.dumps(request["body"]).encode()
        while (reply := pool.urlopen(request["method"], target, body=body)).status == 429:
            time.sleep(1)
        if reply.status != 200:
            raise RuntimeError(f"{request['method']} {request['path']}: {reply.status}")
        json.loads(reply.data)

    with ThreadPoolExecutor(given["concurrency"]) as writers:
        for writes, requests in itertools.groupby(given["requests"], key=lambda request: request["writes"]):
            list(writers.map(send, requests) if writes else map(send, requests))


if __name__ == "__main__":
    send_all(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
