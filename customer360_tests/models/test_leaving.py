"""Who has left: overdue in the own rhythm, gone by who came back, and risk by both."""

from __future__ import annotations

from dataclasses import asdict
from datetime import date

import numpy as np
import pandas as pd
import pytest
from pyspark.sql import SparkSession

from customer360.gold.customer_features import customer_features
from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.leaving import (
    Leaving,
    Returns,
    as_metrics,
    better,
    fit_leaving,
    from_metrics,
    gone,
    has_left,
    rate_if_kept,
    returns_by_risk,
    risk_of,
    shown_by,
    survived_silence,
    tell,
    usual_gap,
)
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LEAVING_FIGURES, LifetimeValueModel
from customer360.models.lifetime_value.validation import holdout_rows, outcome_cells
from customer360_tests.gold.frames import bought, customer_days

CDNOW = BgNbd(0.243, 4.414, 0.793, 2.426)
"""BG/NBD of CDNOW, in weeks: Fader, Hardie and Lee 2005, table 2."""


def cells(*rows: tuple[int, int, int, int, int]) -> pd.DataFrame:
    """Rows of frequency, recency, T, customers and buyers."""
    return pd.DataFrame(rows, columns=["frequency", "recency", "T", "customers", "buyers"])


def shop(seed: int, *, leaves: bool, people: int = 40_000) -> Returns:
    """Customers who buy every ten days or so for 200 days, of whom half have left on day 100.

    They are told by a model that knows of the gaps and takes nobody for gone.
    """
    draw = np.random.default_rng(seed)
    rate = draw.gamma(3.0, 1 / 30.0, people)
    ends = np.where(leaves & (draw.random(people) < 0.5), 100, 400)
    days = np.cumsum(draw.exponential(1 / rate[:, None], (people, 120)), axis=1)
    days = np.where(days < ends[:, None], days, np.nan)
    before = days <= 200
    frame = pd.DataFrame(
        {
            "frequency": before.sum(axis=1),
            "recency": np.nan_to_num(np.nanmax(np.where(before, days, 0.0), axis=1)).astype(int),
            "T": 200,
            "buyers": ((days > 200) & (days <= 260)).any(axis=1),
        }
    )
    counted = frame.groupby(["frequency", "recency", "T"])["buyers"].agg(["size", "sum"])
    counted = counted.rename(columns={"size": "customers", "sum": "buyers"}).reset_index()
    # Nobody leaves: a is next to nothing.
    return Returns(counted, BgNbd(3.0, 30.0, 1e-6, 1.0), 1, 60)


def test_silence_is_compared_with_the_own_gaps() -> None:
    """Two gaps in 20 days, of everybody's rate Gamma(1, 10): the next is longer than 30 days with
    probability ((10 + 20) / (10 + 20 + 30)) ^ (1 + 2) = 1/8; the usual gap is (10 + 20) / 3."""
    model = BgNbd(1.0, 10.0, 0.5, 2.0)
    assert survived_silence(model, [2], [20], [50])[0] == pytest.approx(1 / 8)
    assert survived_silence(model, [2], [20], [20])[0] == 1
    assert usual_gap(model, [2, 0], [20, 0]).tolist() == [10, 10]
    assert rate_if_kept(model, [2], [50])[0] == pytest.approx(3 / 60)


@pytest.mark.parametrize("model", [CDNOW, MbgNbd(0.5, 6, 0.9, 1.6), ParetoNbd(0.55, 10.6, 0.6, 11)])
def test_without_returns_the_purchase_model_has_the_word(
    model: BgNbd | MbgNbd | ParetoNbd,
) -> None:
    """P(no purchase in a year) is 1 - P(alive) P(at least one in a year | alive)."""
    history = ([0, 2, 10], [0.0, 30.0, 38.0], [38.0, 38.0, 39.0])
    assert gone(None, model, *history) == pytest.approx(1 - model.probability_alive(*history))
    year = model.survival_if_alive(1, 365 / 7, history[0], history[2])
    left = has_left(None, model, 7, *history)
    assert left == pytest.approx(1 - model.probability_alive(*history) * year)
    # However people leave, who buys often and lately has not left.
    assert left[2] < 0.1 < 0.5 < left[0]


def test_who_is_gone_is_learnt_from_who_came_back() -> None:
    """Of customers silent since day 100 half have left; the fitted line says so, with the truth of
    60 days later, while the purchase model takes them for alive."""
    earlier, later = shop(1, leaves=True), shop(2, leaves=True)
    fitted = fit_leaving(earlier)
    assert fitted is not None
    assert better(later, fitted)
    expected = later.comes_back(later.gone(fitted)) @ later.cells["customers"]
    assert expected == pytest.approx(later.cells["buyers"].sum(), rel=0.03)
    own = later.comes_back(later.gone(None)) @ later.cells["customers"]
    assert own > 1.5 * later.cells["buyers"].sum()
    silent = later.cells["T"] - later.cells["recency"] > 95
    assert later.gone(fitted)[silent].mean() > 0.9
    assert (
        later.gone(fitted)[~silent & (later.cells["T"] - later.cells["recency"] < 20)].max() < 0.2
    )


def test_where_nobody_leaves_the_purchase_model_stays() -> None:
    earlier, later = shop(3, leaves=False), shop(4, leaves=False)
    told = tell(earlier, later)
    assert told.judged is None
    assert told.published is None
    assert "candidate_purchase_model_returned_brier" not in told.metrics


def test_what_tells_better_is_judged_before_it_is_published() -> None:
    earlier, later = shop(1, leaves=True), shop(2, leaves=True)
    told = tell(earlier, later)
    assert told.judged == fit_leaving(earlier)
    assert told.published == fit_leaving(later) != told.judged
    metrics = told.metrics
    assert metrics["returned_brier"] < metrics["candidate_purchase_model_returned_brier"]
    assert metrics["returned_log_loss"] < metrics["candidate_purchase_model_returned_log_loss"]


@pytest.mark.parametrize("buyers", [0, 5])
def test_nothing_is_learnt_where_nobody_or_everybody_comes_back(buyers: int) -> None:
    assert fit_leaving(Returns(cells((1, 10, 20, 5, buyers)), CDNOW, 7, 90)) is None


def test_a_history_too_short_for_an_earlier_day_takes_the_purchase_models_word() -> None:
    later = Returns(cells((1, 10, 20, 5, 2), (0, 0, 20, 5, 1)), CDNOW, 7, 90)
    assert tell(None, later).published is None


def test_risk_is_high_where_a_customer_has_rather_left_than_not() -> None:
    assert risk_of([0.0, 0.249, 0.25, 0.499, 0.5, 1.0]).tolist() == [2, 2, 1, 1, 0, 0]


def test_returns_by_risk_beside_customers_alike() -> None:
    """Each cell's own figures, counted by hand: nobody gone, and 1 in e^0 … buys within a year."""
    model = BgNbd(1.0, 365.0, 1e-9, 1.0)
    # P(buys in a year | alive) of x, T: 1 - ((365 + T) / (365 + T + 365)) ^ (1 + x).
    returns = Returns(
        cells((0, 0, 0, 10, 4), (0, 0, 365, 10, 1), (9, 300, 365, 5, 5)), model, 1, 365
    )
    once = [0.5, 730 / 1095]
    regular = (730 / 1095) ** 10
    found = returns_by_risk(returns, None)
    assert found[["who", "risk", "customers"]].values.tolist() == [
        ["once", "high", 20],
        ["regular", "low", 5],
    ]
    assert found["has_left"].tolist() == pytest.approx([sum(once) / 2, regular], abs=1e-6)
    assert found["expected"].tolist() == pytest.approx([1 - sum(once) / 2, 1 - regular], abs=1e-6)
    assert found["returned"].tolist() == [0.25, 1.0]
    pd.testing.assert_frame_equal(from_metrics(as_metrics(found)), found, check_dtype=False)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        # 20 % of 200 against 50 % of 300.
        (
            [("once", "high", 200, 0.2), ("once", "medium", 100, 0.4), ("once", "low", 200, 0.55)],
            (1, 1),
        ),
        # 2 % less of 100 is chance.
        ([("once", "high", 100, 0.48), ("once", "low", 100, 0.5)], (0, 1)),
        ([("once", "high", 100, 0.9), ("once", "low", 100, 0.5)], (0, 1)),
        ([("once", "high", 100, 0.1), ("twice", "low", 100, 0.5)], (0, 0)),
        ([("once", "high", 100, 0.0), ("once", "low", 100, 0.0)], (0, 1)),
        (
            [
                ("once", "high", 900, 0.1),
                ("once", "low", 90, 0.5),
                ("regular", "high", 4, 0.0),
                ("regular", "low", 4, 0.25),
            ],
            (1, 2),
        ),
    ],
)
def test_what_a_table_of_returns_shows(
    rows: list[tuple[str, str, int, float]], said: tuple[int, int]
) -> None:
    table = pd.DataFrame(rows, columns=["who", "risk", "customers", "returned"])
    assert shown_by(table) == said


def test_histories_are_counted_with_who_bought_in_the_days_after(spark: SparkSession) -> None:
    days = customer_days(
        spark,
        [
            bought("back", "2024-01-01", 5),
            bought("back", "2024-01-11", 5),
            bought("back", "2024-02-05", 5),
            bought("back", "2024-02-06", 5),
            bought("late", "2024-01-01", 5),
            bought("late", "2024-01-11", 5),
            bought("late", "2024-03-01", 5),
            bought("once", "2024-01-21", 5),
            bought("new", "2024-02-02", 5),
        ],
    )
    as_of = date(2024, 1, 31)
    found = outcome_cells(holdout_rows(customer_features(days, [as_of]), days, as_of, 10))
    columns = ["frequency", "recency", "T", "customers", "purchases", "buyers"]
    assert found[columns].values.tolist() == [[0, 0, 10, 1, 0, 0], [1, 10, 30, 2, 2, 1]]


def test_scores_hold_what_is_known_of_leaving() -> None:
    leaving = Leaving(0.5, 0.4, -1.0, -0.3)
    model = LifetimeValueModel(7, CDNOW, None, 20.0, leaving=leaving)
    features = pd.DataFrame(
        {"frequency": [2, 0], "recency": [210, 0], "T": [270, 270], "monetary_value": [30.0, 0.0]}
    )
    found = model.predict(features)
    weeks = ([2, 0], [30.0, 0.0], [270 / 7, 270 / 7])
    assert found["has_left"].tolist() == pytest.approx(has_left(leaving, CDNOW, 7, *weeks))
    assert found["overdue"].tolist() == pytest.approx(1 - survived_silence(CDNOW, *weeks))
    assert found["expected_gap_days"].tolist() == pytest.approx(
        [(4.414 + 30) / 2.243 * 7, 4.414 / 0.243 * 7]
    )
    # 365 days at the rate of who is alive, at 30 and at everybody's 20 a purchase.
    rates = [2.243 / (4.414 + 270 / 7), 0.243 / (4.414 + 270 / 7)]
    assert found["revenue_if_kept_365d"].tolist() == pytest.approx(
        [rates[0] * 365 / 7 * 30, rates[1] * 365 / 7 * 20]
    )
    # What comes is of who is not gone, by the fitted line, at what the living bring in a year.
    alive = LifetimeValueModel(7, CDNOW, None, 20.0).predict(features)
    brings = alive["expected_revenue_365d"] / alive["probability_alive"]
    comes = (1 - gone(leaving, CDNOW, *weeks)) * brings
    lost = found["revenue_if_kept_365d"] * found["leaving_share_365d"]
    assert lost.tolist() == pytest.approx((found["revenue_if_kept_365d"] - comes).tolist())
    assert LifetimeValueModel.from_json(model.to_json()) == model
    assert asdict(leaving)["once"] == -0.3


def test_by_the_purchase_model_alone_the_loss_is_what_a_kept_customer_brings_more() -> None:
    features = pd.DataFrame(
        {"frequency": [2, 9], "recency": [210, 60], "T": [270, 270], "monetary_value": [30.0, 5.0]}
    )
    found = LifetimeValueModel(7, CDNOW, None, 20.0).predict(features)
    lost = found["revenue_if_kept_365d"] * found["leaving_share_365d"]
    more = found["revenue_if_kept_365d"] - found["expected_revenue_365d"]
    assert lost.tolist() == pytest.approx(more.tolist())
    # Nine purchases in 60 days, then silent for 210: as good as gone.
    assert found["leaving_share_365d"][1] > 0.99 > found["leaving_share_365d"][0]


def test_the_fallback_knows_nothing_of_leaving() -> None:
    found = LifetimeValueModel(7, None, None, 20.0).predict(
        pd.DataFrame({"frequency": [1], "recency": [3], "T": [9], "monetary_value": [3.0]})
    )
    assert found[list(LEAVING_FIGURES)].isna().all(axis=None)
