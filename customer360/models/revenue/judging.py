"""Judging revenue models on rows of a later date, beside naive baselines on the same rows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.inspection import permutation_importance

from customer360.models.bootstrap import amount_intervals, interval_metrics
from customer360.models.comparison import AMOUNT_LOSSES, MODEL
from customer360.models.evaluation import (
    amount_metrics,
    decile_table,
    prefixed,
    probability_metrics,
    ranking_metrics,
)
from customer360.models.paired import Losses
from customer360.models.revenue.features import FEATURES
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.reasons import by_feature, in_currency
from customer360.models.revenue.rules import RULES, year_days_of
from customer360.models.sampling import every_nth
from customer360.models.windows import AsOfGrid

Floats = NDArray[np.float64]

NEW_CUSTOMER_DAYS = 90
"""Whoever bought first in so many days is new: for these the first order is most of what is known,
and the figures are given for them alone too."""

IMPORTANCE_ROWS = 10_000
IMPORTANCE_SHUFFLES = 3
SHAP_ROWS = 5_000
"""Test customers whose SHAP values are averaged for the plot: a thousand would do."""

DRAWN_ROWS = 20_000
"""Points of a scatter plot."""


def judged_metrics(
    model: RevenueModel,
    predicted: Floats,
    test: pd.DataFrame,
    others: Mapping[str, RevenueModel],
    champion: RevenueModel | None = None,
) -> dict[str, float]:
    """The model's figures on the test rows, and the others' on the same rows.

    Args:
        model: That is judged.
        predicted: Its expected revenue of the test rows.
        test: The test rows, with ``revenue`` and ``bought``.
        others: All candidates by kind: "mean", "linear" and the rules of thumb are baselines, of
            the rest those that were not chosen are ``candidate_<kind>_*``.
        champion: The model in use, for ``champion_*``; it must look as many days ahead.

    Returns:
        ``test_*``, with 90 % bootstrap bounds (``test_mae_low``, ``_high``) of the main ones;
        ``test_purchase_*`` of the purchase probability; ``baseline_mean_*``,
        ``baseline_linear_*``, ``baseline_past_average_*``, ``baseline_last_year_*``; of the new
        customers alone ``test_new_customers_*`` and ``baseline_<name>_new_customers_*``; and
        ``paired_<name>_*``, what the model loses more than each of the others.
    """
    if not len(test):
        return {}
    actual, bought = test["revenue"].to_numpy(dtype=float), test["bought"].to_numpy(dtype=int)
    new = test["T"].to_numpy(dtype=float) < NEW_CUSTOMER_DAYS
    probability = model.purchase_probability(test)
    metrics = prefixed(
        "test",
        {
            **amount_metrics(predicted, actual),
            **interval_metrics(amount_intervals(predicted, actual)),
            "rows": float(len(test)),
            "buyers": float(bought.sum()),
            "mean_revenue": float(actual.mean()),
            "new_customers": float(new.sum()),
        },
    )
    metrics |= prefixed(
        "test_purchase",
        {**ranking_metrics(bought, probability), **probability_metrics(bought, probability)},
    )
    metrics |= prefixed("test_new_customers", amount_metrics(predicted[new], actual[new]))
    days = year_days_of(test)
    rivals = {name: rule(test, model.horizon_days, days) for name, rule in RULES.items()} | {
        name: predicted if name == model.kind else other.at(days).predict(test)
        for name, other in others.items()
    }
    baselines = (*RULES, "mean", "linear")
    for name, amounts in rivals.items():
        if name in baselines:
            metrics |= prefixed(f"baseline_{name}", amount_metrics(amounts, actual))
            metrics |= prefixed(
                f"baseline_{name}_new_customers", amount_metrics(amounts[new], actual[new])
            )
        elif name != model.kind:
            metrics |= prefixed(f"candidate_{name}", amount_metrics(amounts, actual))
    judged = {name: amounts for name, amounts in rivals.items() if name != model.kind}
    metrics |= Losses.of(judged | {MODEL: predicted}, actual, AMOUNT_LOSSES).metrics(MODEL)
    if champion is not None:
        metrics |= prefixed("champion", amount_metrics(champion.at(days).predict(test), actual))
    return metrics


class _Fitted:
    """A fitted model as `permutation_importance` wants one."""

    def __init__(self, model: RevenueModel) -> None:
        self.model = model

    def fit(self, *_: Any) -> _Fitted:
        return self


def _negative_rmse(fitted: _Fitted, rows: pd.DataFrame, actual: ArrayLike) -> float:
    return -float(np.sqrt(np.mean((fitted.model.predict(rows) - np.asarray(actual)) ** 2)))


def importance(
    model: RevenueModel, test: pd.DataFrame, seed: int = 0
) -> tuple[dict[str, float], dict[str, float]]:
    """Rise of the RMSE when a feature is shuffled among the test customers.

    Source: Breiman 2001, "Random Forests", Machine Learning 45, section 10.

    Args:
        model: The judged one.
        test: Test rows; at most `IMPORTANCE_ROWS` of them are taken.
        seed: For the shuffles.

    Returns:
        Mean rise in currency and its standard deviation over the shuffles, by feature; both
        empty when the model looks at no feature.
    """
    if not model.looks or not len(test):
        return {}, {}
    some = every_nth(test, IMPORTANCE_ROWS)
    scorer: Callable[..., float] = _negative_rmse
    result = permutation_importance(
        _Fitted(model),
        some[list(FEATURES)],
        some["revenue"],
        scoring=scorer,
        n_repeats=IMPORTANCE_SHUFFLES,
        random_state=seed,
    )
    means, errors = result["importances_mean"].tolist(), result["importances_std"].tolist()
    return dict(zip(FEATURES, means, strict=True)), dict(zip(FEATURES, errors, strict=True))


def mean_contributions(model: RevenueModel, rows: pd.DataFrame) -> dict[str, float]:
    """Mean |SHAP value| by feature: see `reasons.by_feature`."""
    means = np.abs(by_feature(model, rows)).mean(axis=0)
    return dict(zip(FEATURES, means.tolist(), strict=True))


def pictures(
    model: RevenueModel,
    predicted: Floats,
    test: pd.DataFrame,
    grid: AsOfGrid,
    shuffled: tuple[Mapping[str, float], Mapping[str, float]],
) -> dict[str, bytes]:
    """Plots of the model on the test rows, as PNG images by name."""
    from customer360.models import plots  # Altair is not for the workers that score
    from customer360.plotting import png

    if not len(test):
        return {}
    subtitle = f"{len(test):,} customers on {grid.test}, the {model.horizon_days} days after"
    table = decile_table(predicted, test["revenue"])
    some = pd.DataFrame({"expected": predicted, "actual": test["revenue"].to_numpy()})
    some = every_nth(some, DRAWN_ROWS)
    drawn = {
        "revenue_by_decile": plots.revenue_by_decile(table, model.horizon_days),
        "predicted_and_actual": plots.predicted_and_actual(
            some["expected"], some["actual"], subtitle
        ),
    }
    if model.looks:
        rows = every_nth(test, SHAP_ROWS)
        drawn["shap_importance"] = plots.shap_importance(
            mean_contributions(model, rows),
            len(rows),
            moved="the expected revenue",
            scale="currency" if in_currency(model) else "log of expected revenue",
        )
        drawn["permutation_importance"] = plots.permutation_importance(
            *shuffled, len(every_nth(test, IMPORTANCE_ROWS))
        )
    return {name: png(chart) for name, chart in drawn.items()}
