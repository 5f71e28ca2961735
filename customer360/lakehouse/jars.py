"""The two Delta jars, resolved once with Spark's own Ivy and then used from a local folder.

Resolving at every start costs seconds and a network; of the 33 jars Ivy would bring, only
``delta-spark`` and ``delta-storage`` are not in pyspark already. Set-up also writes a class-data
archive (AppCDS, JEP 350), which halves the start of every later JVM.

Run ``python -m customer360.lakehouse.jars`` to resolve them.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

from customer360.errors import EnvironmentError360

SCALA = "2.13"

# What delta-spark names as dependencies and pyspark brings already, or no path table needs.
_IN_PYSPARK = ",".join(
    [
        "com.github.luben:*",
        "io.delta:delta-kernel-api",
        "io.delta:delta-kernel-defaults",
        "io.delta:delta-kernel-unitycatalog",
        "io.unitycatalog:*",
        "org.apache.hadoop:*",
        "org.apache.parquet:*",
    ]
)


SHA256 = {
    "delta-spark_4.1_2.13-4.4.0.jar": (
        "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10"
    ),
    "delta-storage-4.4.0.jar": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
}
"""Of the jars of the versions that are pinned, by file; Java runs what is in them."""


def delta_version() -> str:
    """Version of the delta-spark package, which the jars must equal."""
    return version("delta-spark")


def coordinates() -> tuple[str, str]:
    """Maven coordinates of the two jars, for the pyspark that is installed."""
    spark_line = ".".join(version("pyspark").split(".")[:2])
    return (
        f"io.delta:delta-spark_{spark_line}_{SCALA}:{delta_version()}",
        f"io.delta:delta-storage:{delta_version()}",
    )


def default_folder() -> Path:
    """Cache folder of the jars, one for each pair of Spark and Delta versions."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "customer360" / f"spark-{version('pyspark')}-delta-{delta_version()}"


def jar_paths(folder: Path | None = None) -> tuple[Path, ...]:
    """Where the jars are, or would be."""
    folder = folder or default_folder()
    return tuple(
        folder / f"{artifact}-{release}.jar"
        for _, artifact, release in (c.split(":") for c in coordinates())
    )


def archive_path(folder: Path | None = None) -> Path:
    """Where the class-data archive is, or would be."""
    return (folder or default_folder()) / "classes.jsa"


def present(folder: Path | None = None) -> bool:
    """Whether both jars are there."""
    return all(path.exists() for path in jar_paths(folder))


def require(folder: Path | None = None) -> tuple[Path, ...]:
    """The jars' paths.

    Raises:
        EnvironmentError360: They have not been resolved yet.
    """
    if not present(folder):
        raise EnvironmentError360(
            f"the Delta jars are not in {folder or default_folder()}: run `make setup` "
            "(or `python -m customer360.lakehouse.jars`) once with a network"
        )
    return jar_paths(folder)


_RESOLVE = """
import sys
from pyspark.sql import SparkSession
SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false").config(
    "spark.jars.ivy", sys.argv[1]
).config("spark.jars.packages", sys.argv[2]).config(
    "spark.jars.excludes", sys.argv[3]
).getOrCreate().stop()
"""


def resolve(folder: Path | None = None) -> tuple[Path, ...]:
    """Download the jars unless they are there, and return their paths.

    Raises:
        EnvironmentError360: No network, no Java, a version that does not exist, or a jar that is
            not the one that is pinned.
    """
    folder = folder or default_folder()
    if present(folder):
        for path in jar_paths(folder):
            _compare(path, path.name)
        return jar_paths(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run = subprocess.run(
            [sys.executable, "-c", _RESOLVE, scratch, ",".join(coordinates()), _IN_PYSPARK],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        )
        for target in jar_paths(folder):
            downloaded = list(Path(scratch).rglob(f"*{target.name}"))
            if not downloaded:
                raise EnvironmentError360(
                    f"could not download {target.name}: {_reason(run.stderr)}"
                )
            part = target.with_suffix(".part")
            shutil.copyfile(downloaded[0], part)
            _compare(part, target.name)
            part.replace(target)
    return jar_paths(folder)


def _compare(path: Path, name: str) -> None:
    """Refuse a jar that is not the pinned one of that name."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    expected = SHA256.get(name, "of a version that is pinned")
    if found != expected:
        raise EnvironmentError360(
            f"{path}: expected the SHA-256 {expected}, found {found}: delete it, find out who "
            "served it, and run `make setup` again"
        )


def _reason(log: str) -> str:
    if "JAVA_HOME" in log or "java: not found" in log or "No such file or directory: 'java'" in log:
        return "Java was not found; install Java 17 or newer, or set JAVA_HOME"
    if "not found" in log or "unresolved" in log.lower() or "UnknownHost" in log:
        return (
            "Maven Central was not reached; connect to a network for the first run, or name a "
            "mirror in an Ivy settings file (spark.jars.ivySettings)"
        )
    last = [line for line in log.splitlines() if line.strip()]
    return last[-1] if last else "Spark said nothing"


_WARM_UP = """
import tempfile
from customer360.contracts import Column, Contract
from customer360.lakehouse.jars import archive_path
from customer360.lakehouse.session import spark_session
from customer360.lakehouse.tables import Lakehouse
from customer360.settings import load_settings
spark = spark_session(load_settings(), archive_to=archive_path())
with tempfile.TemporaryDirectory() as folder:
    lakehouse = Lakehouse(spark, folder)
    names = {"k": "bigint", "day": "date", "count": "bigint"}
    columns = [Column(n, "date" if t == "date" else "integer", t) for n, t in names.items()]
    contract = Contract.from_columns("gold/warm_up", columns, description="Rows to start with.")
    frame = spark.range(100).selectExpr("id", "date'2024-01-01' AS day", "id % 7 AS k")
    lakehouse.replace_all(contract, frame.groupBy("k", "day").count())
    lakehouse.read(contract.table).selectExpr("sum(count)").collect()
spark.stop()
"""


def archive_classes() -> Path | None:
    """Write the class-data archive unless it is there; None when this JVM cannot.

    It only makes starts faster, so a JVM that refuses costs speed and nothing else.
    """
    target = archive_path()
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as home:
        subprocess.run(
            [sys.executable, "-c", _WARM_UP],
            capture_output=True,
            check=False,
            env=os.environ | {"CUSTOMER360_HOME": home},
        )
    return target if target.exists() else None


def main() -> int:
    """Resolve the jars and warm the JVM up; the command of ``make setup``."""
    try:
        if present():
            print(f"Delta {delta_version()} jars: {default_folder()}")
        else:
            print(f"Delta {delta_version()} jars: resolving, once")
        resolve()
        if not archive_path().exists():
            print("Class-data archive for faster starts: writing, once")
            archive_classes()
    except EnvironmentError360 as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
