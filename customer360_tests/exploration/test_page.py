"""The page: whole in itself, with nothing that the data does not have."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from customer360.exploration import Exploration, charts_of, html_page, main_figures

RATES = ["split", "value", "customers", "repeated", "rate", "low", "high"]


@pytest.fixture
def found() -> Exploration:
    return Exploration(
        as_of=date(2025, 6, 30),
        period={"Customers": "2,000"},
        missing=pd.DataFrame({"table": ["t", "t"], "column": ["a", "b"], "share": [0.0, 0.25]}),
        order_values=pd.DataFrame({"from": [0.0, 5.0], "to": [5.0, 10.0], "orders": [3, 1]}),
        purchases=pd.DataFrame({"purchases": [1, 2], "customers": [1_500, 500]}),
        gaps=pd.DataFrame({"gap_days": [7, 30], "times": [90, 10]}),
        correlations=pd.DataFrame(np.eye(2), index=["T", "orders"], columns=["T", "orders"]),
        lorenz=pd.DataFrame({"customers": [0, 0.8, 1], "revenue": [0, 0.3, 1]}),
        top_shares={0.01: 0.1, 0.05: 0.3, 0.10: 0.5, 0.20: 0.7},
        gini=0.62,
        repeat_days=90,
        repeat_rates=pd.DataFrame(
            [("category", "<b>books</b>", 20, 5, 0.25, 0.13, 0.43)], columns=RATES
        ),
        cohorts=pd.DataFrame({"month": [date(2025, 5, 1)], "customers": [2_000]}),
    )


def test_the_page_needs_no_other_file(found: Exploration) -> None:
    page = html_page(found, charts_of(found, "EUR"), "shop")
    assert page.count("data:image/png;base64,") == 8
    assert not re.search(r'(src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "Exploration of shop, up to 2025-06-30" in page
    assert "25.0%" in page
    assert "13.0% to 43.0%" in page
    assert "Not known in this data: channel, state." in page


def test_what_the_data_says_is_shown_as_text(found: Exploration) -> None:
    page = html_page(found, {}, "shop")
    assert "<b>books" not in page
    assert "&lt;b&gt;books" in page


def test_main_figures_tell_how_concentrated_revenue_is(found: Exploration) -> None:
    figures = main_figures(found)
    assert figures["Revenue of the top 20% of customers"] == "70.0%"
    assert figures["Gini coefficient of revenue"] == "0.620"


def test_without_data_there_are_no_plots_but_a_page(found: Exploration) -> None:
    nothing = replace(
        found,
        missing=found.missing.iloc[:1],
        order_values=found.order_values.iloc[:0],
        purchases=found.purchases.iloc[:0],
        gaps=found.gaps.iloc[:0],
        correlations=found.correlations.iloc[:0, :0],
        top_shares={},
        repeat_rates=found.repeat_rates.iloc[:0],
        cohorts=found.cohorts.iloc[:0],
    )
    assert charts_of(nothing, "EUR") == {}
    assert "Not known in this data: category, channel, state." in html_page(nothing, {}, "x")
