"""The server that rows come from, as the driver sees it: types, counts and slices of one state."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import psycopg
from psycopg import errors, sql

from customer360.errors import first_line, listed
from customer360.libpq import parameters_as_reached, parameters_of
from customer360.sources.postgres.copying import DatabaseSourceError, begin, connect
from customer360.sources.postgres.deleted import PLAIN, says_neither
from customer360.sources.postgres.mapping import PostgresMapping, SoftDelete

TIMES = ("date", "timestamp without time zone", "timestamp with time zone")
"""Types that say when."""

_NUMBERS = ("smallint", "integer", "bigint", "numeric", "real", "double precision")
_COUNTERS = ("smallint", "integer", "bigint", "numeric")
_PAGES_A_SLICE = 64
"""Half a megabyte: less is not worth a connection of its own."""


@dataclass(frozen=True)
class Database:
    """How the server is reached; ``parameters`` are libpq's, and are never shown."""

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def of_url(cls, url: str) -> Database:
        """The database that a URL or libpq connection string names.

        Raises:
            SettingsError: It is neither.
        """
        return cls(parameters_of(url, "postgres_url"))

    @property
    def shown(self) -> str:
        """``host/database``, for people."""
        given = self.parameters
        return f"database {given.get('host', 'localhost')}/{given.get('dbname', '')}"

    @contextmanager
    def state(self, mapping: PostgresMapping) -> Iterator[State]:
        """One state of what the mapping reads, held until the end of the ``with``.

        Raises:
            DatabaseSourceError: The server is not reached or does not have what the mapping names.
        """
        try:
            connection = connect(self.parameters)
        except psycopg.Error as error:
            raise DatabaseSourceError(
                f"{self.shown}: {first_line(error)}; check that the server runs and what "
                "CUSTOMER360_POSTGRES_URL (or PGPASSWORD, ~/.pgpass) says"
            ) from None
        with connection, connection.cursor() as cursor:
            begin(cursor)
            # The snapshot lives as long as this transaction, which is idle while others read.
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            # What libpq found on this machine, executors may not find on theirs.
            yield State(self.shown, parameters_as_reached(connection), mapping, cursor)


class State:
    """One state of the rows that a mapping reads."""

    def __init__(
        self,
        shown: str,
        login: Mapping[str, str],
        mapping: PostgresMapping,
        cursor: psycopg.Cursor[Any],
    ) -> None:
        self.shown = shown
        self.login = login
        self._mapping = mapping
        self._cursor = cursor
        self.types = self._types()
        wanted = mapping.stated_columns()
        if mapping.partition_by is not None:
            wanted.append(mapping.partition_by)
        missing = [name for name in wanted if name not in self.types]
        if missing:
            spelt = {name.lower(): name for name in self.types}
            near = [spelt[name.lower()] for name in missing if name.lower() in spelt]
            remedy = f"{listed(near)} differs in case: write it so" if near else "check the mapping"
            raise self._error(
                f"has no column {listed(missing)}, only {listed(list(self.types), 12)}; {remedy}"
            )
        time = self.types[mapping.columns.occurred_at]
        if time not in TIMES:
            raise self._error(
                f"has {mapping.columns.occurred_at} (occurred_at) as {time}, which is no time; "
                "cast it in a `query`"
            )

    def export(self) -> str:
        """The snapshot's name, by which other connections see the same state."""
        return str(self.value("SELECT pg_export_snapshot()"))

    def one(self, query: str) -> tuple[Any, ...]:
        """The first row of a query.

        Raises:
            DatabaseSourceError: The server refuses it.
        """
        try:
            row = self._cursor.execute(query.encode()).fetchone()
        except psycopg.Error as error:
            raise self._refused(error) from None
        assert row is not None
        return tuple(row)

    def value(self, query: str) -> Any:
        """The first value of a query's first row."""
        return self.one(query)[0]

    @property
    def rows(self) -> str:
        """What follows FROM: the rows as ``q``."""
        mapping = self._mapping
        if mapping.from_table is not None:
            return f"{_identifier(*mapping.from_table.split('.'))} AS q"
        return f"({mapping.query}\n) AS q"

    def text(self, column: str, *, as_day: bool = False) -> str:
        """SQL of a column's text: exact, and the same however the server is set up.

        An instant ends in ``Z``; a local time has no ending. ``as_day`` makes a day of a time, in
        the mapping's zone.
        """
        kind, name = self.types[column], f"q.{_identifier(column)}"
        instant = kind == "timestamp with time zone"
        if as_day and kind in TIMES:
            zone = _literal(self._mapping.time_zone)
            return f"({name} AT TIME ZONE {zone})::date::text" if instant else f"{name}::date::text"
        if instant:
            return f"({name} AT TIME ZONE 'UTC')::text || 'Z'"
        if kind == "money":  # its text depends on the server's locale
            return f"{name}::numeric::text"
        return f"{name}::text"

    def since(self, watermark: str | None) -> str:
        """The condition for rows that may have changed since it stood at ``watermark``.

        Raises:
            DatabaseSourceError: The watermark column's type has no order in time.
        """
        stated = self._mapping.watermark
        if stated is None or watermark is None:
            return "true"
        kind, name = self.types[stated.column], f"q.{_identifier(stated.column)}"
        if kind in TIMES:
            # By type: a local time without an interval would become a day's text.
            less = f"CAST({_literal(str(stated.overlap or '1 day'))} AS interval)"
        else:
            overlap = 1000 if stated.overlap is None else stated.overlap
            less = f"CAST({_literal(str(overlap))} AS bigint)"
        # A row without a watermark could have changed at any time.
        return f"({name} >= CAST({_literal(watermark)} AS {kind}) - {less} OR {name} IS NULL)"

    def count_and_watermark(self, watermark: str | None) -> tuple[int, str | None]:
        """Rows since ``watermark``, and where the watermark stands now.

        A time in the future does not move it: everything until then would be missed.

        Raises:
            DatabaseSourceError: The watermark column's type has no order in time.
        """
        stated = self._mapping.watermark
        if stated is None:
            return int(self.value(f"SELECT count(*) FROM {self.rows}")), None
        kind, name = self.types[stated.column], f"max(q.{_identifier(stated.column)})"
        if kind not in (*TIMES, *_COUNTERS):
            raise self._error(
                f"has {stated.column} (watermark) as {kind}, which does not say what is newer; "
                "name a time or a growing whole number"
            )
        zone = _literal(self._mapping.time_zone)
        limits = {
            "timestamp with time zone": "now()",
            "timestamp without time zone": f"now() AT TIME ZONE {zone}",
            "date": f"(now() AT TIME ZONE {zone})::date",
        }
        newest = f"least({name}, {limits[kind]})" if kind in limits else name
        if watermark is not None:
            newest = f"greatest({newest}, CAST({_literal(watermark)} AS {kind}))"
        rows, newest_now = self.one(
            f"SELECT count(*), ({newest})::text FROM {self.rows} WHERE {self.since(watermark)}"
        )
        return int(rows), newest_now

    def check_soft_delete(self, watermark: str | None) -> None:
        """Nothing, where the soft-delete column of each row read says whether it is deleted.

        Raises:
            DatabaseSourceError: A word in it says neither, and the mapping does not name those
                that mark a row.
        """
        deletes = self._mapping.deletes
        if not isinstance(deletes, SoftDelete) or deletes.equals is not None:
            return
        if self.types[deletes.column] in PLAIN:
            return
        text = f"q.{_identifier(deletes.column)}::text"
        words = self.value(
            f"SELECT array_agg(word) FROM (SELECT DISTINCT {text} AS word FROM {self.rows} "
            f"WHERE {says_neither(text)} AND {self.since(watermark)} ORDER BY 1 LIMIT 3) AS words"
        )
        if words:
            raise self._error(
                f"has {listed([repr(str(word)) for word in words])} in {deletes.column} (deletes), "
                "which does not say whether a row is deleted; name the values that do: "
                f"deletes: {{column: {deletes.column}, equals: [...]}}"
            )

    def slices(self) -> list[str]:
        """Conditions that part the rows: each row fits exactly one, whatever the bounds are."""
        mapping = self._mapping
        if mapping.partitions == 1:
            return ["true"]
        if mapping.partition_by is not None:
            return self._column_slices(mapping.partition_by, mapping.partitions)
        if mapping.from_table is not None:
            return self._page_slices(mapping.from_table, mapping.partitions)
        return ["true"]

    def _column_slices(self, column: str, count: int) -> list[str]:
        kind, name = self.types[column], f"q.{_identifier(column)}"
        steps = range(1, count)
        if kind in (*_NUMBERS, *TIMES):
            # Even steps from least to greatest: an index answers both without reading the rows.
            wide = "numeric" if kind in ("smallint", "integer", "bigint") else kind
            parts = ", ".join(
                f"CAST(lo + (hi - lo) * {n} / {count} AS {kind})::text" for n in steps
            )
            query = (
                f"SELECT {parts} FROM (SELECT min({name})::{wide} AS lo, max({name})::{wide} AS hi "
                f"FROM {self.rows}) AS bounds"
            )
            bounds = self.one(query)
        else:
            shares = ", ".join(str(n / count) for n in steps)
            query = (
                f"SELECT percentile_disc(ARRAY[{shares}]) WITHIN GROUP (ORDER BY {name})::text[] "
                f"FROM {self.rows}"
            )
            bounds = tuple(self.value(query) or ())
        edges = list(dict.fromkeys(bound for bound in bounds if bound is not None))
        if not edges:
            return ["true"]
        texts = [f"CAST({_literal(edge)} AS {kind})" for edge in edges]
        inner = [f"({name} >= {low} AND {name} < {high})" for low, high in pairwise(texts)]
        first, last = f"({name} < {texts[0]} OR {name} IS NULL)", f"({name} >= {texts[-1]})"
        return [first, *inner, last]

    def _page_slices(self, table: str, count: int) -> list[str]:
        """Slices of a plain table by where its rows lie: no column, no index, no reading first."""
        kind, pages = self.one(
            "SELECT relkind::text, pg_relation_size(oid) / current_setting('block_size')::bigint "
            f"FROM pg_class WHERE oid = {_literal(_identifier(*table.split('.')))}::regclass"
        )
        count = min(count, int(pages) // _PAGES_A_SLICE) if kind in ("r", "m") else 1
        if count < 2:
            return ["true"]
        edges = [f"'({int(pages) * n // count},0)'::tid" for n in range(count)]
        inner = [f"(q.ctid >= {low} AND q.ctid < {high})" for low, high in pairwise(edges)]
        return [*inner, f"(q.ctid >= {edges[-1]})"]

    def _types(self) -> dict[str, str]:
        try:
            described = self._cursor.execute(f"SELECT * FROM {self.rows} LIMIT 0".encode())
            columns = described.description or []
            names = [column.name for column in columns]
            oids = [column.type_code for column in columns]
            formatted = self._cursor.execute(
                "SELECT format_type(oid, NULL) FROM unnest(%s::oid[]) WITH ORDINALITY AS t (oid, n)"
                " ORDER BY n",
                [oids],
            ).fetchall()
        except psycopg.Error as error:
            raise self._refused(error) from None
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise self._error(f"has {listed(twice)} more than once; give each its own name")
        return dict(zip(names, (str(row[0]) for row in formatted), strict=True))

    def _error(self, problem: str) -> DatabaseSourceError:
        mapping = self._mapping
        return DatabaseSourceError(f"{self.shown}: {mapping.place} of {mapping.name} {problem}")

    def _refused(self, error: psycopg.Error) -> DatabaseSourceError:
        remedy = "check the mapping"
        if isinstance(error, errors.InsufficientPrivilege):
            remedy = "GRANT SELECT on it to the role of CUSTOMER360_POSTGRES_URL"
        elif isinstance(error, errors.OperationalError):
            remedy = "run it again"
        elif isinstance(error, errors.DataError):
            remedy = "check the watermark's overlap and the query's casts"
        return self._error(f"cannot be read: {first_line(error)}; {remedy}")


def _identifier(*parts: str) -> str:
    return sql.Identifier(*parts).as_string()


def _literal(text: str) -> str:
    return sql.Literal(text).as_string()


def select(state: State, columns: Sequence[str], *conditions: str) -> str:
    """The SELECT of some texts where all ``conditions`` hold."""
    where = " AND ".join(condition for condition in conditions if condition != "true") or "true"
    return f"SELECT {', '.join(columns)} FROM {state.rows} WHERE {where}"
