"""What a command has started, and how that ends."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress

import psutil

_GRACE_SECONDS = 10.0
_STOP = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def started() -> list[psutil.Process]:
    """The processes that this one has started, and those that they have."""
    children: list[psutil.Process] = psutil.Process().children(recursive=True)
    return children


def end(processes: Iterable[psutil.Process], grace_seconds: float = _GRACE_SECONDS) -> None:
    """Ask each to end, and make those that do not.

    Spark removes its files from the temporary folder when it is asked, and not when it is made to.
    """
    asked = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            process.terminate()
            asked.append(process)
    for process in psutil.wait_procs(asked, timeout=grace_seconds)[1]:
        with suppress(psutil.NoSuchProcess):
            process.kill()


def serve(
    command: Sequence[str], environment: Mapping[str, str], *, quiet: bool = False
) -> int | None:
    """Run a server, with all that it starts, until it ends or this process is told to stop.

    Ctrl-C, SIGTERM and the end of the terminal stop it: first it alone, which then ends what it has
    started in good order, then what is left of its session. A second Ctrl-C does not wait for that.

    Args:
        command: The server's command line.
        environment: All of its environment variables.
        quiet: Whether what it prints on standard output is dropped.

    Returns:
        Its exit code; None where it was stopped.
    """
    before = {number: signal.getsignal(number) for number in _STOP}
    for number, handler in before.items():
        # Ignored, as under nohup, it stays.
        if handler is not signal.SIG_IGN:
            signal.signal(number, signal.default_int_handler)
    try:
        # In a session of its own: else a terminal's Ctrl-C would reach each of its processes, in
        # no order. One that leaves the session on purpose, like a browser, is not ended with it.
        with subprocess.Popen(
            command,
            env=environment,
            stdout=subprocess.DEVNULL if quiet else None,
            start_new_session=True,
        ) as server:
            try:
                return server.wait()
            except KeyboardInterrupt:
                with suppress(KeyboardInterrupt, subprocess.TimeoutExpired):
                    server.terminate()
                    server.wait(_GRACE_SECONDS)
                return None
            finally:
                for number in _STOP:
                    signal.signal(number, signal.SIG_IGN)
                end(_of_session(server.pid))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _of_session(number: int) -> list[psutil.Process]:
    processes = []
    for process in psutil.process_iter():
        with suppress(ProcessLookupError, PermissionError):
            if os.getsid(process.pid) == number:
                processes.append(process)
    return processes
