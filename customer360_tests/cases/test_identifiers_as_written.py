"""Order numbers and customers as spreadsheets and shops leave them."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import SparkSession

from customer360_tests.cases.loaded_files import ORDERS, Loaded, load


def load_ids(
    spark: SparkSession, folder: Path, rows: list[tuple[str, str]], more: str = ""
) -> Loaded:
    lines = [f"{order},{who},2024-01-01,1.00" for order, who in rows]
    return load(
        spark, folder, ORDERS + more, {"a.csv": "\n".join(["id,who,day,sum", *lines]) + "\n"}
    )


def test_numbers_that_became_decimals_are_the_same_customer(
    spark: SparkSession, tmp_path: Path
) -> None:
    """But 12.50 and 1.0.0 are identifiers of their own, and zeros in front stay."""
    ids = ["4711.0", "4711", "04711", "12.50", "1.0.0", "4711.00"]
    found = load_ids(spark, tmp_path, [(str(n), who) for n, who in enumerate(ids)])
    assert found.customers == {"4711": 2, "04711": 1, "12.50": 1, "1.0.0": 1, "4711.00": 1}


def test_order_numbers_too(spark: SparkSession, tmp_path: Path) -> None:
    found = load_ids(spark, tmp_path, [("9001.0", "A"), ("9002 ", "A"), ("\u00a09003\t", "A")])
    assert set(found.amounts) == {"9001", "9002", "9003"}


def test_e_mail_addresses_differ_in_nothing_but_case(spark: SparkSession, tmp_path: Path) -> None:
    ids = ["Eve.Fox@Example.org", "eve.fox@example.org", " EVE.FOX@EXAMPLE.ORG\u00a0", "AbC", "abc"]
    found = load_ids(spark, tmp_path, [(str(n), who) for n, who in enumerate(ids)])
    assert found.customers == {"eve.fox@example.org": 3, "AbC": 1, "abc": 1}


def test_guests_are_nobody(spark: SparkSession, tmp_path: Path) -> None:
    ids = ["0", "0.0", "guest", "GUEST", "NULL", "nan", "-1", "#N/A", "\\N", "", "10", "guest7"]
    found = load_ids(spark, tmp_path, [(str(n), who) for n, who in enumerate(ids)])
    assert found.customers == {None: 10, "10": 1, "guest7": 1}
    assert found.net == 12


def test_who_is_nobody_can_be_stated(spark: SparkSession, tmp_path: Path) -> None:
    rows = [("1", "0"), ("2", "walk-in"), ("3", "Walk-In"), ("4", "9999")]
    stated = load_ids(spark, tmp_path / "a", rows, "anonymous: [walk-in, 9999]\n")
    assert stated.customers == {"0": 1, None: 3}
    nobody = load_ids(spark, tmp_path / "b", rows, "anonymous: []\n")
    assert nobody.customers == {"0": 1, "walk-in": 1, "Walk-In": 1, "9999": 1}


def test_a_rule_still_sees_the_text_that_means_nobody(spark: SparkSession, tmp_path: Path) -> None:
    rule = "exclude: [{reason: till_test, column: who, equals: [0]}]\n"
    found = load_ids(spark, tmp_path, [("1", "0"), ("2", "7")], rule)
    assert (found.excluded, found.customers) == ({"till_test": 1}, {"7": 1})


def test_numbers_that_a_spreadsheet_shortened_identify_nothing(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [("7.12E+12", "A"), ("7,12E+12", "A"), ("7.12e+12", "B"), ("E+12", "C"), ("1E10", "D")]
    found = load_ids(spark, tmp_path, [(f'"{order}"', who) for order, who in rows])
    assert found.reasons == {"id:spreadsheet_number": 3}
    assert set(found.amounts) == {"E+12", "1E10"}
    customer = load_ids(spark, tmp_path / "c", [("1", "9.3E+11"), ("2", "A")])
    assert customer.reasons == {"who:spreadsheet_number": 1}


def test_an_order_is_known_by_several_columns(spark: SparkSession, tmp_path: Path) -> None:
    """Receipt 17 of two shops is two orders; without its shop it is none."""
    mapping = ORDERS.replace("order_id: id", "order_id: [shop, id]")
    text = (
        "shop,id,who,day,sum\nN,17,A,2024-01-01,1.00\nS,17.0,A,2024-01-01,2.00\n"
        ",17,A,2024-01-01,4.00\nNULL,18,A,2024-01-01,8.00\n"
    )
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert found.amounts == {"N|17": 1, "S|17": 2}
    assert found.reasons == {"shop:required": 2}
