"""The report as tables."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from benchmarks.suite import (
    DAGSTER,
    DUCK_COLD,
    DUCK_WARM,
    FEATURES_BY,
    LIBRARIES,
    OURS_COLD,
    OURS_WARM,
    Measurement,
    Report,
)

_BESIDE = {
    OURS_WARM: DUCK_WARM,
    OURS_COLD: DUCK_COLD,
    DAGSTER: DUCK_WARM,
    **{FEATURES_BY.format(name): FEATURES_BY.format("DuckDB") for name in ("ours", *LIBRARIES)},
}


def render(report: Report) -> Iterator[RenderableType]:
    """Tables to print, most important last."""
    machine = report.machine
    yield Text(
        f"{machine['cores']} cores, {_bytes(machine['memory_bytes'])}, {machine['system']}, "
        f"load before {machine['load_before']:.1f}; "
        + ", ".join(f"{name} {number}" for name, number in machine["versions"].items()),
        style="dim",
    )
    for size, settings in report.settings.items():
        told = "; ".join(f"{name} {value}" for name, value in settings.items())
        yield Text(f"{int(size):,} transactions: {told}", style="dim")
    yield _notes(report)
    yield _figures(report)
    for name in (OURS_WARM, DUCK_WARM):
        for measurement in report.measurements:
            if measurement.name == name:
                yield _steps(report, measurement)
                break
    if report.agreements:
        yield _agreement(report)
    yield _targets(report)


def _figures(report: Report) -> Table:
    table = Table(title="Figures", title_justify="left")
    table.add_column("measured", no_wrap=True)
    for name in ("transactions", "seconds", "CPU s", "peak", "files", "written", "× DuckDB"):
        table.add_column(name, justify="right", no_wrap=True)
    for m in report.measurements:
        beside = report.get(_BESIDE.get(m.name, ""), m.transactions)
        table.add_row(
            m.name,
            f"{m.transactions:,}" if m.transactions else "",
            f"{m.seconds:.2f}",
            f"{m.cpu_seconds:.1f}",
            _bytes(m.peak_bytes),
            "" if m.files is None else f"{m.files:,}",
            "" if m.bytes is None else _bytes(m.bytes),
            f"{m.seconds / beside.seconds:.2f}" if beside else "",
        )
    return table


def _notes(report: Report) -> Table:
    table = Table(title="What the figures include", title_justify="left", show_lines=True)
    table.add_column("measured")
    table.add_column("includes")
    told: dict[str, Text] = {}
    for m in report.measurements:
        text = told.setdefault(m.name, Text(f"{m.includes}."))
        size = f"{m.transactions:,}: " if m.transactions else ""
        text.append(f"\n{size}{_remarks(m)}", "dim")
    for name, text in told.items():
        table.add_row(name, text)
    return table


def _remarks(m: Measurement) -> str:
    told = []
    if "rows_a_second" in m.more:
        told.append(f"{m.more['rows']:,} rows, {m.more['rows_a_second']:,.0f} rows/s")
    if "overhead" in m.more:
        told.append(f"engine {m.more['engine_seconds']:.1f} s, overhead {m.more['overhead']:.1%}")
    if "seconds_without_snapshots" in m.more:
        told.append(f"without snapshots {m.more['seconds_without_snapshots']:.2f} s")
        told.append("days " + ", ".join(f"{s:.2f}" for s in m.more["all_seconds"]))
    if "session_seconds" in m.more:
        told.append(f"session {m.more['session_seconds']:.1f} s")
    told.append(f"load {m.load:.1f}")
    return "; ".join(told)


def _steps(report: Report, first: Measurement) -> Table:
    """Steps of one engine, all sizes side by side."""
    sizes = [m for m in report.measurements if m.name == first.name]
    table = Table(title=f"Steps: {first.name} (seconds)", title_justify="left")
    table.add_column("step")
    for m in sizes:
        table.add_column(f"{m.transactions:,}", justify="right")
    for step in first.more["steps"]:
        table.add_row(step, *(f"{m.more['steps'][step]:.2f}" for m in sizes))
    return table


def _agreement(report: Report) -> Table:
    table = Table(title="The same gold", title_justify="left")
    for name in ("transactions", "table", "rows, ours", "beside", "its rows", "total", "agrees"):
        table.add_column(name, justify="right" if "rows" in name or name == "total" else "left")
    for size, found in report.agreements.items():
        for a in found:
            verdict = Text("yes", "green")
            if not a.holds:
                different = ", ".join(f"{name} {n:,}" for name, n in a.differing.items())
                verdict = Text(
                    f"no: {a.only_ours:,} only ours, {a.only_theirs:,} only {a.engine}'s; "
                    f"differing: {different or 'none'}",
                    "red",
                )
            rows = (f"{a.ours:,}", a.engine, f"{a.theirs:,}")
            table.add_row(f"{size:,}", a.table, *rows, a.total, verdict)
    return table


def _targets(report: Report) -> Table:
    table = Table(title="Targets", title_justify="left")
    for name in ("target", "wanted", "found", "reached"):
        table.add_column(name)
    for target in report.targets:
        words = {True: Text("yes", "green"), False: Text("no", "red"), None: Text("other size")}
        table.add_row(target.name, target.wanted, target.found, words[target.reached])
    return table


def _bytes(number: int) -> str:
    size = float(number)
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{size:.0f} {unit}" if unit in ("B", "kB") else f"{size:.2f} {unit}"
