"""Forgetting people in the lakehouse's tables: from bronze, where all others come from, to gold."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.bronze import forgetting
from customer360.bronze.edits import IS_LEFT_OUT, ROW_HASH
from customer360.bronze.forgetting import FORGOTTEN as IS_FORGOTTEN
from customer360.bronze.forgetting import HASH, Forgotten, identifier_hash
from customer360.bronze.ingest import NOTHING_LEFT
from customer360.contracts import Contract
from customer360.contracts.checks import CORRUPT_RECORD, violation_columns
from customer360.contracts.contract import packaged_tables
from customer360.contracts.reasons import FORGOTTEN_PERSON
from customer360.contracts.spark import table_schema
from customer360.contracts.sql import quoted
from customer360.days import DayRange
from customer360.gold.snapshots import snapshot_tables
from customer360.pipeline.bronze_accounts import DELIVERY_DAY
from customer360.pipeline.forgotten import forgotten_of, forgotten_secret
from customer360.pipeline.load_silver import (
    load_customer_days,
    load_customer_history,
    load_customers,
    load_transactions,
)
from customer360.pipeline.make_gold import make_business_health, make_snapshots, snapshot_dates
from customer360.pipeline.stale_snapshots import (
    NOTED,
    changed_since,
    days_digests,
    digests_note,
    digests_noted,
)
from customer360.pipeline.workspace import Workspace, days_note
from customer360.privacy.journal import Erasure
from customer360.privacy.people import Person
from customer360.sources.base import ChangingSource, Source
from customer360.sources.people import CUSTOMER, PersonColumns
from customer360.table_names import (
    AS_OF,
    CUSTOMERS,
    EDITS,
    FORGOTTEN,
    HEALTH,
    HISTORY,
    REJECTED,
    TRANSACTIONS,
    quarantine_of,
)

_KEY = "customer_key"
_TELLING = 4
"""Characters from which a text in a line that cannot be split tells whose it is."""

_BLANKS = re.compile(r"\s")
_BETWEEN_WORDS = r"[^\p{L}\p{N}@._+-]+"
_ROUNDS = 4
"""Tables a person's identifier may lead over; no source has as many."""


def tables_of_people(source: Source) -> Iterator[tuple[str, PersonColumns]]:
    """Bronze tables of ``source`` whose rows are about people, and how."""
    for table in source.tables:
        people = source.person_columns(table)
        if people.links:
            yield table, people


def know_again(work: Workspace, erasure: Erasure) -> None:
    """Put hashes of all that identifies the people into ``quarantine/forgotten``.

    From then on no load brings them in. Their ids lead to what else is theirs: the customer of an
    order to the order, the order to its lines.
    """
    secret = forgotten_secret(work.deployment.settings)
    for source in work.deployment.sources:
        ids = [(p.source_customer_id,) for p in erasure.people if p.source == source.name]
        if not ids:
            continue
        named = work.spark.createDataFrame(ids, "id string")
        _remember(
            work, erasure, named.select(identifier_hash(source.name, CUSTOMER, F.col("id"), secret))
        )
        for _ in range(_ROUNDS):
            before = work.lakehouse.rows(FORGOTTEN)
            for led in _leads(work, source):
                _remember(work, erasure, led)
            if work.lakehouse.rows(FORGOTTEN) == before:
                break


def _leads(work: Workspace, source: Source) -> Iterator[DataFrame]:
    """Hashes of what rows of people who are to be forgotten lead to."""
    forgotten = forgotten_of(work, source)
    assert forgotten is not None
    for table, people in tables_of_people(source):
        if not people.leads or not work.lakehouse.exists(f"bronze/{table}"):
            continue
        rows = forgetting.marked(_bronze(work, source, table), people, forgotten)
        theirs = rows.where(IS_FORGOTTEN)
        for kind, value in people.leads.items():
            yield theirs.select(identifier_hash(source.name, kind, value, forgotten.secret))


def _remember(work: Workspace, erasure: Erasure, hashes: DataFrame) -> None:
    rows = (
        hashes.toDF(HASH)
        .where(F.col(HASH).isNotNull())
        .distinct()
        .withColumns(
            {
                "erasure": F.lit(erasure.id),
                "forgotten_at": F.timestamp_seconds(F.lit(erasure.started_at.timestamp())),
            }
        )
    )
    work.lakehouse.merge(
        Contract.load(FORGOTTEN),
        rows,
        f"ON target.{HASH} = source.{HASH} WHEN NOT MATCHED THEN INSERT *",
        copied=True,
    )


def _bronze(work: Workspace, source: Source, table: str) -> DataFrame:
    """A bronze table with the columns that its contract has now."""
    frame = work.lakehouse.read(f"bronze/{table}")
    fields = table_schema(source.contract(table)).fields
    absent = {f.name: F.lit(None).cast(f.dataType) for f in fields if f.name not in frame.columns}
    return frame.withColumns(absent) if absent else frame


def known_of(work: Workspace, erasure: Erasure) -> Erasure:
    """``erasure`` with the texts that name its people, and the files of others they stand in.

    Asked before anything goes: of bronze, where every state of a profile that came stands.
    """
    words: set[str] = set()
    files: set[str] = set()
    for person in erasure.people:
        words |= {person.customer_key, person.source_customer_id}
    for source in work.deployment.sources:
        forgotten = forgotten_of(work, source)
        if forgotten is None:
            continue
        for table, people in tables_of_people(source):
            if not work.lakehouse.exists(f"bronze/{table}"):
                continue
            contract = source.contract(table)
            named = [quoted(name) for name in {*contract.personal_columns, *people.keys}]
            theirs = forgetting.marked(_bronze(work, source, table), people, forgotten).where(
                IS_FORGOTTEN
            )
            rows = theirs.select("_source_file", *named).distinct().collect()
            files |= {f"{source.name}: {row[0]}" for row in rows}
            words |= {str(text).strip() for row in rows for text in row[1:] if text is not None}
    words |= _of_silver(work, erasure)
    return erasure.knowing({word for word in words if word}, files)


def _of_silver(work: Workspace, erasure: Erasure) -> set[str]:
    words: set[str] = set()
    for table in (CUSTOMERS, HISTORY):
        if not work.lakehouse.exists(table):
            continue
        names = [*Contract.load(table).personal_columns]
        rows = work.lakehouse.read(table).join(_keys(work, erasure.people), _KEY, "left_semi")
        for row in rows.select(*(F.col(quoted(name)).cast("string") for name in names)).collect():
            words |= {text for text in row if text}
    return words


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
            for name, count in (
                (
                    f"bronze/{table}",
                    _forget_accepted(work, source, table, people, forgotten, erasure),
                ),
                (
                    quarantine_of(table),
                    _forget_refused(work, source, table, people, forgotten, erasure),
                ),
            ):
                rows[name] = rows.get(name, 0) + count
    if work.lakehouse.exists(EDITS):
        said = F.concat_ws(" ", "delivered", "line", "changes")
        rows[EDITS] = _without(work, EDITS, _saying(work, EDITS, said, _words_in_rows(erasure)))
    return {name: count for name, count in rows.items() if count}


def _forget_accepted(
    work: Workspace,
    source: Source,
    table: str,
    people: PersonColumns,
    forgotten: Forgotten,
    erasure: Erasure,
) -> int:
    """Bronze rows become sales of nobody, or lines of quarantine without content."""
    lakehouse, contract, name = work.lakehouse, source.contract(table), f"bronze/{table}"
    if not lakehouse.exists(name):
        return 0
    rows = forgetting.marked(_bronze(work, source, table), people, forgotten)
    when = DELIVERY_DAY if source.delivery(table) == "daily" else "_event_date"
    counted = rows.where(IS_FORGOTTEN).groupBy(when).count().collect()
    count = sum(row["count"] for row in counted)
    if not count:
        return 0
    days = sorted(row[0] for row in counted if row[0] is not None)
    if when == DELIVERY_DAY:
        rows = rows.where(F.col(DELIVERY_DAY).isin(days))
    # What is in bronze was split, and keeps every rule.
    accepted = {
        CORRUPT_RECORD: F.lit(None).cast("string"),
        IS_LEFT_OUT: F.lit(False),
        **{mask: F.lit(0).cast("bigint") for mask in violation_columns(contract)},
    }
    blank = forgetting.blanked(rows.withColumns(accepted), contract, people, forgotten)
    quarantine = Contract.load(quarantine_of(table))
    run = f"forget {erasure.id}"
    gone = blank.where(IS_LEFT_OUT).select(
        DELIVERY_DAY,
        F.array(F.lit(FORGOTTEN_PERSON)).alias("reasons"),
        _raw_of_nobody(source, table).alias("raw"),
        "_source_file",
        "_ingested_at",
        ROW_HASH,
        F.lit(run).alias("run_id"),
        *(F.lit(None).cast(kind).alias(mark) for mark, kind in _MARKS.items()),
    )
    # Quarantine first: rows are in both until bronze is written, and what is repeated finds them.
    if not people.profile and forgotten.keep_sales:
        gone = gone.where(F.lit(False))
    elif lakehouse.exists(quarantine.table):
        others = lakehouse.read(quarantine.table).where(F.col("run_id") != run)
        gone = others.unionByName(gone, allowMissingColumns=True)
    if people.profile or not forgotten.keep_sales:
        lakehouse.replace_all(quarantine, gone)
    stay = blank.where(~F.col(IS_LEFT_OUT)).select(
        *(quoted(each) for each in (*table_schema(contract).names, *violation_columns(contract)))
    )
    if when == DELIVERY_DAY:
        lakehouse.replace_days(contract, stay, DELIVERY_DAY, days, note=days_note(days))
    else:
        lakehouse.replace_all(contract, stay, note=days_note(days))
    return count


_MARKS = {"_edited_row": "bigint", "_edited_by": "string", "_edited_at": "timestamp"}


def _raw_of_nobody(source: Source, table: str) -> Column:
    """What quarantine has of a row: nothing, but the key by which a changing table finds it."""
    if not isinstance(source, ChangingSource) or not source.key(table):
        return F.lit(NOTHING_LEFT)
    key = F.struct(*(quoted(name) for name in source.key(table)))
    return F.to_json(key, {"ignoreNullFields": "false"})


def _forget_refused(
    work: Workspace,
    source: Source,
    table: str,
    people: PersonColumns,
    forgotten: Forgotten,
    erasure: Erasure,
) -> int:
    """Rows of a quarantine that are the people's say nothing any more.

    A row that says whose it is, is judged by that; any other by the texts in it.
    """
    lakehouse, name = work.lakehouse, quarantine_of(table)
    if not lakehouse.exists(name):
        return 0
    contract = source.contract(table)
    stored = lakehouse.read(name)
    texts = {
        each: F.get_json_object("raw", f"$['{each}']").alias(each) for each in contract.column_names
    }
    own = stored.columns
    renamed = stored.select(*(F.col(each).alias(f"__{each}") for each in own))
    told = forgetting.marked(
        renamed.withColumns(
            {each: F.get_json_object("__raw", f"$['{each}']") for each in contract.column_names}
        ),
        people,
        forgotten,
    )
    says_whose = F.coalesce(
        *(value.isNotNull() for kind, value in people.links.items() if kind == CUSTOMER),
        F.lit(False),
    )
    judged = told.withColumn("__whose", says_whose).drop(*texts)
    named = _saying(work, name, F.col("raw"), _words_in_rows(erasure)).select(
        F.col("raw").alias("__raw"), F.lit(True).alias("__named")
    )
    settled = F.array_contains("__reasons", FORGOTTEN_PERSON)
    theirs = (
        F.col(IS_FORGOTTEN) | (~F.col("__whose") & F.coalesce("__named", F.lit(False)))
    ) & ~settled
    marked = judged.join(named.distinct(), "__raw", "left").withColumn("__theirs", theirs)
    count = marked.where("__theirs").count()
    if not count:
        return 0
    instead = {
        "raw": F.lit(NOTHING_LEFT),
        "reasons": F.array(F.lit(FORGOTTEN_PERSON)),
        "_row_hash": F.lit(None).cast("bigint"),
        **{mark: F.lit(None).cast(kind) for mark, kind in _MARKS.items() if mark in own},
    }
    rows = marked.select(
        *(
            F.when(F.col("__theirs"), instead[each]).otherwise(F.col(f"__{each}")).alias(each)
            if each in instead
            else F.col(f"__{each}").alias(each)
            for each in own
        )
    )
    absent = {mark: F.lit(None).cast(kind) for mark, kind in _MARKS.items() if mark not in own}
    lakehouse.replace_all(Contract.load(name), rows.withColumns(absent) if absent else rows)
    return count


def _words_in_rows(erasure: Erasure) -> list[str]:
    """Texts by which a line is somebody's: not names, which several people may have."""
    return [
        word.lower() for word in erasure.words if len(word) >= _TELLING and not _BLANKS.search(word)
    ]


def _saying(work: Workspace, table: str, text: Column, words: Collection[str]) -> DataFrame:
    """Rows of ``table`` in whose ``text`` one of ``words`` stands as a whole."""
    wanted = work.spark.createDataFrame([(word,) for word in words], "__word string")
    tokens = F.explode(F.array_distinct(F.split(F.lower(text), _BETWEEN_WORDS)))
    rows = work.lakehouse.read(table)
    each = rows.select(*rows.columns, tokens.alias("__word"))
    return each.join(F.broadcast(wanted), "__word", "left_semi").select(*rows.columns)


def _without(work: Workspace, table: str, rows: DataFrame) -> int:
    """Take ``rows`` out of ``table``, which has a primary key; how many they were."""
    contract = Contract.load(table)
    key = list(contract.primary_key)
    theirs = rows.select(*map(quoted, key)).distinct()
    count = theirs.count()
    if count:
        others = work.lakehouse.read(table).join(theirs, key, "left_anti")
        work.lakehouse.replace_all(contract, others)
    return count


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
    keys = _keys(work, erasure.people)
    for table in (CUSTOMERS, HISTORY):
        if not work.lakehouse.exists(table):
            continue
        left = work.lakehouse.read(table).join(keys, _KEY, "left_semi")
        if not left.isEmpty():
            work.lakehouse.replace_groups(Contract.load(table), left.where(F.lit(False)), keys)
    if work.lakehouse.exists(REJECTED):
        stays = work.lakehouse.read(REJECTED)
        key = F.get_json_object("raw", f"$.{_KEY}")
        theirs = stays.withColumn("__key", key).join(
            keys.withColumnRenamed(_KEY, "__key"), "__key", "left_semi"
        )
        if not theirs.isEmpty():
            others = stays.withColumn("__key", key).join(
                keys.withColumnRenamed(_KEY, "__key"), "__key", "left_anti"
            )
            work.lakehouse.replace_all(Contract.load(REJECTED), others.drop("__key"))


Fresh = Mapping[str, Collection[date]]
"""By table, the snapshots that are made of the days as they are."""


def fresh_snapshots(work: Workspace) -> Fresh:
    """The snapshots that are not stale, of the tables that note what theirs are made of."""
    fresh = {}
    for table in NOTED:
        made_of = digests_noted(work.tables, table) if work.lakehouse.exists(table) else {}
        stale = changed_since(made_of, days_digests(work.tables, made_of))
        fresh[table] = set(made_of) - set(stale)
    return fresh


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
    lakehouse, keys = work.lakehouse, _keys(work, erasure.people)
    rows: dict[str, int] = {}
    for table in packaged_tables():
        if not table.startswith("gold/") or not lakehouse.exists(table):
            continue
        contract = Contract.load(table)
        if contract.partition_by != AS_OF:
            continue
        if _KEY not in contract.column_names:
            if table in snapshot_tables():
                make_snapshots(work, table, snapshot_dates(work, table))
            continue
        theirs = lakehouse.read(table).join(F.broadcast(keys), _KEY, "left_semi")
        counted = theirs.groupBy(AS_OF).count().collect()
        dates = sorted(row[AS_OF] for row in counted)
        if dates:
            others = lakehouse.read_days(table, AS_OF, dates)
            stay = others.join(F.broadcast(keys), _KEY, "left_anti")
            note = _snapshots_note(work, table, dates, fresh)
            lakehouse.replace_days(contract, stay, AS_OF, dates, note=note)
        rows[table] = sum(row["count"] for row in counted)
    return {name: count for name, count in rows.items() if count}


def _snapshots_note(work: Workspace, table: str, dates: Sequence[date], fresh: Fresh) -> str:
    if table not in NOTED:
        return days_note(dates)
    made_of = digests_noted(work.tables, table)
    now = days_digests(work.tables, made_of)
    # Of a stale one, what it was made of: it stays stale.
    kept = {day: now[day] if day in fresh[table] else of for day, of in made_of.items()}
    return digests_note(dates, kept, kept)


def _keys(work: Workspace, people: Sequence[Person]) -> DataFrame:
    return work.spark.createDataFrame([(p.customer_key,) for p in people], f"{_KEY} string")
