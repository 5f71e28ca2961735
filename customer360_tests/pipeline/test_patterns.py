"""Regular expressions that Python takes and Java does not, named before a row is read."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.errors import SettingsError
from customer360.pipeline.patterns import check_patterns
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

MAPPING = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
columns: {order_id: Receipt, occurred_at: Day, amount: Total}
"""


def source(folder: Path, rules: str) -> FilesSource:
    return FilesSource(parse_mapping(MAPPING + rules, where="bakery.yaml"), folder)


@pytest.mark.parametrize("pattern", ["(?P<kind>test)", "(a)?(?(1)b|c)", "(?P<a>x)(?P=a)"])
def test_what_java_does_not_know_is_named_with_its_key(
    spark: SparkSession, tmp_path: Path, pattern: str
) -> None:
    rules = (
        "exclude:\n- {column: Receipt, equals: T, reason: other}\n"
        f"- {{column: Receipt, matches: '{pattern}', reason: test}}\n"
    )
    with pytest.raises(SettingsError) as error:
        check_patterns(spark, source(tmp_path, rules))
    said = str(error.value)
    assert said.startswith(f"mapping bakery: exclude.1.matches: {pattern!r} is not a regular")
    assert "\n" not in said


def test_what_both_know_passes(spark: SparkSession, tmp_path: Path) -> None:
    rules = "cancellations: [{column: Receipt, matches: '^(?!USD$)\\\\w+'}]\n"
    check_patterns(spark, source(tmp_path, rules))
    check_patterns(spark, source(tmp_path, ""))
