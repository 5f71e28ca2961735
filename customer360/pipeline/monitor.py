"""Monitoring: snapshots beside what the champions were trained on, and scores beside what came."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from customer360.contracts import Contract
from customer360.contracts.spark import from_arrow, spark_schema
from customer360.lakehouse.delta_log import Commit
from customer360.lakehouse.tables import Folders
from customer360.models.monitoring import (
    performance_by_decile,
    psi,
    realised_figures,
    reference_profile,
)
from customer360.models.notes import Note
from customer360.models.registry import models_by_title
from customer360.models.spec import ModelSpec
from customer360.models.tracking import CHAMPION, registered_versions
from customer360.pipeline.make_gold import snapshot_dates, snapshots
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.workspace import Workspace, changed_days, consumed_version, days_note
from customer360.table_names import AS_OF, CUSTOMER_DAYS, DRIFT, PERFORMANCE


@dataclass(frozen=True)
class Drift:
    """What the drift step found.

    Attributes:
        written: The commit.
        rows: The rows that were written.
        notes: Of each model: why it has no rows, or what its reference is.
    """

    written: Commit
    rows: pd.DataFrame
    notes: tuple[Note, ...]


def make_model_drift(work: Workspace, as_of: Sequence[date]) -> Drift:
    """Make gold/model_drift of ``as_of``: each champion's features and scores, against training.

    The reference is the snapshot of scored customers of the day that the champion was trained
    for, or the newest before it: gold keeps it, so nothing else has to be stored with the model.
    """
    contract = Contract.load(DRIFT)
    frames, notes = [], []
    for model in models_by_title().values():
        rows, note = _drift_of(work, model, as_of)
        frames.append(rows.assign(model=model.name))
        notes.append(note)
    rows = _concatenated(contract, frames)
    return Drift(_replace(work, contract, rows, as_of), rows, tuple(notes))


def _drift_of(
    work: Workspace, model: ModelSpec[Any], as_of: Sequence[date]
) -> tuple[pd.DataFrame, Note]:
    versions = registered_versions(model, tracking_of(work.deployment.settings))
    champion = next((version for version in versions if CHAMPION in version.aliases), None)
    if champion is None or not champion.as_of:
        return pd.DataFrame(), Note("drift_without_champion", {"model": model.name})
    trained = {"model": model.name, "version": champion.version, "trained_for": champion.as_of}
    earlier = [day for day in snapshot_dates(work, model.scores) if str(day) <= champion.as_of]
    if not earlier:
        return pd.DataFrame(), Note("drift_without_reference", trained | {"table": model.scores})
    reference = max(earlier)
    # Kept: the join is dearer than the counting, which reads its rows four times.
    scored = _scored(work, model, [reference, *as_of]).persist()
    try:
        profile = reference_profile(
            scored.where(F.col(AS_OF) == F.lit(reference)),
            numeric=(*model.numeric_features, *model.watched),
            categorical=model.categorical_features,
        )
        rows = psi(profile, scored.where(F.col(AS_OF).isin(*as_of)))
    finally:
        scored.unpersist()
    rows = rows.assign(reference_as_of=reference, model_version=champion.version)
    rows["kind"] = rows["feature"].isin(model.watched).map({True: "score", False: "feature"})
    basis = Note("drift_basis", trained | {"reference": str(reference)})
    return rows, basis if len(rows) else Note("drift_of_nobody", {"basis": basis})


def _scored(work: Workspace, model: ModelSpec[Any], as_of: Sequence[date]) -> DataFrame:
    """Features and scores of the customers whom the model scored."""
    scores = snapshots(work, model.scores, as_of).select(AS_OF, "customer_key", *model.watched)
    features = model.feature_frame(lambda table: snapshots(work, table, as_of)).select(
        AS_OF, "customer_key", *model.features
    )
    return features.join(scores, [AS_OF, "customer_key"])


@dataclass(frozen=True)
class Performance:
    """What the performance step found.

    Attributes:
        written: The commit; ``None`` when no date was due.
        figures: The figures of each model's newest date that is judged (`realised_figures`).
        judged: The dates that were judged now.
    """

    written: Commit | None
    figures: pd.DataFrame
    judged: tuple[date, ...]


@dataclass(frozen=True, order=True)
class _Run:
    """Scores of one model for one date."""

    as_of: date
    horizon_days: int
    model_version: str

    def passed(self, newest: date) -> bool:
        return self.as_of + timedelta(days=self.horizon_days) <= newest

    def looked_at(self, days: Collection[date]) -> bool:
        last = self.as_of + timedelta(days=self.horizon_days)
        return any(self.as_of < day <= last for day in days)


def make_model_performance(work: Workspace, as_of: Collection[date]) -> Performance:
    """Judge the scores whose horizon has passed by the newest day of data.

    Judged are dates that are not in gold/model_performance yet, those of ``as_of`` that another
    version has scored since, and those in whose horizon a day was loaded again since last time.
    """
    contract = Contract.load(PERFORMANCE)
    upstream = work.lakehouse.version(CUSTOMER_DAYS)
    days = changed_days(
        work.lakehouse, CUSTOMER_DAYS, consumed_version(work.lakehouse, PERFORMANCE), upstream
    )
    history = work.lakehouse.read(CUSTOMER_DAYS)
    newest = history.agg(F.max("business_date")).first()
    table = pd.DataFrame(columns=list(contract.column_names))
    if work.lakehouse.exists(PERFORMANCE):
        table = work.lakehouse.read(PERFORMANCE).toArrow().to_pandas()
    judged: set[date] = set()
    for model in models_by_title().values():
        mine = table["model"] == model.name
        known = {
            _Run(*run)
            for run in table.loc[mine, ["as_of", "horizon_days", "model_version"]].itertuples(
                index=False
            )
        }
        # Versions of dates that are judged already need not be read again to be known.
        settled = {run.as_of for run in known if not run.looked_at(days)} - set(as_of)
        due = {
            run
            for run in _runs(work, model, set(snapshot_dates(work, model.scores)) - settled)
            if newest is not None and newest[0] is not None and run.passed(newest[0])
        }
        if due:
            dates = {run.as_of for run in due}
            fresh = _performance_of(work, model, history, due).assign(model=model.name)
            table = _concatenated(contract, [table[~(mine & table["as_of"].isin(dates))], fresh])
            judged |= dates
    written = None
    if judged or not work.lakehouse.exists(PERFORMANCE):
        made = table[table["as_of"].isin(judged)]
        written = _replace(work, contract, made, sorted(judged), upstream=upstream)
    newest_of = table.groupby(["model", "prediction"])["as_of"].transform("max")
    figures = realised_figures(table[table["as_of"] == newest_of])
    return Performance(written, figures, tuple(sorted(judged)))


def _runs(work: Workspace, model: ModelSpec[Any], dates: Iterable[date]) -> set[_Run]:
    if not dates:
        return set()
    scores = _with_horizon(model, snapshots(work, model.scores, sorted(dates)))
    rows = scores.select(AS_OF, "horizon_days", "model_version").distinct().collect()
    return {_Run(*row) for row in rows}


def _with_horizon(model: ModelSpec[Any], scores: DataFrame) -> DataFrame:
    if model.judged_days is None:
        return scores
    return scores.withColumn("horizon_days", F.lit(model.judged_days))


def _performance_of(
    work: Workspace, model: ModelSpec[Any], history: DataFrame, due: set[_Run]
) -> pd.DataFrame:
    """Rows of all runs that are due; those of one horizon come out of one pass a prediction."""
    frames = []
    for horizon in sorted({run.horizon_days for run in due}):
        dates = sorted({run.as_of for run in due if run.horizon_days == horizon})
        scores = _with_horizon(model, snapshots(work, model.scores, dates))
        of_horizon = scores.where(F.col("horizon_days") == horizon)
        outcomes = model.outcomes(of_horizon, history, dates, horizon)
        frames += [
            performance_by_decile(outcomes, predicted, actual).toArrow().to_pandas()
            for predicted, actual in model.judged.items()
        ]
    return pd.concat(frames)


def _concatenated(contract: Contract, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of all ``frames`` that have any, in the contract's columns and key order."""
    columns = list(contract.column_names)
    filled = [frame for frame in frames if len(frame)]
    if not filled:
        return pd.DataFrame(columns=columns)
    key = list(contract.primary_key)
    return pd.concat(filled)[columns].sort_values(key, ignore_index=True)


def _replace(
    work: Workspace, contract: Contract, rows: pd.DataFrame, days: Sequence[date], **more: int
) -> Commit:
    """Put ``rows`` in place of those of ``days``; a few rows a day are not worth a file each."""
    schema = to_arrow_schema(spark_schema(contract))
    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False)
    frame = from_arrow(work.spark, table)
    return work.lakehouse.replace_days(
        contract,
        frame.coalesce(1),
        AS_OF,
        days,
        folders=Folders.NONE,
        note=days_note(days, **more),
    )
