# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Of a file of variables only the lines of the profiles change, and these say what the snapshot says."""

from __future__ import annotations

import copy
import multiprocessing
import os
import re
import tempfile
import typing as t
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansible_collections.workload_security.agent.plugins.module_utils._basis.errors import FileError, OptionError
from ansible_collections.workload_security.agent.plugins.module_utils._communication.snapshot import (
    Edit,
    LeftOut,
    Named,
    NewProfile,
    Snapshot,
)
from ansible_collections.workload_security.agent.plugins.module_utils._communication.snapshot_file import (
    DocumentText,
    expect_writable,
    replace_text,
)
from ansible_collections.workload_security.agent.plugins.module_utils._fleet.objects import Policy
from tests.integration.captured import read
from tests.unit.access_lists import ACCESS, ACCESS_LIST, give_access_list
from tests.unit.drawing import pick

VARIABLE = "communication_profiles"
FACETS = frozenset({"heartbeat", "communication_direction", "firewall_restriction"})
ADDED = NewProfile(
    "new: {x}", (Named("policies", "New"), Named("computers", 7, "odd")), {"heartbeat": {"interval": 99}}
)
NEW = {"name": "new: {x}", "policies": ["New"], "computers": [7], "heartbeat": {"interval": 99}}


def snapshot(edits: dict[int, Edit], *profiles: NewProfile, noted: tuple[LeftOut, ...] = ()) -> Snapshot:
    return Snapshot(edits, profiles, noted, (), 0, 0, FACETS, True, noted)


def edited(text: str, edits: dict[int, Edit], *profiles: NewProfile, noted: tuple[LeftOut, ...] = ()) -> str:
    document = DocumentText(text, VARIABLE, "vars.yml")
    return document.with_snapshot(snapshot(edits, *profiles, noted=noted), document.profiles())


# What other variables, comments and blank lines can look like.
OTHERS = (
    "a:   1   # one\n",
    "b: [1,2,   3]\n",
    "c: {x: 1,   y: 2}\n",
    "d: |\n    text\n      more\n\n",
    "e: >-\n  folded   text\n  b\n\n   more\n",
    "f:\n- 1\n-   2 # two\n",
    "g:\n    -   k: v\n        w:   z\n",
    "h: 'it''s'\n",
    'i: "a\\tb\\u00e9"\n',
    "j: !vault |\n          $ANSIBLE_VAULT;1.1;AES256\n          6162\n",
    f"k: {'word ' * 60}end\n",
    "l: a\n  b\n  c\n",
    'm: "{{ x }}"\n',
    "nn: &nn {x:   1}\noo: *nn\npp: {<<: *nn,   z: 2}\n",
    "q: ~\nr:\n",
    "s: 0777\nt: 12:34:56\nu: 1_000\nv: .nan\n",
    "w: 2001-12-14t21:59:43.10-05:00\n",
    "1:   a\nno: b\n",
    'x: "1\n# not captured: heartbeat of y: z\n\n 2"\n',
    "? yy\n: [1,2]\n",
    "z: |+\n  kept\n\n\n",
    "\n\n",
    "# not captured: the DMZ, see the wiki\n",
    "   # further in\n",
)
SOME = st.sampled_from


def _indented(text: str, margin: str) -> str:
    return re.sub("^(?=.)", margin, text, flags=re.MULTILINE)


@st.composite
def profile_texts(draw: st.DrawFn, number: int, is_anchored: bool) -> str:
    """A profile as users write it, without a margin."""
    inside = " " * pick(draw, (2, 4))

    def comment() -> str:
        return pick(draw, ("", "", f"  # eol {draw(st.integers(0, 999))}"))

    def line() -> str:
        return pick(draw, ("", "", "\n", f"# own {draw(st.integers(0, 999))}\n"))

    text = f"- name: p{number}{comment()}\n"
    kinds = pick(draw, (["policies"], ["computers"], ["policies", "computers"]))
    for kind in kinds:
        names = [f"{kind[0]}{number}{letter}" for letter in "abc"[: draw(st.integers(1, 3))]]
        if draw(st.booleans()):
            listed = pick(draw, ("[{}]", "[ {} ]", "{}")).format(", ".join(names))
            text += f"  {kind}: {listed}{comment()}\n"
            continue
        offset = pick(draw, ("  ", "    "))
        text += f"  {kind}:{comment()}\n"
        for name in names:
            text += f"{_indented(line(), offset)}{offset}- {name}{comment()}\n"
    heartbeat = pick(
        draw,
        (
            f"heartbeat: {{interval: 30}}{comment()}\n",
            f"heartbeat:{comment()}\n  {inside}interval: '30'{comment()}\n  {inside}missed_before_alert: 3\n",
            *(["heartbeat: *hb\n"] if is_anchored else ()),
        ),
    )
    return f"{text}  {heartbeat}{line()}"


@st.composite
def files(draw: st.DrawFn) -> tuple[str, str, str]:
    """What stands before the profiles, the profiles, and what stands behind them."""
    others = draw(st.lists(SOME(OTHERS), max_size=8, unique=True))
    cut = draw(st.integers(0, len(others)))
    is_anchored = draw(st.booleans())
    before = pick(draw, ("", "---\n", "%YAML 1.1\n---\n")) + ("hb: &hb {interval:   30}\n" if is_anchored else "")
    before += "".join(others[:cut])
    margin = " " * pick(draw, (0, 2, 4))
    texts = [draw(profile_texts(number, is_anchored)) for number in range(draw(st.integers(0, 3)))]
    profiles = f"{VARIABLE}:\n" + _indented("".join(texts), margin)
    return before, profiles if texts else pick(draw, (f"{VARIABLE}: []\n", f"{VARIABLE}:\n")), "".join(others[cut:])


@st.composite
def changes(draw: st.DrawFn, profiles: list[dict[str, t.Any]]) -> tuple[dict[int, Edit], list[dict[str, t.Any]]]:
    """What is to change of profiles, and what these are to say then."""
    edits: dict[int, Edit] = {}
    wanted: list[dict[str, t.Any]] = []
    for number, profile in enumerate(profiles):
        if draw(st.booleans()):
            wanted.append(profile)
            continue
        edit = edits[number] = Edit(gone=pick(draw, (False, False, False, True)))
        profile = copy.deepcopy(profile)
        for kind in ("policies", "computers"):
            if isinstance(profile.get(kind), str):
                profile[kind] = profile[kind].split(", ")
            dropped = draw(st.sets(SOME(profile[kind]))) if kind in profile else set()
            if dropped:
                edit.dropped[kind] = dropped
                profile[kind] = [name for name in profile[kind] if name not in dropped]
            if pick(draw, (False, False, True)):
                key = pick(draw, (f"{kind} added", 123))
                edit.added.append(Named(kind, key, "whose" if key == 123 else None))
                profile[kind] = [*profile.get(kind, ()), key]
            if profile.get(kind) == []:
                del profile[kind]
        if draw(st.booleans()):
            heartbeat = pick(draw, ({"interval": 5}, {"interval": 30, "maximum_clock_change": "inherited"}, {}))
            edit.facets["heartbeat"] = profile["heartbeat"] = heartbeat
            if not heartbeat:
                del profile["heartbeat"]
        if not edit.gone:
            wanted.append(profile)
    return edits, wanted


@settings(max_examples=60)
@given(data=st.data(), drawn=files(), ends=SOME(("\n", "\r\n", "mixed")), bom=SOME(("", "\ufeff")))
def test_lines_of_other_variables_stay_byte_by_byte(data, drawn, ends, bom):
    before, profiles, behind = drawn
    if ends != "\n":
        # A file is cut into its lines, and each gets an end.
        several = iter(data.draw(st.lists(st.booleans(), min_size=200, max_size=200))) if ends == "mixed" else None
        before, profiles, behind = (
            re.sub("\n", lambda _end: "\r\n" if several is None or next(several, True) else "\n", part)
            for part in drawn
        )
    text = bom + before + profiles + behind
    edits, wanted = data.draw(changes(read(text).get(VARIABLE) or []))
    added = [ADDED] if data.draw(st.booleans()) else []
    wanted += [NEW] * len(added)
    after = edited(text, edits, *added)
    assert after.startswith(bom + before) and after.endswith(behind), after
    if edits or added:
        said = [_plain(profile) for profile in read(after)[VARIABLE]]
        assert said == [_plain(profile) for profile in wanted], after
    else:
        assert after == text
    if not any(edit.gone for edit in edits.values()):
        own = re.findall("^ *(# own [0-9]+)", profiles, re.MULTILINE)
        assert sorted(re.findall("^ *(# own [0-9]+)", after, re.MULTILINE)) == sorted(own), after
    # And once more, with comments on what is left out, which go again.
    noted = (LeftOut("heartbeat", "a reason", (Policy(1, "P", None, {}, frozenset()),)),)
    told = edited(after, {}, noted=noted)
    assert told.count("# not captured: heartbeat of policy 'P' (ID 1): a reason") == 1
    assert edited(told, {}, noted=noted) == told
    assert edited(told, {}) == (after if after.endswith("\n") or not after else f"{after}\n")


def _plain(profile: dict[str, t.Any]) -> dict[str, t.Any]:
    """With text in place of numbers and lists in place of text, as the options take both."""
    plain: dict[str, t.Any] = {}
    for name, value in profile.items():
        if isinstance(value, dict):
            plain[name] = {key: str(one) for key, one in value.items()}
        else:
            plain[name] = value.split(", ") if isinstance(value, str) and name != "name" else value
    return plain


def test_braces_around_all_variables():
    profile = "{name: new, policies: [New], heartbeat: {interval: 99}}"
    for text, expected in (
        ('{"a":   1}  # x\n', f'{{{VARIABLE}: [{profile}], "a":   1}}  # x\n'),
        (f'{{"{VARIABLE}": [],\n "a":   1}}\n', f'{{"{VARIABLE}": [{profile}],\n "a":   1}}\n'),
    ):
        assert edited(text, {}, NewProfile("new", ADDED.targets[:1], ADDED.facets)) == expected
    assert read(edited("{}\n", {}, ADDED)) == {VARIABLE: [NEW]}


def test_a_variable_of_its_own_comes_behind_the_others():
    for before, behind in (
        ("a:   1\n# x\n", ""),
        ("---\na: |\n  b\n", "...\n# x\n"),
        ("  a:   1\n", ""),
        ("# x\n", ""),
    ):
        after = edited(before + behind, {}, ADDED)
        assert after.startswith(before) and after.endswith(behind) and read(after)[VARIABLE] == [NEW]


def test_what_an_alias_elsewhere_refers_to_is_kept_for_it():
    text = f"b: [1,2]\n{VARIABLE}:\n- name: x\n  policies: &p [A]\n  heartbeat: {{interval: 20}}\nother: *p\n"
    after = edited(text, {0: Edit(added=[Named("policies", "B")])})
    assert after.startswith("b: [1,2]\n")
    assert (read(after)["other"], read(after)[VARIABLE][0]["policies"]) == (["A"], ["A", "B"])


@pytest.mark.parametrize("before", [None, "old: true\n"])
def test_of_several_runs_at_once_one_writes_and_the_others_are_told(tmp_path, before):
    path = tmp_path / "site.yml"
    if before is not None:
        path.write_text(before)

    def run(number: int) -> str:
        try:
            replace_text(str(path), before, f"run: {number}\n")
        except OptionError as error:
            return str(error)
        return f"run: {number}\n"

    with ThreadPoolExecutor(8) as pool:
        ended = list(pool.map(run, range(8)))
    wrote = [one for one in ended if one.startswith("run: ")]
    assert wrote == [path.read_text()] and os.listdir(tmp_path) == ["site.yml"]
    assert all("it must not be changed by somebody else meanwhile" in one for one in set(ended) - set(wrote))


def test_a_file_keeps_its_access_control_list_and_group(tmp_path):
    path = tmp_path / "site.yml"
    path.write_text("old: true\n")
    path.chmod(0o600)
    give_access_list(path)
    if os.geteuid() == 0:
        # New files of this folder belong to its group.
        os.chown(tmp_path, -1, os.getegid() + 50)
        tmp_path.chmod(0o2755)
    before = path.stat()
    replace_text(str(path), "old: true\n", "new: true\n")
    after = path.stat()
    assert (after.st_mode, after.st_uid, after.st_gid) == (before.st_mode, before.st_uid, before.st_gid)
    assert path.read_text() == "new: true\n" and os.getxattr(path, ACCESS) == ACCESS_LIST


@pytest.mark.skipif(os.geteuid() != 0, reason="Only root can become another user.")
@pytest.mark.parametrize(("name", "there"), [("new.yml", False), ("some/where/new.yml", False), ("site.yml", True)])
def test_check_mode_says_what_another_user_may_not_write(name, there):
    def attempt(path: str) -> None:
        os.setgroups([])
        os.setgid(1000)
        os.setuid(1000)
        said = []
        for write in (lambda: expect_writable(path), lambda: replace_text(path, "old" if there else None, "new")):
            try:
                write()
            except FileError as error:
                said.append(str(error))
        os._exit(0 if len(said) == 2 and said[0] == said[1] and path in said[0] else 1)

    # The folders above that of pytest are for its own user.
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777 if there else 0o755)
        if there:
            Path(folder, name).write_text("old")
        process = multiprocessing.get_context("fork").Process(target=attempt, args=(f"{folder}/{name}",))
        process.start()
        process.join(20)
        assert process.exitcode == 0
        assert os.listdir(folder) == ([name] if there else [])


def test_a_file_that_cannot_be_written_is_told_by_its_option(tmp_path):
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "file").write_text("")
    for path in ("/proc/site.yml", tmp_path / "loop", tmp_path / "file" / "site.yml"):
        with pytest.raises(FileError, match="option 'path' is '.*': the file cannot be written: ") as caught:
            replace_text(str(path), None, "x: 1\n")
        assert caught.value.as_failure()["option"] == "path"
    assert sorted(os.listdir(tmp_path)) == ["file", "loop"]
