"""Bronze kept equal to a table that changes in place, and quarantine with it.

A poll of the source gives either all its rows, which replace the table, or those that may have
changed, which are merged by key. Where the source stood is a note of the commit that brought
bronze there, so a run that was killed looks again from where the last whole one stood. The note
also names the event dates that changed: silver makes those days again, whatever days it is asked.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping
from datetime import date
from typing import Any

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze import changes as bronze_changes
from customer360.bronze import ingest
from customer360.bronze.edits import IS_LEFT_OUT
from customer360.contracts import Contract
from customer360.contracts.checks import money_counts, set_aside_counts, set_aside_reasons
from customer360.contracts.reasons import DELETED
from customer360.contracts.spark import table_schema, with_absent_columns
from customer360.contracts.sql import quoted
from customer360.errors import SettingsError, listed
from customer360.lakehouse.delta_log import Commit
from customer360.pipeline.bronze_accounts import (
    WHOLE,
    BronzeLoaded,
    DeliveryCount,
    left_out,
    settled,
)
from customer360.pipeline.edited_rows import edits_of, edits_print
from customer360.pipeline.forgotten import forgotten_of
from customer360.pipeline.workspace import Workspace, days_note, newest_note
from customer360.sources.base import ChangingSource, Poll
from customer360.table_names import quarantine_of


def follow_changes(work: Workspace, source: ChangingSource, table: str) -> BronzeLoaded:
    """Bring bronze table ``table`` and its quarantine up to the source as it is now.

    Raises:
        SettingsError: What should tell rows apart does not.
        DatabaseSourceError: The database cannot be read as its mapping says.
    """
    step = _Step(work, source, table)
    seen = step.known.get("seen")
    if seen is not None:
        with source.poll(work.spark, table, seen) as poll:
            loaded = step.load(poll)
        if loaded is not None:
            return loaded
    with source.poll(work.spark, table, None) as poll:
        loaded = step.load(poll)
    assert loaded is not None
    return loaded


class _Step:
    """One table's loading; reads what is there, writes quarantine, then bronze."""

    def __init__(self, work: Workspace, source: ChangingSource, table: str) -> None:
        self.work = work
        self.source = source
        self.table = table
        self.contract: Contract = source.contract(table)
        self.key = source.key(table)
        self.bronze, self.quarantine = f"bronze/{table}", quarantine_of(table)
        edits = edits_print(work, table)
        stated = f"{source.fingerprint(table)}\n{self.contract!r}{edits}"
        self.definition = hashlib.sha256(stated.encode()).hexdigest()
        self.known = self._known()
        self.set_aside: Mapping[str, int] = {}
        self.money: Mapping[str, Any] = {}

    def load(self, poll: Poll) -> BronzeLoaded | None:
        """Load what ``poll`` holds; None when rows came to light that only a whole poll reads."""
        work = self.work
        received = ingest.received(
            poll.raw,
            self.contract,
            ingested_at=work.started_at,
            run_id=work.run_id,
            edits=edits_of(work, self.table),
            people=self.source.person_columns(self.table),
            forgotten=forgotten_of(work, self.source),
        ).persist()  # read once, under the load's own state, for all that follows
        try:
            self._check_key(received)
            self._count_set_aside(received)
            if poll.whole:
                return self._replace(poll, received)
            if poll.keys is not None and self._unseen(poll.keys, received):
                return None
            return self._merge(poll, received)
        finally:
            received.unpersist()

    def _known(self) -> Mapping[str, Any]:
        """What the newest load noted; nothing when something else was read then.

        Nor for a table of an older release, which has fewer columns: it is made anew.
        """
        lakehouse = self.work.lakehouse
        if lakehouse.exists(self.bronze):
            stored = {field.name for field in lakehouse.open(self.bronze).schema().fields}
            if not stored.issuperset(table_schema(self.contract).names):
                return {}
        known = newest_note(lakehouse, self.bronze, "definition")
        return known if known is not None and known["definition"] == self.definition else {}

    def _check_key(self, received: DataFrame) -> None:
        if not self.key:
            return
        counts = self._keys(received).groupBy(*self._quoted_key).count()
        repeated = counts.where("count > 1").count()
        if repeated:
            raise SettingsError(
                f"source {self.source.name}: {repeated} values of {listed(self.key)} stand on more "
                f"than one row of {self.table}; name the columns that tell rows apart under `key` "
                "in its mapping"
            )

    def _count_set_aside(self, received: DataFrame) -> None:
        money = money_counts(self.contract, ingest.WORTH, F.col(IS_LEFT_OUT))
        counts = (*set_aside_counts(self.contract), *money)
        counted = received.agg(*counts).first() if counts else None
        values = counted.asDict() if counted is not None else {}
        names = set_aside_reasons(self.contract)
        self.set_aside = {name: int(values[name]) for name in names if values.get(name)}
        self.money = values

    def _unseen(self, keys: DataFrame, received: DataFrame) -> bool:
        """Whether the source has rows that no poll has read: older than their watermark says."""
        seen = self._keys(self.work.lakehouse.read(self.bronze)).unionByName(self._keys(received))
        strange = keys.join(seen, list(self.key), "left_anti")
        quarantine = self.work.lakehouse.read(self.quarantine)
        waiting = bronze_changes.without(
            quarantine.where(f"NOT {bronze_changes.is_deleted()}"), strange, how="left_semi"
        )
        return strange.count() > waiting.count()

    def _replace(self, poll: Poll, received: DataFrame) -> BronzeLoaded:
        lakehouse = self.work.lakehouse
        accepted = ingest.accepted(received, self.contract)
        days: set[date] = set()
        old = lakehouse.read(self.bronze) if lakehouse.exists(self.bronze) else None
        if old is not None:
            days = bronze_changes.differing_days(old, accepted)
        gone = None
        if self._finds_gone(old):
            assert old is not None
            gone = self._whole(old).join(self._keys(received), list(self.key), "left_anti")
        quarantine = self._write_quarantine(received, gone, kept=bronze_changes.is_deleted())
        written = None
        if days or not self.known:
            written = lakehouse.replace_all(self.contract, accepted, note=self._note(poll, days))
        return self._loaded(written, quarantine, poll.rows, None)

    def _finds_gone(self, old: DataFrame | None) -> bool:
        """Whether a whole poll shows which rows of bronze the source has no more.

        Also after an edit or a change of the mapping, as long as rows are told apart as before.
        """
        if not self.key or not self.source.finds_deleted or old is None:
            return False
        return set(self.key) <= set(old.columns)

    def _whole(self, old: DataFrame) -> DataFrame:
        """Bronze as it was, with the columns that it has now: null where it had none."""
        return with_absent_columns(old, self.contract)

    def _merge(self, poll: Poll, received: DataFrame) -> BronzeLoaded:
        lakehouse = self.work.lakehouse
        changes = bronze_changes.changes(
            received, self.contract, self.key, lakehouse.read(self.bronze), poll.keys
        ).persist()
        try:
            days = {
                day
                for column in ("_event_date", "_was_on")
                for (day,) in changes.select(column).distinct().collect()
                if day is not None
            }
            gone = changes.where(F.col("_gone") == DELETED)
            quarantine = self._write_quarantine(received, gone, kept="true", present=poll.keys)
            written = None
            if days:  # every bronze row has one: without a day there is no change to note
                names = [field.name for field in table_schema(self.contract).fields]
                written = lakehouse.merge(
                    self.contract,
                    changes,
                    bronze_changes.merge_clauses(self.key, names),
                    note=self._note(poll, days),
                    copied=True,
                )
        finally:
            changes.unpersist()
        if poll.keys is not None:
            return self._loaded(written, quarantine, poll.keys.count(), None)
        return self._loaded(written, quarantine, poll.rows, received)

    def _write_quarantine(
        self,
        received: DataFrame,
        gone: DataFrame | None,
        *,
        kept: str,
        present: DataFrame | None = None,
    ) -> Commit:
        """Put the rejected rows, and those that are gone, in place of what was known of them."""
        work, name = self.work, self.quarantine
        rows = ingest.rejected(received, self.contract, self.source.key_of_nobody(self.table))
        settled = self._keys(received) if self.key else None
        if gone is not None and settled is not None:
            rows = rows.unionByName(
                bronze_changes.deleted(
                    gone, self.contract, ingested_at=work.started_at, run_id=work.run_id
                )
            )
            settled = settled.unionByName(self._keys(gone))
        if settled is not None and work.lakehouse.exists(name):
            old = work.lakehouse.read(name).where(kept)
            if present is not None:  # a broken row that the source has no more
                broken = old.where(f"NOT {bronze_changes.is_deleted()}")
                still = bronze_changes.without(broken, present, how="left_semi")
                old = old.where(bronze_changes.is_deleted()).unionByName(still)
            again = rows.select("_row_hash").distinct()
            old = bronze_changes.without(old, settled).join(again, "_row_hash", "left_anti")
            shared = [column for column in rows.columns if column in old.columns]
            rows = rows.unionByName(old.select(*shared), allowMissingColumns=True)
        return work.lakehouse.replace_all(Contract.load(name), rows)

    def _loaded(
        self,
        written: Commit | None,
        quarantine: Commit,
        raw: int,
        batch: DataFrame | None,
    ) -> BronzeLoaded:
        """The accounting: of the whole table, or of the ``batch`` where only that was counted."""
        lakehouse = self.work.lakehouse
        bronze = lakehouse.read(self.bronze)
        in_quarantine = lakehouse.read(self.quarantine)
        by_reasons = in_quarantine.groupBy("reasons").count().collect()
        reasons: Counter[str] = Counter()
        for row in by_reasons:
            reasons.update(dict.fromkeys(row["reasons"], row["count"]))
        deleted = reasons[DELETED]
        quarantined = sum(row["count"] for row in by_reasons) - deleted
        if batch is not None:
            quarantined = batch.where(~ingest.kept(self.contract)).count()
            own = [*self._quoted_key, "_row_hash"]
            bronze = bronze.join(batch.select(*own), [*self.key, "_row_hash"], "left_semi")
        count = DeliveryCount(raw, bronze.count(), quarantined)
        return BronzeLoaded(
            written,
            quarantine,
            {WHOLE: count},
            dict(sorted(reasons.items())),
            deleted,
            settled(reasons),
            self.set_aside,
            left_out(self.money, quarantined - settled(reasons), raw),
        )

    def _note(self, poll: Poll, days: set[date]) -> str:
        return days_note(days, definition=self.definition, seen=poll.watermark)

    @property
    def _quoted_key(self) -> list[str]:
        return [quoted(name) for name in self.key]

    def _keys(self, rows: DataFrame) -> DataFrame:
        """The keys of ``rows`` that have one."""
        return rows.select(*self._quoted_key).dropna()
