"""The plots of the models, for MLflow, for Dagster's metadata and for a report.

Each is a chart that `customer360.plotting.png` makes an image of.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from customer360 import plotting
from customer360.plotting import (
    ACTUAL,
    BASELINE,
    GREEN,
    MODEL,
    OTHER,
    PINK,
    PLAIN,
    AnyChart,
    Series,
    diagonal,
    figure,
    grouped_bars,
    share_axis,
    strokes,
)

SQUARE = (450.0, 420.0)
DRAWN_POINTS = 1_000
"""Points of a line: more than the picture has pixels across."""

_ACTUAL, _MODEL = Series("Actual", ACTUAL), Series("Model", MODEL)


def revenue_by_decile(table: pd.DataFrame, holdout_days: int) -> AnyChart:
    """Holdout revenue a customer by tenth of what was expected: expected and actual.

    Args:
        table: As `customer360.models.evaluation.decile_table` gives it.
        holdout_days: Length of the holdout.
    """
    return figure(
        grouped_bars(
            table,
            {"actual": _ACTUAL, "expected": _MODEL},
            [str(decile) for decile in table["decile"]],
            x="Tenth of the customers, most expected first",
            y="Mean revenue per customer (currency)",
        ),
        "Are the customers of whom most is expected those who bring it?",
        f"Net revenue in the {holdout_days} days held out, by tenth of the expected revenue",
    )


def purchases_by_frequency(table: pd.DataFrame, holdout_days: int) -> AnyChart:
    """Holdout purchases a customer by past frequency: actual, model and past average.

    Args:
        table: Columns ``frequency`` (the last one "or more"), ``customers``, ``actual``,
            ``model``, ``past_average``, the last three a customer.
        holdout_days: Length of the holdout.
    """
    return figure(
        _purchases_by(
            table,
            _or_more(table["frequency"]),
            "Repeat purchases before the holdout (n = customers)",
        ),
        "Do past purchases foretell the next ones?",
        f"Purchases in the {holdout_days} days held out, by repeat purchases before them",
    )


def purchases_by_recency(table: pd.DataFrame, holdout_days: int) -> AnyChart:
    """Holdout purchases a customer by recency: actual, model and past average.

    Args:
        table: Columns ``recency`` (largest of the row, in days), ``customers``, ``actual``,
            ``model``, ``past_average``, the last three a customer.
        holdout_days: Length of the holdout.
    """
    edges = table["recency"].astype(int).tolist()
    return figure(
        _purchases_by(
            table,
            ["none" if edge == 0 else f"≤ {edge}" for edge in edges],
            "Days from the first to the last purchase (n = customers; none = bought once)",
        ),
        "Does the last purchase foretell the next ones?",
        f"Purchases in the {holdout_days} days held out, by recency: first to last purchase before",
    )


def _or_more(frequencies: pd.Series) -> list[str]:
    """Each frequency as text; the last one stands for all from 7 on."""
    counts = frequencies.astype(int)
    last = int(counts.max())
    return [f"{count}{'+' if count == last and last >= 7 else ''}" for count in counts]


def _with_customers(labels: Sequence[str], customers: pd.Series) -> list[list[str]]:
    """Labels of two lines: the group, and how many are in it."""
    return [
        [label, f"n={count:,}"] for label, count in zip(labels, customers.astype(int), strict=True)
    ]


def _purchases_by(table: pd.DataFrame, labels: Sequence[str], axis: str) -> alt.Chart:
    return grouped_bars(
        table,
        {
            "actual": _ACTUAL,
            "model": _MODEL,
            "past_average": Series("Baseline: past average carried on", BASELINE),
        },
        _with_customers(labels, table["customers"]),
        x=axis,
        y="Mean purchases per customer",
    )


def frequency_histogram(table: pd.DataFrame) -> AnyChart:
    """Customers by repeat purchases in the calibration period: counted, and by the model.

    Args:
        table: Columns ``frequency`` (the last one "or more"), ``actual``, ``expected``.
    """
    return figure(
        grouped_bars(
            table,
            {"actual": _ACTUAL, "expected": _MODEL},
            _or_more(table["frequency"]),
            x="Repeat purchases",
            y="Customers",
        ),
        "Does the model buy as often as the customers?",
        "Repeat purchases in the calibration period, to which the model was fitted",
    )


def tracking_weekly(table: pd.DataFrame) -> AnyChart:
    """Repeat purchases in each week: actual and model.

    Args:
        table: Columns ``week``, ``holdout`` (whether it is in the holdout), ``actual`` and
            ``expected``.
    """
    return _tracking(table, "", "Repeat purchases in the week")


def tracking_cumulative(table: pd.DataFrame) -> AnyChart:
    """Repeat purchases up to the end of each week: actual and model.

    Args:
        table: Columns ``week``, ``holdout`` (whether it is in the holdout), ``cumulative_actual``
            and ``cumulative_expected``.
    """
    return _tracking(table, "cumulative_", "Repeat purchases up to the week's end")


def _tracking(table: pd.DataFrame, prefix: str, label: str) -> AnyChart:
    begin = Series("The holdout begins", BASELINE, dashed=True)
    held_out = table.loc[table["holdout"], "week"]
    of = [_ACTUAL, _MODEL, *([begin] if len(held_out) else [])]
    long = pd.concat(
        pd.DataFrame(
            {"week": table["week"], "purchases": table[f"{prefix}{column}"], "series": series.name}
        )
        for column, series in (("actual", _ACTUAL), ("expected", _MODEL))
    )
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=1.5)
        .encode(
            alt.X("week:Q", title="Week since the first purchase of all"),
            alt.Y(
                "purchases:Q",
                title=label,
                axis=alt.Axis(format=PLAIN),
                scale=alt.Scale(domainMin=0),
            ),
            *strokes(of),
        )
    )
    drawn: AnyChart = lines
    if len(held_out):
        first = pd.DataFrame({"week": [float(held_out.min()) - 0.5], "series": begin.name})
        drawn = alt.layer(lines, alt.Chart(first).mark_rule().encode(alt.X("week:Q"), *strokes(of)))
    return figure(
        drawn,
        "Does the model keep track of the customers?",
        f"{label}, of the customers who first bought before the holdout",
    )


def buyers_by_probability_alive(table: pd.DataFrame, holdout_days: int) -> AnyChart:
    """Share who bought in the holdout by tenth of the probability alive, actual and expected.

    Args:
        table: Columns ``group``, ``customers``, ``probability_alive``, ``expected`` and
            ``bought``, the last three means a customer.
        holdout_days: Length of the holdout.
    """
    alive = [f"{probability:.2f}" for probability in table["probability_alive"]]
    return figure(
        grouped_bars(
            table,
            {
                "bought": _ACTUAL,
                "expected": Series("Model: probability of one purchase or more", MODEL),
            },
            _with_customers(alive, table["customers"]),
            x="Mean probability alive of each tenth (n = customers)",
            y="Share with a purchase",
            number_format="%",
        ),
        "Do those come back who are probably alive?",
        f"Share who bought in the {holdout_days} days held out; being alive itself cannot be seen",
    )


def probability_alive(histogram: pd.DataFrame, as_of: date) -> AnyChart:
    """Histogram of the probability alive of repeat buyers: under BG/NBD all others have 1.

    Args:
        histogram: Columns ``from``, ``to`` (edges) and ``customers``.
        as_of: Day the probability speaks of.
    """
    return figure(
        plotting.histogram(histogram, "customers", x="Probability alive", y="Customers"),
        "How many repeat buyers are still customers?",
        f"Probability alive at {as_of}; customers with at least one repeat purchase",
    )


def calibration(table: pd.DataFrame, subtitle: str) -> AnyChart:
    """Predicted against observed churn rate by tenth of risk.

    Args:
        table: Columns ``group``, ``customers``, ``predicted``, ``observed``.
        subtitle: What was tested, on which day.
    """
    return figure(
        plotting.calibration(
            table.rename(columns={"group": "decile", "observed": "actual"}),
            ("Tenth of risk", "Customers"),
            x="Predicted churn rate",
            y="Observed churn rate",
            shares=True,
            legend=("Perfect", "Model, by tenth of risk"),
        ),
        "Does the churn probability mean what it says?",
        subtitle,
        SQUARE,
    )


def gains(labels: ArrayLike, scores: Mapping[str, ArrayLike], subtitle: str) -> AnyChart:
    """Share of the churners caught by contacting the riskiest share of customers.

    Args:
        labels: 1 = churned.
        scores: By name, the model first; higher = riskier. Ties are drawn as straight lines.
        subtitle: What was tested, on which day.
    """
    palette = (MODEL, BASELINE, ACTUAL, GREEN, PINK)
    curves = [Series(name, colour) for name, colour in zip(scores, palette, strict=False)]
    at_random = Series("At random", OTHER, dashed=True)
    of = [*curves, at_random]
    # What is drawn last lies on top: the model.
    long = pd.concat(
        _gains_curve(labels, scores[series.name]).assign(series=series.name)
        for series in reversed(curves)
    )
    lines = (
        alt.Chart(long)
        .mark_line(strokeWidth=1.8)
        .encode(
            alt.X(**share_axis("contacted", "Share of active customers contacted, riskiest first")),
            alt.Y(**share_axis("caught", "Share of churners among them")),
            *strokes(of),
        )
    )
    return figure(
        alt.layer(diagonal(1.0, "contacted", "caught", at_random, of), lines),
        "How many leavers does the list catch?",
        subtitle,
        SQUARE,
    )


def _gains_curve(labels: ArrayLike, scores: ArrayLike) -> pd.DataFrame:
    """Columns ``contacted`` and ``caught``, shares from 0 to 1, at most `DRAWN_POINTS` rows."""
    churned, risk = np.asarray(labels, dtype=float), np.asarray(scores, dtype=float)
    order = np.argsort(-risk, kind="stable")
    ends = np.flatnonzero(np.append(np.diff(risk[order]) != 0, True))
    contacted = np.insert((ends + 1) / len(churned), 0, 0.0)
    caught = np.insert(np.cumsum(churned[order])[ends] / churned.sum(), 0, 0.0)
    points = min(len(contacted), DRAWN_POINTS)
    shown = np.linspace(0, len(contacted) - 1, points).round().astype(int)
    return pd.DataFrame({"contacted": contacted[shown], "caught": caught[shown]})


def feature_importance(importance: Mapping[str, float], top: int = 15) -> AnyChart:
    """The features that lowered the loss most, as shares of the whole gain.

    Args:
        importance: Share of the total gain by feature.
        top: How many to draw.
    """
    largest = _largest(importance, top)
    return figure(
        plotting.ranked_bars(
            largest, "feature", "value", x="Share of total gain", number_format="%"
        ),
        "What the churn model looks at",
        f"Share of the total gain in XGBoost's trees, {len(largest)} largest of {len(importance)}",
        _size_of_bars(largest),
    )


def shap_importance(
    importance: Mapping[str, float],
    customers: int,
    top: int = 15,
    *,
    moved: str = "the churn probability",
    scale: str = "log-odds",
) -> AnyChart:
    """The features that move a prediction most, by mean |SHAP value|.

    Args:
        importance: Mean absolute SHAP value by feature.
        customers: How many customers it is the mean of.
        top: How many to draw.
        moved: What is predicted.
        scale: What the values are in.
    """
    largest = _largest(importance, top)
    return figure(
        plotting.ranked_bars(
            largest, "feature", "value", x=f"Mean |contribution| in {scale}", number_format=PLAIN
        ),
        f"What moves {moved}",
        f"Mean |SHAP value| of {customers:,} test customers, {len(largest)} largest of "
        f"{len(importance)}",
        _size_of_bars(largest),
    )


def permutation_importance(
    means: Mapping[str, float], errors: Mapping[str, float], customers: int, top: int = 15
) -> AnyChart:
    """How much larger the error becomes when a feature's values are shuffled among customers.

    Args:
        means: Mean rise of the RMSE by feature, in currency.
        errors: Standard deviation of that rise over the shuffles.
        customers: How many customers were judged.
        top: How many to draw.
    """
    largest = _largest(means, top)
    error = largest["feature"].map(errors)
    spans = largest.assign(low=largest["value"] - error, high=largest["value"] + error)
    bars = plotting.ranked_bars(
        spans, "feature", "value", x="Rise of the RMSE (currency)", number_format=PLAIN
    )
    ranges = (
        alt.Chart(spans)
        .mark_rule(color=ACTUAL, strokeWidth=1.5)
        .encode(alt.X("low:Q"), alt.X2("high:Q"), alt.Y("feature:N", sort=None))
    )
    return figure(
        alt.layer(bars, ranges),
        "What the revenue model cannot do without",
        f"RMSE with a feature shuffled among {customers:,} test customers, "
        f"{len(largest)} largest of {len(means)}",
        _size_of_bars(largest),
    )


def _largest(values: Mapping[str, float], top: int) -> pd.DataFrame:
    """Columns ``feature`` and ``value`` of the ``top`` largest, the largest first."""
    items = sorted(values.items(), key=lambda item: (item[1], item[0]), reverse=True)[:top]
    return pd.DataFrame(items, columns=["feature", "value"])


def _size_of_bars(rows: pd.DataFrame) -> tuple[float, float]:
    return 600, 22 * len(rows) + 130


def predicted_and_actual(expected: ArrayLike, actual: ArrayLike, subtitle: str) -> AnyChart:
    """Every customer's predicted against actual revenue, both axes logarithmic beyond 1.

    Args:
        expected: Predicted revenue.
        actual: What came; may be negative.
        subtitle: What was tested, on which day.
    """
    points = pd.DataFrame({"expected": expected, "actual": actual}, dtype=float)
    most = max(1.0, float(points.max().max()))
    least = min(0.0, float(points["actual"].min()))
    perfect = Series("Perfect", OTHER, dashed=True)

    def logarithmic(column: str, title: str, lowest: float) -> dict[str, Any]:
        powers = _powers_of_ten(lowest, most)
        return {
            "shorthand": f"{column}:Q",
            "title": title,
            "scale": alt.Scale(type="symlog", constant=1, domain=[lowest, most]),
            # Vega thins out values beyond its count of ticks, and of these labels that overlap.
            "axis": alt.Axis(
                values=powers, tickCount=len(powers), format=PLAIN, labelOverlap="greedy"
            ),
        }

    scatter = (
        alt.Chart(points)
        .mark_circle(size=5, color=MODEL, opacity=0.3)
        .encode(
            alt.X(**logarithmic("expected", "Predicted revenue (currency)", 0.0)),
            alt.Y(**logarithmic("actual", "Actual revenue (currency)", least)),
        )
    )
    return figure(
        alt.layer(scatter, diagonal(most, "expected", "actual", perfect, [perfect])),
        "How far is each customer from the prediction?",
        subtitle,
        SQUARE,
    )


def _powers_of_ten(lowest: float, highest: float) -> list[float]:
    """0 and the powers of ten on both its sides, as far as the values go."""
    powers = [10.0**exponent for exponent in range(16)]
    return [
        *(-power for power in reversed(powers) if -power >= lowest),
        0.0,
        *(power for power in powers if power <= highest),
    ]


def profit(table: pd.DataFrame, best_share: float, subtitle: str) -> AnyChart:
    """Profit of a retention campaign by the share of customers contacted.

    Args:
        table: Columns ``share``, ``expected``, ``observed`` (NaN where unknown).
        best_share: Share with the largest expected profit.
        subtitle: What was tested, on which day, and what a contact costs and brings.
    """
    known = table["observed"].notna().any()
    return figure(
        plotting.profit(
            table,
            best_share,
            ("Expected", f"Best expected: {best_share:.0%}, whose contact pays"),
            x="Share of active customers contacted, most profitable first",
            y="Profit (currency)",
            observed="As it turned out, had the campaign been run" if known else None,
            number_format=PLAIN,
        ),
        "How many customers is it worth contacting?",
        subtitle,
    )
