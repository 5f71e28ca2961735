"""``python -m benchmarks.purchase_features HOME …``: do figures of a purchase model help others?

The probability of being alive, and purchases and revenue expected in the horizon, are given to a
line and to trees as features beside all others. The purchase model is fitted on the earliest of the
days that are learnt from, so nothing of later days is in it. Each is judged on the newest horizon
with and without them, by the same resamples.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
import xgboost as xgb
from rich.console import Console
from rich.table import Table
from sklearn.impute import SimpleImputer
from sklearn.linear_model import Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.ours import workspace
from customer360.deployment import Deployment
from customer360.gold.customer_features import customer_features
from customer360.models.churn.features import NUMERIC_FEATURES
from customer360.models.churn.fitting import XGBOOST_PARAMETERS
from customer360.models.churn.line import fit_line
from customer360.models.lifetime_value.candidates import FITTERS
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel
from customer360.models.lifetime_value.seasons import WEEK_DAYS
from customer360.models.outcomes import outcomes
from customer360.models.paired import Losses
from customer360.models.revenue.fitting import TREES
from customer360.models.windows import first_purchase_day, horizon_grid
from customer360.settings import load_settings
from customer360.table_names import CUSTOMER_DAYS

KINDS = ("pareto_nbd", "mbg_nbd", "bg_nbd")
MORE = ("alive", "expected_purchases", "expected_revenue")
_TREES = {"max_depth": 3, "learning_rate": 0.05}
_ROUNDS = 150


def main(
    homes: Annotated[list[Path], typer.Argument(help="Deployments with silver tables.")],
    horizon_days: Annotated[int, typer.Option(help="Days ahead.")] = 56,
    activity_days: Annotated[int, typer.Option(help="Silence of who is active, for churn.")] = 182,
) -> None:
    """Print what each loses by each figure, and how much more with these features."""
    out = Console(width=130)
    for home in homes:
        rows, dates, kind = _rows(home, horizon_days)
        table = Table(title=f"{home.name}: {kind}, judged on {dates[-1]}", title_justify="left")
        for name in ("model", "figure", "without", "with", "differs by", "90 %"):
            table.add_column(name, justify="left" if name in ("model", "figure") else "right")
        active = rows[rows["days_since_last_purchase"] <= activity_days]
        for line in (*_judged(active, dates[-1], "churned"), *_judged(rows, dates[-1], "revenue")):
            table.add_row(*line)
        out.print(table)


def _rows(home: Path, horizon_days: int) -> tuple[pd.DataFrame, tuple[date, ...], str]:
    """Features of all dates with `MORE`, ``churned`` and ``revenue``; the dates; the model's kind.

    Raises:
        typer.BadParameter: The history is too short, or no purchase model could be fitted.
    """
    work = workspace(Deployment.of(load_settings(home)))
    days = work.lakehouse.read(CUSTOMER_DAYS)
    (last,) = days.agg({"business_date": "max"}).collect()[0]
    first = first_purchase_day(days, last)
    grid = horizon_grid(first, last, horizon_days, horizon_days) if first else None
    if grid is None:
        raise typer.BadParameter(f"{home}: the history is too short for {horizon_days} days ahead")
    dates = grid.dates
    came = outcomes(days, dates, horizon_days)
    rows = customer_features(days, dates).join(came, ["as_of", "customer_key"], "left").toPandas()
    rows["churned"] = 1.0 - rows["bought"].fillna(0)
    rows["revenue"] = rows["revenue"].fillna(0.0).astype(float)
    numbers = list(NUMERIC_FEATURES)
    rows[numbers] = rows[numbers].astype(float)
    model = _fitted(rows[rows["as_of"] == min(dates)])
    return rows.assign(**_told(model, rows, horizon_days)), dates, model.kind


def _fitted(rows: pd.DataFrame) -> PurchaseModel:
    cells = rows.groupby(["frequency", "recency", "T"]).size().rename("customers").reset_index()
    for kind in KINDS:
        try:
            return FITTERS[kind](cells.assign(monetary_value=0.0), WEEK_DAYS).model
        except NotFittedError:
            continue
    raise typer.BadParameter("no purchase model can be fitted")


def _told(model: PurchaseModel, rows: pd.DataFrame, horizon_days: int) -> dict[str, Floats]:
    x, t_x, age = (rows[name].to_numpy(dtype=float) for name in ("frequency", "recency", "T"))
    t_x, age = t_x / WEEK_DAYS, age / WEEK_DAYS
    alive = model.probability_alive(x, t_x, age)
    expected = alive * model.expected_purchases_if_alive(horizon_days / WEEK_DAYS, x, age)
    value = np.where(
        rows["monetary_value"] > 0, rows["monetary_value"], rows["average_order_value"]
    )
    return dict(zip(MORE, (alive, expected, expected * np.maximum(value, 0.0)), strict=True))


def _judged(rows: pd.DataFrame, newest: date, label: str) -> list[list[str]]:
    learn, judge = rows[rows["as_of"] != newest], rows[rows["as_of"] == newest]
    churn = label == "churned"
    figures = ("brier", "roc_auc") if churn else ("rmse", "mae", "normalized_gini")
    predictions: dict[str, Floats] = {}
    for name, features in (("", NUMERIC_FEATURES), (" with", (*NUMERIC_FEATURES, *MORE))):
        columns = list(features)
        y = learn[label].to_numpy()
        if churn:
            line = fit_line(learn[columns], y).probabilities(judge[columns])
            settings: dict[str, Any] = XGBOOST_PARAMETERS | _TREES
            booster = xgb.train(settings, xgb.DMatrix(learn[columns], y), _ROUNDS)
            trees = booster.predict(xgb.DMatrix(judge[columns])).astype(float)
            odds = [np.log(p / (1 - p)) for p in (line, np.clip(trees, 1e-6, 1 - 1e-6))]
            predictions[f"blend{name}"] = 1 / (1 + np.exp(-np.mean(odds, axis=0)))
        else:
            ridge = make_pipeline(
                SimpleImputer(strategy="median", add_indicator=True), StandardScaler(), Ridge(1.0)
            ).fit(learn[columns], y)
            line = np.maximum(ridge.predict(judge[columns]), 0.0)
            grown = xgb.XGBRegressor(
                **TREES, objective="reg:tweedie", max_depth=3, n_estimators=_ROUNDS
            ).fit(learn[columns], np.maximum(y, 0.0))
            trees = grown.predict(judge[columns]).astype(float)
        predictions |= {f"line{name}": line, f"trees{name}": trees}
    losses = Losses.of(predictions, judge[label], figures)
    lines = []
    for model in [name for name in predictions if not name.endswith(" with")]:
        for figure in figures:
            own, other = (
                float(losses.by_figure[figure][m].iloc[0]) for m in (f"{model} with", model)
            )
            found = losses.difference(figure, f"{model} with", model)
            shown = (abs(other), abs(own), found.value)
            interval = f"{found.low:+.4g} to {found.high:+.4g}"
            lines.append([f"{label}, {model}", figure, *(f"{n:.4g}" for n in shown), interval])
    return lines


if __name__ == "__main__":
    typer.run(main)
