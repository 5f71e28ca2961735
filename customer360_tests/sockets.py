"""Where processes take connections."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterable
from contextlib import suppress
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import psutil


def family(process: psutil.Process) -> list[psutil.Process]:
    """A process and all that it started."""
    return [process, *process.children(recursive=True)]


def listens(processes: Iterable[psutil.Process]) -> set[tuple[str, int]]:
    """Addresses and ports at which any of them takes connections or packets."""
    found = set()
    for process in processes:
        try:
            connections = process.net_connections("inet")
        except psutil.NoSuchProcess:  # a server's helpers come and go
            continue
        for each in connections:
            packets = each.type is socket.SOCK_DGRAM and each.laddr and not each.raddr
            if packets or each.status == psutil.CONN_LISTEN:
                found.add((each.laddr.ip, each.laddr.port))
    return found


def beyond_this_machine(where: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    """Those of the addresses that others reach."""
    return [(address, port) for address, port in where if not _is_loopback(address)]


def _is_loopback(text: str) -> bool:
    address = ip_address(text)
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return (mapped or address).is_loopback


def wait_for_port(
    port: int, process: subprocess.Popen[bytes], log: Path, *, seconds: float = 180
) -> None:
    """Wait until somebody listens at a port of the loopback."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text(errors="replace")
        with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.2)
    raise AssertionError(f"nobody listens at {port}: {log.read_text(errors='replace')}")
