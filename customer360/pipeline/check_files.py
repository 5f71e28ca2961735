"""What files would come to by a mapping: nothing is written."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal

from pyspark.sql import DataFrame, Row, SparkSession
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.bronze.edits import IS_LEFT_OUT
from customer360.contracts import Contract
from customer360.contracts.checks import money_counts, set_aside_counts
from customer360.contracts.identifiers import IDENTIFIER, ROW
from customer360.contracts.reasons import MALFORMED, OTHER_CURRENCY
from customer360.limits import Limits
from customer360.models.notes import Note
from customer360.pipeline.bronze_accounts import left_out
from customer360.pipeline.conflicts import too_many
from customer360.pipeline.patterns import check_patterns
from customer360.pipeline.refusals import share_of
from customer360.pipeline.shown_columns import shown_columns
from customer360.silver import transactions
from customer360.sources.base import Source
from customer360.sources.files import FilesSource
from customer360.sources.readers import broken_while_read

# Keys and hashes are needed to count by, and go nowhere.
_SECRET = b"nothing is kept"
_LONGEST = 300
HIDDEN = "(hidden)"
"""What stands instead of a value that may be personal."""


@dataclass(frozen=True)
class Refused:
    """Rows that would be in quarantine for a reason, or left out of silver by it.

    Attributes:
        reason: As quarantine names it.
        rows: How many; a row with two reasons is in two of these.
        money: Of rows that were left out, where it is all of the mapping's currency.
        says: What the reason means, where its name alone does not say it.
        examples: Of rows in quarantine, with where they stand.
    """

    reason: str
    rows: int
    money: Decimal | None = None
    says: Note | None = None
    examples: Sequence[str] = ()


@dataclass(frozen=True)
class Checked:
    """What would come in.

    Attributes:
        rows: Rows in the files.
        refused: Of them, those that would be in quarantine.
        first: First business day of what counts.
        last: Last business day.
        orders: Different orders that were sold.
        refunds: Refunds; of lines, those of an order on a day are one.
        cancelled: Cancelled orders.
        customers: Different customers of what counts.
        anonymous: Orders that name no customer.
        sold: Money of the sales.
        given_back: Money of the refunds.
        currency: Of both.
        repeats: Rows that say what another says: they count once.
        corrections: Rows that a later one of the same order takes the place of.
        quarantined: Rows that break the contract, by reason.
        set_aside: Rows that come in without a value that breaks its rule, by reason.
        excluded: Rows that are no transactions, by reason.
        suspicions: What may be wrong although it can be read.
        stops: For what a run would stop; empty where it would not, or limits were not asked for.
    """

    rows: int
    refused: int
    first: date | None
    last: date | None
    orders: int
    refunds: int
    cancelled: int
    customers: int
    anonymous: int
    sold: Decimal
    given_back: Decimal
    currency: str
    repeats: int = 0
    corrections: int = 0
    quarantined: Sequence[Refused] = ()
    set_aside: Sequence[Refused] = ()
    excluded: Sequence[Refused] = ()
    suspicions: Sequence[str] = field(default_factory=tuple)
    stops: Sequence[str] = ()


def check_source(
    spark: SparkSession,
    source: Source,
    *,
    limits: Limits | None = None,
    personal: bool = False,
) -> Checked:
    """Read all of ``source`` as bronze and silver would, repeats once, and count.

    Args:
        spark: The session.
        source: Whose rows.
        limits: How much may be left out before a run stops; None: it is not said.
        personal: Whether examples may hold personal data: else they have the values of
            `shown_columns` alone, and of rows that cannot be split none.

    Raises:
        BrokenFileError: A file as a whole cannot be used.
        SettingsError: Spark does not take a regular expression of the mapping.
    """
    check_patterns(spark, source)
    days = source.available()
    table = source.transactions_table
    contract = source.contract(table)
    raw = source.read_raw(spark, table, days.first, days.last)
    # Read and typed once, whatever is then asked of the rows.
    received = ingest.received(
        raw, contract, ingested_at=datetime.now(UTC), run_id="check"
    ).persist()
    rows = transactions.prepared(
        source.staged_transactions({table: ingest.accepted(received, contract)}),
        source=source.name,
        secret=_SECRET,
        time_zone=source.time_zone,
        currency=source.currency,
    ).persist()
    settled = transactions.settled(
        rows.drop("_source_file"),
        lines=source.order_lines,
        standing=transactions.standing_rows(rows, transactions.moved_keys(rows)),
    ).persist()
    try:
        rejected = ingest.rejected(received, contract)
        shown = None if personal else shown_columns(source, table)
        checked = _counted(
            source,
            rows,
            settled,
            received=received.count(),
            refused=rejected.count(),
            quarantined=_quarantined(source, rejected, contract, shown),
            set_aside=_set_aside(received, contract),
        )
        if limits is None:
            return checked
        return replace(checked, stops=_stops(source, received, rows, settled, checked, limits))
    except Exception as error:
        broken = broken_while_read(error, source.name)
        if broken is None:
            raise
        raise broken from None
    finally:
        settled.unpersist()
        rows.unpersist()
        received.unpersist()


def _stops(
    source: Source,
    received: DataFrame,
    rows: DataFrame,
    settled: DataFrame,
    checked: Checked,
    limits: Limits,
) -> list[str]:
    """For what a run of these rows alone would stop."""
    contract = source.contract(source.transactions_table)
    money = money_counts(contract, ingest.WORTH, F.col(IS_LEFT_OUT))
    stated = received.agg(*money).collect()[0].asDict() if money else {}
    refused = left_out(stated, checked.refused, checked.rows)
    excluded = transactions.excluded_counts(source.exclusion_reasons, source.stated_exclusions)
    account = transactions.Accounting.of(
        *(
            frame.agg(*counts).collect()[0].asDict()
            for frame, counts in (
                (rows, (*transactions.received_counts(), *excluded)),
                (settled, transactions.settled_counts()),
            )
        )
    )
    reasons = []
    if refused.over(limits):
        reasons.append(f"{share_of(refused, limits, source.currency)} refused")
    if account.untold.over(limits):
        share = share_of(account.untold, limits, source.currency)
        reasons.append(f"{share} left out though nobody said so")
    if too_many(source, account, limits):
        reasons.append(f"{account.conflicts:,} of {account.rows_in:,} rows in conflict")
    return reasons


def _counted(
    source: Source,
    rows: DataFrame,
    settled: DataFrame,
    *,
    received: int,
    refused: int,
    quarantined: Sequence[Refused],
    set_aside: Sequence[Refused],
) -> Checked:
    """What the typed ``rows`` come to, beside what is known of those received and refused."""
    made = transactions.made_of(transactions.kept(settled), order_lines=source.order_lines)
    sale, refund = F.col("kind") == "sale", F.col("kind") == "refund"
    (total,) = made.agg(
        F.min("business_date").alias("first"),
        F.max("business_date").alias("last"),
        F.count_distinct(F.when(sale, F.col("order_id"))).alias("orders"),
        F.count_if(refund).alias("refunds"),
        F.count_if(F.col("kind") == "cancelled").alias("cancelled"),
        F.count_distinct(F.when(sale | refund, F.col("customer_key"))).alias("customers"),
        F.count_if(sale & F.col("customer_key").isNull()).alias("anonymous"),
        F.sum(F.when(sale, F.col("amount"))).alias("sold"),
        F.sum(F.when(refund, F.col("amount"))).alias("given_back"),
    ).collect()
    not_taken = rows.select("excluded_because", "amount").unionByName(
        transactions.conflicting(settled).select("excluded_because", "amount")
    )
    left_out = not_taken.where("excluded_because IS NOT NULL").groupBy("excluded_because")
    excluded = left_out.agg(F.count(F.lit(1)).alias("rows"), F.sum("amount").alias("money"))
    reasons = sorted(excluded.collect(), key=lambda row: -row.rows)
    outcomes = {
        row.outcome: row["count"]
        for row in settled.groupBy(F.col(transactions.OUTCOME).alias("outcome")).count().collect()
    }
    return Checked(
        rows=received,
        refused=refused,
        first=total.first,
        last=total.last,
        orders=total.orders,
        refunds=total.refunds,
        cancelled=total.cancelled,
        customers=total.customers,
        anonymous=total.anonymous,
        sold=total.sold or Decimal(0),
        given_back=total.given_back or Decimal(0),
        currency=source.currency,
        repeats=outcomes.get(transactions.DUPLICATE, 0),
        corrections=outcomes.get(transactions.CORRECTION, 0),
        quarantined=quarantined,
        set_aside=set_aside,
        excluded=[
            # Yen and euros have no sum.
            Refused(row.excluded_because, row.rows, None if _is_foreign(row) else row.money)
            for row in reasons
        ],
        suspicions=[*source.suspicions(), *_repeated_ids(rows, source)],
    )


def _is_foreign(left_out: Row) -> bool:
    return left_out.excluded_because == OTHER_CURRENCY


def _quarantined(
    source: Source, rejected: DataFrame, contract: Contract, shown: Collection[str] | None
) -> list[Refused]:
    """The refused rows by reason; ``shown`` are the columns to show, None: all there is."""
    row = F.struct("_source_file", "raw")
    by_reason = (
        rejected.select(F.explode("reasons").alias("reason"), row.alias("row"))
        .groupBy("reason")
        .agg(
            F.count(F.lit(1)).alias("rows"),
            F.min("row").alias("first"),
            F.max("row").alias("last"),
        )
    )
    reasons = sorted(by_reason.collect(), key=lambda row: (-row["rows"], row["reason"]))
    return [
        Refused(
            row["reason"],
            row["rows"],
            says=_said_of(row["reason"], contract),
            examples=list(
                dict.fromkeys(
                    _example(
                        row["reason"], _place(source, contract, row["reason"], each), each, shown
                    )
                    for each in (row["first"], row["last"])
                )
            ),
        )
        for row in reasons
    ]


def _place(source: Source, contract: Contract, reason: str, row: Row) -> str | None:
    """The file that a refused row stands in, with the line where it can be found again."""
    file = row["_source_file"]
    if not isinstance(source, FilesSource) or not file or reason == MALFORMED:
        return file
    values = json.loads(row["raw"])
    refused_for = reason.rpartition(":")[0]
    known_by = [c.name for c in contract.columns if c.properties.get(IDENTIFIER) == ROW]
    if source.order_lines:
        known_by = []  # an order's number stands on several lines
    for name in (refused_for, *known_by):
        value = (values.get(name) or "").strip()
        if value:
            return source.place_of(file, source.header_of(source.transactions_table, name), value)
    return file


def _example(reason: str, place: str | None, row: Row, shown: Collection[str] | None) -> str:
    """A refused row and where it stands, without what is not to be shown."""
    raw = row["raw"]
    if shown is None:
        text = raw[:_LONGEST]
    elif reason == MALFORMED:
        text = f"{HIDDEN}, {len(raw):,} characters"
    else:
        values = json.loads(raw).items()
        stated = {
            name: value if name in shown or value is None else HIDDEN for name, value in values
        }
        text = json.dumps(stated, ensure_ascii=False, separators=(",", ":"))[:_LONGEST]
    return f"{place}: {text}" if place else text


def _set_aside(received: DataFrame, contract: Contract) -> list[Refused]:
    counts = set_aside_counts(contract)
    if not counts:
        return []
    (counted,) = received.agg(*counts).collect()
    return [
        Refused(reason, int(rows), says=_said_of(reason, contract))
        for reason, rows in counted.asDict().items()
        if rows
    ]


_BY_RULE = {
    "required": Note("refused_missing"),
    "spreadsheet_number": Note("refused_spreadsheet_number"),
    "malformed": Note("refused_malformed"),
    "minimum": Note("refused_minimum"),
    "maximum": Note("refused_maximum"),
}
_BY_TYPE = {
    "number": Note("refused_number"),
    "integer": Note("refused_integer"),
    "boolean": Note("refused_boolean"),
}


def _said_of(reason: str, contract: Contract) -> Note | None:
    """What a reason such as ``total:type`` means, as far as it can be said shortly."""
    name, _, rule = reason.rpartition(":")
    if rule not in ("type", "format") or name not in contract.column_names:
        return _BY_RULE.get(rule)
    column = contract.column(name)
    if column.logical_type == "timestamp":
        return Note("refused_time", {"format": column.format})
    if column.logical_type == "date":
        return Note("refused_day", {"format": column.format})
    if column.format == "email":
        return Note("refused_email")
    return _BY_TYPE.get(column.logical_type, Note("refused_form"))


def _repeated_ids(rows: DataFrame, source: Source) -> list[str]:
    """Orders whose id stands on rows with other content: lines, or a key that is not whole."""
    if source.order_lines:
        return []
    content = F.xxhash64("customer_key", "occurred_at", "amount", "kind")
    # Where rows say when they changed, they are states of an order.
    sales = rows.where("excluded_because IS NULL AND kind = 'sale' AND changed_at IS NULL")
    repeated = (
        sales.groupBy("order_id")
        .agg(F.count_distinct(content).alias("contents"), F.count(F.lit(1)).alias("rows"))
        .where("contents > 1")
    )
    (total,) = repeated.agg(F.count(F.lit(1)), F.min("order_id"), F.sum("rows")).collect()
    if not total[0]:
        return []
    stand = "order id, {}, stands" if total[0] == 1 else "order ids, {} for one, stand"
    return [
        f"{source.name}: {total[0]} {stand.format(total[1])} on {total[2]} rows that differ: if "
        "rows are lines of orders write `grain: lines`; if another column tells the orders apart, "
        "write `order_id: [that column, this column]`"
    ]
