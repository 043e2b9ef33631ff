# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reads that are begun before their replies are asked for: nobody sees a difference but in time."""

from __future__ import annotations

import contextlib
import json
import threading
import typing as t

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._manager import client as client_module
from ansible_collections.workload_security.agent.plugins.module_utils._manager.client import Client
from ansible_collections.workload_security.agent.plugins.module_utils._manager.errors import (
    BadReply,
    Forbidden,
    ManagerError,
    NotFound,
    Unauthorized,
)
from ansible_collections.workload_security.agent.plugins.module_utils._manager.kinds import COMPUTER, IP_LIST, POLICY
from ansible_collections.workload_security.agent.plugins.module_utils._manager.transport import AHEAD, Transport
from tests.unit.manager.conftest import Manager
from tests.unit.manager.https_server import Action, Handler, Request, reply

# Longer than any test takes: who waits for this waits for something that does not come.
NEVER = 60


def by_path(**actions: Action) -> Action:
    """An action for each last part of a path."""
    return lambda handler, request: actions[request.target.partition("?")[0].rpartition("/")[2]](handler, request)


def paged(sizes: t.Sequence[int], noun: str = "computers", named_by: str = "hostName") -> Action:
    """A manager that gives so many objects on each page: by what a request says where it begins."""
    ends = [sum(sizes[: number + 1]) for number in range(len(sizes))]

    def act(handler: Handler, request: Request) -> None:
        asked = json.loads(request.body)
        last = next((one["idValue"] for one in asked.get("searchCriteria", ()) if "idValue" in one), 0)
        end = next((end for end in ends if end > last), last)
        items = [{"ID": number, named_by: f"x{number}"} for number in range(last + 1, end + 1)]
        reply({noun: items})(handler, request)

    return act


def answering(it: Manager) -> Manager:
    """The manager has answered once: nothing is begun ahead before that."""
    it.transport.read("GET", "/first")
    it.server.requests.clear()
    return it


# -- reads


def test_nothing_is_begun_before_the_first_answer(manager):
    """A manager may count requests with a wrong key, and lock the key."""
    it = manager(by_path(first=reply({}, status=401), a=reply({}), b=reply({})))
    it.transport.ahead("GET", "/a")
    with pytest.raises(Unauthorized):
        it.transport.read("GET", "/first")
    assert it.asked == ["GET /api/first"]
    it.transport.read("GET", "/a")
    it.transport.ahead("GET", "/b")
    it.transport.read("GET", "/b")
    assert it.asked == ["GET /api/first", "GET /api/a", "GET /api/b"], "what was read meanwhile is not begun"


def test_what_was_begun_is_sent_once_and_answers_the_read(manager):
    it = answering(manager(by_path(first=reply({}), a=reply({"it": "a"}), b=reply({"it": "b"}))))
    for path in ("/a", "/b"):
        it.transport.ahead("GET", path)
    assert [it.transport.read("GET", path) for path in ("/b", "/a")] == [{"it": "b"}, {"it": "a"}]
    assert sorted(it.asked) == ["GET /api/a", "GET /api/b"] and it.transport.requests_sent == 3
    assert it.transport.read("GET", "/a") == {"it": "a"} and len(it.asked) == 3, "only the first read was begun"


@pytest.mark.parametrize(
    "other", [{"path": "/b"}, {"query": {"overrides": "true"}}, {"body": {}}, {"method": "POST"}], ids=str
)
def test_another_request_is_not_answered_by_it(manager, other):
    it = answering(manager(reply({})))
    asked = {"method": "GET", "path": "/a"}
    it.transport.ahead(**asked)
    it.transport.read(**{**asked, **other})
    it.transport.read(**asked)
    assert len(it.asked) == 2


def test_errors_come_in_the_order_of_the_reads(manager):
    """Whichever reply comes first: here that of the second read."""
    second_came = threading.Event()

    def first(handler: Handler, request: Request) -> None:
        assert second_came.wait(NEVER)
        reply({"message": "first"}, status=403)(handler, request)

    def second(handler: Handler, request: Request) -> None:
        reply({"message": "second"}, status=404)(handler, request)
        second_came.set()

    it = answering(manager(by_path(first=reply({}), a=first, b=second)))
    for path in ("/b", "/a"):
        it.transport.ahead("GET", path)
    for path, kind in (("/a", Forbidden), ("/b", NotFound)):
        with pytest.raises(kind):
            it.transport.read("GET", path)


@pytest.mark.parametrize(("concurrency", "most"), [(1, 1), (2, 2), (64, AHEAD)])
def test_no_more_are_under_way_than_the_task_may_have_connections(manager, concurrency, most):
    it = answering(manager(reply({}), concurrency=concurrency))
    for number in range(12):
        it.transport.ahead("GET", f"/{number}")
    for number in range(12):
        it.transport.read("GET", f"/{number}")
    assert it.server.accepted <= most and len(it.asked) == 12


@pytest.mark.parametrize("error", [KeyboardInterrupt, ValueError])
def test_whatever_ends_the_task_ends_what_is_under_way(manager, error):
    """A manager that does not answer is no reason to wait, and nothing is sent that had to wait for its turn."""
    came, hung_up = threading.Event(), threading.Event()

    def wait(handler: Handler, request: Request) -> None:
        came.set()
        handler.rfile.read(1)
        hung_up.set()

    it = answering(manager(by_path(first=reply({}), a=wait, b=wait), concurrency=1, timeout=600))
    before = set(threading.enumerate())
    with pytest.raises(error), it.transport:
        it.transport.ahead("GET", "/a")
        it.transport.ahead("GET", "/b")
        assert came.wait(NEVER)
        raise error
    ours = [one for one in set(threading.enumerate()) - before if one.name.startswith("ThreadPoolExecutor")]
    assert hung_up.wait(NEVER) and not ours and it.asked == ["GET /api/a"]


# -- pages


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> int:
    """So many objects are a full page."""
    monkeypatch.setattr(client_module, "PAGE", 5)
    return 5


def test_the_next_page_is_under_way_while_one_is_worked_on(manager, small_pages):
    pages = paged([small_pages, small_pages, 1])
    came = [threading.Event() for _page in range(3)]
    numbers = iter(range(3))

    def act(handler: Handler, request: Request) -> None:
        came[next(numbers)].set()
        pages(handler, request)

    it = manager(act)
    seen = []
    for number, page in enumerate(Client(it.transport).pages(COMPUTER)):
        assert number == 2 or came[number + 1].wait(NEVER)
        assert number >= 1 or not came[number + 2].is_set(), "no more than one page ahead"
        seen += [item["ID"] for item in page]
    assert seen == list(range(1, 12)) and len(it.asked) == 3


def test_who_may_stop_early_asks_for_no_page_ahead(manager, small_pages):
    it = manager(paged([small_pages, small_pages, 1]))
    next(Client(it.transport).pages(COMPUTER, ahead=False))
    it.transport.close()
    assert len(it.asked) == 1


def test_a_page_that_is_no_page_ends_it_where_it_is_asked_for(manager, small_pages):
    """After the page before it was worked on, as if it had been asked for then."""
    pages = paged([small_pages] * 3)
    it = manager(pages, reply({"computers": [{"ID": 1, "hostName": "again"}]}))
    worked_on = []
    with pytest.raises(BadReply, match="comes where it was not asked for"):
        for page in Client(it.transport).pages(COMPUTER):
            worked_on.append(len(page))
    assert worked_on == [small_pages] and len(it.asked) == 2


def without_ahead(transport: Transport) -> Client:
    """A client of one who begins nothing ahead."""
    transport.ahead = lambda *_arguments, **_options: None  # type: ignore[method-assign]
    return Client(transport)


def told(read: t.Callable[[], t.Any]) -> t.Any:
    """What comes of it, be it an error."""
    try:
        return read()
    except ManagerError as error:
        return type(error), error.message


@pytest.fixture(name="one_server")
def _one_server(manager):
    """A server and how to connect to it, for many runs: to start a server takes longer than to ask it."""
    return manager(reply())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    sizes=st.lists(st.integers(0, 6), min_size=1, max_size=5),
    policies=st.lists(st.integers(0, 6), min_size=1, max_size=3),
    status=st.sampled_from([200, 200, 403, 404]),
)
def test_what_is_asked_and_told_is_the_same_as_without(one_server, sizes, policies, status):
    """However long the pages are, and whether a manager cuts them off; and where it refuses a list."""
    with contextlib.ExitStack() as stack:
        patch = stack.enter_context(pytest.MonkeyPatch.context())
        patch.setattr(client_module, "PAGE", 5)
        patch.setattr(client_module, "_ROUND", (2, 3))
        outcomes, asked = [], []
        for make in (Client, without_ahead):
            refused = reply({"message": "no"}, status=status)
            policy_pages = paged(policies, "policies", "name") if status == 200 else refused

            def act(handler: Handler, request: Request, policy_pages: Action = policy_pages) -> None:
                (policy_pages if "/policies/" in request.target else paged(sizes))(handler, request)

            one_server.server.script[:] = [act]
            one_server.server.requests.clear()
            with Transport(one_server.connection, clock=one_server.clock, random=lambda: 0.0) as transport:
                client = make(transport)
                client.begin_pages(POLICY)
                outcomes.append(
                    [told(lambda client=client, kind=kind: list(client.pages(kind))) for kind in (COMPUTER, POLICY)]
                )
            asked.append(sorted((request.target, request.body) for request in one_server.server.requests))
        assert outcomes[0] == outcomes[1] and asked[0] == asked[1]


def test_the_default_policy_can_be_begun_too(manager):
    it = manager(by_path(default=reply({"x": {"value": "1"}}), search=reply({"ipLists": []})))
    client = Client(it.transport)
    client.begin_default_settings()
    client.begin_pages(IP_LIST)
    assert client.default_settings() == {"x": {"value": "1"}} and list(client.pages(IP_LIST)) == [[]]
    assert len(it.asked) == 2
