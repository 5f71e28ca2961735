"""docs/reliability.md, of the results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from customer360_tests.deployments import PROJECT
from customer360_tests.faults.faults import KILLED, WENT_ON, Result
from customer360_tests.faults.results import RESULTS, read, versions

PAGE = PROJECT / "docs" / "reliability.md"
LEAST_FAULTS, LEAST_KINDS, LEAST_KILLS = 200, 15, 60
"""What a whole run must have done: fewer, and the machine could not do what the page claims."""

_INTRO = """# Reliability

What a bad night costs: nothing, if what was broken is run again. Each fault below was put to a step
of a company with two sources, one of files of a shop and one synthetic, such as a first load or a
night; below the table stand all. Then the step was run again and compared with one that nobody
disturbed: every row of every table and campaign list, after what publishes also of the warehouse,
its marts and who was contacted; which models score; net revenue to the cent; and
`customer360 reconcile` without a difference. What says when, or by which run, a row was made is
left out.

`make faults` breaks the runs and writes this page; it takes hours, goes on where it was stopped,
and fails where a row or a cent is lost, or where fewer than 200 faults of 15 kinds and 60 kills
happened. `make test` has three of them, `make test-all` six. What is not among them: an object
store that hangs while a run writes to it, which `make test-all` has in a test of its own; power
cuts, where what was written has not reached the disk.

| Fault | Injected | Killed | Ended with one line | Went on | Survived | Rows lost | Cents lost |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


def shortcomings(results: Sequence[Result]) -> list[str]:
    """What a whole run has too little of, or did not survive."""
    kills = sum(each.ended == KILLED for each in results)
    kinds = len({each.kind for each in results})
    wanted = (
        (len(results), LEAST_FAULTS, "faults"),
        (kinds, LEAST_KINDS, "kinds"),
        (kills, LEAST_KILLS, "kills"),
    )
    few = [f"{there} {what}, {least} are wanted" for there, least, what in wanted if there < least]
    lost = [
        f"{each.kind}; {each.where}: {each.problem or each.difference}"
        for each in results
        if not each.survived
    ]
    return [*few, *lost]


def page_of(file: Path) -> str:
    """The page of all results in a file."""
    came = dict(read(file))
    happened = [result for result in came.values() if result is not None]
    return page(happened, [name for name, it in came.items() if it is None], versions(file))


def page(
    results: Sequence[Result],
    absent: Sequence[str] = (),
    put_to: Mapping[str, int] = MappingProxyType({}),
) -> str:
    """The page, as Markdown.

    Args:
        results: Of the faults that happened.
        absent: Names of those that did not.
        put_to: How many of them were put to each version of the code.
    """
    kinds = list(dict.fromkeys(each.kind for each in results))
    rows = [_row(kind, [each for each in results if each.kind == kind]) for kind in kinds]
    rows.append(_row(f"**{len(kinds)} kinds**", results))
    parts = (_where(results), _of_versions(put_to), _absent(absent), _said(results))
    return _INTRO + "\n".join(rows) + "\n" + "".join(parts)


def _row(kind: str, results: Sequence[Result]) -> str:
    killed = sum(each.ended == KILLED for each in results)
    went_on = sum(each.ended == WENT_ON or each.ended.endswith("went on") for each in results)
    return (
        f"| {kind} | {len(results)} | {killed} | {len(results) - killed - went_on} | {went_on} "
        f"| {sum(each.survived for each in results)} "
        f"| {sum(each.difference.rows for each in results)} "
        f"| {sum(each.difference.cents for each in results)} |"
    )


def _where(results: Sequence[Result]) -> str:
    steps = list(dict.fromkeys(each.where.partition(":")[0] for each in results))
    counted = ", ".join(
        f"{sum(each.where.startswith(f'{step}:') for each in results)} in the {step}"
        for step in steps
    )
    return f"\nWhere: {counted}.\n"


def _of_versions(put_to: Mapping[str, int]) -> str:
    counted = ", ".join(f"{count} to `{version}`" for version, count in put_to.items())
    return f"\nBy the commit they were put to: {counted}.\n" if counted else ""


def _absent(names: Sequence[str]) -> str:
    if not names:
        return ""
    lines = "\n".join(f"- {name}" for name in names)
    return (
        f"\n{len(names)} more did not happen: a commit without a file of data, a run that was over "
        f"before, or room enough on the disk.\n\n{lines}\n"
    )


def _said(results: Sequence[Result]) -> str:
    """One line of each kind, as a user read it."""
    found: dict[str, str] = {}
    for each in results:
        if each.ended not in (KILLED, WENT_ON):
            found.setdefault(each.kind, each.ended)
    lines = "\n".join(f"| {kind} | {_cell(said)} |" for kind, said in found.items())
    return (
        f"\n## What a run says that ends by itself\n\n| Fault | For example |\n|---|---|\n{lines}\n"
    )


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


if __name__ == "__main__":
    PAGE.write_text(page_of(RESULTS), encoding="utf-8")
