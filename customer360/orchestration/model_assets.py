"""The models as assets: trained, judged beside their baselines, logged in MLflow."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.failure import told
from customer360.orchestration.metadata import as_of_deps, asset_key
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace
from customer360.table_names import (
    CHURN_MODEL,
    CUSTOMER_DAYS,
    HISTORY,
    LIFETIME_VALUE_MODEL,
    REVENUE_MODEL,
    TRANSACTIONS,
)

if TYPE_CHECKING:
    from customer360.models.tracking import LoggedTraining, Training
    from customer360.pipeline.workspace import Workspace

PROMOTED = "promoted"
NO_LEAKAGE = "no_leakage"
_PROMOTED_MEANS = "The new model beats the champion and the naive baselines, and is the champion."
_NO_LEAKAGE_MEANS = "No feature knows the label, and the model does as well on later days."

_LARGEST_PLOT = 200_000
"""Bytes of a plot that is shown in Dagster; all plots are in MLflow."""


def model_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of models/lifetime_value, models/churn and models/revenue."""
    return [
        _model_asset(
            deployment,
            LIFETIME_VALUE_MODEL,
            "BG/NBD, MBG/NBD or Pareto/NBD, and Gamma-Gamma: who is still a customer, how often "
            "each will buy and what each is worth. Judged on a holdout period, beside naive rules.",
            {"python", "mlflow"},
            {PROMOTED: _PROMOTED_MEANS},
        ),
        _model_asset(
            deployment,
            CHURN_MODEL,
            "XGBoost: who of the active customers will buy nothing in the horizon. Trained on "
            "earlier as-of dates, tested on a later one, beside the hiatus rule.",
            {"xgboost", "mlflow"},
            {PROMOTED: _PROMOTED_MEANS, NO_LEAKAGE: _NO_LEAKAGE_MEANS},
        ),
        _model_asset(
            deployment,
            REVENUE_MODEL,
            "scikit-learn and XGBoost: what each customer will bring in the days ahead, from the "
            "first order and the buying since. Tested on a later date, beside the mean and each "
            "customer's past average.",
            {"scikitlearn", "xgboost", "mlflow"},
            {PROMOTED: _PROMOTED_MEANS, NO_LEAKAGE: _NO_LEAKAGE_MEANS},
            (CUSTOMER_DAYS, TRANSACTIONS, HISTORY),
        ),
    ]


def _model_asset(
    deployment: Deployment,
    name: str,
    description: str,
    kinds: set[str],
    checks: Mapping[str, str],
    deps: Sequence[str] = (CUSTOMER_DAYS,),
) -> dg.AssetsDefinition:
    @dg.multi_asset(
        name=name.replace("/", "__"),
        specs=[
            dg.AssetSpec(
                key=asset_key(name),
                deps=as_of_deps(deps),
                group_name="models",
                owners=["team:data-science"],
                kinds=kinds,
                tags={"layer": "models", "personal_data": "no"},
                description=description,
                partitions_def=AS_OF_PARTITIONS,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec(check, asset=asset_key(name), description=meaning)
            for check, meaning in checks.items()
        ],
    )
    @told
    def model(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        work = workspace(context, spark, deployment)
        for day in as_of_dates(context, deployment):
            training, logged = _train(name, work, day)
            if not training.trained:
                context.log.warning("%s: %s", name, training.status)
            if not logged.verdict.promoted:
                context.log.warning("%s: not promoted: %s", name, logged.verdict.reason)
            context.add_asset_metadata(
                _training_metadata(training, logged),
                asset_key=asset_key(name),
                partition_key=str(day),
            )
        # Of the newest, which is the champion or was held against it last.
        yield dg.MaterializeResult(asset_key=asset_key(name))
        yield from _evaluated(asset_key(name), training, logged)

    return model


def _train(name: str, work: "Workspace", as_of: date) -> "tuple[Training, LoggedTraining]":
    # Imported where it runs: loading the definitions must not load what trains.
    from customer360.pipeline import run_models

    train: Mapping[str, Callable[..., tuple[Training, LoggedTraining]]] = {
        LIFETIME_VALUE_MODEL: run_models.train_lifetime_value,
        CHURN_MODEL: run_models.train_churn,
        REVENUE_MODEL: run_models.train_revenue,
    }
    return train[name](work, as_of)


def _evaluated(
    key: dg.AssetKey, training: "Training", logged: "LoggedTraining"
) -> Iterator[dg.AssetCheckResult]:
    """The checks of a training: they warn, because the champion goes on scoring."""
    from customer360.models.lifetime_value.training import LifetimeValueTraining

    verdict = logged.verdict
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=PROMOTED,
        passed=verdict.promoted and verdict.beats_baseline is not False,
        severity=dg.AssetCheckSeverity.WARN,
        description=verdict.reason,
    )
    if not isinstance(training, LifetimeValueTraining):
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=NO_LEAKAGE,
            passed=training.leaks.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description="; ".join(training.leaks.notes()) or "no feature knows the label",
        )


def _training_metadata(training: "Training", logged: "LoggedTraining") -> dict[str, Any]:
    found: dict[str, Any] = {
        "status": training.status,
        "as_of": str(training.as_of),
        "mlflow_run_id": logged.run_id,
        "model_version": f"{logged.model_name} v{logged.version}",
        "promotion": logged.verdict.reason,
        "metrics": dg.MetadataValue.md(_figures(training.metrics)),
        "parameters": dg.MetadataValue.json(dict(training.parameters)),
    }
    if training.notes:
        found["notes"] = "; ".join(training.notes)
    found["model_card"] = dg.MetadataValue.md(logged.card)
    if logged.url:
        found["mlflow"] = dg.MetadataValue.url(logged.url)
    for title, png in training.plots.items():
        if len(png) <= _LARGEST_PLOT:
            picture = base64.b64encode(png).decode()
            found[f"plot_{title}"] = dg.MetadataValue.md(
                f"![{title}](data:image/png;base64,{picture})"
            )
    return found


def _figures(metrics: Mapping[str, float]) -> str:
    lines = ["| figure | value |", "|---|---:|"]
    lines += [f"| {name} | {value:,.4g} |" for name, value in metrics.items()]
    return "\n".join(lines)
