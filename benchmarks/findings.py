"""``python -m benchmarks.findings HOME …``: the plots of docs/findings.md, from tables of homes.

How long customers take between two purchases, and the weekly purchases of the customers known in
the middle of the history, beside what was forecast of them then.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import altair as alt
import numpy as np
import pandas as pd
import typer

from benchmarks.seasons import HALF_A_YEAR, LONGEST, SHORTEST, Held, Shop
from customer360.models.lifetime_value.seasons import WEEK_DAYS
from customer360.plotting import ACTUAL, BASELINE, GREEN, MODEL, png

IMAGES = Path(__file__).parent.parent / "docs" / "images"
COLOURS = (MODEL, ACTUAL, GREEN, BASELINE)
SIZE = 330, 240


def main(
    homes: Annotated[list[Path], typer.Argument(help="Deployments with silver tables.")],
    to: Annotated[Path, typer.Option(help="Folder of the pictures.")] = IMAGES,
) -> None:
    """Draw and save."""
    shops = {_title(home): Shop.at(home) for home in homes}
    to.mkdir(parents=True, exist_ok=True)
    for name, chart in (("gaps", _gaps(shops)), ("forecast", _forecasts(shops))):
        target = to / f"findings-{name}.png"
        target.write_bytes(png(chart))
        typer.echo(target.name)


def _title(home: Path) -> str:
    return home.name.replace("_", " ")


def _gaps(shops: dict[str, Shop]) -> alt.Chart:
    """Share of gaps between two purchases that are no longer than so many days.

    Every customer counts alike, however many gaps are theirs.
    """
    curves = []
    for name, shop in shops.items():
        ordered = shop.purchases.sort_values(["customer_key", "business_date"])
        who, when = ordered["customer_key"], pd.to_datetime(ordered["business_date"])
        day = (when - when.min()).dt.days
        gap = day.groupby(who).diff().dropna()
        weight = 1 / gap.groupby(who[gap.index]).transform("size")
        by_days = weight.groupby(gap).sum().cumsum() / weight.sum()
        days = np.arange(HALF_A_YEAR + 1)
        share = by_days.reindex(days, method="ffill").fillna(0.0)
        curves.append(pd.DataFrame({"shop": name, "days": days, "share": share}))
    return (
        alt.Chart(pd.concat(curves), width=SIZE[0] * 2, height=SIZE[1])
        .mark_line(strokeWidth=2.5)
        .encode(
            x=alt.X("days:Q", title="Days between two purchases of a customer"),
            y=alt.Y(
                "share:Q",
                title="Share of gaps no longer, customers alike",
                axis=alt.Axis(format="%"),
            ),
            color=alt.Color(
                "shop:N",
                title=None,
                scale=alt.Scale(domain=list(shops), range=list(COLOURS[: len(shops)])),
            ),
        )
        .properties(title="Each shop has a rhythm of its own")
    )


def _forecasts(shops: dict[str, Shop]) -> alt.HConcatChart:
    """Weeks of the customers known in the middle of each history, with the forecast's 90 % band."""
    charts = []
    for name, shop in shops.items():
        begun, last = (getattr(shop.purchases["business_date"], end)() for end in ("min", "max"))
        origin = begun + timedelta(days=max(HALF_A_YEAR, (last - begun).days // 2))
        weeks = min(LONGEST, (last - origin).days // WEEK_DAYS)
        held = shop.held_against(origin, weeks) if weeks >= SHORTEST else None
        if held:
            charts.append(_forecast(f"{name}, from {origin:%d %b %Y}", held))
    return alt.hconcat(*charts)


def _forecast(title: str, held: Held) -> alt.LayerChart:
    weeks = held.forecasts["published"].assign(came=held.came["purchases"].to_numpy())
    base = alt.Chart(weeks, width=SIZE[0], height=SIZE[1]).encode(
        x=alt.X("week:Q", title="Week", axis=alt.Axis(tickMinStep=1))
    )
    band = base.mark_area(opacity=0.25, color=MODEL).encode(
        y=alt.Y("purchases_low:Q", title="Purchases"), y2="purchases_high:Q"
    )
    said = base.mark_line(color=MODEL, strokeWidth=2.5).encode(y="purchases:Q")
    came = base.mark_line(color=ACTUAL, strokeWidth=2, strokeDash=[4, 3]).encode(y="came:Q")
    return (band + said + came).properties(title=title)


if __name__ == "__main__":
    typer.run(main)
