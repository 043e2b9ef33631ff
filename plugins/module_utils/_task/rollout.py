# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The waves of a plan, in a file: from the options of C(rollout_plan) to its result. Only reads from the manager."""

from __future__ import annotations

import contextlib
import json
import typing as t

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

from .._agent.platforms import WINDOWS, family
from .._basis.errors import FileError, OptionError
from .._basis.files import keep_whole, read_whole
from .._basis.numbers import in_range
from .._basis.text import one_line, quoted, shown
from .._communication.bound import Bound
from .._communication.plan_file import LONGEST, PlanFile
from .._communication.waves import DEFAULT, MAX_SILENT, Branch, Named, Place, Wave, make_waves, with_trial
from .._facets.firewall.restriction import PRESENT
from .._facets.step import ASSIGN, SET
from .._fleet.catalogue import COMMUNICATION_DIRECTION, HEARTBEAT_INTERVAL
from .._fleet.fleet import Fleet
from .._fleet.objects import Computer, Policy, Target
from .._fleet.outlook import Outlook
from .._fleet.targets import TARGET_ARGUMENTS, Selector, resolve
from .._manager.client import Client
from .._vendor.communication import AGENT_INITIATED, CLOUD_HEARTBEAT_INTERVAL
from .._vendor.deployment import CLOUD
from .planned import Asked
from .rehearsal import Rehearsals
from .rollout_trial import Trial, make_trial
from .work import Work

ROLLOUT_ARGUMENTS: dict[str, dict[str, t.Any]] = {
    "plan_file": {"type": "path", "required": True},
    "waves_file": {"type": "path", "required": True},
    "waves": {"type": "list", "elements": "raw", "default": [*DEFAULT]},
    "hosts": {"type": "list", "elements": "list", "default": []},
    "max_silent_percentage": {"type": "int", "default": MAX_SILENT},
}
_NAMED_ARGUMENTS: dict[str, dict[str, t.Any]] = {"name": {"type": "str", "required": True}, **TARGET_ARGUMENTS}

_FORMAT = "workload_security.agent waves"
_VERSION = 1

# After this many heartbeats without communication, by the manager's own clock, an agent counts as silent.
_SILENT_AFTER = 2

# The questions to ask about hosts before their agents are changed.
_SWITCH, _RESTRICT = "agent_initiated", "firewall_restriction"

# The most hosts that a warning names.
_HOSTS_NAMED = 5

Options = t.Dict[str, t.Any]
Result = t.Dict[str, t.Any]


class _Chosen(t.NamedTuple):
    """A wave that the options name, before its targets are found."""

    name: str
    selector: Selector


class RolloutAsked(t.NamedTuple):
    """Which plan to cut into which waves. hosts: the names that the manager may have for each host, in lower case.

    max_silent: the most percent of a policy's agents that may have been silent before.
    """

    asked: Asked
    plan: PlanFile
    waves_file: str
    wanted: tuple[Bound | _Chosen, ...]
    hosts: t.Mapping[str, t.Sequence[str]]
    max_silent: int
    deployment: str

    @classmethod
    def from_options(cls, params: Options, deployment: str) -> RolloutAsked:
        """Read the options of C(ROLLOUT_ARGUMENTS). Raises C(OptionError)."""
        with _as_plan_file():
            asked = Asked.from_options({"apply_plan": params["plan_file"]}, deployment)
        if not params["waves"]:
            raise OptionError("waves", [], "it must hold at least one wave, such as 100 %")
        wanted = tuple(_wanted(f"waves[{number}]", one) for number, one in enumerate(params["waves"]))
        names = [one.name for one in wanted if isinstance(one, _Chosen)]
        for number, name in enumerate(names):
            if name in names[:number]:
                raise OptionError("waves", name, "it must be a name that no other wave has")
        hosts = dict(_names(f"hosts[{number}]", names) for number, names in enumerate(params["hosts"]))
        max_silent = in_range(
            "max_silent_percentage", params["max_silent_percentage"], 0, 100, "a percentage of agents,"
        )
        plan = t.cast(PlanFile, asked.reviewed and asked.reviewed.plan)
        return cls(asked, plan, params["waves_file"], wanted, hosts, max_silent, deployment)


@contextlib.contextmanager
def _as_plan_file() -> t.Iterator[None]:
    """Turn errors about a plan into errors about the option that holds the plan here."""
    try:
        yield
    except OptionError as error:
        raise OptionError("plan_file", error.value, error.what_would_be_right) from None


def _wanted(option: str, given: t.Any) -> Bound | _Chosen:
    if not isinstance(given, dict):
        return Bound.of(option, given)
    validator: t.Any = ArgumentSpecValidator  # It has no types.
    checked = validator(_NAMED_ARGUMENTS).validate(given)
    if checked.error_messages:
        raise OptionError(option, None, f"it must be a name and targets: {'; '.join(checked.error_messages)}")
    options = checked.validated_parameters
    if not options["name"].strip():
        raise OptionError(f"{option}.name", options["name"], "it must be a name, not empty")
    return _Chosen(options["name"].strip(), Selector.from_options(options, option))


def _names(option: str, given: t.Sequence[t.Any]) -> tuple[str, list[str]]:
    """The name of a host, and all names that the manager may have for it."""
    names = [str(name) for name in given if name not in (None, "")]
    if not names:
        raise OptionError(option, given, "it must hold the name of a host, and may hold others that it has")
    return names[0], [name.lower() for name in names]


def cut_waves(client: Client, asked: RolloutAsked, check_mode: bool) -> Result:
    """The result of C(rollout_plan). Raises C(OptionError), C(ManagerError) and C(FileError)."""
    with _as_plan_file():
        asked.asked.terms(client.transport.url)
    fleet = Fleet(client)
    listed = fleet.list_computers()
    profiles = [profile.selector for profile in asked.asked.document.profiles]
    chosen = [one for one in asked.wanted if isinstance(one, _Chosen)]
    trials = {
        number: profile.try_on
        for number, profile in enumerate(asked.asked.document.profiles)
        if profile.try_on is not None
    }
    selectors = [*profiles, *(one.selector for one in chosen)]
    selectors += [one.selector for one in trials.values() if one.selector]
    resolved = [targets for targets, _missing in resolve(fleet, selectors)]
    branches = _branches(fleet)
    named = iter(resolved[len(profiles) + len(chosen) :])
    tried_on = {
        number: t.cast("t.Sequence[Computer]", next(named))
        if one.selector
        else [fleet.computers[below] for below in sorted(_below_policies(branches, resolved[number]))]
        for number, one in trials.items()
    }
    declared = [target for targets in resolved[: len(profiles)] for target in targets]
    planned = _planned(fleet, asked)
    everybody = _below(branches, declared)
    concerned = everybody | _below(branches, planned) | {one.id for found in tried_on.values() for one in found}
    computers = [fleet.computers[number] for number in sorted(concerned)]
    fleet.read_overrides(computers)
    outlook = Outlook(fleet)
    latest = max((computer.last_agent_communication or 0 for computer in listed), default=0)
    places = {
        one.id: Place(
            one.id, one.policy_id, one.group_id, _is_heard(outlook, one, latest, asked.deployment), one.has_agent
        )
        for one in computers
    }
    of_waves = {
        one.name: frozenset(target.identity for target in found)
        for one, found in zip(chosen, resolved[len(profiles) :])
    }
    wanted = [one if isinstance(one, Bound) else Named(one.name, of_waves[one.name]) for one in asked.wanted]
    waves = make_waves(asked.plan.steps, places, branches, wanted, everybody, asked.max_silent)
    trial = make_trial(
        outlook,
        asked.asked.document,
        asked.asked.options["profiles"],
        asked.plan.steps,
        resolved[: len(profiles)],
        tried_on,
        places,
    )
    waves = with_trial(waves, [places[number] for number in trial.computers], trial.policies, wanted)
    # Changes of shared rules and lists concern all targets that have them.
    targets = {*planned, *(declared if any(wave.everything for wave in waves) else ())}
    rehearsals = Rehearsals(fleet, asked.plan.steps, computers, branches, trial.switched)
    targets.update(fleet.computers[number] for number in trial.computers)
    hosts, unknown = _hosts(asked, outlook, computers)
    on_windows = frozenset(computer.id for computer in computers if family(computer.platform) == WINDOWS)
    told = [*fleet.warnings]
    if unknown:
        told.append(
            "these hosts are not checked: their names match no computer of the plan, or several:"
            f" {', '.join(map(quoted, unknown[:_HOSTS_NAMED]))}"
            + (f" and {len(unknown) - _HOSTS_NAMED} more" if unknown[_HOSTS_NAMED:] else "")
        )
    return {
        "changed": _write(client, asked, waves, targets, trial, hosts, on_windows, rehearsals, check_mode),
        "digest": asked.plan.digest,
        "waves_file": asked.waves_file,
        "waves": [_told(wave) for wave in waves],
        "hosts": hosts,
        "restriction": _restriction(asked.plan.document),
        "requests": client.transport.requests,
        "warnings": told,
    }


def _branches(fleet: Fleet) -> dict[int, Branch]:
    """Every policy with the computers below it."""
    below: dict[int, list[int]] = {number: [] for number in fleet.policies}
    for computer in fleet.list_computers():
        for policy in fleet.lineage(computer):
            below[policy.id].append(computer.id)
    return {
        number: Branch(number, policy.parent_id, tuple(sorted(below[number])))
        for number, policy in fleet.policies.items()
    }


def _below(branches: t.Mapping[int, Branch], targets: t.Iterable[Target]) -> set[int]:
    """The computers that are targets, or are below a target."""
    found: set[int] = set()
    for target in targets:
        found.update(branches[target.id].computers if isinstance(target, Policy) else (target.id,))
    return found


def _below_policies(branches: t.Mapping[int, Branch], targets: t.Iterable[Target]) -> set[int]:
    """The computers below policies that are targets."""
    return _below(branches, (target for target in targets if isinstance(target, Policy)))


def _planned(fleet: Fleet, asked: RolloutAsked) -> list[Target]:
    """The targets of the plan. Raises C(OptionError) if one no longer exists."""
    known: dict[str, t.Mapping[int, Target]] = {"policy": fleet.policies, "computer": fleet.computers}
    found: dict[Target, None] = {}
    for step in asked.plan.steps:
        if step.subject.type in known:
            target = known[step.subject.type].get(step.subject.id or 0)
            if target is None:
                raise OptionError(
                    "plan_file",
                    None,
                    f"it must be a plan for what is on the manager now, and the {step.subject.label} is gone; make a"
                    " new plan",
                )
            found[target] = None
    return list(found)


def _is_heard(outlook: Outlook, computer: Computer, latest: int, deployment: str) -> bool:
    """Whether an agent was heard from lately, compared with the latest one of all, without using our own clock."""
    heard = computer.last_agent_communication
    interval = outlook.effective(computer, HEARTBEAT_INTERVAL)[0]
    if interval is None and deployment == CLOUD:
        interval = CLOUD_HEARTBEAT_INTERVAL
    if heard is None or not isinstance(interval, int):
        return False
    return latest - heard <= _SILENT_AFTER * interval * 60_000


def _hosts(asked: RolloutAsked, outlook: Outlook, computers: t.Sequence[Computer]) -> tuple[list[Result], list[str]]:
    """The hosts of computers that change, and what to ask about them first; and hosts that are unknown or uncertain."""
    ids: dict[str, set[int]] = {}
    for computer in computers if asked.hosts else ():
        for name in {computer.host_name.lower(), computer.display_name.lower()} - {""}:
            ids.setdefault(name, set()).add(computer.id)
    today = {computer.id: outlook.effective(computer, COMMUNICATION_DIRECTION)[0] for computer in computers}
    restricting = {(step.subject.type, step.subject.id) for step in asked.plan.steps if step.action == ASSIGN}
    fleet = outlook.fleet
    for step in asked.plan.steps:
        if step.action == SET and step.key == COMMUNICATION_DIRECTION.option:
            known: t.Mapping[int, Target] = fleet.policies if step.subject.type == "policy" else fleet.computers
            outlook.set(known[step.subject.id or 0], COMMUNICATION_DIRECTION, step.after)
    found, unknown = [], []
    for host, names in asked.hosts.items():
        same = {number for name in names for number in ids.get(name, ())}
        if len(same) != 1:
            unknown.append(host)
            continue
        computer = fleet.computers[same.pop()]
        direction = outlook.effective(computer, COMMUNICATION_DIRECTION)[0]
        above = [("policy", policy.id) for policy in fleet.lineage(computer)]
        questions = [_SWITCH] if direction == AGENT_INITIATED != today[computer.id] else []
        questions += [_RESTRICT] if restricting.intersection([("computer", computer.id), *above]) else []
        found.append({"name": host, "computer_id": computer.id, "direction": direction, "questions": questions})
    return found, unknown


def _restriction(document: t.Mapping[str, t.Any]) -> Result | None:
    """Whom the document admits to the agents' port, and where the manager connects from, if all profiles agree."""
    names = {"source_ips": "source_ips", "manager_addresses": "manager_addresses", "region": "manager_region"}
    all_of_it = [
        {name: restriction.get(option) for name, option in names.items()}
        for profile in document["profiles"]
        for restriction in [profile.get("firewall_restriction")]
        if restriction and restriction.get("state", PRESENT) == PRESENT
    ]
    return all_of_it[0] if all_of_it and all(one == all_of_it[0] for one in all_of_it) else None


def _told(wave: Wave) -> Result:
    """A wave for a task's result: counts, and a few IDs."""
    return {
        "name": shown(wave.name, 100),
        "policies": len(wave.policies),
        "computers": len(wave.computers),
        "concerned": len(wave.concerned),
        "judged": len(wave.judged),
        "everything": wave.everything,
        "blind": wave.blind,
        "kind": wave.kind,
    }


def _write(
    client: Client,
    asked: RolloutAsked,
    waves: t.Sequence[Wave],
    targets: t.Iterable[Target],
    trial: Trial,
    hosts: t.Sequence[Result],
    on_windows: t.Container[int],
    rehearsals: Rehearsals,
    check_mode: bool,
) -> bool:
    """Write the waves into their file, with all targets for a snapshot, and the trial's documents.

    Returns whether the file changes.
    """
    held = {
        "format": _FORMAT,
        "version": _VERSION,
        "manager": client.transport.url,
        "digest": asked.plan.digest,
        "targets": {
            "policies": sorted(one.id for one in targets if isinstance(one, Policy)),
            "computers": sorted(one.id for one in targets if isinstance(one, Computer)),
        },
        "trial": {"profiles": trial.profiles, "end": trial.end},
        "waves": [
            {
                **wave._asdict(),
                # The checks do not run on Windows, where the manager's own facts about the agent must be enough.
                "hosts": [
                    host for host in hosts if host["computer_id"] in concerned and host["computer_id"] not in on_windows
                ],
                "rehearsal": rehearsals.of(wave),
            }
            for wave in waves
            for concerned in [frozenset(wave.concerned)]
        ],
    }
    # One line per wave.
    content = json.dumps(held).replace('{"name": ', '\n{"name": ').encode("ascii") + b"\n"
    try:
        return keep_whole(asked.waves_file, content, check_mode)
    except OSError as error:
        raise FileError("waves_file", asked.waves_file, error) from error


def read_wave(option: str, path: str, number: int) -> tuple[Result, str]:
    """One wave of a file, counted from 1, and the URL of its manager. Raises C(OptionError)."""
    try:
        held = json.loads(read_whole(path, LONGEST))
        if not isinstance(held, dict) or held.get("format") != _FORMAT or held.get("version") != _VERSION:
            raise ValueError(f"its format is not {quoted(_FORMAT)}, version {_VERSION}")
        waves, url = held["waves"], held["manager"]
        if not 1 <= number <= len(waves):
            raise OptionError("wave", number, f"it must be the number of a wave, from 1 to {len(waves)}")
        wave = waves[number - 1]
        if not all(isinstance(one, int) for one in wave["judged"]):
            raise ValueError("its computers must be numbers")
    except OSError as error:
        raise OptionError(option, path, f"it must be a file with waves: {error.strerror}") from error
    except OptionError:
        raise
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OptionError(option, path, f"it must be a file that rollout_plan wrote, but {one_line(error)}") from None
    return wave, str(url)


WORK: Work[RolloutAsked] = Work(
    ROLLOUT_ARGUMENTS,
    RolloutAsked.from_options,
    lambda client, asked, host, _connection: cut_waves(client, asked, host.check_mode),
)
