"""Copying a table into the warehouse, whole or not at all.

Rows go by ``COPY`` from Spark's tasks into a table of their own in the schema ``loading``; one
transaction then puts them in place of the slice they are for. Who reads meanwhile sees the slice
as it was or as it is (PostgreSQL's MVCC), and rows that did not change are not touched. A publish
that dies leaves rows in ``loading``, which the next one of the table removes.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import psycopg
import pyarrow as pa
from psycopg import sql
from pyarrow import csv

from customer360.contracts import Contract
from customer360.errors import first_line
from customer360.serving.warehouse import LOADING, Login, WarehouseError

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

PUBLICATIONS = "serving.publications"

_TYPES = {
    "string": "text",
    "int": "integer",
    "bigint": "bigint",
    "double": "double precision",
    "boolean": "boolean",
    "date": "date",
    "timestamp": "timestamptz",
}


@dataclass(frozen=True)
class PublishedTable:
    """A table as the warehouse has it.

    Attributes:
        name: ``schema.table``.
        columns: Name and PostgreSQL type, in order.
        key: Columns of the primary key.
        sliced_by: Date column whose days are put in place one by one; None: the whole table.
        indexes: Columns of further indexes, one tuple an index.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    sliced_by: str | None = None
    indexes: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of_contract(
        cls,
        contract: Contract,
        *,
        sliced_by: str | None = None,
        indexes: tuple[tuple[str, ...], ...] = (),
        without: Collection[str] = (),
    ) -> PublishedTable:
        """The table that a contract describes, but for the columns ``without``."""
        columns = {
            column.name: postgres_type(column.physical_type)
            for column in contract.columns
            if column.name not in without
        }
        key = tuple(contract.primary_key)
        name = contract.table.replace("/", ".")
        return cls(name, columns, key, sliced_by, indexes)

    @property
    def identifier(self) -> sql.Identifier:
        """The table's name, quoted."""
        return sql.Identifier(*self.name.split("."))


@dataclass(frozen=True)
class Published:
    """What a publish did: ``rows`` now stand for the slice, ``changed`` of them differ from before.

    ``removed`` rows are gone: no longer in the slice, or of an as-of date past the retention.
    """

    table: str
    rows: int
    changed: int
    removed: int


@dataclass(frozen=True)
class Publication:
    """The newest publish of a table: the rows it brought, and when."""

    table: str
    rows: int
    published_at: datetime


@dataclass(frozen=True)
class Origin:
    """Where rows come from: the run that publishes, and what it read of Delta, if anything.

    Attributes:
        run_id: The run.
        delta_version: Version of the Delta table.
        delta_table: Delta's id of it, which tells a table that was made anew from the former one;
            also that its codes are today's, where they once were others.
    """

    run_id: str
    delta_version: int | None = None
    delta_table: str | None = None


def postgres_type(spark_type: str) -> str:
    """The PostgreSQL type that holds a Spark type exactly.

    >>> postgres_type("decimal(18,2)")
    'numeric(18,2)'

    Raises:
        WarehouseError: There is none, as of an array.
    """
    if spark_type in _TYPES:
        return _TYPES[spark_type]
    if spark_type.startswith("decimal"):
        return spark_type.replace("decimal", "numeric")
    raise WarehouseError(f"a column of type {spark_type} cannot be published; leave it out")


def publish(
    owner: Login,
    table: PublishedTable,
    frame: DataFrame,
    origin: Origin,
    *,
    days: Sequence[date] | None = None,
    keep_from: date | None = None,
) -> Published:
    """Put ``frame`` in place of the table's ``days``, or of the whole table.

    Args:
        owner: Login that may write.
        table: What is published.
        frame: The rows, with at least the table's columns; all of ``days`` and of no other day.
        origin: For the bookkeeping.
        days: Values of ``table.sliced_by`` that the rows are of; None: every row there is.
        keep_from: Rows of earlier days are removed. None: all are kept.

    Raises:
        WarehouseError: The database refuses, or the table there has other columns.
    """
    from pyspark.sql import functions as F

    typed = frame.select(
        *(F.col(name).cast(_spark_type(kind)).alias(name) for name, kind in table.columns.items())
    )

    def load(scratch: sql.Identifier) -> int:
        copied = typed.mapInArrow(_copier(owner, scratch, tuple(table.columns)), "rows long")
        return int(copied.agg(F.coalesce(F.sum("rows"), F.lit(0))).first()[0])  # type: ignore[index]

    return _replace(owner, table, load, origin, days, keep_from)


def publish_rows(
    owner: Login, table: PublishedTable, rows: Iterable[Sequence[Any]], origin: Origin | None
) -> Published:
    """Put a few ``rows``, in the order of the table's columns, in place of the whole table.

    Args:
        owner: Login that may write.
        table: What is published.
        rows: Asked for when no other publish of the table can come between.
        origin: For the bookkeeping; None: it is not noted, as nothing of the data was published.

    Raises:
        WarehouseError: The database refuses, or the table there has other columns.
    """

    def load(scratch: sql.Identifier) -> int:
        count = 0
        with (
            owner.connect() as connection,
            connection.cursor().copy(_copy(scratch, table.columns)) as copy,
        ):
            for row in rows:
                copy.write_row(row)
                count += 1
        return count

    return _replace(owner, table, load, origin, None, None)


def last_origin(owner: Login, table: PublishedTable) -> Origin | None:
    """What the table was published from last; None when it never was, or is gone."""
    with owner.connect() as connection:
        if not (_exists(connection, PUBLICATIONS) and _exists(connection, table.name)):
            return None
        row = connection.execute(
            f"SELECT run_id, delta_version, delta_table FROM {PUBLICATIONS} WHERE table_name = %s "
            "ORDER BY published_at DESC LIMIT 1",
            [table.name.replace(".", "/")],
        ).fetchone()
        return Origin(*row) if row else None


def forget_origin(owner: Login, table: PublishedTable) -> None:
    """Take back what is noted of the table's publishes: it is not known what its rows are of.

    The rows stay.

    Raises:
        WarehouseError: The database refuses.
    """
    with owner.connect() as connection:
        if not _exists(connection, PUBLICATIONS):
            return
        try:
            connection.execute(
                f"DELETE FROM {PUBLICATIONS} WHERE table_name = %s", [table.name.replace(".", "/")]
            )
        except psycopg.Error as error:
            raise WarehouseError(f"{PUBLICATIONS}: {first_line(error)}") from error


def newest_slice(owner: Login, table: PublishedTable) -> date | None:
    """The newest value of ``table.sliced_by`` there; None when the table is empty or not there."""
    with owner.connect() as connection:
        if table.sliced_by is None or not _exists(connection, table.name):
            return None
        row = connection.execute(
            sql.SQL("SELECT max({}) FROM {}").format(
                sql.Identifier(table.sliced_by), table.identifier
            )
        ).fetchone()
        return row[0] if row else None


def publications(login: Login) -> list[Publication]:
    """The newest publish of each table, by name; none where nothing was published."""
    with login.connect() as connection:
        if not _exists(connection, PUBLICATIONS):
            return []
        rows = connection.execute(
            f"SELECT DISTINCT ON (table_name) table_name, rows, published_at FROM {PUBLICATIONS} "
            "ORDER BY table_name, published_at DESC"
        )
        return [Publication(*row) for row in rows]


def has_columns(owner: Login, table: PublishedTable) -> bool:
    """Whether the table is there with these very columns."""
    with owner.connect() as connection:
        return _columns(connection, table) == dict(table.columns)


def _replace(
    owner: Login,
    table: PublishedTable,
    load: Callable[[sql.Identifier], int],
    origin: Origin | None,
    days: Sequence[date] | None,
    keep_from: date | None,
) -> Published:
    scratch = sql.Identifier(LOADING, table.name)
    try:
        with owner.connect(autocommit=True) as session:
            # Held until this connection ends, however it ends: one publish of a table at a time.
            session.execute("SELECT pg_advisory_lock(hashtext(%s))", [f"publish {table.name}"])
            with session.transaction():
                session.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(scratch))
                session.execute(
                    sql.SQL("CREATE UNLOGGED TABLE {} ({})").format(scratch, _definitions(table))
                )
            loaded = load(scratch)
            session.execute(sql.SQL("ANALYZE {}").format(scratch))
            with session.transaction():
                _prepare(session, table)
                published = _swap(session, table, scratch, loaded, days, keep_from)
                if origin is not None:
                    _record(session, table, scratch, published, origin, days)
                session.execute(sql.SQL("DROP TABLE {}").format(scratch))
            session.execute(sql.SQL("ANALYZE {}").format(table.identifier))
    except psycopg.Error as error:
        raise WarehouseError(
            f"publishing {table.name} to {owner.shown}: {first_line(error)}; what was "
            "published before is still there, run again after mending it"
        ) from error
    return published


def _swap(
    session: psycopg.Connection[Any],
    table: PublishedTable,
    scratch: sql.Identifier,
    loaded: int,
    days: Sequence[date] | None,
    keep_from: date | None,
) -> Published:
    names = [sql.Identifier(name) for name in table.columns]
    others = [sql.Identifier(name) for name in table.columns if name not in table.key]
    here = {
        "target": table.identifier,
        "scratch": scratch,
        "columns": sql.SQL(", ").join(names),
        "key": sql.SQL(", ").join(map(sql.Identifier, table.key)),
        "same_key": sql.SQL(" AND ").join(
            sql.SQL("old.{0} = new.{0}").format(sql.Identifier(name)) for name in table.key
        ),
        "day": sql.Identifier(table.sliced_by or ""),
        "values": sql.SQL(", ").join(sql.SQL("{0} = EXCLUDED.{0}").format(name) for name in others),
        "old": sql.SQL(", ").join(sql.SQL("old.{}").format(name) for name in others),
        "new": sql.SQL(", ").join(sql.SQL("EXCLUDED.{}").format(name) for name in others),
    }
    gone = "DELETE FROM {target} old WHERE NOT EXISTS (SELECT FROM {scratch} new WHERE {same_key})"
    if days is not None:
        gone += " AND old.{day} = ANY(%s)"
    removed = session.execute(sql.SQL(gone).format(**here), None if days is None else [list(days)])
    ((copied,),) = session.execute(sql.SQL("SELECT count(*) FROM {}").format(scratch))
    # A task whose worker died when its rows were in has run once more, and has copied them again.
    rows = "SELECT DISTINCT" if copied > loaded else "SELECT"
    put = f"INSERT INTO {{target}} AS old ({{columns}}) {rows} {{columns}} FROM {{scratch}} "
    put += (
        "ON CONFLICT ({key}) DO UPDATE SET {values} WHERE ROW({old}) IS DISTINCT FROM ROW({new})"
        if others
        else "ON CONFLICT DO NOTHING"
    )
    changed = session.execute(sql.SQL(put).format(**here)).rowcount
    expired = 0
    if keep_from is not None:
        expired = session.execute(
            sql.SQL("DELETE FROM {target} WHERE {day} < %s").format(**here), [keep_from]
        ).rowcount
    return Published(table.name, loaded, changed, removed.rowcount + expired)


def _record(
    session: psycopg.Connection[Any],
    table: PublishedTable,
    scratch: sql.Identifier,
    published: Published,
    origin: Origin,
    days: Sequence[date] | None,
) -> None:
    session.execute(
        f"CREATE TABLE IF NOT EXISTS {PUBLICATIONS} (table_name text NOT NULL, "
        "rows bigint NOT NULL, delta_version bigint, delta_table text, first_slice date, "
        "last_slice date, "
        "run_id text NOT NULL, published_at timestamptz NOT NULL DEFAULT now())"
    )
    session.execute(
        f"INSERT INTO {PUBLICATIONS} (table_name, rows, delta_version, delta_table, "
        "first_slice, last_slice, run_id) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        [
            table.name.replace(".", "/"),
            published.rows,
            origin.delta_version,
            origin.delta_table,
            *_bounds(session, table, scratch, days),
            origin.run_id,
        ],
    )


def _bounds(
    session: psycopg.Connection[Any],
    table: PublishedTable,
    scratch: sql.Identifier,
    days: Sequence[date] | None,
) -> tuple[date | None, date | None]:
    """First and last day that the publish put in place; none of a table without days."""
    if days:
        return min(days), max(days)
    if table.sliced_by is None:
        return None, None
    day = sql.Identifier(table.sliced_by)
    row = session.execute(
        sql.SQL("SELECT min({0}), max({0}) FROM {1}").format(day, scratch)
    ).fetchone()
    return (row[0], row[1]) if row else (None, None)


def _definitions(table: PublishedTable) -> sql.Composed:
    return sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in table.columns.items()
    )


def _prepare(session: psycopg.Connection[Any], table: PublishedTable) -> None:
    """Make the table, or give it the columns that it has by now."""
    existing = _columns(session, table)
    if not existing:
        session.execute(
            sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(
                table.identifier,
                _definitions(table),
                sql.SQL(", ").join(map(sql.Identifier, table.key)),
            )
        )
        for columns in table.indexes:
            session.execute(
                sql.SQL("CREATE INDEX ON {} ({})").format(
                    table.identifier, sql.SQL(", ").join(map(sql.Identifier, columns))
                )
            )
        return
    for name, kind in table.columns.items():
        if name not in existing:
            session.execute(
                sql.SQL("ALTER TABLE {} ADD COLUMN {} {}").format(
                    table.identifier,
                    sql.Identifier(name),
                    sql.SQL(kind),
                )
            )
        elif existing[name] != kind:
            raise WarehouseError(
                f"{table.name}.{name} is {existing[name]} in the warehouse and {kind} by its "
                f"contract: DROP TABLE {table.name} CASCADE there, and publish again"
            )
    for name in existing.keys() - table.columns.keys():
        # A column that may not be there any more, such as personal data, does not stay.
        session.execute(
            sql.SQL("ALTER TABLE {} DROP COLUMN {} CASCADE").format(
                table.identifier, sql.Identifier(name)
            )
        )


def _columns(session: psycopg.Connection[Any], table: PublishedTable) -> dict[str, str]:
    schema, name = table.name.split(".")
    rows = session.execute(
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "JOIN pg_class ON pg_class.oid = attrelid JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE nspname = %s AND relname = %s AND attnum > 0 AND NOT attisdropped ORDER BY attnum",
        [schema, name],
    )
    return {
        column: kind.replace("timestamp with time zone", "timestamptz") for column, kind in rows
    }


def _exists(session: psycopg.Connection[Any], name: str) -> bool:
    row = session.execute("SELECT to_regclass(%s)", [name]).fetchone()
    return row is not None and row[0] is not None


def _spark_type(kind: str) -> str:
    spark = {postgres: name for name, postgres in _TYPES.items()}
    return spark.get(kind) or kind.replace("numeric", "decimal")


def _copy(scratch: sql.Identifier, columns: Iterable[str], options: str = "") -> sql.Composed:
    return sql.SQL("COPY {} ({}) FROM STDIN" + options).format(
        scratch, sql.SQL(", ").join(map(sql.Identifier, columns))
    )


def _copier(
    owner: Login, scratch: sql.Identifier, columns: tuple[str, ...]
) -> Callable[[Iterable[pa.RecordBatch]], Iterator[pa.RecordBatch]]:
    """What a Spark task does: its rows, in one transaction, by COPY; their number comes back."""
    owner = owner.resolved()  # the task's machine has neither PGPASSWORD nor a ~/.pgpass

    def copy_all(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        count = 0
        # Arrow quotes every text and no null, which is how COPY tells '' from NULL.
        options = csv.WriteOptions(include_header=False)
        with (
            owner.connect() as connection,
            connection.cursor().copy(_copy(scratch, columns, " (FORMAT csv)")) as copy,
        ):
            for batch in batches:
                buffer = BytesIO()
                csv.write_csv(batch, buffer, options)
                copy.write(buffer.getvalue())
                count += batch.num_rows
        yield pa.RecordBatch.from_pydict({"rows": [count]})

    return copy_all
