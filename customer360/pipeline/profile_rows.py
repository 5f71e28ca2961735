"""Which customers a load is about, and all the rows that speak of them.

A profile is merged from everything that was ever said of a customer, so whoever a delivery names,
or named before it was delivered again without them, is made anew from all of bronze: the rows of
others are only read past. So it does not matter in which order days are loaded, nor how often.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from functools import reduce

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.lakehouse.tables import days_predicate
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.definitions import defined_anew
from customer360.pipeline.few_rows import are_few, few_on, sent_if
from customer360.pipeline.workspace import (
    Workspace,
    changed_days,
    consumed_bronze,
    past_expiries,
)
from customer360.silver import customers as silver_customers
from customer360.silver import text
from customer360.silver.keys import customer_key
from customer360.sources.base import Source

_OWN = "source_customer_id"


@dataclass(frozen=True)
class ProfileRows:
    """What a load of profiles works on.

    Attributes:
        rows: All profile rows of the customers concerned, as ``customers.prepared`` gives them.
        concerned: Their ``customer_key``, each once, of those without a row left too; None where
            it is everybody, so that nothing else stays.
    """

    rows: DataFrame
    concerned: DataFrame | None


def profile_rows(
    work: Workspace, days: DayRange, made_from: str, versions: dict[str, int]
) -> ProfileRows:
    """The profile rows of everybody whom the deliveries of ``days`` name, or named before.

    Args:
        work: Where.
        days: Delivery days; extracts come whole.
        made_from: The silver table that is brought up to them.
        versions: What bronze tables are at.
    """
    seen, anew = None, set[str]()
    # Of a table without a column that its contract has now, nobody's row can stay.
    if work.lakehouse.exists(made_from) and _has_all_columns(work, made_from):
        seen, anew = consumed_bronze(work.lakehouse, made_from), defined_anew(work, made_from)
    parts = [
        # Where rows mean something else than they did, everybody's profile may.
        _of_source(work, source, days, None if source.name in anew else seen, versions)
        for source in work.deployment.sources
    ]
    rows = reduce(DataFrame.unionByName, (part.rows for part in parts))
    if all(part.concerned is None for part in parts):
        return ProfileRows(rows, None)
    keys = [
        part.rows.select("customer_key") if part.concerned is None else part.concerned
        for part in parts
    ]
    return ProfileRows(rows, reduce(DataFrame.unionByName, keys).distinct())


def _has_all_columns(work: Workspace, table: str) -> bool:
    return set(work.lakehouse.read(table).columns) == set(Contract.load(table).column_names)


def _of_source(
    work: Workspace,
    source: Source,
    days: DayRange,
    seen: dict[str, int] | None,
    versions: dict[str, int],
) -> ProfileRows:
    whole = {table: work.lakehouse.read(f"bronze/{table}") for table in source.tables}
    staged = source.staged_customers(whole)
    concerned = None if seen is None else _concerned(work, source, days, seen, versions)
    if concerned is None:
        return ProfileRows(_prepared(work, source, staged), None)
    own = text.identifier(F.col(_OWN))
    ids, few = concerned
    named = staged.join(sent_if(few, ids), own == ids["concerned"], "left_semi")
    key = customer_key(source.name, F.col("concerned"), work.deployment.secret)
    return ProfileRows(_prepared(work, source, named), ids.select(key.alias("customer_key")))


def _prepared(work: Workspace, source: Source, staged: DataFrame) -> DataFrame:
    return silver_customers.prepared(staged, source=source.name, secret=work.deployment.secret)


def _concerned(
    work: Workspace,
    source: Source,
    days: DayRange,
    seen: dict[str, int],
    versions: dict[str, int],
) -> tuple[DataFrame, bool] | None:
    """Ids (``concerned``) that the source's deliveries name or named, and whether they are few.

    None where it is all.
    """
    lakehouse = work.lakehouse
    daily = [table for table in source.tables if source.delivery(table) == "daily"]
    if len(daily) < len(source.tables):
        return None  # extracts come whole
    now = {table: lakehouse.read(f"bronze/{table}") for table in daily}
    before, came_again, few = dict(now), False, True
    for table in daily:
        name = f"bronze/{table}"
        since = seen.get(name)
        if since is None or since > versions[name]:
            return None
        since = past_expiries(lakehouse, name, since)
        replaced = changed_days(lakehouse, name, since, versions[name])
        delivered = replaced | set(days)
        now[table] = now[table].where(days_predicate(DELIVERY_DAY, delivered))
        rows_before = _rows_before(work, name, since, replaced)
        if rows_before is None:
            return None
        came_again |= rows_before > 0
        if not (source.has_customers and table == source.transactions_table):
            few &= are_few(rows_before) and few_on(work, name, DELIVERY_DAY, delivered)
        earlier = lakehouse.read(name, version=since)
        before[table] = earlier.where(days_predicate(DELIVERY_DAY, replaced))
    named = source.staged_customers(now).select(_OWN)
    if came_again:
        named = named.unionByName(source.staged_customers(before).select(_OWN))
    ids = named.select(text.identifier(F.col(_OWN)).alias("concerned"))
    return ids.where("concerned IS NOT NULL").distinct(), few


def _rows_before(work: Workspace, table: str, version: int, days: set[date]) -> int | None:
    """Rows that ``table`` had of deliveries ``days``; None where that version is not kept."""
    if not days:
        return 0
    if not work.tables.keeps(table, version):
        return None
    query = f"""
        SELECT count(_row_hash) FROM earlier
        WHERE {DELIVERY_DAY} BETWEEN DATE '{min(days)}' AND DATE '{max(days)}'
    """
    ((rows,),) = work.tables.ask(query, {"earlier": version}, earlier=table)
    return int(rows)
