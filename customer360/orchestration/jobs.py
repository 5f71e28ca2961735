"""Jobs: which assets run together, in one process and one Spark session.

The assets of a run share their partitions: days, or as-of dates.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg

from customer360.models.spec import ModelSpec
from customer360.orchestration.metadata import asset_key

MODELS = dg.AssetSelection.groups("models")
HEALTH = dg.AssetSelection.assets(["gold", "business_health"])
LOAD = dg.AssetSelection.groups("bronze", "quarantine", "silver") | HEALTH
MONITORING = dg.AssetSelection.assets(["gold", "model_drift"], ["gold", "model_performance"])
SCORES = MODELS.downstream(include_self=False) & dg.AssetSelection.groups("gold") - MONITORING
"""Gold that a model has a part in."""

REPORTS = dg.AssetSelection.groups("reports")
EXPORTS = dg.AssetSelection.groups("exports")
WAREHOUSE = dg.AssetSelection.groups("warehouse", "staging", "marts")
UPKEEP = dg.AssetSelection.groups("upkeep")
SNAPSHOTS = dg.AssetSelection.groups("gold") - SCORES - HEALTH - MONITORING

NIGHTLY, GOLD, RETRAIN, LOAD_RANGE, SNAPSHOT, TRAIN, SCORE, PUBLISH, MAINTAIN = (
    "nightly",
    "gold",
    "retrain",
    "load",
    "snapshot",
    "train",
    "score",
    "publish",
    "maintain",
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
    MAINTAIN: Job(
        UPKEEP, "Put small files together, and take away what is past its time: no row changes."
    ),
}
"""All jobs, by name."""


def scored_by(specs: Sequence[ModelSpec[Any]]) -> list[dg.AssetKey]:
    """The assets that are made with these models."""
    return [asset_key(table) for spec in specs for table in (spec.scores, *spec.also_makes)]
