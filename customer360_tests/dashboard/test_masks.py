"""What those who may not see personal data see of them, and what a CSV file may hold."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.contracts import Contract
from customer360.dashboard.markdown import plain
from customer360.dashboard.masks import masked
from customer360.dashboard.tables import as_csv
from customer360.language import Language

PERSON = pd.DataFrame(
    [
        {
            "name": "Ana Maria Souza",
            "email": "ana.souza@shop.example.com",
            "phone": "+5511999990042",
            "tax_id": "12345678901",
            "birth_date": "1980-02-03",
            "city": "Santos",
        }
    ]
)


def test_personal_data_are_masked_and_nothing_else() -> None:
    assert masked(PERSON, allowed=False).iloc[0].to_dict() == {
        "name": "A••• M••• S•••",
        "email": "a•••@•••.com",
        "phone": "•••42",
        "tax_id": "•••",
        "birth_date": "•••",
        "city": "Santos",
    }
    assert masked(PERSON, allowed=True) is PERSON


def test_whatever_is_published_is_masked() -> None:
    personal = Contract.load("silver/customers").personal_columns
    shown = masked(pd.DataFrame({name: ["Something"] for name in personal}), allowed=False)
    assert len(personal) > 5
    assert "Something" not in shown.iloc[0].tolist()


def test_missing_columns_and_values_do_no_harm() -> None:
    assert masked(pd.DataFrame({"city": ["X"]}), allowed=False)["city"].iat[0] == "X"
    empty = masked(pd.DataFrame({"name": [None], "email": [""]}), allowed=False)
    assert empty["name"].iat[0] is None


@given(st.text(min_size=3), st.sampled_from(Contract.load("silver/customers").personal_columns))
def test_no_mask_gives_the_value_away(value: str, column: str) -> None:
    shown = str(masked(pd.DataFrame({column: [value]}), allowed=False)[column].iat[0])
    assert value.strip() not in shown or not value.strip() or len(value.strip()) < 3


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\tx", "\rx"])
def test_no_text_of_a_csv_is_a_formula(text: str) -> None:
    read = as_csv(pd.DataFrame({"a": [text], "n": [-1.5]}), Language("en")).decode("utf-8-sig")
    assert f"'{text[0]}" in read
    assert "-1.5" in read  # a number stays one


def test_a_phone_number_of_a_csv_can_be_dialled() -> None:
    read = as_csv(pd.DataFrame({"phone": ["+5511987654321"]}), Language("en")).decode("utf-8-sig")
    assert read == "phone\n+5511987654321\n"


def test_csv_keeps_letters_and_precision() -> None:
    rows = pd.DataFrame({"cidade": ["São Paulo"], "x": [0.1234567890123]})
    assert (
        as_csv(rows, Language("en")).decode("utf-8-sig") == "cidade,x\nSão Paulo,0.1234567890123\n"
    )


def test_text_of_the_data_is_never_markdown() -> None:
    assert plain("[x](y) *b* $1$ 1. a") == r"\[x\]\(y\) \*b\* \$1\$ 1\. a"


@pytest.mark.parametrize(
    ("text", "broken_up"),
    [
        ("www.evil.com", r"www|\.evil\.com"),
        ("Https://evil.com", r"Https|\://evil\.com"),
        ("a@b.c", r"a|@b\.c"),
        (":smile:", r"\:|smile\:"),
        ("12: wwwx", r"12\: wwwx"),
    ],
)
def test_text_of_the_data_is_never_a_link_or_an_emoji(text: str, broken_up: str) -> None:
    """Streamlit makes them of text without regard to backslashes; ``|`` is a word joiner here."""
    assert plain(text) == broken_up.replace("|", "\u2060")
