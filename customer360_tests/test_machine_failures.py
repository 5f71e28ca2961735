"""What the machine does to a run is said in one line, with what to do."""

from __future__ import annotations

import errno
import os
import sqlite3
import subprocess
import sys

import pytest
from grpc import StatusCode
from py4j.protocol import Py4JError
from pyspark.errors.exceptions.connect import SparkConnectGrpcException

from customer360.errors import EnvironmentError360
from customer360.machine_failures import in_other_words
from customer360.serving.warehouse import WarehouseError


class OnlyJavaKnows(Exception):
    """As py4j's are: what they say is asked of Java."""

    def __str__(self) -> str:
        raise ConnectionRefusedError(errno.ECONNREFUSED, os.strerror(errno.ECONNREFUSED))


@pytest.mark.parametrize(
    ("error", "says"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "lakehouse/x.parquet"),
            "lakehouse/x.parquet: no room left: ",
        ),
        (OSError(errno.EDQUOT, os.strerror(errno.EDQUOT)), "no room left: "),
        (OSError(errno.EFBIG, os.strerror(errno.EFBIG)), "no room left: "),
        (sqlite3.OperationalError("database or disk is full"), "no room left: "),
        (
            RuntimeError("(sqlite3.OperationalError) disk I/O error\n[SQL: INSERT INTO runs]"),
            "the disk does not take or give what it should (disk I/O error): ",
        ),
        (
            OSError(errno.EIO, os.strerror(errno.EIO), "raw/a.csv"),
            "raw/a.csv: the disk does not take or give what it should (input/output error): ",
        ),
        (
            RuntimeError("Job aborted.\n\tat x\nCaused by: java.lang.OutOfMemoryError: Java heap"),
            "Spark's memory was not enough: ",
        ),
        (
            RuntimeError("task failed: java.io.IOException: No space left on device"),
            "no room left: ",
        ),
        (Py4JError("An error occurred while calling o427.save"), "Spark's Java process has ended:"),
        (OnlyJavaKnows(), "Spark's Java process has ended:"),
        (
            SparkConnectGrpcException("failed to connect", grpc_status_code=StatusCode.UNAVAILABLE),
            "the Spark Connect server does not answer any more: ",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_the_machines_doing(error: Exception, says: str) -> None:
    raised = ValueError("it failed")
    raised.__cause__ = error
    told = in_other_words(raised)
    assert isinstance(told, EnvironmentError360)
    assert str(told).startswith(says)
    assert "run it again" in str(told)
    assert told.__cause__ is raised


@pytest.mark.parametrize(
    "error",
    [
        ValueError("day is out of range"),
        OSError(errno.ENOENT, "No such file or directory", "a.csv"),
        ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"),
        WarehouseError("gold.rfm at db.example.com: could not extend: No space left on device"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_other_errors_stay_as_they_are(error: Exception) -> None:
    assert in_other_words(error) is error


def test_py4j_prints_no_trace_when_java_is_gone() -> None:
    script = (
        "import logging; from customer360.machine_failures import keep_lost_java_quiet\n"
        "keep_lost_java_quiet(); keep_lost_java_quiet()\n"
        "from py4j.java_gateway import GatewayClient\n"
        "logging.getLogger().error('others are heard')\n"
        "try:\n    GatewayClient(port=1).send_command('x')\nexcept Exception: pass\n"
        "record = logging.LogRecord('root', 40, 'py4j/java_gateway.py', 1, 'm', (), (None,) * 3)\n"
        "record.module = 'java_gateway'\n"
        "print(all(each(record) for each in logging.getLogger().filters))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "others are heard" in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == "False\n"


@pytest.mark.parametrize(("sent", "heard"), [(b"token", False), (b"other", True)])
def test_no_trace_is_printed_when_java_goes_in_the_middle_of_its_counts(
    sent: bytes, heard: bool
) -> None:
    """The connection ends after the token; a wrong token is a mistake that is heard."""
    script = (
        "import socket, threading\n"
        "from pyspark.accumulators import AccumulatorTCPServer, UpdateRequestHandler\n"
        "from customer360.machine_failures import keep_lost_java_quiet\n"
        "keep_lost_java_quiet()\n"
        "server = AccumulatorTCPServer(('127.0.0.1', 0), UpdateRequestHandler, 'token')\n"
        "java = socket.create_connection(server.server_address)\n"
        f"java.sendall({sent!r})\n"
        "java.close()\n"
        "server.handle_request()\n"
        "server.server_close()\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert ("Traceback" in done.stderr) is heard


def test_what_an_error_was_raised_in_place_of_is_not_looked_at() -> None:
    raised = ValueError("it failed")
    raised.__context__ = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    assert in_other_words(raised) is not raised
    raised.__suppress_context__ = True  # ``from None``
    assert in_other_words(raised) is raised
