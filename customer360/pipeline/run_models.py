"""Training and scoring: from tables to MLflow, and from MLflow's champion to tables."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import partial
from typing import Any

from pyspark.sql import DataFrame

from customer360.errors import Customer360Error, TableNotFoundError, listed
from customer360.lakehouse.delta_log import Commit
from customer360.models.lineage import FeatureSchema
from customer360.models.notes import Note
from customer360.models.promotion import Gate
from customer360.models.spec import History, ModelSpec
from customer360.models.tracking import (
    Champion,
    LoggedTraining,
    NoChampionError,
    Tracking,
    TrackingUnavailableError,
    load_champion,
    log_training,
    scoring_champion,
)
from customer360.models.training import Model, Training
from customer360.pipeline.make_gold import (
    computed_snapshots,
    replace_snapshots,
    snapshot_dates,
    snapshots,
)
from customer360.pipeline.published_rows import told_in_groups
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings
from customer360.table_names import AS_OF, FEATURES

log = logging.getLogger(__name__)

SPREAD_FROM = 50_000
"""Customers to score from which every core takes part; below, a second Python costs more."""


@dataclass(frozen=True)
class ScoringResult:
    """What scoring wrote, and with which version of the model."""

    written: Commit
    model_version: str


def tracking_of(settings: Settings) -> Tracking:
    """Where this deployment tracks its trainings."""
    tracking = Tracking(settings.tracking_uri)
    if not tracking.is_database:  # a server knows where it keeps files
        return tracking
    return replace(
        tracking, artifacts=settings.mlflow_artifacts or settings.mlflow_dir / "artifacts"
    )


def champion_of(spec: ModelSpec[Model], settings: Settings) -> Champion[Model]:
    """The version of the model that scores in this deployment.

    Raises:
        NoChampionError: None has been trained yet.
    """
    return load_champion(spec, tracking_of(settings))


def champion_beside(
    spec: ModelSpec[Model], settings: Settings
) -> tuple[Champion[Model] | None, tuple[Note, ...]]:
    """The champion to judge a new model beside; where its files cannot be read, why, as a note.

    A model that lost its files, or was made by other versions of libraries, must not keep the one
    from being trained that would replace it.

    Raises:
        TrackingUnavailableError: MLflow does not say whether there is one.
    """
    try:
        return champion_of(spec, settings), ()
    except NoChampionError:
        return None, ()
    except TrackingUnavailableError:  # There may be one: nothing can be promoted unseen.
        raise
    except Customer360Error as error:
        return None, (Note("champion_unreadable", {"error": str(error)}),)


def gate_of(spec: ModelSpec[Any], settings: Settings) -> Gate:
    """What a new version of the model must beat in this deployment."""
    return spec.gate(spec.promotion_figure(settings), settings.promotion_margin)


def history_of(work: Workspace, as_of: date) -> History:
    """What a training of ``as_of`` learns from."""
    deployment = work.deployment
    return History(work.lakehouse.read, as_of, deployment.settings, deployment.zone)


def fit(work: Workspace, spec: ModelSpec[Any], as_of: date) -> Training[Any]:
    """Learn from what happened up to ``as_of``, and judge; nothing is registered."""
    champion, notes = champion_beside(spec, work.deployment.settings)
    training = spec.train(history_of(work, as_of), champion)
    return replace(training, notes=(*training.notes, *notes))


def train(
    work: Workspace, spec: ModelSpec[Any], as_of: date
) -> tuple[Training[Any], LoggedTraining]:
    """`fit`, logged, and promoted if it is better."""
    training = fit(work, spec, as_of)
    settings = work.deployment.settings
    log.info("logging the training in MLflow, and deciding which version scores")
    # As they are made today; only their columns are asked for.
    features = spec.feature_frame(lambda table: computed_snapshots(work, table, [as_of]))
    logged = log_training(
        spec,
        training,
        tracking_of(settings),
        gate_of(spec, settings),
        schema=FeatureSchema.of(features, spec.features_of(training.model)),
        table_versions={table: work.lakehouse.version(table) for table in spec.learns_from},
        tags={"dagster_run_id": work.run_id},
    )
    export(spec, settings)
    return training, logged


def export(spec: ModelSpec[Any], settings: Settings) -> None:
    """Bring what lies beside the registry up to date with the model's champion.

    Raises:
        NoChampionError: None has been trained yet.
    """
    spec.export(settings, partial(champion_of, spec, settings))


def snapshots_of(work: Workspace, table: str, as_of: Sequence[date]) -> DataFrame:
    """A snapshot table of ``as_of``.

    Raises:
        TableNotFoundError: It does not have one of the dates.
    """
    missing = [str(day) for day in as_of if day not in snapshot_dates(work, table)]
    if missing:
        raise TableNotFoundError(
            f"{table} has no snapshot of {listed(missing)}: run `customer360 run --steps etl` "
            "for these dates first"
        )
    return snapshots(work, table, as_of)


def score(work: Workspace, spec: ModelSpec[Any], as_of: Sequence[date]) -> ScoringResult:
    """Score the customers of ``as_of`` with the champion.

    Raises:
        NoChampionError: The model has not been trained.
        TableNotFoundError: A date has no snapshot of what the features are made of.
        FeatureSchemaError: The champion was trained on other columns.
    """
    settings = work.deployment.settings
    features = spec.feature_frame(lambda table: snapshots_of(work, table, as_of))
    champion = scoring_champion(spec, tracking_of(settings))
    champion.check_schema(features, spec.features_of(champion.model))
    smallest = settings.published_group_min
    # Reasons state texts: no model is told one that it must not repeat.
    with told_in_groups(features, spec.categorical_features, smallest=smallest, by=[AS_OF]) as told:
        if work.lakehouse.rows_of(FEATURES, AS_OF, as_of) >= SPREAD_FROM:
            # A snapshot is a file or two, hence a task or two; the work is the models'.
            told = told.repartition(settings.spark_shuffle_partitions, "customer_key")
        scores = spec.score(told, champion.model, champion.name, champion.version, settings)
        written = replace_snapshots(work, spec.scores, scores, as_of)
    return ScoringResult(written, champion.version)
