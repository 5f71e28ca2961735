"""What is in quarantine, read without Spark: counted by reason, and row by row to be looked at."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from customer360.contracts.reasons import DELETED, MALFORMED, SETTLED
from customer360.contracts.sql import sql_text
from customer360.deployment import Deployment
from customer360.errors import TableNotFoundError, listed
from customer360.lakehouse.reading import Tables
from customer360.pipeline.worth import worth_sql
from customer360.sources.base import Source
from customer360.table_names import EDITS, EXPIRED, FORGOTTEN, REJECTED, quarantine_of

LAYER = "quarantine/"
RESCUED = "_rescued"
_DAY = "_delivered_on"


@dataclass(frozen=True)
class Held:
    """Rows of a table that are kept out for one reason; a row with two reasons is in two of these.

    Attributes:
        table: The quarantine table.
        source: Name of the active source that the rows are of; None: of none.
        reason: Why.
        rows: How many.
        money: What they state, without sign, in the source's currency, as far as it can be read;
            None: nothing.
        unread: Rows of which no money can be read.
        first: First day of delivery; None of tables that come whole.
        last: Last day of delivery.
        files: The files they stand in.
    """

    table: str
    source: str | None
    reason: str
    rows: int
    money: Decimal | None
    unread: int
    first: date | None
    last: date | None
    files: Sequence[str]


@dataclass(frozen=True)
class HeldRow:
    """One row that is kept out.

    Attributes:
        table: The bronze table it is of, without layers.
        row: Its id: its hash as it was delivered.
        reasons: Why.
        file: The file it stands in.
        delivered_on: The day of that delivery; None of tables that come whole.
        values: The contract's columns; none of a row that could not be split.
        rescued: JSON of what the file had beside them.
        line: Of a row that could not be split, the line.
        edited_by: Who edited it; None: nobody.
        edited_at: When.
    """

    table: str
    row: int
    reasons: tuple[str, ...]
    file: str | None
    delivered_on: date | None
    values: Mapping[str, str | None] = field(default_factory=dict)
    rescued: str | None = None
    line: str | None = None
    edited_by: str | None = None
    edited_at: datetime | None = None

    @property
    def left_out(self) -> bool:
        """Whether it is left out for good."""
        return not set(SETTLED).isdisjoint(self.reasons)


def held(tables: Tables, deployment: Deployment) -> list[Held]:
    """All that is in quarantine, by table and reason."""
    of_table = _sources(deployment)
    groups: list[Held] = []
    for table in quarantine_tables(tables):
        if table == REJECTED:
            groups += _rejected_by_silver(tables, deployment)
            continue
        name = table.removeprefix(LAYER)
        source = of_table.get(name)
        money = worth_sql(source, name, of_raw) if source is not None else None
        groups += _by_reason(tables, table, sql_text(source.name if source else None), money, _DAY)
    return sorted(groups, key=lambda each: (each.table, -each.rows, each.reason))


def quarantine_tables(tables: Tables) -> list[str]:
    """The quarantine tables there are, with their layer."""
    others = (EDITS, EXPIRED, FORGOTTEN)
    return [name for name in tables.tables() if name.startswith(LAYER) and name not in others]


def quarantine_named(tables: Tables, name: str) -> str:
    """The quarantine table that a user calls ``name``, with or without a layer.

    Raises:
        TableNotFoundError: There is none.
    """
    table = LAYER + name.rpartition("/")[2]
    known = quarantine_tables(tables)
    if table not in known:
        named = listed([each.removeprefix(LAYER) for each in known]) or "none"
        raise TableNotFoundError(
            f"no quarantine table {name}: those of {tables.root} are {named}; --home names another "
            "deployment"
        )
    return table


def held_rows(
    tables: Tables,
    deployment: Deployment,
    table: str,
    *,
    reason: str | None = None,
    limit: int | None = None,
) -> list[HeldRow]:
    """Rows of a quarantine table, in order of delivery.

    Of ``quarantine/transactions`` they are the rows of bronze that silver kept out.

    Args:
        tables: Where.
        deployment: Whose sources say which columns there are.
        table: As `quarantine_named` gives it.
        reason: Only rows with this reason.
        limit: Rows at most.
    """
    condition = f"list_contains(reasons, {sql_text(reason)})" if reason else "true"
    at_most = f"LIMIT {limit}" if limit is not None else ""
    if table == REJECTED:
        return _rows_of_silver(tables, deployment, condition, at_most)
    own = columns_of(tables, table)
    rows = tables.ask(
        f"""
        SELECT {_id(own)} AS id, reasons, _source_file, _delivered_on, raw,
            {_edited(own)} FROM rows WHERE {condition}
        ORDER BY _delivered_on, _source_file, id {at_most}
        """,
        rows=table,
    )
    return [_held_row(table.removeprefix(LAYER), row) for row in rows]


def rows_with_ids(
    tables: Tables, source: Source, table: str, ids: Collection[int]
) -> dict[int, HeldRow]:
    """The rows of bronze table ``table`` that have these ids, be they in bronze or in quarantine.

    A row that stands there several times is given once.
    """
    if not ids:
        return {}
    listed = ", ".join(map(str, sorted(ids)))
    quarantine = quarantine_of(table)
    rows_by_id = _bronze_rows(tables, source, table, "id", ids)
    if tables.exists(quarantine):
        own = columns_of(tables, quarantine)
        rows = tables.ask(
            f"""
            SELECT {_id(own)} AS id, reasons, _source_file, _delivered_on, raw, {_edited(own)}
            FROM rows WHERE id IN ({listed}) AND NOT list_contains(reasons, '{DELETED}')
            """,
            rows=quarantine,
        )
        for each in rows:
            rows_by_id.setdefault(each[0], _held_row(table, each))
    return rows_by_id


def edits_loaded(
    tables: Tables, table: str, ids: Collection[int]
) -> dict[int, set[datetime | None]]:
    """When the rows with these ids were edited, as they stand: None among it where one is not.

    A row that was delivered several times stands there as often.
    """
    if not ids:
        return {}
    loaded: dict[int, set[datetime | None]] = {}
    for name in (f"bronze/{table}", quarantine_of(table)):
        if not tables.exists(name):
            continue
        own = columns_of(tables, name)
        still_delivered = f"NOT list_contains(reasons, '{DELETED}')" if "reasons" in own else "true"
        rows = tables.ask(
            f"""
            SELECT DISTINCT {_id(own)} AS id, {_edited(own)} FROM rows
            WHERE id IN ({", ".join(map(str, ids))}) AND {still_delivered}
            """,
            rows=name,
        )
        for id_, _, at in rows:
            loaded.setdefault(id_, set()).add(at)
    return loaded


def delivery_days(tables: Tables, table: str, ids: Collection[int]) -> set[date | None]:
    """The days on which rows with these ids were delivered; None of tables that come whole."""
    if not ids:
        return set()
    days: set[date | None] = set()
    for name in (f"bronze/{table}", quarantine_of(table)):
        if tables.exists(name):
            rows = tables.ask(
                f"""
                SELECT DISTINCT _delivered_on FROM rows
                WHERE {_id(columns_of(tables, name))} IN ({", ".join(map(str, ids))})
                """,
                rows=name,
            )
            days |= {day for (day,) in rows}
    return days


def kept_out_on(tables: Tables, source: Source, *, but: Sequence[str] = ()) -> set[date]:
    """Business dates of the rows of ``source`` that silver kept out, but for these reasons."""
    if not tables.exists(REJECTED):
        return set()
    rows = tables.ask(
        f"""
        SELECT DISTINCT business_date FROM rows
        WHERE NOT list_has_any(reasons, [{", ".join(map(sql_text, but))}]::VARCHAR[])
        AND {of_raw("source")} = {sql_text(source.name)} AND business_date IS NOT NULL
        """,
        rows=REJECTED,
    )
    return {day for (day,) in rows}


def columns_of(tables: Tables, table: str) -> set[str]:
    """Names of the columns that ``table`` is stored with: an older release made fewer."""
    return {column.name for column in tables.open(table).schema().fields}


def _by_reason(tables: Tables, table: str, source: str, money: str | None, day: str) -> list[Held]:
    rows = tables.ask(
        f"""
        WITH stated AS (
            SELECT reasons, {source} AS source, {money or "NULL::DECIMAL(38,2)"} AS money,
                {day} AS day, _source_file AS file FROM rows
        ),
        each AS (SELECT * EXCLUDE (reasons), unnest(reasons) AS reason FROM stated)
        SELECT source, reason, count(*), CAST(sum(money) AS decimal(38,2)),
            count(*) - count(money), min(day), max(day),
            list_sort(list(DISTINCT file) FILTER (file IS NOT NULL))
        FROM each GROUP BY ALL
        """,
        rows=table,
    )
    return [
        Held(table, name, reason, count, total, unread, first, last, files or [])
        for name, reason, count, total, unread, first, last, files in rows
    ]


def worth_rejected(deployment: Deployment) -> str:
    """DuckDB's SQL of the money of a row that silver kept out; null of another currency's."""
    own = " OR ".join(
        f"({of_raw('source')} = {sql_text(source.name)} "
        f"AND coalesce({of_raw('currency')}, {sql_text(source.currency)}) "
        f"= {sql_text(source.currency)})"
        for source in deployment.sources
    )
    return f"CASE WHEN {own or 'false'} THEN abs(try_cast({of_raw('amount')} AS DECIMAL(38,2))) END"


def _rejected_by_silver(tables: Tables, deployment: Deployment) -> list[Held]:
    return _by_reason(
        tables,
        REJECTED,
        of_raw("source"),
        worth_rejected(deployment),
        f"try_cast({of_raw(_DAY)} AS date)",
    )


def _rows_of_silver(
    tables: Tables, deployment: Deployment, condition: str, at_most: str
) -> list[HeldRow]:
    """Bronze rows of transactions that silver kept out, those of an order beside each other."""
    held_rows: list[HeldRow] = []
    for source in deployment.sources:
        rows = tables.ask(
            f"""
            SELECT DISTINCT {of_raw("order_id")} AS order_id, _row_hash, reasons FROM rows
            WHERE {of_raw("source")} = {sql_text(source.name)} AND {condition}
            AND _row_hash IS NOT NULL ORDER BY order_id, _row_hash {at_most}
            """,
            rows=REJECTED,
        )
        reasons = {row_hash: tuple(why) for _, row_hash, why in rows}
        table = source.transactions_table
        stated = _bronze_rows(tables, source, table, "_row_hash", reasons)
        held_rows += [
            replace(stated[row_hash], reasons=why)
            for row_hash, why in reasons.items()
            if row_hash in stated
        ]
    return held_rows


def _bronze_rows(
    tables: Tables, source: Source, table: str, by: str, identifiers: Collection[int]
) -> dict[int, HeldRow]:
    """Rows of a bronze table by what is ``wanted`` of ``by``: ``_row_hash`` or ``id``."""
    if not identifiers or not tables.exists(f"bronze/{table}"):
        return {}
    own = columns_of(tables, f"bronze/{table}")
    names = [name for name in source.contract(table).column_names if name in own]
    values = ", ".join(f'"{name}"' for name in names)
    rows = tables.ask(
        f"""
        SELECT DISTINCT ON ({by}) _row_hash, {_id(own)} AS id, _source_file, _delivered_on,
            _rescued, {_edited(own)}, {values} FROM rows
        WHERE {by} IN ({", ".join(map(str, identifiers))}) ORDER BY {by}, _delivered_on
        """,
        rows=f"bronze/{table}",
    )
    held_rows: dict[int, HeldRow] = {}
    for row_hash, id_, file, day, rescued, edited_by, edited_at, *texts in rows:
        held_rows[id_ if by == "id" else row_hash] = HeldRow(
            table=table,
            row=id_,
            reasons=(),
            file=file,
            delivered_on=day,
            values=dict(zip(names, texts, strict=True)),
            rescued=rescued,
            edited_by=edited_by,
            edited_at=edited_at,
        )
    return held_rows


def _held_row(table: str, row: tuple[Any, ...]) -> HeldRow:
    id_, reasons, file, day, raw, edited_by, edited_at = row
    line, values, rescued = raw, {}, None
    if MALFORMED not in reasons and (stated := _object(raw)) is not None:
        line, values, rescued = None, stated, stated.pop(RESCUED, None)
    return HeldRow(
        table=table,
        row=id_,
        reasons=tuple(reasons),
        file=file,
        delivered_on=day,
        values=values,
        rescued=rescued,
        line=line,
        edited_by=edited_by,
        edited_at=edited_at,
    )


def _object(raw: str) -> dict[str, str | None] | None:
    """The row that quarantine holds as JSON; None of a line that is left out, which is no JSON."""
    try:
        stated = json.loads(raw)
    except ValueError:
        return None
    return stated if isinstance(stated, dict) else None


def _sources(deployment: Deployment) -> dict[str, Source]:
    return {table: source for source in deployment.sources for table in source.tables}


def _id(own: Collection[str]) -> str:
    return "coalesce(_edited_row, _row_hash)" if "_edited_row" in own else "_row_hash"


def _edited(own: Collection[str]) -> str:
    if "_edited_by" in own:
        return "_edited_by, _edited_at"
    return "NULL AS _edited_by, NULL AS _edited_at"


def of_raw(name: str) -> str:
    """SQL of what a quarantined row says in a column; null of a line, which is no JSON."""
    path = "$." + json.dumps(name)
    return f"CASE WHEN json_valid(raw) THEN raw ->> {sql_text(path)} END"
