"""Scoring: ``gold/churn_scores`` from ``gold/customer_features`` and a churn model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.models.churn.features import FEATURES
from customer360.models.churn.model import ChurnModel
from customer360.models.churn.rows import active
from customer360.models.reasons import REASON_COLUMNS, no_reasons
from customer360.table_names import CHURN_SCORES


def score(
    features: DataFrame,
    model: ChurnModel,
    model_name: str,
    model_version: str,
    *,
    with_reasons: bool = True,
) -> DataFrame:
    """``gold/churn_scores``: one row for each customer active at the features' as-of date.

    Args:
        features: ``gold/customer_features``.
        model: What to score with.
        model_name: Registered name of the model, written beside every score.
        model_version: Its version, written beside every score.
        with_reasons: Whether to say why; exact explanations cost more than all else.

    Returns:
        The columns of the contract; ``churn_probability`` is the probability of no purchase in
        the ``horizon_days`` after ``as_of``; the reasons are those of `ChurnModel.reasons`. No
        rows when the model's kind is "none".

    Raises:
        ChurnModelError: The model was trained on other features.
    """
    model.check_features()
    columns = ["as_of", "customer_key", *FEATURES]
    chosen = active(features, model.activity_days).select(*columns)
    if model.kind == "none":
        chosen = chosen.where(F.lit(False))

    def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        booster = model.load_booster() if model.booster else None
        for batch in batches:
            probabilities = model.probabilities(batch, booster)
            reasons = (
                model.reasons(batch, probabilities, booster) if with_reasons else no_reasons(batch)
            )
            yield pd.DataFrame(
                {
                    "as_of": batch["as_of"],
                    "customer_key": batch["customer_key"],
                    "churn_probability": probabilities,
                    "risk": model.risks(probabilities),
                    **{name: reasons[name] for name in REASON_COLUMNS},
                    "horizon_days": np.int32(model.horizon_days),
                    "activity_window_days": np.int32(model.activity_days),
                    "model_name": model_name,
                    "model_version": model_version,
                }
            )

    return chosen.mapInPandas(scored, spark_schema(Contract.load(CHURN_SCORES)))
