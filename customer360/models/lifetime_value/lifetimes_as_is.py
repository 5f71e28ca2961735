"""The ``lifetimes`` package on the same customers, used as its documentation does.

A comparison for people who know that package: BG/NBD and Gamma-Gamma fitted row by row with no
penalty, time in the same unit, and its own predictions for the holdout. What scores is not this:
see `fitting` for what differs and why.
"""

from __future__ import annotations

import contextlib
import io
import time
import warnings
from dataclasses import dataclass

import numpy as np
import pandas as pd

from customer360.models.evaluation import amount_metrics, prefixed
from customer360.models.notes import Note

NAME = "lifetimes"


@dataclass(frozen=True)
class LifetimesResult:
    """How `lifetimes` did on a holdout.

    Attributes:
        metrics: ``purchases_*`` and ``revenue_*``, as of the other models; empty when it failed.
        failure: Why a part could not be fitted, or predicts no number; ``None`` when all went well.
        seconds: For both fits.
        customers: Rows that it was fitted to and judged on.
    """

    metrics: dict[str, float]
    failure: Note | None
    seconds: float
    customers: int


def lifetimes_as_is(
    rows: pd.DataFrame, holdout_days: int, time_unit_days: int = 7
) -> LifetimesResult:
    """Fit `lifetimes`' BetaGeoFitter and GammaGammaFitter, and judge them on the holdout.

    Args:
        rows: One customer a row: ``frequency``, ``recency`` and ``T`` (days), ``monetary_value``,
            ``actual_purchases`` and ``actual_revenue`` of the holdout.
        holdout_days: Its days.
        time_unit_days: Days in a unit of model time.
    """
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    frequency = rows["frequency"].astype(float)
    recency, age = rows["recency"] / time_unit_days, rows["T"] / time_unit_days
    value = rows["monetary_value"].astype(float)
    valued = (frequency > 0) & (value > 0)
    started = time.perf_counter()
    try:
        # Its use of NumPy and pandas is its own affair, and it prints what the search said.
        with (
            warnings.catch_warnings(),
            np.errstate(all="ignore"),
            contextlib.redirect_stdout(io.StringIO()),
        ):
            warnings.simplefilter("ignore")
            purchases = BetaGeoFitter().fit(frequency, recency, age)
            spend = GammaGammaFitter().fit(frequency[valued], value[valued])
            seconds = time.perf_counter() - started
            bought = purchases.conditional_expected_number_of_purchases_up_to_time(
                holdout_days / time_unit_days, frequency, recency, age
            )
            spent = spend.conditional_expected_average_profit(frequency, value)
    except Exception as error:  # noqa: BLE001 - its own errors, SciPy's and NumPy's
        reason = " ".join(str(error).split()) or type(error).__name__
        seconds = time.perf_counter() - started
        return LifetimesResult(
            {}, Note("lifetimes_not_fitted", {"error": reason}), seconds, len(rows)
        )
    expected = {"purchases": np.asarray(bought, dtype=float)}
    expected["revenue"] = expected["purchases"] * np.asarray(spent, dtype=float)
    metrics: dict[str, float] = {}
    failure = None
    for amount, values in expected.items():
        actual = rows[f"actual_{amount}"].to_numpy(dtype=float)
        unknown = ~np.isfinite(values)
        if unknown.any():
            failure = Note(
                "lifetimes_predicts_no_number",
                {"customers": int(unknown.sum()), "all": len(rows)},
            )
            continue
        metrics |= prefixed(amount, amount_metrics(values, actual))
    return LifetimesResult(metrics, failure, seconds, len(rows))
