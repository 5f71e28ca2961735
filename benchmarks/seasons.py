"""``python -m benchmarks.seasons HOME …``: how near forecasts of the customer base come.

From several days on, what would have been published then is made anew: the lifetime-value model
is chosen and fitted on the history up to that day, and the weekly purchases and revenue of the
customers known by then are forecast, at a steady rate and with what the calendar does
(`models.lifetime_value.seasons`). Beside what came: errors of the total and of the weeks, and the
share of weeks within their 90 % interval. An origin needs half a year before it and eight weeks
after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from pyspark.sql import functions as F
from rich.console import Console
from rich.table import Table

from benchmarks.ours import workspace
from customer360.deployment import Deployment
from customer360.gold.customer_features import customer_features
from customer360.gold.terms import IS_PURCHASE
from customer360.models.lifetime_value.customer_base import forecast
from customer360.models.lifetime_value.forecast_tables import (
    base_cells,
    forecast_of,
    purchases_by_day,
)
from customer360.models.lifetime_value.seasons import STEADY, WEEK_DAYS
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.pipeline.run_models import history_of
from customer360.pipeline.workspace import Workspace
from customer360.settings import load_settings
from customer360.table_names import CUSTOMER_DAYS

HALF_A_YEAR, SHORTEST, LONGEST = 182, 8, 26
AMOUNTS = ("purchases", "revenue")
_SHOWN = ("steady", "purchases"), ("published", "purchases"), ("published", "revenue")
"""Whose errors are shown of what."""


@dataclass(frozen=True)
class Held:
    """What came in the weeks after a day, beside forecasts of it.

    Attributes:
        origin: Last day that was known.
        model: What was chosen then.
        came: A row a week: `AMOUNTS` of the customers known by then.
        forecasts: ``steady`` and ``published``: as of `customer_base.forecast`, as many weeks.
    """

    origin: date
    model: str
    came: pd.DataFrame
    forecasts: dict[str, pd.DataFrame]


def main(
    homes: Annotated[list[Path], typer.Argument(help="Deployments with silver tables.")],
    every: Annotated[int, typer.Option(help="Months from one origin to the next.")] = 1,
) -> None:
    """Print errors and coverage of each origin."""
    out = Console(width=150)
    for home in homes:
        shop = Shop.at(home)
        table = Table(title=home.name, title_justify="left")
        table.add_column("origin")
        table.add_column("model")
        table.add_column("weeks", justify="right")
        for whose, amount in _SHOWN:
            for name in (f"{amount} {whose}: total", "by week", "in 90 %"):
                table.add_column(name, justify="right")
        tried = (shop.held_against(day, weeks) for day, weeks in shop.origins()[::every])
        held = [each for each in tried if each]
        for each in held:
            table.add_row(str(each.origin), each.model, *_row([each]))
        if held:
            table.add_section()
            table.add_row("all", "", *_row(held))
        out.print(table)


@dataclass(frozen=True)
class Shop:
    """A deployment's buying.

    Attributes:
        work: Where its tables are.
        days: ``customer_key``, ``business_date``, ``purchases`` (0 or 1) and ``revenue`` (currency)
            of every row of ``silver/customer_days``.
        by_day: As of `purchases_by_day`.
    """

    work: Workspace
    days: pd.DataFrame
    by_day: pd.DataFrame

    @classmethod
    def at(cls, home: Path) -> Shop:
        """The deployment at ``home``."""
        work = workspace(Deployment.of(load_settings(home)))
        customer_days = work.lakehouse.read(CUSTOMER_DAYS)
        days = customer_days.select(
            "customer_key",
            "business_date",
            F.expr(IS_PURCHASE).cast("double").alias("purchases"),
            F.col("net_revenue").cast("double").alias("revenue"),
        ).toPandas()
        return cls(work, days, purchases_by_day(customer_days).toPandas())

    @property
    def purchases(self) -> pd.DataFrame:
        """The rows of ``days`` that are purchases."""
        return self.days[self.days["purchases"] > 0]

    def origins(self) -> list[tuple[date, int]]:
        """Last days of months that have enough before and after them, and so many weeks after."""
        begun, last = self.purchases["business_date"].min(), self.purchases["business_date"].max()
        latest = last - timedelta(days=SHORTEST * WEEK_DAYS)
        months = pd.date_range(begun + timedelta(days=HALF_A_YEAR), latest, freq="MS")
        days = [(month - pd.Timedelta(days=1)).date() for month in months]
        return [(day, min(LONGEST, (last - day).days // WEEK_DAYS)) for day in days]

    def held_against(self, origin: date, weeks: int) -> Held | None:
        """The forecast of ``origin`` and what came; None where no model of purchases was fitted."""
        training = LIFETIME_VALUE.train(history_of(self.work, origin), None)
        model = training.model
        if model.purchases is None:
            return None
        features = customer_features(self.work.lakehouse.read(CUSTOMER_DAYS), [origin])
        cells = base_cells(features).toPandas()
        published = forecast_of(model, cells, self.by_day, origin).weeks.head(weeks)
        ordered = cells.sort_values(["frequency", "recency", "T"], ignore_index=True)
        steady = forecast(model, ordered, weeks=weeks, calendar=STEADY, as_of=origin).weeks
        forecasts = {"steady": steady, "published": published}
        return Held(origin, model.kind, self._came(origin, weeks), forecasts)

    def _came(self, origin: date, weeks: int) -> pd.DataFrame:
        past = self.purchases["business_date"] <= origin
        known = self.purchases.loc[past, "customer_key"].unique()
        days = self.days[self.days["customer_key"].isin(known)]
        ago = pd.to_datetime(days["business_date"]) - pd.Timestamp(origin)
        week = np.ceil(ago.dt.days / WEEK_DAYS).astype(int)
        sums = days.groupby(week)[list(AMOUNTS)].sum()
        return sums.reindex(range(1, weeks + 1), fill_value=0.0).reset_index(drop=True)


def _row(held: list[Held]) -> list[str]:
    """Figures of some origins: totals are off by their mean size."""
    shown = [str(sum(len(each.came) for each in held))]
    for whose, amount in _SHOWN:
        came = np.concatenate([each.came[amount] for each in held])
        weeks = pd.concat([each.forecasts[whose] for each in held])
        off = [each.forecasts[whose][amount].sum() / each.came[amount].sum() - 1 for each in held]
        within = (came >= weeks[f"{amount}_low"]) & (came <= weeks[f"{amount}_high"])
        by_week = np.abs(weeks[amount] - came).sum() / came.sum()
        total = f"{off[0]:+.1%}" if len(off) == 1 else f"{np.abs(off).mean():.1%}"
        shown += [total, f"{by_week:.1%}", f"{within.mean():.0%}"]
    return shown


if __name__ == "__main__":
    typer.run(main)
