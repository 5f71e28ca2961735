"""Templates say what their fields hold, and read it back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.sentences import Sentences, Template

SENTENCES = Sentences(
    {
        "paid": "paid {amount:.2f} by {means}, {fee:%} of it fee",
        "paid_somehow": "paid {amount:.2f} by unknown means, {fee:%} of it fee",
        "waited": "waited {days:day|days} (100 % of {whole:d})",
        "nothing": "said nothing",
    }
)


@pytest.mark.parametrize(
    ("text", "values", "said"),
    [
        ("{n:day|days}", {"n": [0, 1, 1.4, 1.5, -1, np.nan]},
         ["0 days", "1 day", "1 day", "2 days", "-1 days", "0 days"]),
        ("{n:d}!", {"n": [1234567.4, -2.5, None]}, ["1234567!", "-2!", "0!"]),
        ("{x:.2f}", {"x": [0.005, 1234.5, -3]}, ["0.01", "1234.50", "-3.00"]),
        ("a {s:%} b", {"s": [0.215, 1, 0]}, ["a 22 % b", "a 100 % b", "a 0 % b"]),
        ("by {t}", {"t": ["web", "50 %d {x}", ""]}, ["by web", "by 50 %d {x}", "by "]),
    ],
)  # fmt: skip
def test_each_kind_of_field(text: str, values: dict[str, list[object]], said: list[str]) -> None:
    rows = len(next(iter(values.values())))
    assert Template(text).said(values, rows).tolist() == said


def test_the_first_case_that_holds_is_said() -> None:
    days = np.array([1, 2, 3, 4])
    said = SENTENCES.say({"nothing": days < 2, "waited": days < 4, "paid_somehow": True},
                         days=days, whole=days, amount=days, fee=days)  # fmt: skip
    assert said.tolist() == [
        "said nothing",
        "waited 2 days (100 % of 2)",
        "waited 3 days (100 % of 3)",
        "paid 4.00 by unknown means, 400 % of it fee",
    ]
    assert SENTENCES.say({"waited": True}, days=days[:0], whole=days[:0]).tolist() == []


def test_the_template_with_more_words_of_its_own_reads() -> None:
    assert SENTENCES.read("paid 2.00 by unknown means, 10 % of it fee") == (
        "paid_somehow",
        {"amount": 2.0, "fee": 0.1},
    )
    assert SENTENCES.read("said nothing") == ("nothing", {})
    assert SENTENCES.read("waited 1 day") is None
    assert SENTENCES.read("said nothing, and more") is None


@given(
    amount=st.decimals(-(10**9), 10**9, places=2),
    means=st.text().filter(lambda text: text != "unknown means"),
    fee=st.integers(-100, 1_000),
)
def test_what_was_said_is_read(amount: float, means: str, fee: int) -> None:
    said = SENTENCES.say({"paid": True}, amount=[amount], means=[means], fee=[fee / 100])
    name, values = SENTENCES.read(said[0]) or ("", {})
    assert name == "paid"
    assert values == {"amount": float(amount), "means": means, "fee": fee / 100}
