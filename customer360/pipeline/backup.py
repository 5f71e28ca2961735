"""A copy of a whole deployment, taken while nobody writes it, and a deployment made of one.

A backup is a folder: ``home/`` with the files, ``warehouse.dump`` of the deployment's own
PostgreSQL, and ``manifest.json``, which is written last and has the SHA-256 of every file. Tables
in an object store are not in it, only which versions they had: the store keeps them. The secrets
are in none of them: with them beside the tables, the customer keys would be no pseudonyms.
They go to a file of their own, where one is asked for.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from customer360 import __version__
from customer360.errors import Customer360Error, first_line
from customer360.home_lock import LOCK_FILE, NOTE_FILE
from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.object_store import HOME_ID
from customer360.pipeline.forgotten_since import keep_since, make_secret
from customer360.serving.warehouse import Login, WarehouseError, open_warehouse, pg_program
from customer360.settings import DEPLOYMENT_FILE, Settings, joined, load_settings, parted
from customer360.yaml_text import read_yaml

MANIFEST = "manifest.json"
HOME, DUMP = "home", "warehouse.dump"
BACKUPS = "backups.jsonl"
"""In the home: a line for each backup, where it went. Whoever must erase a person from all copies
reads here where else to look."""

_SECRETS_DIR = "secrets"
_LEFT_OUT = frozenset({_SECRETS_DIR, "dbt", "warehouse_docs", "tmp", LOCK_FILE, NOTE_FILE, HOME_ID})
"""Of a home: the secrets, what is made again by whoever needs it, what is of a moment, and by what
an object store knows it."""

_NOTED = Path("mlflow", "noted")
"""Below a home: where MLflow's champions lie on this machine, found again by whoever asks."""

_SQLITE = b"SQLite format 3\0"
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")
_CHUNK = 1 << 20
_MARGIN = 1.1
_ONLY_ITS_OWNER = 0o600


class BackupError(Customer360Error):
    """A backup cannot be made or restored; the message says why, and what to do."""


@dataclass(frozen=True)
class CopiedFile:
    """One file of a backup: its path below the backup, its size and its SHA-256."""

    path: str
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Manifest:
    """What a backup holds.

    Attributes:
        made_by: Version of customer360.
        created_at: When, in UTC.
        home: The absolute path of the home that it is of.
        files: Every file, by path.
        tables: Version and rows of each table of the lakehouse.
        warehouse: ``dump``: the own server's is in it; ``elsewhere``: another server's, which has
            backups of its own; ``none``: nothing was ever published.
        secrets: Whether the secrets were written to a file of their own.
        lakehouse: The object store that has the tables; None: they are in the backup.
    """

    made_by: str
    created_at: str
    home: str
    files: list[CopiedFile]
    tables: Mapping[str, Mapping[str, int]]
    warehouse: str
    secrets: bool
    lakehouse: str | None = None

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(file.bytes for file in self.files)


def back_up(settings: Settings, to: Path, secrets: Path | None = None) -> Manifest:
    """Copy the deployment; the caller holds its home.

    It is written beside, and gets its name when it is whole; one that was killed is begun anew.

    Args:
        settings: The deployment's.
        to: The folder of the backup, which is made.
        secrets: File for the secrets, which must lie elsewhere; None: they are not copied.

    Raises:
        BackupError: There is something at ``to`` already, too little space, or a file cannot
            be read.
        WarehouseError: The own server cannot be dumped.
    """
    home, to = settings.home.resolve(), to.absolute()
    if to.exists():
        raise BackupError(f"{to} is there already: name a new folder, such as one with the date")
    if not home.is_dir():
        raise BackupError(f"{home} is no deployment: there is nothing to back up")
    for place, what in ((to, "backup"), (secrets, "file of secrets")):
        if place is not None and place.absolute().is_relative_to(home):
            raise BackupError(f"{place} is in the home: a {what} belongs on another disk")
    if secrets is not None and secrets.absolute().is_relative_to(to):
        raise BackupError(f"{secrets} is in the backup: keep the secrets apart from the tables")
    scratch = _begun(to)
    try:
        remove_killed(settings)
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        # Before the first byte: one that is killed on its way is looked for there as well.
        _note(home, to, secrets)
        _refuse_full_disk(scratch, sum(file.stat().st_size for file in _files(settings, home)))
        make_secret(settings)
        if secrets is not None:
            _write_secrets(settings, secrets)
        copied = [_copied(file, home, scratch) for file in _files(settings, home)]
        warehouse = _dumped(settings, scratch / DUMP)
        if warehouse == "dump":
            copied.append(_digest(scratch / DUMP, DUMP))
        manifest = Manifest(
            made_by=__version__,
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            home=str(home),
            files=sorted(copied, key=lambda file: file.path),
            tables=_tables(settings),
            warehouse=warehouse,
            secrets=secrets is not None,
            lakehouse=settings.lakehouse_uri,
        )
        (scratch / MANIFEST).write_text(json.dumps(asdict(manifest), indent=1), encoding="utf-8")
        scratch.rename(to)
    except OSError as error:
        raise BackupError(
            f"{error.filename or to}: {error.strerror or first_line(error)}"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def backups_of(settings: Settings) -> list[Path]:
    """The folders of all backups that were ever begun, each once, be they there or not."""
    file = settings.home / BACKUPS
    lines = file.read_text(encoding="utf-8").splitlines() if file.exists() else []
    return sorted({Path(json.loads(line)["kept_in"]) for line in lines if line})


def remove_killed(settings: Settings) -> int:
    """Delete what backups and restores left that were killed; the caller holds the home.

    Returns:
        How many of them had left something.
    """
    begun = [_begun(place) for place in (*backups_of(settings), settings.home.resolve())]
    left = [folder for folder in begun if folder.is_dir()]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def shown_backup(folder: Path) -> str:
    """Where to look for a backup, as long as it is not whole where it was begun, too."""
    return str(folder) if folder.exists() else f"{folder} (or {_begun(folder)}, if it was killed)"


def _begun(place: Path) -> Path:
    """Where a backup or a home is written until it is whole."""
    return place.with_name(f".{place.name}.part")


def read_manifest(source: Path) -> Manifest:
    """What the backup in ``source`` states of itself.

    Raises:
        BackupError: There is no whole backup.
    """
    try:
        stated = json.loads((source / MANIFEST).read_text(encoding="utf-8"))
        if not isinstance(stated, dict) or "files" not in stated:
            raise ValueError("it names no files")
        files = [CopiedFile(**file) for file in stated.pop("files")]
        return Manifest(files=files, **stated)
    except FileNotFoundError:
        raise BackupError(
            f"{source} is no backup: it has no {MANIFEST}; name a folder that `customer360 backup` "
            "made"
        ) from None
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"{source / MANIFEST} is no manifest of a backup ({first_line(error)}): take another "
            "backup"
        ) from None


def restore(source: Path, home: Path, secrets: Path | None = None) -> Manifest:
    """Make a deployment of a backup, in a home that is empty or not there.

    Every file is compared with the manifest as it is copied; the home appears when all are whole.
    Who was forgotten since is noted in it, see `customer360.pipeline.forgotten_since`.

    Args:
        source: The backup.
        home: The new home.
        secrets: The file of its secrets; None: they are put in place by hand, or are settings.

    Raises:
        BackupError: The backup is damaged, or the home is not empty.
        WarehouseError: The own server does not start; the files are restored.
    """
    manifest = read_manifest(source)
    home = home.absolute()
    if home.exists() and (not home.is_dir() or any(home.iterdir())):
        raise BackupError(
            f"{home} is not empty: restore into a home that is, and name it by --home"
        )
    scratch = _begun(home)
    try:
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True, mode=0o700)
        _refuse_full_disk(scratch, manifest.size)
        for file in manifest.files:
            if file.path != DUMP:
                _restore_file(source, file, scratch)
        if secrets is not None:
            _read_secrets(secrets, scratch)
        keep_since(source, scratch)
        _move_paths(scratch / "mlflow" / "mlflow.db", manifest.home, str(home))
        if home.exists():
            home.rmdir()
        scratch.rename(home)
    except OSError as error:
        raise BackupError(
            f"{error.filename or home}: {error.strerror or first_line(error)}"
        ) from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    if manifest.warehouse == "dump":
        dump = next(file for file in manifest.files if file.path == DUMP)
        if _digest(source / DUMP, DUMP) != dump:
            raise BackupError(
                f"{source / DUMP} is damaged; the home is restored without the warehouse: "
                "`customer360 run --steps publish` fills a new one"
            )
        _load(load_settings(home), source / DUMP)
    return manifest


def _files(settings: Settings, home: Path) -> Iterator[Path]:
    """The home's files that a backup has, in order."""
    top = [
        each
        for each in sorted(home.iterdir())
        if each.name not in _LEFT_OUT
        and each.name != settings.warehouse_dir.name
        and not each.name.startswith((".", f"{settings.warehouse_dir.name}."))
    ]
    for each in top:
        if each.is_file():
            yield each
        elif each.is_dir():
            for folder, folders, names in os.walk(each, followlinks=True):
                folders[:] = sorted(
                    name
                    for name in folders
                    if Path(folder, name) != settings.home.resolve() / _NOTED
                )
                found = (Path(folder, name) for name in sorted(names))
                yield from (file for file in found if file.is_file() and not _is_journal(file))


def _is_journal(file: Path) -> bool:
    """Whether a file belongs to an SQLite database, which is copied with what is in it."""
    for ending in _BESIDE_SQLITE:
        if file.name.endswith(ending) and file.with_name(file.name.removesuffix(ending)).exists():
            return True
    return False


def _copied(file: Path, home: Path, scratch: Path) -> CopiedFile:
    path = Path(HOME) / file.relative_to(home)
    target = scratch / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if file.parent == home and file.name == DEPLOYMENT_FILE:
        stated = read_yaml(file.read_text(encoding="utf-8"))
        kept = parted(stated)[0] if isinstance(stated, dict) else {}
        target.write_text(yaml.safe_dump(kept, sort_keys=True), encoding="utf-8")
    elif _is_sqlite(file):
        # Dagster's daemon and MLflow may write meanwhile: SQLite copies a state of one moment.
        with (
            closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as database,
            closing(sqlite3.connect(target)) as copy,
        ):
            database.backup(copy)
    else:
        shutil.copyfile(file, target)
    shutil.copystat(file, target)
    return _digest(target, path.as_posix())


def _is_sqlite(file: Path) -> bool:
    with file.open("rb") as stream:
        return stream.read(len(_SQLITE)) == _SQLITE


def _digest(file: Path, path: str) -> CopiedFile:
    digest, size = hashlib.sha256(), 0
    with file.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
            size += len(chunk)
    return CopiedFile(path, size, digest.hexdigest())


def _restore_file(source: Path, file: CopiedFile, scratch: Path) -> None:
    target = (scratch / Path(file.path).relative_to(HOME)).resolve()
    if not target.is_relative_to(scratch.resolve()):
        raise BackupError(
            f"{source / MANIFEST} names {file.path}, which is outside of a home: no backup says "
            "so; find out who changed it"
        )
    if not (source / file.path).is_file():
        raise BackupError(
            f"{source / file.path} is gone, and {MANIFEST} names it: take another backup"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source / file.path, target)
    if _digest(target, file.path) != file:
        raise BackupError(
            f"{source / file.path} is not what it was when the backup was made: take another backup"
        )
    shutil.copymode(source / file.path, target)


def _move_paths(database: Path, before: str, now: str) -> None:
    """Let MLflow find its files in another home: it keeps absolute addresses of all of them."""
    if before == now or not database.exists():
        return
    old, new = Path(before, "mlflow"), Path(now, "mlflow")
    with closing(sqlite3.connect(database)) as connection, connection:
        tables = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table'"
        ).fetchall()
        for (table,) in tables:
            for _, column, kind, *_ in connection.execute(
                f'PRAGMA table_info("{table}")'
            ).fetchall():
                if not str(kind).upper().startswith(("VARCHAR", "TEXT")):
                    continue
                for was, becomes in ((old.as_uri(), new.as_uri()), (str(old), str(new))):
                    connection.execute(
                        f'UPDATE "{table}" SET "{column}" = replace("{column}", ?, ?) '
                        f'WHERE instr("{column}", ?) = 1',
                        [was, becomes, was],
                    )


def _write_secrets(settings: Settings, target: Path) -> None:
    """All secrets of the deployment, as its file and its folder have them; never from elsewhere."""
    files = {
        file.name: file.read_text(encoding="utf-8")
        for file in sorted((settings.home / _SECRETS_DIR).glob("[!.]*"))
        if file.is_file()
    }
    stated: Any = {}
    if (settings.home / DEPLOYMENT_FILE).exists():
        stated = read_yaml((settings.home / DEPLOYMENT_FILE).read_text(encoding="utf-8"))
    held = parted(stated)[1] if isinstance(stated, dict) else {}
    target.parent.mkdir(parents=True, exist_ok=True)
    scratch = target.with_name(f".{target.name}.part")
    scratch.unlink(missing_ok=True)
    handle = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_ITS_OWNER)
    with os.fdopen(handle, "w", encoding="utf-8") as stream:
        json.dump({"files": files, "settings": held}, stream)
    scratch.replace(target)


def _read_secrets(source: Path, home: Path) -> None:
    try:
        held = json.loads(source.read_text(encoding="utf-8"))
        files, stated = dict(held["files"]), dict(held["settings"])
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise BackupError(
            f"{source} is no file of secrets, as `customer360 backup --secrets` writes it: "
            f"{first_line(error)}"
        ) from None
    folder = home / _SECRETS_DIR
    folder.mkdir(mode=0o700, exist_ok=True)
    for name, content in files.items():
        target = folder / Path(name).name
        handle = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _ONLY_ITS_OWNER)
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(content)
    if stated:
        file = home / DEPLOYMENT_FILE
        known = read_yaml(file.read_text(encoding="utf-8")) if file.exists() else {}
        merged = joined(known if isinstance(known, dict) else {}, stated)
        file.write_text(yaml.safe_dump(merged, sort_keys=True), encoding="utf-8")
        file.chmod(_ONLY_ITS_OWNER)


def _tables(settings: Settings) -> dict[str, dict[str, int]]:
    logs = TableLogs(settings.lakehouse_root)
    details = [logs.details(table) for table in logs.tables()]
    return {each.table: {"version": each.version, "rows": each.rows} for each in details}


def _note(home: Path, to: Path, secrets: Path | None) -> None:
    line = {
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "kept_in": str(to),
        "secrets_in": None if secrets is None else str(secrets.absolute()),
    }
    with (home / BACKUPS).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")


def _refuse_full_disk(folder: Path, needed: int) -> None:
    free = shutil.disk_usage(folder).free
    if free < needed * _MARGIN:
        raise BackupError(
            f"{folder.parent} has {free:,} bytes free, and {needed:,} are to be copied: make room, "
            "or name another disk"
        )


def _dumped(settings: Settings, target: Path) -> str:
    """Dump the own server; see `Manifest.warehouse`."""
    if settings.warehouse_url is not None:
        return "elsewhere"
    if not (settings.warehouse_dir / "PG_VERSION").exists():
        return "none"
    owner = open_warehouse(settings).owner
    # No owners: they are this server's. Who may read is part of it.
    _run("pg_dump", owner, "--format=custom", "--no-owner", f"--file={target}")
    return "dump"


def _load(settings: Settings, dump: Path) -> None:
    owner = open_warehouse(settings).owner  # with the roles that the dump's grants name
    _run(
        "pg_restore",
        owner,
        *("--clean", "--if-exists", "--no-owner", "--exit-on-error", "--single-transaction"),
        f"--dbname={owner.parameters['dbname']}",
        str(dump),
    )


def _run(program: str, owner: Login, *arguments: str) -> None:
    done = subprocess.run(
        [pg_program(program), *arguments],
        env=os.environ | owner.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip().splitlines() or ["it failed"])[0]
        raise WarehouseError(f"{program}: {said}")
