"""Whether two engines made the same gold: row by row, column by column, exactly.

Amounts are decimals; doubles are quotients of integers and so the same on both sides to the last
bit. Nothing is rounded before it is compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import duckdb

from customer360.contracts import Contract
from customer360.table_names import FEATURES

_SUMS = {
    "gold/customer_features": "sum(net_revenue::DECIMAL(18,2))",
    "gold/rfm_segments": "count(DISTINCT segment)",
    "gold/cohort_retention": "sum(net_revenue)",
    "gold/business_health": "sum(net_revenue)",
}
SILVER = ("silver/customers", "silver/transactions", "silver/customer_days")


@dataclass(frozen=True)
class Agreement:
    """One table of both sides.

    Attributes:
        table: ``layer/table``.
        engine: Who made the other side.
        ours: Our rows.
        theirs: The other side's rows.
        only_ours: Keys that only our table has.
        only_theirs: Keys that only the other side has.
        differing: By column, the rows that both have with different values.
        total: A figure for people: revenue, or the number of segments; ours.
    """

    table: str
    engine: str
    ours: int
    theirs: int
    only_ours: int
    only_theirs: int
    differing: dict[str, int]
    total: str

    @property
    def holds(self) -> bool:
        """Whether both made the same rows, and at least one."""
        return self.ours > 0 and not (self.only_ours or self.only_theirs or self.differing)


def active_files(table: Path) -> list[Path]:
    """The files of a Delta table's newest version, by replaying its log.

    Raises:
        FileNotFoundError: The log's first commits have been cleaned away.
    """
    commits = sorted((table / "_delta_log").glob("*.json"))
    if not commits or int(commits[0].stem) != 0:
        raise FileNotFoundError(f"{table}: no complete Delta log")
    files: dict[str, None] = {}
    for commit in commits:
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            if "add" in action:
                files[action["add"]["path"]] = None
            elif "remove" in action:
                files.pop(action["remove"]["path"], None)
    return [table / name for name in files]


def gold_agreement(lakehouse: Path, duck_home: Path) -> list[Agreement]:
    """Compare every gold table of our lakehouse with DuckDB's."""
    with duckdb.connect() as connection:
        return [
            _compare(connection, table, lakehouse, "DuckDB", duck_home / table) for table in _SUMS
        ]


def features_agreement(lakehouse: Path, made: Mapping[str, Path]) -> list[Agreement]:
    """Compare our gold/customer_features with a folder of each engine's own."""
    with duckdb.connect() as connection:
        return [
            _compare(connection, FEATURES, lakehouse, name, folder) for name, folder in made.items()
        ]


def silver_rows(lakehouse: Path, duck_home: Path) -> dict[str, tuple[int, int]]:
    """Rows of the silver tables, ours and DuckDB's: where a difference of gold began."""
    connection = duckdb.connect()
    found = {}
    for table in SILVER:
        sides = (_ours(lakehouse / table), _theirs(duck_home / table))
        counts = [
            connection.execute(f"SELECT count(*) FROM {side}").fetchall()[0][0] for side in sides
        ]
        found[table] = (counts[0], counts[1])
    return found


def _ours(table: Path) -> str:
    files = [str(file) for file in active_files(table)]
    return f"read_parquet({files!r}, hive_partitioning = true)"


def _theirs(table: Path) -> str:
    return f"read_parquet('{table}/**/*.parquet', hive_partitioning = true)"


def _compare(
    connection: duckdb.DuckDBPyConnection, table: str, lakehouse: Path, engine: str, folder: Path
) -> Agreement:
    contract = Contract.load(table)
    key, columns = contract.primary_key, contract.column_names
    rest = [name for name in columns if name not in key]
    ours, theirs = _ours(lakehouse / table), _theirs(folder)
    one = key[0]  # a key is never null, but where the other side lacks the row
    differs = ", ".join(
        f"count_if(mine.{one} IS NOT NULL AND yours.{one} IS NOT NULL "
        f"AND mine.{name} IS DISTINCT FROM yours.{name})"
        for name in rest
    )
    both = " AND ".join(f"mine.{name} = yours.{name}" for name in key)
    values = connection.execute(
        f"""SELECT count(mine.{one}), count(yours.{one}), count_if(yours.{one} IS NULL),
            count_if(mine.{one} IS NULL),
            {differs}
        FROM (SELECT {", ".join(columns)} FROM {ours}) mine
        FULL JOIN (SELECT {", ".join(columns)} FROM {theirs}) yours ON {both}"""
    ).fetchall()[0]
    total = connection.execute(f"SELECT {_SUMS[table]} FROM {ours}").fetchall()[0][0]
    rows_ours, rows_theirs, only_ours, only_theirs = values[:4]
    return Agreement(
        table,
        engine,
        ours=rows_ours,
        theirs=rows_theirs,
        only_ours=only_ours,
        only_theirs=only_theirs,
        differing={name: n for name, n in zip(rest, values[4:], strict=True) if n},
        total=str(total),
    )
