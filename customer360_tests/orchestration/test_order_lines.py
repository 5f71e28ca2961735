"""Order lines, and what is made of them, through Dagster: made, checked and shown."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from customer360.days import DayRange
from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import LOAD_RANGE, SNAPSHOT
from customer360.orchestration.metadata import asset_key
from customer360.orchestration.partitions import add_as_of_dates, range_tags
from customer360.settings import remember
from customer360_tests.deployments import Home, materialized, step_error

DAYS = DayRange(date(2024, 3, 1), date(2024, 3, 6))
MAPPING = """
name: mill
time_zone: UTC
currency: EUR
grain: lines
closed: true
columns: {order_id: nr, line_id: line, customer_id: who, occurred_at: at, amount: sum,
          category: kind}
"""
LOADED = (
    "bronze/mill_lines",
    "quarantine/mill_lines",
    "silver/customers",
    "silver/transactions",
    "silver/order_lines",
    "quarantine/transactions",
    "silver/customer_days",
)


def test_a_deployment_of_lines_has_them_and_the_affinity_of_what_was_bought(
    spark: SparkSession, tmp_path: Path
) -> None:
    (tmp_path / "mill.yaml").write_text(MAPPING, encoding="utf-8")
    raw = tmp_path / "files"
    raw.mkdir()
    lines = (
        f"{n},{line},c{n},2024-03-0{n} 09:00:00,{line}.50,{kind}"
        for n in range(1, 7)
        for line, kind in enumerate(("bread", "butter"), 1)
        if kind == "bread" or n < 6
    )
    (raw / "mill.csv").write_text("\n".join(("nr,line,who,at,sum,kind", *lines)), encoding="utf-8")
    remember(
        tmp_path,
        {
            "sources": ["files"],
            "files_mapping": [str(tmp_path / "mill.yaml")],
            "files_path": str(raw),
            "start_date": DAYS.first,
            "end_date": DAYS.last,
            "customer_key_secret": "known to the tests",
        },
    )
    home = Home.at(spark, tmp_path)
    definitions = build_definitions(home.settings)
    with home.instance() as instance:
        loaded = definitions.resolve_job_def(LOAD_RANGE).execute_in_process(
            instance=instance,
            tags=range_tags(DAYS),
            asset_selection=[asset_key(table) for table in LOADED],
            raise_on_error=False,
        )
        assert loaded.success, step_error(loaded)
        passed = {
            f"{each.asset_key.to_user_string()}:{each.check_name}": each.passed
            for each in loaded.get_asset_check_evaluations()
        }
        assert passed["silver/order_lines:lines_add_up"]
        assert passed["silver/order_lines:keys_unique"]
        assert passed["silver/transactions:rows_accounted"]
        assert all(passed.values())
        add_as_of_dates(instance, [DAYS.last])
        made = definitions.resolve_job_def(SNAPSHOT).execute_in_process(
            instance=instance,
            partition_key=str(DAYS.last),
            asset_selection=[asset_key("gold/product_affinity")],
            raise_on_error=False,
        )
        assert made.success, step_error(made)
        assert materialized(instance, "gold/product_affinity") == {str(DAYS.last)}
    assert home.lakehouse.read("silver/order_lines").count() == 11
    (row,) = home.rows("gold/product_affinity")
    assert (row["category_a"], row["category_b"]) == ("bread", "butter")
    assert (row["orders_a"], row["orders_b"], row["orders_both"], row["orders"]) == (6, 5, 5, 6)
