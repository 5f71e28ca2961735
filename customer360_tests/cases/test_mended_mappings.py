"""A mapping that is mended counts for the rows that were accepted before, too."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from customer360.pipeline.replay import waiting
from customer360.pipeline.workspace import Workspace
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.shop import Shop, deployment_of, open_shop

FIRST, LAST = date(2024, 9, 1), date(2024, 9, 30)
EXTRACT = """
name: press
currency: EUR
time_zone: UTC
grain: orders
delimiter: ";"
date_format: yyyy-MM-dd
columns: {order_id: slip, customer_id: who, occurred_at: day, amount: sum, city: town}
"""
DAILY = EXTRACT + 'date_in_name: "press_{yyyy-MM-dd}.csv"\n'
HEAD = "slip;who;day;sum;town"


def mended(shop: Shop, mapping: str) -> Shop:
    source = FilesSource(parse_mapping(mapping, where="press.yaml"), shop.folder)
    home = shop.work.deployment.settings.home
    work = Workspace(shop.lakehouse, deployment_of(source, home, FIRST, LAST), "mended")
    return Shop(work, shop.folder, shop.history)


def test_other_decimal_marks_change_what_was_read_before(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (HEAD, "1;ann;2024-09-03;4.321;", "2;bob;2024-09-04;10,50;", "3;cid;2024-09-05;7.500;")
    shop = open_shop(spark, tmp_path, EXTRACT, {"all.csv": rows}, first=FIRST, last=LAST)
    shop.load()
    assert [row[3] for row in shop.orders()] == ["4.32", "7.50"]
    shop = mended(shop, EXTRACT + 'decimal_separator: ","\nthousands_separator: "."\n')
    waits = waiting(shop.work.tables, shop.work.deployment)
    loads = [shop.load(days.first, days.last) for days in waits.ranges(LAST)]
    assert len(loads) == 1
    every = [
        ("2024-09-03", "1", "sale", "4321.00"),
        ("2024-09-04", "2", "sale", "10.50"),
        ("2024-09-05", "3", "sale", "7500.00"),
    ]
    assert shop.orders() == every
    # The same mapping again, from another folder's name: only the day that is asked for.
    again = mended(
        shop, EXTRACT + f'decimal_separator: ","\nthousands_separator: "."\npath: {tmp_path}\n'
    )
    assert again.load(LAST).silver.days == (LAST,)
    assert again.orders() == every


def test_rules_of_a_mapping_change_days_that_were_not_delivered_again(
    spark: SparkSession, tmp_path: Path
) -> None:
    files = {
        "press_2024-09-03.csv": (
            HEAD,
            "1;ann;2024-09-03;10.00;unknown",
            "T2;bob;2024-09-03;90.00;",
        ),
        "press_2024-09-10.csv": (HEAD, "R3;ann;2024-09-10;4.00;", "4;bob;2024-09-10;5.00;Linz"),
    }
    shop = open_shop(spark, tmp_path, DAILY, files, first=FIRST, last=LAST, history=True)
    shop.load()
    assert shop.net() == 109
    assert shop.customers("city") == {"ann": ("Unknown",), "bob": ("Linz",)}
    rules = """
exclude: [{reason: test_order, column: slip, starts_with: T}]
cancellations: [{column: slip, starts_with: R}]
null_words: [unknown]
"""
    shop = mended(shop, DAILY + rules)
    shop.load(LAST)
    assert shop.orders() == [
        ("2024-09-03", "1", "sale", "10.00"),
        ("2024-09-10", "4", "sale", "5.00"),
        ("2024-09-10", "R3", "refund", "4.00"),
    ]
    assert shop.net() == 11
    assert shop.reasons() == {"test_order": 1}
    assert shop.customers("city") == {"ann": (None,), "bob": ("Linz",)}
    cities = {row[0] for row in shop.rows("silver/customer_history", "city")}
    assert cities == {None, "Linz"}
