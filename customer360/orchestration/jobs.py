"""Jobs: which assets run together."""

from __future__ import annotations

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as UnresolvedAssetJob,
)

LAYERS = ("bronze", "quarantine", "silver", "gold", "models")

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

NIGHTLY, RETRAIN, ETL, LOAD_RANGE, SNAPSHOT, TRAIN, PUBLISH = (
    "nightly",
    "retrain",
    "etl",
    "load",
    "snapshot",
    "train",
    "publish",
)


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


def of_models(names: Sequence[str]) -> list[dg.AssetKey]:
    """The assets that train these models and score with them, and no other model's."""
    return [dg.AssetKey(path) for name in names for path in OF_MODEL[name]]


def jobs() -> list[UnresolvedAssetJob]:
    """All jobs, each a selection of assets that run in one process and one Spark session."""
    return [
        dg.define_asset_job(
            NIGHTLY,
            selection=LOAD
            | SNAPSHOTS
            | SCORES
            | MODELS
            | MONITORING
            | REPORTS
            | EXPORTS
            | WAREHOUSE,
            description="Reload a trailing window of days and make the newest snapshot. "
            "The schedule leaves models out that exist already; `retrain` renews them.",
        ),
        dg.define_asset_job(
            RETRAIN, selection=MODELS, description="Train, judge and register the models."
        ),
        dg.define_asset_job(
            ETL, selection=LOAD | SNAPSHOTS, description="Bronze to gold, without models."
        ),
        dg.define_asset_job(
            LOAD_RANGE, selection=LOAD, description="Bronze and silver, and the business's days."
        ),
        dg.define_asset_job(
            SNAPSHOT, selection=SNAPSHOTS, description="Gold snapshots that need no model."
        ),
        dg.define_asset_job(
            TRAIN,
            selection=MODELS | SCORES | MONITORING | REPORTS | EXPORTS,
            description="Train the models, score with them, see how they have done, explore, and "
            "export the campaign lists.",
        ),
        dg.define_asset_job(
            PUBLISH,
            selection=WAREHOUSE,
            description="Bring the warehouse and its marts up to date with the lakehouse.",
        ),
    ]
