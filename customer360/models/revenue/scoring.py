"""Scoring: ``gold/revenue_predictions`` from the features of a day and a revenue model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.models.business_age import scored_at_each_age
from customer360.models.reasons import no_reasons
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.reasons import reasons
from customer360.table_names import REVENUE_PREDICTIONS


def predictions(
    frame: pd.DataFrame, model: RevenueModel, *, with_reasons: bool = True
) -> pd.DataFrame:
    """Expected revenue, purchase probability and reasons of rows with the model's features."""
    why = reasons(model, frame) if with_reasons else no_reasons(frame)
    return pd.DataFrame(
        {
            "expected_revenue": model.predict(frame),
            "purchase_probability": model.purchase_probability(frame),
            **{name: why[name] for name in why.columns},
            "horizon_days": np.int32(model.horizon_days),
        },
        index=frame.index,
    )


def score(
    features: DataFrame,
    model: RevenueModel,
    model_name: str,
    model_version: str,
    *,
    with_reasons: bool = True,
) -> DataFrame:
    """``gold/revenue_predictions``: one row for each customer of the features.

    Args:
        features: From `revenue_features`: all customers of each as-of date.
        model: What to score with.
        model_name: Registered name of the model, written beside every score.
        model_version: Its version, written beside every score.
        with_reasons: Whether to say why; exact explanations cost more than all else.

    Returns:
        The columns of the contract; no rows when the model's kind is "none".

    Raises:
        RevenueModelError: The model was trained on other features.
    """
    model.check_features(features.columns)
    chosen = features.where(F.lit(False)) if model.kind == "none" else features

    schema = spark_schema(Contract.load(REVENUE_PREDICTIONS))

    def scored_by(rows: DataFrame, model: RevenueModel) -> DataFrame:
        def scored(batches: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
            for batch in batches:
                yield pd.concat(
                    [
                        batch[["as_of", "customer_key"]],
                        predictions(batch, model, with_reasons=with_reasons),
                    ],
                    axis=1,
                ).assign(model_name=model_name, model_version=model_version)

        return rows.mapInPandas(scored, schema)

    if not model.carries_last_year_on:
        return scored_by(chosen, model)
    return scored_at_each_age(chosen, lambda rows, days: scored_by(rows, model.at(days)))
