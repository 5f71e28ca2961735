"""Monitoring as assets: drift against training and realised performance, with checks that warn."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.orchestration.contract_checks import contract_checks, contract_results
from customer360.orchestration.failure import failing_in_one_line
from customer360.orchestration.metadata import asset_key, commit_metadata, day_list, table_spec
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.resources import SparkResource
from customer360.orchestration.running import require_snapshots, workspace
from customer360.table_names import CUSTOMER_DAYS, DRIFT, FEATURES, PERFORMANCE

if TYPE_CHECKING:
    import pandas as pd

    from customer360.models.notes import Note
    from customer360.pipeline import monitor

FEATURES_STABLE = "features_stable"
SCORES_STABLE = "scores_stable"
REALISED_PERFORMANCE = "realised_performance"

_NAMED = 10
"""Drifted columns that a check names; the table has all."""


def _scores() -> list[str]:
    """Scores that are watched for drift and held against what came: those of all models."""
    return [spec.scores for spec in MODELS]


def monitoring_assets(deployment: Deployment) -> list[dg.AssetsDefinition]:
    """Assets of gold/model_drift and gold/model_performance."""
    return [_drift_asset(deployment), _performance_asset(deployment)]


def _drift_asset(deployment: Deployment) -> dg.AssetsDefinition:
    settings = deployment.settings

    @dg.multi_asset(
        name="gold__model_drift",
        specs=[
            table_spec(
                Contract.load(DRIFT),
                partitions=AS_OF_PARTITIONS,
                deps=[FEATURES, *_scores()],
            )
        ],
        check_specs=[
            *contract_checks(Contract.load(DRIFT)),
            dg.AssetCheckSpec(
                FEATURES_STABLE,
                asset=asset_key(DRIFT),
                description="The features are distributed as when the champions were trained: no "
                f"population stability index above {settings.drift_limit:g}.",
            ),
            dg.AssetCheckSpec(
                SCORES_STABLE,
                asset=asset_key(DRIFT),
                description="So are the scores.",
            ),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def model_drift(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.models.notes import in_english
        from customer360.pipeline import monitor

        work = workspace(context, spark, deployment)
        as_of = as_of_dates(context, deployment)
        require_snapshots(context, work, [FEATURES, *_scores()], as_of)
        drift = monitor.make_model_drift(work, as_of)
        counts = drift.rows["as_of"].value_counts()
        for day in as_of:
            context.add_asset_metadata(
                {"dagster/partition_row_count": int(counts.get(day, 0))},
                asset_key=asset_key(DRIFT),
                partition_key=str(day),
            )
        yield dg.MaterializeResult(
            asset_key=asset_key(DRIFT),
            metadata=commit_metadata(
                drift.written, as_of=day_list(as_of), references=in_english(drift.notes)
            ),
            check_results=[
                *contract_results(work, Contract.load(DRIFT), as_of),
                _stable(FEATURES_STABLE, "feature", drift, settings.drift_limit),
                _stable(SCORES_STABLE, "score", drift, settings.drift_limit),
            ],
        )

    return model_drift


def _stable(check: str, kind: str, drift: "monitor.Drift", limit: float) -> dg.AssetCheckResult:
    """Passed when nothing of ``kind`` is above the limit and above what chance alone gives."""
    from customer360.models.notes import in_english

    watched = drift.rows[drift.rows["kind"] == kind]
    above = (watched["psi"] > limit) & (watched["psi"] > watched["psi_by_chance"])
    drifted = watched[above].sort_values("psi", ascending=False)
    notes = list(drift.notes)
    if len(drifted):
        notes.insert(0, _above(drifted, limit))
    return dg.AssetCheckResult(
        check_name=check,
        passed=drifted.empty,
        severity=dg.AssetCheckSeverity.WARN,
        description=in_english(notes),
        metadata={
            "compared": len(watched),
            "drifted": len(drifted),
            "largest_psi": float(watched["psi"].max()) if len(watched) else 0.0,
        },
    )


def _above(drifted: "pd.DataFrame", limit: float) -> "Note":
    """What has drifted, the furthest first."""
    from customer360.models.notes import Note

    named = [
        Note(
            "drifted",
            {"model": row.model, "column": row.feature, "psi": row.psi, "as_of": str(row.as_of)},
        )
        for row in drifted.head(_NAMED).itertuples()
    ]
    if len(drifted) > _NAMED:
        named.append(Note("more", {"number": len(drifted) - _NAMED}))
    return Note("drifted_above", {"limit": limit, "drifted": named})


def _performance_asset(deployment: Deployment) -> dg.AssetsDefinition:
    settings = deployment.settings

    @dg.multi_asset(
        name="gold__model_performance",
        specs=[
            table_spec(
                Contract.load(PERFORMANCE),
                partitions=AS_OF_PARTITIONS,
                deps=[CUSTOMER_DAYS, *_scores()],
            )
        ],
        check_specs=[
            *contract_checks(Contract.load(PERFORMANCE)),
            dg.AssetCheckSpec(
                REALISED_PERFORMANCE,
                asset=asset_key(PERFORMANCE),
                description="What came is what was predicted, by tenths: probabilities within "
                f"{settings.calibration_limit:g}, amounts within {settings.forecast_limit:.0%} of "
                "what came, beyond what chance alone would give. Judged are each model's newest "
                "scores whose horizon has passed.",
            ),
        ],
        backfill_policy=dg.BackfillPolicy.single_run(),
    )
    @failing_in_one_line
    def model_performance(
        context: dg.AssetExecutionContext, spark: SparkResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        from customer360.pipeline import monitor

        work = workspace(context, spark, deployment)
        performance = monitor.make_model_performance(work, as_of_dates(context, deployment))
        yield dg.MaterializeResult(
            asset_key=asset_key(PERFORMANCE),
            metadata={
                **(commit_metadata(performance.written) if performance.written else {}),
                "judged": day_list(performance.judged),
                "figures": dg.MetadataValue.md(_figures_table(performance.figures)),
            },
            check_results=[
                *contract_results(work, Contract.load(PERFORMANCE), performance.judged),
                _realised(performance.figures, settings.calibration_limit, settings.forecast_limit),
            ],
        )

    return model_performance


def _realised(
    figures: "pd.DataFrame", calibration_limit: float, forecast_limit: float
) -> dg.AssetCheckResult:
    from customer360.models.monitoring import judge
    from customer360.models.notes import Note, in_english

    judgements = judge(figures, calibration_limit, forecast_limit)
    missed = [each.came for each in judgements if each.missed]
    shown = missed or [each.came for each in judgements] or [Note("no_horizon_passed")]
    return dg.AssetCheckResult(
        check_name=REALISED_PERFORMANCE,
        passed=not missed,
        severity=dg.AssetCheckSeverity.WARN,
        description=in_english(shown),
    )


def _figures_table(figures: "pd.DataFrame") -> str:
    import pandas as pd

    from customer360.models.notes import Note, in_english

    if figures.empty:
        return in_english([Note("no_horizon_passed")])
    columns = ("customers", "predicted", "actual", "calibration_error", "mae", "mse", "roc_auc")
    lines = ["| scores of | prediction | " + " | ".join(columns) + " |"]
    lines.append("|---|---|" + "---:|" * len(columns))
    for row in figures.to_dict("records"):
        values = " | ".join("" if pd.isna(row[name]) else f"{row[name]:,.4g}" for name in columns)
        lines.append(f"| {row['as_of']} | {row['prediction']} | {values} |")
    return "\n".join(lines)
