"""Spark Connect: the client's way to a server, and the command that starts one.

A server that a client of ours can use has Delta, and what a session cannot set: the class path, the
extensions, the umask of its file systems, the Python that runs functions of ours.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from customer360.errors import EnvironmentError360, SettingsError, first_line
from customer360.redaction import without_credentials

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

DEFAULT_PORT = 15002
EXTENSIONS = "spark.sql.extensions"
_SERVER = "org.apache.spark.sql.connect.service.SparkConnectServer"
_READY_SECONDS = 20
_HOW = "start one by `customer360 spark-server`, or set CUSTOMER360_SPARK_MASTER to another master"


def connected(
    address: str, config: Mapping[str, str], *, ready_seconds: float = _READY_SECONDS
) -> SparkSession:
    """A session on the server at ``address``, with all of ``config`` that the server takes.

    Args:
        address: ``sc://host[:port]``.
        config: What the session is to have.
        ready_seconds: For how long the server is waited for.

    Raises:
        SettingsError: ``address`` is none.
        EnvironmentError360: The client's packages are missing, nobody answers, or not a server
            with Delta.
    """
    from pyspark.errors import PySparkException

    see_answer(address, ready_seconds)
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.remote(address)
    for name, value in config.items():
        if name != "spark.remote":
            builder = builder.config(name, value)
    try:
        session = builder.getOrCreate()
        extensions = session.conf.get(EXTENSIONS, None) or ""
    except PySparkException as error:
        raise EnvironmentError360(
            f"the Spark Connect server at {shown(address)} refuses a session: {first_line(error)}"
        ) from error
    if "DeltaSparkSessionExtension" not in extensions:
        session.stop()
        raise EnvironmentError360(
            f"the Spark Connect server at {shown(address)} has no Delta ({EXTENSIONS} is "
            f"{extensions or 'empty'}): {_HOW}"
        )
    return session


def see_answer(address: str, seconds: float = _READY_SECONDS) -> None:
    """See that a server answers at ``address``; PySpark's own client would try for ten minutes.

    Args:
        address: ``sc://host[:port]``.
        seconds: For how long it is tried.

    Raises:
        SettingsError: ``address`` is none.
        EnvironmentError360: The client's packages are missing, or nobody answers.
    """
    from pyspark.errors import PySparkImportError, PySparkValueError

    try:
        import grpc
        from pyspark.sql.connect.client import DefaultChannelBuilder
    except (ImportError, PySparkImportError) as error:
        raise EnvironmentError360(
            f"spark_master is {shown(address)}, and Spark Connect's client is not installed "
            f"({first_line(error)}): install the extra `connect` of the release's wheel; see "
            "docs/cluster.md"
        ) from error
    try:
        channel = DefaultChannelBuilder(address).toChannel()
    except PySparkValueError as error:
        raise SettingsError(
            f"spark_master ({shown(address)}): is no address of a Spark Connect server; write "
            f"sc://host:{DEFAULT_PORT}"
        ) from error
    try:
        grpc.channel_ready_future(channel).result(timeout=seconds)
    except grpc.FutureTimeoutError:
        raise EnvironmentError360(
            f"no Spark Connect server answers at {shown(address)}: {_HOW}"
        ) from None
    finally:
        channel.close()


def server_command(properties: Path) -> list[str]:
    """The command line that starts a server in the foreground.

    Args:
        properties: Where `write_properties` has written its configuration.
    """
    pyspark = find_spec("pyspark")
    assert pyspark is not None
    assert pyspark.origin is not None
    submit = Path(pyspark.origin).parent / "bin" / "spark-submit"
    return [str(submit), "--class", _SERVER, "--properties-file", str(properties)]


def server_properties(config: Mapping[str, str], host: str, port: int) -> dict[str, str]:
    """All ``spark.*`` of a server that listens at an address.

    Args:
        config: Of a session with a Java process of its own, as `session.with_own_java` gives it.
        host: Where it listens.
        port: At which port.
    """
    return {
        "spark.connect.grpc.binding.address": host,
        "spark.connect.grpc.binding.port": str(port),
        # Else it takes the next port that is free, where no client looks.
        "spark.connect.grpc.port.maxRetries": "0",
        **config,
    }


def write_properties(config: Mapping[str, str]) -> Path:
    """Write a Java properties file that only its owner reads; among them may be secrets."""
    handle, name = tempfile.mkstemp(prefix="spark-", suffix=".conf")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        for key, value in config.items():
            file.write(f"{_escaped(key, of_key=True)}={_escaped(value)}\n")
    return Path(name)


def _escaped(text: str, *, of_key: bool = False) -> str:
    """A text as `java.util.Properties` reads it."""
    for character, written in (("\\", "\\\\"), ("\n", "\\n"), ("\r", "\\r"), ("\t", "\\t")):
        text = text.replace(character, written)
    return re.sub(r"[ =:]|^[#!]" if of_key else "^ ", r"\\\g<0>", text)


def shown(address: str) -> str:
    """An address without its parameters, of which one is a token."""
    return without_credentials(address.partition(";")[0]).rstrip("/")
