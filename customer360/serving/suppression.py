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
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

import duckdb
import pyarrow as pa

from customer360.contracts.sql import sql_text
from customer360.errors import Customer360Error, listed
from customer360.quoting import shown_header
from customer360.serving import contacts
from customer360.serving.eligibility import IDENTIFIERS
from customer360.silver.keys import customer_key_of
from customer360.silver.text_sql import phone

COLUMNS = ("customer_key", "source", "source_customer_id", "email", "phone", "country")
"""Columns that the file may have."""

_NAMING = ("customer_key", "source_customer_id", "email", "phone")
_SCHEMA = pa.schema(
    [("line", pa.int64()), *((name, pa.string()) for name in (*COLUMNS, "key_of_id"))]
)
_KEPT = "campaign lists stay as they were"
_TOO_MANY = "beyond the header"
_CHUNK = 50_000
"""Rows read at a time: the file may be larger than memory."""


class SuppressionError(Customer360Error):
    """The suppression list cannot be used; the message names file, row, column and remedy."""


def read_suppression(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    path: Path,
    *,
    sources: Sequence[str],
    secret: bytes,
    default_country: str | None = None,
) -> None:
    """Make a table of the identifiers of who must not be written to, each once.

    Args:
        connection: Where the table is made: ``kind`` and ``value``, see
            `customer360.serving.eligibility.IDENTIFIERS`. As `contacts.prepare` left it.
        name: Of the table.
        path: The CSV file.
        sources: Names of the active sources.
        secret: Secret of the customer keys.
        default_country: ISO 3166 code for phone numbers without a country.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    country = f"coalesce(country, {sql_text(default_country)})"
    number = contacts.e164(phone("phone"), country)
    cells = {
        "customer_key": ("customer_key", _if_hash("customer_key")),
        "source_customer_id": ("customer_key", "key_of_id"),
        "email": (
            "email",
            f"coalesce({_if_hash('email')}, {contacts.sha256(contacts.google_email('email'))})",
        ),
        "phone": ("phone", f"coalesce({_if_hash('phone')}, {contacts.sha256('number')})"),
    }
    pairs = ", ".join(
        f"{{'column': '{column}', 'cell': {column}, 'kind': '{kind}', 'value': {value}}}"
        for column, (kind, value) in cells.items()
    )
    connection.execute(
        """CREATE TEMP TABLE read_cells
        (line BIGINT, "column" VARCHAR, cell VARCHAR, kind VARCHAR, value VARCHAR)"""
    )
    for batch in _batches(path, sources, secret):
        connection.register("listed", pa.Table.from_batches([batch]))
        connection.execute(
            f"""INSERT INTO read_cells
            SELECT line, unnest([{pairs}], recursive := true)
            FROM (SELECT *, {number} AS number FROM listed)"""
        )
        connection.unregister("listed")
    _refuse_unread(connection, path, sources)
    connection.execute(
        f"""CREATE TEMP TABLE {name} AS
        SELECT DISTINCT {", ".join(IDENTIFIERS)} FROM read_cells WHERE value IS NOT NULL"""
    )
    connection.execute("DROP TABLE read_cells")


def listed_keys(path: Path) -> Iterator[str]:
    """The customer keys that stand in a suppression list; whom it names otherwise is passed over.

    Raises:
        SuppressionError: The file is missing, or is no such list.
    """
    for batch in _batches(path, (), b""):
        for key in batch.column("customer_key").drop_null().to_pylist():
            if re.fullmatch(contacts.HASH_PATTERN, key.lower()):
                yield key.lower()


def _if_hash(cell: str) -> str:
    lower = f"lower({cell})"
    return f"CASE WHEN regexp_matches({lower}, '{contacts.HASH_PATTERN}') THEN {lower} END"


def _refuse_unread(
    connection: duckdb.DuckDBPyConnection, path: Path, sources: Sequence[str]
) -> None:
    """Raise for the first cell that names somebody and was not understood."""
    order = ", ".join(f"'{column}'" for column in _NAMING)
    first = connection.execute(
        f"""SELECT line, "column" FROM read_cells WHERE cell IS NOT NULL AND value IS NULL
        ORDER BY line, list_position([{order}], "column") LIMIT 1"""
    ).fetchone()
    if first is None:
        return
    line, column = first
    expected = {
        "customer_key": "64 hexadecimal digits",
        "source_customer_id": f"an id with its source, one of {listed(sources)}, in column source",
        "email": "an e-mail address or its SHA-256",
        "phone": "a phone number with + and country code in front, or its SHA-256; or set column "
        "country or the setting default_country",
    }[column]
    raise SuppressionError(f"{path}, row {line}, column {column}: expected {expected}; {_KEPT}")


def _batches(path: Path, sources: Sequence[str], secret: bytes) -> Iterator[pa.RecordBatch]:
    """The file's rows with the number of the line that each ends on; blank cells are null.

    ``key_of_id`` is the customer key of the source's id, where its source is known.
    """
    only_source = sources[0] if len(sources) == 1 else None

    def keyed(row: dict[str, object]) -> dict[str, object]:
        source, own_id = row.get("source") or only_source, row.get("source_customer_id")
        if own_id is None or source not in sources:
            return row
        return row | {"key_of_id": customer_key_of(str(source), str(own_id), secret)}

    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            reader = csv.DictReader(stream, restkey=_TOO_MANY, strict=True)
            reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or []]
            _check_header(reader.fieldnames, path)
            rows = _rows(reader, path)
            while chunk := list(islice(rows, _CHUNK)):
                yield pa.RecordBatch.from_pylist([keyed(row) for row in chunk], schema=_SCHEMA)
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
        found = shown_header(header, COLUMNS) if header else "nothing"
        raise SuppressionError(
            f"{path}, row 1: expected a header of some of {listed(COLUMNS)}, each once, with one "
            f"that names customers, found {found.removeprefix('only ')}; {_KEPT}"
        )


def _rows(reader: csv.DictReader[str], path: Path) -> Iterator[dict[str, object]]:
    """The rows; lines without anything are passed over."""
    try:
        for cells in reader:
            where = f"{path}, row {reader.line_num}"
            if _TOO_MANY in cells or None in cells.values():
                width = len(reader.fieldnames or ())
                raise SuppressionError(
                    f"{where}: expected {width} {'cell' if width == 1 else 'cells'}, as in the "
                    f"header, found {'more' if _TOO_MANY in cells else 'fewer'}; {_KEPT}"
                )
            row = {name: cell.strip() or None for name, cell in cells.items()}
            if not any(row.get(name) for name in _NAMING):
                raise SuppressionError(
                    f"{where}: expected a value in one of {listed(_NAMING)}, found none; {_KEPT}"
                )
            yield row | {"line": reader.line_num}
    except csv.Error as error:
        raise SuppressionError(
            f"{path}, row {reader.reader.line_num}: {error}; close a quotation mark that opens "
            f"there; {_KEPT}"
        ) from error
