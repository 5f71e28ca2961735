"""Independent counts over tables just written: what the asset checks report.

Spark wrote the rows; DuckDB reads the files back. An error of the one is not repeated by the other,
and a count takes a tenth of the time that a Spark query does. DuckDB holds 1 GB at most and puts
what is more into temporary files.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from customer360.contracts import MONEY, Column, Contract
from customer360.contracts.sql import sql_name, sql_text
from customer360.days import DayRange
from customer360.errors import listed
from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.workspace import Workspace
from customer360.pipeline.worth import reads_plainly, worth_in_bronze
from customer360.silver.money import LoadedMoney
from customer360.silver.personal_text import MASKED, MASKED_ID
from customer360.silver.transactions import Accounting
from customer360.sources.base import Source
from customer360.table_names import AS_OF, HEALTH, HISTORY, ORDER_LINES, TRANSACTIONS


@dataclass(frozen=True)
class Breach:
    """A rule of a contract that takes other rows to see.

    Attributes:
        count: Keys, or values, that break it; should be none.
        description: Table, rule, count and one of them, in a line; None where there are none.
    """

    count: int
    description: str | None


@dataclass(frozen=True)
class KeysAudit:
    """Whether keys stand once, and what refers to another table is there.

    Attributes:
        repeated: Keys that stand on more than one row.
        unknown: By column, values that the table it refers to has not.
    """

    repeated: Breach
    unknown: Mapping[str, Breach]


def audit_keys(work: Workspace, contract: Contract, where: str = "true") -> KeysAudit:
    """Hold the rows of a table against its contract's key and references.

    Args:
        work: Where the tables are.
        contract: The table's; it has a key.
        where: SQL of the rows to look at: those that were just written.
    """
    names = ", ".join(map(sql_name, contract.primary_key))
    # Texts of a hundred million keys do not fit into what DuckDB may hold; their hashes do.
    suspect = (
        f"SELECT hash({names}) AS hashed FROM made WHERE {where} "
        "GROUP BY hashed HAVING count(*) > 1"
    )
    ((repeated,),) = work.tables.ask(f"SELECT count(*) FROM ({suspect})", made=contract.table)
    description = None
    if repeated:
        # Two different keys may have one hash: told by the keys themselves.
        of_key = (
            f"SELECT {names} FROM made WHERE {where} AND hash({names}) IN "
            f"(SELECT hashed FROM ({suspect})) GROUP BY ALL HAVING count(*) > 1"
        )
        ((repeated,),) = work.tables.ask(f"SELECT count(*) FROM ({of_key})", made=contract.table)
    if repeated:
        example = work.tables.ask(f"{of_key} ORDER BY ALL LIMIT 1", made=contract.table)
        description = _sentence(
            contract, f"{repeated:,} keys on several rows", contract.primary_key, example
        )
    return KeysAudit(
        Breach(repeated, description),
        {
            column.name: _unknown(work, contract, column, where)
            for column in contract.columns
            if column.referred is not None
        },
    )


def _unknown(work: Workspace, contract: Contract, column: Column, where: str) -> Breach:
    assert column.referred is not None
    table, target = column.referred
    name = sql_name(column.name)
    unknown = f"""
        SELECT DISTINCT {name}
        FROM (SELECT {name} FROM made WHERE {name} IS NOT NULL AND {where}) AS named
        ANTI JOIN other ON named.{name} = other.{sql_name(target)}
        """
    tables = {"made": contract.table, "other": table}
    ((count,),) = work.tables.ask(f"SELECT count(*) FROM ({unknown})", **tables)
    description = None
    if count:
        example = work.tables.ask(f"{unknown} ORDER BY ALL LIMIT 1", **tables)
        description = _sentence(
            contract, f"{count:,} values not in {table}", (column.name,), example
        )
    return Breach(count, description)


def _sentence(
    contract: Contract, what: str, names: Sequence[str], rows: Sequence[Sequence[object]]
) -> str:
    """One line of what is wrong, with the key or value in ``rows``, where it names no person."""
    (values,) = rows
    shown = ", ".join(
        f"{name} {value}"
        for name, value in zip(names, values, strict=True)
        if contract.column(name).classification is None
    )
    example = f", e.g. {shown}" if shown else ""
    return (
        f"{contract.table} breaks its contract: {what}{example}; nothing is made of it: "
        "correct what makes the table, and run again"
    )


def rows_astray(
    work: Workspace, days: Collection[date], accounting: Mapping[str, Accounting]
) -> list[str]:
    """Sources of which a load of silver/transactions counted other rows than the tables hold.

    Bronze is counted by its rows' own dates, so it tells only where these are business dates and
    a row becomes one transaction.
    """
    astray = []
    made: dict[str, dict[str, int]] = {}
    for source in work.deployment.sources:
        account, name = accounting[source.name], source.name
        table = ORDER_LINES if source.order_lines else TRANSACTIONS
        if table not in made:
            made[table] = dict(
                work.tables.ask(
                    f"SELECT source, count(*) FROM made "
                    f"WHERE {days_predicate('business_date', days)} GROUP BY ALL",
                    made=table,
                )
            )
        there = made[table].get(name, 0)
        if there != account.kept:
            astray.append(f"{name}: {account.kept:,} rows were kept, {there:,} are in {table}")
        if source.splits_rows or source.event_zones != {work.deployment.zone_of(source)}:
            continue
        ((accepted,),) = work.tables.ask(
            f"SELECT count(*) FROM rows WHERE {days_predicate('_event_date', days)}",
            rows=f"bronze/{source.transactions_table}",
        )
        if accepted != account.rows_in:
            astray.append(
                f"{name}: bronze/{source.transactions_table} has {accepted:,} rows of these days, "
                f"{account.rows_in:,} came to {TRANSACTIONS}"
            )
    return astray


def lines_astray(work: Workspace, days: Collection[date]) -> Breach:
    """Orders of silver/transactions on ``days`` whose money is not that of their lines.

    And lines whose order is not there. Of a source whose rows are lines every order has some.
    """
    whole = [source.name for source in work.deployment.sources if source.order_lines]
    of_lines = ", ".join(map(sql_text, whole)) or "NULL"
    within = days_predicate("business_date", days)

    def differing(key: str) -> str:
        return f"""
            WITH added AS (
                SELECT source, {key} AS key, kind, business_date, sum(amount) AS amount
                FROM lines WHERE {within} GROUP BY ALL
            ),
            stated AS (
                SELECT source, {key} AS key, kind, business_date, sum(amount) AS amount
                FROM orders WHERE {within} GROUP BY ALL
            )
            SELECT source, key, kind, business_date, stated.amount, added.amount
            FROM stated FULL JOIN added USING (source, key, kind, business_date)
            WHERE stated.amount IS DISTINCT FROM added.amount
            AND (added.amount IS NOT NULL OR source IN ({of_lines}))
            """

    tables = {"lines": ORDER_LINES, "orders": TRANSACTIONS}
    # Orders are told apart by 128 bits of a digest, which take less room than their ids.
    ((count,),) = work.tables.ask(
        f"SELECT count(*) FROM ({differing('md5_number(order_id)')})", **tables
    )
    if not count:
        return Breach(0, None)
    ((source, _, kind, day, of_order, of_its_lines),) = work.tables.ask(
        f"{differing('order_id')} ORDER BY ALL LIMIT 1", **tables
    )
    return Breach(
        count,
        f"{count:,} orders of {TRANSACTIONS} are not what their lines in {ORDER_LINES} add up to, "
        f"e.g. a {kind} of {source} on {day}: {'none' if of_order is None else of_order} and "
        f"{'none' if of_its_lines is None else of_its_lines}; nothing is made of them. "
        f"`{work.deployment.settings.command(f'run --from {day} --to {day}')}` makes both again, "
        "which helps where something else wrote to them; if they differ still, "
        f"`{work.deployment.settings.command(f'show {ORDER_LINES}')}` shows the lines",
    )


def money_astray(
    work: Workspace, days: Collection[date], money: Mapping[str, LoadedMoney]
) -> list[str]:
    """Sources of which a load of silver/transactions counted other money than the tables hold.

    What was kept is held against the table; what came against the texts in bronze, where these
    tell it as they stand and the rows' own dates are business dates.
    """
    astray = []
    made = dict(
        work.tables.ask(
            f"SELECT source, sum(amount) FROM made WHERE {days_predicate('business_date', days)} "
            "GROUP BY ALL",
            made=TRANSACTIONS,
        )
    )
    for source in work.deployment.sources:
        account, name, unit = money[source.name], source.name, source.currency
        if account.missing:
            astray.append(f"{name}: {account.missing:,} {unit} of what came went nowhere")
        stored = Decimal(made.get(name) or 0)
        if stored != account.kept:
            astray.append(
                f"{name}: {account.kept:,} {unit} were kept, {stored:,} are in {TRANSACTIONS}"
            )
        if not reads_plainly(source) or source.event_zones != {work.deployment.zone_of(source)}:
            continue
        table = source.transactions_table
        ((stated, exact),) = work.tables.ask(
            f"""
            SELECT sum({worth_in_bronze(source, table)}), bool_and({_exact(source)})
            FROM rows WHERE {days_predicate("_event_date", days)}
            """,
            rows=f"bronze/{table}",
        )
        if exact and Decimal(stated or 0) != account.stated:
            astray.append(
                f"{name}: bronze/{table} states {stated:,} {unit} on these days, "
                f"{account.stated:,} came to {TRANSACTIONS}"
            )
    return astray


def _exact(source: Source) -> str:
    """SQL of whether a row's amounts have so few digits that nothing hangs on how one rounds."""
    contract = source.contract(source.transactions_table)
    names = [name for term in contract.properties.get(MONEY) or () for name in term]
    texts = " OR ".join(
        f"coalesce(regexp_matches({sql_name(name)}, '[.,][0-9]{{7}}|[0-9][eE]'), false)"
        for name in names
    )
    return f"NOT ({texts or 'false'})"


@dataclass(frozen=True)
class HistoryAudit:
    """Versions, customers, and customers with exactly one current version: should be all."""

    versions: int
    customers: int
    current: int


def audit_history(work: Workspace) -> HistoryAudit:
    """Count versions, and customers with exactly one current version."""
    # Customers are told apart by 128 bits of a digest, which take less room than their keys.
    ((versions, customers, current),) = work.tables.ask(
        """
        WITH each AS (
            SELECT count(*) AS versions, count(*) FILTER (is_current) AS current
            FROM history GROUP BY md5_number(customer_key)
        )
        SELECT coalesce(sum(versions), 0)::BIGINT, count(*), count(*) FILTER (current = 1)
        FROM each
        """,
        history=HISTORY,
    )
    return HistoryAudit(versions, customers, current)


def masked_cells(work: Workspace, table: str, days: Collection[date] | None = None) -> Breach:
    """Cells of a silver table in which a person could be read, and that are masked.

    Args:
        work: Where the tables are.
        table: The table.
        days: Its business dates to look at; None: all rows.
    """
    contract = Contract.load(table)
    masked = {
        name: f"{sql_name(name)} = {sql_text(MASKED)}" for name in contract.quasi_identifiers
    } | {name: f"starts_with({sql_name(name)}, {sql_text(MASKED_ID)})" for name in _ids(contract)}
    ((*counts,),) = work.tables.ask(
        f"SELECT {', '.join(f'count(*) FILTER ({fits})' for fits in masked.values())} FROM made "
        f"WHERE {'true' if days is None else days_predicate('business_date', days)}",
        made=table,
    )
    found = {name: count for name, count in zip(masked, counts, strict=True) if count}
    if not found:
        return Breach(0, None)
    cells = listed([f"{name} {count:,}" for name, count in found.items()])
    return Breach(
        sum(found.values()),
        f"texts of {table} named a person and are masked: {cells}. The rows count; ask the source "
        "to keep e-mails, telephones and numbers of persons out of these columns",
    )


def _ids(contract: Contract) -> list[str]:
    return [
        column.name
        for column in contract.columns
        if column.name in contract.row_identifiers or column.name in ("product_id", "line_key")
    ]


def rows_by_date(work: Workspace, table: str, as_of: Sequence[date]) -> dict[date, int]:
    """Rows of each of a gold table's snapshots of ``as_of``."""
    of_dates = days_predicate(AS_OF, as_of)
    counts = work.tables.ask(
        f"SELECT {AS_OF}, count(*) FROM snapshots WHERE {of_dates} GROUP BY ALL", snapshots=table
    )
    return dict.fromkeys(as_of, 0) | dict(counts)


def revenue_of(work: Workspace, days: DayRange) -> tuple[Decimal, Decimal]:
    """Net revenue of ``days``: as gold/business_health states it, and from silver/transactions."""
    within = days_predicate("business_date", list(days))
    ((stated, counted),) = work.tables.ask(
        f"""
        SELECT
            (SELECT sum(net_revenue) FROM health WHERE {within}),
            (SELECT sum(CASE kind WHEN 'sale' THEN amount WHEN 'refund' THEN -amount ELSE 0 END)
             FROM transactions WHERE {within})
        """,
        health=HEALTH,
        transactions=TRANSACTIONS,
    )
    return Decimal(stated or 0), Decimal(counted or 0)
