"""One Spark session with Delta, configured for small data by default and for large by settings."""

from __future__ import annotations

import os
import shlex
import signal
import sys
import tempfile
import threading
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from customer360 import __version__
from customer360.errors import EnvironmentError360, SettingsError, first_line
from customer360.lakehouse import jars
from customer360.lakehouse.connect import connected, shown, write_properties
from customer360.lakehouse.masters import is_connect, is_local, is_standalone
from customer360.lakehouse.object_store import S3A_CREDENTIALS, s3a_config
from customer360.lakehouse.standalone import see_master
from customer360.machine_failures import keep_lost_java_quiet
from customer360.redaction import is_secret, without_credentials
from customer360.settings import Settings

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

# Statistics and dictionaries cost most of a Delta write; see docs/operations.md. Ids, instants,
# amounts and hashes hardly repeat, so a dictionary of them is built only to be thrown away.
_NO_DICTIONARY = (
    "order_id",
    "related_order_id",
    "occurred_at",
    "amount",
    "customer_key",
    "_row_hash",
    "net_revenue",
    "gross_revenue",
    "monetary_value",
)

_REMOTE = "spark.remote"
_HADOOP = "spark.hadoop."
_UMASK = "spark.hadoop.fs.permissions.umask-mode"
_NO_JVM = "JAVA_GATEWAY_EXITED"
_PYTHON = "spark.pyspark.python"
_JARS = "spark.jars"
_JAVA_OPTIONS = "spark.driver.extraJavaOptions"
_SUBMIT_ARGUMENTS = "PYSPARK_SUBMIT_ARGS"
_WORKER_SECONDS = 300
"""For a first worker: clusters that grow when they are asked take minutes to."""
_LOGGING = Path(__file__).with_name("log4j2.properties").absolute()

# What may differ between the session asked for and a live one without changing any result.
_NOT_COMPARED = ("spark.app.name", _JAVA_OPTIONS, "spark.driver.extraClassPath")


def session_config(settings: Settings) -> dict[str, str]:
    """Every ``spark.*`` setting of the session that ``settings`` asks for.

    ``settings.spark_conf`` wins over anything set here.

    Raises:
        SettingsError: The address of a Spark Connect server holds a token.
    """
    config = {
        "spark.app.name": "customer360",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": str(settings.spark_shuffle_partitions),
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.sql.adaptive.coalescePartitions.parallelismFirst": "false",
        # Rows of one snapshot or day need no sorting to end in one folder; beyond two, they do.
        "spark.sql.maxConcurrentOutputFileWriters": "2",
        # It removes empty branches with the observations in them, and their counts are lost.
        "spark.sql.adaptive.optimizer.excludedRules": (
            "org.apache.spark.sql.execution.adaptive.AQEPropagateEmptyRelation"
        ),
        # The secret of the customer keys is in the plans, padded to 64 bytes, as HMAC wants it.
        "spark.sql.redaction.string.regex": "0x[0-9A-Fa-f]{128}",
        "spark.databricks.delta.snapshotPartitions": "1",
        # Its check of what it keeps beside a commit is a job for each commit.
        "spark.databricks.delta.allFilesInCrc.enabled": "false",
        # Raw files of a day are small: at Spark's 4 MB a file, two years of them are 25 tasks.
        "spark.sql.files.openCostInBytes": "262144",
        # Hadoop's file system has a mask of its own, and not the process's.
        _UMASK: "077",
        "spark.databricks.delta.schema.autoMerge.enabled": "false",
        "spark.databricks.delta.properties.defaults.enableChangeDataFeed": "false",
    }
    config |= {f"spark.hadoop.parquet.enable.dictionary#{c}": "false" for c in _NO_DICTIONARY}
    config |= s3a_config(str(settings.lakehouse_root))
    if is_connect(settings.spark_master):
        if "token=" in settings.spark_master.lower():
            # Where a configuration is shown, this property is.
            raise SettingsError(
                "setting spark_master: its token would be shown; leave it out of the address and "
                "give it by the variable SPARK_CONNECT_AUTHENTICATE_TOKEN"
            )
        return _of_client(config | settings.spark_conf) | {_REMOTE: settings.spark_master}
    config |= {
        "spark.master": settings.spark_master,
        "spark.driver.memory": settings.spark_driver_memory,
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # Kept for a UI that is off: plans of a thousand queries are most of a long run's heap.
        "spark.ui.retainedJobs": "20",
        "spark.ui.retainedStages": "20",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.ui.retainedExecutions": "10",
        _JAVA_OPTIONS: settings.spark_java_options,
        # Delta remembers the plans of 10,000 tables it has seen; a deployment has some forty.
        "spark.databricks.delta.log.cacheSize": "100",
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    }
    if is_local(settings.spark_master):
        config |= {
            "spark.driver.host": "127.0.0.1",
            "spark.driver.bindAddress": "127.0.0.1",
        }
    return config | settings.spark_conf


def _of_client(config: Mapping[str, str]) -> dict[str, str]:
    """What a client may set of ``config``: its session's part, Hadoop's under Hadoop's own names.

    The umask is that of the server's file systems, which all of its sessions share.
    """
    return {name.removeprefix(_HADOOP): value for name, value in config.items() if name != _UMASK}


def spark_session(settings: Settings, *, archive_to: Path | None = None) -> SparkSession:
    """The session that ``settings`` ask for; see :func:`open_session`."""
    return open_session(session_config(settings), settings.jars_dir, archive_to=archive_to)


def open_session(
    config: Mapping[str, str],
    jars_dir: Path | str | None = None,
    *,
    archive_to: Path | None = None,
) -> SparkSession:
    """A session with this configuration: a new one, or the live one if it has it.

    Args:
        config: As :func:`session_config` gives it.
        jars_dir: Folder of the Delta jars; unset: the cache.
        archive_to: Write a class-data archive here when the JVM ends (set-up only).

    Raises:
        SettingsError: A live session differs: Spark would silently ignore the new configuration.
        EnvironmentError360: Java or the Delta jars are missing, no master answers, or no worker of
            its takes work.
    """
    from pyspark.sql import SparkSession

    live = SparkSession.getActiveSession()
    if live is not None:
        _check(live, config)
        return live
    if _REMOTE in config:
        session = connected(config[_REMOTE], config)
    else:
        session = _started(with_own_java(config, jars_dir, archive_to=archive_to))
    _quieten()
    _check(session, config)
    if not is_local(config.get("spark.master", "")):
        try:
            check_workers(session)
        except EnvironmentError360:
            session.stop()  # else the next who asks in this process is given it unchecked
            raise
    return session


def with_own_java(
    config: Mapping[str, str],
    jars_dir: Path | str | None = None,
    *,
    archive_to: Path | None = None,
) -> dict[str, str]:
    """``config`` with what the Java process that it is for needs on this machine.

    Raises:
        EnvironmentError360: The Delta jars are missing.
    """
    runs_here = is_local(config["spark.master"])
    scratch = tempfile.gettempdir()  # in a command and a run, a folder of the home
    folder, s3a = Path(jars_dir) if jars_dir else None, S3A_CREDENTIALS in config
    needed = [*jars.require(folder), *(jars.require_s3a(folder) if s3a else ())]
    paths = [str(path) for path in needed]
    options = [_java_options(archive_to, s3a=s3a), f'"-Djava.io.tmpdir={scratch}"']
    options.append(config.get(_JAVA_OPTIONS, ""))
    started = {
        # The driver's; executors elsewhere have the folders of whoever started them.
        "spark.local.dir": scratch,
        "spark.driver.extraClassPath": os.pathsep.join(paths),
        _PYTHON: os.environ.get("PYSPARK_PYTHON", sys.executable),
    }
    if s3a and runs_here:
        # Else what is being written would lie in /tmp, open to whoever looks there.
        started["spark.hadoop.fs.s3a.buffer.dir"] = scratch
    if not runs_here:
        # Executors fetch them from the driver.
        config = {**config, _JARS: ",".join([*paths, *_named(config.get(_JARS))])}
    return {**started, **config, _JAVA_OPTIONS: " ".join(options).strip()}


def _named(jars_of_settings: str | None) -> list[str]:
    return jars_of_settings.split(",") if jars_of_settings else []


def _started(config: Mapping[str, str]) -> SparkSession:
    from pyspark.errors import PySparkRuntimeError
    from pyspark.sql import SparkSession

    master = config["spark.master"]
    if is_standalone(master):
        see_master(master)
    # PySpark reads it of the environment alone where it is not started by spark-submit.
    os.environ["PYSPARK_PYTHON"] = config[_PYTHON]
    if is_local(master):
        os.environ.setdefault("SPARK_LOCAL_IP", "127.0.0.1")
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        _start_java(config)
        builder = SparkSession.builder
        for name, value in _with_fetched_jars(config).items():
            builder = builder.config(name, value)
        session = builder.getOrCreate()
    except (PySparkRuntimeError, FileNotFoundError) as error:
        if isinstance(error, PySparkRuntimeError) and error.getCondition() != _NO_JVM:
            raise
        raise EnvironmentError360(
            "Spark's Java process did not start: Java 17 or newer is needed; "
            "`customer360 doctor` says what is wrong"
        ) from error
    except Exception as error:
        reason = _reason_of_java(error)
        if reason is None:
            raise
        raise EnvironmentError360(
            f"Spark did not start on {shown(master)} ({reason}): check spark_master and spark_conf"
        ) from error
    if threading.current_thread() is threading.main_thread():
        # PySpark's own handler calls Java over the connection that may be waiting for an answer:
        # Ctrl-C would then wait for the very job that it is to end.
        signal.signal(signal.SIGINT, on_interrupt)
    keep_lost_java_quiet()
    return session


def _start_java(config: Mapping[str, str]) -> None:
    """Start the Java process, unless this process has one.

    By PySpark's builder the whole configuration would be arguments of that process, which everybody
    on the machine may read, and secrets are among them.
    """
    from pyspark import SparkContext  # noqa: TID251 - of a classic session, whose Java it starts

    properties = write_properties(config)
    before = os.environ.get(_SUBMIT_ARGUMENTS)
    given = shlex.join(["--load-spark-defaults", "--properties-file", str(properties)])
    os.environ[_SUBMIT_ARGUMENTS] = f"{given} {before or 'pyspark-shell'}"
    try:
        SparkContext._ensure_initialized()
    finally:
        properties.unlink(missing_ok=True)  # Java has read it before it answers
        if before is None:
            del os.environ[_SUBMIT_ARGUMENTS]
        else:
            os.environ[_SUBMIT_ARGUMENTS] = before


def _with_fetched_jars(config: Mapping[str, str]) -> dict[str, str]:
    """``config``, its jars with those that Java's start has fetched for ``spark.jars.packages``.

    Executors get what stands in ``spark.jars``, and the configuration given now replaces that.
    """
    from pyspark import SparkConf

    found = _named(SparkConf().get(_JARS))
    wanted = [jar for jar in _named(config.get(_JARS)) if _name(jar) not in set(map(_name, found))]
    every = ",".join([*found, *wanted])
    return {**config, **({_JARS: every} if every else {})}


def _name(jar: str) -> str:
    return jar.rpartition("/")[2]


def _reason_of_java(error: BaseException) -> str | None:
    """The first line of what Java says by an error; None where it is not Java's."""
    if type(error).__name__ != "Py4JJavaError":
        return None
    _, _, said = str(error).partition("\n: ")  # behind which of Java's functions was called
    return without_credentials((said or first_line(error)).partition("\n")[0].strip())


def _quieten() -> None:
    from pyspark.logger import PySparkLogger

    # It repeats on stderr, as JSON, the errors that are raised anyway.
    PySparkLogger.getLogger("SQLQueryContextLogger").disabled = True


def _java_options(archive_to: Path | None, *, s3a: bool) -> str:
    options = ["-XX:+UseSerialGC" if (os.cpu_count() or 1) <= 2 else "-XX:+UseParallelGC"]
    options.append(f"-Dlog4j2.configurationFile={_LOGGING.as_uri()}")
    # By this name: in any other zone Delta verifies each commit of a small table by making its
    # whole state again.
    options.append("-Duser.timezone=UTC")
    # Java's own start-up warnings say nothing a user could act on.
    options.append("-Xlog:disable -Xlog:all=error:stderr")
    archive = jars.archive_path(s3a=s3a)
    if archive_to is not None:
        options.append(f"-XX:ArchiveClassesAtExit={archive_to}")
    elif archive.exists():
        options.append(f"-XX:SharedArchiveFile={archive} -Xshare:auto")
    return " ".join(options)


def _check(session: SparkSession, wanted: Mapping[str, str]) -> None:
    for name, value in wanted.items():
        is_hadoops = name.startswith(_HADOOP) or not name.startswith("spark.")
        if name in (*_NOT_COMPARED, _REMOTE) or is_hadoops:
            continue
        current = session.conf.get(name, None)
        if name == _JARS:
            # Java's start makes addresses of the paths, and adds ours and those of packages.
            is_as_wanted = set(map(_name, _named(value))) <= set(map(_name, _named(current)))
        else:
            is_as_wanted = current == value
        if not is_as_wanted:
            differs = (
                f"another {name} than was asked for"
                if is_secret(name)
                else f"{name}={current}, but {value} was asked for"
            )
            raise SettingsError(
                f"the running Spark session has {differs}; stop that session or use another process"
            )


def check_workers(session: SparkSession, seconds: float = _WORKER_SECONDS) -> None:
    """See that workers elsewhere take work, and that their Python has this package, as it is here.

    Functions of ours that score and copy rows run there. Found out now, and not when a night's
    work comes to the first of them.

    Args:
        session: Whose.
        seconds: For how long a worker is waited for; Spark itself waits for ever.

    Raises:
        EnvironmentError360: None takes work, or its Python has no or another version.
    """
    from pyspark.errors import PySparkException

    there = session.range(0, 1, 1, 1).mapInArrow(_versions, "customer360 string")
    needed = (
        f"install the wheel of customer360 {__version__} in the Python of every worker; see "
        "docs/cluster.md"
    )
    late = threading.Event()

    def interrupt() -> None:
        late.set()
        # The session has no other job yet; by tag a classic one finds none.
        session.interruptAll()

    timer = threading.Timer(seconds, interrupt)
    timer.daemon = True
    timer.start()
    try:
        ((found,),) = there.collect()
    except Exception as error:
        if late.is_set():
            raise EnvironmentError360(
                f"no worker of {shown(session.conf.get('spark.master', None) or 'the cluster')} "
                f"has taken work in {seconds:.0f} seconds: see that workers run, and have the "
                "memory and cores that spark_conf asks of an executor "
                "(spark.executor.memory, spark.executor.cores)"
            ) from error
        if not isinstance(error, PySparkException):
            raise
        said = [line.strip() for line in str(error).splitlines() if "Error: " in line]
        reason = said[-1] if said else first_line(error)
        raise EnvironmentError360(
            f"Python on Spark's workers cannot run what is sent to it ({reason}): {needed}"
        ) from error
    finally:
        timer.cancel()
    if found != __version__:
        raise EnvironmentError360(
            f"Spark's workers have customer360 {found}, and here it is {__version__}: {needed}"
        )


def _versions(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    import pyarrow as pa

    for _ in batches:
        yield pa.RecordBatch.from_pydict({"customer360": [__version__]})
