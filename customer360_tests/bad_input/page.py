"""docs/bad-input.md, rendered from the cases that the test of this package checks."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

from customer360_tests.bad_input import (
    clusters,
    commands,
    databases,
    files,
    kept,
    mappings,
    rows,
    settings,
)
from customer360_tests.bad_input.case import FOLDER, Case, Group
from customer360_tests.bad_input.rows import DELIVERIES, Delivery

PATH = Path("docs/bad-input.md")

SUBJECTS: dict[str, tuple[Group, ...]] = {
    "Files": files.GROUPS,
    "Mappings": mappings.GROUPS,
    "Settings": settings.GROUPS,
    "Commands": commands.GROUPS,
    "Databases": databases.GROUPS,
    "Spark clusters": clusters.GROUPS,
    "Lists, backups and models": kept.GROUPS,
}

CASES: tuple[Case, ...] = tuple(
    case for groups in SUBJECTS.values() for group in groups for case in group.cases
)

_HEADER = f"""\
# Bad input, and what is said of it

{{count}} bad inputs and the exact line that each gets, and {{rows}} bad rows with the reason that
quarantine keeps of each. Made by `make generate` from `customer360_tests/bad_input`, whose test
makes every one of them, runs the command, and compares: one line on standard error behind
`error: `, no trace, no file written, exit code 1 (2 where a command was mistyped). Messages quote
numbers, dates and codes, of all else only the shape: a row may be somebody's.

`{FOLDER}` stands for the folder that the command runs in, … for what is different each time.
"""


def bad_input_markdown() -> str:
    """The page, `PATH`."""
    count = sum(len(delivery.rows) for delivery in DELIVERIES)
    lines = [_HEADER.format(count=len(CASES), rows=count)]
    for subject, groups in SUBJECTS.items():
        lines += [f"## {subject}", ""]
        for group in groups:
            lines += _group(group)
    lines += ["## Rows", "", rows.INTRO, "", f"> {rows.STOPS}", ""]
    for delivery in DELIVERIES:
        lines += _delivery(delivery)
    return "\n".join(lines).rstrip() + "\n"


def _group(group: Group) -> Iterator[str]:
    yield from (f"### {group.title}", "")
    if group.intro:
        yield from (group.intro, "")
    if group.by:
        yield from (f"By {_code(f'customer360 {group.by}')}:", "")
    yield _row("What is wrong", "What is said")
    yield "| --- | --- |"
    for case in group.cases:
        yield _row(_wrong(case, group), _code(case.says))
    yield ""


def _wrong(case: Case, group: Group) -> str:
    if not case.command or group.is_usual(case):
        return case.wrong
    typed = _code(f"customer360 {shlex.join(case.command)}")
    return f"{typed}: {case.wrong}" if case.wrong else typed


def _delivery(delivery: Delivery) -> Iterator[str]:
    yield from (f"### {delivery.title}", "")
    yield from ("```yaml", delivery.mapping.strip(), "```", "")
    yield _row("What is wrong", _code(delivery.header), "Where it is", "Reasons")
    yield "| --- | --- | --- | --- |"
    for row in delivery.rows:
        reasons = ", ".join(_code(reason) for reason in row.reasons)
        yield _row(row.wrong, _code(row.line), _code(row.table), reasons)
    yield ""


def _code(text: str) -> str:
    """``text`` as code, whatever marks are in it."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    marks = "`" * (longest + 1)
    gap = (
        " "
        if longest and text[:1] + text[-1:] != text and (text[0] == "`" or text[-1] == "`")
        else ""
    )
    return f"{marks}{gap}{text}{gap}{marks}"


def _row(*cells: str) -> str:
    return "| " + " | ".join(cell.replace("|", r"\|") for cell in cells) + " |"


if __name__ == "__main__":
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else PATH
    target.write_text(bad_input_markdown(), encoding="utf-8")
