# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What Ansible prints of a task that fails for many targets, with long names and long answers, in a real playbook."""

from __future__ import annotations

import pytest

from tests.integration.support import play

pytestmark = pytest.mark.slow

HEARTBEAT = "workload_security.agent.heartbeat"


@pytest.mark.both_cores
def test_what_is_printed_of_failed_tasks_is_short(lab, tmp_path):
    long = ['"\x1b\\' * 80 + str(number) for number in range(5)]
    for name in long:
        lab.api("POST", "/computers", {"hostName": name})
    for status, digits in ((400, "[0-4]"), (404, "[5-8]"), (409, "9")):
        body = '{"message": "%s"}' % (f"Answer {status} " + '\\u001b\\"' * 1000)
        action = {"kind": "status", "status": status, "body": body}
        lab.add_fault(method="POST", path=rf"^/computers/\d*{digits}$", times=0, action=action)
    everybody = {"computers_query": "[?id > `0`]", "interval": 7}
    tasks = [
        {HEARTBEAT: everybody},
        {HEARTBEAT: {**everybody, "list_targets": False}, "check_mode": True},
        {HEARTBEAT: {"computers": [f"{name} gone" for name in long * 30], "interval": 7}},
        {HEARTBEAT: {"computers": long, "interval": '"\x1b\\' * 2000}},
    ]
    played = play(lab, tasks, tmp_path)
    failed, _checked, missing, wrong = played.results
    assert failed["failed"] and missing["failed"] and wrong["failed"] and failed["truncated"]
    assert failed["counts"]["failed"] == 305
    assert {one["failure"]["status"] for one in failed["failed_targets"]} == {400, 404, 409}
    printed = played.output.split("TASK [")[1:5]
    assert [len(one) < 4000 for one in printed] == [True] * 4, [len(one) for one in printed]
    verbose = play(lab, tasks, tmp_path, arguments=["-v"]).output
    assert max(map(len, verbose.splitlines())) < 200_000
