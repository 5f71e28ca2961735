"""What to see after a run: tables, what was left out, segments, models beside baselines."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from pyspark.sql import functions as F
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from customer360.deployment import Deployment
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Lakehouse
from customer360.language import Language
from customer360.listing import table_of_left_out, table_of_tables
from customer360.models.notes import in_english
from customer360.models.registry import MODELS
from customer360.models.spec import ModelSpec
from customer360.models.tracking import Tracking, champion_figures
from customer360.pipeline.account import reconcile, waiting
from customer360.table_names import TRANSACTIONS


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
    english = Language("en")
    everyone = sum(row["customers"] for row in segments)
    for row in segments:
        shown.add_row(
            english.named("segment", row["segment"]),
            f"{row['customers']:,}",
            f"{row['customers'] / everyone:.1%}",
            f"{row['revenue']:,.0f}",
            f"{row['revenue'] / row['customers']:,.2f}",
        )
    return shown


def model_table(
    tracking: Tracking, models: Sequence[ModelSpec[Any]] | None = None
) -> RenderableType:
    """Each champion's figures on data it had not seen, beside its baselines'.

    Args:
        tracking: Where the models are.
        models: Which; all of them when not given.
    """
    shown = Table(title="Models, on a period they had not seen", title_justify="left")
    for name in ("model", "figure"):
        shown.add_column(name)
    shown.add_column("value", justify="right")
    shown.add_column("naive baselines")
    notes: list[str] = []
    for model in models or MODELS:
        champion = champion_figures(model, tracking)
        if champion is None:
            continue
        if champion.status != "trained":
            why = in_english(champion.because)
            notes.append(f"{model.label}: {': '.join(filter(None, (champion.status, why)))}")
        if champion.notes:
            notes.append(f"{model.label}: {in_english(champion.notes)}")
        for figure in model.figures:
            value = champion.metrics.get(figure.metric)
            if value is None:
                continue
            beside = ", ".join(
                f"{name} {champion.metrics[metric]:.3f}"
                for name, metric in figure.baselines.items()
                if metric in champion.metrics
            )
            shown.add_row(
                f"{model.label} v{champion.version}",
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
        account = reconcile(Tables(lakehouse.root), deployment)
        parts += [table_of_left_out(account), *map(Text, waiting(account))]
    if "gold/rfm_segments" in names and as_of is not None:
        parts.append(segment_table(lakehouse, as_of, currency))
    parts.append(model_table(tracking))
    return parts
