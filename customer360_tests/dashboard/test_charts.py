"""Charts as they are drawn: what stands on an axis of amounts."""

from __future__ import annotations

import io
import re
from datetime import date

import pandas as pd
import pytest

from customer360.dashboard.charts import configured
from customer360.language import Language
from customer360.plotting import bars_over_time


@pytest.mark.parametrize(
    ("language", "largest", "labels", "card"),
    [
        ("en", 2.5e9, ["0", "0.5B", "1B", "1.5B", "2B", "2.5B"], "$2.5B"),
        ("pt", 2.5e9, ["0", "0,5 bi", "1 bi", "1,5 bi", "2 bi", "2,5 bi"], "US$ 2,5 bi"),
        ("en", 25e3, ["0", "5K", "10K", "15K", "20K", "25K"], "$25K"),
        ("pt", 25e3, ["0", "5 mil", "10 mil", "15 mil", "20 mil", "25 mil"], "US$ 25 mil"),
        ("pt", 50, ["0", "10", "20", "30", "40", "50"], "US$ 50,00"),
    ],
)
def test_an_axis_writes_amounts_as_the_cards_do(
    language: str, largest: float, labels: list[str], card: str
) -> None:
    t = Language(language)
    rows = pd.DataFrame({"month": [date(2024, 1, 1)], "revenue": [largest]})
    chart = bars_over_time(rows, "month", "revenue", x="x", y="y", months=True, short=t.short_forms)
    with io.StringIO() as drawn:
        configured(chart, t).save(drawn, format="svg")
        texts = re.findall(r"<text[^>]*>([^<]*)</text>", drawn.getvalue())
    written = [_plain(text) for text in texts]
    assert [text for text in written if text in labels] == labels
    assert _plain(t.short_money(largest)) == card


def _plain(text: str) -> str:
    return text.replace("\xa0", " ")
