"""docs/reliability.md, of the results."""

from __future__ import annotations

from collections.abc import Sequence

from customer360_tests.faults.faults import KILLED, WENT_ON, Result

_INTRO = """# Reliability

What a bad night costs: nothing, if the run is started again. Each fault below was put to a run of a
company with two sources, one of files of a shop and one synthetic; then the step was run again and
compared with a run that nobody disturbed: every row of every table and campaign list, after
publishing also of the warehouse and its marts, net revenue to the cent, and the account of
`customer360 reconcile`. What says when, or by which run, a row was made is left out.

`make faults` breaks the runs and writes this page. It takes about an hour and a half of two cores;
some of it, as a root user, who may mount a small disk to fill it. `make test` has a few of each
sort.

| Fault | Injected | Killed | Ended with one line | Went on | Survived | Rows lost | Cents lost |
|---|---:|---:|---:|---:|---:|---:|---:|
"""


def page(results: Sequence[Result]) -> str:
    """The page, as Markdown."""
    kinds = list(dict.fromkeys(each.kind for each in results))
    rows = [_row(kind, [each for each in results if each.kind == kind]) for kind in kinds]
    rows.append(_row(f"**{len(kinds)} kinds**", results))
    return _INTRO + "\n".join(rows) + "\n" + _where(results) + _said(results)


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
