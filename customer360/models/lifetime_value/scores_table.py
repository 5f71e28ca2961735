"""Scoring: ``gold/lifetime_value`` from ``gold/customer_features`` and a fitted model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.types import StructType

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.models.baselines import LAST_YEAR
from customer360.models.business_age import scored_at_each_age
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    KnownScores,
    LifetimeValueModel,
)
from customer360.table_names import LIFETIME_VALUE

BATCH_ROWS = 100_000
"""Customers scored at a time: some 40 MB of figures."""


def score(
    features: DataFrame,
    model: LifetimeValueModel,
    model_name: str,
    model_version: str,
    *,
    intervals: bool = True,
) -> DataFrame:
    """``gold/lifetime_value`` for every row of ``gold/customer_features``.

    Args:
        features: Columns ``as_of``, ``customer_key`` and the model's ``features``: all customers
            of each as-of date.
        model: What to score with.
        model_name: Registered name of the model, written beside every score.
        model_version: Its version, written beside every score.
        intervals: Whether the ends of intervals are asked for; null otherwise.

    Returns:
        The columns of the table's contract: ``probability_alive`` (0 to 1), purchases, and amounts
        in the currency, each with its 90 % interval; then `LEAVING_FIGURES`; null where nothing
        is known, as with the past-average fallback.
    """
    contract = Contract.load(LIFETIME_VALUE)
    if model.blend is not None and LAST_YEAR in model.blend.names:
        inner = partial(_scored, contract=contract, intervals=intervals)
        scores = scored_at_each_age(features, lambda rows, days: inner(rows, model.at(days)))
    else:
        scores = _scored(features, model, contract, intervals=intervals)
    return scores.withColumns(
        {"model_name": F.lit(model_name), "model_version": F.lit(model_version)}
    ).select(*contract.column_names)


def _scored(
    features: DataFrame, model: LifetimeValueModel, contract: Contract, *, intervals: bool
) -> DataFrame:
    """The figures of all rows by a model, without the columns that say which it was."""

    def scored(batches: Iterable[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        known = KnownScores(model, intervals=intervals)
        for batch in gathered(batches, BATCH_ROWS):
            histories = pd.DataFrame({name: _numbers(batch[name]) for name in model.features})
            figures = model.figures(histories, known)
            # NumPy knows no null in a float column: the NaN of "not known" becomes one here.
            arrays = [pa.array(values, from_pandas=True) for values in figures.values()]
            yield pa.RecordBatch.from_arrays(
                [batch["as_of"], batch["customer_key"], *arrays],
                ["as_of", "customer_key", *figures],
            )

    ends = [name for name in FIGURES if name.endswith(("_low", "_high")) and not intervals]
    schema = spark_schema(contract)
    made = [f for f in schema if f.name not in (*ends, "model_name", "model_version")]
    inputs = features.select("as_of", "customer_key", *model.features)
    return inputs.mapInArrow(scored, StructType(made)).withColumns(
        {name: F.lit(None).cast("double") for name in ends}
    )


def gathered(batches: Iterable[pa.RecordBatch], rows: int) -> Iterator[pa.RecordBatch]:
    """The same rows in batches of at least so many, but for the last one.

    Of larger batches more customers share a history, and each is scored once.
    """
    waiting: list[pa.RecordBatch] = []
    for batch in batches:
        waiting.append(batch)
        if sum(each.num_rows for each in waiting) >= rows:
            yield _joined(waiting)
            waiting = []
    if waiting:
        yield _joined(waiting)


def _joined(batches: Sequence[pa.RecordBatch]) -> pa.RecordBatch:
    (whole,) = pa.Table.from_batches(batches).combine_chunks().to_batches()
    return whole


def _numbers(column: pa.Array) -> NDArray[Any]:
    return np.asarray(column.to_numpy(zero_copy_only=False))
