"""The rules of the house that a reader cannot be asked to check: which folder may do what."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1] / "customer360"
# Spark Connect has none of these.
NOT_IN_CONNECT = {"rdd", "sparkContext", "_jvm", "_jsc", "_jdf", "_sc", "toJSON", "foreach"}
NOT_IN_CONNECT |= {"_jsparkSession", "_gateway", "_active_spark_context", "statusTracker"}

FEW_BY_NATURE = {
    ("bronze/edits.py", "_as_delivered(edits, contract)"): "rows that people have edited",
    ("bronze/forgetting.py", "known"): "people who asked to be forgotten",
    ("bronze/forgetting.py", "named"): "broken lines that name one of them",
    ("bronze/forgetting.py", "forgotten.hashes.select(F.col(HASH).alias('__hash'))"): "the same",
    ("gold/business_health.py", "part"): "a row a day",
    ("gold/rare_values.py", "known"): "texts that many customers share",
    ("gold/rfm_segments.py", "_lowest_values(customer_features)"): "a row an as-of date",
    ("gold/rfm_segments.py", "buckets"): "five an as-of date and measure",
    ("models/monitoring/performance.py", "edges"): "a row a snapshot",
    ("pipeline/published_rows.py", "common"): "categories",
    ("privacy/forget_rows.py", "keys"): "people whom one command forgets",
    ("privacy/their_rows.py", "wanted"): "words of one person",
    ("silver/transactions.py", "moved"): "orders with rows on several days",
    ("silver/transactions.py", "standing"): "their rows",
    ("sources/olist.py", "english"): "categories",
}
"""What is sent to every task, by file and as it stands there, and why it does not grow."""

ASKS_FIRST = "pipeline/few_rows.py"
"""Sends rows only where they were found to be few."""


def _trees(*folders: str) -> Iterator[tuple[str, ast.Module]]:
    for folder in folders or (".",):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            yield path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text())


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


def _attributes(tree: ast.Module) -> Iterator[ast.Attribute]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Attribute))


def test_every_package_says_what_belongs_in_it() -> None:
    packages = [(name, tree) for name, tree in _trees() if name.endswith("__init__.py")]
    silent = [name for name, tree in packages if not ast.get_docstring(tree)]
    assert silent == []


def test_only_orchestration_knows_dagster() -> None:
    allowed = ("orchestration/", "definitions.py", "cli/")
    guilty = [
        f"{name}: {module}"
        for name, tree in _trees()
        if not name.startswith(allowed)
        for module in _imports(tree)
        if module.startswith(("dagster", "customer360.orchestration"))
    ]
    assert guilty == []


def test_transformations_do_no_input_or_output() -> None:
    """Bronze, silver and gold are functions of DataFrames: they know no table, path or setting."""
    guilty = [
        (name, module)
        for name, tree in _trees("bronze", "silver", "gold")
        for module in _imports(tree)
        if module.startswith(("customer360.lakehouse", "customer360.settings", "delta", "mlflow"))
    ]
    assert guilty == []


def test_everything_is_spark_connect_clean() -> None:
    guilty = [
        f"{name}:{node.lineno} .{node.attr}"
        for name, tree in _trees()
        for node in _attributes(tree)
        if node.attr in NOT_IN_CONNECT
    ]
    assert guilty == []


def test_nothing_asks_for_a_java_process_of_its_own() -> None:
    """What `pyspark` has for classic sessions alone; a test of `cluster/` runs all over Connect."""
    guilty = [
        f"{name}: {module}"
        for name, tree in _trees()
        for module in _imports(tree)
        if module.startswith(("py4j", "pyspark.core", "pyspark.context", "pyspark.rdd"))
    ]
    assert guilty == []


def test_only_the_lakehouse_writes_tables() -> None:
    guilty = [
        f"{name}:{node.lineno}"
        for name, tree in _trees()
        if not name.startswith("lakehouse/")
        for node in _attributes(tree)
        if isinstance(node.value, ast.Attribute) and node.value.attr in {"write", "writeTo"}
    ]
    assert guilty == []


def test_only_settings_reads_our_environment_variables() -> None:
    """Others may look at the machine's variables (JAVA_HOME), never at CUSTOMER360_*."""
    guilty = []
    for name, tree in _trees():
        if name == "settings.py":
            continue
        for node in ast.walk(tree):
            reads = (
                isinstance(node, ast.Call)
                and ast.unparse(node.func) in {"os.environ.get", "os.getenv", "environ.get"}
            ) or (
                isinstance(node, ast.Subscript)
                and isinstance(node.ctx, ast.Load)
                and ast.unparse(node.value).endswith("environ")
            )
            if reads and "CUSTOMER360_" in ast.unparse(node):
                guilty.append(f"{name}:{getattr(node, 'lineno', 0)}")
    assert guilty == []


def test_nothing_is_sent_to_every_task_that_may_be_many() -> None:
    """Else a month of a large deployment is collected on the driver, which has no room for it."""
    sent = {
        (name, ast.unparse(node.args[0]))
        for name, tree in _trees()
        if name != ASKS_FIRST
        for node in ast.walk(tree)
        if isinstance(node, ast.Call)
        and "broadcast" in (getattr(node.func, "attr", None), getattr(node.func, "id", None))
    }
    assert sent == set(FEW_BY_NATURE)
