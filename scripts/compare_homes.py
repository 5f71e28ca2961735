"""Whether two homes hold the same: ``python scripts/compare_homes.py BEFORE AFTER``.

Every Delta table and every mart of both is compared by content, whatever the order of rows, files
and commits: for a change of the code that must not change a result. Give both homes the same
``customer360.toml`` and secrets before their first run, else all customer keys differ.

Left out are columns that say when and by which run a row was made (`BOOKKEEPING`), and columns that
only one side has, which are named. Doubles are compared to nine significant digits: sums of parts
come in any order.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import duckdb
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

PROJECT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(PROJECT))

from customer360.contracts.sql import sql_name  # noqa: E402
from customer360.lakehouse.delta_log import MONTH  # noqa: E402
from customer360.lakehouse.reading import Tables  # noqa: E402
from customer360.serving.warehouse import open_warehouse  # noqa: E402
from customer360.settings import load_settings  # noqa: E402

BOOKKEEPING = frozenset(
    {
        *("_ingested_at", "_source_file", "ingested_at", "source_file", "run_id"),
        *("model_version", "published_at", "delta_version", "made_at", MONTH),
    }
)
"""When, from where and by which run or version a row was made."""

DIGITS = 9
"""Significant digits to which doubles are equal."""


class Side:
    """One home: its Delta tables, and its marts where it has a warehouse."""

    def __init__(self, home: Path) -> None:
        self.settings = load_settings(home.absolute())
        self.lakehouse = Tables(self.settings.lakehouse_root)
        self.warehouse = open_warehouse(self.settings)

    def names(self) -> set[str]:
        """All tables, as ``layer/table``, and all marts, as ``marts/table``."""
        with self.warehouse.owner.connect() as connection:
            marts = connection.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = 'marts'"
            ).fetchall()
        return {*self.lakehouse.tables(), *(f"marts/{name}" for (name,) in marts)}

    def rows(self, name: str) -> pa.Table:
        """The rows of a table or mart; of a mart as PostgreSQL writes them."""
        schema, table = name.split("/")
        if schema != "marts":
            return self.lakehouse.dataset(name).to_table()
        received = BytesIO()
        statement = sql.SQL("COPY (SELECT * FROM {}.{}) TO STDOUT WITH (FORMAT csv, HEADER)")
        query = statement.format(sql.Identifier(schema), sql.Identifier(table))
        with (
            self.warehouse.owner.connect() as connection,
            connection.cursor() as cursor,
            cursor.copy(query) as copy,
        ):
            for block in copy:
                received.write(block)
        return csv.read_csv(BytesIO(received.getvalue()))


def differences(before: pa.Table, after: pa.Table) -> Iterator[str]:
    """What differs, a line each; nothing when both hold the same rows."""
    names = [
        name
        for name in before.column_names
        if name in after.column_names and name not in BOOKKEEPING
    ]
    for side, table, other in (("before", before, after), ("after", after, before)):
        alone = sorted(set(table.column_names) - set(other.column_names) - BOOKKEEPING)
        if alone:
            yield f"columns only {side}: {', '.join(alone)}"
    with duckdb.connect() as connection:
        for side, table in (("before", before), ("after", after)):
            connection.register(f"{side}_rows", table)
            compared = ", ".join(_compared(table.schema.field(name)) for name in names)
            connection.execute(f"CREATE VIEW {side} AS SELECT {compared} FROM {side}_rows")
        for side, other in (("before", "after"), ("after", "before")):
            alone_rows = f"(SELECT * FROM {side} EXCEPT ALL SELECT * FROM {other})"
            ((count,),) = connection.execute(f"SELECT count(*) FROM {alone_rows}").fetchall()
            if count:
                (row,) = connection.execute(f"SELECT * FROM {alone_rows} LIMIT 1").fetchall()
                example = dict(zip(names, row, strict=True))
                yield f"{count:,} rows only {side}, such as {example}"


def _compared(field: pa.Field) -> str:
    name = sql_name(field.name)
    if pa.types.is_floating(field.type):
        return f"format('{{:.{DIGITS}g}}', {name}) AS {name}"
    return name


def main() -> None:
    """Print a line a table, and leave with 1 where any differs."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("before", type=Path)
    parser.add_argument("after", type=Path)
    arguments = parser.parse_args()
    before, after = Side(arguments.before), Side(arguments.after)
    theirs, ours = before.names(), after.names()
    unequal = 0
    for name in sorted(theirs | ours):
        if name not in ours or name not in theirs:
            found = [f"only {'before' if name in theirs else 'after'}"]
            rows = 0
        else:
            left, right = before.rows(name), after.rows(name)
            found, rows = list(differences(left, right)), right.num_rows
        unequal += bool(found)
        sys.stdout.write(f"{name}: {'; '.join(found) or f'{rows:,} rows, equal'}\n")
    sys.stdout.write(f"{len(theirs | ours)} tables and marts, {unequal} differ\n")
    sys.exit(unequal > 0)


if __name__ == "__main__":
    main()
