"""Training and scoring: from tables to MLflow, and from MLflow's champion to tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import DataFrame

from customer360.errors import TableNotFoundError, listed
from customer360.lakehouse.tables import Written
from customer360.models import churn, lifetime_value
from customer360.models.churn import ChurnTraining
from customer360.models.lifetime_value import LifetimeValueTraining
from customer360.models.profit import Campaign
from customer360.models.promotion import Gate, churn_gate, lifetime_value_gate
from customer360.models.tracking import (
    LoggedTraining,
    NoChampionError,
    Tracking,
    load_churn_champion,
    load_lifetime_value_champion,
    log_training,
)
from customer360.pipeline.load_silver import CUSTOMER_DAYS
from customer360.pipeline.make_gold import (
    CHURN_SCORES,
    FEATURES,
    LIFETIME_VALUE,
    existing_snapshots,
    replace_snapshots,
    snapshots,
)
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings


@dataclass(frozen=True)
class Scored:
    """What scoring wrote, and with which version of the model."""

    written: Written
    model_version: str


def tracking_of(settings: Settings) -> Tracking:
    """Where this deployment tracks its trainings."""
    local = settings.tracking_uri.startswith("sqlite:")
    artifacts = settings.mlflow_dir / "artifacts" if local else None
    return Tracking(settings.tracking_uri, artifacts)


def _trained_on(work: Workspace) -> dict[str, int]:
    return {CUSTOMER_DAYS: work.lakehouse.version(CUSTOMER_DAYS)}


def train_lifetime_value(
    work: Workspace, as_of: date
) -> tuple[LifetimeValueTraining, LoggedTraining]:
    """Fit BG/NBD and Gamma-Gamma to what happened up to ``as_of``, judged on a holdout."""
    settings = work.deployment.settings
    try:
        champion = load_lifetime_value_champion(tracking_of(settings)).judged
    except NoChampionError:
        champion = None
    training = lifetime_value.train(
        work.lakehouse.read(CUSTOMER_DAYS),
        as_of,
        model=settings.lifetime_value_model,
        holdout_days=settings.lifetime_value_holdout_days,
        time_unit_days=settings.lifetime_value_time_unit_days,
        annual_discount_rate=settings.discount_rate_annual,
        champion=champion,
    )
    gate = lifetime_value_gate(settings.lifetime_value_promotion_figure, settings.promotion_margin)
    return training, _logged(work, training, gate)


def train_churn(work: Workspace, as_of: date) -> tuple[ChurnTraining, LoggedTraining]:
    """Train the churn model on labels that are complete at ``as_of``."""
    settings = work.deployment.settings
    try:
        champion = load_churn_champion(tracking_of(settings)).model
    except NoChampionError:
        champion = None
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
        champion=champion,
    )
    gate = churn_gate(settings.churn_promotion_figure, settings.promotion_margin)
    return training, _logged(work, training, gate)


def _logged(
    work: Workspace, training: ChurnTraining | LifetimeValueTraining, gate: Gate
) -> LoggedTraining:
    return log_training(
        training,
        tracking_of(work.deployment.settings),
        gate,
        table_versions=_trained_on(work),
        tags={"dagster_run_id": work.run_id},
    )


def features_of(work: Workspace, as_of: Sequence[date]) -> DataFrame:
    """gold/customer_features of ``as_of``.

    Raises:
        TableNotFoundError: A date has no snapshot of features.
    """
    missing = [str(day) for day in as_of if day not in existing_snapshots(work)]
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
    """
    features = features_of(work, as_of)
    champion = load_churn_champion(tracking_of(work.deployment.settings))
    scores = churn.score(features, champion.model, champion.version)
    return Scored(replace_snapshots(work, CHURN_SCORES, scores, as_of), champion.version)


def score_lifetime_value(work: Workspace, as_of: Sequence[date]) -> Scored:
    """Score every customer at ``as_of`` with the champion.

    Raises:
        NoChampionError: No lifetime-value model has been trained.
        TableNotFoundError: A date has no snapshot of features.
    """
    features = features_of(work, as_of)
    champion = load_lifetime_value_champion(tracking_of(work.deployment.settings))
    scores = lifetime_value.score(features, champion.model, champion.version)
    return Scored(replace_snapshots(work, LIFETIME_VALUE, scores, as_of), champion.version)
