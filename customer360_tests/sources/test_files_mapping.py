"""The YAML mapping: what it accepts, and the one line it says about a mistake."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pytest

from customer360.contracts.times import python_format
from customer360.errors import SettingsError
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


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("name: shop", "name: My Shop"), "name: 'My Shop' must match"),
        (("name: shop", "name: olist"), "name: olist is the name of another source"),
        (("time_zone", "timezone"), "timezone: is not a key of a mapping; known are name, "),
        (("time_zone: Europe/London", ""), "time_zone is missing"),
        (("Europe/London", "London"), "time_zone: 'London' is not an IANA time zone like"),
        (("GBP", "pounds"), "currency: 'pounds' must match"),
        (("grain: orders", "grain: rows"), "grain: 'rows' must be 'orders' or 'lines'"),
        (("order_id: Order, ", ""), "columns.order_id is missing"),
        (("amount: Total", "total: Total"), "columns.total: is not a key of a mapping; known"),
        (("amount: Total", "quantity: N"), "columns: amount is missing: name it, or both quantity"),
        (("amount: Total", "amount: T, quantity: N, unit_price: P"), "columns: amount and unit_p"),
        (("grain", 'date_format: "%Y-%m-%d"\ngrain'), "date_format: '%Y-%m-%d' is Python's"),
        (("grain", "date_format: dd.MM HH:mm\ngrain"), "date_format: 'dd.MM HH:mm' has no year"),
        (("grain", "date_format: YYYY-MM-DD\ngrain"), "date_format: 'YYYY' in 'YYYY-MM-DD' mean"),
        (("grain", "date_in_name: sales.csv\ngrain"), "date_in_name: 'sales.csv' must hold yyyy"),
        (("columns: {", "columns: {line_id: Line, "), "columns.line_id needs grain: lines"),
        (("columns: {", "columns: {product_id: Sku, "), "columns.product_id needs grain: lines"),
        (("columns: {", "columns: {line_id: No, "), "columns.line_id: False is not text; put"),
        (("grain", "exclude: [{column: A, equals: B}]\ngrain"), "exclude.0.reason is missing"),
        (
            ("grain", "cancellations: [{column: A}]\ngrain"),
            "cancellations.0: give one of equals, starts_with",
        ),
        (
            ("grain", "cancellations: [{column: A, matches: '('}]\ngrain"),
            "cancellations.0: matches is not a regular expression",
        ),
        (("columns: {", "columns: ["), "is not YAML at line"),
    ],
)
def test_a_mistake_is_one_line_that_says_where(change: tuple[str, str], said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_mapping(SMALLEST.replace(*change), where="shop.yaml")
    assert str(error.value).startswith(f"mapping shop.yaml: {said}")
    assert "\n" not in str(error.value)


def test_what_is_no_mapping_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.yaml: no such file .*online_retail"):
        load_mapping("nowhere.yaml")
    file = tmp_path / "list.yaml"
    file.write_text("- a\n")
    with pytest.raises(SettingsError, match=r"list\.yaml: expected keys such as name"):
        load_mapping(file)


@pytest.mark.parametrize("brackets", ["[]", "{}"], ids=["lists", "keys"])
def test_a_mapping_nested_beyond_measure_is_refused_in_one_line(brackets: str) -> None:
    opening, closing = brackets[0], brackets[1]
    deep = f"{opening}{'a: ' * (opening == '{')}" * 3_000 + closing * 3_000
    with pytest.raises(SettingsError, match=r"^mapping shop\.yaml: has values within values"):
        parse_mapping(f"x: {deep}\n{SMALLEST}", where="shop.yaml")


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
