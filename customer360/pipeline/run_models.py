"""Training and scoring: from tables to MLflow, and from MLflow's champion to tables."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

from pyspark.sql import DataFrame

from customer360.errors import Customer360Error, TableNotFoundError, listed
from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.lakehouse.delta_log import Commit
from customer360.models.churn import features as of_churn
from customer360.models.churn import scoring as churn_scoring
from customer360.models.churn import training as churn
from customer360.models.churn.training import ChurnTraining
from customer360.models.lifetime_value import training as lifetime_value
from customer360.models.lifetime_value.training import LifetimeValueTraining
from customer360.models.lifetime_value.validation import MODEL_FEATURES
from customer360.models.lineage import FeatureSchema
from customer360.models.profit import Campaign
from customer360.models.promotion import Gate, churn_gate, lifetime_value_gate, revenue_gate
from customer360.models.revenue import features as of_revenue
from customer360.models.revenue import scoring as revenue_scoring
from customer360.models.revenue import training as revenue
from customer360.models.revenue.features import revenue_features
from customer360.models.revenue.training import RevenueTraining
from customer360.models.tracking import (
    Champion,
    LoggedTraining,
    Model,
    NoChampionError,
    Tracking,
    Training,
    load_churn_champion,
    load_lifetime_value_champion,
    load_revenue_champion,
    log_training,
)
from customer360.pipeline.make_gold import replace_snapshots, snapshot_dates, snapshots
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings
from customer360.table_names import (
    CHURN_SCORES,
    CUSTOMER_DAYS,
    FEATURES,
    FIRST_ORDERS,
    HISTORY,
    LIFETIME_VALUE,
    REVENUE_PREDICTIONS,
    TRANSACTIONS,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scored:
    """What scoring wrote, and with which version of the model."""

    written: Commit
    model_version: str


def tracking_of(settings: Settings) -> Tracking:
    """Where this deployment tracks its trainings."""
    local = settings.tracking_uri.startswith("sqlite:")
    artifacts = settings.mlflow_dir / "artifacts" if local else None
    return Tracking(settings.tracking_uri, artifacts)


def champion_beside(
    load: Callable[[Tracking], Champion[Model]], settings: Settings
) -> tuple[Champion[Model] | None, tuple[str, ...]]:
    """The champion to judge a new model beside; where it cannot be read, why, as a note.

    A model that lost its files, or was made by other versions of libraries, must not keep the one
    from being trained that would replace it.
    """
    try:
        return load(tracking_of(settings)), ()
    except NoChampionError:
        return None, ()
    except Customer360Error as error:
        return None, (f"the champion is not judged beside: {error}",)


def lifetime_value_training(work: Workspace, as_of: date) -> LifetimeValueTraining:
    """Fit the lifetime-value models to what happened up to ``as_of``, judged on a holdout."""
    settings = work.deployment.settings
    champion, notes = champion_beside(load_lifetime_value_champion, settings)
    training = lifetime_value.train(
        work.lakehouse.read(CUSTOMER_DAYS),
        as_of,
        model=settings.lifetime_value_model,
        holdout_days=settings.lifetime_value_holdout_days,
        time_unit_days=settings.lifetime_value_time_unit_days,
        annual_discount_rate=settings.discount_rate_annual,
        champion=champion.judged if champion else None,
    )
    return replace(training, notes=(*training.notes, *notes))


def train_lifetime_value(
    work: Workspace, as_of: date
) -> tuple[LifetimeValueTraining, LoggedTraining]:
    """`lifetime_value_training`, logged, and promoted if it is better."""
    training = lifetime_value_training(work, as_of)
    settings = work.deployment.settings
    gate = lifetime_value_gate(settings.lifetime_value_promotion_figure, settings.promotion_margin)
    schema = _bought_schema(work, as_of, MODEL_FEATURES)
    return training, _logged(work, training, gate, schema)


def churn_training(work: Workspace, as_of: date) -> ChurnTraining:
    """Train the churn model on labels that are complete at ``as_of``."""
    settings = work.deployment.settings
    champion, notes = champion_beside(load_churn_champion, settings)
    training = churn.train(
        work.lakehouse.read(CUSTOMER_DAYS),
        as_of,
        horizon_days=settings.churn_horizon_days,
        activity_days=settings.churn_activity_days,
        max_training_rows=settings.churn_max_training_rows,
        trainer=settings.churn_trainer,
        campaign=Campaign(
            settings.churn_contact_cost, settings.churn_success_rate, settings.churn_margin
        ),
        champion=champion.model if champion else None,
    )
    return replace(training, notes=(*training.notes, *notes))


def train_churn(work: Workspace, as_of: date) -> tuple[ChurnTraining, LoggedTraining]:
    """`churn_training`, logged, and promoted if it is better."""
    training = churn_training(work, as_of)
    settings = work.deployment.settings
    gate = churn_gate(settings.churn_promotion_figure, settings.promotion_margin)
    schema = _bought_schema(work, as_of, of_churn.FEATURES)
    return training, _logged(work, training, gate, schema)


def revenue_training(work: Workspace, as_of: date) -> RevenueTraining:
    """Train the revenue model on labels that are complete at ``as_of``."""
    settings = work.deployment.settings
    champion, notes = champion_beside(load_revenue_champion, settings)
    training = revenue.train(
        work.lakehouse.read(CUSTOMER_DAYS),
        work.lakehouse.read(TRANSACTIONS),
        work.lakehouse.read(HISTORY),
        as_of,
        horizon_days=settings.revenue_horizon_days,
        max_training_rows=settings.revenue_max_training_rows,
        time_zone=work.deployment.zone,
        champion=champion.model if champion else None,
    )
    return replace(training, notes=(*training.notes, *notes))


def train_revenue(work: Workspace, as_of: date) -> tuple[RevenueTraining, LoggedTraining]:
    """`revenue_training`, logged, promoted if it is better, and its champion as a ``.pkl``."""
    training = revenue_training(work, as_of)
    settings = work.deployment.settings
    gate = revenue_gate(settings.revenue_promotion_figure, settings.promotion_margin)
    features = revenue_features(
        customer_features(work.lakehouse.read(CUSTOMER_DAYS), [as_of]),
        first_orders(
            work.lakehouse.read(TRANSACTIONS),
            work.lakehouse.read(HISTORY),
            [as_of],
            time_zone=work.deployment.zone,
        ),
    )
    schema = FeatureSchema.of(features, of_revenue.FEATURES)
    logged = _logged(work, training, gate, schema, (CUSTOMER_DAYS, TRANSACTIONS, HISTORY))
    export_revenue(settings)
    return training, logged


def export_revenue(settings: Settings) -> Path:
    """Write the revenue champion as a plain pickle, for `customer360 predict` and other programs.

    Returns:
        The file, in the deployment's home.

    Raises:
        NoChampionError: None has been trained yet.
    """
    champion = load_revenue_champion(tracking_of(settings))
    target = settings.revenue_pickle
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_suffix(".unfinished")
    unfinished.write_bytes(champion.model.dumps())
    unfinished.replace(target)
    return target


def _bought_schema(work: Workspace, as_of: date, columns: Sequence[str]) -> FeatureSchema:
    """Columns of ``gold/customer_features``, as they are made today; nothing is computed."""
    features = customer_features(work.lakehouse.read(CUSTOMER_DAYS), [as_of])
    return FeatureSchema.of(features, columns)


def _logged(
    work: Workspace,
    training: Training,
    gate: Gate,
    schema: FeatureSchema,
    tables: Sequence[str] = (CUSTOMER_DAYS,),
) -> LoggedTraining:
    log.info("logging the training in MLflow, and deciding which version scores")
    return log_training(
        training,
        tracking_of(work.deployment.settings),
        gate,
        schema=schema,
        table_versions={table: work.lakehouse.version(table) for table in tables},
        tags={"dagster_run_id": work.run_id},
    )


def features_of(work: Workspace, as_of: Sequence[date]) -> DataFrame:
    """gold/customer_features of ``as_of``.

    Raises:
        TableNotFoundError: A date has no snapshot of features.
    """
    missing = [str(day) for day in as_of if day not in snapshot_dates(work, FEATURES)]
    if missing:
        raise TableNotFoundError(
            f"{FEATURES} has no snapshot of {listed(missing)}: run `customer360 run --steps etl` "
            "for these dates first"
        )
    return snapshots(work, FEATURES, as_of)


def score_churn(work: Workspace, as_of: Sequence[date]) -> Scored:
    """Score the customers active at ``as_of`` with the champion.

    Raises:
        NoChampionError: No churn model has been trained.
        TableNotFoundError: A date has no snapshot of features.
        FeatureSchemaError: The champion was trained on other columns.
    """
    features = features_of(work, as_of)
    champion = load_churn_champion(tracking_of(work.deployment.settings))
    champion.check_schema(features, of_churn.FEATURES)
    scores = churn_scoring.score(features, champion.model, champion.name, champion.version)
    return Scored(replace_snapshots(work, CHURN_SCORES, scores, as_of), champion.version)


def score_lifetime_value(work: Workspace, as_of: Sequence[date]) -> Scored:
    """Score every customer at ``as_of`` with the champion.

    Raises:
        NoChampionError: No lifetime-value model has been trained.
        TableNotFoundError: A date has no snapshot of features.
        FeatureSchemaError: The champion was trained on other columns.
    """
    features = features_of(work, as_of)
    champion = load_lifetime_value_champion(tracking_of(work.deployment.settings))
    champion.check_schema(features, MODEL_FEATURES)
    scores = lifetime_value.score(features, champion.model, champion.name, champion.version)
    return Scored(replace_snapshots(work, LIFETIME_VALUE, scores, as_of), champion.version)


def score_revenue(work: Workspace, as_of: Sequence[date]) -> Scored:
    """Predict every customer's revenue at ``as_of`` with the champion.

    Raises:
        NoChampionError: No revenue model has been trained.
        TableNotFoundError: A date has no snapshot of features.
        FeatureSchemaError: The champion was trained on other columns.
    """
    features = revenue_features(features_of(work, as_of), snapshots(work, FIRST_ORDERS, as_of))
    champion = load_revenue_champion(tracking_of(work.deployment.settings))
    champion.check_schema(features, of_revenue.FEATURES)
    scores = revenue_scoring.score(features, champion.model, champion.name, champion.version)
    return Scored(replace_snapshots(work, REVENUE_PREDICTIONS, scores, as_of), champion.version)
