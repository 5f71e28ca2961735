"""Raw deliveries to bronze and quarantine, with every row accounted for."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.bronze.edits import IS_LEFT_OUT, ROW_HASH
from customer360.contracts import Contract
from customer360.contracts.checks import money_counts, set_aside_counts, set_aside_reasons
from customer360.contracts.times import PLAUSIBLE
from customer360.days import DayRange
from customer360.errors import SettingsError
from customer360.lakehouse.counting import Counts
from customer360.lakehouse.tables import Folders, days_predicate
from customer360.pipeline import account, closed_days
from customer360.pipeline.bronze_accounts import (
    DELIVERY_DAY,
    WHOLE,
    BronzeLoaded,
    DeliveryCount,
    left_out,
    settled,
)
from customer360.pipeline.closed_days import Held
from customer360.pipeline.edited_rows import edits_of, edits_print
from customer360.pipeline.few_rows import are_few, sent_if
from customer360.pipeline.follow_changes import follow_changes
from customer360.pipeline.forgotten import forgotten_of
from customer360.pipeline.patterns import check_patterns
from customer360.pipeline.workspace import Workspace, days_note, newest_note
from customer360.pipeline.worth import states_plain_money
from customer360.sources.base import ChangingSource, Source
from customer360.sources.readers import broken_while_read
from customer360.table_names import quarantine_of


def load_bronze(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    """Bring bronze table ``table`` up to what was delivered on ``days``.

    A daily delivery replaces its days; an extract replaces the whole table, and only when its
    files or its contract changed; a table that changes in place is followed.

    Raises:
        BrokenFileError: A raw file cannot be used; nothing is written.
        DatabaseSourceError: The database cannot be read as its mapping says.
        SettingsError: All the days are closed, because rows of them were past their time; or Spark
            does not take a regular expression of the mapping.
    """
    check_patterns(work.spark, source)
    if isinstance(source, ChangingSource):
        return follow_changes(work, source, table)
    try:
        if source.delivery(table) == "daily":
            return _load_days(work, source, table, days)
        return _load_extract(work, source, table, days)
    except Exception as error:  # which class Spark's errors have depends on the kind of session
        broken = broken_while_read(error, f"bronze/{table}")
        if broken is None:
            raise
        raise broken from None


def _received(
    work: Workspace, source: Source, table: str, raw: DataFrame, lines: DataFrame | None = None
) -> DataFrame:
    return ingest.received(
        raw,
        source.contract(table),
        ingested_at=work.started_at,
        run_id=work.run_id,
        edits=edits_of(work, table),
        people=source.person_columns(table),
        forgotten=forgotten_of(work, source),
        lines=lines,
    )


def _load_days(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    lakehouse, contract = work.lakehouse, source.contract(table)
    bronze_table, quarantine_table = f"bronze/{table}", quarantine_of(table)
    door = _Door.of(work, source, table)
    asked, days = days, door.opened(days)
    raw = source.read_raw(work.spark, table, days.first, days.last)
    # Counted apart from the split, so that the split is proved and not assumed. Parquet answers
    # this from its footers.
    raw_rows = _raw_rows_by_day(raw)
    received = _received(work, source, table, raw)
    broken = Counts(
        received,
        F.count_if(~ingest.kept(contract)).alias("rows"),
        *set_aside_counts(contract),
        *money_counts(contract, ingest.WORTH, F.col(IS_LEFT_OUT)),
    )
    folders = lakehouse.folders(
        bronze_table, DELIVERY_DAY, new=work.folders_for(sum(raw_rows.values()), len(raw_rows))
    )
    passed_over = door.count_closed(received, days)
    bronze = lakehouse.replace_days(
        contract,
        door.through(ingest.accepted(broken.passing, contract), days).repartition(
            folders.of(DELIVERY_DAY)
        ),
        DELIVERY_DAY,
        list(days),
        folders=folders,
        # Silver looks at what lay there before; the account at what came in.
        note=days_note(days, **account.raw_note(work.tables, bronze_table, raw_rows, days)),
    )
    refused = bool(broken.get["rows"])
    quarantine = None
    if refused or not lakehouse.exists(quarantine_table) or _has_rows(work, quarantine_table, days):
        rejected = ingest.rejected(received, contract)
        if not refused:  # the raw rows need not be checked once more
            rejected = work.spark.createDataFrame([], rejected.schema)
        quarantine = lakehouse.replace_days(
            Contract.load(quarantine_table),
            # A shuffle of few rows; to coalesce instead would check all raw rows in one task.
            door.refused(rejected).repartition(1),
            DELIVERY_DAY,
            list(days),
            folders=Folders.NONE,
        )
    not_kept, gone_for = door.count_refused(received if refused else None, days)
    kept = _rows_by_day(work, bronze_table, days)
    set_aside = _rows_by_day(work, quarantine_table, days) if refused else {}
    over = Counter(passed_over) + Counter(not_kept) - door.stayed(days)
    by_day = {
        str(day): DeliveryCount(
            raw_rows.get(day, 0), kept.get(day, 0), set_aside.get(day, 0), over[day]
        )
        for day in sorted({*days, *raw_rows, *kept, *set_aside})
    }
    reasons = (
        _reasons(work, quarantine_table, days_predicate(DELIVERY_DAY, list(days)))
        if refused
        else {}
    )
    dropped = settled(reasons)
    reasons = dict(Counter(reasons) + Counter(gone_for))
    out = sum(set_aside.values()) + sum(not_kept.values())
    return BronzeLoaded(
        bronze,
        quarantine,
        by_day,
        reasons,
        dropped=dropped,
        set_aside=_set_aside(contract, broken.get),
        left_out=left_out(broken.get, out - settled(reasons), sum(raw_rows.values())),
        closed=len(asked) - len(days),
    )


@dataclass(frozen=True)
class _Door:
    """What a load lets in of closed days: nothing that is not there yet, but it is counted.

    Attributes:
        work: Where.
        source: Whose rows.
        table: The bronze table, without its layer.
        bronze: Days before it are closed for bronze; None: none is.
        quarantine: The same for the table's quarantine.
    """

    work: Workspace
    source: Source
    table: str
    bronze: date | None
    quarantine: date | None

    @classmethod
    def of(cls, work: Workspace, source: Source, table: str) -> _Door:
        """That of one bronze table."""
        tables = work.tables
        return cls(
            work,
            source,
            table,
            closed_days.closed_before(tables, closed_days.BRONZE),
            closed_days.closed_before(tables, quarantine_of(table)),
        )

    @property
    def looks(self) -> bool:
        """Whether open deliveries can hold rows of closed days: sales can be late."""
        return self.bronze is not None and self.table == self.source.transactions_table

    def opened(self, days: DayRange) -> DayRange:
        """Those of the deliveries ``days`` that may be loaded.

        Raises:
            SettingsError: All are closed.
        """
        if self.bronze is None or days.first >= self.bronze:
            return days
        if days.last < self.bronze:
            raise SettingsError(
                f"days {days} of bronze/{self.table} are past retention_days: all days "
                f"before {self.bronze} are closed, and not loaded again; name later ones"
            )
        return DayRange(self.bronze, days.last)

    def _past(self) -> SparkColumn:
        assert self.bronze is not None
        return closed_days.is_past(self.work, self.source, self.table, self.bronze)

    def _there(self, days: DayRange) -> str:
        """SQL of rows of closed days that the deliveries have in bronze: what profiles need."""
        assert self.bronze is not None
        past = closed_days.past_sql(self.work, self.source, self.table, self.bronze)
        return f"{days_predicate(DELIVERY_DAY, list(days))} AND {past}"

    def through(self, accepted: DataFrame, days: DayRange) -> DataFrame:
        """The rows that bronze gets: of closed days those that it has, as profiles need them."""
        if not self.looks or not self.work.lakehouse.exists(f"bronze/{self.table}"):
            return accepted
        there = self.work.lakehouse.read(f"bronze/{self.table}").where(self._there(days))
        own = [DELIVERY_DAY, ROW_HASH]
        stay = there.select(*own).distinct().withColumn("_stays", F.lit(True))
        few = are_few(self.stayed(days).total())
        marked = accepted.join(sent_if(few, stay), own, "left")
        return marked.where(~self._past() | F.coalesce("_stays", F.lit(False))).drop("_stays")

    def stayed(self, days: DayRange) -> Counter[date]:
        """Rows of closed days that bronze has, by delivery: they are counted as bronze's."""
        if not self.looks:
            return Counter()
        query = f"SELECT {DELIVERY_DAY}, count(*) FROM rows WHERE {self._there(days)} GROUP BY ALL"
        return Counter(dict(self.work.tables.ask(query, rows=f"bronze/{self.table}")))

    def count_closed(self, received: DataFrame, days: DayRange) -> Mapping[date, int]:
        """Note what came of closed days; how many rows, by delivery."""
        if self.bronze is None or not self.looks:
            return {}
        kept = ingest.kept(self.source.contract(self.table))
        rows = received.where(kept & self._past())
        own = F.col("_event_date")
        now = self._groups(f"bronze/{self.table}", rows, own, F.lit(None), self.bronze)
        self._note(f"bronze/{self.table}", now, days)
        return _by_delivery(now)

    def count_refused(
        self, received: DataFrame | None, days: DayRange
    ) -> tuple[Mapping[date, int], Mapping[str, int]]:
        """Note what was refused of days that are closed for quarantine.

        Args:
            received: What came; None where nothing of it was refused, which is noted too.
            days: The deliveries.

        Returns:
            How many rows, by delivery; and by reason, of which a row can have several.
        """
        if self.quarantine is None or days.first >= self.quarantine:
            return {}, {}
        contract, name = self.source.contract(self.table), quarantine_of(self.table)
        now: list[Held] = []
        if received is not None:
            past = F.col(DELIVERY_DAY) < F.lit(self.quarantine)
            rows = received.where(~ingest.kept(contract) & past)
            why = F.concat_ws(closed_days.AND, ingest.why_not(contract))
            now = self._groups(name, rows, F.lit(None), why, self.quarantine)
        self._note(name, now, days)
        reasons = Counter[str]()
        for each in now:
            for reason in (each.reason or "").split(closed_days.AND):
                reasons[reason] += each.rows
        return _by_delivery(now), reasons

    def refused(self, rejected: DataFrame) -> DataFrame:
        """The rows that quarantine gets."""
        if self.quarantine is None:
            return rejected
        return rejected.where(F.col(DELIVERY_DAY) >= F.lit(self.quarantine))

    def _groups(
        self, table: str, rows: DataFrame, own: SparkColumn, reason: SparkColumn, before: date
    ) -> list[Held]:
        plain = states_plain_money(self.source, self.table)
        grouped = rows.groupBy(
            F.col(DELIVERY_DAY).alias("delivered"),
            own.cast("date").alias("own"),
            reason.cast("string").alias("reason"),
        )
        worth = F.sum(ingest.WORTH) if plain else F.lit(None)
        counted = grouped.agg(F.count(F.lit(1)), worth).collect()
        return [
            Held(table, None, delivered, day, why, n, _cents(money), before)
            for delivered, day, why, n, money in counted
        ]

    def _note(self, table: str, now: Sequence[Held], days: DayRange) -> None:
        closed_days.state(self.work, table, now, lambda held: held.delivered_on in days)


def _by_delivery(groups: Sequence[Held]) -> Counter[date]:
    by_day = Counter[date]()
    for each in groups:
        assert each.delivered_on is not None
        by_day[each.delivered_on] += each.rows
    return by_day


def _cents(money: object) -> Decimal | None:
    return None if money is None else Decimal(str(money)).quantize(Decimal("0.01"))


def _load_extract(work: Workspace, source: Source, table: str, days: DayRange) -> BronzeLoaded:
    lakehouse, contract = work.lakehouse, source.contract(table)
    edits = edits_print(work, table)
    print_now = _extract_print(source, table, contract, edits, work.started_at.year)
    known = newest_note(lakehouse, f"bronze/{table}", "extract")
    if known is not None and known["extract"] == print_now:
        counts = _whole(work, table, int(known["raw"]))
        reasons = _all_reasons(work, table)
        dropped = settled(reasons)
        return BronzeLoaded(
            None,
            None,
            counts,
            reasons,
            dropped=dropped,
            set_aside=known.get("set_aside", {}),
            left_out=left_out(
                known["money"], counts[WHOLE].quarantined - dropped, counts[WHOLE].raw
            )
            if "money" in known
            else None,
        )
    raw = source.read_raw(work.spark, table, days.first, days.last)
    # Counted before the split, in the same pass: it does not know of the split.
    counted = Counts(raw, F.count(F.lit(1)).alias("rows"))
    aside = Counts(
        _received(work, source, table, counted.passing, raw),
        F.count(F.lit(1)).alias("rows"),
        *set_aside_counts(contract),
        *money_counts(contract, ingest.WORTH, F.col(IS_LEFT_OUT)),
    )
    quarantine = lakehouse.replace_all(
        Contract.load(quarantine_of(table)), ingest.rejected(aside.passing, contract)
    )
    raw_rows = int(counted.get["rows"])
    set_aside = _set_aside(contract, aside.get)
    money = {
        name: str(aside.get[name] or 0)
        for name in ("money", "money_refused", "worth_unknown")
        if name in aside.get
    }
    # Bronze last: its note says that both are done.
    bronze = lakehouse.replace_all(
        contract,
        ingest.accepted(_received(work, source, table, raw), contract),
        note=json.dumps(
            {"extract": print_now, "raw": raw_rows, "set_aside": set_aside, "money": money}
        ),
    )
    counts, reasons = _whole(work, table, raw_rows), _all_reasons(work, table)
    dropped = settled(reasons)
    return BronzeLoaded(
        bronze,
        quarantine,
        counts,
        reasons,
        dropped=dropped,
        set_aside=set_aside,
        left_out=left_out(money, counts[WHOLE].quarantined - dropped, raw_rows),
    )


def _set_aside(contract: Contract, observed: Mapping[str, Any]) -> dict[str, int]:
    """Of what was observed, the values set aside by reason; only reasons that occurred."""
    return {name: int(observed[name]) for name in set_aside_reasons(contract) if observed.get(name)}


def _extract_print(source: Source, table: str, contract: Contract, edits: str, year: int) -> str:
    stated = f"{source.fingerprint(table)}\n{contract!r}{edits}"
    if any(PLAUSIBLE in column.properties for column in contract.columns):
        # What was too far ahead is so no more: read again before its day comes.
        stated += f"\n{year}"
    return hashlib.sha256(stated.encode()).hexdigest()


def _whole(work: Workspace, table: str, raw_rows: int) -> dict[str, DeliveryCount]:
    lakehouse = work.lakehouse
    bronze, quarantined = lakehouse.rows(f"bronze/{table}"), lakehouse.rows(quarantine_of(table))
    return {WHOLE: DeliveryCount(raw_rows, bronze, quarantined)}


def _raw_rows_by_day(raw: DataFrame) -> dict[date, int]:
    rows = raw.groupBy(DELIVERY_DAY).agg(F.count(F.lit(1))).collect()
    return {row[0]: row[1] for row in rows}


# What a daily delivery wrote is counted in the files, by another engine than wrote them.


def _has_rows(work: Workspace, table: str, days: DayRange) -> bool:
    query = f"SELECT count(*) FROM rows WHERE {days_predicate(DELIVERY_DAY, list(days))}"
    ((exists,),) = work.tables.ask(query, rows=table)
    return bool(exists)


def _rows_by_day(work: Workspace, table: str, days: DayRange) -> dict[date, int]:
    within = days_predicate(DELIVERY_DAY, list(days))
    query = f"SELECT {DELIVERY_DAY}, count(*) FROM rows WHERE {within} GROUP BY ALL"
    return dict(work.tables.ask(query, rows=table))


def _reasons(work: Workspace, table: str, where: str) -> dict[str, int]:
    query = f"""
        WITH each AS (SELECT unnest(reasons) AS reason FROM rows WHERE {where})
        SELECT reason, count(*) FROM each GROUP BY ALL ORDER BY ALL
    """
    return dict(work.tables.ask(query, rows=table))


def _all_reasons(work: Workspace, table: str) -> dict[str, int]:
    quarantine = quarantine_of(table)
    return _reasons(work, quarantine, "true") if work.lakehouse.rows(quarantine) else {}
