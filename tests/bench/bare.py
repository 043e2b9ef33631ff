# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The bare script: the same requests as a task's, with the same HTTP library, and nothing else.

    python tests/bench/bare.py REQUESTS.json

REQUESTS.json holds C(url), C(ca_path), C(concurrency) and C(requests), each with C(method), C(path), C(query), C(body)
and whether it C(writes). Reads are sent one after the other; writes that follow each other, as many at once as the task
sends. Each reply is parsed. The key comes from the environment.
"""

from __future__ import annotations

import itertools
import json
import os
import ssl
import sys
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode, urlsplit

import urllib3


def main() -> None:
    """Send the requests."""
    with open(sys.argv[1], encoding="utf-8") as file:
        given = json.load(file)
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

    def send(request: dict) -> None:
        target = f"{url.path}{request['path']}?{urlencode(request['query'], doseq=True)}"
        body = None if request["body"] is None else json.dumps(request["body"]).encode()
        reply = pool.urlopen(request["method"], target, body=body)
        if reply.status != 200:
            raise RuntimeError(f"{request['method']} {request['path']}: {reply.status}")
        json.loads(reply.data)

    with ThreadPoolExecutor(given["concurrency"]) as writers:
        for writes, requests in itertools.groupby(given["requests"], key=lambda request: request["writes"]):
            list(writers.map(send, requests) if writes else map(send, requests))


if __name__ == "__main__":
    main()
