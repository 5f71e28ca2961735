"""The suppression list: who must not be written to, whatever their consent says.

A CSV file in UTF-8 with any of the columns `COLUMNS`, in any order; a row names a customer by one
or more of them, and suppresses whoever any of them names:

- ``customer_key``: the platform's own.
- ``source_customer_id``: the source's id; with ``source`` where several sources are active.
- ``email``, ``phone``: plain, or SHA-256 of what an ad platform matches (see
  `customer360.serving.contacts`). A plain phone number has + and its country code in front, or is
  of ``country`` or the deployment's default country.

One cell that cannot be read makes the whole file an error: a list must never go out unsuppressed
because of a typing mistake.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.errors import Customer360Error, listed
from customer360.lakehouse.stream import materialised
from customer360.serving import contacts
from customer360.serving.eligibility import IDENTIFIERS
from customer360.silver import text
from customer360.silver.keys import customer_key

COLUMNS = ("customer_key", "source", "source_customer_id", "email", "phone", "country")
"""Columns that the file may have."""

_NAMING = ("customer_key", "source_customer_id", "email", "phone")
_SCHEMA = pa.schema([("line", pa.int64()), *((name, pa.string()) for name in COLUMNS)])
_KEPT = "campaign lists stay as they were"
_TOO_MANY = "beyond the header"
_CHUNK = 50_000
"""Rows read at a time: the file may be larger than memory."""


class SuppressionError(Customer360Error):
    """The suppression list cannot be used; the message names file, row, column and remedy."""


def read_suppression(
    spark: SparkSession,
    path: Path,
    scratch: Path,
    *,
    sources: Sequence[str],
    secret: bytes,
    default_country: str | None = None,
) -> DataFrame:
    """The identifiers of who must not be written to, each once.

    Args:
        spark: The session.
        path: The CSV file.
        scratch: Folder that the caller keeps while the result is used; holds personal data.
        sources: Names of the active sources.
        secret: Secret of the customer keys.
        default_country: ISO 3166 code for phone numbers without a country.

    Returns:
        ``kind`` and ``value``, see `customer360.serving.eligibility.IDENTIFIERS`.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    copy = scratch / "suppression.parquet"
    with pq.ParquetWriter(copy, _SCHEMA) as writer:
        for batch in _batches(path):
            writer.write_batch(batch)
    only_source = sources[0] if len(sources) == 1 else None
    rows = spark.read.parquet(str(copy.absolute())).select(
        "line",
        *_NAMING,
        F.coalesce("source", F.lit(only_source).cast("string")).alias("source"),
        F.coalesce("country", F.lit(default_country).cast("string")).alias("country"),
        text.phone(F.col("phone")).alias("written"),
    )
    email, of_id = (
        F.col("email"),
        customer_key(F.col("source"), F.col("source_customer_id"), secret),
    )
    numbered = contacts.with_e164(rows, "number", F.col("written"), F.col("country"))
    read = numbered.select(
        "line",
        *_NAMING,
        _if_hash(F.col("customer_key")).alias("read_customer_key"),
        F.when(F.col("source").isin(*sources), of_id).alias("read_source_customer_id"),
        F.coalesce(_if_hash(email), contacts.sha256(contacts.google_email(email))).alias(
            "read_email"
        ),
        F.coalesce(_if_hash(F.col("phone")), contacts.sha256(F.col("number"))).alias("read_phone"),
    )
    # Used for the check and for every list's members: the keys and hashes are computed once.
    read = materialised(read, scratch / "suppression")
    _refuse_unread(read, path, sources)
    kinds = dict(zip(_NAMING, ("customer_key", "customer_key", "email", "phone"), strict=True))
    pairs = F.array(
        *(
            F.struct(F.lit(kind).alias("kind"), F.col(f"read_{name}").alias("value"))
            for name, kind in kinds.items()
        )
    )
    identifiers = read.select(F.inline(pairs)).where(F.col("value").isNotNull())
    return identifiers.select(*IDENTIFIERS).distinct()


def _if_hash(cell: Column) -> Column:
    lower = F.lower(cell)
    return F.when(lower.rlike(contacts.HASH_PATTERN), lower)


def _refuse_unread(read: DataFrame, path: Path, sources: Sequence[str]) -> None:
    """Raise for the first cell that names somebody and was not understood."""
    unread = F.coalesce(
        *(
            F.when(F.col(name).isNotNull() & F.col(f"read_{name}").isNull(), F.lit(name))
            for name in _NAMING
        )
    )
    first = (
        read.select("line", unread.alias("column"))
        .where(F.col("column").isNotNull())
        .orderBy("line")
        .first()
    )
    if first is None:
        return
    wanted = {
        "customer_key": "64 hexadecimal digits",
        "source_customer_id": f"an id with its source, one of {listed(sources)}, in column source",
        "email": "an e-mail address or its SHA-256",
        "phone": "a phone number with + and country code in front, or its SHA-256; or set column "
        "country or the setting default_country",
    }[first["column"]]
    raise SuppressionError(
        f"{path}, row {first['line']}, column {first['column']}: expected {wanted}; {_KEPT}"
    )


def _batches(path: Path) -> Iterator[pa.RecordBatch]:
    """The file's rows with the number of the line that each ends on; blank cells are null."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restkey=_TOO_MANY, strict=True)
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            _check_header(reader.fieldnames, path)
            rows = _rows(reader, path)
            while chunk := list(islice(rows, _CHUNK)):
                yield pa.RecordBatch.from_pylist(chunk, schema=_SCHEMA)
    except OSError as error:
        raise SuppressionError(
            f"suppression list {path} cannot be read ({error.strerror}): mend the file or the "
            f"setting suppression_path; {_KEPT}"
        ) from error
    except UnicodeDecodeError as error:
        raise SuppressionError(f"{path}: expected text in UTF-8; save it so; {_KEPT}") from error


def _check_header(header: Sequence[str], path: Path) -> None:
    unknown = [name for name in header if name not in COLUMNS]
    if unknown or not set(header) & set(_NAMING) or len(set(header)) < len(header):
        raise SuppressionError(
            f"{path}, row 1: expected a header of some of {listed(COLUMNS)}, each once, with one "
            f"that names customers, found {listed(header) or 'nothing'}; {_KEPT}"
        )


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, object]]:
    """The rows; lines without anything are passed over."""
    try:
        for cells in reader:
            where = f"{path}, row {reader.line_num}"
            if _TOO_MANY in cells or None in cells.values():
                raise SuppressionError(
                    f"{where}: expected {len(reader.fieldnames or ())} cells, as in the header, "
                    f"found {'more' if _TOO_MANY in cells else 'fewer'}; {_KEPT}"
                )
            row = {name: cell.strip() or None for name, cell in cells.items()}
            if not any(row.get(name) for name in _NAMING):
                raise SuppressionError(
                    f"{where}: expected a value in one of {listed(_NAMING)}, found none; {_KEPT}"
                )
            yield row | {"line": reader.line_num}
    except csv.Error as error:
        raise SuppressionError(f"{path}, row {reader.reader.line_num}: {error}; {_KEPT}") from error
