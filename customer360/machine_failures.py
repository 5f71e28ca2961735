"""What the machine has done to a run: a full disk, a failing one, too little memory.

Libraries say so in their own words, under traces, far from what could be done about it.
"""

from __future__ import annotations

import errno
import logging
import socketserver
import sys
from collections.abc import Iterator
from typing import Any

from customer360.errors import Customer360Error, EnvironmentError360, first_line

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_NO_ROOM_TEXTS = (
    "no space left on device",
    "disk quota exceeded",
    "file too large",
    "database or disk is full",
)
_BROKEN_TEXTS = ("input/output error", "disk i/o error")  # SQLite's is also that of a quota
_NO_MEMORY_TEXTS = ("java.lang.outofmemoryerror",)
_LOST_JAVA_CLASSES = ("Py4JNetworkError", "ConnectionRefusedError")


def in_other_words(error: Exception) -> Exception:
    """``error``, or, where it is the machine's doing, one that says so and what to do.

    Args:
        error: What was raised; what it was raised from is looked at, too.
    """
    # Ours say already what is the matter, and where: it may be another machine's disk.
    told = None if isinstance(error, Customer360Error) else _machines_doing(error)
    if told is None:
        return error
    told.__cause__ = error
    return told


def _machines_doing(error: BaseException) -> EnvironmentError360 | None:
    for cause in _causes(error):
        text = _text(cause)
        if getattr(cause, "errno", None) in _NO_ROOM or _has(text, _NO_ROOM_TEXTS):
            return EnvironmentError360(
                f"{_place(cause)}no room left: the disk, a quota or the longest file that is "
                "allowed (`ulimit -f`) is reached; make room and run it again"
            )
        if getattr(cause, "errno", None) == errno.EIO or _has(text, _BROKEN_TEXTS):
            return EnvironmentError360(
                f"{_place(cause)}the disk does not take or give what it should ({_said(cause)}): "
                "see whether it is full, has a quota or is failing, and run it again"
            )
        if _has(text, _NO_MEMORY_TEXTS):
            return EnvironmentError360(
                "Spark's memory was not enough: run it again with more, by "
                "CUSTOMER360_SPARK_DRIVER_MEMORY=8g or as much as the machine can spare"
            )
        if _is_of_lost_server(cause):
            return EnvironmentError360(
                "the Spark Connect server does not answer any more: see whether it runs and has "
                "memory enough (its spark_driver_memory), and run it again"
            )
        if text is None or _is_of_lost_java(cause):
            return EnvironmentError360(
                "Spark's Java process has ended: somebody or the system has killed it, which it "
                "does when memory is short; run it again, and if that repeats, with a "
                "CUSTOMER360_SPARK_DRIVER_MEMORY that leaves the machine some"
            )
    return None


def keep_lost_java_quiet() -> None:
    """Leave out the traces that are printed when Java is gone.

    Py4j logs one by the root logger, and the server that Java sends its counts to prints one.
    """
    from pyspark.accumulators import AccumulatorTCPServer, AccumulatorUnixServer

    root = logging.getLogger()
    if _is_no_trace_of_py4j not in root.filters:
        root.addFilter(_is_no_trace_of_py4j)
    for server in (AccumulatorTCPServer, AccumulatorUnixServer):
        setattr(server, "handle_error", _handle_error)  # noqa: B010 - typed as a method


def _handle_error(server: socketserver.BaseServer, request: Any, client_address: Any) -> None:
    if not isinstance(sys.exc_info()[1], (EOFError, OSError)):
        socketserver.BaseServer.handle_error(server, request, client_address)


def _is_no_trace_of_py4j(record: logging.LogRecord) -> bool:
    return not (record.module == "java_gateway" and record.exc_info)


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        seen.add(id(found))
        yield found
        hidden = None if found.__suppress_context__ else found.__context__
        found = found.__cause__ or hidden


def _is_of_lost_java(error: BaseException) -> bool:
    """Whether Java did not answer; what it answers, it answers with a trace of its own."""
    name = type(error).__name__
    if name == "Py4JError":  # the base of all others, with no trace below
        return len(str(error).strip().splitlines()) == 1 and "calling" in str(error)
    return name in _LOST_JAVA_CLASSES and "py4j" in _traced_modules(error)


def _is_of_lost_server(error: BaseException) -> bool:
    """Whether a Spark Connect server did not answer, however often its client has tried."""
    status = getattr(error, "getGrpcStatusCode", lambda: None)()
    return getattr(status, "name", "") == "UNAVAILABLE"


def _traced_modules(error: BaseException) -> set[str]:
    modules, trace = set(), error.__traceback__
    while trace is not None:
        modules.add(str(trace.tb_frame.f_globals.get("__name__", "")).partition(".")[0])
        trace = trace.tb_next
    return modules


def _text(error: BaseException) -> str | None:
    """What an error says, in small letters; None where only Java could tell, which is gone."""
    try:
        return str(error).lower()
    except Exception:  # noqa: BLE001 - py4j asks Java for it, over the connection that is lost
        return None


def _has(text: str | None, parts: tuple[str, ...]) -> bool:
    return text is not None and any(part in text for part in parts)


def _place(error: BaseException) -> str:
    name = getattr(error, "filename", None)
    return f"{name}: " if isinstance(name, str) and name else ""


def _said(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return first_line(error).rpartition(") ")[2]
