"""The YAML mapping: what it accepts, and the one line it says about a mistake."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from customer360.contracts.times import python_format
from customer360.sources.files import load_mapping, shipped_mappings
from customer360.sources.files.mapping import parse_mapping

SMALLEST = """
name: shop
time_zone: Europe/London
currency: GBP
grain: orders
columns: {order_id: Order, occurred_at: Time, amount: Total}
"""


def test_the_smallest_mapping_has_sensible_defaults() -> None:
    found = parse_mapping(SMALLEST, where="shop.yaml")
    assert found.table == "shop_orders"
    assert found.globs == ("*.csv", "*.csv.gz")
    assert found.date_format == "yyyy-MM-dd HH:mm:ss"
    assert found.columns.roles() == {"order_id": "Order", "occurred_at": "Time", "amount": "Total"}


def test_a_relative_path_is_relative_to_the_mapping(tmp_path: Path) -> None:
    file = tmp_path / "shop.yaml"
    file.write_text(SMALLEST + "path: exports\n")
    assert load_mapping(file).path == tmp_path / "exports"


def test_every_shipped_mapping_loads_by_its_name() -> None:
    assert "online_retail" in shipped_mappings()
    for name in shipped_mappings():
        assert load_mapping(name).name == name


@pytest.mark.parametrize(
    ("spark_pattern", "text", "time"),
    [
        ("yyyy-MM-dd HH:mm:ss", "2024-02-01 03:04:05", dt.datetime(2024, 2, 1, 3, 4, 5)),
        ("M/d/yyyy H:mm", "2/1/2024 3:04", dt.datetime(2024, 2, 1, 3, 4)),
        ("dd-MMM-yy hh:mm a", "01-Feb-24 03:04 PM", dt.datetime(2024, 2, 1, 15, 4)),
        ("yyyyMMdd'T'HHmmss.SSS", "20240201T030405.006", dt.datetime(2024, 2, 1, 3, 4, 5, 6000)),
        ("dd 'o''clock' MM yyyy", "01 o'clock 02 2024", dt.datetime(2024, 2, 1)),
    ],
)
def test_spark_patterns_read_the_same_in_python(
    spark_pattern: str, text: str, time: dt.datetime
) -> None:
    assert dt.datetime.strptime(text, python_format(spark_pattern)) == time


def test_dates_in_file_names() -> None:
    found = parse_mapping(
        SMALLEST + 'date_in_name: "sales_*_{dd.MM.yyyy}.csv"\n', where="shop.yaml"
    )
    assert found.globs == ("sales_*_*.csv", "sales_*_*.csv.gz")
    assert found.delivered_on("sales_north_31.12.2023.csv.gz") == dt.date(2023, 12, 31)
    assert found.delivered_on("sales_north_31.13.2023.csv") is None
    assert found.delivered_on("returns_north_31.12.2023.csv") is None
