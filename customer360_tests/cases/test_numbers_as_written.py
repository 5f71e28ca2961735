"""Amounts as people and programs write them: read whole, or refused; never multiplied."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.errors import SettingsError
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.loaded_files import load

MAPPING = """
name: shop
delimiter: ";"
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
columns: {order_id: id, customer_id: who, occurred_at: day, amount: sum}
"""


def amounts_of(
    spark: SparkSession, folder: Path, texts: list[str], stated: str = ""
) -> tuple[dict[str, str], set[str]]:
    """What each text is as an amount, and the texts that are refused."""
    lines = [f"{n};K;2024-03-04;{text}" for n, text in enumerate(texts)]
    found = load(spark, folder, MAPPING + stated, {"a.csv": "\n".join(["id;who;day;sum", *lines])})
    assert set(found.reasons) <= {"sum:type"}
    read = {texts[int(no)]: str(amount) for no, amount in found.amounts.items()}
    return read, set(texts) - set(read)


def test_a_decimal_comma_with_points_where_somebody_typed_them(
    spark: SparkSession, tmp_path: Path
) -> None:
    """A point is a thousands mark only before exactly three digits."""
    read, refused = amounts_of(
        spark,
        tmp_path,
        ["1.750,25", "8,40", "3.000", "1.234.567,89", "17.50", "9.5", "12.34,00", "1.2345,6"],
        'decimal_separator: ","\n',
    )
    assert read == {
        "1.750,25": "1750.25",
        "8,40": "8.40",
        "3.000": "3000.00",
        "1.234.567,89": "1234567.89",
    }
    assert refused == {"17.50", "9.5", "12.34,00", "1.2345,6"}


def test_commas_of_an_english_program_where_nothing_was_stated(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Read where they can only part thousands; a lone 1,234 could be either, and is refused."""
    read, refused = amounts_of(
        spark, tmp_path, ["2,345.67", "18,000.00", "1,234,567", "4.20", "1,234", "12,34", "0,995"]
    )
    assert read == {
        "2,345.67": "2345.67",
        "18,000.00": "18000.00",
        "1,234,567": "1234567.00",
        "4.20": "4.20",
    }
    assert refused == {"1,234", "12,34", "0,995"}


def test_a_decimal_point_that_was_stated_makes_the_comma_a_thousands_mark(
    spark: SparkSession, tmp_path: Path
) -> None:
    read, refused = amounts_of(
        spark, tmp_path, ["1,234", "12,345.60", "1,23", "12,34,567"], 'decimal_separator: "."\n'
    )
    assert read == {"1,234": "1234.00", "12,345.60": "12345.60"}
    assert refused == {"1,23", "12,34,567"}


def test_a_thousands_mark_that_was_stated_is_the_only_one(
    spark: SparkSession, tmp_path: Path
) -> None:
    read, refused = amounts_of(
        spark,
        tmp_path,
        ["1 234,50", "1.234,50"],
        'decimal_separator: ","\nthousands_separator: " "\n',
    )
    assert (read, refused) == ({"1 234,50": "1234.50"}, {"1.234,50"})


def test_blanks_of_every_kind_and_apostrophes_part_thousands(
    spark: SparkSession, tmp_path: Path
) -> None:
    texts = ["1 234,50", "1\u00a0234,51", "1\u202f234,52", "1\u2009234,53", "1'234,54", "1’234,55"]
    read, refused = amounts_of(spark, tmp_path, [*texts, "12 34"], 'decimal_separator: ","\n')
    assert [read[text] for text in texts] == [f"1234.5{n}" for n in range(6)]
    assert refused == {"12 34"}


def test_what_is_negative_however_it_is_written(spark: SparkSession, tmp_path: Path) -> None:
    texts = ["-7.50", "7.50-", "(7.50)", "−7.50", "($7.50)", "-$7.50", "$-7.50", "7.50 USD-"]
    found = load(
        spark,
        tmp_path,
        MAPPING.replace("EUR", "USD") + "cancellations: [{column: sum, below: 0}]\n",
        {
            "a.csv": "id;who;day;sum\n"
            + "".join(f"{n};K;2024-03-04;{t}\n" for n, t in enumerate([*texts, "(7.50", "--7.50"]))
        },
    )
    assert [(row.kind, row.amount) for row in found.good] == [("refund", Decimal("7.50"))] * 8
    assert found.reasons == {"sum:type": 2}


@pytest.mark.parametrize(
    ("currency", "texts", "foreign"),
    [
        ("EUR", ["€ 12,50", "12,50€", "EUR 12,50", "12,50 eur"], "$ 12,50"),
        ("BRL", ["R$ 12,50", "R$12,50", "BRL 12,50"], "US$ 12,50"),
        ("SEK", ["12,50 kr", "12,50 kr."], "12,50 €"),
    ],
)
def test_signs_of_the_currency_are_passed_over_and_others_are_not(
    spark: SparkSession, tmp_path: Path, currency: str, texts: list[str], foreign: str
) -> None:
    lines = [f"{n};K;2024-03-04;{text}" for n, text in enumerate([*texts, foreign])]
    found = load(
        spark,
        tmp_path,
        MAPPING.replace("EUR", currency) + 'decimal_separator: ","\n',
        {"a.csv": "\n".join(["id;who;day;sum", *lines])},
    )
    assert found.net == Decimal("12.50") * len(texts)
    assert found.reasons == {"sum:type": 1}


def test_pieces_and_instalments_that_a_program_made_decimals_of(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = MAPPING.replace("amount: sum", "amount: sum, items: pieces, installments: parts")
    text = "id;who;day;sum;pieces;parts\n1;K;2024-03-04;9.00;3.0;2.0\n2;K;2024-03-04;5.00;;\n"
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert [(row["items"], row.installments) for row in found.good] == [(3, 2), (None, None)]


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            'decimal_separator: ","\nthousands_separator: ","',
            "thousands_separator ',' is the decimal separator too; state decimal_separator: \".\"",
        ),
        ('thousands_separator: "."', 'state decimal_separator: "," if that parts decimals'),
        ("thousands_separator: _", "thousands_separator: '_' must be"),
    ],
)
def test_marks_are_checked_against_each_other(stated: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_mapping(MAPPING + stated, where="shop.yaml")
    assert said in str(error.value)


def test_amounts_in_the_smallest_coin(spark: SparkSession, tmp_path: Path) -> None:
    """Hundredths of most currencies, whole yen, thousandths of a dinar."""
    found = {}
    for currency in ("EUR", "JPY", "KWD"):
        mapping = MAPPING.replace("EUR", currency) + "amounts_in: minor_units\n"
        text = "id;who;day;sum\n1;K;2024-03-04;1250\n"
        found[currency] = load(spark, tmp_path, mapping, {"a.csv": text}).net
    assert found == {"EUR": Decimal("12.50"), "JPY": 1250, "KWD": Decimal("1.25")}


def test_words_for_no_value_are_no_broken_number(spark: SparkSession, tmp_path: Path) -> None:
    mapping = MAPPING.replace("amount: sum", "amount: sum, freight: post, birth_date: born")
    text = (
        "id;who;day;sum;post;born\n"
        "1;K;2024-03-04;9.00;NULL;N/A\n"
        "2;K;2024-03-04;NULL;1.00;\\N\n"
        "3;K;2024-03-04;5.00;nan;soon\n"
    )
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert found.amounts == {"1": 9, "3": 5}
    assert found.reasons == {"sum:required": 1}
