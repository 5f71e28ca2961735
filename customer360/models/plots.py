"""The plots of the models, as PNG bytes: for MLflow, for Dagster's metadata, for a report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date

import numpy as np
import pandas as pd
from matplotlib.ticker import PercentFormatter
from numpy.typing import ArrayLike

from customer360.models.plot_style import ACTUAL, BASELINE, MODEL, OTHER
from customer360.models.plot_style import new_figure as _figure
from customer360.models.plot_style import png as _png
from customer360.models.plot_style import thousands as _thousands


def revenue_by_decile(table: pd.DataFrame, holdout_days: int) -> bytes:
    """Holdout revenue a customer by tenth of what was expected: expected and actual.

    Args:
        table: As `customer360.models.evaluation.decile_table` gives it.
        holdout_days: Length of the holdout.
    """
    figure, axes = _figure(
        "Are the customers of whom most is expected those who bring it?",
        f"Net revenue in the {holdout_days} days held out, by tenth of the expected revenue",
    )
    spots, width = np.arange(len(table)), 0.4
    axes.bar(spots - width / 2, table["actual"], width, label="Actual", color=ACTUAL)
    axes.bar(spots + width / 2, table["expected"], width, label="Model", color=MODEL)
    axes.set_xticks(spots, [str(decile) for decile in table["decile"]])
    axes.set_xlabel("Tenth of the customers, most expected first")
    axes.set_ylabel("Mean revenue per customer (currency)")
    axes.yaxis.set_major_formatter(_thousands)
    axes.grid(axis="x", visible=False)
    axes.legend()
    return _png(figure)


def purchases_by_frequency(table: pd.DataFrame, holdout_days: int) -> bytes:
    """Holdout purchases a customer by past frequency: actual, model and past average.

    Args:
        table: Columns ``frequency`` (the last one "or more"), ``customers``, ``actual``,
            ``model``, ``past_average``, the last three a customer.
        holdout_days: Length of the holdout.
    """
    return _purchases_by(
        table,
        _or_more(table["frequency"]),
        "Do past purchases foretell the next ones?",
        f"Purchases in the {holdout_days} days held out, by repeat purchases before them",
        "Repeat purchases before the holdout (n = customers)",
    )


def purchases_by_recency(table: pd.DataFrame, holdout_days: int) -> bytes:
    """Holdout purchases a customer by recency: actual, model and past average.

    Args:
        table: Columns ``recency`` (largest of the row, in days), ``customers``, ``actual``,
            ``model``, ``past_average``, the last three a customer.
        holdout_days: Length of the holdout.
    """
    edges = table["recency"].astype(int).tolist()
    return _purchases_by(
        table,
        ["none" if edge == 0 else f"≤ {edge}" for edge in edges],
        "Does the last purchase foretell the next ones?",
        f"Purchases in the {holdout_days} days held out, by recency: first to last purchase before",
        "Days from the first to the last purchase (n = customers; none = bought once)",
    )


def _or_more(frequencies: pd.Series) -> list[str]:
    """Each frequency as text; the last one stands for all from 7 on."""
    found = frequencies.astype(int)
    last = int(found.max())
    return [f"{each}{'+' if each == last and last >= 7 else ''}" for each in found]


def _purchases_by(
    table: pd.DataFrame, labels: Sequence[str], title: str, subtitle: str, axis: str
) -> bytes:
    figure, axes = _figure(title, subtitle)
    spots = np.arange(len(table))
    width = 0.27
    for shift, (column, label, color) in enumerate(
        (
            ("actual", "Actual", ACTUAL),
            ("model", "Model", MODEL),
            ("past_average", "Baseline: past average carried on", BASELINE),
        )
    ):
        axes.bar(spots + (shift - 1) * width, table[column], width, label=label, color=color)
    counts = table["customers"].astype(int)
    ticks = [f"{label}\nn={n:,}" for label, n in zip(labels, counts, strict=True)]
    axes.set_xticks(spots, ticks, fontsize=9 if len(ticks) <= 8 else 7)
    axes.set_xlabel(axis)
    axes.set_ylabel("Mean purchases per customer")
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left")
    return _png(figure)


def frequency_histogram(table: pd.DataFrame) -> bytes:
    """Customers by repeat purchases in the calibration period: counted, and by the model.

    Args:
        table: Columns ``frequency`` (the last one "or more"), ``actual``, ``expected``.
    """
    figure, axes = _figure(
        "Does the model buy as often as the customers?",
        "Repeat purchases in the calibration period, to which the model was fitted",
    )
    spots, width = np.arange(len(table)), 0.4
    axes.bar(spots - width / 2, table["actual"], width, label="Actual", color=ACTUAL)
    axes.bar(spots + width / 2, table["expected"], width, label="Model", color=MODEL)
    axes.set_xticks(spots, _or_more(table["frequency"]))
    axes.set_xlabel("Repeat purchases")
    axes.set_ylabel("Customers")
    axes.yaxis.set_major_formatter(_thousands)
    axes.grid(axis="x", visible=False)
    axes.legend()
    return _png(figure)


def tracking_weekly(table: pd.DataFrame) -> bytes:
    """Repeat purchases in each week: actual and model.

    Args:
        table: Columns ``week``, ``holdout`` (whether it is in the holdout), ``actual`` and
            ``expected``.
    """
    return _tracking(table, "", "Repeat purchases in the week")


def tracking_cumulative(table: pd.DataFrame) -> bytes:
    """Repeat purchases up to the end of each week: actual and model.

    Args:
        table: Columns ``week``, ``holdout`` (whether it is in the holdout), ``cumulative_actual``
            and ``cumulative_expected``.
    """
    return _tracking(table, "cumulative_", "Repeat purchases up to the week's end")


def _tracking(table: pd.DataFrame, prefix: str, label: str) -> bytes:
    figure, axes = _figure(
        "Does the model keep track of the customers?",
        f"{label}, of the customers who first bought before the holdout",
    )
    week = table["week"]
    axes.plot(week, table[f"{prefix}actual"], color=ACTUAL, linewidth=1.5, label="Actual")
    axes.plot(week, table[f"{prefix}expected"], color=MODEL, linewidth=1.8, label="Model")
    if table["holdout"].any():
        axes.axvline(
            float(week[table["holdout"]].min()) - 0.5,
            color=BASELINE,
            linestyle="--",
            linewidth=1.2,
            label="The holdout begins",
        )
    axes.set_xlabel("Week since the first purchase of all")
    axes.set_ylabel(label)
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(_thousands)
    axes.legend(loc="best")
    return _png(figure)


def buyers_by_probability_alive(table: pd.DataFrame, holdout_days: int) -> bytes:
    """Share who bought in the holdout by tenth of the probability alive, actual and expected.

    Args:
        table: Columns ``group``, ``customers``, ``probability_alive``, ``expected`` and
            ``bought``, the last three means a customer.
        holdout_days: Length of the holdout.
    """
    figure, axes = _figure(
        "Do those come back who are probably alive?",
        f"Share who bought in the {holdout_days} days held out; being alive itself cannot be seen",
    )
    spots, width = np.arange(len(table)), 0.4
    axes.bar(spots - width / 2, table["bought"], width, label="Actual", color=ACTUAL)
    axes.bar(
        spots + width / 2,
        table["expected"],
        width,
        label="Model: probability of one purchase or more",
        color=MODEL,
    )
    ticks = [
        f"{alive:.2f}\nn={customers:,}"
        for alive, customers in zip(
            table["probability_alive"], table["customers"].astype(int), strict=True
        )
    ]
    axes.set_xticks(spots, ticks, fontsize=8)
    axes.set_xlabel("Mean probability alive of each tenth (n = customers)")
    axes.set_ylabel("Share with a purchase")
    axes.yaxis.set_major_formatter(PercentFormatter(1.0))
    axes.grid(axis="x", visible=False)
    axes.legend(loc="upper left")
    return _png(figure)


def probability_alive(histogram: pd.DataFrame, as_of: date) -> bytes:
    """Histogram of the probability alive of repeat buyers: under BG/NBD all others have 1.

    Args:
        histogram: Columns ``from``, ``to`` (edges) and ``customers``.
        as_of: Day the probability speaks of.
    """
    figure, axes = _figure(
        "How many repeat buyers are still customers?",
        f"Probability alive at {as_of}; customers with at least one repeat purchase",
    )
    axes.bar(
        histogram["from"],
        histogram["customers"],
        histogram["to"] - histogram["from"],
        align="edge",
        color=MODEL,
        edgecolor="white",
        linewidth=0.8,
    )
    axes.set_xlim(0, 1)
    axes.set_xlabel("Probability alive")
    axes.set_ylabel("Customers")
    axes.yaxis.set_major_formatter(_thousands)
    axes.grid(axis="x", visible=False)
    return _png(figure)


def calibration(table: pd.DataFrame, subtitle: str) -> bytes:
    """Predicted against observed churn rate by tenth of risk.

    Args:
        table: Columns ``group``, ``customers``, ``predicted``, ``observed``.
        subtitle: What was tested, on which day.
    """
    figure, axes = _figure("Does the churn probability mean what it says?", subtitle, (5.6, 5.2))
    axes.plot([0, 1], [0, 1], color=OTHER, linestyle="--", linewidth=1, label="Perfect")
    sizes = 30 + 170 * table["customers"] / table["customers"].max()
    axes.plot(table["predicted"], table["observed"], color=MODEL, linewidth=1.5)
    axes.scatter(
        table["predicted"],
        table["observed"],
        s=sizes,
        color=MODEL,
        edgecolor="white",
        zorder=3,
        label="Model, by tenth of risk",
    )
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Predicted churn rate")
    axes.set_ylabel("Observed churn rate")
    axes.legend(loc="upper left")
    return _png(figure)


def gains(labels: ArrayLike, scores: Mapping[str, ArrayLike], subtitle: str) -> bytes:
    """Share of the churners caught by contacting the riskiest share of customers.

    Args:
        labels: 1 = churned.
        scores: By name, the model first; higher = riskier. Ties are drawn as straight lines.
        subtitle: What was tested, on which day.
    """
    y = np.asarray(labels, dtype=float)
    figure, axes = _figure("How many leavers does the list catch?", subtitle, (5.6, 5.2))
    colors = (MODEL, BASELINE, ACTUAL, "#059669", "#7c3aed")
    drawn_last = len(scores) + 2  # the model lies on top of its baselines
    for place, ((name, values), color) in enumerate(zip(scores.items(), colors, strict=False)):
        s = np.asarray(values, dtype=float)
        order = np.argsort(-s, kind="stable")
        ends = np.flatnonzero(np.append(np.diff(s[order]) != 0, True))
        contacted = np.insert((ends + 1) / len(y), 0, 0.0)
        caught = np.insert(np.cumsum(y[order])[ends] / y.sum(), 0, 0.0)
        axes.plot(
            contacted, caught, color=color, linewidth=1.8, label=name, zorder=drawn_last - place
        )
    axes.plot([0, 1], [0, 1], color=OTHER, linestyle="--", linewidth=1, label="At random")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.set_aspect("equal")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Share of active customers contacted, riskiest first")
    axes.set_ylabel("Share of churners among them")
    axes.legend(loc="lower right")
    return _png(figure)


def feature_importance(importance: Mapping[str, float], top: int = 15) -> bytes:
    """The features that lowered the loss most, as shares of the whole gain.

    Args:
        importance: Share of the total gain by feature.
        top: How many to draw.
    """
    chosen = sorted(importance.items(), key=lambda item: (item[1], item[0]))[-top:]
    figure, axes = _figure(
        "What the churn model looks at",
        f"Share of the total gain in XGBoost's trees, {len(chosen)} largest of {len(importance)}",
        (7.5, 0.28 * len(chosen) + 1.6),
    )
    axes.barh([name for name, _ in chosen], [share for _, share in chosen], color=MODEL)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.set_xlabel("Share of total gain")
    axes.grid(axis="y", visible=False)
    return _png(figure)


def shap_importance(
    importance: Mapping[str, float],
    customers: int,
    top: int = 15,
    *,
    moved: str = "the churn probability",
    scale: str = "log-odds",
) -> bytes:
    """The features that move a prediction most, by mean |SHAP value|.

    Args:
        importance: Mean absolute SHAP value by feature.
        customers: How many customers it is the mean of.
        top: How many to draw.
        moved: What is predicted.
        scale: What the values are in.
    """
    chosen = sorted(importance.items(), key=lambda item: (item[1], item[0]))[-top:]
    figure, axes = _figure(
        f"What moves {moved}",
        f"Mean |SHAP value| of {customers:,} test customers, {len(chosen)} largest of "
        f"{len(importance)}",
        (7.5, 0.28 * len(chosen) + 1.6),
    )
    axes.barh([name for name, _ in chosen], [value for _, value in chosen], color=MODEL)
    axes.set_xlabel(f"Mean |contribution| in {scale}")
    axes.grid(axis="y", visible=False)
    return _png(figure)


def permutation_importance(
    means: Mapping[str, float], errors: Mapping[str, float], customers: int, top: int = 15
) -> bytes:
    """How much larger the error becomes when a feature's values are shuffled among customers.

    Args:
        means: Mean rise of the RMSE by feature, in currency.
        errors: Standard deviation of that rise over the shuffles.
        customers: How many customers were judged.
        top: How many to draw.
    """
    chosen = sorted(means.items(), key=lambda item: (item[1], item[0]))[-top:]
    figure, axes = _figure(
        "What the revenue model cannot do without",
        f"RMSE with a feature shuffled among {customers:,} test customers, "
        f"{len(chosen)} largest of {len(means)}",
        (7.5, 0.28 * len(chosen) + 1.6),
    )
    axes.barh(
        [name for name, _ in chosen],
        [value for _, value in chosen],
        xerr=[errors[name] for name, _ in chosen],
        color=MODEL,
        ecolor=ACTUAL,
    )
    axes.set_xlabel("Rise of the RMSE (currency)")
    axes.grid(axis="y", visible=False)
    return _png(figure)


def predicted_and_actual(expected: ArrayLike, actual: ArrayLike, subtitle: str) -> bytes:
    """Every customer's predicted against actual revenue, both axes logarithmic beyond 1.

    Args:
        expected: Predicted revenue.
        actual: What came; may be negative.
        subtitle: What was tested, on which day.
    """
    e, a = np.asarray(expected, dtype=float), np.asarray(actual, dtype=float)
    figure, axes = _figure("How far is each customer from the prediction?", subtitle, (5.6, 5.2))
    most = float(max(e.max(initial=1.0), a.max(initial=1.0)))
    axes.plot([0, most], [0, most], color=OTHER, linestyle="--", linewidth=1, label="Perfect")
    axes.scatter(e, a, s=6, color=MODEL, alpha=0.3, linewidths=0, rasterized=True)
    axes.set_xscale("symlog", linthresh=1.0)
    axes.set_yscale("symlog", linthresh=1.0)
    axes.set_xlim(left=0)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(_thousands)
    axes.set_xlabel("Predicted revenue (currency)")
    axes.set_ylabel("Actual revenue (currency)")
    axes.legend(loc="upper left")
    return _png(figure)


def profit(table: pd.DataFrame, best_share: float, subtitle: str) -> bytes:
    """Profit of a retention campaign by the share of customers contacted.

    Args:
        table: Columns ``share``, ``expected``, ``observed`` (NaN where unknown).
        best_share: Share with the largest expected profit.
        subtitle: What was tested, on which day, and what a contact costs and brings.
    """
    figure, axes = _figure("How many customers is it worth contacting?", subtitle)
    axes.axhline(0, color=OTHER, linewidth=1)
    axes.plot(table["share"], table["expected"], color=MODEL, linewidth=1.8, label="Expected")
    if table["observed"].notna().any():
        axes.plot(
            table["share"],
            table["observed"],
            color=ACTUAL,
            linewidth=1.2,
            label="As it turned out, had the campaign been run",
        )
    axes.axvline(
        best_share,
        color=BASELINE,
        linestyle="--",
        linewidth=1.2,
        label=f"Best expected: the riskiest {best_share:.0%}",
    )
    axes.set_xlim(0, 1)
    axes.xaxis.set_major_formatter(PercentFormatter(1.0))
    axes.yaxis.set_major_formatter(_thousands)
    axes.set_xlabel("Share of active customers contacted, riskiest first")
    axes.set_ylabel("Profit (currency)")
    axes.legend(loc="best")
    return _png(figure)
