"""No row that breaks a rule of its contract is written, whatever table it is of."""

from __future__ import annotations

import re
from contextlib import redirect_stdout
from datetime import date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pyarrow as pa
import pytest
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from customer360.contracts import Bookkeeping, Column, Contract, ContractError, packaged_tables
from customer360.contracts.binding import BrokenContractError, bound
from customer360.contracts.checks import Rule, stored_rules
from customer360.contracts.spark import table_schema
from customer360.lakehouse.tables import Lakehouse
from customer360_tests.silver.frames import exchanges

DAY, NOON = date(2024, 3, 1), datetime(2024, 3, 1, 12)
TEXTS = (
    "abc",
    "12345",
    "BR",
    "EUR",
    "555",
    "C12345678",
    "O123456789012",
    "R123456789012",
    "ana@example.com",
    "a" * 32,
    "a" * 64,
)
"""A text of every kind that a contract asks for."""
WRITTEN = {
    "date": "%Y-%m-%d",
    "timestamp": "%Y-%m-%d %H:%M:%S",
    "yyyyMMdd": "%Y%m%d",
    "yyyy-MM-dd": "%Y-%m-%d",
    "yyyy-MM-dd HH:mm:ss": "%Y-%m-%d %H:%M:%S",
}
"""How bronze writes a time of a type, or in a format."""

TABLES = packaged_tables()


def good(column: Column | Bookkeeping) -> Any:
    """A value that keeps the rules of ``column``."""
    if isinstance(column, Column) and column.allowed_values:
        return column.allowed_values[0]
    kind, stored = column.logical_type, column.physical_type
    if kind in ("integer", "number"):
        number = next(
            n for n in range(100, -2, -1) if not isinstance(column, Column) or _fits(column, n)
        )
        return _typed(stored, number)
    if stored != "string":
        values = {"date": DAY, "timestamp": NOON, "boolean": True}
        return values.get(kind, ["a:required"])
    if kind == "boolean":
        return "true"
    if isinstance(column, Column) and kind != "string":
        return NOON.strftime(WRITTEN[column.format or kind])
    return next(text for text in TEXTS if not isinstance(column, Column) or _suits(column, text))


def _fits(column: Column, number: int) -> bool:
    low, high = column.minimum, column.maximum
    above, below = column.exclusive_minimum, column.exclusive_maximum
    return (
        (low is None or number >= float(low))
        and (high is None or number <= float(high))
        and (above is None or number > float(above))
        and (below is None or number < float(below))
    )


def _suits(column: Column, text: str) -> bool:
    return (
        (column.pattern is None or re.search(column.pattern, text) is not None)
        and (column.min_length or 0) <= len(text) <= (column.max_length or 100)
        and (column.format != "email" or "@" in text)
    )


def _typed(stored: str, number: float) -> Any:
    if stored == "string":
        return str(number)
    if stored in ("double", "float"):
        return float(number)
    return Decimal(number) if stored.startswith("decimal") else int(number)


def bad(contract: Contract, rule: Rule) -> Any:
    """A value that breaks ``rule`` and no other."""
    if rule.kind == "required":
        return None
    column = contract.column(rule.column)
    if rule.kind == "type" and column.physical_type != "string":
        return float("nan")
    if rule.kind in ("type", "format", "pattern", "allowed_values"):
        return "\ufffd"
    if rule.kind == "max_length":
        return good(column).rjust((column.max_length or 0) + 1, "1")
    limit = getattr(column, rule.kind)
    outside = -1 if rule.kind in ("minimum", "exclusive_minimum") else 1
    if column.logical_type in ("integer", "number"):
        step = 0 if rule.kind.startswith("exclusive") else outside
        number = float(limit) + step
        return _typed(column.physical_type, int(number) if number.is_integer() else number)
    instant = datetime.fromisoformat(limit) + timedelta(days=outside)
    if column.physical_type == "string":
        return instant.strftime(WRITTEN[column.format or column.logical_type])
    return instant.date() if column.logical_type == "date" else instant


def rows_of(spark: SparkSession, contract: Contract, rows: list[dict[str, Any]]) -> DataFrame:
    schema = to_arrow_schema(table_schema(contract))
    return spark.createDataFrame(pa.Table.from_pylist(rows, schema=schema))


def broken_rows(contract: Contract, keeps: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """A row for each rule but that of lines which could not be split, by the rule's reason."""
    return {
        rule.reason: keeps | {rule.column: bad(contract, rule)}
        for rule, _ in stored_rules(contract)
        if rule.kind != "malformed"
    }


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_breaks_a_rule_cannot_be_written(lakehouse: Lakehouse, table: str) -> None:
    contract = Contract.load(table)
    keeps = {column.name: good(column) for column in contract.stored_columns}
    broken = broken_rows(contract, keeps)
    assert broken
    every = rows_of(lakehouse.spark, contract, [keeps, *broken.values()])
    with pytest.raises(BrokenContractError) as error:
        lakehouse.replace_all(contract, every)
    assert error.value.rows == dict.fromkeys(broken, 1)
    assert str(error.value).startswith(f"{table} breaks its contract: ")
    assert "\n" not in str(error.value)
    assert not lakehouse.exists(table)


CONTRACT = Contract.from_columns(
    "gold/scores",
    [
        Column("as_of", "date", "date", required=True),
        Column("customer_key", required=True),
        Column("name", classification="personal"),
        Column("score", "number", "double", required=True, minimum=0, maximum=1),
    ],
    description="Scores of customers.",
    primary_key=("as_of", "customer_key", "name"),
    partition_by="as_of",
)
SCHEMA = "as_of date, customer_key string, name string, score double"


def scores(spark: SparkSession, *values: float | None) -> DataFrame:
    rows = [(DAY, f"c{n}", "Ana", value) for n, value in enumerate(values)]
    return spark.createDataFrame(rows, SCHEMA).repartition(2)


def refused(lakehouse: Lakehouse, frame: DataFrame) -> str:
    with pytest.raises(ContractError) as error:
        lakehouse.replace_days(CONTRACT, frame, "as_of", [DAY])
    return str(error.value)


def test_the_error_says_which_rule_how_often_and_of_which_key(lakehouse: Lakehouse) -> None:
    lakehouse.replace_days(CONTRACT, scores(lakehouse.spark, 0.5), "as_of", [DAY])
    assert refused(lakehouse, scores(lakehouse.spark, 0.5, 2.0, None, 3.0)) == (
        "gold/scores breaks its contract: score:maximum in 2 rows, e.g. as_of 2024-03-01, "
        "customer_key c1, score:required in 1 row, e.g. as_of 2024-03-01, customer_key c2; "
        "nothing was written: correct what makes the table, or the rule in "
        "contracts/gold/scores.odcs.yaml"
    )
    assert [row.score for row in lakehouse.read("gold/scores").collect()] == [0.5]


def test_a_merge_and_a_change_of_groups_are_bound_too(lakehouse: Lakehouse) -> None:
    frame = scores(lakehouse.spark, 0.5, 2.0)
    on = (
        "ON target.customer_key = source.customer_key "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *"
    )
    keys = frame.select("customer_key")
    for write in (
        lambda rows: lakehouse.merge(CONTRACT, rows, on),
        lambda rows: lakehouse.replace_groups(CONTRACT, rows, keys),
    ):
        write(scores(lakehouse.spark, 0.25))
        with pytest.raises(BrokenContractError, match="score:maximum in 1 row"):
            write(frame)
        assert [row.score for row in lakehouse.read("gold/scores").collect()] == [0.25]


def test_columns_are_put_in_order_and_others_are_an_error(lakehouse: Lakehouse) -> None:
    rows = scores(lakehouse.spark, 0.5)
    assert refused(lakehouse, rows.withColumn("more", F.lit(1))) == (
        "gold/scores cannot be written: its contract has no column more"
    )
    assert refused(lakehouse, rows.drop("name", "score")) == (
        "gold/scores cannot be written: the rows lack column name, score of its contract"
    )
    assert refused(lakehouse, rows.withColumn("score", F.lit("0.5"))) == (
        "gold/scores cannot be written: column score is string, by its contract double"
    )
    assert not lakehouse.exists("gold/scores")
    lakehouse.replace_days(
        CONTRACT, rows.select("score", "name", "customer_key", "as_of"), "as_of", [DAY]
    )
    assert lakehouse.read("gold/scores").columns == list(CONTRACT.column_names)


def test_looking_at_the_rules_moves_no_rows_and_keeps_their_order(lakehouse: Lakehouse) -> None:
    rows = scores(lakehouse.spark, 0.5).repartition("as_of").sortWithinPartitions("as_of")
    assert exchanges(bound(rows, CONTRACT)) == exchanges(rows)
    again = bound(rows, CONTRACT).groupBy("as_of").count()
    assert exchanges(again) == exchanges(rows)


WHOLE_STAGE, FACTORY = "spark.sql.codegen.wholeStage", "spark.sql.codegen.factoryMode"


@pytest.mark.parametrize("table", [name for name in TABLES if name.startswith("gold/")])
def test_the_rules_of_the_widest_row_are_compiled_and_not_interpreted(
    spark: SparkSession, table: str
) -> None:
    """Java compiles no method of more than 8,000 bytes, and would look at every row slowly."""
    contract = Contract.load(table)
    rows = bound(spark.createDataFrame([], table_schema(contract)), contract)
    spark.conf.set(WHOLE_STAGE, "true")  # as users have it, and tests do not
    spark.conf.set(FACTORY, "FALLBACK")
    try:
        with redirect_stdout(StringIO()) as plan:
            rows.explain(mode="codegen")
    finally:
        spark.conf.set(WHOLE_STAGE, "false")
        spark.conf.set(FACTORY, "NO_CODEGEN")
    (largest,) = re.findall(r"maxMethodCodeSize:(\d+)", plan.getvalue())
    assert int(largest) < 8000
