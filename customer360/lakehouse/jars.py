"""The two Delta jars, resolved once with Spark's own Ivy and then used from a local folder.

Resolving at every start costs seconds and a network; of the 33 jars Ivy would bring, only
``delta-spark`` and ``delta-storage`` are not in pyspark already. Set-up also writes a class-data
archive (AppCDS, JEP 350), which halves the start of every later JVM.

Who keeps the tables in S3 needs those of S3A too: Hadoop's, and of Amazon's library the parts that
Hadoop uses, 10 MB, where its one jar of everything has 640.

Run ``python -m customer360.lakehouse.jars`` to resolve them, ``… jars s3a`` for those of S3A too.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
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

HADOOP = "3.4.2"
"""Hadoop that pyspark brings, which S3A must equal."""

AWS_SDK = "2.29.52"
"""Amazon's library that this Hadoop is made with."""

S3A_SHA256 = {
    f"org.apache.hadoop:hadoop-aws:{HADOOP}": (
        "d2d24e6b715b5656b9d238bf13b6682a07e2004dd36aad74a73aeb854319f4d9"
    ),
    "org.reactivestreams:reactive-streams:1.0.4": (
        "f75ca597789b3dac58f61857b9ac2e1034a68fa672db35055a8fb4509e325f28"
    ),
    "org.wildfly.openssl:wildfly-openssl:2.1.4.Final": (
        "95decbc5d088b40e85f58d7726b8c8f4e3be6312a0f2660c2d714a23cee80279"
    ),
    f"software.amazon.awssdk:annotations:{AWS_SDK}": (
        "8cd8bd8afd7eca5a367f69fd87427f6d9f3e7d359962122da24d71f1963f00cd"
    ),
    f"software.amazon.awssdk:apache-client:{AWS_SDK}": (
        "c96494be30ecac6f0ab7a35fdd91a4c77ca8a5daf62f3d9d84644ef0f0524dc6"
    ),
    f"software.amazon.awssdk:arns:{AWS_SDK}": (
        "f5a4d1d9b4e4fc63c9bda49bcf1c59d23fd876b276c6b43aaca12969337303a6"
    ),
    f"software.amazon.awssdk:auth:{AWS_SDK}": (
        "4d8143b6198dc7a530c2ccdd813129c132b96736086c0d4fea85480b9bdbc5fe"
    ),
    f"software.amazon.awssdk:aws-core:{AWS_SDK}": (
        "eb560c064fbaac7e2e7f4a77ac343d3083bea0d7f6e2c69ba022d3f3e859be90"
    ),
    f"software.amazon.awssdk:aws-query-protocol:{AWS_SDK}": (
        "1b117672963ee5059c45f2aadb110f191b578d108d8f08d7c7a59e6c0b098a8e"
    ),
    f"software.amazon.awssdk:aws-xml-protocol:{AWS_SDK}": (
        "daf87b429373ad586d165003b5b1d4fe498c6472eb65ec9a9e2aa7d56f3917dd"
    ),
    f"software.amazon.awssdk:checksums:{AWS_SDK}": (
        "bca99ff25c9b917d6be03e5dce78ad5328e7dca485e96024fa8476e4192a800a"
    ),
    f"software.amazon.awssdk:checksums-spi:{AWS_SDK}": (
        "21193b9b648843dcaff493f0dd80abab9ee6871b203b9218120554698d8f7b8a"
    ),
    f"software.amazon.awssdk:crt-core:{AWS_SDK}": (
        "4e1f33de21b688695fec91b977ddfa99e9d376edcbad06a62b0c138c60b37de4"
    ),
    f"software.amazon.awssdk:endpoints-spi:{AWS_SDK}": (
        "e54f246c668d70b55cffe0c8fad18d4465e74e22db75139918bd30610093d1e6"
    ),
    f"software.amazon.awssdk:http-auth:{AWS_SDK}": (
        "d8aa3bd376aaec7196396e65fe8755f1fdd169e51357f8128ecdc7d23a687450"
    ),
    f"software.amazon.awssdk:http-auth-aws:{AWS_SDK}": (
        "7ae124e81ac0c2860bb61fdde34a388dbe823fef8509dd46a6bec805ada90308"
    ),
    f"software.amazon.awssdk:http-auth-aws-eventstream:{AWS_SDK}": (
        "565a4aacce955c5ffaed551f6faaaa958e9e92b2f8514c8482f664edb2bab576"
    ),
    f"software.amazon.awssdk:http-auth-spi:{AWS_SDK}": (
        "7a2168c5a7baa856d7ae9f9c4f7522d2db9f1361108c38f5b6ece66f249e6a2d"
    ),
    f"software.amazon.awssdk:http-client-spi:{AWS_SDK}": (
        "8ea61ce3b527779fbfe119e0775c4b7cfdf274a979b1e50596a634685a5b6542"
    ),
    f"software.amazon.awssdk:identity-spi:{AWS_SDK}": (
        "85104635abf9e5c044aaf7f8951b63efc2ef82051b5ee303571ee2e1fd8b46d0"
    ),
    f"software.amazon.awssdk:json-utils:{AWS_SDK}": (
        "2652cdb3668311bcff6e643c8612b9fea266423ae1ce33743c84dd7f77904311"
    ),
    f"software.amazon.awssdk:metrics-spi:{AWS_SDK}": (
        "1db2e3da338148ee40a716e1733c9a5b99e9e6daa4db3aa8bd7e718adafa2510"
    ),
    f"software.amazon.awssdk:netty-nio-client:{AWS_SDK}": (
        "07238668c9cf54531ee269fd6e2a1e2650fb75d6774d401f406c2a14f26af654"
    ),
    f"software.amazon.awssdk:profiles:{AWS_SDK}": (
        "fef84619d101838ba45f48d0caddb09a85d9ed8bf869095bd7d2064796856cf7"
    ),
    f"software.amazon.awssdk:protocol-core:{AWS_SDK}": (
        "7b32e41a3743b422d2edec1670f60b4c1e512fcd5ab7a53fef20742d6b9104d1"
    ),
    f"software.amazon.awssdk:regions:{AWS_SDK}": (
        "5ee0e26277c679ffa70d83923b0d5f77a53066ecde8610f28be1856947d60eaf"
    ),
    f"software.amazon.awssdk:retries:{AWS_SDK}": (
        "ca3752ba31399721980c6398992921ff5aa164e084b4c14484333df58c76a353"
    ),
    f"software.amazon.awssdk:retries-spi:{AWS_SDK}": (
        "a4218ea742fc9e07a620629d7a258bfd92b8ea3ef75f1b99193d0898ca3efe99"
    ),
    f"software.amazon.awssdk:s3:{AWS_SDK}": (
        "abaedea7e68063e9c4ab090f80d14b9884c57b50953bfe6e5acaa23025609efa"
    ),
    f"software.amazon.awssdk:s3-transfer-manager:{AWS_SDK}": (
        "0c9e654637247187a7e2494eb7a8799477a772a7d554cd3ae787cd3e3bae3c55"
    ),
    f"software.amazon.awssdk:sdk-core:{AWS_SDK}": (
        "ea8e9856569f85075a8a806d0481c4bd848c98b24fd6d706fc0b5883fc4604dc"
    ),
    f"software.amazon.awssdk:sts:{AWS_SDK}": (
        "6495d0457f4e4c3724d8c9c5fe4f6f98c9530a22f92449c4cca5fd03622e4edb"
    ),
    f"software.amazon.awssdk:third-party-jackson-core:{AWS_SDK}": (
        "eaece3eb60beb8ec09d8a4f48d5bff4110010b03cc23688bdcf2af2eb075cac6"
    ),
    f"software.amazon.awssdk:utils:{AWS_SDK}": (
        "f150a38f2fec14ced2de6459bfe804f647c88baa573b218646ef89b436a29d42"
    ),
    "software.amazon.eventstream:eventstream:1.0.1": (
        "0c37d8e696117f02c302191b8110b0d0eb20fa412fce34c3a269ec73c16ce822"
    ),
}
"""Of what S3A needs and pyspark does not bring, by Maven coordinates."""

_S3A_ROOTS = (
    f"org.apache.hadoop:hadoop-aws:{HADOOP}",
    *(
        f"software.amazon.awssdk:{name}:{AWS_SDK}"
        for name in ("s3", "s3-transfer-manager", "sts", "apache-client", "netty-nio-client")
    ),
)
# What these name as dependencies and pyspark brings, or no one here uses: the jar of everything,
# another kind of stream, encryption by the client.
_NOT_FOR_S3A = ",".join(
    [
        "commons-codec:commons-codec",
        "io.netty:*",
        "org.apache.hadoop:hadoop-common",
        "org.apache.httpcomponents:*",
        "org.slf4j:*",
        "software.amazon.awssdk:bundle",
        "software.amazon.encryption.s3:*",
        "software.amazon.s3.analyticsaccelerator:*",
    ]
)


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
    return _paths(folder, coordinates())


def s3a_paths(folder: Path | None = None) -> tuple[Path, ...]:
    """Where the jars of S3A are, or would be."""
    return _paths(folder, S3A_SHA256)


def _paths(folder: Path | None, wanted: Iterable[str]) -> tuple[Path, ...]:
    return tuple((folder or default_folder()) / file_name(each) for each in wanted)


def file_name(coordinate: str) -> str:
    """The file of a jar, by its Maven coordinates."""
    _, artifact, release = coordinate.split(":")
    return f"{artifact}-{release}.jar"


def archive_path(folder: Path | None = None, *, s3a: bool = False) -> Path:
    """Where the class-data archive is, or would be; each class path, as with S3A, has its own."""
    return (folder or default_folder()) / ("classes-s3a.jsa" if s3a else "classes.jsa")


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


def require_s3a(folder: Path | None = None) -> tuple[Path, ...]:
    """The paths of the jars of S3A.

    Raises:
        EnvironmentError360: They have not been resolved yet.
    """
    paths = s3a_paths(folder)
    if not all(path.exists() for path in paths):
        raise EnvironmentError360(
            f"the jars of S3A are not in {folder or default_folder()}, and lakehouse_uri needs "
            "them: run `python -m customer360.lakehouse.jars s3a` once with a network"
        )
    return paths


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
    return _resolved(folder, coordinates(), _IN_PYSPARK, jar_paths(folder))


def resolve_s3a(folder: Path | None = None) -> tuple[Path, ...]:
    """Download the jars of S3A unless they are there, and return their paths; raises as above."""
    return _resolved(folder, _S3A_ROOTS, _NOT_FOR_S3A, s3a_paths(folder))


def _resolved(
    folder: Path | None, packages: Iterable[str], excluded: str, targets: tuple[Path, ...]
) -> tuple[Path, ...]:
    if all(path.exists() for path in targets):
        for path in targets:
            _compare(path, path.name)
        return targets
    (folder or default_folder()).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        run = subprocess.run(
            [sys.executable, "-c", _RESOLVE, scratch, ",".join(packages), excluded],
            capture_output=True,
            text=True,
            check=False,
            env=os.environ | {"PYSPARK_PYTHON": sys.executable},
        )
        for target in targets:
            # Ivy puts the group before the name; other artifacts end in some of the names, too.
            names = (target.name, f"_{target.name}")
            downloaded = [
                file
                for file in Path(scratch).rglob(f"*{target.name}")
                if file.name == names[0] or file.name.endswith(names[1])
            ]
            if not downloaded:
                raise EnvironmentError360(
                    f"could not download {target.name}: {_reason(run.stderr)}"
                )
            part = target.with_suffix(".part")
            shutil.copyfile(downloaded[0], part)
            _compare(part, target.name)
            part.replace(target)
    return targets


def _compare(path: Path, name: str) -> None:
    """Refuse a jar that is not the pinned one of that name."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    pinned = SHA256 | {file_name(each): digest for each, digest in S3A_SHA256.items()}
    expected = pinned.get(name, "of a version that is pinned")
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
import sys, tempfile
from pathlib import Path
from customer360.contracts import Column, Contract
from customer360.lakehouse.session import spark_session
from customer360.lakehouse.tables import Lakehouse
from customer360.settings import load_settings
spark = spark_session(load_settings(), archive_to=Path(sys.argv[1]))
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


def archive_classes(*, s3a: bool = False) -> Path | None:
    """Write the class-data archive unless it is there; None when this JVM cannot.

    It only makes starts faster, so a JVM that refuses costs speed and nothing else.
    """
    target = archive_path(s3a=s3a)
    if target.exists():
        return target
    with tempfile.TemporaryDirectory() as home:
        # Nothing of the store is asked: the tables that it warms up on are in a folder.
        store = {"CUSTOMER360_LAKEHOUSE_URI": "s3a://none"} if s3a else {}
        subprocess.run(
            [sys.executable, "-c", _WARM_UP, str(target)],
            capture_output=True,
            check=False,
            env=os.environ | {"CUSTOMER360_HOME": home} | store,
        )
    return target if target.exists() else None


def main(arguments: Sequence[str] = ()) -> int:
    """Resolve the jars and warm the JVM up; the command of ``make setup``.

    Args:
        arguments: ``s3a`` for those of S3A as well.
    """
    parser = argparse.ArgumentParser(prog="python -m customer360.lakehouse.jars")
    parser.add_argument("also", nargs="?", choices=["s3a"], help="for tables in S3")
    s3a = parser.parse_args(arguments).also is not None
    try:
        if present():
            print(f"Delta {delta_version()} jars: {default_folder()}")
        else:
            print(f"Delta {delta_version()} jars: resolving, once")
        resolve()
        if s3a:
            resolve_s3a()
            print(f"S3A {HADOOP} jars: {default_folder()}")
        if not archive_path(s3a=s3a).exists():
            print("Class-data archive for faster starts: writing, once")
            archive_classes(s3a=s3a)
    except EnvironmentError360 as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
