"""Tables and CSV: rounded for the eye, whole in the file, by the rules of the language."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
import pytest

from customer360.dashboard.tables import as_csv, written
from customer360.language import Language

ROWS = pd.DataFrame(
    {
        "customer_key": ["0123456789ab" + "c" * 52, "f" * 64],
        "net_revenue": [1234.565, -0.001],
        "churn_probability": [0.12345, float("nan")],
        "orders": [1200, 3],
        "last_purchase_on": [date(2024, 3, 5), None],
        "published_at": pd.to_datetime([datetime(2024, 4, 1, 3, 30, tzinfo=UTC)] * 2),
        "segment": ["champions", "lost"],
    }
)


@pytest.mark.parametrize(
    ("language", "first", "second"),
    [
        (
            "en",
            ["0123456789ab", "1,234.57", "12.3%", "1,200", "5 Mar 2024", "1 Apr 2024 00:30",
             "Champions"],
            ["f" * 12, "0.00", "–", "3", "–", "1 Apr 2024 00:30", "Lost"],
        ),
        (
            "pt",
            ["0123456789ab", "1.234,57", "12,3%", "1.200", "05/03/2024", "01/04/2024 00:30",
             "Campeões"],
            ["f" * 12, "0,00", "–", "3", "–", "01/04/2024 00:30", "Perdidos"],
        ),
    ],
)  # fmt: skip
def test_a_table_is_written_as_the_language_does(language, first, second) -> None:
    t = Language(language, "BRL", "America/Sao_Paulo")
    drawn: Any = written(ROWS, t, {"segment": "segment"})
    cells = drawn._translate(False, False)["body"]
    shown = [[cell["display_value"] for cell in row if cell["type"] == "td"] for row in cells]
    assert shown == [first, second]
    # What it is sorted by are the values.
    assert list(drawn.data["net_revenue"]) == list(ROWS["net_revenue"])


def test_csv_is_read_by_the_spreadsheets_of_the_language() -> None:
    rows = ROWS[["customer_key", "net_revenue", "orders", "last_purchase_on", "segment"]]
    key = "0123456789ab" + "c" * 52
    assert as_csv(rows, Language("en")).decode("utf-8-sig").splitlines()[:2] == [
        "customer_key,net_revenue,orders,last_purchase_on,segment",
        f"{key},1234.565,1200,2024-03-05,champions",
    ]
    assert as_csv(rows, Language("pt")).decode("utf-8-sig").splitlines()[:2] == [
        "customer_key;net_revenue;orders;last_purchase_on;segment",
        f"{key};1234,565;1200;2024-03-05;champions",
    ]


@pytest.mark.parametrize(
    ("language", "lines"),
    [
        ("en", ["figure,value", '"-1,234.5",-1234.5', "-12,-12.0"]),
        ("pt", ["figure;value", "-1.234,5;-1234,5", "-12;-12,0"]),
    ],
)
def test_a_number_below_0_is_no_formula(language: str, lines: list[str]) -> None:
    """Neither as a number nor written out."""
    t = Language(language)
    values = [-1234.5, -12.0]
    rows = pd.DataFrame({"figure": [t.number(-1234.5, 1), t.number(-12)], "value": values})
    assert as_csv(rows, t).decode("utf-8-sig").splitlines() == lines


@pytest.mark.parametrize(
    "text", ["-1+2", "+1-2", "-A1", "-", "--1", "-1*2", "-1/2", "-(1)", "-1%A1"]
)
def test_what_counts_something_out_is_a_formula_with_any_sign(text: str) -> None:
    rows = pd.DataFrame({"name": [text]})
    assert as_csv(rows, Language("en")).decode("utf-8-sig").splitlines() == ["name", f"'{text}"]


def test_no_text_of_a_csv_is_a_formula() -> None:
    rows = pd.DataFrame({"name": ["=1+1", "Ana; Lia"], "value": [1.5, 2.0]})
    assert as_csv(rows, Language("pt")).decode("utf-8-sig").splitlines() == [
        "name;value",
        "'=1+1;1,5",
        '"Ana; Lia";2,0',
    ]
