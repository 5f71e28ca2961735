"""What the machine must offer, checked one by one: the body of ``customer360 doctor``.

Every check returns what it found and, when that is not good, what to do about it; it never
raises. What a check looks at comes in as arguments with the real thing as default, so that each
failure can be tested without breaking the machine. Not here: printing (``cli``), and mending.
"""

from __future__ import annotations

import errno
import os
import platform
import re
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from rich.table import Table

from customer360.errors import Customer360Error, EnvironmentError360
from customer360.lakehouse import jars
from customer360.lakehouse.connect import connected, shown
from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.masters import is_connect, is_local, is_standalone
from customer360.lakehouse.standalone import answers
from customer360.lakehouse_uri import S3
from customer360.modes import open_to_others
from customer360.settings import Settings
from customer360.table_names import CUSTOMERS

MINIMUM_JAVA = 17
# The demo's lakehouse takes about 1 GB, and Delta keeps the versions before until VACUUM.
MINIMUM_DISK = 2 * 1024**3
# Python beside the JVM: pandas frames, MLflow, Dagster.
PYTHON_MEMORY = 1536 * 1024**2
DAGSTER_PORT = 3000
_CONNECT_SECONDS = 5.0

_SIZES = {"": 1, "b": 1, "k": 1024, "m": 1024**2, "g": 1024**3, "t": 1024**4}

Status = Literal["ok", "warn", "fail"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: What was looked at.
        status: ``ok``; ``warn``: works, but not everything or not for long; ``fail``: runs fail.
        found: What is there.
        remedy: What to do; empty when ``ok``.
    """

    name: str
    status: Status
    found: str
    remedy: str = ""


def run_checks(settings: Settings) -> list[Check]:
    """Every check, for the deployment of ``settings``; takes a second or two."""
    return [
        check_python(),
        check_packages(),
        *_spark_checks(settings),
        *([check_lakehouse(settings.lakehouse_uri)] if settings.lakehouse_uri else []),
        check_home(settings.home),
        check_disk(settings.home),
        check_time_zone(settings.time_zone),
        check_secret(
            settings.home, given=settings.customer_key_secret, root=settings.lakehouse_root
        ),
        check_unfinished(settings),
        check_port(DAGSTER_PORT),
    ]


def _spark_checks(settings: Settings) -> list[Check]:
    if is_connect(settings.spark_master):
        # A session there needs no Java, jars or heap here.
        return [check_connect(settings.spark_master), check_reach(settings)]
    return [
        check_java(),
        check_jars(settings.jars_dir),
        *_s3a_checks(settings),
        check_memory(settings.spark_driver_memory),
        *([check_master(settings.spark_master)] if is_standalone(settings.spark_master) else []),
        *([] if is_local(settings.spark_master) else [check_reach(settings)]),
    ]


def _s3a_checks(settings: Settings) -> list[Check]:
    needed = (settings.lakehouse_uri or "").startswith(f"{S3}://")
    return [check_s3a_jars(settings.jars_dir)] if needed else []


def healthy(checks: Iterable[Check]) -> bool:
    """Whether nothing failed: what the exit code of ``customer360 doctor`` says."""
    return all(check.status != "fail" for check in checks)


def render(checks: Iterable[Check]) -> Table:
    """The checks as a table for the terminal, one line each."""
    marks = {"ok": "[green]ok[/]", "warn": "[yellow]warn[/]", "fail": "[bold red]fail[/]"}
    table = Table(box=None, pad_edge=False, show_header=True, header_style="bold")
    table.add_column("")
    table.add_column("Check", no_wrap=True)
    table.add_column("Found", overflow="fold")
    table.add_column("What to do", overflow="fold")
    for check in checks:
        table.add_row(marks[check.status], check.name, _plain(check.found), _plain(check.remedy))
    return table


def _plain(text: str) -> str:
    # Square brackets are markup to rich, and local[*] is a Spark master.
    return text.replace("[", r"\[")


def check_python(
    version: str | None = None,
    *,
    requires: Callable[[str], str] = lambda name: metadata.metadata(name)["Requires-Python"],
) -> Check:
    """Python is one that the package is made for."""
    version = version or platform.python_version()
    wanted = requires("customer360")
    actual = f"{version} at {sys.executable}"
    if SpecifierSet(wanted).contains(version, prereleases=True):
        return Check("Python", "ok", actual)
    return Check(
        "Python", "fail", actual, f"install a Python {wanted}, remove .venv and run `make setup`"
    )


def check_packages(
    distribution: str = "customer360",
    *,
    requires: Callable[[str], list[str] | None] = metadata.requires,
    version: Callable[[str], str] = metadata.version,
) -> Check:
    """Installed packages are the versions this package, and Delta for its Spark, ask for."""
    try:
        wanted = [*(requires(distribution) or []), *(requires("delta-spark") or [])]
    except metadata.PackageNotFoundError as missing:
        return Check("Packages", "fail", f"{missing.name} is not installed", "run `make setup`")
    wrong = []
    for requirement in map(Requirement, wanted):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            installed = version(requirement.name)
        except metadata.PackageNotFoundError:
            wrong.append(f"{requirement} (not installed)")
            continue
        if not requirement.specifier.contains(installed, prereleases=True):
            wrong.append(f"{requirement} (found {installed})")
    if wrong:
        return Check("Packages", "fail", f"unmet: {', '.join(sorted(set(wrong)))}", "`make setup`")
    return Check("Packages", "ok", f"{distribution} {version(distribution)} and what it needs")


def check_java(
    environ: Mapping[str, str] | None = None,
    *,
    which: Callable[[str], str | None] = shutil.which,
    run: Callable[[str], str | None] | None = None,
) -> Check:
    """A Java that Spark would start: that of ``JAVA_HOME`` if set, else the one on ``PATH``.

    Args:
        environ: Environment variables.
        which: Finds a command on PATH.
        run: What ``<java> -version`` prints, or None when it cannot be run.
    """
    environ = os.environ if environ is None else environ
    remedy = f"install Java {MINIMUM_JAVA} or newer, or set JAVA_HOME to one"
    home = environ.get("JAVA_HOME")
    command = str(Path(home) / "bin" / "java") if home else which("java")
    if command is None:
        return Check("Java", "fail", "none on PATH, and JAVA_HOME is not set", remedy)
    output = (run or _java_version)(command)
    if output is None:
        where = f"JAVA_HOME={home}" if home else command
        return Check("Java", "fail", f"{where} does not run", remedy)
    # openjdk version "17.0.15" 2025-04-15; before Java 9 it was "1.8.0_402".
    match = re.search(r'version "(?:1\.)?(\d+)([^"]*)"', output)
    if match is None:
        return Check("Java", "warn", f"{command} does not say its version", remedy)
    actual = f"{match[1]}{match[2]} at {command}"
    if int(match[1]) < MINIMUM_JAVA:
        return Check("Java", "fail", actual, remedy)
    return Check("Java", "ok", actual)


def _java_version(command: str) -> str | None:
    try:
        done = subprocess.run(
            [command, "-version"], capture_output=True, text=True, timeout=20, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stderr + done.stdout


def check_connect(address: str) -> Check:
    """A Spark Connect server with Delta gives a session."""
    try:
        session = connected(address, {}, ready_seconds=_CONNECT_SECONDS)
    except Customer360Error as error:
        return Check("Spark Connect", "fail", str(error), "see docs/cluster.md")
    version = session.version
    session.stop()
    return Check("Spark Connect", "ok", f"Spark {version} with Delta at {shown(address)}")


def check_master(master: str) -> Check:
    """Somebody answers at the address of a Spark master."""
    try:
        found = answers(master, _CONNECT_SECONDS)
    except Customer360Error as error:
        return Check("Spark master", "fail", str(error), "see docs/cluster.md")
    if found:
        return Check("Spark master", "ok", f"answers at {shown(master)}")
    return Check(
        "Spark master",
        "fail",
        f"nobody answers at {shown(master)}",
        "start it, or set CUSTOMER360_SPARK_MASTER to another",
    )


def check_reach(settings: Settings) -> Check:
    """Workers elsewhere can copy rows into the warehouse."""
    if settings.warehouse_url is not None:
        return Check("Warehouse", "ok", "a server of its own, as Spark's workers need it")
    return Check(
        "Warehouse",
        "warn",
        "the home's own, which only this machine reaches",
        "set warehouse_url to a server that Spark's workers reach, where they are elsewhere",
    )


def check_jars(folder: Path | None = None) -> Check:
    """The Delta jars are on disk."""
    if jars.present(folder):
        return Check("Delta jars", "ok", ", ".join(path.name for path in jars.jar_paths(folder)))
    return Check(
        "Delta jars",
        "fail",
        f"not in {folder or jars.default_folder()}",
        "connect to a network and run `make setup` once; later runs need none",
    )


def check_s3a_jars(folder: Path | None = None) -> Check:
    """The jars by which Spark reaches S3 are on disk."""
    paths = jars.s3a_paths(folder)
    if all(path.exists() for path in paths):
        return Check("S3A jars", "ok", f"{len(paths)} of Hadoop {jars.HADOOP}")
    return Check(
        "S3A jars",
        "fail",
        f"not in {folder or jars.default_folder()}",
        "connect to a network and run `python -m customer360.lakehouse.jars s3a` once",
    )


def check_lakehouse(uri: str) -> Check:
    """The object store of the tables answers, and lets them be listed."""
    try:
        count = len(TableLogs(uri).tables())
    except EnvironmentError360 as error:
        found, _, remedy = str(error).rpartition("; ")
        return Check("Lakehouse", "fail", found, remedy)
    return Check("Lakehouse", "ok", f"{uri}: {count} table{'' if count == 1 else 's'}")


def check_memory(driver_memory: str, *, available: Callable[[], int | None] | None = None) -> Check:
    """Memory for the JVM's heap and for Python beside it.

    Args:
        driver_memory: Heap as Spark writes it: ``2g``, ``512m``.
        available: Bytes that can be had without swapping; None when that is unknown.
    """
    try:
        heap = parse_size(driver_memory)
    except ValueError:
        return Check(
            "Memory",
            "fail",
            f"spark_driver_memory is {driver_memory!r}",
            "set CUSTOMER360_SPARK_DRIVER_MEMORY to a size like 2g",
        )
    free = (available or available_memory)()
    if free is None:
        return Check("Memory", "ok", f"unknown on {platform.system()}; the heap is {driver_memory}")
    actual = f"{_size(free)} available, Spark's heap is {driver_memory}"
    if free >= heap + PYTHON_MEMORY:
        return Check("Memory", "ok", actual)
    return Check(
        "Memory",
        "warn" if free >= heap else "fail",
        actual,
        f"free {_size(heap + PYTHON_MEMORY)}, or lower CUSTOMER360_SPARK_DRIVER_MEMORY",
    )


def parse_size(text: str) -> int:
    """Bytes of a size as Java writes it: ``512m``, ``2g``.

    Raises:
        ValueError: It is not such a size.
    """
    match = re.fullmatch(r"(\d+)\s*([bkmgt]?)b?", text.strip().lower())
    if match is None:
        raise ValueError(f"{text!r} is not a size like 2g")
    return int(match[1]) * _SIZES[match[2]]


def available_memory(
    meminfo: Path = Path("/proc/meminfo"), cgroup: Path = Path("/sys/fs/cgroup")
) -> int | None:
    """Bytes available: the machine's, or what the container's limit leaves; None off Linux."""
    try:
        match = re.search(r"^MemAvailable:\s+(\d+) kB", meminfo.read_text(), re.MULTILINE)
    except OSError:
        return None
    if match is None:
        return None
    machine = int(match[1]) * 1024
    try:
        limit = int((cgroup / "memory.max").read_text())
        used = int((cgroup / "memory.current").read_text())
    except (OSError, ValueError):  # no cgroup v2, or "max": no limit
        return machine
    return min(machine, max(limit - used, 0))


def check_disk(
    home: Path,
    minimum: int = MINIMUM_DISK,
    *,
    free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
) -> Check:
    """Room for the deployment, in bytes, on the disk that holds or will hold ``home``."""
    folder = _nearest(home)
    free_bytes = free(folder)
    text = f"{_size(free_bytes)} free on the disk of {folder}"
    if free_bytes >= minimum:
        return Check("Disk", "ok", text)
    return Check(
        "Disk",
        "fail" if free_bytes < minimum // 4 else "warn",
        text,
        f"free {_size(minimum)}, or put the deployment elsewhere by --home or CUSTOMER360_HOME",
    )


def check_home(home: Path) -> Check:
    """The home can be written to, or made."""
    folder = _nearest(home)
    remedy = "choose another by --home or CUSTOMER360_HOME, or change its owner"
    if not folder.is_dir():
        return Check("Home", "fail", f"{folder} is a file", remedy)
    try:
        # Asking os.access would believe permission bits that root or a read-only mount overrule.
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        return Check("Home", "fail", f"{folder} cannot be written to: {error.strerror}", remedy)
    if folder == home.absolute() and open_to_others(home):
        found = f"{home.absolute()} can be read by others ({stat.S_IMODE(home.stat().st_mode):o})"
        return Check("Home", "warn", found, f"chmod 700 {home}; the next run does it too")
    state = "" if folder == home.absolute() else " (will be made)"
    return Check("Home", "ok", f"{home.absolute()}{state}")


def _nearest(path: Path) -> Path:
    """``path``, or the closest folder above it that exists."""
    path = path.absolute()
    return next(p for p in (path, *path.parents) if p.exists())


def check_time_zone(name: str | None, *, now: datetime | None = None) -> Check:
    """The business's time zone exists on this machine."""
    if name is None:
        return Check("Time zone", "ok", "each source's own")
    try:
        zone = ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return Check(
            "Time zone",
            "fail",
            f"{name!r} is not known here",
            "set CUSTOMER360_TIME_ZONE to an IANA name like Europe/London, or install tzdata",
        )
    offset = (now or datetime.now(UTC)).astimezone(zone).strftime("%z")
    return Check("Time zone", "ok", f"{name} (UTC{offset[:3]}:{offset[3:]} now)")


def check_secret(home: Path, *, given: str | None = None, root: Path | str | None = None) -> Check:
    """The secret behind the customer keys is there and only its owner can read it.

    Args:
        home: The deployment, whose ``secrets/customer_key`` holds it.
        given: The secret when it comes by ``CUSTOMER360_CUSTOMER_KEY_SECRET``.
        root: Of the tables that were made with it; None: the home's own folder.
    """
    name = "Key secret"
    if given is not None:
        if len(given) < 16:
            return Check(
                name,
                "warn",
                f"{len(given)} characters long, so it can be guessed",
                "set CUSTOMER360_CUSTOMER_KEY_SECRET to 32 random characters before the first run",
            )
        return Check(name, "ok", "from CUSTOMER360_CUSTOMER_KEY_SECRET")
    file = home / "secrets" / "customer_key"
    try:
        mode = stat.S_IMODE(file.stat().st_mode)
        empty = not file.read_text().strip()
    except FileNotFoundError:
        if _has_tables(root or home / "lakehouse"):
            return Check(
                name,
                "fail",
                f"{file} is gone, but there are tables made with it",
                "restore it: with a new secret every customer becomes a new one",
            )
        return Check(name, "ok", f"made at the first run, as {file}")
    except OSError as error:
        return Check(name, "fail", f"{file}: {error.strerror}", "make it readable to you")
    if empty:
        return Check(
            name, "fail", f"{file} is empty", "restore it, or delete it before a first run"
        )
    if mode & 0o077:
        return Check(name, "warn", f"{file} can be read by others ({mode:o})", f"chmod 600 {file}")
    return Check(name, "ok", f"{file} ({mode:o})")


def check_unfinished(settings: Settings) -> Check:
    """Neither an erasure nor a rotation of the key was stopped on its way."""
    name = "Privacy"
    for file, what in (("erasure.json", "forget"), ("rotation.json", "rotate-key")):
        if (settings.home / "privacy" / file).exists():
            return Check(
                name,
                "warn",
                f"`privacy {what}` was stopped before its end",
                settings.command(f"privacy {what} --resume"),
            )
    return Check(name, "ok", "nothing is to be finished")


def _has_tables(root: Path | str) -> bool:
    if isinstance(root, Path):
        return any((root / "silver").glob("*/_delta_log"))
    with suppress(EnvironmentError360):  # that it cannot be reached has a check of its own
        return TableLogs(root).exists(CUSTOMERS)
    return False


def check_port(
    port: int = DAGSTER_PORT, host: str = "127.0.0.1", command: str = "customer360 dev"
) -> Check:
    """Nothing else listens where the UI that ``command`` starts would."""
    name = f"Port {port}"
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # A port that a UI left a minute ago can be taken again; one in use cannot.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            return Check(
                name,
                "warn",
                "in use" if taken else f"cannot be used: {error.strerror}",
                f"`{command} --port {port + 1}`, or stop what listens there",
            )
    return Check(name, "ok", f"free, for `{command}`")


def _size(number: int) -> str:
    return f"{number / 1024**3:.1f} GB"
