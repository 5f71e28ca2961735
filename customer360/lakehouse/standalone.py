"""Masters of Spark's own cluster manager (``spark://…``), and whether one of them answers."""

from __future__ import annotations

import socket
import time
from urllib.parse import urlsplit

from customer360.errors import EnvironmentError360, SettingsError
from customer360.lakehouse.connect import shown
from customer360.lakehouse.masters import STANDALONE

_READY_SECONDS = 20
_PAUSE_SECONDS = 0.5


def answers(master: str, seconds: float) -> bool:
    """Whether somebody takes connections at an address of ``master``, asked once.

    Args:
        master: ``spark://host:port``, or ``spark://host:port,host:port`` where one stands by.
        seconds: For how long each address is waited for.

    Raises:
        SettingsError: ``master`` is no such address.
    """
    return any(_takes(host, port, seconds) for host, port in _addresses(master))


def see_master(master: str, seconds: float = _READY_SECONDS) -> None:
    """See that a master answers; Spark itself would try for a minute, and end in a trace.

    Args:
        master: As for `answers`.
        seconds: For how long it is tried.

    Raises:
        SettingsError: ``master`` is no such address.
        EnvironmentError360: Nobody answers.
    """
    until = time.monotonic() + seconds
    while not answers(master, max(until - time.monotonic(), _PAUSE_SECONDS)):
        if time.monotonic() >= until:
            raise EnvironmentError360(
                f"no Spark master answers at {shown(master)}: start it, or set "
                "CUSTOMER360_SPARK_MASTER to another"
            )
        time.sleep(_PAUSE_SECONDS)


def _addresses(master: str) -> list[tuple[str, int]]:
    found = []
    for address in master.removeprefix(STANDALONE).split(","):
        try:
            parts = urlsplit(STANDALONE + address)
            host, port = parts.hostname, parts.port
        except ValueError:
            host = port = None
        if host is None or port is None:
            raise SettingsError(
                f"spark_master ({shown(master)}): is no address of a Spark master; write "
                "spark://host:7077"
            )
        found.append((host, port))
    return found


def _takes(host: str, port: int, seconds: float) -> bool:
    try:
        socket.create_connection((host, port), timeout=seconds).close()
    except OSError:
        return False
    return True
