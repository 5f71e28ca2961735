"""The list of tables, for people; light, because ``customer360 tables`` answers at once."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table

from customer360.lakehouse.delta_log import TableDetails


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


def human_size(size: float) -> str:
    """Bytes in the unit people would use: ``3.2 MB``."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"
