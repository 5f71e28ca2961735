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

from customer360.contracts import MONEY, Contract
from customer360.contracts.sql import sql_name
from customer360.days import DayRange
from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.workspace import Workspace
from customer360.pipeline.worth import reads_plainly, worth_in_bronze
from customer360.silver.money import LoadedMoney
from customer360.silver.transactions import Accounting
from customer360.sources.base import Source
from customer360.table_names import AS_OF, CUSTOMERS, HEALTH, HISTORY, TRANSACTIONS


@dataclass(frozen=True)
class TransactionsAudit:
    """Keys that occur twice and customers that are not known; both should be zero."""

    repeated_keys: int
    unknown_customers: int


def audit_transactions(work: Workspace, days: Sequence[date]) -> TransactionsAudit:
    """Check silver/transactions of ``days`` against itself and against silver/customers."""
    # A key's hash is a twentieth of the key; two different keys with one hash on one day would be
    # reported as a repeat, once in some 10^8 rows a day.
    ((repeated, unknown),) = work.tables.ask(
        f"""
        WITH made AS (SELECT * FROM transactions WHERE {days_predicate("business_date", days)}),
        keys AS (
            SELECT count(*) AS alike FROM made
            GROUP BY business_date, hash(source, order_id, kind, entry)
        ),
        named AS (SELECT DISTINCT customer_key FROM made WHERE customer_key IS NOT NULL)
        SELECT
            (SELECT count(*) FROM keys WHERE alike > 1),
            (SELECT count(*) FROM named ANTI JOIN customers USING (customer_key))
        """,
        transactions=TRANSACTIONS,
        customers=CUSTOMERS,
    )
    return TransactionsAudit(repeated, unknown)


def rows_astray(
    work: Workspace, days: Collection[date], accounting: Mapping[str, Accounting]
) -> list[str]:
    """Sources of which a load of silver/transactions counted other rows than the tables hold.

    Bronze is counted by its rows' own dates, so it tells only where these are business dates and
    a row becomes one transaction; silver where a transaction is made of one row.
    """
    astray = []
    made = dict(
        work.tables.ask(
            f"SELECT source, count(*) FROM made WHERE {days_predicate('business_date', days)} "
            "GROUP BY ALL",
            made=TRANSACTIONS,
        )
    )
    for source in work.deployment.sources:
        account, name = accounting[source.name], source.name
        if not source.order_lines and made.get(name, 0) != account.kept:
            astray.append(
                f"{name}: {account.kept:,} rows were kept, {made.get(name, 0):,} are in "
                f"{TRANSACTIONS}"
            )
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
        there = Decimal(made.get(name) or 0)
        if there != account.kept:
            astray.append(
                f"{name}: {account.kept:,} {unit} were kept, {there:,} are in {TRANSACTIONS}"
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
class CustomersAudit:
    """Rows of silver/customers, and keys that occur twice, which should be none."""

    rows: int
    repeated_keys: int


def audit_customers(work: Workspace) -> CustomersAudit:
    """Count customers and repeated keys."""
    ((rows, repeated),) = work.tables.ask(
        """
        WITH keys AS (SELECT count(*) AS alike FROM customers GROUP BY customer_key)
        SELECT coalesce(sum(alike), 0)::BIGINT, count(*) FILTER (alike > 1) FROM keys
        """,
        customers=CUSTOMERS,
    )
    return CustomersAudit(rows, repeated)


@dataclass(frozen=True)
class HistoryAudit:
    """Versions, customers, and customers with exactly one current version: should be all."""

    versions: int
    customers: int
    current: int


def audit_history(work: Workspace) -> HistoryAudit:
    """Count versions, and customers with exactly one current version."""
    ((versions, customers, current),) = work.tables.ask(
        """
        WITH each AS (
            SELECT count(*) AS versions, count(*) FILTER (is_current) AS current
            FROM history GROUP BY customer_key
        )
        SELECT coalesce(sum(versions), 0)::BIGINT, count(*), count(*) FILTER (current = 1)
        FROM each
        """,
        history=HISTORY,
    )
    return HistoryAudit(versions, customers, current)


@dataclass(frozen=True)
class SnapshotsAudit:
    """Rows by as-of date, and primary keys that occur twice, which should be none."""

    rows: Mapping[date, int]
    repeated_keys: int


def audit_snapshots(work: Workspace, contract: Contract, as_of: Sequence[date]) -> SnapshotsAudit:
    """Count rows and repeated primary keys of a gold table's snapshots."""
    found = work.tables.ask(
        f"""
        WITH keys AS (
            SELECT {AS_OF}, count(*) AS alike FROM snapshots
            WHERE {days_predicate(AS_OF, as_of)} GROUP BY {", ".join(contract.primary_key)}
        )
        SELECT {AS_OF}, sum(alike)::BIGINT, count(*) FILTER (alike > 1)
        FROM keys GROUP BY {AS_OF}
        """,
        snapshots=contract.table,
    )
    counts = dict.fromkeys(as_of, 0) | {day: rows for day, rows, _ in found}
    return SnapshotsAudit(counts, sum(repeated for _, _, repeated in found))


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
