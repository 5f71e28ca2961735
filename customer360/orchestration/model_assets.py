"""The models as assets: trained, judged beside their baselines, logged in MLflow."""

import base64
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.models.spec import ModelSpec
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import as_of_deps, asset_key
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import workspace

if TYPE_CHECKING:
    from customer360.models.tracking import LoggedTraining
    from customer360.models.training import Training

PROMOTED = "promoted"
NO_LEAKAGE = "no_leakage"
_PROMOTED_MEANS = "The new model beats the champion and the naive baselines, and is the champion."
_NO_LEAKAGE_MEANS = "No feature knows the label, and the model does as well on later days."

_LARGEST_PLOT = 200_000
"""Bytes of a plot that is shown in Dagster; all plots are in MLflow."""


def model_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of all models."""
    return [_model_asset(deployment, spec) for spec in MODELS]


def _model_asset(deployment: Deployment, spec: ModelSpec[Any]) -> dg.AssetsDefinition:
    key = asset_key(spec.asset)
    checks = {PROMOTED: _PROMOTED_MEANS}
    if spec.leaks_checked:
        checks[NO_LEAKAGE] = _NO_LEAKAGE_MEANS

    @dg.multi_asset(
        name=spec.asset.replace("/", "__"),
        specs=[
            dg.AssetSpec(
                key=key,
                deps=as_of_deps(spec.learns_from),
                group_name="models",
                owners=["team:data-science"],
                kinds=set(spec.kinds),
                tags={"layer": "models", "personal_data": "no"},
                description=spec.description,
                partitions_def=AS_OF_PARTITIONS,
            )
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
        check_specs=[
            dg.AssetCheckSpec(check, asset=key, description=meaning)
            for check, meaning in checks.items()
        ],
    )
    @failing_in_one_line
    def model(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        # Imported where it runs: loading the definitions must not load what trains.
        from customer360.models.notes import in_english
        from customer360.pipeline import run_models

        work = workspace(context, spark, deployment)
        for day in as_of_dates(context, deployment):
            training, logged = run_models.train(work, spec, day)
            if not training.trained:
                why = in_english(training.because)
                context.log.warning("%s: fallback: %s", spec.asset, why)
            if not logged.verdict.promoted:
                why = in_english([logged.verdict.reason])
                context.log.warning("%s: not promoted: %s", spec.asset, why)
            context.add_asset_metadata(
                _training_metadata(training, logged),
                asset_key=key,
                partition_key=str(day),
            )
        # Of the newest, which is the champion or was held against it last.
        yield dg.MaterializeResult(asset_key=key)
        yield from _evaluated(key, training, logged)

    return model


def _evaluated(
    key: dg.AssetKey, training: "Training[Any]", logged: "LoggedTraining"
) -> Iterator[dg.AssetCheckResult]:
    """The checks of a training: they warn, because the champion goes on scoring."""
    from customer360.models.notes import in_english

    verdict = logged.verdict
    yield dg.AssetCheckResult(
        asset_key=key,
        check_name=PROMOTED,
        passed=verdict.promoted and verdict.beats_baseline is not False,
        severity=dg.AssetCheckSeverity.WARN,
        description=in_english([verdict.reason]),
    )
    if training.leaks is not None:
        yield dg.AssetCheckResult(
            asset_key=key,
            check_name=NO_LEAKAGE,
            passed=training.leaks.passed,
            severity=dg.AssetCheckSeverity.WARN,
            description=in_english(training.leaks.notes()) or "no feature knows the label",
        )


def _training_metadata(training: "Training[Any]", logged: "LoggedTraining") -> dict[str, Any]:
    from customer360.language import Language
    from customer360.models.notes import in_english

    english = Language("en")
    metadata: dict[str, Any] = {
        "status": training.status,
        "as_of": str(training.as_of),
        "mlflow_run_id": logged.run_id,
        "model_version": f"{logged.model_name} v{logged.version}",
        "promotion": in_english([logged.verdict.reason]),
        "metrics": dg.MetadataValue.md(_metrics_table(training.metrics)),
        "parameters": dg.MetadataValue.json(dict(training.parameters)),
    }
    for name, notes in (("fallback", training.because), ("notes", training.notes)):
        if notes:
            metadata[name] = in_english(notes)
    metadata["model_card"] = dg.MetadataValue.md(logged.card)
    if logged.url:
        metadata["mlflow"] = dg.MetadataValue.url(logged.url)
    for name, png in training.plots.items():
        if len(png) <= _LARGEST_PLOT:
            picture = base64.b64encode(png).decode()
            title = english.named("plot", name)
            metadata[f"plot_{name}"] = dg.MetadataValue.md(
                f"![{title}](data:image/png;base64,{picture})"
            )
    return metadata


def _metrics_table(metrics: Mapping[str, float]) -> str:
    lines = ["| figure | value |", "|---|---:|"]
    lines += [f"| {name} | {value:,.4g} |" for name, value in metrics.items()]
    return "\n".join(lines)
