"""Training and scoring lifetime value as a nightly run does: from tables, by Spark, into Delta.

Simulated customers, as in `benchmarks.models`. Training reads ``silver/customer_days`` and chooses
among all candidates; scoring reads ``gold/customer_features`` and writes ``gold/lifetime_value``,
bound by its contract. Each is done twice in one session; the second time is what is told, for the
first one compiles.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from benchmarks.models import DAYS, PURCHASES, SPEND, WEEK, simulate
from customer360.cli.common import open_lakehouse
from customer360.contracts import Contract
from customer360.lakehouse.tables import Lakehouse
from customer360.models.lifetime_value.scores_table import score
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360.models.lifetime_value.training import train
from customer360.settings import load_settings
from customer360.table_names import LIFETIME_VALUE

AS_OF = date(2026, 1, 1)
CHUNK = 1_000_000
SMALL_ERRORS = 1e-4
"""Variance of each log-parameter: what some hundred thousand customers leave unknown."""

MODEL = LifetimeValueModel(
    WEEK,
    PURCHASES,
    SPEND,
    35.0,
    0.1,
    frozen(np.eye(4) * SMALL_ERRORS),
    frozen(np.eye(3) * SMALL_ERRORS),
)


def measure_at_scale(scored: int, trained: int) -> dict[str, float]:
    """Seconds by name, of scoring and training so many customers."""
    facts: dict[str, float] = {}
    with tempfile.TemporaryDirectory(prefix="customer360-bench-") as folder:
        home = Path(folder)
        lakehouse = open_lakehouse(load_settings(home))
        _write_features(home / "features", scored)
        _write_days(home / "days", trained)
        for intervals in (False, True):
            scoring = partial(_score, lakehouse, home / "features", intervals)
            facts[f"score_intervals_{intervals}"] = _second(scoring)
        days = lakehouse.spark.read.parquet(str(home / "days"))
        facts["train"] = _second(lambda: train(days, AS_OF))
        lakehouse.spark.stop()
    return facts


def _second(work: Callable[[], object]) -> float:
    work()
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


def _score(lakehouse: Lakehouse, features: Path, intervals: bool) -> None:
    frame = lakehouse.spark.read.parquet(str(features))
    scores = score(frame, MODEL, "lifetime_value", "1", intervals=intervals)
    lakehouse.replace_days(Contract.load(LIFETIME_VALUE), scores, "as_of", [AS_OF])


def _keys(first: int, count: int) -> NDArray[np.str_]:
    return np.char.mod("%064x", np.arange(first, first + count))


def _write_features(folder: Path, customers: int) -> None:
    folder.mkdir()
    for first in range(0, customers, CHUNK):
        count = min(CHUNK, customers - first)
        rows = simulate(count, seed=first)
        table = pa.table(
            {"as_of": pa.array([AS_OF] * count), "customer_key": pa.array(_keys(first, count))}
            | {name: pa.array(rows[name].to_numpy()) for name in rows}
        )
        pq.write_table(table, folder / f"{first:012}.parquet")


def _write_days(folder: Path, customers: int) -> None:
    """Purchase days of simulated histories: first and last as they are, the others between them."""
    folder.mkdir()
    random = np.random.default_rng(0)
    rows = simulate(customers, seed=1)
    repeats, last, age = (rows[name].to_numpy() for name in ("frequency", "recency", "T"))
    owner = np.repeat(np.arange(customers), repeats + 1)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(repeats + 1) - repeats - 1, repeats + 1)
    since = np.round(random.random(len(owner)) * last[owner]).astype(int)
    since[position == 0] = 0
    is_last = position == repeats[owner]
    since[is_last] = last[owner][is_last]
    day, who = np.divmod(np.unique((DAYS - age[owner] + since) * customers + owner), customers)
    spent = np.round(np.maximum(rows["monetary_value"].to_numpy(), 1.0)[who], 2)
    begun = np.datetime64(AS_OF - timedelta(days=DAYS))
    amount = pa.array(spent).cast(pa.decimal128(18, 2))
    ones, none = pa.array(np.ones(len(who), dtype=np.int32)), pa.nulls(len(who), pa.string())
    table = pa.table(
        {
            "customer_key": pa.array(_keys(0, customers)).take(pa.array(who)),
            "business_date": pa.array((begun + day).astype("datetime64[D]")),
            "orders": ones,
            "refunds": pa.array(np.zeros(len(who), dtype=np.int32)),
            "items": ones,
            "gross_revenue": amount,
            "refunded": pa.array(np.zeros(len(who))).cast(pa.decimal128(18, 2)),
            "net_revenue": amount,
            "channel": none,
            "category": none,
            "review_score": pa.nulls(len(who), pa.float64()),
        }
    )
    pq.write_table(table, folder / "days.parquet")
