"""Which rows of bronze and of its quarantine are some people's."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from functools import reduce

import pyarrow as pa
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.bronze import forgetting
from customer360.bronze.forgetting import (
    BETWEEN_WORDS,
    HASH,
    TELLING,
    Forgotten,
    identifier_hash,
)
from customer360.contracts.reasons import FORGOTTEN_PERSON
from customer360.contracts.spark import from_arrow, with_absent_columns
from customer360.pipeline.forgotten import forgotten_secret
from customer360.pipeline.workspace import Workspace
from customer360.privacy.people import Person
from customer360.sources.base import Source
from customer360.sources.people import CUSTOMER, PersonColumns
from customer360.table_names import EDITS, quarantine_of

IS_THEIRS = forgetting.FORGOTTEN
"""Column that says of a row whether it is one of the people's."""

_BLANKS = re.compile(r"\s")
_ROUNDS = 4
"""Tables that an identifier may lead over; no source has as many."""

_NAMED = "__named"


def tables_of_people(source: Source) -> Iterator[tuple[str, PersonColumns]]:
    """Bronze tables of ``source`` whose rows are about people, and how."""
    for table in source.tables:
        people = source.person_columns(table)
        if people.links:
            yield table, people


def people_by_source(work: Workspace, people: Sequence[Person]) -> dict[str, Forgotten]:
    """``people`` as `accepted` and `refused` take them, by the source that they are of.

    Their ids lead to what else is theirs: the customer of an order to the order, the order to its
    lines. It takes several looks at bronze; the hashes that come of it are persisted.
    """
    secret = forgotten_secret(work.deployment.settings)
    whose = {}
    for source in work.deployment.sources:
        ids = [person.source_customer_id for person in people if person.source == source.name]
        if ids:
            hashes = _identifiers(work, source, ids, secret)
            whose[source.name] = Forgotten(source.name, hashes, secret, keep_sales=True)
    return whose


def _identifiers(work: Workspace, source: Source, ids: Sequence[str], secret: bytes) -> DataFrame:
    """Hashes of all that identifies customers with these ``ids``, each once."""
    named = texts_frame(work.spark, "id", ids)
    hashes = named.select(identifier_hash(source.name, CUSTOMER, F.col("id"), secret).alias(HASH))
    known = 0
    for _ in range(_ROUNDS):
        led = (frame.toDF(HASH) for frame in _leads(work, source, hashes, secret))
        hashes = reduce(DataFrame.unionByName, led, hashes)
        hashes = hashes.where(F.col(HASH).isNotNull()).distinct().persist()
        before, known = known, hashes.count()
        if known == before:
            break
    return hashes


def _leads(
    work: Workspace, source: Source, hashes: DataFrame, secret: bytes
) -> Iterator[DataFrame]:
    """Hashes of what rows of people with these ``hashes`` lead to."""
    whose = Forgotten(source.name, hashes, secret, keep_sales=True)
    for table, people in tables_of_people(source):
        if people.leads and work.lakehouse.exists(f"bronze/{table}"):
            theirs = accepted(work, source, table, people, whose).where(IS_THEIRS)
            for kind, value in people.leads.items():
                yield theirs.select(identifier_hash(source.name, kind, value, secret))


def accepted(
    work: Workspace, source: Source, table: str, people: PersonColumns, whose: Forgotten
) -> DataFrame:
    """Bronze table ``table``, with the columns that its contract has now, and `IS_THEIRS`."""
    rows = work.lakehouse.read(f"bronze/{table}")
    return forgetting.marked(with_absent_columns(rows, source.contract(table)), people, whose)


def refused(
    work: Workspace,
    source: Source,
    table: str,
    people: PersonColumns,
    whose: Forgotten,
    words: Collection[str],
) -> DataFrame:
    """The quarantine of bronze table ``table`` with `IS_THEIRS`.

    A row that says whose it is, is judged by that; any other by the texts in it.

    Args:
        work: Where.
        source: Whose table it is.
        table: The bronze table, without its layer.
        people: How its rows are about people.
        whose: The people.
        words: Texts that name them: those with blanks are left out, for names are several people's.
    """
    rows = work.lakehouse.read(quarantine_of(table))
    judged = told_by_texts(rows, source, table, people, whose, words, stated="raw", line="raw")
    left = ~F.array_contains("reasons", FORGOTTEN_PERSON)
    return judged.withColumn(IS_THEIRS, F.col(IS_THEIRS) & left)


def says_of_what_row(table: str) -> Column:
    """Whether a row of ``quarantine/edits`` says which row of ``table`` it is of."""
    return (F.col("table") == table) & (F.col("delivered").isNotNull() | F.col("line").isNotNull())


def edited(
    work: Workspace,
    source: Source,
    table: str,
    people: PersonColumns,
    whose: Forgotten,
    words: Collection[str],
) -> DataFrame:
    """Edits of rows of bronze table ``table`` that say which row they are of, with `IS_THEIRS`.

    The arguments are those of `refused`.
    """
    edits = work.lakehouse.read(EDITS).where(says_of_what_row(table))
    return told_by_texts(
        edits, source, table, people, whose, words, stated="delivered", line="line"
    )


def told_by_texts(
    rows: DataFrame,
    source: Source,
    table: str,
    people: PersonColumns,
    whose: Forgotten,
    words: Collection[str],
    *,
    stated: str,
    line: str,
) -> DataFrame:
    """``rows`` that hold rows of bronze table ``table`` as text, with `IS_THEIRS`.

    Args:
        rows: They.
        source: Whose table it is.
        table: The bronze table, without its layer.
        people: How its rows are about people.
        whose: The people.
        words: As for `refused`.
        stated: Column with a row as JSON.
        line: Column with a line that could not be split; it may be the same.
    """
    own = rows.columns
    # The columns of ``rows`` are spelt apart from those of the rows in them.
    apart = rows.select(*(F.col(name).alias(f"__own_{name}") for name in own)).withColumns(
        {
            name: F.get_json_object(f"__own_{stated}", f"$['{name}']")
            for name in source.contract(table).column_names
        }
    )
    judged = forgetting.marked(apart, people, whose)
    customer = people.links.get(CUSTOMER)
    says = F.lit(False) if customer is None else customer.isNotNull()
    told = judged.withColumn("__says_whose", says).select(
        *(F.col(f"__own_{name}").alias(name) for name in own), IS_THEIRS, "__says_whose"
    )
    named = saying(rows.select(line), F.col(line), words).distinct()
    by_words = ~F.col("__says_whose") & F.coalesce(_NAMED, F.lit(False))
    return (
        told.join(named.withColumn(_NAMED, F.lit(True)), line, "left")
        .withColumn(IS_THEIRS, F.col(IS_THEIRS) | by_words)
        .select(*own, IS_THEIRS)
    )


def saying(rows: DataFrame, text: Column, words: Collection[str]) -> DataFrame:
    """Those of ``rows`` in whose ``text`` one of ``words`` that has no blanks stands as a whole."""
    wanted = texts_frame(rows.sparkSession, "__word", telling(words))
    tokens = F.explode(F.array_distinct(F.split(F.lower(text), BETWEEN_WORDS)))
    each = rows.select(*rows.columns, tokens.alias("__word"))
    return each.join(F.broadcast(wanted), "__word", "left_semi").select(*rows.columns)


def telling(words: Collection[str]) -> set[str]:
    """Those of ``words``, in small letters, by which a line is somebody's.

    Names are several people's, and short texts stand for much else.
    """
    return {word.lower() for word in words if len(word) >= TELLING and not _BLANKS.search(word)}


def texts_frame(spark: SparkSession, name: str, texts: Collection[str]) -> DataFrame:
    """A frame of one column of texts, each once."""
    # From Arrow: of Python's values Spark would ask a process of Python's for each task.
    return from_arrow(spark, pa.table({name: pa.array(sorted(set(texts)), pa.string())}))
