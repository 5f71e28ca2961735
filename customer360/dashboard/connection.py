"""How the dashboard reads the warehouse: what a page asks for is read at one moment."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

import pandas as pd
import psycopg
from psycopg import errors, sql
from psycopg.types.numeric import FloatLoader

from customer360.errors import Customer360Error, first_line
from customer360.serving.kept_tables import KEPT
from customer360.serving.warehouse import Login, WarehouseError

P = ParamSpec("P")
T = TypeVar("T")
Query = str | sql.Composable

STATEMENT_TIMEOUT_SECONDS = 60
"""No question of a page may keep the server busy for longer."""

_OPTIONS = (
    f"-c statement_timeout={STATEMENT_TIMEOUT_SECONDS}s -c default_transaction_read_only=on "
    # Compiling takes longer than these queries run.
    "-c jit=off"
)
_NOT_THERE = (
    errors.UndefinedTable,
    errors.UndefinedColumn,
    errors.InvalidSchemaName,
    errors.InsufficientPrivilege,
)

_VERSION = """
SELECT md5(
    coalesce((SELECT max(published_at)::text FROM serving.publications), '')
    || coalesce(string_agg(
        concat_ws(' ', relid, n_tup_ins, n_tup_upd, n_tup_del), ',' ORDER BY relid), '')
) AS version
FROM pg_stat_user_tables
WHERE schemaname IN ('gold', 'silver', 'serving', 'marts')
  AND NOT schemaname || '.' || relname = ANY(%(apart)s)
"""
_APART = ["serving.runs", *(table.name for table in KEPT)]


class NotMadeError(Customer360Error):
    """A table that a page needs is not in the warehouse yet."""


class PublishedMeanwhileError(Customer360Error):
    """The warehouse was published anew between two questions of a page: ask all of them again."""


class Reading:
    """Questions that are answered as of one moment: a read-only transaction."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def frame(self, query: Query, parameters: Mapping[str, object] | None = None) -> pd.DataFrame:
        """The answer to ``query``, with its column names; numerics are floats.

        Raises:
            NotMadeError: A table or column is not there.
            WarehouseError: It took too long, or the server has gone.
        """
        with self._connection.cursor() as cursor:
            # Only this package writes queries; what people type is in the parameters.
            cursor.execute(cast(Any, query), parameters)
            names = [column.name for column in cursor.description or ()]
            return pd.DataFrame(cursor.fetchall(), columns=names)

    def value(self, query: Query, parameters: Mapping[str, object] | None = None) -> Any:
        """The first column of the first row of the answer; None when it has no rows."""
        frame = self.frame(query, parameters)
        return frame.iat[0, 0] if len(frame) else None

    def has(self, table: str) -> bool:
        """Whether ``schema.table`` is there."""
        return bool(self.value("SELECT to_regclass(%(t)s) IS NOT NULL", {"t": table}))

    def columns(self, table: str) -> tuple[str, ...]:
        """Columns of ``schema.table``; none when it is not there."""
        frame = self.frame(
            "SELECT attname FROM pg_attribute "
            "WHERE attrelid = to_regclass(%(t)s) AND attnum > 0 AND NOT attisdropped "
            "ORDER BY attnum",
            {"t": table},
        )
        return tuple(frame["attname"])

    def frame_if(
        self, table: str, query: Query, parameters: Mapping[str, object] | None = None
    ) -> pd.DataFrame:
        """The answer to ``query``, or no rows where ``table`` has not been made."""
        return self.frame(query, parameters) if self.has(table) else pd.DataFrame()

    def version(self) -> str:
        """What changes whenever something in the warehouse does: the key of all that is kept.

        Not the time of publication alone: dbt makes the marts after it. The counters are the
        server's own and follow a commit within a second. `serving.runs` does not count: it changes
        with every run, also with one that published nothing; nor does what pages write.
        """
        if not self.has("serving.publications"):
            return ""
        return str(self.value(_VERSION, {"apart": _APART}))


class Reader:
    """The reader's connections, kept open between questions; for any number of threads."""

    def __init__(self, login: Login) -> None:
        self._login = login
        self._idle: queue.LifoQueue[psycopg.Connection[Any]] = queue.LifoQueue()

    @property
    def login(self) -> Login:
        """The reader's login, for what a page writes."""
        return self._login

    @contextmanager
    def reading(self) -> Iterator[Reading]:
        """A moment to read at.

        Raises:
            NotMadeError: A table or column is not there.
            WarehouseError: No server, or it took too long.
        """
        connection = self._connection()
        try:
            yield Reading(connection)
            connection.rollback()
        except _NOT_THERE as error:
            self._rolled_back(connection)
            raise NotMadeError(first_line(error)) from None
        except errors.QueryCanceled:
            self._rolled_back(connection)
            raise WarehouseError(
                f"the warehouse took longer than {STATEMENT_TIMEOUT_SECONDS} s to answer; "
                "ask for less, or run `customer360 warehouse status`"
            ) from None
        except psycopg.OperationalError as error:
            connection.close()
            raise WarehouseError(
                f"warehouse {self._login.shown}: {first_line(error)}; "
                "see `customer360 warehouse status`"
            ) from None
        except BaseException:
            self._rolled_back(connection)
            raise
        else:
            self._idle.put(connection)

    def ask(
        self, query: Callable[Concatenate[Reading, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """The answer of a function of `customer360.dashboard.queries`, at a moment of its own."""
        with self.reading() as reading:
            return query(reading, *args, **kwargs)

    def close(self) -> None:
        """Close the connections that are idle."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()

    def _connection(self) -> psycopg.Connection[Any]:
        with suppress(queue.Empty):
            while True:
                kept = self._idle.get_nowait()
                try:
                    # A server that was started again has forgotten its connections.
                    kept.execute("SELECT")
                except psycopg.OperationalError:
                    kept.close()
                else:
                    return kept
        connection = self._login.connect(options=_OPTIONS)
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.read_only = True
        connection.adapters.register_loader("numeric", FloatLoader)
        return connection

    def _rolled_back(self, connection: psycopg.Connection[Any]) -> None:
        try:
            connection.rollback()
        except psycopg.OperationalError:
            connection.close()
        else:
            self._idle.put(connection)
