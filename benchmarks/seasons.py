"""``python -m benchmarks.seasons HOME …``: how near forecasts of the customer base come.

From several days on, the weekly repeat purchases of the customers known by then are forecast by
BG/NBD at its steady rate, and with what the calendar does (`models.lifetime_value.seasons`), and
held against what came: errors of the total and of the weeks, and the share of weeks within their
90 % interval. An origin needs half a year before it and eight weeks after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from customer360.lakehouse.reading import Tables
from customer360.models.lifetime_value.customer_base import forecast
from customer360.models.lifetime_value.fitting import fit_bg_nbd
from customer360.models.lifetime_value.purchase_model import Floats
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360.models.lifetime_value.seasons import STEADY, WEEK_DAYS, calendar_of
from customer360.settings import load_settings
from customer360.table_names import CUSTOMER_DAYS

HALF_A_YEAR, SHORTEST, LONGEST = 182, 8, 26
_COLUMNS = (
    "origin",
    "weeks",
    "came",
    "total",
    "by week",
    "in 90 %",
    "calendar: total",
    "by week",
    "in 90 %",
)


@dataclass(frozen=True)
class Held:
    """What came in the weeks after a day, beside two forecasts of it: steady, by the calendar."""

    origin: str
    came: Floats
    forecasts: list[pd.DataFrame]


def main(
    homes: Annotated[list[Path], typer.Argument(help="Deployments with silver tables.")],
) -> None:
    """Print errors and coverage of each origin."""
    out = Console(width=110)
    for home in homes:
        table = Table(title=home.name, title_justify="left")
        for name in _COLUMNS:
            table.add_column(name, justify="left" if name == "origin" else "right")
        held = _backtest(purchases_of(home))
        for each in held:
            table.add_row(*_row(each.origin, [each]))
        if held:
            table.add_section()
            table.add_row(*_row("all", held))
        out.print(table)


def purchases_of(home: Path) -> pd.DataFrame:
    """``who`` and ``date`` of every purchase, and ``first``: that of the first one."""
    settings = load_settings(home)
    rows = (
        Tables(settings.lakehouse_root)
        .dataset(CUSTOMER_DAYS)
        .to_table(columns=["customer_key", "business_date", "orders"])
    )
    frame = rows.to_pandas()
    frame = frame[frame["orders"] > 0]
    days = pd.to_datetime(frame["business_date"])
    found = pd.DataFrame({"who": frame["customer_key"], "date": days})
    found["first"] = found.groupby("who")["date"].transform("min")
    return found


def _backtest(purchases: pd.DataFrame) -> list[Held]:
    begun, last = purchases["date"].min(), purchases["date"].max()
    latest = last - pd.Timedelta(days=SHORTEST * WEEK_DAYS)
    rows = []
    for month in pd.date_range(begun + pd.Timedelta(days=HALF_A_YEAR), latest, freq="MS"):
        origin = month - pd.Timedelta(days=1)
        weeks = min(LONGEST, (last - origin).days // WEEK_DAYS)
        rows.append(held_against(purchases, origin, weeks))
    return rows


def held_against(purchases: pd.DataFrame, origin: pd.Timestamp, weeks: int) -> Held:
    past = purchases[purchases["date"] <= origin]
    each = past.groupby("who")["date"].agg(["min", "max", "count"])
    cells = (
        pd.DataFrame(
            {
                "frequency": each["count"] - 1,
                "recency": (each["max"] - each["min"]).dt.days,
                "T": (origin - each["min"]).dt.days,
            }
        )
        .value_counts()
        .rename("customers")
        .reset_index()
        .assign(monetary_value=0.0)
        .sort_values(["frequency", "recency", "T"], ignore_index=True)
    )
    fitted = fit_bg_nbd(cells)
    model = LifetimeValueModel(
        WEEK_DAYS, fitted.model, None, 1.0, purchases_covariance=frozen(fitted.covariance)
    )
    ago = (origin - past["first"][past["date"] == past["first"]]).dt.days.value_counts()
    by_day = (origin - past["date"]).dt.days.value_counts()
    day = origin.date()
    calendar = calendar_of(fitted.model, WEEK_DAYS, ago, by_day, day)
    known = purchases[purchases["who"].isin(each.index)]
    ends = [origin + pd.Timedelta(days=WEEK_DAYS * n) for n in range(1, weeks + 1)]
    forecasts = [
        forecast(model, cells, weeks=weeks, calendar=one, as_of=day).weeks
        for one in (STEADY, calendar)
    ]
    return Held(str(day), _by_week(known, ends), forecasts)


def _row(name: str, held: list[Held]) -> list[str]:
    """Figures of some origins: totals are off by their mean size."""
    came = np.concatenate([each.came for each in held])
    shown = [name, str(len(came)), f"{came.sum():,.0f}"]
    for k in range(2):
        weeks = pd.concat([each.forecasts[k] for each in held])
        off = [each.forecasts[k]["purchases"].sum() / each.came.sum() - 1 for each in held]
        within = (came >= weeks["purchases_low"]) & (came <= weeks["purchases_high"])
        by_week = np.abs(weeks["purchases"] - came).sum() / came.sum()
        total = f"{off[0]:+.1%}" if len(off) == 1 else f"{np.abs(off).mean():.1%}"
        shown += [total, f"{by_week:.1%}", f"{within.mean():.0%}"]
    return shown


def _by_week(purchases: pd.DataFrame, ends: list[pd.Timestamp]) -> Floats:
    days = purchases["date"]
    return np.array(
        [float(((days > end - pd.Timedelta(days=WEEK_DAYS)) & (days <= end)).sum()) for end in ends]
    )


if __name__ == "__main__":
    typer.run(main)
