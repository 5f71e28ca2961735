"""What analysts of purchase models look at: tables of what was expected beside what came.

All of them come from counted cells and days, so none needs a customer's row. Cells of the
calibration period have ``frequency``, ``recency``, ``T`` (days) and ``customers`` (count); cells
of the holdout also ``purchases`` (their sum in the holdout) and ``buyers`` (customers with one or
more).

Sources: Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way", Marketing Science
24(2), figures 2 to 4; the vignette of the R package BTYD for the rest.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from customer360.models.baselines import PAST_AVERAGE, past_average_purchases
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel
from customer360.models.lifetime_value.scoring import LifetimeValueModel

FREQUENCY_BUCKETS = 7
"""Customers with this many repeat purchases or more share a row."""

RECENCY_BUCKETS = 12
"""Rows of repeat buyers by recency, at most."""

TENTHS = 10
_WEEK_DAYS = 7


def purchases_by_frequency(
    cells: pd.DataFrame, model: LifetimeValueModel, holdout_days: int
) -> pd.DataFrame:
    """Holdout purchases a customer by repeat purchases before: actual, model, past average.

    Args:
        cells: Of the holdout.
        model: Fitted to the calibration period only.
        holdout_days: Length of the holdout.

    Returns:
        Columns ``frequency`` (7 = 7 or more), ``customers``, ``actual``, ``model`` and
        ``past_average`` (means a customer).
    """
    bucket = cells["frequency"].clip(upper=FREQUENCY_BUCKETS).rename("frequency")
    return _means(cells, bucket, model, holdout_days)


def purchases_by_recency(
    cells: pd.DataFrame, model: LifetimeValueModel, holdout_days: int
) -> pd.DataFrame:
    """Holdout purchases a customer by recency: actual, model, past average.

    Customers without a repeat purchase have recency 0 and are a row of their own; the others are
    in `RECENCY_BUCKETS` rows at most, of equally many whole weeks.

    Args:
        cells: Of the holdout.
        model: Fitted to the calibration period only.
        holdout_days: Length of the holdout.

    Returns:
        Columns ``recency`` (largest of the row, in days), ``customers``, ``actual``, ``model``
        and ``past_average`` (means a customer).
    """
    longest = int(cells["recency"].max()) if len(cells) else 0
    width = max(-(-longest // (RECENCY_BUCKETS * _WEEK_DAYS)), 1) * _WEEK_DAYS
    bucket = (-(-cells["recency"] // width) * width).rename("recency")
    return _means(cells, bucket, model, holdout_days)


def _means(
    cells: pd.DataFrame, bucket: pd.Series, model: LifetimeValueModel, holdout_days: int
) -> pd.DataFrame:
    customers = cells["customers"]
    expected = model.expected_purchases(cells, (float(holdout_days),))[:, 0]
    carried_on = past_average_purchases(cells["frequency"], cells["T"], holdout_days)
    sums = (
        pd.DataFrame(
            {
                "customers": customers,
                "actual": cells["purchases"],
                "model": expected * customers,
                PAST_AVERAGE: carried_on * customers,
            }
        )
        .groupby(bucket)
        .sum()
        .reset_index()
    )
    for name in ("actual", "model", PAST_AVERAGE):
        sums[name] = sums[name] / sums["customers"]
    return sums


def frequency_histogram(
    cells: pd.DataFrame, purchases: PurchaseModel, time_unit_days: int
) -> pd.DataFrame:
    """Customers by repeat purchases in the calibration period: counted, and by the model.

    The expected counts are sums of P(X(T) = x) over the customers' ages T: exact for BG/NBD
    (Fader, Hardie and Lee 2005, eq. 8) and MBG/NBD, by quadrature for Pareto/NBD; see
    `PurchaseModel.survival_of_new`.

    Args:
        cells: Of the calibration period.
        purchases: Fitted to them.
        time_unit_days: Days in a unit of the model's time.

    Returns:
        Columns ``frequency`` (7 = 7 or more), ``actual`` and ``expected`` (customers).
    """
    buckets = np.arange(FREQUENCY_BUCKETS + 1)
    counted = np.bincount(
        cells["frequency"].clip(upper=FREQUENCY_BUCKETS), cells["customers"], len(buckets)
    )
    by_age = cells.groupby("T")["customers"].sum()
    at_least = purchases.survival_of_new(
        buckets[:, None], by_age.index.to_numpy()[None, :] / time_unit_days
    ) @ by_age.to_numpy(dtype=float)
    expected = -np.diff(at_least, append=0.0)
    return pd.DataFrame({"frequency": buckets, "actual": counted, "expected": expected})


def buyers_by_probability_alive(
    cells: pd.DataFrame, purchases: PurchaseModel, time_unit_days: int, holdout_days: int
) -> pd.DataFrame:
    """Who bought in the holdout by tenth of the probability alive, beside who should have.

    Whether a customer is alive cannot be seen, and one who is may still buy nothing. So the share
    who bought is compared with the model's own probability of one purchase or more in the
    holdout, P(alive) x P(at least one | alive), and not with the probability alive itself.

    Args:
        cells: Of the holdout.
        purchases: Fitted to the calibration period only.
        time_unit_days: Days in a unit of the model's time.
        holdout_days: Length of the holdout.

    Returns:
        Columns ``group`` (1 = least probably alive; equal probabilities stay in one group, so
        there may be fewer than ten), ``customers``, ``probability_alive``, ``expected`` and
        ``bought`` (means a customer).
    """
    unit = time_unit_days
    x, age = cells["frequency"].to_numpy(dtype=float), cells["T"].to_numpy() / unit
    alive = purchases.probability_alive(x, cells["recency"].to_numpy() / unit, age)
    bought = alive * purchases.survival_if_alive(1, holdout_days / unit, x, age)
    customers = cells["customers"].to_numpy(dtype=float)
    sums = (
        pd.DataFrame(
            {
                "customers": cells["customers"].to_numpy(),
                "probability_alive": alive * customers,
                "expected": bought * customers,
                "bought": cells["buyers"].to_numpy(dtype=float),
            }
        )
        .groupby(_tenths(alive, customers))
        .sum()
        .reset_index(drop=True)
    )
    for name in ("probability_alive", "expected", "bought"):
        sums[name] = sums[name] / sums["customers"]
    sums.insert(0, "group", np.arange(1, len(sums) + 1))
    return sums


def _tenths(values: Floats, weights: Floats) -> Floats:
    """Tenth of each value by its mean rank, ties together; as `evaluation.calibration_table`."""
    _, where = np.unique(values, return_inverse=True)
    tied = np.bincount(where, weights)
    rank = np.cumsum(tied) - (tied - 1) / 2
    return np.asarray(np.minimum(np.ceil(rank / tied.sum() * TENTHS - 1e-9), TENTHS)[where])


def calibration_error(table: pd.DataFrame) -> float:
    """Mean gap of ``expected`` and ``bought`` over the groups, weighted by their customers."""
    gap = (table["expected"] - table["bought"]).abs()
    return float((gap * table["customers"]).sum() / table["customers"].sum())


def repeat_purchases_by_day(
    cells: pd.DataFrame,
    purchases: PurchaseModel,
    time_unit_days: int,
    counted: pd.DataFrame,
    holdout_days: int,
) -> pd.DataFrame:
    """Repeat purchases of the calibration's customers on each day: counted, and by the model.

    Expected by the end of a day is the sum of E[X(time since the first purchase)] over the days
    of first purchases.

    Args:
        cells: Of the calibration period.
        purchases: Fitted to them.
        time_unit_days: Days in a unit of the model's time.
        counted: Columns ``day`` (since the end of the calibration period: 0 is its last day) and
            ``purchases`` (count), for the days that have any.
        holdout_days: Length of the holdout.

    Returns:
        Columns ``day``, ``actual`` and ``expected``, from the first purchase of all to the end of
        the holdout.
    """
    oldest = int(cells["T"].max())
    length = oldest + 1 + holdout_days
    started = np.bincount(oldest - cells["T"], cells["customers"])
    curve = purchases.expected_purchases_of_new(np.arange(length) / time_unit_days)
    by_end = np.convolve(started, curve)[:length]
    return pd.DataFrame(
        {
            "day": np.arange(length) - oldest,
            "actual": np.bincount(counted["day"] + oldest, counted["purchases"], length),
            "expected": np.diff(by_end, prepend=0.0),
        }
    )


def tracking_metrics(days: pd.DataFrame) -> dict[str, float]:
    """Repeat purchases by the end of the calibration period and of the holdout, both cumulative.

    Args:
        days: From `repeat_purchases_by_day`.
    """
    calibration = days[days["day"] <= 0]
    return {
        f"tracking_{period}_{name}": float(part[name].sum())
        for period, part in (("calibration", calibration), ("holdout", days))
        for name in ("actual", "expected")
    }


def tracking_by_week(days: pd.DataFrame) -> pd.DataFrame:
    """Repeat purchases by week, in the week and up to its end.

    Weeks are counted back and forth from the end of the calibration period, so that it ends with
    a week; an incomplete last week of the holdout is left out.

    Args:
        days: From `repeat_purchases_by_day`.

    Returns:
        Columns ``week`` (1 = the first), ``holdout`` (whether it is in the holdout), ``actual``,
        ``expected``, ``cumulative_actual`` and ``cumulative_expected``.
    """
    week = -(-days["day"] // _WEEK_DAYS)
    whole = week <= days["day"].max() // _WEEK_DAYS
    table = days[whole].groupby(week[whole])[["actual", "expected"]].sum()
    holdout = table.index > 0
    table = table.reset_index(drop=True)
    table.insert(0, "week", np.arange(1, len(table) + 1))
    table.insert(1, "holdout", holdout)
    for name in ("actual", "expected"):
        table[f"cumulative_{name}"] = table[name].cumsum()
    return table


def alive_histogram(cells: pd.DataFrame, model: LifetimeValueModel) -> pd.DataFrame:
    """Repeat buyers by twentieth of their probability alive.

    Returns:
        Columns ``from`` and ``to`` (edges) and ``customers``.
    """
    repeat = cells[cells["frequency"] > 0]
    edges = np.linspace(0, 1, 21)
    counts, _ = np.histogram(
        model.probability_alive(repeat), bins=edges, weights=repeat["customers"]
    )
    return pd.DataFrame({"from": edges[:-1], "to": edges[1:], "customers": counts})
