"""Forgetting people in the lakehouse's tables: from bronze, where all others come from, to gold."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.bronze import forgetting
from customer360.bronze.edits import IS_LEFT_OUT, MARK_TYPES, ROW_HASH
from customer360.bronze.forgetting import HASH, WORD, Forgotten, identifier_hash
from customer360.bronze.ingest import nothing_left
from customer360.contracts import Contract
from customer360.contracts.checks import CORRUPT_RECORD, violation_columns
from customer360.contracts.contract import packaged_tables
from customer360.contracts.reasons import FORGOTTEN_PERSON
from customer360.contracts.spark import table_schema
from customer360.contracts.sql import quoted
from customer360.days import DayRange
from customer360.gold.snapshots import snapshot_tables
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.closed_days import BRONZE, closed_before, is_past
from customer360.pipeline.forgotten import forgotten_of, forgotten_secret
from customer360.pipeline.load_silver import (
    load_customer_days,
    load_customer_history,
    load_customers,
    load_transactions,
)
from customer360.pipeline.make_gold import make_business_health, make_snapshots, snapshot_dates
from customer360.pipeline.stale_snapshots import NOTED, Fresh, note_as_fresh
from customer360.pipeline.workspace import Workspace, days_note
from customer360.privacy.journal import Erasure
from customer360.privacy.known import KEY, keys_of
from customer360.privacy.their_rows import (
    IS_THEIRS,
    accepted,
    edited,
    refused,
    says_of_what_row,
    tables_of_people,
    telling,
    texts_frame,
)
from customer360.sources.base import Source
from customer360.sources.people import PersonColumns
from customer360.table_names import (
    AS_OF,
    CUSTOMERS,
    EDITS,
    FORGOTTEN,
    HEALTH,
    HISTORY,
    ORDER_LINES,
    REJECTED,
    TRANSACTIONS,
    quarantine_of,
)


def know_again(work: Workspace, erasure: Erasure, whose: Mapping[str, Forgotten]) -> None:
    """Put hashes of all that identifies the people into ``quarantine/forgotten``.

    From then on no load brings them in: what their rows say who they are, and the texts that name
    them, by which a line is known that cannot be split.

    Args:
        work: Where.
        erasure: Whom it is of, and the texts.
        whose: The people, as `their_rows.people_by_source` gives them.
    """
    for source, people in whose.items():
        words = texts_frame(work.spark, WORD, telling(erasure.words))
        of_words = words.select(
            identifier_hash(source, WORD, F.col(WORD), people.secret).alias(HASH)
        )
        rows = people.hashes.unionByName(of_words).distinct()
        work.lakehouse.merge(
            Contract.load(FORGOTTEN),
            rows.withColumns(
                {
                    "erasure": F.lit(erasure.id),
                    "forgotten_at": F.timestamp_seconds(F.lit(erasure.started_at.timestamp())),
                }
            ),
            f"ON target.{HASH} = source.{HASH} WHEN NOT MATCHED THEN INSERT *",
            copied=True,
        )


def forget_bronze(work: Workspace, erasure: Erasure) -> dict[str, int]:
    """Bronze and its quarantine without the people.

    Returns:
        Rows that were theirs, by table.
    """
    rows: dict[str, int] = {}
    for source in work.deployment.sources:
        forgotten = forgotten_of(work, source)
        if forgotten is None:
            continue
        for table, people in tables_of_people(source):
            of = _Table(work, source, table, people, forgotten)
            rows[of.bronze] = of.forget_accepted(erasure)
            rows[of.quarantine] = of.forget_refused(erasure)
            if work.lakehouse.exists(EDITS):
                rows[EDITS] = rows.get(EDITS, 0) + of.forget_edits(erasure)
    return {name: count for name, count in rows.items() if count}


@dataclass(frozen=True)
class _Table:
    """A bronze table and its quarantine, to be rid of people."""

    work: Workspace
    source: Source
    table: str
    people: PersonColumns
    forgotten: Forgotten

    @property
    def bronze(self) -> str:
        return f"bronze/{self.table}"

    @property
    def quarantine(self) -> str:
        return quarantine_of(self.table)

    @property
    def key(self) -> tuple[str, ...]:
        """What stays of a refused row."""
        return self.source.key_of_nobody(self.table)

    def forget_accepted(self, erasure: Erasure) -> int:
        """Bronze rows become sales of nobody, or lines of quarantine without content."""
        lakehouse, contract = self.work.lakehouse, self.source.contract(self.table)
        if not lakehouse.exists(self.bronze):
            return 0
        rows = accepted(self.work, self.source, self.table, self.people, self.forgotten)
        is_daily = self.source.delivery(self.table) == "daily"
        when = DELIVERY_DAY if is_daily else "_event_date"
        counted = rows.where(IS_THEIRS).groupBy(when).count().collect()
        days = sorted(row[0] for row in counted if row[0] is not None)
        if not counted:
            return 0
        if is_daily:
            rows = rows.where(F.col(DELIVERY_DAY).isin(days))
        # What is in bronze was split, and keeps every rule.
        as_received = {
            CORRUPT_RECORD: F.lit(None).cast("string"),
            IS_LEFT_OUT: F.lit(False),
            **{mask: F.lit(0).cast("bigint") for mask in violation_columns(contract)},
        }
        blank = forgetting.blanked(
            rows.withColumns(as_received), contract, self.people, self.forgotten
        )
        if self.people.profile or not self.forgotten.keep_sales:
            # Before bronze: rows are in both until that is written, and what repeats this, finds
            # them there.
            self._set_aside(blank.where(IS_LEFT_OUT), erasure)
        names = (*table_schema(contract).names, *violation_columns(contract))
        stay = blank.where(~F.col(IS_LEFT_OUT)).select(*map(quoted, names))
        if is_daily:
            lakehouse.replace_days(contract, stay, DELIVERY_DAY, days, note=days_note(days))
        else:
            lakehouse.replace_all(contract, stay, note=days_note(days))
        return sum(row["count"] for row in counted)

    def _set_aside(self, gone: DataFrame, erasure: Erasure) -> None:
        """Put lines without content into quarantine for rows that go."""
        lakehouse, run = self.work.lakehouse, f"forget {erasure.id}"
        lines = self._of_open_days(gone).select(
            DELIVERY_DAY,
            F.array(F.lit(FORGOTTEN_PERSON)).alias("reasons"),
            nothing_left({name: F.col(quoted(name)) for name in self.key}).alias("raw"),
            "_source_file",
            "_ingested_at",
            ROW_HASH,
            F.lit(run).alias("run_id"),
            *(F.lit(None).cast(kind).alias(mark) for mark, kind in MARK_TYPES.items()),
        )
        if lakehouse.exists(self.quarantine):
            others = lakehouse.read(self.quarantine).where(F.col("run_id") != run)
            lines = lines.unionByName(others, allowMissingColumns=True)
        lakehouse.replace_all(Contract.load(self.quarantine), lines)

    def _of_open_days(self, rows: DataFrame) -> DataFrame:
        """``rows`` but for those of closed days, which are accounted for already."""
        before = closed_before(self.work.tables, BRONZE)
        if before is None:
            return rows
        return rows.where(~is_past(self.work, self.source, self.table, before))

    def forget_edits(self, erasure: Erasure) -> int:
        """Edits of the people's rows say what they change, and not of what row any more.

        They go on being made, by the row's hash: without them another amount would come in.
        """
        lakehouse, contract = self.work.lakehouse, Contract.load(EDITS)
        edits = lakehouse.read(EDITS)
        judged = edited(
            self.work, self.source, self.table, self.people, self.forgotten, erasure.words
        )
        count = judged.where(IS_THEIRS).count()
        if not count:
            return 0
        emptied, keyed = forgetting.columns_without_person(
            self.source.contract(self.table), self.people
        )
        of_nobody = F.to_json(
            F.map_filter(
                F.from_json("changes", "map<string,string>"),
                lambda name, _: ~name.isin(*emptied, *keyed) if emptied or keyed else F.lit(True),
            ),
            {"ignoreNullFields": "false"},
        )
        instead = {"delivered": F.lit(None), "line": F.lit(None), "changes": of_nobody}
        blank = _with_instead(judged, F.col(IS_THEIRS), instead)
        others = edits.where(~says_of_what_row(self.table))
        lakehouse.replace_all(contract, others.unionByName(blank.drop(IS_THEIRS)))
        return count

    def forget_refused(self, erasure: Erasure) -> int:
        """Rows of the quarantine that are the people's say nothing any more."""
        lakehouse = self.work.lakehouse
        if not lakehouse.exists(self.quarantine):
            return 0
        rows = refused(
            self.work, self.source, self.table, self.people, self.forgotten, erasure.words
        )
        count = rows.where(IS_THEIRS).count()
        if not count:
            return 0
        absent = {
            m: F.lit(None).cast(kind) for m, kind in MARK_TYPES.items() if m not in rows.columns
        }
        instead = {
            "raw": nothing_left(
                {name: F.get_json_object("raw", f"$['{name}']") for name in self.key}
            ),
            "reasons": F.array(F.lit(FORGOTTEN_PERSON)),
            **{name: F.lit(None) for name in (ROW_HASH, *MARK_TYPES)},
        }
        blank = _with_instead(rows.withColumns(absent), F.col(IS_THEIRS), instead)
        lakehouse.replace_all(Contract.load(self.quarantine), blank.drop(IS_THEIRS))
        return count


def _with_instead(rows: DataFrame, theirs: Column, instead: Mapping[str, Column]) -> DataFrame:
    """``rows`` with other values, by column, in those that are ``theirs``."""
    return rows.withColumns(
        {name: F.when(theirs, value).otherwise(F.col(name)) for name, value in instead.items()}
    )


def forget_closed_days(work: Workspace, erasure: Erasure) -> None:
    """Sales of days whose bronze is gone, which silver does not make again: they are nobody's.

    As `bronze.forgetting.blanked` leaves them, or gone, as the setting ``forgotten_sales`` says.
    What was kept out of these days says nothing of them any more.
    """
    closed = closed_before(work.tables, BRONZE)
    if closed is None:
        return
    keys = keys_of(work, erasure.people).withColumn(IS_THEIRS, F.lit(True))
    keep_sales = work.deployment.settings.forgotten_sales == "anonymous"
    secret = forgotten_secret(work.deployment.settings)
    for table in (ORDER_LINES, TRANSACTIONS):
        if not work.lakehouse.exists(table):
            continue
        rows = work.lakehouse.read(table).where(F.col("business_date") < F.lit(closed))
        marked = rows.join(F.broadcast(keys), KEY, "left").withColumn(
            IS_THEIRS, F.coalesce(IS_THEIRS, F.lit(False))
        )
        of_theirs = marked.where(IS_THEIRS).select("business_date").distinct().collect()
        days = [row[0] for row in of_theirs]
        if not days:
            continue
        contract = Contract.load(table)
        ids = [*contract.row_identifiers, *({"line_key", "product_id"} & set(rows.columns))]
        instead = {KEY: F.lit(None).cast("string")}
        instead |= {name: F.lit(None).cast("string") for name in contract.quasi_identifiers}
        instead |= {name: forgetting.keyed_text(F.col(name), secret) for name in ids}
        blank = _with_instead(marked, F.col(IS_THEIRS), instead)
        stay = (blank if keep_sales else marked.where(~F.col(IS_THEIRS))).select(*rows.columns)
        work.lakehouse.replace_days(
            contract,
            stay.where(F.col("business_date").isin(days)),
            "business_date",
            days,
            note=days_note(days),
        )

    _forget_kept_out(work, erasure, closed)


def _forget_kept_out(work: Workspace, erasure: Erasure, closed: date) -> None:
    """Of rows that silver kept out of closed days, lines without content stay.

    They are accounted for with their day, which is not accounted for anew.
    """
    if not work.lakehouse.exists(REJECTED):
        return
    rows = work.lakehouse.read(REJECTED)
    keys = keys_of(work, erasure.people).select(
        F.col(KEY).alias("__key"), F.lit(True).alias("__is_theirs")
    )
    own = F.get_json_object("raw", f"$.{KEY}")
    marked = rows.withColumn("__key", own).join(F.broadcast(keys), "__key", "left")
    is_theirs = F.coalesce("__is_theirs", F.lit(False)) & (F.col("business_date") < F.lit(closed))
    if marked.where(is_theirs).isEmpty():
        return
    said = (F.get_json_object("raw", f"$.{name}").alias(name) for name in _ACCOUNTED)
    instead = {"raw": F.to_json(F.struct(*said)), ROW_HASH: F.lit(None)}
    lines = _with_instead(marked, is_theirs, instead)
    work.lakehouse.replace_all(Contract.load(REJECTED), lines.select(*rows.columns))


_ACCOUNTED = ("source", "amount", "currency")
"""What the account reads of a row that silver kept out, beside its day and reason."""


def remake_silver(work: Workspace) -> None:
    """Silver and the business's days of bronze as it is now, on all days that it concerns."""
    newest = work.lakehouse.maximum(TRANSACTIONS, "business_date")
    if newest is None:
        return
    days = DayRange(newest, newest)
    load_customers(work, days)
    load_customer_history(work, days)
    load_transactions(work, days)
    load_customer_days(work, days)
    if work.lakehouse.exists(HEALTH):
        make_business_health(work, days)


def forget_silver(work: Workspace, erasure: Erasure) -> None:
    """What the remaking of silver did not reach: rows that no source speaks of any more."""
    keys = keys_of(work, erasure.people)
    for table in (CUSTOMERS, HISTORY):
        if not work.lakehouse.exists(table):
            continue
        left = work.lakehouse.read(table).join(keys, KEY, "left_semi")
        if not left.isEmpty():
            work.lakehouse.replace_groups(Contract.load(table), left.where(F.lit(False)), keys)
    if work.lakehouse.exists(REJECTED):
        stays = work.lakehouse.read(REJECTED)
        key = F.get_json_object("raw", f"$.{KEY}")
        theirs = stays.withColumn("__key", key).join(
            keys.withColumnRenamed(KEY, "__key"), "__key", "left_semi"
        )
        if not theirs.isEmpty():
            others = stays.withColumn("__key", key).join(
                keys.withColumnRenamed(KEY, "__key"), "__key", "left_anti"
            )
            work.lakehouse.replace_all(Contract.load(REJECTED), others.drop("__key"))


def forget_gold(work: Workspace, erasure: Erasure, fresh: Fresh) -> dict[str, int]:
    """Snapshots and scores without the people; what sums up customers is made again.

    What a snapshot says of others stays: it is what was known then.

    Args:
        work: Where.
        erasure: Whom it is of.
        fresh: As `fresh_snapshots` gave them before silver was made again: they are as fresh now.

    Returns:
        Rows that were theirs, by table.
    """
    lakehouse, keys = work.lakehouse, keys_of(work, erasure.people)
    rows: dict[str, int] = {}
    for table in packaged_tables():
        if not table.startswith("gold/") or not lakehouse.exists(table):
            continue
        contract = Contract.load(table)
        if contract.partition_by != AS_OF:
            continue
        if KEY not in contract.column_names:
            if table in snapshot_tables():
                make_snapshots(work, table, snapshot_dates(work, table))
            continue
        theirs = lakehouse.read(table).join(F.broadcast(keys), KEY, "left_semi")
        counted = theirs.groupBy(AS_OF).count().collect()
        dates = sorted(row[AS_OF] for row in counted)
        if dates:
            others = lakehouse.read_days(table, AS_OF, dates)
            stay = others.join(F.broadcast(keys), KEY, "left_anti")
            note = days_note(dates)
            if table in NOTED:
                note = note_as_fresh(work.tables, table, dates, fresh)
            lakehouse.replace_days(contract, stay, AS_OF, dates, note=note)
        rows[table] = sum(row["count"] for row in counted)
    return {name: count for name, count in rows.items() if count}
