"""Jobs: which assets run together, in one process and one Spark session.

The assets of a run share their partitions: days, or as-of dates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import dagster as dg

MODELS = dg.AssetSelection.groups("models")
SCORES = dg.AssetSelection.assets(
    ["gold", "churn_scores"],
    ["gold", "lifetime_value"],
    ["gold", "revenue_predictions"],
    ["gold", "customer_360"],
    ["gold", "revenue_forecast"],
    ["gold", "customer_equity"],
)
HEALTH = dg.AssetSelection.assets(["gold", "business_health"])
LOAD = dg.AssetSelection.groups("bronze", "quarantine", "silver") | HEALTH
MONITORING = dg.AssetSelection.assets(["gold", "model_drift"], ["gold", "model_performance"])
REPORTS = dg.AssetSelection.groups("reports")
EXPORTS = dg.AssetSelection.groups("exports")
WAREHOUSE = dg.AssetSelection.groups("warehouse", "staging", "marts")
SNAPSHOTS = dg.AssetSelection.groups("gold") - SCORES - HEALTH - MONITORING

NIGHTLY, GOLD, RETRAIN, LOAD_RANGE, SNAPSHOT, TRAIN, SCORE, PUBLISH = (
    "nightly",
    "gold",
    "retrain",
    "load",
    "snapshot",
    "train",
    "score",
    "publish",
)


@dataclass(frozen=True)
class Job:
    """Assets that run together, and what for."""

    selection: dg.AssetSelection
    description: str


JOBS: Mapping[str, Job] = {
    NIGHTLY: Job(
        LOAD,
        "Load a trailing window of days. When it has succeeded, the sensor `gold` makes the gold "
        "of the newest.",
    ),
    GOLD: Job(
        SNAPSHOTS | SCORES | MODELS | MONITORING | REPORTS | EXPORTS | WAREHOUSE,
        "All that is made as of a date, and the warehouse. The sensor leaves models out that exist "
        "already; `retrain` renews them.",
    ),
    RETRAIN: Job(MODELS, "Train, judge and register the models."),
    LOAD_RANGE: Job(LOAD, "Bronze and silver, and the business's days."),
    SNAPSHOT: Job(SNAPSHOTS, "Gold snapshots that need no model."),
    TRAIN: Job(
        MODELS | SCORES | MONITORING | REPORTS | EXPORTS,
        "Train the models, score with them, see how they have done, explore, and export the "
        "campaign lists.",
    ),
    SCORE: Job(
        SCORES | MONITORING | REPORTS | EXPORTS,
        "The same without training: with the models that are champions.",
    ),
    PUBLISH: Job(WAREHOUSE, "Bring the warehouse and its marts up to date with the lakehouse."),
}
"""All jobs, by name."""


OF_MODEL = {
    "lifetime-value": (
        ["models", "lifetime_value"],
        ["gold", "lifetime_value"],
        ["gold", "revenue_forecast"],
        ["gold", "customer_equity"],
    ),
    "churn": (["models", "churn"], ["gold", "churn_scores"]),
    "revenue": (["models", "revenue"], ["gold", "revenue_predictions"]),
}
"""A model, as people name it: its asset, and those that are made with it."""

MODEL_KEYS = {name: dg.AssetKey(model) for name, (model, *_) in OF_MODEL.items()}
"""The asset of each model."""


def scored_by(names: Sequence[str]) -> list[dg.AssetKey]:
    """The assets that are made with these models."""
    return [dg.AssetKey(path) for name in names for path in OF_MODEL[name][1:]]
