"""Monitoring as assets: drift against training and realised performance, with checks that warn."""

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import dagster as dg

from customer360.deployment import Deployment
from customer360.models.registry import MODELS
from customer360.orchestration.metadata import commit_metadata, day_list
from customer360.orchestration.partitions import AS_OF_PARTITIONS, as_of_dates
from customer360.orchestration.running import dates_to_make
from customer360.orchestration.steps import Made, Step, step_asset, warns_of
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_DAYS, DRIFT, FEATURES, PERFORMANCE

if TYPE_CHECKING:
    import pandas as pd

    from customer360.models.notes import Note
    from customer360.pipeline import monitor
    from customer360.pipeline.workspace import Workspace

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
    steps = (_drift(deployment.settings), _performance(deployment.settings))
    return [step_asset(deployment, AS_OF_PARTITIONS, step) for step in steps]


def _drift(settings: Settings) -> Step:
    reads = (FEATURES, *_scores())
    return Step(
        (DRIFT,),
        partial(_drift_of, reads),
        reads,
        checks=(
            warns_of(
                DRIFT,
                FEATURES_STABLE,
                "The features are distributed as when the champions were trained: no population "
                f"stability index above {settings.drift_limit:g}.",
            ),
            warns_of(DRIFT, SCORES_STABLE, "So are the scores."),
        ),
    )


def _drift_of(
    reads: Sequence[str], context: dg.AssetExecutionContext, work: "Workspace"
) -> Sequence[Made]:
    from customer360.models.notes import in_english
    from customer360.pipeline import monitor

    as_of = dates_to_make(context, work, reads)
    drift = monitor.make_model_drift(work, as_of)
    metadata = commit_metadata(
        drift.written, as_of=day_list(as_of), references=in_english(drift.notes)
    )
    limit = work.deployment.settings.drift_limit
    checks = [
        _stable(FEATURES_STABLE, "feature", drift, limit),
        _stable(SCORES_STABLE, "score", drift, limit),
    ]
    return [Made(DRIFT, metadata, checks, as_of)]


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


def _performance(settings: Settings) -> Step:
    means = (
        "What came is what was predicted, by tenths: probabilities within "
        f"{settings.calibration_limit:g}, amounts within {settings.forecast_limit:.0%} of what "
        "came, beyond what chance alone would give. Judged are each model's newest scores whose "
        "horizon has passed."
    )
    return Step(
        (PERFORMANCE,),
        _performance_of,
        reads=(CUSTOMER_DAYS, *_scores()),
        checks=(warns_of(PERFORMANCE, REALISED_PERFORMANCE, means),),
    )


def _performance_of(context: dg.AssetExecutionContext, work: "Workspace") -> Sequence[Made]:
    from customer360.pipeline import monitor

    performance = monitor.make_model_performance(work, as_of_dates(context, work.deployment))
    metadata = {
        **(commit_metadata(performance.written) if performance.written else {}),
        "judged": day_list(performance.judged),
        "figures": dg.MetadataValue.md(_figures_table(performance.figures)),
    }
    settings = work.deployment.settings
    check = _realised(performance.figures, settings.calibration_limit, settings.forecast_limit)
    return [Made(PERFORMANCE, metadata, [check], performance.judged)]


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
