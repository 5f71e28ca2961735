"""silver/transactions: one row for each order and kind, whatever was delivered how often.

The steps, each a pure function, in the order they are applied::

    prepared -> known (if the source has a customer master) -> deduplicated
             -> orders, or orders_from_lines

``rejected`` makes quarantine rows of what ``known`` (or ``prepared``) excluded.

One shuffle serves them all: ``deduplicated`` brings a business date's rows together, which also
groups the lines of an order and gives the writer one file a day. Row counts are taken on the way
(``received_counts``, ``excluded_counts``, ``deduplicated_counts``) and put together by
``Accounting``: rows in = kept + duplicates + excluded.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql import Column, DataFrame, Observation, Window
from pyspark.sql import functions as F

from customer360.silver import text
from customer360.silver.keys import customer_key

COLUMNS = (
    "source",
    "order_id",
    "customer_key",
    "kind",
    "occurred_at",
    "business_date",
    "amount",
    "currency",
    "items",
    "channel",
    "payment_type",
    "installments",
    "freight",
    "category",
    "related_order_id",
    "delivered_on",
    "review_score",
    "reviewed_on",
)
KEY = ("business_date", "source", "order_id", "kind")
KINDS = ("sale", "refund", "cancelled")

# business_date first: the window then leaves rows in the order the partitioned writer wants them.
# order_id next: it tells rows apart soonest. line_key last: orders are a prefix of their lines.
_LINE = ("business_date", "order_id", "source", "kind", "line_key")
_ORDER = _LINE[:-1]

TOGETHER = "_together"
"""What the rows of one file have in common; beside the columns until they are selected."""

UNKNOWN_CUSTOMER = "unknown_customer"
REASONS = (
    "order_id_missing",
    "occurred_at_missing",
    "unknown_kind",
    "amount_missing",
    "amount_negative",
    "other_currency",
    UNKNOWN_CUSTOMER,
)
"""Why silver itself excludes a row; a source may add its own (``excluded_because``)."""


def prepared(
    staged: DataFrame,
    *,
    source: str,
    secret: bytes,
    time_zone: str,
    currency: str | None = None,
) -> DataFrame:
    """Typed, normalised rows with their customer key and business date.

    Args:
        staged: Staged transactions of one source (see ``sources.base``).
        source: Its name.
        secret: Secret of the customer keys.
        time_zone: IANA zone of the business: decides the business date.
        currency: The one currency amounts may be in; rows of another are excluded, rows that
            name none are taken to be in it. None accepts any.

    Returns:
        The silver columns plus ``line_key``, ``excluded_because`` (null for a good row),
        ``_delivered_on``, ``_row_hash`` and ``_source_file``. No row is dropped. A row without
        an event time is excluded under its delivery date. The session's time zone must be UTC.
    """
    own_file = F.col("_source_file") if "_source_file" in staged.columns else F.lit(None)
    takes_off = F.col("takes_off") if "takes_off" in staged.columns else F.lit(False)
    local = (
        F.col("occurred_at")
        if time_zone == "UTC"
        else F.from_utc_timestamp(F.col("occurred_at"), time_zone)
    )
    rows = staged.select(
        F.lit(source).alias("source"),
        text.identifier(F.col("order_id")).alias("order_id"),
        F.coalesce(F.col("line_key").cast("string"), F.lit("")).alias("line_key"),
        customer_key(source, text.identifier(F.col("source_customer_id")), secret).alias(
            "customer_key"
        ),
        F.lower(F.trim("kind")).alias("kind"),
        F.col("occurred_at").cast("timestamp").alias("occurred_at"),
        F.coalesce(F.to_date(local), F.col("_delivered_on")).alias("business_date"),
        F.col("amount").cast("decimal(18,2)").alias("amount"),
        F.coalesce(
            F.nullif(F.upper(F.trim("currency")), F.lit("")), F.lit(currency).cast("string")
        ).alias("currency"),
        F.col("items").cast("int").alias("items"),
        F.lower(text.tidy(F.col("channel"))).alias("channel"),
        F.lower(text.tidy(F.col("payment_type"))).alias("payment_type"),
        F.col("installments").cast("int").alias("installments"),
        F.col("freight").cast("decimal(18,2)").alias("freight"),
        text.tidy(F.col("category")).alias("category"),
        text.identifier(F.col("related_order_id")).alias("related_order_id"),
        F.col("delivered_on").cast("date").alias("delivered_on"),
        F.col("review_score").cast("int").alias("review_score"),
        F.col("reviewed_on").cast("date").alias("reviewed_on"),
        F.col("excluded_because").cast("string").alias("excluded_because"),
        F.col("_delivered_on").cast("date").alias("_delivered_on"),
        F.col("_row_hash").cast("long").alias("_row_hash"),
        own_file.cast("string").alias("_source_file"),
        F.coalesce(takes_off.cast("boolean"), F.lit(False)).alias("_takes_off"),
    )
    foreign = F.lit(False) if currency is None else F.col("currency") != currency
    why = (
        F.when(F.col("excluded_because").isNotNull(), F.col("excluded_because"))
        .when(F.col("order_id").isNull(), "order_id_missing")
        .when(F.col("occurred_at").isNull(), "occurred_at_missing")
        .when(~F.coalesce(F.col("kind").isin(*KINDS), F.lit(False)), "unknown_kind")
        .when(F.col("amount").isNull(), "amount_missing")
        .when((F.col("amount") < 0) & ~F.col("_takes_off"), "amount_negative")
        .when(foreign, "other_currency")
    )
    return rows.withColumn("excluded_because", why).drop("_takes_off")


def known(rows: DataFrame, customer_keys: DataFrame) -> DataFrame:
    """Exclude the rows of customers that the source's master does not hold.

    Anonymous rows (no customer) stay. A row that is already excluded keeps its first reason.

    Args:
        rows: As ``prepared`` gives them.
        customer_keys: Column ``customer_key``, each key once (``silver/customers``). Wrap it in
            ``broadcast`` when it fits the memory of a task, which spares a shuffle of ``rows``.
    """
    keys = customer_keys.select(
        F.col("customer_key").alias("_known_key"),
    )
    joined = rows.join(keys, F.col("customer_key") == F.col("_known_key"), "left")
    unknown = F.col("customer_key").isNotNull() & F.col("_known_key").isNull()
    return joined.withColumn(
        "excluded_because",
        F.coalesce(F.col("excluded_because"), F.when(unknown, UNKNOWN_CUSTOMER)),
    ).drop("_known_key")


def deduplicated(
    rows: DataFrame,
    *,
    together: Column | None = None,
    partitions: int | None = None,
    observation: Observation | None = None,
) -> DataFrame:
    """The good rows, each line of an order once: the one delivered last wins.

    A line is (source, order_id, line_key, kind, business_date). Of two deliveries on the same day
    the greater ``_row_hash`` wins: arbitrary, but the same every time.

    Args:
        rows: As ``prepared`` or ``known`` gives them; excluded rows are left out here.
        together: What the rows of one file have in common, a function of ``business_date``; the
            date itself when not given. Kept as `TOGETHER`, which later groupings share.
        partitions: Tasks to spread the files over; None leaves it to the session.
        observation: Filled with ``deduplicated_counts`` when the result is written.
    """
    good = rows.where(F.col("excluded_because").isNull()).drop("excluded_because", "_source_file")
    named = good.withColumn(TOGETHER, F.col("business_date") if together is None else together)
    by_file = (
        named.repartition(TOGETHER)
        if partitions is None
        else named.repartition(partitions, TOGETHER)
    )
    newest_first = Window.partitionBy(TOGETHER, *_LINE).orderBy(
        F.desc_nulls_last("_delivered_on"), F.desc_nulls_last("_row_hash")
    )
    ranked = by_file.withColumn("_rank", F.row_number().over(newest_first))
    if observation is not None:
        ranked = ranked.observe(observation, *deduplicated_counts())
    return ranked.where("_rank = 1").drop("_rank")


def made_of(rows: DataFrame, *, order_lines: bool) -> DataFrame:
    """``silver/transactions`` of `deduplicated` rows, which are order lines or orders already."""
    return orders_from_lines(rows) if order_lines else orders(rows)


def orders(rows: DataFrame) -> DataFrame:
    """``silver/transactions`` of a source whose rows are orders already."""
    return rows.select(*COLUMNS)


def orders_from_lines(rows: DataFrame) -> DataFrame:
    """``silver/transactions`` of a source whose rows are order lines.

    The lines of an order (source, order_id, kind, business_date) become one row: amounts, freight
    and items summed, the first ``occurred_at``, the last ``delivered_on``, the category of the
    largest line, the most ``installments``, and for everything else the first value there is,
    lines taken by time and line key; ``reviewed_on`` is of the review whose score is taken.
    Sale and refund lines of one order stay apart, because their kinds differ.

    Args:
        rows: As ``deduplicated`` gives them.
    """
    first = F.struct("occurred_at", "line_key")

    def first_there_is(column: str, known: str | None = None) -> Column:
        is_known = F.col(known or column).isNotNull()
        return F.min_by(column, F.when(is_known, first)).alias(column)

    category = F.col("category")
    largest = F.max_by(category, F.when(category.isNotNull(), F.struct("amount", "line_key")))
    whole = rows.groupBy(TOGETHER, *_ORDER).agg(
        first_there_is("customer_key"),
        F.min("occurred_at").alias("occurred_at"),
        F.sum("amount").cast("decimal(18,2)").alias("amount"),
        first_there_is("currency"),
        F.sum("items").cast("int").alias("items"),
        first_there_is("channel"),
        first_there_is("payment_type"),
        F.max("installments").alias("installments"),
        F.sum("freight").cast("decimal(18,2)").alias("freight"),
        largest.alias("category"),
        first_there_is("related_order_id"),
        F.max("delivered_on").alias("delivered_on"),
        first_there_is("review_score"),
        first_there_is("reviewed_on", known="review_score"),
    )
    return whole.select(*COLUMNS)


def rejected(rows: DataFrame, *, ingested_at: datetime, run_id: str) -> DataFrame:
    """Rows for ``quarantine/transactions``: what was excluded, and why.

    Args:
        rows: As ``prepared`` or ``known`` gives them.
        ingested_at: When the run learnt of them.
        run_id: The run that excluded them.

    Returns:
        ``business_date``, ``reasons``, ``raw`` (JSON of the prepared row: the customer's key, not
        the source's own id), ``_source_file``, ``_ingested_at``, ``_row_hash``, ``run_id``.
    """
    raw = F.to_json(F.struct(*COLUMNS, "line_key", "_delivered_on"))
    return rows.where(F.col("excluded_because").isNotNull()).select(
        "business_date",
        F.array("excluded_because").alias("reasons"),
        raw.alias("raw"),
        "_source_file",
        F.lit(ingested_at).cast("timestamp").alias("_ingested_at"),
        "_row_hash",
        F.lit(run_id).alias("run_id"),
    )


RECOVERABLE_DAYS = f"""
    SELECT DISTINCT business_date FROM quarantine
    WHERE list_contains(reasons, '{UNKNOWN_CUSTOMER}')
    AND (raw ->> '$.customer_key') IN (SELECT customer_key FROM customers)
"""
"""Business dates with rows excluded for a customer that has become known since, as DuckDB's SQL.

A customer's profile may be delivered after the first order. Making these days again brings
day-by-day runs to the same tables as one run over everything. ``quarantine`` is
``quarantine/transactions``, ``customers`` is ``silver/customers``; one column, ``business_date``.
"""


def received_counts() -> tuple[Column, ...]:
    """To ``observe`` on ``prepared`` rows of the days being made: ``rows_in``."""
    return (F.count(F.lit(1)).alias("rows_in"),)


def excluded_counts(reasons: Sequence[str] = ()) -> tuple[Column, ...]:
    """To ``observe`` on rows whose exclusion is settled: ``excluded``, ``excluded:<reason>``.

    Args:
        reasons: Reasons the source gives, beside silver's own ``REASONS``. Reasons named in
            neither are counted as ``excluded:other``.
    """
    why = F.col("excluded_because")
    named = tuple(dict.fromkeys((*REASONS, *reasons)))
    return (
        F.count(why).alias("excluded"),
        *(F.count_if(why == reason).alias(f"excluded:{reason}") for reason in named),
        F.count_if(why.isNotNull() & ~why.isin(*named)).alias("excluded:other"),
    )


def deduplicated_counts() -> tuple[Column, ...]:
    """What ``deduplicated`` observes: ``kept`` and ``duplicates``, counted each on its own."""
    return (
        F.count_if(F.col("_rank") == 1).alias("kept"),
        F.count_if(F.col("_rank") > 1).alias("duplicates"),
    )


@dataclass(frozen=True)
class Accounting:
    """Where the rows of a run went.

    Attributes:
        rows_in: Rows received for the days being made.
        kept: Rows that are in the table (order lines, for a source of lines).
        duplicates: Rows that lost to another delivery of the same line.
        excluded: Rows excluded, by reason; only reasons that occurred.
    """

    rows_in: int
    kept: int
    duplicates: int
    excluded: Mapping[str, int]

    @classmethod
    def of(cls, *observed: Mapping[str, int]) -> Accounting:
        """From the three observations' values (``Observation.get``), in any order."""
        counts = {name: int(n or 0) for values in observed for name, n in values.items()}
        prefix = "excluded:"
        return cls(
            rows_in=counts["rows_in"],
            kept=counts["kept"],
            duplicates=counts["duplicates"],
            excluded={
                name.removeprefix(prefix): n
                for name, n in sorted(counts.items())
                if name.startswith(prefix) and n
            },
        )

    @property
    def missing(self) -> int:
        """Rows received less rows accounted for: 0, or something lost or multiplied rows."""
        return self.rows_in - self.kept - self.duplicates - sum(self.excluded.values())
