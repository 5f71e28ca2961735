"""Which categories are bought together: small baskets with all their figures written out."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import pytest
from pyspark.sql import DataFrame, SparkSession

from customer360.contracts import Contract
from customer360.gold import product_affinity as module
from customer360.gold.product_affinity import product_affinity
from customer360.gold.purchases import NoAsOfDateError
from customer360_tests.gold.frames import day, table

LINES = (
    "source string, order_id string, line_key string, kind string, business_date date, "
    "category string, amount decimal(18,2)"
)
COLUMNS = Contract.load(module.PRODUCT_AFFINITY).column_names


def line(
    order: str,
    category: str | None,
    *,
    on: str = "2024-03-01",
    kind: str = "sale",
    amount: str = "10.00",
    source: str = "shop",
    key: str = "1",
) -> tuple[Any, ...]:
    return (source, order, key, kind, day(on), category, Decimal(amount))


def lines_of(spark: SparkSession, *rows: tuple[Any, ...]) -> DataFrame:
    return table(spark, LINES, rows)


def basket(order: str, categories: Iterable[str], **more: Any) -> list[tuple[Any, ...]]:
    return [line(order, category, **more) for category in categories]


def shown(found: DataFrame, *columns: str) -> list[tuple[Any, ...]]:
    return sorted(tuple(row) for row in found.select(*columns or COLUMNS).collect())


def test_every_figure_of_a_pair(spark: SparkSession) -> None:
    """Ten orders: six with toys, seven with books, five with both, two with garden."""
    rows = [
        *(row for n in range(5) for row in basket(f"both {n}", ["toys", "books"])),
        line("t", "toys"),
        *(row for n in range(2) for row in basket(f"b {n}", ["books", "garden"])),
        *(line(f"f {n}", "food") for n in range(2)),
        line("both 0", "toys", key="2"),  # two pieces of a category are one category
    ]
    found = product_affinity(lines_of(spark, *rows), [day("2024-03-31")])
    assert tuple(found.columns) == COLUMNS
    # Books and garden met twice, which is too seldom to be listed.
    assert shown(found) == [
        (day("2024-03-31"), "books", "toys", 7, 6, 5, 10, 5 / 10, 5 / 7, 5 / 6, 50 / 42),
    ]


def test_a_basket_is_what_was_sold_and_of_a_known_category(spark: SparkSession) -> None:
    rows = [
        *(row for n in range(5) for row in basket(f"o{n}", ["a", "b"])),
        *(row for n in range(5) for row in basket(f"c{n}", ["a", "b"], kind="cancelled")),
        # Given back later: it was bought together all the same, and once.
        *basket("o0", ["a", "b"], kind="refund", on="2024-03-05"),
        *(line(f"o{n}", "voucher", amount="-1.00", key="9") for n in range(5)),
        *(line(f"o{n}", None, key="8") for n in range(5)),
        line("unknown", None),
        # Another source's order of the same name is another order.
        line("o0", "a", source="market"),
    ]
    found = product_affinity(lines_of(spark, *rows), [day("2024-03-31")])
    assert shown(found, "category_a", "category_b", "orders_a", "orders_b", "orders_both",
                 "orders") == [("a", "b", 6, 5, 5, 6)]  # fmt: skip


def test_every_date_knows_what_was_in_the_orders_by_then(spark: SparkSession) -> None:
    rows = [
        *(row for n in range(5) for row in basket(f"o{n}", ["a", "b"], on=f"2024-03-0{n + 1}")),
        # Of its second category nobody knew before the 20th.
        line("late", "a", on="2024-03-05"),
        line("late", "b", on="2024-03-20"),
        line("april", "a", on="2024-04-01"),
    ]
    lines = lines_of(spark, *rows)
    dates = [day(text) for text in ("2024-03-04", "2024-03-05", "2024-03-20", "2024-03-31")]
    columns = ("as_of", "category_a", "orders_a", "orders_b", "orders_both", "orders")
    together = shown(product_affinity(lines, dates), *columns)
    assert together == [  # four orders on the 4th: too few
        (dates[1], "a", 6, 5, 5, 6),
        (dates[2], "a", 6, 6, 6, 6),
        (dates[3], "a", 6, 6, 6, 6),
    ]
    alone = [row for each in dates for row in shown(product_affinity(lines, [each]), *columns)]
    assert alone == together


def test_a_basket_of_the_whole_shop_says_nothing(
    spark: SparkSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the day on that it is too large it is in no figure; before, it is a basket."""
    monkeypatch.setattr(module, "MOST_CATEGORIES", 3)
    rows = [
        *(row for n in range(4) for row in basket(f"o{n}", ["a", "b"])),
        *basket("large", ["a", "b", "c"], on="2024-03-02"),
        line("large", "d", on="2024-03-10"),
        *basket("huge", "abcdefgh"),
    ]
    found = product_affinity(lines_of(spark, *rows), [day("2024-03-09"), day("2024-03-10")])
    assert shown(found, "as_of", "category_a", "category_b", "orders_both", "orders") == [
        (day("2024-03-09"), "a", "b", 5, 5),  # on the 10th four, which are too few
    ]


def test_no_lines_are_no_pairs_and_no_date_is_an_error(spark: SparkSession) -> None:
    assert shown(product_affinity(lines_of(spark), [day("2024-03-31")])) == []
    with pytest.raises(NoAsOfDateError):
        product_affinity(lines_of(spark), [])
