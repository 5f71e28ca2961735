"""Attributes of every type: a value that silver would refuse is set aside at the door."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts.attributes import customer_attributes
from customer360.sources import mapped
from customer360.table_names import CUSTOMERS
from customer360_tests.cases.shop import open_shop

MAY: dict[str, Any] = {"first": date(2024, 5, 1), "last": date(2024, 5, 31)}
CLUB = """
name: club
time_zone: America/Sao_Paulo
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: day, amount: sum, loyalty_tier: card}
"""


@pytest.mark.parametrize(
    ("stated", "values", "kept"),
    [
        (
            {"logical_type": "integer", "physical_type": "int", "minimum": 1, "maximum": 20},
            ("5", "99", "99999999999", "4.5"),
            ("5", None, None, None),
        ),
        (
            {"logical_type": "number", "physical_type": "decimal(6,2)", "minimum": 0},
            ("12.50", "-1", "123456789.00", "much"),
            ("12.50", None, None, None),
        ),
        (
            {"logical_type": "boolean", "physical_type": "boolean"},
            ("yes", "no", "perhaps", ""),
            ("true", "false", None, None),
        ),
        (
            {"logical_type": "timestamp", "physical_type": "timestamp"},
            ("2024-05-01", "soon", "", "2024-13-01"),
            ("2024-05-01 03:00:00", None, None, None),
        ),
        (
            {"allowed_values": ("gold", "silver")},
            ("gold", "iron", "silver", "gold"),
            ("gold", None, "silver", "gold"),
        ),
    ],
    ids=["integer", "number", "boolean", "timestamp", "enumeration"],
)
def test_what_silver_would_refuse_is_set_aside(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    stated: dict[str, Any],
    values: tuple[str, ...],
    kept: tuple[str | None, ...],
) -> None:
    """Silver's own column stays a text here, which holds whatever the source made of it."""
    known = dict(customer_attributes())
    known["loyalty_tier"] = replace(known["loyalty_tier"], **stated)
    monkeypatch.setattr(mapped, "customer_attributes", lambda: known)
    rows = (f"{n},c{n},2024-05-0{n},1.00,{value}" for n, value in enumerate(values, 1))
    shop = open_shop(spark, tmp_path, CLUB, {"may.csv": ("nr,who,day,sum,card", *rows)}, **MAY)
    loaded = shop.load()
    assert loaded.account.kept == len(values)
    assert shop.customers("loyalty_tier") == {f"c{n}": (value,) for n, value in enumerate(kept, 1)}


def test_a_table_without_a_column_of_its_contract_is_made_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    """As of a home that was made before the attribute was one."""
    daily = CLUB + 'date_in_name: "may_{yyyy-MM-dd}.csv"\n'
    head = "nr,who,day,sum,card"
    files = {
        "may_2024-05-01.csv": (head, "1,ann,2024-05-01,1.00,gold"),
        "may_2024-05-02.csv": (head, "2,bob,2024-05-02,1.00,silver"),
    }
    shop = open_shop(spark, tmp_path, daily, files, **MAY)
    shop.load()
    path = shop.lakehouse.path(CUSTOMERS)
    older = spark.read.format("delta").load(path).drop("loyalty_tier").toPandas()
    frame = spark.createDataFrame(older, _schema_without(shop.lakehouse.read(CUSTOMERS).schema))
    (
        frame.write.format("delta")
        .mode("overwrite")
        .option("overwriteSchema", "true")
        .option("userMetadata", shop.lakehouse.last_commit(CUSTOMERS).note or "")
        .save(path)
    )
    shop.load(date(2024, 5, 3))
    assert shop.customers("loyalty_tier") == {"ann": ("gold",), "bob": ("silver",)}


def _schema_without(schema: Any) -> Any:
    from pyspark.sql.types import StructType

    return StructType([field for field in schema.fields if field.name != "loyalty_tier"])
