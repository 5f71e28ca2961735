"""Whether a prediction is better than another is judged on the same customers."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from customer360.models.comparison import AMOUNT_LOSSES, PROBABILITY_LOSSES
from customer360.models.evaluation import normalized_gini
from customer360.models.paired import Losses


def test_losses_are_the_figures_themselves() -> None:
    """By hand, and by scikit-learn: the first row is of the customers as they are."""
    came = np.array([0.0, 10.0, 0.0, 30.0])
    expected = np.array([0.0, 20.0, 10.0, 30.0])
    losses = Losses.of({"one": expected}, came, AMOUNT_LOSSES, resamples=3).by_figure
    assert losses["mae"]["one"][0] == 5.0
    assert losses["rmse"]["one"][0] == pytest.approx(np.sqrt(200 / 4))
    assert losses["normalized_gini"]["one"][0] == pytest.approx(-normalized_gini(expected, came))
    random = np.random.default_rng(1)
    labels, scores = random.integers(0, 2, 300), random.integers(0, 40, 300) / 40
    losses = Losses.of({"p": scores}, labels, PROBABILITY_LOSSES, resamples=1).by_figure
    assert losses["roc_auc"]["p"][0] == pytest.approx(-roc_auc_score(labels, scores))
    assert losses["brier"]["p"][0] == pytest.approx(np.mean((scores - labels) ** 2))


def test_a_resample_is_of_the_same_customers_for_all() -> None:
    """One who always says 1 more than another loses exactly 1 more, in every resample."""
    came = np.random.default_rng(0).gamma(1, 50, 400)
    close, off = came + 1, came + 2
    losses = Losses.of({"close": close, "off": off}, came, ["mae"])
    found = losses.difference("mae", "off", "close")
    assert (found.value, found.low, found.high) == pytest.approx((1.0, 1.0, 1.0))
    assert losses.worse("off", "close") == ("mae",)
    assert losses.worse("close", "off") == ()


def test_who_says_the_same_of_everybody_orders_nobody() -> None:
    came = np.array([0.0, 1.0, 1.0, 0.0])
    amounts = Losses.of({"flat": np.full(4, 0.3)}, came * 20, ["normalized_gini"], resamples=2)
    assert amounts.by_figure["normalized_gini"]["flat"].abs().max() < 1e-12
    ranking = Losses.of({"flat": np.full(4, 0.3)}, came, ["roc_auc"], resamples=2)
    assert ranking.by_figure["roc_auc"]["flat"].tolist() == [-0.5, -0.5, -0.5]


@pytest.mark.filterwarnings("error")
def test_a_resample_in_which_nobody_spent_ranks_nobody_better() -> None:
    """One in six spent: a third of the resamples, (5/6)^6, has none of them."""
    came = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 70.0])
    losses = Losses.of(
        {"mean": np.full(6, 10.0), "right": came}, came, ["normalized_gini"], resamples=50
    ).by_figure["normalized_gini"]
    assert losses.notna().all().all()
    assert sorted(losses["right"].round(9).unique()) == [-1.0, 0.0]


def test_the_simplest_within_noise_is_chosen() -> None:
    """The same error drawn twice is noise; a tenth of it is not."""
    random = np.random.default_rng(5)
    came = random.gamma(2, 30, 2_000)
    noise = {name: random.normal(0, 20, 2_000) for name in ("simple", "rich")}
    predictions = {
        "mean": np.full(2_000, came.mean()),
        "simple": came + noise["simple"],
        "rich": came + noise["rich"] * 0.99,
        "perfect": came + noise["simple"] / 10,
    }
    losses = Losses.of(predictions, came, AMOUNT_LOSSES)
    assert losses.choice(["mean", "simple", "rich", "perfect"]) == "perfect"
    without = {name: predictions[name] for name in ("mean", "simple", "rich")}
    assert Losses.of(without, came, AMOUNT_LOSSES).choice(["mean", "simple", "rich"]) == "simple"


def test_where_each_is_worse_than_somebody_the_least_regret_counts() -> None:
    """One is best in order and far off in level, the other nearly best in both."""
    random = np.random.default_rng(6)
    came = random.gamma(2, 30, 3_000)
    predictions = {
        "order": came * 10,
        "level": came + random.normal(0, 5, 3_000),
    }
    losses = Losses.of(predictions, came, AMOUNT_LOSSES)
    assert "mae" in losses.worse("order", "level")
    assert losses.worse("level", "order") == ("normalized_gini",)
    assert losses.choice(["order", "level"]) == "level"


def test_two_ways_to_the_same_prediction_do_not_differ() -> None:
    random = np.random.default_rng(9)
    came, rate = random.gamma(2, 30, 500), random.gamma(2, 30, 500)
    losses = Losses.of({"a_day": rate / 187 * 187, "whole": rate}, came, AMOUNT_LOSSES)
    for figure in ("mae", "rmse"):
        interval = losses.difference(figure, "a_day", "whole")
        assert (interval.value, interval.low, interval.high) == (0, 0, 0), figure


def test_differences_are_logged_with_their_intervals() -> None:
    came = np.random.default_rng(2).gamma(2, 30, 500)
    losses = Losses.of({"model": came + 2, "past_average": came + 3}, came, ["mae"])
    assert losses.metrics("model") == pytest.approx(
        {
            "paired_past_average_mae": -1.0,
            "paired_past_average_mae_low": -1.0,
            "paired_past_average_mae_high": -1.0,
        }
    )
