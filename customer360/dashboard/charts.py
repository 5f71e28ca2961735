"""Charts: each from one small frame, with axes in units, in colours that everybody tells apart.

Colours: Okabe and Ito 2008, "Color Universal Design"; for amounts the cividis scale (Nuñez,
Anderton and Renslow 2018, doi:10.1371/journal.pone.0199239).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import pandas as pd
from babel.numbers import get_decimal_symbol, get_group_symbol

from customer360 import plotting
from customer360.language import Language
from customer360.plotting import (
    BLUE,
    DAY,
    GREEN,
    GREY,
    HEIGHT,
    MONTH,
    ORANGE,
    SHORT,
    SKY,
    VERMILION,
    amounts,
    dated,
    faint,
    time_axis,
)

SCALE: Any = "cividis"

_LEGEND_COLUMNS = alt.ExprRef(expr="windowSize()[0] < 700 ? 1 : 2")
"""On a phone the entries of a legend stand below each other, all of them whole."""

_WIDTHS = ("wide", "abbreviated")


def opening(chart: Any, column: str = "link") -> Any:
    """``chart`` whose marks are links: a click opens the address in the ``column`` of their row."""
    if isinstance(chart, alt.LayerChart):
        opened = chart.copy(deep=False)
        opened.layer = [opening(layer, column) for layer in chart.layer]
        return opened
    return chart.encode(href=alt.Href(f"{column}:N"))


def configured(chart: Any, language: Language) -> Any:
    """``chart`` with numbers and dates as the language writes them."""
    rules = language.locale
    months, short_months = (list(rules.months["format"][w].values()) for w in _WIDTHS)
    # Babel's weeks begin on Monday, those of D3 on Sunday.
    days, short_days = ([rules.days["format"][w][(n - 1) % 7] for n in range(7)] for w in _WIDTHS)
    locale: dict[str, Any] = {
        "number": {
            "decimal": get_decimal_symbol(rules),
            "thousands": get_group_symbol(rules),
            "grouping": [3],
            "currency": [language.symbol, ""],
        },
        "time": {
            "dateTime": "%A, %e %B %Y, %X",
            "date": "%d/%m/%Y",
            "time": "%H:%M:%S",
            "periods": ["AM", "PM"],
            "days": days,
            "shortDays": short_days,
            "months": months,
            "shortMonths": short_months,
        },
    }
    return (
        chart.configure(locale=locale)
        .configure_axis(titleFontWeight="normal", labelLimit=220)
        .configure_legend(orient="top", title=None, labelLimit=0, columns=_LEGEND_COLUMNS)
        .configure_view(strokeWidth=0)
    )


def stacked_over_time(
    frame: pd.DataFrame,
    time: str,
    parts: Mapping[str, str],
    *,
    x: str,
    y: str,
    partial: str | None = None,
    opens: str | None = None,
    short: Mapping[str, str] = SHORT,
) -> alt.Chart:
    """Months with the columns ``parts`` (and what each is called) on top of each other.

    Months where the column ``partial`` is true are faint. The bars of the part ``opens`` lead to
    the address in the column ``link``. Amounts in ``short`` are as for `plotting.amounts`.
    """
    kept = [name for name in (time, partial, "link" if opens else None) if name is not None]
    long = dated(frame, time).melt(kept, list(parts), "part", "value")
    if opens is not None:
        # A mark whose address is empty leads nowhere.
        long.loc[long["part"] != opens, "link"] = ""
    long["part"] = long["part"].map(parts)
    # Where nothing opens, no hand says that something would.
    hand = alt.ExprRef("datum.link ? 'pointer' : 'default'") if opens else alt.Undefined
    bars = alt.Chart(long, height=HEIGHT).mark_bar(cursor=hand)
    if partial is not None:
        bars = bars.encode(opacity=faint(partial))
    drawn: alt.Chart = bars.encode(
        time_axis(time, x, months=True),
        alt.Y("value:Q", title=y, axis=amounts(short=short)),
        alt.Color(
            "part:N",
            scale=alt.Scale(domain=list(parts.values()), range=[BLUE, ORANGE, GREY]),
        ),
        tooltip=[
            alt.Tooltip(f"{time}:T", title=x, timeUnit="yearmonth", format=MONTH),
            alt.Tooltip("part:N", title=" "),
            alt.Tooltip("value:Q", title=y, format=","),
        ],
    )
    return opening(drawn) if opens is not None else drawn


def forecast(
    came: pd.DataFrame,
    coming: pd.DataFrame,
    foreseen: pd.DataFrame,
    names: Sequence[str],
    *,
    x: str,
    y: str,
    short: Mapping[str, str] = SHORT,
) -> Any:
    """Months that were and months to come, and what was expected of those that were.

    A month of which a part is over has both on top of each other; a month that is not known or not
    foreseen whole is faint.

    Args:
        came: ``month``, ``net_revenue``, ``is_partial``.
        coming: As of `customer360.dashboard.outlook.by_month`.
        foreseen: As of `customer360.dashboard.outlook.compared`.
        names: What the past, today's customers, those to come, the band and what was expected
            earlier are called.
        x: Title of the time axis.
        y: Title of the money axis.
        short: As for `plotting.amounts`.
    """
    past, today, new, band, expected = names
    part_known = coming["is_partial"] & ~coming["month"].isin(came["month"])
    parts = pd.concat(
        [
            came.assign(value=came["net_revenue"], part=past, place=0),
            coming.assign(value=coming["revenue"], part=today, place=1, is_partial=part_known),
            coming.assign(value=coming["new_revenue"], part=new, place=2, is_partial=part_known),
        ]
    )[["month", "value", "part", "place", "is_partial"]]
    # A month that goes on is whole with what is expected of the rest of it.
    parts["is_partial"] &= ~(parts["month"].isin(coming["month"]) & (parts["part"] == past))
    so_far = coming["month"].map(came.set_index("month")["net_revenue"]).astype(float).fillna(0)
    bounds = coming.assign(
        low=coming["revenue_low"] + so_far, high=coming["revenue_high"] + so_far, part=band
    )
    shown = [past, today, new, band] + ([expected] if len(foreseen) else [])
    colour = alt.Color(
        "part:N",
        scale=alt.Scale(domain=shown, range=[GREY, BLUE, ORANGE, SKY, VERMILION][: len(shown)]),
    )
    bars = (
        alt.Chart(dated(parts, "month"), height=HEIGHT)
        .mark_bar()
        .encode(
            time_axis("month", x, months=True),
            alt.Y("value:Q", title=y, axis=amounts(short=short)),
            colour,
            alt.Order("place:O"),
            opacity=faint("is_partial"),
            tooltip=[
                alt.Tooltip("month:T", title=x, timeUnit="yearmonth", format=MONTH),
                alt.Tooltip("part:N", title=" "),
                alt.Tooltip("value:Q", title=y, format=",.0f"),
            ],
        )
    )
    rules = (
        alt.Chart(dated(bounds[["month", "low", "high", "part"]], "month"))
        .mark_rule(strokeWidth=4)
        .encode(
            time_axis("month", x, months=True),
            alt.Y("low:Q"),
            alt.Y2("high:Q"),
            colour,
            tooltip=[
                alt.Tooltip("month:T", title=x, timeUnit="yearmonth"),
                alt.Tooltip("part:N", title=" "),
                alt.Tooltip("low:Q", title="≥", format=",.0f"),
                alt.Tooltip("high:Q", title="≤", format=",.0f"),
            ],
        )
    )
    ticks = (
        alt.Chart(dated(foreseen[["month", "expected"]].assign(part=expected), "month"))
        .mark_tick(thickness=3, width=26, orient="horizontal")
        .encode(
            time_axis("month", x, months=True),
            alt.Y("expected:Q"),
            colour,
            tooltip=[
                alt.Tooltip("month:T", title=x, timeUnit="yearmonth"),
                alt.Tooltip("expected:Q", title=expected, format=",.0f"),
            ],
        )
    )
    return alt.layer(bars, rules, ticks) if len(foreseen) else alt.layer(bars, rules)


def concentration(frame: pd.DataFrame, *, x: str, y: str) -> Any:
    """Share of the value by share of the customers, the richest first; the diagonal is equality.

    Args:
        frame: ``percent`` and ``share``, cumulated.
        x: Title of the customers' axis.
        y: Title of the value's axis.
    """
    points = pd.concat(
        [pd.DataFrame({"percent": [0], "share": [0.0]}), frame[["percent", "share"]]]
    )
    points = points.assign(customers=points["percent"] / 100)
    curve = (
        alt.Chart(points, height=HEIGHT)
        .mark_area(color=SKY, opacity=0.35, line={"color": BLUE})
        .encode(
            alt.X("customers:Q", title=x, axis=alt.Axis(format="%")),
            alt.Y("share:Q", title=y, axis=alt.Axis(format="%"), scale=alt.Scale(domain=[0, 1])),
            [
                alt.Tooltip("customers:Q", title=x, format=".0%"),
                alt.Tooltip("share:Q", title=y, format=".1%"),
            ],
        )
    )
    equal = (
        alt.Chart(pd.DataFrame({"customers": [0, 1], "share": [0, 1]}))
        .mark_line(color=GREY, strokeDash=[4, 4])
        .encode(alt.X("customers:Q"), alt.Y("share:Q"))
    )
    return alt.layer(curve, equal)


def shifts(names: Mapping[str, str]) -> alt.Color:
    """Colours of how far a distribution moved; ``names`` by stable, moderate, shifted."""
    return alt.Color(
        "shift:N",
        scale=alt.Scale(domain=list(names.values()), range=[GREEN, ORANGE, VERMILION]),
    )


def pairs(
    frame: pd.DataFrame, name: str, columns: Mapping[str, str], *, x: str, percent: bool
) -> alt.Chart:
    """Two or more bars a row beside each other: ``columns`` and what each is called."""
    long = frame.melt([name], list(columns), "part", "value")
    long["part"] = long["part"].map(columns)
    return (
        alt.Chart(long, height=max(160, 44 * len(frame) + 60))
        .mark_bar()
        .encode(
            alt.X("value:Q", title=x, axis=amounts("%" if percent else "~s")),
            alt.Y(f"{name}:N", title=None, sort=list(frame[name])),
            alt.YOffset("part:N", sort=list(columns.values())),
            alt.Color(
                "part:N", scale=alt.Scale(domain=list(columns.values()), range=[BLUE, ORANGE])
            ),
            tooltip=[
                alt.Tooltip(f"{name}:N", title=" "),
                alt.Tooltip("part:N", title=" "),
                alt.Tooltip("value:Q", title=x, format=".1%" if percent else ","),
            ],
        )
    )


def heat_map(
    frame: pd.DataFrame,
    columns: tuple[str, str, str],
    *,
    titles: tuple[str, str, str],
    percent: bool = False,
    descending: bool = False,
    most: float | None = None,
    height: int = HEIGHT,
    slanted: bool = False,
) -> Any:
    """Cells of an x and a y column, coloured by and labelled with a third.

    Args:
        frame: A row a cell.
        columns: Of x, y and colour.
        titles: Of the same.
        percent: Whether the colour is a share.
        descending: The largest y on top.
        most: Value from which all cells have the brightest colour.
        height: In pixels.
        slanted: Whether the x column has long names.
    """
    across, up, value = columns
    largest = float(frame[value].max())
    shown = ".0%" if percent else ("," if largest < 10_000 else ".3~s")
    middle = (most if most is not None else largest) * 0.55
    base = alt.Chart(frame, height=height).encode(
        alt.X(
            f"{across}:O",
            title=titles[0],
            sort=None if slanted else "ascending",
            axis=alt.Axis(labelAngle=-40 if slanted else 0, labelOverlap=not slanted),
        ),
        alt.Y(
            f"{up}:O",
            title=titles[1],
            sort="descending" if descending else list(dict.fromkeys(frame[up])),
        ),
    )
    cells = base.mark_rect().encode(
        alt.Color(
            f"{value}:Q",
            title=titles[2],
            scale=alt.Scale(
                scheme=SCALE,
                domainMin=0,
                domainMax=most if most is not None else alt.Undefined,
                clamp=True,
            ),
            legend=None,
        ),
        tooltip=[
            alt.Tooltip(f"{up}:O", title=titles[1]),
            alt.Tooltip(f"{across}:O", title=titles[0]),
            alt.Tooltip(f"{value}:Q", title=titles[2], format=".1%" if percent else ",.0f"),
        ],
    )
    # Dark letters on bright cells, bright ones on dark.
    words = base.mark_text(fontSize=11).encode(
        alt.Text(f"{value}:Q", format=shown),
        color=alt.condition(alt.datum[value] > middle, alt.value("#1a1a1a"), alt.value("#ffffff")),
    )
    return alt.layer(cells, words)


def timeline(
    days: pd.DataFrame, names: tuple[str, str], more: Mapping[str, str], *, x: str, y: str
) -> alt.Chart:
    """A customer's days: purchases up, refunds down.

    Args:
        days: ``business_date``, ``net_revenue`` and the columns ``more``.
        names: What a purchase and a refund are called.
        more: Further columns of text to tell of a day, and what each is called.
        x: Title of the time axis.
        y: Title of the money axis.
    """
    shown = dated(days, "business_date").assign(
        kind=[names[0] if value >= 0 else names[1] for value in days["net_revenue"]]
    )
    return (
        alt.Chart(shown, height=220)
        .mark_bar(width=4)
        .encode(
            alt.X("business_date:T", title=x, axis=alt.Axis(format=DAY, labelOverlap=True)),
            alt.Y("net_revenue:Q", title=y),
            alt.Color("kind:N", scale=alt.Scale(domain=list(names), range=[BLUE, VERMILION])),
            tooltip=[
                alt.Tooltip("business_date:T", title=x, format=DAY),
                alt.Tooltip("net_revenue:Q", title=y, format=",.2f"),
                *(alt.Tooltip(f"{name}:N", title=title) for name, title in more.items()),
            ],
        )
    )


def qini(frame: pd.DataFrame, names: tuple[str, str], *, x: str, y: str) -> Any:
    """A Qini curve beside the straight line of chance.

    Args:
        frame: ``share``, ``gained`` and ``random``: see `customer360.models.uplift.qini_curve`.
        names: What the curve and the line are called.
        x: Title of the customers' axis.
        y: Title of the axis of buyers gained.
    """
    of = [plotting.Series(names[0], BLUE), plotting.Series(names[1], GREY, dashed=True)]
    long = pd.concat(
        frame[["share"]].assign(value=frame[column], series=series.name)
        for column, series in zip(("gained", "random"), of, strict=True)
    )
    return (
        alt.Chart(long, height=HEIGHT)
        .mark_line()
        .encode(
            alt.X(**plotting.share_axis("share", x)),
            alt.Y("value:Q", title=y, axis=alt.Axis(format="%")),
            *plotting.strokes(of),
            tooltip=[
                alt.Tooltip("share:Q", title=x, format=".0%"),
                alt.Tooltip("value:Q", title=y, format=".1%"),
            ],
        )
    )
