# Copyright: (c) 2026, workload_security.agent contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write C(docs/messages.md): all messages that tasks can give, by the part of the collection that they come from.

Run from the root of the repository, it brings the page up to date::

    .venv/tools/bin/python -m tests.gates.messages

The messages are the sentences in the code, with C(…) for each value, so none can be missing.
"""

from __future__ import annotations

import ast
import re
import textwrap
import typing as t
from pathlib import Path

from tests.gates.environments import ROOT

PAGE = Path("docs/messages.md")

_HEAD = """<!-- SPDX-License-Identifier: GPL-3.0-or-later -->
<!-- Written by tests/gates/messages.py. Change the messages in the code, and run it again. -->
# All messages

Search this page for a few words of your message that are not a name or a number of your own. `…` stands for those. Long
messages are made of several entries. Each part of this page says where to read on, and [Failure codes](failures.md) says
what to check for each `failure.code`.

- A message about an option begins with its name and its value, such as *option 'interval' is 'often'*, and says what
  would be right. Nothing was written then.
- A message about a request begins with what was requested, such as *GET /api/policies/7 at https://dsm.example.com:4119
  failed*, quotes the manager's answer, and ends with what to check.
"""


class Part(t.NamedTuple):
    """A part of the page: its title, a pattern for the files in plugins/ with its messages, and where to read on."""

    title: str
    files: str
    advice: str


# Each file belongs to the first part that matches.
PARTS = (
    Part(
        "The manager, and the way to it",
        r"module_utils/(_manager|_vendor)/",
        "All modules that talk to the manager, and the inventory. See [Behind a bastion or a proxy](bastion.md) and "
        "[API keys and rights](keys.md).",
    ),
    Part(
        "SSH",
        r"module_utils/_ssh/",
        "`jump_host` of all modules, and `agent_cipher_probe`. See [A bastion](bastion.md#a-bastion).",
    ),
    Part(
        "Targets and queries",
        r"module_utils/_fleet/",
        "All options that choose policies and computers. See [Targets](facets.md#targets).",
    ),
    Part(
        "Firewall restriction",
        r"module_utils/_facets/firewall/",
        "`firewall_restriction`, and documents that declare it. See [Restricting the agents' port](restrict_port.md).",
    ),
    Part(
        "Heartbeat and communication direction",
        r"module_utils/_facets/",
        "`heartbeat`, `communication_direction`, and documents that declare them. See [Facets](facets.md#facets).",
    ),
    Part(
        "Rollouts",
        r"module_utils/_(task/(rollout|rehearsal)|communication/(bound|waves))",
        "`rollout_plan`, `rollout_gate`, and the role `rollout`. See [Rolling out in waves](rollout.md).",
    ),
    Part(
        "Documents, plans and captures",
        r"module_utils/_(communication|task)/",
        "`communication_profile`, `communication_document`, and the modules of one facet. See [Plan, review, apply, and "
        "find drift](plan_and_drift.md), [Taking over what is on the manager today](capture.md), and "
        "[Rollback](rollback.md).",
    ),
    Part(
        "Sending policies",
        r"module_utils/_sending/",
        "`policy_sending`, and rollouts. See [Sending policies](sending.md).",
    ),
    Part(
        "Activation and deployment scripts",
        r"module_utils/_activation/",
        "`agent_initiated_activation` and `agent_deployment_script_info`.",
    ),
    Part(
        "Reading and reporting",
        r"module_utils/_answers/|inventory/",
        "The modules that end in `_info`, the reports, `preflight`, and the [inventory](inventory.md).",
    ),
    Part(
        "local_dns",
        r"module_utils/_dns/",
        "See the module's documentation, [Active Directory's DNS](active_directory.md), and "
        "[Troubleshooting](troubleshooting.md).",
    ),
    Part(
        "Whether a host reaches its manager",
        r"module_utils/_connectivity/",
        "`manager_connectivity_info` and `preflight`. Each problem comes with a way to fix it.",
    ),
    Part(
        "Agents and cipher suites",
        r"module_utils/_(agent|probe|host)/",
        "`agent_cipher_facts`, `agent_cipher_info` and `agent_cipher_probe`. See [Auditing cipher "
        "suites](cipher_audit.md).",
    ),
    Part("Options and files of any module", r"module_utils/_basis/|plugin_utils/", "All modules."),
    Part("Filters and tests", r"(filter|test)/", "Filters and tests in templates."),
)

# Files that contain data, and no sentences of ours.
_DATA = re.compile(r"module_utils/_agent/(builds|sources)\.py|doc_fragments/")
# Calls whose texts are patterns, data, or errors in the code itself.
_NO_MESSAGE = re.compile(r"re\.\w+|\.split$|^(_choice|_counter|_range|AssertionError|Source|Shape|add_argument)$")
# Calls, by the end of their names, whose texts are always messages, even if they are short.
_MESSAGE = re.compile(
    r"(Error|Problem|Unfit|Conflict|Refusal|Refused|Verdict|Unreachable|NoAnswer|fault|error|problem|nothing|bad|warn)$"
)
_BAD_OPTION = re.compile(r"(\bOptionError|\.fault|\.error|^in_range|^readable_file|^port_number|^refused)$")
# Calls that stand for one code.
_CODES = {
    r"\b(BadReply|bad|_bad_search)$": "bad_reply",
    r"\bFileError$": "unwritable",
    r"\bFolderError$": "folder",
    r"\bUnsupportedPlatform$": "unsupported_platform",
}
# The texts that these calls put before their argument.
_BEFORE = {"in_range": "it must be ", "scope.error": "it must be ", "readable_file": "it must be a readable file with "}


class Message(t.NamedTuple):
    """A message: C(failure.code) of a task that fails with it (empty if it varies or there is none), option, text."""

    code: str
    option: str
    text: str


class _Source:
    """The syntax tree of a file, and what is around each of its nodes."""

    def __init__(self, text: str) -> None:
        self.tree = ast.parse(text)
        self._parents = {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}
        self._constants: dict[str, str] = {}
        for node in self.tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
                self._constants[node.targets[0].id] = self.text_of(node.value) or ""

    def messages(self) -> t.Iterator[Message]:
        """The messages in the file."""
        for node in ast.walk(self.tree):
            text = self.text_of(node)
            if text is None or isinstance(node, ast.Name) or re.search(r"\n|\(\?[:P]|\[\^", text):
                continue
            around = list(self._around(node))
            calls = [ast.unparse(one.func) for one in around if isinstance(one, ast.Call)]
            documentation = {"DOCUMENTATION", "EXAMPLES", "RETURN"} & {self._name_of(one) for one in around}
            is_part = isinstance(around[0], ast.JoinedStr | ast.Expr) or self.text_of(around[0]) is not None
            if is_part or documentation or any(map(_NO_MESSAGE.search, calls)):
                continue
            words = [word for word in text.split() if re.search("[A-Za-z]", word)]
            is_message = any(map(_MESSAGE.search, calls)) or self._name_of(around[0]) == "advice"
            if len(words) >= (2 if is_message else 4):
                yield self._message(text, around)

    def text_of(self, node: ast.AST | None) -> str | None:
        """The text that an expression gives, with C(…) for unknown parts; C(None) if it gives no text."""
        if isinstance(node, ast.Constant):
            return node.value if isinstance(node.value, str) else None
        if isinstance(node, ast.JoinedStr):
            return "".join(map(self._part_of, node.values))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            left, right = self.text_of(node.left), self.text_of(node.right)
            return None if left is right is None else (left or "…") + (right or "…")
        return None

    def _part_of(self, node: ast.expr) -> str:
        if isinstance(node, ast.FormattedValue):
            constant = self._constants.get(node.value.id) if isinstance(node.value, ast.Name) else None
            return constant or "…"
        return self.text_of(node) or ""

    def _around(self, node: ast.AST) -> t.Iterator[ast.AST]:
        """The nodes around a node, from the inside out."""
        while node in self._parents:
            node = self._parents[node]
            yield node

    @staticmethod
    def _name_of(node: ast.AST) -> str:
        """The name that a statement assigns to."""
        is_name = isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        return node.targets[0].id if is_name else ""  # type: ignore[attr-defined]

    def _message(self, text: str, around: list[ast.AST]) -> Message:
        """A text as a message, with the failure code and the option that belong to it."""
        # Both values of a conditional expression are messages, and a message may be a keyword argument.
        nearest = next(one for one in around if not isinstance(one, ast.IfExp | ast.keyword))
        if isinstance(nearest, ast.Call):
            name, first = ast.unparse(nearest.func), self.text_of(nearest.args[0]) if nearest.args else None
            if name.endswith("DnsError") and first:
                return Message(first, "", text)
            code = next((code for names, code in _CODES.items() if re.search(names, name)), None)
            if code:
                return Message(code, "", text)
            if _BAD_OPTION.search(name):
                option = first if first and first != text and re.fullmatch(r"[\w.]+", first) else ""
                return Message("bad_option", option, _BEFORE.get(name, "") + text)
        if isinstance(nearest, ast.Dict) and "_ADVICE" in map(self._name_of, around):
            codes = [
                self.text_of(key) for key, value in zip(nearest.keys, nearest.values) if self.text_of(value) == text
            ]
            return Message(codes[0] or "", "", text)
        for one in around:
            if isinstance(one, ast.ClassDef):
                codes = (
                    self.text_of(line.value)
                    for line in one.body
                    if isinstance(line, ast.Assign) and self._name_of(line) == "code"
                )
                return Message(next(filter(None, codes), ""), "", text)
        return Message("", "", text)


def messages_in(text: str) -> set[Message]:
    """The messages in the text of a file."""
    return set(_Source(text).messages())


def collect(root: Path = ROOT) -> dict[Part, set[Message]]:
    """The messages of all plugins, by part of the page."""
    found: dict[Part, set[Message]] = {part: set() for part in PARTS}
    for path in sorted((root / "plugins").rglob("*.py")):
        name = path.relative_to(root / "plugins").as_posix()
        messages = set() if _DATA.search(name) else messages_in(path.read_text(encoding="utf-8"))
        if messages:
            # A file without a part is an error in the table above.
            found[next(part for part in PARTS if re.match(part.files, name))] |= messages
    return found


def _shown(message: Message) -> str:
    """A message as one item of a list."""
    text = re.sub("…{2,}", "…", " ".join(message.text.strip(" ;,").split()))
    text = re.sub(r"([\\`*\[\]<>|#])", r"\\\1", text)
    option = f"`{message.option}`: " if message.option else ""
    return textwrap.fill(
        f"- {option}{text}", 120, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )


def page() -> str:
    """The whole page."""
    lines = [_HEAD]
    for part, messages in collect().items():
        lines.append(f"## {part.title}\n\n{textwrap.fill(part.advice, 120, break_on_hyphens=False)}\n")
        for code in sorted({message.code for message in messages}, key=lambda code: (not code, code)):
            lines.append(
                f"`failure.code` is `{code}`:\n" if code else "Other messages, warnings and reasons in results:\n"
            )
            shown = {_shown(message) for message in messages if message.code == code}
            lines += [*sorted(shown, key=str.casefold), ""]
    return "\n".join(lines)


if __name__ == "__main__":
    (ROOT / PAGE).write_text(page(), encoding="utf-8")
