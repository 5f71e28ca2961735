"""silver/transactions: one row for each order and each refund, whatever was delivered how often.

What an order is: it is known by its source and order id, and by its line where rows are lines.

- The same content again is a *duplicate*.
- Other content under the same key is a *correction*: the one delivered last counts, of one
  delivery the one with the greater time of change, on whatever day it now lies.
- Where neither tells, it is a *conflict*: all rows of the order are kept out, by that reason.
  Lines of an order that name two customers, or that come to less than nothing because more is
  taken off than was sold, are one too.
- A sale that was cancelled is the same order. A refund is a row of its own, beside the sale: it is
  known by its own id where it says which order it refunds (``related_order_id``), else by what its
  row says was given back (``states`` of ``sources.staged``), so that two partial refunds of an
  order are two, and one whose state or customer's address changed is one.

The steps, each a pure function, in the order they are applied::

    prepared -> known (if the source has a customer master) -> settled -> kept
             -> orders, or orders_from_lines

``rejected`` makes quarantine rows of what ``known`` (or ``prepared``) excluded and of
``conflicting`` rows.

One shuffle serves them all: ``settled`` brings a business date's rows together, which also groups
the lines of an order and gives the writer one file a day. The few orders that lie on several days
(``moved_keys``) are settled apart (``standing_rows``) and looked up there. Row counts are taken on
the way (``received_counts``, ``excluded_counts``, ``settled_counts``) and put together by
``Accounting``: rows in = kept + duplicates + corrections + excluded. A refund of nothing beside its
sale takes part in settling, so that what was given back can be taken back, and is never counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.reasons import OTHER_CURRENCY
from customer360.limits import LeftOut
from customer360.silver import text
from customer360.silver.keys import TELLING_APART, TELLING_APART_ONLY, customer_key
from customer360.silver.personal_text import masked_id, masked_text
from customer360.table_names import TRANSACTIONS

KINDS = ("sale", "refund", "cancelled")

_REFUND = "_refund"
# Beside a sale, that nothing of it was given back: settles what was said before, and is no row.
_NOTHING = "_nothing"
# Whatever its day: a key of these is one order, or one line, or one refund.
_IDENTITY = ("order_id", "source", _REFUND, "entry", "line_key")
# business_date first: the window then leaves rows in the order the partitioned writer wants them.
# order_id next: it tells rows apart soonest. line_key last: orders are a prefix of their lines.
_LINE = ("business_date", *_IDENTITY)
_ORDER = _LINE[:-2]

OUTCOME = "_outcome"
"""What became of a row: one of `OUTCOMES`; beside the columns of a settled row."""
KEPT, DUPLICATE, CORRECTION, CONFLICT, NOTHING = OUTCOMES = (
    "kept",
    "duplicate",
    "correction",
    "conflict",
    "nothing",
)

TOGETHER = "_together"
"""What the rows of one file have in common; beside the columns until they are selected."""

UNKNOWN_CUSTOMER = "unknown_customer"
CLOSED_ORDER = "closed_order"
CONFLICTING_ROWS = "conflicting_rows"
CONFLICTING_CUSTOMERS = "conflicting_customers"
CONFLICTING_DISCOUNTS = "conflicting_discounts"
CONFLICTS = (CONFLICTING_ROWS, CONFLICTING_CUSTOMERS, CONFLICTING_DISCOUNTS)
"""Why an order is kept out whose rows cannot all be true."""
REASONS = (
    "order_id_missing",
    "occurred_at_missing",
    "unknown_kind",
    "amount_missing",
    "amount_negative",
    OTHER_CURRENCY,
    UNKNOWN_CUSTOMER,
    CLOSED_ORDER,
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
        The silver columns plus ``line_key``, ``product_id``, ``excluded_because`` (null for a good
        row), ``changed_at``, ``_delivered_on``, ``_row_hash``, ``_source_file`` and ``_nothing`` (a
        refund of nothing, which is never excluded). No row is dropped. A row without an event time
        is excluded under its delivery date. Texts and ids in which a person can be read are masked
        (`customer360.silver.personal_text`). The session's time zone must be UTC.
    """
    own_file = F.col("_source_file") if "_source_file" in staged.columns else F.lit(None)
    states = F.col("states") if "states" in staged.columns else F.col("_row_hash")
    nothing = F.col("nothing") if "nothing" in staged.columns else F.lit(False)
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
        text.identifier(F.col("product_id")).alias("product_id"),
        text.identifier(F.col("related_order_id")).alias("related_order_id"),
        F.col("delivered_on").cast("date").alias("delivered_on"),
        F.col("review_score").cast("int").alias("review_score"),
        F.col("reviewed_on").cast("date").alias("reviewed_on"),
        F.col("changed_at").cast("timestamp").alias("changed_at"),
        F.col("excluded_because").cast("string").alias("excluded_because"),
        F.col("_delivered_on").cast("date").alias("_delivered_on"),
        F.col("_row_hash").cast("long").alias("_row_hash"),
        own_file.cast("string").alias("_source_file"),
        F.coalesce(nothing.cast("boolean"), F.lit(False)).alias(_NOTHING),
        states.cast("long").alias("_states"),
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
        .when(foreign, OTHER_CURRENCY)
    )
    ids = ("order_id", "line_key", "product_id", "related_order_id")
    texts = Contract.load(TRANSACTIONS).quasi_identifiers
    refund = F.coalesce(F.col("kind") == "refund", F.lit(False))
    own = refund & F.col("related_order_id").isNull() & F.col("_states").isNotNull()
    return rows.withColumns(
        {
            "excluded_because": F.when(~F.col(_NOTHING), why),
            _REFUND: refund,
            "entry": F.when(own, F.lower(F.hex("_states"))).otherwise(""),
            **{name: masked_id(F.col(name), source=source, secret=secret) for name in ids},
            **{name: masked_text(F.col(name)) for name in texts},
        }
    ).drop("_takes_off", "_states")


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
    named = F.col("customer_key").isNotNull() & ~F.col(_NOTHING)
    unknown = named & F.col("_known_key").isNull()
    return joined.withColumn(
        "excluded_because",
        F.coalesce(F.col("excluded_because"), F.when(unknown, UNKNOWN_CUSTOMER)),
    ).drop("_known_key")


def not_of_closed_days(rows: DataFrame, stored: DataFrame) -> DataFrame:
    """Exclude rows of what stands on a day that is closed: it would count there and here.

    The rows that say so of the closed day are gone, so it cannot be told which of the two is true;
    what was settled stands. A row that is already excluded keeps its first reason.

    Args:
        rows: As ``prepared`` or ``known`` gives them, of open days.
        stored: Rows of the closed days: of ``silver/order_lines`` where rows are lines, else of
            ``silver/transactions``.
    """
    ours = ["order_id", *(["line_key"] if "line_key" in stored.columns else [])]
    own = [*ours, "entry", _REFUND]
    # No hint of what is small: of all days that are made again, orders are many.
    open_ones = rows.select(*own).distinct()
    there = (
        stored.select(*ours, "entry", (F.col("kind") == "refund").alias(_REFUND))
        .join(open_ones, own, "left_semi")
        .distinct()
        .withColumn("_closed", F.lit(True))
    )
    joined = rows.join(there, own, "left")
    why = F.when(F.coalesce("_closed", F.lit(False)) & ~F.col(_NOTHING), CLOSED_ORDER)
    return joined.withColumn("excluded_because", F.coalesce(F.col("excluded_because"), why)).drop(
        "_closed"
    )


def moved_keys(rows: DataFrame) -> DataFrame:
    """Hashes (``moved``) of the keys with rows on several business dates: few, if there are any.

    Exclusions are not looked at, so that no more is read than what the keys are made of; a key
    too many does no harm.

    Args:
        rows: As ``prepared`` gives them.
    """
    dates = F.col("business_date")
    return (
        _keyed(rows)
        .groupBy(_hashed_key().alias("moved"))
        .agg(F.min(dates).alias("first"), F.max(dates).alias("last"))
        .where(F.col("first") < F.col("last"))
        .select("moved")
    )


def business_dates(rows: DataFrame) -> DataFrame:
    """On which days the keys of few ``rows`` lie, and whether one of them is ``moved``.

    Returns:
        ``business_date`` and ``moved`` (a key of `moved_keys` has a row on it), each pair once.
    """
    dates = F.collect_set("business_date").alias("days")
    by_key = _keyed(rows).groupBy(_hashed_key()).agg(dates)
    several = (F.size("days") > 1).alias("moved")
    return by_key.select(F.explode("days").alias("business_date"), several).distinct()


def standing_rows(rows: DataFrame, moved: DataFrame) -> DataFrame:
    """For each of the keys that `moved_keys` found, which of its rows stands, whatever its day.

    Args:
        rows: As ``prepared`` or ``known`` gives them, of all days on which the keys have rows.
        moved: As ``moved_keys`` gives them.

    Returns:
        The columns of a key, ``_stands`` (delivery and time of change of the row that counts) and
        ``_stands_on`` (how many business dates claim to be it).
    """
    of_moved = _of_moved(rows.where(F.col("excluded_because").isNull()), moved)
    by_day = of_moved.groupBy(*_IDENTITY, "business_date").agg(F.max(_seniority()).alias("newest"))
    newest = F.max("newest").over(Window.partitionBy(*_IDENTITY))
    return (
        by_day.withColumn("_stands", newest)
        .where(F.col("newest") == F.col("_stands"))
        .groupBy(*_IDENTITY, "_stands")
        .agg(F.count(F.lit(1)).alias("_stands_on"))
    )


def settled(
    rows: DataFrame,
    *,
    together: Column | None = None,
    partitions: int | None = None,
    lines: bool = False,
    standing: DataFrame | None = None,
) -> DataFrame:
    """The good rows, each with its `OUTCOME`, by the rules of this module.

    Args:
        rows: As ``prepared`` or ``known`` gives them; excluded rows are left out here.
        together: What the rows of one file have in common, a function of ``business_date``; the
            date itself when not given. Kept as `TOGETHER`, which later groupings share.
        partitions: Tasks to spread the files over; None leaves it to the session.
        lines: Rows are lines: a conflict is one of the whole order, as it stands on a day.
        standing: As ``standing_rows`` gives them; None where no key lies on several days.

    Returns:
        ``rows`` with `OUTCOME` and, of a conflict, ``excluded_because``.
    """
    good = rows.where(F.col("excluded_because").isNull()).drop("excluded_because")
    if standing is not None:
        good = good.join(F.broadcast(standing), list(_IDENTITY), "left")
    named = good.withColumn(TOGETHER, F.col("business_date") if together is None else together)
    by_file = (
        named.repartition(TOGETHER)
        if partitions is None
        else named.repartition(partitions, TOGETHER)
    )
    content = [name for name in _columns() if name not in ("source", "order_id", "entry")]
    content += ["product_id"] if lines else []
    stated = [column for name in content for column in (F.col(name), F.col(name).isNull())]
    with_content = by_file.withColumn("_content", F.xxhash64(*stated))
    newest_first = Window.partitionBy(TOGETHER, *_LINE).orderBy(
        F.desc_nulls_last("_delivered_on"),
        F.desc_nulls_last("changed_at"),
        F.desc("_content"),
        F.desc_nulls_last("_row_hash"),
    )
    whole = newest_first.rowsBetween(Window.unboundedPreceding, Window.unboundedFollowing)
    senior = _seniority()
    # The greatest and the least content of the rows that count: more than one is a conflict.
    ranked = with_content.withColumns(
        {
            "_rank": F.row_number().over(newest_first),
            "_greatest": F.max(F.struct(senior.alias("top"), "_content")).over(whole),
            "_least": F.max(
                F.struct(senior.alias("top"), F.bitwise_not("_content").alias("inverse"))
            ).over(whole),
        }
    )
    top = F.col("_greatest.top")
    at_top = senior == top
    several = F.col("_greatest._content") != F.bitwise_not(F.col("_least.inverse"))
    outcome = (
        F.when(at_top & several, CONFLICT)
        .when(F.col("_rank") == 1, KEPT)
        .when(F.col("_content") == F.col("_greatest._content"), DUPLICATE)
        .otherwise(CORRECTION)
    )
    if standing is not None:
        stands = F.col("_stands")
        outcome = (
            F.when(stands.isNotNull() & (top < stands), CORRECTION)
            .when(stands.isNotNull() & at_top & (F.col("_stands_on") > 1), CONFLICT)
            .otherwise(outcome)
        )
    outcome = F.when(F.col(_NOTHING), NOTHING).otherwise(outcome)
    outcomes = ranked.withColumn(OUTCOME, outcome).drop(
        "_rank", "_greatest", "_least", "_content", "_stands", "_stands_on"
    )
    if lines:
        return _of_whole_orders(outcomes)
    conflict = F.col(OUTCOME) == CONFLICT
    return outcomes.withColumn("excluded_because", F.when(conflict, CONFLICTING_ROWS))


def _of_whole_orders(lines: DataFrame) -> DataFrame:
    """``lines`` with the conflict of one made that of all that its order would be made of."""
    order = Window.partitionBy(TOGETHER, *_ORDER)
    kept, conflict = F.col(OUTCOME) == KEPT, F.col(OUTCOME) == CONFLICT
    customer = F.when(kept, F.col("customer_key"))
    two = F.coalesce(F.min(customer).over(order) != F.max(customer).over(order), F.lit(False))
    # Of each kind, as `orders_from_lines` will add them.
    of_kinds = (
        F.sum(F.when(kept & (F.col("kind") == kind), F.col("amount"))).over(order) for kind in KINDS
    )
    below = F.coalesce(F.least(*of_kinds) < 0, F.lit(False))
    judged = lines.withColumns({"_torn": F.max(conflict).over(order), "_two": two, "_below": below})
    torn = conflict | (kept & (F.col("_torn") | F.col("_two") | F.col("_below")))
    reason = (
        F.when(F.col("_two"), CONFLICTING_CUSTOMERS)
        .when(F.col("_torn"), CONFLICTING_ROWS)
        .otherwise(CONFLICTING_DISCOUNTS)
    )
    return judged.withColumns(
        {
            OUTCOME: F.when(torn, CONFLICT).otherwise(F.col(OUTCOME)),
            "excluded_because": F.when(torn, reason),
        }
    ).drop("_torn", "_two", "_below")


def kept(settled: DataFrame) -> DataFrame:
    """Each order, line or refund of ``settled`` rows once: the row that counts.

    Texts that only told rows of somebody forgotten apart have done so, and go.
    """
    rows = settled.where(F.col(OUTCOME) == KEPT).drop("excluded_because", OUTCOME)
    texts = ("product_id", *Contract.load(TRANSACTIONS).quasi_identifiers)
    return rows.withColumns({name: _told(F.col(name)) for name in texts})


def _told(text: Column) -> Column:
    # A plain look first: a regular expression of four columns is dear at ten million rows.
    only = F.startswith(text, F.lit(TELLING_APART)) & text.rlike(TELLING_APART_ONLY)
    return F.when(~only, text)


def conflicting(settled: DataFrame) -> DataFrame:
    """The rows of ``settled`` that are in conflict, with their reason."""
    return settled.where(F.col(OUTCOME) == CONFLICT)


def _keyed(rows: DataFrame) -> DataFrame:
    """The rows that an id is known of, by which they can be found again on another day."""
    return rows.where(F.col("order_id").isNotNull() & (F.col("entry") == ""))


def _of_moved(rows: DataFrame, moved: DataFrame) -> DataFrame:
    named = _keyed(rows).withColumn("moved", _hashed_key())
    return named.join(F.broadcast(moved), "moved", "left_semi")


def _hashed_key() -> Column:
    return F.xxhash64(*_IDENTITY)


def _columns() -> tuple[str, ...]:
    return Contract.load(TRANSACTIONS).column_names


def _seniority() -> Column:
    """What decides between rows of one key: the greater counts, null first."""
    return F.struct("_delivered_on", "changed_at")


def made_of(rows: DataFrame, *, order_lines: bool) -> DataFrame:
    """``silver/transactions`` of `kept` rows, which are order lines or orders already."""
    return orders_from_lines(rows) if order_lines else orders(rows)


def orders(rows: DataFrame) -> DataFrame:
    """``silver/transactions`` of a source whose rows are orders already."""
    return rows.select(*_columns())


def orders_from_lines(rows: DataFrame) -> DataFrame:
    """``silver/transactions`` of a source whose rows are order lines.

    The lines of an order (source, order_id, kind, business_date) become one row: amounts, freight
    and items summed, the first ``occurred_at``, the last ``delivered_on``, the category of the
    largest line, the most ``installments``, and for everything else the first value there is,
    lines taken by time and line key; ``reviewed_on`` is of the review whose score is taken.
    Sale and refund lines of one order stay apart, because their kinds differ; the refunds of an
    order on one day are one row.

    Args:
        rows: As ``kept`` gives them.
    """
    first = F.struct("occurred_at", "line_key")

    def first_there_is(column: str, known: str | None = None) -> Column:
        is_known = F.col(known or column).isNotNull()
        return F.min_by(column, F.when(is_known, first)).alias(column)

    category = F.col("category")
    largest = F.max_by(category, F.when(category.isNotNull(), F.struct("amount", "line_key")))
    whole = rows.groupBy(TOGETHER, "business_date", "order_id", "source", "kind").agg(
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
        F.lit("").alias("entry"),
    )
    return whole.select(*_columns())


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
    raw = F.to_json(F.struct(*_columns(), "line_key", "changed_at", "_delivered_on"))
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


ORPHANED_DAYS = """
    SELECT DISTINCT business_date FROM transactions
    ANTI JOIN customers USING (customer_key) WHERE customer_key IS NOT NULL
"""
"""Business dates with rows of customers who are known no more, as DuckDB's SQL: a delivery came
again without them. ``transactions`` is the table, ``customers`` is ``silver/customers``."""


def received_counts() -> tuple[Column, ...]:
    """To ``observe`` on ``prepared`` rows of the days being made: ``rows_in``."""
    return (F.count_if(~F.col(_NOTHING)).alias("rows_in"),)


def excluded_counts(reasons: Sequence[str] = (), stated: Sequence[str] = ()) -> tuple[Column, ...]:
    """To ``observe`` on rows whose exclusion is settled: ``excluded``, ``excluded:<reason>``.

    And of what nobody said should be left out, its rows, their money, and how many have none that
    is known, beside all rows and money but for what was said.

    Args:
        reasons: Reasons the source gives, beside silver's own ``REASONS``. Reasons named in
            neither are counted as ``excluded:other``.
        stated: Of all reasons, those for which the user said that rows be left out; that days are
            closed, the user said by ``retention_days``.
    """
    why = F.col("excluded_because")
    named = tuple(dict.fromkeys((*REASONS, *reasons)))
    intended = F.coalesce(why.isin(*stated, CLOSED_ORDER), F.lit(False))
    untold, worth = why.isNotNull() & ~intended, F.abs("amount")
    return (
        F.count(why).alias("excluded"),
        *(F.count_if(why == reason).alias(f"excluded:{reason}") for reason in named),
        F.count_if(why.isNotNull() & ~why.isin(*named)).alias("excluded:other"),
        F.count_if(untold).alias("untold"),
        F.sum(F.when(untold, worth)).alias("untold_money"),
        F.count_if(untold & worth.isNull()).alias("untold_unknown"),
        F.count_if(~intended & ~F.col(_NOTHING)).alias("of_rows"),
        F.sum(F.when(~intended, worth)).alias("of_money"),
    )


def settled_counts() -> tuple[Column, ...]:
    """To ``observe`` on ``settled`` rows: each outcome, and conflicts as ``excluded:<reason>``."""
    outcome = F.col(OUTCOME)
    return (
        F.count_if(outcome == KEPT).alias("kept"),
        F.count_if(outcome == DUPLICATE).alias("duplicates"),
        F.count_if(outcome == CORRECTION).alias("corrections"),
        *(
            F.count_if((outcome == CONFLICT) & (F.col("excluded_because") == reason)).alias(
                f"excluded:{reason}"
            )
            for reason in CONFLICTS
        ),
        F.sum("amount").alias("money"),
        F.sum(F.when(outcome == CONFLICT, F.col("amount"))).alias("money_in_conflict"),
    )


@dataclass(frozen=True)
class Accounting:
    """Where the rows of a run went.

    Attributes:
        rows_in: Rows received for the days being made.
        kept: Rows that are in the table (order lines, for a source of lines).
        duplicates: Rows that say what another row of the same order says.
        excluded: Rows excluded, by reason, conflicts among them; only reasons that occurred.
        corrections: Rows that a later one of the same order, on whatever day, puts right.
        money: Amounts of the rows that are not excluded, whatever their kind, and of conflicts.
        money_in_conflict: Those of rows in conflict.
        untold: What is excluded though nobody said so, conflicts aside.
    """

    rows_in: int
    kept: int
    duplicates: int
    excluded: Mapping[str, int]
    corrections: int = 0
    money: Decimal = field(default=Decimal(0), compare=False)
    money_in_conflict: Decimal = field(default=Decimal(0), compare=False)
    untold: LeftOut = field(default=LeftOut(0, 0), compare=False)

    @classmethod
    def of(cls, *observed: Mapping[str, int | Decimal | None]) -> Accounting:
        """From the three observations' values (``Observation.get``), in any order."""
        sums = {name: value or 0 for values in observed for name, value in values.items()}
        counts = {name: int(value) for name, value in sums.items()}
        prefix = "excluded:"
        return cls(
            rows_in=counts["rows_in"],
            kept=counts["kept"],
            duplicates=counts["duplicates"],
            corrections=counts["corrections"],
            excluded={
                name.removeprefix(prefix): n
                for name, n in sorted(counts.items())
                if name.startswith(prefix) and n
            },
            money=Decimal(sums["money"]),
            money_in_conflict=Decimal(sums["money_in_conflict"]),
            untold=LeftOut(
                counts.get("untold", 0),
                counts.get("of_rows", 0),
                Decimal(sums.get("untold_money", 0)),
                Decimal(sums.get("of_money", 0)),
                counts.get("untold_unknown", 0),
            ),
        )

    @property
    def missing(self) -> int:
        """Rows received less rows accounted for: 0, or something lost or multiplied rows."""
        settled = self.kept + self.duplicates + self.corrections
        return self.rows_in - settled - sum(self.excluded.values())

    @property
    def conflicts(self) -> int:
        """Rows of orders whose rows cannot all be true."""
        return sum(self.excluded.get(reason, 0) for reason in CONFLICTS)
