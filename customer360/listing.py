"""Lists of tables and rows, for people; light, because ``customer360 tables`` answers at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from customer360.lakehouse.delta_log import TableDetails

if TYPE_CHECKING:
    from customer360.pipeline.account import Line, Reconciled


def table_of_tables(details: Sequence[TableDetails]) -> Table:
    """Tables with rows, partitions (folders of files), size and version."""
    shown = Table(title="Tables", title_justify="left")
    shown.add_column("table")
    for name in ("rows", "partitions", "size", "version"):
        shown.add_column(name, justify="right")
    for table in details:
        shown.add_row(
            table.table,
            f"{table.rows:,}",
            f"{table.partitions:,}",
            human_size(table.bytes),
            str(table.version),
        )
    return shown


def table_of_account(account: Reconciled) -> Table:
    """Where every row is, from the files to gold, with its money."""
    return _table_of_lines("Where every row is", account.lines, account.currency)


def table_of_left_out(account: Reconciled) -> RenderableType:
    """What is in no order, why, and how much money that is."""
    if not account.left_out:
        return Text("Every row that came in is in the tables.")
    return _table_of_lines("Left out, and why", account.left_out, account.currency)


def _table_of_lines(title: str, lines: Sequence[Line], currency: str) -> Table:
    shown = Table(title=title, title_justify="left")
    for name in ("source", "table", "what"):
        shown.add_column(name)
    for name in ("rows", currency):
        shown.add_column(name, justify="right")
    for line in lines:
        shown.add_row(
            line.source,
            line.table,
            Text(line.what),
            "" if line.rows is None else f"{line.rows:,}",
            "" if line.money is None else f"{line.money:,.2f}",
        )
    return shown


def human_size(size: float) -> str:
    """Bytes in the unit people would use: ``3.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
