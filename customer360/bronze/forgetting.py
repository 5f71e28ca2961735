"""Rows of people who are to be forgotten: known by a keyed hash, kept without the person or not.

A row is such a person's where an identifier in it has a hash that ``quarantine/forgotten`` holds.
What it says of the person goes. A sale stays, if the deployment wants its money, as one of nobody:
its numbers, dates and states; the texts that tell orders and their lines apart become keyed hashes,
so that a refund finds its order, a repeat its first, and two lines stay two; all other texts go,
because anything may stand in them. Whatever else there is of the person is a line in quarantine
without content, so that every row received stays accounted for.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze.edits import IS_LEFT_OUT, MARKS, ROW_HASH, row_hash
from customer360.contracts import Column, Contract
from customer360.contracts.checks import (
    CORRUPT_RECORD,
    RULES_A_MASK,
    keeps_every_rule,
    rules,
    typed_value,
    violation_columns,
)
from customer360.contracts.sql import quoted
from customer360.silver.keys import (
    TELLING_APART,
    TELLING_APART_ONLY,
    customer_key,
    customer_key_of,
)
from customer360.silver.text import identifier
from customer360.sources.people import CUSTOMER, PersonColumns

FORGOTTEN = "_forgotten"
"""Column beside received rows: whether the row is of somebody who is to be forgotten."""

HASH = "hash"
"""Column of ``quarantine/forgotten``: `identifier_hash` of an identifier of somebody forgotten."""

WORD = "word"
"""Kind of a text, in small letters, that names somebody forgotten and nobody else."""

TELLING = 4
"""Characters from which a text in a line that cannot be split tells whose it is."""

BETWEEN_WORDS = r"[^\p{L}\p{N}@._+-]+"
"""Regular expression (Java's) of what stands between the texts of a line."""

NOBODY = "[forgotten]"
"""Stands in raw files of our own where the customer's id stood."""

_KEY_DIGITS = 32
_HASH_DIGITS = 16  # of a row's hash, 64 bits
_NO_SALE, _NAMED, _SAID = "__no_sale", "__named", "__said"
_STAYS = ("integer", "number", "date", "timestamp", "boolean")


@dataclass(frozen=True)
class Forgotten:
    """Who is to be forgotten.

    Attributes:
        source: The source whose rows are looked at.
        hashes: The rows of ``quarantine/forgotten``; they fit the memory of a task.
        secret: Key of the hashes.
        keep_sales: Whether sales stay as sales of nobody.
    """

    source: str
    hashes: DataFrame
    secret: bytes
    keep_sales: bool


def identifier_hash(source: str, kind: str, value: SparkColumn, secret: bytes) -> SparkColumn:
    """HMAC-SHA-256 of an identifier (64 hexadecimal digits); null of null.

    Args:
        source: Name of the source.
        kind: What it identifies, as in `PersonColumns.links`.
        value: The identifier; told apart as in silver.
        secret: The deployment's own secret for these hashes.
    """
    return customer_key(f"{source}/{kind}", identifier(value), secret)


def marked(
    rows: DataFrame,
    people: PersonColumns,
    forgotten: Forgotten,
    *,
    lines: DataFrame | None = None,
) -> DataFrame:
    """``rows`` with `FORGOTTEN`.

    Args:
        rows: Of a bronze table, as text.
        people: How they are about people.
        forgotten: Who is to be forgotten.
        lines: The rows with nothing observed on the way, where something is.
    """
    is_theirs = F.lit(False)
    joined = []
    for number, (kind, value) in enumerate(people.links.items()):
        theirs, own = f"__is_{number}", f"__hash_{number}"
        known = forgotten.hashes.select(F.col(HASH).alias(own), F.lit(True).alias(theirs))
        hashed = identifier_hash(forgotten.source, kind, value, forgotten.secret)
        rows = rows.withColumn(own, hashed).join(F.broadcast(known), own, "left").drop(own)
        is_theirs |= F.coalesce(theirs, F.lit(False))
        if kind == CUSTOMER:
            is_theirs |= F.coalesce(value == NOBODY, F.lit(False))
        joined.append(theirs)
    if CORRUPT_RECORD in rows.columns and people.links:
        named = _lines_of(rows if lines is None else lines, forgotten)
        rows = rows.join(F.broadcast(named), CORRUPT_RECORD, "left")
        is_theirs |= F.coalesce(_NAMED, F.lit(False))
        joined.append(_NAMED)
    return rows.withColumn(FORGOTTEN, is_theirs).drop(*joined)


def _lines_of(rows: DataFrame, forgotten: Forgotten) -> DataFrame:
    """Lines that could not be split, each once, with a text in them that names somebody.

    A pass of its own over the rows: only who is forgotten makes it, and few lines come out.
    """
    words = F.explode(F.array_distinct(F.split(CORRUPT_RECORD, BETWEEN_WORDS)))
    each = (
        rows.where(F.col(CORRUPT_RECORD).isNotNull())
        .select(CORRUPT_RECORD, words.alias("__word"))
        .where(F.length("__word") >= TELLING)
    )
    kinds = ((CUSTOMER, F.col("__word")), (WORD, F.lower("__word")))
    hashes = F.array(
        *(identifier_hash(forgotten.source, kind, value, forgotten.secret) for kind, value in kinds)
    )
    known = F.broadcast(forgotten.hashes.select(F.col(HASH).alias("__hash")))
    return (
        each.select(CORRUPT_RECORD, F.explode(hashes).alias("__hash"))
        .join(known, "__hash", "left_semi")
        .select(CORRUPT_RECORD, F.lit(True).alias(_NAMED))
        .distinct()
    )


def blanked(
    checked: DataFrame, contract: Contract, people: PersonColumns, forgotten: Forgotten
) -> DataFrame:
    """`marked` rows, of which the forgotten say nothing of a person any more.

    A sale that may stay is a row like any other, without what is blanked, by whose rules it is not
    judged. All others are left out: `IS_LEFT_OUT` is true of them.

    Args:
        checked: Rows with their masks, `ROW_HASH`, `MARKS` and `IS_LEFT_OUT`.
        contract: The bronze table's.
        people: How its rows are about people.
        forgotten: Whether sales stay.
    """
    flagged = F.col(FORGOTTEN)
    emptied, keyed = columns_without_person(contract, people)

    def of_person(name: str, instead: SparkColumn) -> SparkColumn:
        return F.when(flagged, instead).otherwise(F.col(quoted(name)))

    nothing = F.lit(None).cast("string")
    no_sale = people.left_out if people.left_out is not None else F.lit(False)
    rows = checked.withColumns(
        {_NO_SALE: F.coalesce(no_sale, F.lit(False)), _SAID: row_hash(contract)}
        | {name: of_person(name, nothing) for name in emptied}
        # What is no number, date or allowed word was set aside: anything may stand there.
        | {
            column.name: of_person(column.name, _if_read(column))
            for column in contract.columns
            if column.name not in (*emptied, *keyed, *people.kept)
        }
        | {
            name: of_person(name, keyed_text(F.col(quoted(name)), forgotten.secret))
            for name in keyed
        }
        | {
            mask: of_person(mask, F.expr(f"{mask} & {~bits}L"))
            for mask, bits in _bits_of(contract, {*emptied, *keyed}).items()
        }
        | {
            name: F.when(~flagged, F.col(name))
            for name in ("_rescued", *MARKS)
            if name in checked.columns
        }
    )
    may_stay = F.lit(forgotten.keep_sales and not people.profile)
    stays = keeps_every_rule(contract) & may_stay & ~F.col(_NO_SALE)
    return rows.withColumns(
        {
            ROW_HASH: of_person(ROW_HASH, _hash_of_nobody(contract, people, forgotten)),
            IS_LEFT_OUT: F.col(IS_LEFT_OUT) | (flagged & ~stays),
        }
    ).drop(_NO_SALE, _SAID)


def _hash_of_nobody(contract: Contract, people: PersonColumns, forgotten: Forgotten) -> SparkColumn:
    """The hash of a row that is blanked: of what is left of it.

    Where rows are told apart by all that they say, a keyed one of what it said, so that two that
    differed in what has gone stay two. One that has nothing to lose, such as one that was blanked
    before, keeps the hash that it has.
    """
    left = row_hash(contract)
    if not people.told_apart_by_all:
        return left
    keyed = customer_key("row", F.col(_SAID).cast("string"), forgotten.secret)
    number = F.conv(F.substring(keyed, 1, _HASH_DIGITS), 16, -10).cast("bigint")
    return F.when(F.col(_SAID) == left, F.col(ROW_HASH)).otherwise(number)


def _if_read(column: Column) -> SparkColumn:
    """The text of a number, a date or an allowed word; null where it is none."""
    text = F.col(quoted(column.name))
    if column.allowed_values:
        return F.when(F.trim(text).isin(*map(str, column.allowed_values)), text)
    return F.when(typed_value(column).isNotNull(), text)


def columns_without_person(
    contract: Contract, people: PersonColumns
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Columns that are empty in a sale of somebody forgotten, and those that hold a `key_of`."""
    keyed = tuple(name for name in contract.column_names if name in people.keys)
    emptied = tuple(
        column.name
        for column in contract.columns
        if column.name not in (*people.keys, *people.kept)
        and (column.is_personal or not (column.logical_type in _STAYS or column.allowed_values))
    )
    return emptied, keyed


def key_of(text: str | None, secret: bytes) -> str | None:
    """What stands in `blanked` rows where ``text`` told an order apart; the same of its own result.

    As `blanked` computes it, for a row in Python.
    """
    if text is None or not text.strip() or re.fullmatch(TELLING_APART_ONLY, text.strip()):
        return text
    return TELLING_APART + customer_key_of("key", text.strip(), secret)[:_KEY_DIGITS]


def keyed_text(text: SparkColumn, secret: bytes) -> SparkColumn:
    """`key_of` of a column of texts; null of null."""
    plain = F.trim(text)
    stays = (plain == "") | plain.rlike(TELLING_APART_ONLY)
    hashed = F.substring(customer_key("key", plain, secret), 1, _KEY_DIGITS)
    return F.when(stays, text).otherwise(F.concat(F.lit(TELLING_APART), hashed))


def _bits_of(contract: Contract, columns: set[str]) -> dict[str, int]:
    """By mask, the bits of the rules of ``columns``."""
    masks = violation_columns(contract)
    bits = dict.fromkeys(masks, 0)
    for number, rule in enumerate(rules(contract)):
        if rule.column in columns and rule.kind != "malformed":
            bits[masks[number // RULES_A_MASK]] |= 1 << number % RULES_A_MASK
    return bits
