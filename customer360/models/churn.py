"""Churn: of the customers active on a day, who will buy nothing in the days that follow.

The definition (non-contractual): a customer with a purchase in ``(D - activity, D]`` is active at
D, and has churned if there is none in ``(D, D + horizon]``. Features are those of
``gold/customer_features`` at D, labels only what came after D, and every date a model learns from
has a horizon that ended before the test date's features were taken (see `windows.as_of_grid`).

The model is XGBoost on a bounded sample; where the history cannot teach one, a stated fallback
takes its place: the hiatus rule, or the base rate.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date, timedelta
from typing import Any, Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.errors import Customer360Error
from customer360.gold.customer_features import customer_features
from customer360.gold.purchases import is_purchase
from customer360.models.baselines import HiatusRule, fit_hiatus_rule, smoothed_rate
from customer360.models.evaluation import (
    calibration_table,
    prefixed,
    probability_metrics,
    ranking_metrics,
    rule_metrics,
)
from customer360.models.windows import (
    AsOfGrid,
    ChurnWindows,
    as_of_grid,
    choose_windows,
    first_purchase_day,
)

Floats = NDArray[np.float64]

NUMERIC_FEATURES = (
    "frequency",
    "recency",
    "T",
    "monetary_value",
    "days_since_last_purchase",
    "orders",
    "items",
    "refunds",
    "net_revenue",
    "refunded",
    "refund_rate",
    "average_order_value",
    "purchase_days_30d",
    "purchase_days_90d",
    "purchase_days_180d",
    "purchase_days_365d",
    "net_revenue_30d",
    "net_revenue_90d",
    "net_revenue_180d",
    "net_revenue_365d",
    "mean_days_between_purchases",
    "overdue_ratio",
    "distinct_categories",
    "distinct_channels",
)
"""Columns of ``gold/customer_features`` that are used as they are; nulls stay missing."""

CATEGORICAL_FEATURES = ("last_category", "last_channel")
"""Columns turned into yes/no columns of their most frequent values."""

MOST_CATEGORIES = 12
MINIMUM_TRAINING_ROWS = 200
MINIMUM_OF_A_CLASS = 20
MOST_ROUNDS = 600
PATIENCE = 30

RISK_MEDIUM = 0.4
RISK_HIGH = 0.7
"""Risk is "high" from this churn probability on, "medium" from `RISK_MEDIUM` on, else "low"."""

XGBOOST_PARAMETERS: dict[str, float | int | str] = {
    "objective": "binary:logistic",
    "eval_metric": "logloss",
    "tree_method": "hist",
    "learning_rate": 0.05,
    "max_depth": 4,
    "min_child_weight": 10,
    "colsample_bytree": 0.8,
    "lambda": 2.0,
}
"""Small trees, no class weights: weights would rank as well but spoil the probabilities."""

SCORE_SCHEMA = (
    "as_of date, customer_key string, churn_probability double, risk string, horizon_days int, "
    "activity_window_days int, model_version string"
)


class ChurnModelError(Customer360Error):
    """A stored model cannot be used."""


@dataclass(frozen=True)
class ChurnModel:
    """Everything that scoring needs; readable as JSON but for the trees, safe to send to workers.

    Attributes:
        kind: "xgboost", or a fallback: "hiatus_rule", "base_rate", or "none" when not even one
            horizon has passed and nothing can be said; "none" scores nobody.
        horizon_days: Horizon of the definition.
        activity_days: Activity window of the definition.
        base_rate: Churn rate of the training rows.
        hiatus: The rule fitted on the training rows, if both classes were there.
        categories: The values of each categorical feature that have a column of their own.
        booster: XGBoost's model in UBJSON; empty for a fallback.
        risk_medium: Churn probability from which the risk is "medium".
        risk_high: Churn probability from which it is "high".
    """

    kind: str
    horizon_days: int
    activity_days: int
    base_rate: float = 0.5
    hiatus: HiatusRule | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    booster: bytes = b""
    risk_medium: float = RISK_MEDIUM
    risk_high: float = RISK_HIGH

    def load_booster(self, nthread: int = 1) -> xgb.Booster:
        """The trees, ready to predict.

        Raises:
            ChurnModelError: There are none: the model is a fallback.
        """
        if not self.booster:
            raise ChurnModelError(
                f"the churn model is the fallback {self.kind}: it has no trees; train it on more "
                "history"
            )
        booster = xgb.Booster({"nthread": nthread})
        booster.load_model(bytearray(self.booster))
        return booster

    def probabilities(self, features: pd.DataFrame, booster: xgb.Booster | None = None) -> Floats:
        """Churn probability of each row of ``gold/customer_features``.

        Args:
            features: At least the columns of `NUMERIC_FEATURES` and `CATEGORICAL_FEATURES`.
            booster: From `load_booster`, to load it once for many batches.
        """
        if self.kind == "xgboost":
            trees = booster or self.load_booster()
            found = trees.predict(xgb.DMatrix(design_matrix(features, self.categories)))
            return np.asarray(found, dtype=float)
        if self.kind == "hiatus_rule" and self.hiatus:
            return self.hiatus.probabilities(features["days_since_last_purchase"])
        return np.full(len(features), self.base_rate)

    def risks(self, probabilities: Floats) -> NDArray[np.object_]:
        """The risk in words by the two thresholds: high, medium or low."""
        return np.where(
            probabilities >= self.risk_high,
            "high",
            np.where(probabilities >= self.risk_medium, "medium", "low"),
        ).astype(object)

    def to_json(self) -> str:
        """As JSON text, without the trees."""
        given = asdict(self)
        given.pop("booster")
        return json.dumps(given, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, booster: bytes = b"") -> Self:
        """From `to_json`'s text and, for XGBoost, the trees.

        Raises:
            ChurnModelError: The trees are missing.
        """
        given = json.loads(text)
        hiatus = given.pop("hiatus")
        categories = given.pop("categories")
        if given["kind"] == "xgboost" and not booster:
            raise ChurnModelError("the stored churn model has no trees; train it again")
        return cls(
            hiatus=HiatusRule(**hiatus) if hiatus else None,
            categories={name: tuple(values) for name, values in categories.items()},
            booster=booster,
            **given,
        )


def design_matrix(features: pd.DataFrame, categories: Mapping[str, Sequence[str]]) -> pd.DataFrame:
    """The numbers XGBoost sees: numeric features, then a yes/no column for each known category.

    A category that training never saw is "no" everywhere, which is what "another one" is.
    """
    columns: dict[str, Any] = {
        name: features[name].to_numpy(dtype="float64", na_value=np.nan) for name in NUMERIC_FEATURES
    }
    for name, values in categories.items():
        for value in values:
            columns[_column_name(name, value)] = (features[name] == value).to_numpy(
                dtype="float64", na_value=0.0
            )
    return pd.DataFrame(columns, index=features.index)


def _column_name(name: str, value: str) -> str:
    # XGBoost refuses [, ] and < in a feature's name.
    return f"{name}={value}".translate(str.maketrans("[]<", "()_"))


def frequent_categories(rows: pd.DataFrame) -> dict[str, tuple[str, ...]]:
    """The most frequent values of each categorical feature, ties in alphabetical order."""
    found: dict[str, tuple[str, ...]] = {}
    for name in CATEGORICAL_FEATURES:
        counts = rows[name].dropna().value_counts()
        ranked = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
        # Two values may share a column name after cleaning; the first keeps it.
        by_column = {
            _column_name(name, str(value)): str(value)
            for value, _ in reversed(ranked[:MOST_CATEGORIES])
        }
        found[name] = tuple(sorted(by_column.values()))
    return found


def labels(customer_days: DataFrame, as_of: Sequence[date], horizon_days: int) -> DataFrame:
    """Who bought in ``(D, D + horizon]``, for each of the as-of dates D.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: The as-of dates.
        horizon_days: Horizon of the definition.

    Returns:
        Columns ``as_of``, ``customer_key``: one row for each customer who did buy; everybody
        else has churned.
    """
    ahead = F.date_diff("business_date", "as_of")
    return (
        customer_days.where(is_purchase() & (F.col("business_date") > F.lit(min(as_of))))
        .select(
            "customer_key",
            "business_date",
            F.explode(F.array(*(F.lit(day) for day in as_of))).alias("as_of"),
        )
        .where((ahead > 0) & (ahead <= horizon_days))
        .select("as_of", "customer_key")
        .distinct()
    )


def active(features: DataFrame, activity_days: int) -> DataFrame:
    """Rows of customers with a purchase in ``(as_of - activity_days, as_of]``."""
    return features.where(F.col("days_since_last_purchase") < activity_days)


def labelled_rows(
    customer_days: DataFrame, as_of: Sequence[date], windows: ChurnWindows
) -> DataFrame:
    """Features of the customers active at each as-of date, with ``churned`` (1 or 0).

    Args:
        customer_days: ``silver/customer_days``.
        as_of: As-of dates whose horizon has fully passed.
        windows: Horizon and activity window.
    """
    rows = active(customer_features(customer_days, as_of), windows.activity_days)
    bought = labels(customer_days, as_of, windows.horizon_days).withColumn("bought", F.lit(True))
    return rows.join(bought, ["as_of", "customer_key"], "left").withColumn(
        "churned", F.when(F.col("bought"), 0).otherwise(1).cast("int")
    )


def _to_driver(
    rows: DataFrame, grid: AsOfGrid, max_rows: int
) -> tuple[pd.DataFrame, dict[date, int]]:
    """Bring a bounded sample to the driver, with how many rows each as-of date really has.

    At most ``max_rows`` teach (training and validation dates together) and at most as many test.
    All rows are taken where they fit. Otherwise a hash of (as-of, customer) decides, so the same
    customers are taken whenever it is run.
    """
    sizes: dict[date, int] = {
        row["as_of"]: row["n"]
        for row in rows.groupBy("as_of").agg(F.count("*").alias("n")).collect()
    }
    teaching = sum(count for day, count in sizes.items() if day != grid.test)
    parts = 1_000_000

    def threshold(count: int) -> int:
        # Two per cent below the limit: a hash does not hit a share exactly, and it is a limit.
        return parts if count <= max_rows else int(parts * max_rows / count * 0.98)

    limit = F.when(F.col("as_of") == F.lit(grid.test), threshold(sizes.get(grid.test, 0)))
    drawn = F.pmod(F.xxhash64("as_of", "customer_key"), F.lit(parts))
    numeric = [F.col(name).cast("double").alias(name) for name in NUMERIC_FEATURES]
    frame = (
        rows.where(drawn < limit.otherwise(threshold(teaching)))
        .select("as_of", "churned", *numeric, *CATEGORICAL_FEATURES)
        .toArrow()
        .to_pandas()
    )
    # Ordered by what the rows say, not by whose they are: customer keys depend on a secret, and
    # sums of floats on the order of rows; the model must depend on neither.
    frame = frame.sort_values(
        ["as_of", *NUMERIC_FEATURES, *CATEGORICAL_FEATURES, "churned"], ignore_index=True
    )
    return frame, sizes


@dataclass(frozen=True)
class ChurnTraining:
    """All that came out of one training.

    Attributes:
        model: The one that was tested, and the one to publish.
        status: "trained", or "fallback: " and why.
        notes: What else a reader must know.
        windows: The definition's windows and where they came from.
        grid: The as-of dates; ``None`` when the history is too short for them.
        parameters: Flat, to log: windows, dates, sizes, XGBoost's parameters.
        metrics: Flat: ``test_*`` of the model, ``baseline_hiatus_rule_*``,
            ``baseline_recency_ranking_*`` and ``baseline_base_rate_*`` on the same test rows.
        calibration: Test rows by tenth of risk: ``group``, ``customers``, ``predicted``,
            ``observed``.
        feature_importance: Share of the trees' total gain by feature; empty for a fallback.
        plots: PNG images by name.
        sample: Some rows of the design matrix, as an input example.
        as_of: Day the training was made for; the last label's horizon ends there.
    """

    model: ChurnModel
    status: str
    notes: tuple[str, ...]
    windows: ChurnWindows
    grid: AsOfGrid | None
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    calibration: pd.DataFrame
    feature_importance: dict[str, float]
    plots: dict[str, bytes]
    sample: pd.DataFrame
    as_of: date

    @property
    def trained(self) -> bool:
        """False when a fallback stands in for the model."""
        return self.status == "trained"


def default_threads() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def fit_xgboost(
    learn: pd.DataFrame,
    validate: pd.DataFrame,
    *,
    parameters: Mapping[str, float | int | str] | None = None,
    seed: int = 0,
    nthread: int | None = None,
) -> tuple[xgb.Booster, dict[str, tuple[str, ...]], dict[str, float]]:
    """Learn on the older dates, stop early on the validation date, refit on both.

    The refit has as many trees as the validation date liked best: the newest labelled behaviour
    should teach too, and the test date is still later than all of it.

    Args:
        learn: Rows of the training dates, with ``churned``.
        validate: Rows of the validation date.
        parameters: Override `XGBOOST_PARAMETERS`.
        seed: For the sampling of columns.
        nthread: Threads; all cores when not given.

    Returns:
        The booster, its categories, and facts about the fit.
    """
    settings = {
        **XGBOOST_PARAMETERS,
        **(parameters or {}),
        "seed": seed,
        "nthread": nthread or default_threads(),
    }
    categories = frequent_categories(learn)
    matrices = [
        xgb.DMatrix(design_matrix(rows, categories), rows["churned"].to_numpy())
        for rows in (learn, validate)
    ]
    trial = xgb.train(
        settings,
        matrices[0],
        num_boost_round=MOST_ROUNDS,
        evals=[(matrices[1], "validation")],
        early_stopping_rounds=PATIENCE,
        verbose_eval=False,
    )
    rounds = int(trial.best_iteration) + 1
    everything = pd.concat([learn, validate], ignore_index=True)
    booster = xgb.train(
        settings,
        xgb.DMatrix(design_matrix(everything, categories), everything["churned"].to_numpy()),
        num_boost_round=rounds,
        verbose_eval=False,
    )
    return booster, categories, {"trees": rounds, "validation_log_loss": float(trial.best_score)}


def _importance(booster: xgb.Booster) -> dict[str, float]:
    names = booster.feature_names or []
    gains = {
        name: float(gain if isinstance(gain, float | int) else sum(gain))
        for name, gain in booster.get_score(importance_type="total_gain").items()
    }
    total = sum(gains.values())
    return {name: gains.get(name, 0.0) / total if total else 0.0 for name in names}


def _why_not(learn: pd.DataFrame, validate: pd.DataFrame) -> str | None:
    """Why these rows cannot teach XGBoost; ``None`` if they can."""
    if len(learn) < MINIMUM_TRAINING_ROWS:
        return f"{len(learn)} training rows where {MINIMUM_TRAINING_ROWS} are needed"
    for rows, dates in ((learn, "training"), (validate, "validation")):
        smaller = int(min(rows["churned"].sum(), (1 - rows["churned"]).sum()))
        if smaller < MINIMUM_OF_A_CLASS:
            return (
                f"only {smaller} of {len(rows)} customers on the {dates} dates are of the "
                f"smaller class where {MINIMUM_OF_A_CLASS} are needed"
            )
    return None


def _fallback(model: ChurnModel, teaching: pd.DataFrame) -> tuple[ChurnModel, str]:
    """The best that these rows can teach short of XGBoost, and its name in words."""
    if not len(teaching):
        return replace(model, kind="none"), "no score is published"
    model = replace(model, base_rate=smoothed_rate(teaching["churned"]))
    smaller = int(min(teaching["churned"].sum(), (1 - teaching["churned"]).sum()))
    if smaller < MINIMUM_OF_A_CLASS // 4:
        return replace(model, kind="base_rate"), "the base rate is used instead"
    hiatus = fit_hiatus_rule(teaching["days_since_last_purchase"], teaching["churned"])
    return replace(model, kind="hiatus_rule", hiatus=hiatus), "the hiatus rule is used instead"


def _test_metrics(model: ChurnModel, predicted: Floats, test: pd.DataFrame) -> dict[str, float]:
    """The model's figures on the test rows, and the baselines' on the same rows."""
    if not len(test):
        return {}
    y, silence = test["churned"].to_numpy(), test["days_since_last_purchase"].to_numpy()
    constant = np.full(len(y), model.base_rate)
    found = prefixed(
        "test",
        {
            **ranking_metrics(y, predicted),
            **probability_metrics(y, predicted),
            **rule_metrics(y, predicted >= 0.5),
            "rows": float(len(y)),
            "churn_rate": float(y.mean()),
        },
    )
    found |= prefixed("baseline_base_rate", probability_metrics(y, constant))
    found |= prefixed("baseline_recency_ranking", ranking_metrics(y, silence))
    if model.hiatus:
        by_rule = model.hiatus.probabilities(silence)
        found |= prefixed(
            "baseline_hiatus_rule",
            {
                **ranking_metrics(y, by_rule),
                **probability_metrics(y, by_rule),
                **rule_metrics(y, model.hiatus.flags(silence)),
            },
        )
    return found


def _pictures(
    model: ChurnModel,
    predicted: Floats,
    test: pd.DataFrame,
    table: pd.DataFrame,
    importance: Mapping[str, float],
    grid: AsOfGrid,
) -> dict[str, bytes]:
    from customer360.models import plots  # matplotlib is not for the workers that score

    pictures: dict[str, bytes] = {}
    subtitle = f"{len(test):,} active customers on {grid.test}, the {model.horizon_days} days after"
    if len(table):
        pictures["calibration"] = plots.calibration(table, subtitle)
    if len(test) and 0 < test["churned"].sum() < len(test):
        silence = test["days_since_last_purchase"]
        curves: dict[str, Any] = {"Model": predicted, "Baseline: longest silence first": silence}
        if model.hiatus:
            name = f"Baseline: silent over {model.hiatus.threshold_days} days"
            curves[name] = model.hiatus.flags(silence)
        pictures["gains"] = plots.gains(test["churned"], curves, subtitle)
    if importance:
        pictures["feature_importance"] = plots.feature_importance(importance)
    return pictures


def train(
    customer_days: DataFrame,
    as_of: date,
    *,
    horizon_days: int | None = None,
    activity_days: int | None = None,
    max_training_rows: int = 1_000_000,
    risk_thresholds: tuple[float, float] = (RISK_MEDIUM, RISK_HIGH),
    parameters: Mapping[str, float | int | str] | None = None,
    seed: int = 0,
    nthread: int | None = None,
) -> ChurnTraining:
    """Train on earlier as-of dates, stop early on a later one, test on the latest.

    Never fails for want of data: with too few rows or one class the result is a fallback, and
    its status says which and why.

    Args:
        customer_days: ``silver/customer_days``.
        as_of: Last day used; the test date is one horizon before it.
        horizon_days: Setting that overrides the data's own horizon.
        activity_days: Setting that overrides the data's own activity window.
        max_training_rows: Rows (customer x as-of date) on the driver, at most, to learn from and
            again to test on.
        risk_thresholds: Churn probabilities from which the risk is "medium" and "high".
        parameters: Override `XGBOOST_PARAMETERS`.
        seed: Same seed, same data: same model.
        nthread: Threads for XGBoost; all cores when not given.
    """
    windows = choose_windows(
        customer_days, as_of, horizon_days=horizon_days, activity_days=activity_days
    )
    first = first_purchase_day(customer_days, as_of)
    grid = as_of_grid(first, as_of, windows) if first else None
    empty = ChurnModel(
        "none",
        windows.horizon_days,
        windows.activity_days,
        risk_medium=risk_thresholds[0],
        risk_high=risk_thresholds[1],
    )
    facts: dict[str, float | int | str] = {
        "as_of": as_of.isoformat(),
        **windows.parameters(),
        "risk_medium_from": empty.risk_medium,
        "risk_high_from": empty.risk_high,
        "seed": seed,
        "max_training_rows": max_training_rows,
    }
    if grid is None:
        return _too_short(customer_days, as_of, windows, empty, facts, max_training_rows)

    rows = labelled_rows(customer_days, grid.dates, windows).persist()
    try:
        frame, sizes = _to_driver(rows, grid, max_training_rows)
    finally:
        rows.unpersist()
    test = frame[frame["as_of"] == grid.test].reset_index(drop=True)
    validate = frame[frame["as_of"] == grid.validation].reset_index(drop=True)
    learn = frame[frame["as_of"].isin(grid.training)].reset_index(drop=True)
    teaching = pd.concat([learn, validate], ignore_index=True)
    facts |= {
        "test_as_of": grid.test.isoformat(),
        "validation_as_of": grid.validation.isoformat(),
        "training_as_of": ", ".join(day.isoformat() for day in sorted(grid.training)),
        "training_rows": len(learn),
        "validation_rows": len(validate),
        "test_rows": len(test),
        "rows_before_sampling": sum(sizes.values()),
    }

    importance: dict[str, float] = {}
    metrics: dict[str, float] = {}
    reason = _why_not(learn, validate)
    if reason is None:
        booster, categories, fit = fit_xgboost(
            learn, validate, parameters=parameters, seed=seed, nthread=nthread
        )
        model = replace(
            empty,
            kind="xgboost",
            base_rate=smoothed_rate(teaching["churned"]),
            hiatus=fit_hiatus_rule(teaching["days_since_last_purchase"], teaching["churned"]),
            categories=categories,
            booster=bytes(booster.save_raw("ubj")),
        )
        importance = _importance(booster)
        metrics |= {name: float(value) for name, value in fit.items()}
        facts |= {
            f"xgboost_{k}": v for k, v in {**XGBOOST_PARAMETERS, **(parameters or {})}.items()
        }
        status = "trained"
    else:
        model, instead = _fallback(empty, teaching)
        status = f"fallback: {reason}; {instead}"
    facts["model"] = model.kind
    if model.hiatus:
        facts["hiatus_rule_days"] = model.hiatus.threshold_days

    predicted = model.probabilities(test)
    metrics |= _test_metrics(model, predicted, test) if model.kind != "none" else {}
    judged = test if model.kind != "none" else test.head(0)
    table = calibration_table(judged["churned"], predicted[: len(judged)])
    return ChurnTraining(
        model=model,
        status=status,
        notes=_sampling_notes(sum(sizes.values()), len(frame)),
        windows=windows,
        grid=grid,
        parameters=facts,
        metrics=metrics,
        calibration=table,
        feature_importance=importance,
        plots=_pictures(model, predicted, test, table, importance, grid),
        sample=design_matrix(test.head(5), model.categories),
        as_of=as_of,
    )


def _sampling_notes(all_rows: int, taken: int) -> tuple[str, ...]:
    if taken == all_rows:
        return ()
    return (f"{taken:,} of {all_rows:,} labelled rows were sampled",)


def _too_short(
    customer_days: DataFrame,
    as_of: date,
    windows: ChurnWindows,
    empty: ChurnModel,
    facts: dict[str, float | int | str],
    max_rows: int,
) -> ChurnTraining:
    """History without room for separate dates: one date teaches a fallback, nothing is tested."""
    only = as_of - timedelta(days=windows.horizon_days)
    alone = AsOfGrid((only,), only, only)
    frame, _ = _to_driver(labelled_rows(customer_days, [only], windows), alone, max_rows)
    model, instead = _fallback(empty, frame)
    return ChurnTraining(
        model=model,
        status=(
            f"fallback: {windows.history_days} days of history are too short for an activity "
            f"window of {windows.activity_days} and three horizons of {windows.horizon_days} "
            f"days; {instead}"
        ),
        notes=("not tested: no later date is left to test on",),
        windows=windows,
        grid=None,
        parameters={**facts, "model": model.kind, "training_rows": len(frame)},
        metrics={},
        calibration=calibration_table([], []),
        feature_importance={},
        plots={},
        sample=design_matrix(frame.head(5), {}),
        as_of=as_of,
    )


def score(features: DataFrame, model: ChurnModel, model_version: str) -> DataFrame:
    """``gold/churn_scores``: one row for each customer active at the features' as-of date.

    Args:
        features: ``gold/customer_features``.
        model: What to score with.
        model_version: Written beside every score.

    Returns:
        The columns of `SCORE_SCHEMA`; ``churn_probability`` is the probability of no purchase in
        the ``horizon_days`` after ``as_of``. No rows when the model's kind is "none".
    """
    columns = ["as_of", "customer_key", *NUMERIC_FEATURES, *CATEGORICAL_FEATURES]
    chosen = active(features, model.activity_days).select(*columns)
    if model.kind == "none":
        chosen = chosen.where(F.lit(False))

    def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        booster = model.load_booster() if model.kind == "xgboost" else None
        for batch in batches:
            probabilities = model.probabilities(batch, booster)
            yield pd.DataFrame(
                {
                    "as_of": batch["as_of"],
                    "customer_key": batch["customer_key"],
                    "churn_probability": probabilities,
                    "risk": model.risks(probabilities),
                    "horizon_days": np.int32(model.horizon_days),
                    "activity_window_days": np.int32(model.activity_days),
                    "model_version": model_version,
                }
            )

    return chosen.mapInPandas(scored, SCORE_SCHEMA)
