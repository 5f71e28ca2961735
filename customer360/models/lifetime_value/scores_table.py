"""Scoring: ``gold/lifetime_value`` from ``gold/customer_features`` and a fitted model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.models.baselines import YEAR_DAYS
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    LEAVING_FIGURES,
    KnownScores,
    LifetimeValueModel,
)
from customer360.table_names import LIFETIME_VALUE


def score(
    features: DataFrame, model: LifetimeValueModel, model_name: str, model_version: str
) -> DataFrame:
    """``gold/lifetime_value`` for every row of ``gold/customer_features``.

    Args:
        features: Columns ``as_of``, ``customer_key`` and the model's ``features``.
        model: What to score with.
        model_name: Registered name of the model, written beside every score.
        model_version: Its version, written beside every score.

    Returns:
        The columns of the table's contract: ``probability_alive`` (0 to 1), purchases, and amounts
        in the currency, each with its 90 % interval; then `LEAVING_FIGURES`; null where nothing
        is known, as with the past-average fallback.
    """
    model = _grown_with(features, model)

    def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        known = KnownScores(model)
        for batch in batches:
            scores = model.predict(batch, known)
            scores.insert(0, "customer_key", batch["customer_key"])
            scores.insert(0, "as_of", batch["as_of"])
            scores["model_name"] = model_name
            scores["model_version"] = model_version
            yield scores

    inputs = features.select("as_of", "customer_key", *model.features)
    scores = inputs.mapInPandas(scored, spark_schema(Contract.load(LIFETIME_VALUE)))
    # pandas knows no null in a float column: the NaN of "not known" becomes one here.
    return scores.withColumns(
        {name: F.nanvl(name, F.lit(None)) for name in (*FIGURES, *LEAVING_FIGURES)}
    )


def _grown_with(features: DataFrame, model: LifetimeValueModel) -> LifetimeValueModel:
    """The model when the business is as old as its oldest customer; by now it may have a year."""
    if model.blend is None or model.blend.rules.history_days >= YEAR_DAYS:
        return model
    oldest = features.agg(F.max("T")).first()
    return model.at(int(oldest[0])) if oldest and oldest[0] is not None else model
