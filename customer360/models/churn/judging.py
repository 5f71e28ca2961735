"""Judging a churn model on rows of a later date, beside naive baselines on the same rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from customer360.models.bootstrap import bootstrap_intervals, interval_metrics
from customer360.models.churn.features import design_matrix
from customer360.models.churn.model import ChurnModel, Floats
from customer360.models.churn.reasons import mean_contributions
from customer360.models.comparison import MODEL, PROBABILITY_LOSSES
from customer360.models.evaluation import (
    prefixed,
    probability_metrics,
    ranking_metrics,
    rule_metrics,
)
from customer360.models.paired import Losses
from customer360.models.profit import ProfitCurve
from customer360.models.sampling import every_nth
from customer360.models.windows import AsOfGrid

CANDIDATES = ("xgboost", "blend")
"""Kinds that are no baselines: a model of them is judged beside the others, or is the model."""

SHAP_ROWS = 5_000
"""Test customers whose SHAP values are averaged for the plot: a thousand would do."""


def judged_metrics(
    model: ChurnModel,
    predicted: Floats,
    test: pd.DataFrame,
    others: Mapping[str, Floats] | None = None,
    champion: ChurnModel | None = None,
) -> dict[str, float]:
    """The model's figures on the test rows, and the baselines' on the same rows.

    The model's have 90 % bootstrap intervals beside them: ``test_roc_auc_low`` and ``_high``.

    Args:
        model: With the base rate and the hiatus rule, which are baselines too.
        predicted: Its churn probabilities of the test rows.
        test: The test rows, with ``churned``.
        others: Probabilities of further baselines by name.
        champion: The model in use, for ``champion_*`` on the same rows; it must mean the same
            by churn.
    """
    if not len(test):
        return {}
    y, silence = test["churned"].to_numpy(), test["days_since_last_purchase"].to_numpy()
    constant = np.full(len(y), model.base_rate)
    metrics = prefixed(
        "test",
        {
            **ranking_metrics(y, predicted),
            **probability_metrics(y, predicted),
            **rule_metrics(y, predicted >= 0.5),
            **interval_metrics(bootstrap_intervals(y, predicted)),
            "rows": float(len(y)),
            "churn_rate": float(y.mean()),
        },
    )
    metrics |= prefixed("baseline_base_rate", probability_metrics(y, constant))
    metrics |= prefixed("baseline_recency_ranking", ranking_metrics(y, silence))
    if model.hiatus:
        by_rule = model.hiatus.probabilities(silence)
        metrics |= prefixed(
            "baseline_hiatus_rule",
            {
                **ranking_metrics(y, by_rule),
                **probability_metrics(y, by_rule),
                **rule_metrics(y, model.hiatus.flags(silence)),
            },
        )
    for name, probabilities in (others or {}).items():
        if name in CANDIDATES and name == model.kind:
            continue
        whose = "candidate" if name in CANDIDATES else "baseline"
        metrics |= prefixed(
            f"{whose}_{name}",
            {**ranking_metrics(y, probabilities), **probability_metrics(y, probabilities)},
        )
    metrics |= _paired(model, predicted, test, others or {})
    if champion is not None:
        scores = champion.probabilities(test)
        metrics |= prefixed(
            "champion", {**ranking_metrics(y, scores), **probability_metrics(y, scores)}
        )
    return metrics


def _paired(
    model: ChurnModel, predicted: Floats, test: pd.DataFrame, others: Mapping[str, Floats]
) -> dict[str, float]:
    """How the model differs from each of the others, customer by customer: see `Losses.metrics`."""
    silence = test["days_since_last_purchase"].to_numpy()
    rules = {"base_rate": np.full(len(test), model.base_rate)}
    if model.hiatus:
        rules["hiatus_rule"] = model.hiatus.probabilities(silence)
    probable = {name: p for name, p in (rules | dict(others)).items() if name != model.kind}
    ranked = {MODEL: predicted, "recency_ranking": silence}
    came = test["churned"]
    return Losses.of({MODEL: predicted} | probable, came, PROBABILITY_LOSSES).metrics(
        MODEL
    ) | Losses.of(ranked, came, ["roc_auc"]).metrics(MODEL)


def pictures(
    model: ChurnModel,
    predicted: Floats,
    test: pd.DataFrame,
    table: pd.DataFrame,
    importance: Mapping[str, float],
    grid: AsOfGrid,
    others: Mapping[str, Floats] | None = None,
    curve: ProfitCurve | None = None,
) -> dict[str, bytes]:
    """Plots of the model on the test rows, as PNG images by name."""
    from customer360.models import plots  # Altair is not for the workers that score
    from customer360.plotting import AnyChart, png

    drawn: dict[str, AnyChart] = {}
    subtitle = f"{len(test):,} active customers on {grid.test}, the {model.horizon_days} days after"
    if len(table):
        drawn["calibration"] = plots.calibration(table, subtitle)
    if len(test) and 0 < test["churned"].sum() < len(test):
        silence = test["days_since_last_purchase"]
        curves: dict[str, Any] = {"Model": predicted, "Baseline: longest silence first": silence}
        if model.hiatus:
            name = f"Baseline: silent over {model.hiatus.threshold_days} days"
            curves[name] = model.hiatus.flags(silence)
        for name, probabilities in (others or {}).items():
            curves[f"Baseline: {name.replace('_', ' ')}"] = probabilities
        drawn["gains"] = plots.gains(test["churned"], curves, subtitle)
    if model.learnt and len(test):
        some = design_matrix(every_nth(test, SHAP_ROWS), model.categories)
        means = mean_contributions(model.contributions(some), some)
        drawn["shap_importance"] = plots.shap_importance(means, len(some))
    if curve is not None:
        drawn["profit"] = plots.profit(curve.table, curve.best_share, subtitle)
    if importance:
        drawn["feature_importance"] = plots.feature_importance(importance)
    return {name: png(chart) for name, chart in drawn.items()}
