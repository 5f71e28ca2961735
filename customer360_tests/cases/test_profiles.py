"""What is said of customers: blanks, refusals, and values that nobody can use."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.pipeline import few_rows
from customer360_tests.cases.shop import open_shop

NONE_IS_FEW = -1
MAY: dict[str, Any] = {"first": date(2024, 5, 1), "last": date(2024, 5, 31), "history": True}

CLUB = """
name: club
time_zone: Europe/Lisbon
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
closed: true
columns:
  {order_id: nr, customer_id: who, occurred_at: day, amount: sum, email: mail, city: town,
   postal_code: code, marketing_consent: letters, birth_date: born, review_score: stars,
   delivered_on: came, freight: post, items: pieces, installments: rates}
"""
HEAD = "nr,who,day,sum,mail,town,code,letters,born,stars,came,post,pieces,rates"


def row(nr: str, who: str, on: str, amount: str, **said: str) -> str:
    named = ("mail", "town", "code", "letters", "born", "stars", "came", "post", "pieces", "rates")
    assert not set(said) - set(named)
    return ",".join([nr, who, on, amount, *(said.get(name, "") for name in named)])


def test_a_blank_takes_nothing_back(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(
        spark,
        tmp_path,
        CLUB,
        {
            "may.csv": (
                HEAD,
                row("1", "ana", "2024-05-01", "5.00", mail="Ana@X.org", town="Faro", letters="yes"),
                row("2", "ana", "2024-05-09", "6.00", code="8000-123"),
                row("3", "rui", "2024-05-02", "7.00", town="Beja", letters="no"),
                row("4", "rui", "2024-05-12", "8.00"),
                row("5", "eva", "2024-05-03", "9.00", letters="no"),
                row("6", "eva", "2024-05-20", "1.00", town="Lagos", letters="yes"),
                row("7", "ivo", "2024-05-21", "2.00", letters="yes"),
                row("8", "ivo", "2024-05-21", "2.50", letters="no"),
            )
        },
        **MAY,
    )
    shop.load()
    columns = ("email", "city", "postal_code", "marketing_consent", "updated_at")
    assert shop.customers(*columns) == {
        "ana": ("ana@x.org", "Faro", "8000-123", "true", "2024-05-08 23:00:00"),
        "rui": (None, "Beja", None, "false", "2024-05-11 23:00:00"),
        "eva": (None, "Lagos", None, "true", "2024-05-19 23:00:00"),
        # Both on one day: nobody can say which came first.
        "ivo": (None, None, None, "false", "2024-05-20 23:00:00"),
    }
    history = shop.rows(
        "silver/customer_history", "city", "marketing_consent", "valid_from", "is_current"
    )
    assert history == [
        ("Beja", "false", "2024-05-01 23:00:00", "true"),
        ("Faro", "true", "2024-04-30 23:00:00", "true"),
        ("Lagos", "true", "2024-05-19 23:00:00", "true"),
        (None, "false", "2024-05-02 23:00:00", "false"),
        (None, "false", "2024-05-20 23:00:00", "true"),
    ]
    assert shop.net() == Decimal("40.50")


def test_bad_attributes_are_set_aside_and_the_sales_stay(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = open_shop(
        spark,
        tmp_path,
        CLUB,
        {
            "may.csv": (
                HEAD,
                row("1", "ana", "2024-05-01", "5.00", born="0000-00-00", stars="5"),
                row("2", "rui", "2024-05-02", "6.00", born="1201-02-03", mail="no address"),
                row("3", "eva", "2024-05-03", "7.00", born="1988-02-30", letters="maybe"),
                row("4", "ivo", "2024-05-04", "8.00", stars="7", came="soon", post="free"),
                row("5", "leo", "2024-05-05", "9.00", stars="3.5", pieces="some", rates="-1"),
                row("6", "ana", "2024-05-06", "1.00", born="1990-05-01", mail="ana@x.org"),
            )
        },
        **MAY,
    )
    loaded = shop.load()
    assert (loaded.bronze.raw, loaded.bronze.quarantined) == (6, 0)
    assert shop.net() == Decimal("36.00")
    assert dict(loaded.bronze.set_aside) == {
        "born:format": 2,
        "born:minimum": 1,
        "came:format": 1,
        "letters:type": 1,
        "mail:format": 1,
        "pieces:type": 1,
        "post:type": 1,
        "rates:minimum": 1,
        "stars:maximum": 1,
        "stars:type": 1,
    }
    assert shop.customers("birth_date", "email", "marketing_consent") == {
        "ana": ("1990-05-01", "ana@x.org", None),
        "rui": (None, None, None),
        "eva": (None, None, None),
        "ivo": (None, None, None),
        "leo": (None, None, None),
    }
    scores = shop.rows("silver/transactions", "order_id", "review_score", "delivered_on")
    assert scores == [(nr, "5" if nr == "1" else None, None) for nr in "123456"]


def test_a_bad_amount_or_time_still_keeps_its_row_out(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(
        spark,
        tmp_path,
        CLUB,
        {
            "may.csv": (
                HEAD,
                row("1", "ana", "2024-05-01", "5.00"),
                row("2", "rui", "2024-05-02", "six", born="never"),
                row("3", "rui", "soon", "6.00"),
            )
        },
        **MAY,
    )
    loaded = shop.load()
    assert (loaded.bronze.raw, loaded.bronze.quarantined) == (3, 2)
    assert dict(loaded.bronze.set_aside) == {}
    assert shop.net() == Decimal("5.00")


@pytest.mark.parametrize(
    ("order", "most"),
    [
        # The newest neither first nor last, and one of them again.
        ((6, 9, 2, 6), few_rows.FEW_ROWS),
        ((6, 9, 2, 6), NONE_IS_FEW),
        pytest.param((2, 6, 9), few_rows.FEW_ROWS, marks=pytest.mark.whole),
        pytest.param((9, 6, 2), few_rows.FEW_ROWS, marks=pytest.mark.whole),
    ],
)
def test_days_loaded_in_any_order_give_the_same_profile(
    spark: SparkSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    order: tuple[int, ...],
    most: int,
) -> None:
    monkeypatch.setattr(few_rows, "FEW_ROWS", most)
    files = {
        "club_2024-05-02.csv": (
            HEAD, row("1", "ana", "2024-05-02", "5.00", town="Faro", letters="no"),
        ),
        "club_2024-05-06.csv": (HEAD, row("2", "ana", "2024-05-06", "5.00", code="8000")),
        "club_2024-05-09.csv": (
            HEAD, row("3", "ana", "2024-05-04", "5.00", town="Beja"),
        ),
    }  # fmt: skip
    daily = CLUB + 'date_in_name: "club_{yyyy-MM-dd}.csv"\n'
    shop = open_shop(spark, tmp_path, daily, files, **MAY)
    for day in order:
        shop.load_profiles(date(2024, 5, day))
    assert shop.customers("city", "postal_code", "marketing_consent", "updated_at") == {
        "ana": ("Beja", "8000", "false", "2024-05-05 23:00:00")
    }
    versions = shop.rows("silver/customer_history", "valid_from", "city", "marketing_consent")
    assert versions == [
        ("2024-05-01 23:00:00", "Faro", "false"),
        ("2024-05-03 23:00:00", "Beja", "false"),
    ]
