"""What to see after a run: tables, what was left out, segments, models beside baselines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from pyspark.sql import functions as F
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from customer360.deployment import Deployment
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Lakehouse
from customer360.listing import table_of_left_out, table_of_tables
from customer360.models.baselines import NAIVE_RULES
from customer360.models.tracking import CHURN, LIFETIME_VALUE, REVENUE, Tracking, champion_figures
from customer360.pipeline.account import reconcile, waiting
from customer360.table_names import TRANSACTIONS


@dataclass(frozen=True)
class Figure:
    """A model's figure beside the naive baselines'.

    Attributes:
        label: What is measured, in words.
        model: Metric of the model.
        baselines: Metrics of the baselines, by the baseline's name in words.
        better: Whether a lower or a higher figure is better.
    """

    label: str
    model: str
    baselines: Mapping[str, str]
    better: str


FIGURES: Mapping[str, Sequence[Figure]] = {
    LIFETIME_VALUE: tuple(
        Figure(
            label,
            figure,
            {name.replace("_", " "): f"baseline_{name}_{figure}" for name in NAIVE_RULES},
            "lower",
        )
        for label, figure in (
            ("Purchases a customer, mean absolute error", "purchases_mae"),
            ("Purchases a customer, root mean squared error", "purchases_rmse"),
            ("Revenue a customer, mean absolute error", "revenue_mae"),
        )
    ),
    REVENUE: tuple(
        Figure(
            label,
            f"test_{figure}",
            {
                name.replace("_", " "): f"baseline_{name}_{figure}"
                for name in ("mean", "linear", "past_average")
            },
            better,
        )
        for label, figure, better in (
            ("Revenue a customer, root mean squared error", "rmse", "lower"),
            ("Revenue a customer, rank correlation", "spearman", "higher"),
        )
    ),
    CHURN: (
        Figure(
            "ROC AUC",
            "test_roc_auc",
            {
                "hiatus rule": "baseline_hiatus_rule_roc_auc",
                "longest silence first": "baseline_recency_ranking_roc_auc",
                "logistic regression": "baseline_logistic_regression_roc_auc",
            },
            "higher",
        ),
        Figure(
            "Brier score",
            "test_brier",
            {
                "hiatus rule": "baseline_hiatus_rule_brier",
                "base rate": "baseline_base_rate_brier",
                "logistic regression": "baseline_logistic_regression_brier",
            },
            "lower",
        ),
        Figure(
            "Lift in the riskiest tenth",
            "test_lift_top_decile",
            {
                "hiatus rule": "baseline_hiatus_rule_lift_top_decile",
                "longest silence first": "baseline_recency_ranking_lift_top_decile",
            },
            "higher",
        ),
    ),
}


def segment_table(lakehouse: Lakehouse, as_of: date, currency: str) -> Table:
    """RFM segments of one snapshot, with customers and revenue."""
    shown = Table(title=f"Customers on {as_of}, by RFM segment", title_justify="left")
    shown.add_column("segment")
    for name in ("customers", "share", f"revenue ({currency})", "revenue a customer"):
        shown.add_column(name, justify="right")
    segments = (
        lakehouse.read("gold/rfm_segments")
        .where(F.col("as_of") == F.lit(as_of))
        .groupBy("segment")
        .agg(F.count("*").alias("customers"), F.sum("net_revenue").alias("revenue"))
        .orderBy(F.desc("revenue"))
        .collect()
    )
    everyone = sum(row["customers"] for row in segments)
    for row in segments:
        shown.add_row(
            row["segment"],
            f"{row['customers']:,}",
            f"{row['customers'] / everyone:.1%}",
            f"{row['revenue']:,.0f}",
            f"{row['revenue'] / row['customers']:,.2f}",
        )
    return shown


def model_table(tracking: Tracking, models: Sequence[str] | None = None) -> RenderableType:
    """Each champion's figures on data it had not seen, beside its baselines'.

    Args:
        tracking: Where the models are.
        models: Registered names; all of them when not given.
    """
    shown = Table(title="Models, on a period they had not seen", title_justify="left")
    for name in ("model", "figure"):
        shown.add_column(name)
    shown.add_column("value", justify="right")
    shown.add_column("naive baselines")
    notes: list[str] = []
    for model in models or FIGURES:
        figures = FIGURES[model]
        champion = champion_figures(model, tracking)
        if champion is None:
            continue
        label = model.removeprefix("customer360_").replace("_", " ")
        if champion.status != "trained":
            notes.append(f"{label}: {champion.status}")
        if champion.notes:
            notes.append(f"{label}: {champion.notes}")
        for figure in figures:
            value = champion.metrics.get(figure.model)
            if value is None:
                continue
            beside = ", ".join(
                f"{name} {champion.metrics[metric]:.3f}"
                for name, metric in figure.baselines.items()
                if metric in champion.metrics
            )
            shown.add_row(
                f"{label} v{champion.version}",
                f"{figure.label} ({figure.better} is better)",
                f"{value:.3f}",
                beside,
            )
    if not shown.row_count and not notes:
        return Text("No model has been trained.")
    return Group(shown, *(Text(f"  {note}", style="dim") for note in notes))


def summary(
    lakehouse: Lakehouse, tracking: Tracking, deployment: Deployment, *, as_of: date | None
) -> list[RenderableType]:
    """All of it, in the order it is printed; parts that do not exist yet are left out."""
    names, currency = lakehouse.tables(), deployment.currency
    parts: list[RenderableType] = [
        table_of_tables([lakehouse.details(name) for name in names]),
    ]
    if TRANSACTIONS in names:
        found = reconcile(Tables(lakehouse.root), deployment)
        parts += [table_of_left_out(found), *map(Text, waiting(found))]
    if "gold/rfm_segments" in names and as_of is not None:
        parts.append(segment_table(lakehouse, as_of, currency))
    parts.append(model_table(tracking))
    return parts
