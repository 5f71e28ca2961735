"""What all charts share: their colours, the shapes that more than one of them has, and PNG files.

Every chart is an Altair chart: the dashboard shows it, `png` draws it without browser, display or
network (vl-convert brings its own fonts). Here belongs what the dashboard, the models' plots and
the exploration have in common; words for people are the callers'.

Colours: Okabe and Ito 2008, "Color Universal Design", told apart by the colour-blind too.
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import altair as alt
import pandas as pd
from PIL import Image

BLUE, SKY, GREEN, ORANGE, VERMILION, PINK, GREY, BLACK = (
    "#0072B2",
    "#56B4E9",
    "#009E73",
    "#E69F00",
    "#D55E00",
    "#CC79A7",
    "#7F7F7F",
    "#1f2937",
)
ACTUAL, MODEL, BASELINE, OTHER = BLACK, BLUE, VERMILION, GREY
HEIGHT = 300
PLAIN = ",~f"
"""Numbers of an axis written out, in the language of d3-format; "~s" says 2k for 2,000."""
SHORT: Mapping[str, str] = {"k": "K", "M": "M", "G": "B", "T": "T"}
"""English short forms of amounts, by the SI prefixes of "~s"."""
DAY, MONTH = "%-d %b %Y", "%b %Y"
"""Days and months of an axis, in the language of d3-time-format: never without their year."""

AnyChart = alt.Chart | alt.LayerChart | alt.FacetChart | alt.HConcatChart


@dataclass(frozen=True)
class Series:
    """How a line or a row of bars looks, and what the legend calls it.

    Attributes:
        name: In the legend; equal to its rows' column ``series``.
        colour: Of its marks.
        dashed: Whether its line is.
    """

    name: str
    colour: str
    dashed: bool = False


def colours(series: Sequence[Series], *, legend: bool = True) -> alt.Color:
    """The colour of each row's ``series``, with a legend in the given order."""
    scale = alt.Scale(domain=[s.name for s in series], range=[s.colour for s in series])
    return alt.Color("series:N", scale=scale, legend=alt.Legend(title=None) if legend else None)


def strokes(series: Sequence[Series], *, legend: bool = True) -> list[Any]:
    """Colour and dashes of lines by ``series``; layers with the same series share one legend."""
    dashes = alt.Scale(
        domain=[s.name for s in series], range=[[5, 4] if s.dashed else [1, 0] for s in series]
    )
    shown = alt.Legend(title=None) if legend else None
    return [colours(series, legend=legend), alt.StrokeDash("series:N", scale=dashes, legend=shown)]


def diagonal(
    most: float, x: str, y: str, line: Series, series: Sequence[Series], *, legend: bool = True
) -> alt.Chart:
    """The ``line`` on which the columns ``x`` and ``y`` are equal, from 0 to ``most``."""
    ends = pd.DataFrame({x: [0, most], y: [0, most], "series": line.name})
    return (
        alt.Chart(ends)
        .mark_line()
        .encode(alt.X(f"{x}:Q"), alt.Y(f"{y}:Q"), *strokes(series, legend=legend))
    )


def share_axis(column: str, title: str) -> dict[str, Any]:
    """Arguments of an axis of shares, drawn whole from none to all."""
    return {
        "shorthand": f"{column}:Q",
        "title": title,
        "axis": alt.Axis(format="%", tickCount=6),
        "scale": alt.Scale(domain=[0, 1]),
    }


def amounts(number_format: str = "~s", short: Mapping[str, str] = SHORT, **more: Any) -> alt.Axis:
    """An axis of amounts, on which nothing is 0 and not 0k.

    Args:
        number_format: In the language of d3-format.
        short: What stands behind an amount in short, by the SI prefix of "~s".
        more: Further arguments of the axis.
    """
    if number_format.endswith("s"):
        last = "slice(datum.label, -1)"
        forms = json.dumps(dict(short))
        more["labelExpr"] = (
            f"datum.value === 0 ? '0' : slice(datum.label, 0, -1) + ({forms}[{last}] || {last})"
        )
    return alt.Axis(format=number_format, **more)


def dated(frame: pd.DataFrame, *columns: str) -> pd.DataFrame:
    """``frame`` with dates as Altair wants them."""
    return frame.assign(**{name: pd.to_datetime(frame[name]) for name in columns})


def time_axis(time: str, title: str, *, months: bool) -> alt.X:
    """The axis of days or, with a label under the middle of its bar, of ``months``."""
    if not months:
        axis = alt.Axis(format=DAY, labelOverlap=True)
        return alt.X(f"{time}:T", title=title, timeUnit="yearmonthdate", axis=axis)
    # A month is a name and no moment: its label belongs under the middle of its bar.
    axis = alt.Axis(format=MONTH, labelAngle=0, labelOverlap=True)
    return alt.X(f"{time}:O", title=title, timeUnit="yearmonth", axis=axis)


def faint(partial: str) -> Any:
    """Opacity of marks: faint where the column ``partial`` says that the period is not whole."""
    return alt.condition(alt.datum[partial], alt.value(0.45), alt.value(1.0))


def bars_over_time(
    frame: pd.DataFrame,
    time: str,
    value: str,
    *,
    x: str,
    y: str,
    months: bool,
    partial: str | None = None,
    short: Mapping[str, str] = SHORT,
) -> alt.Chart:
    """One bar a month, or a day that a period begins with.

    Args:
        frame: A row a bar.
        time: Column of the period's first day.
        value: Column of the bar's length.
        x: Title of the time axis.
        y: Title of the values' axis.
        months: Whether a bar is a month.
        partial: Column that is true where the period is not whole; its bar is faint.
        short: As for `amounts`.
    """
    bars = alt.Chart(dated(frame, time), height=HEIGHT).mark_bar(color=BLUE)
    if partial is not None:
        bars = bars.encode(opacity=faint(partial))
    return bars.encode(
        time_axis(time, x, months=months),
        alt.Y(f"{value}:Q", title=y, axis=amounts(short=short)),
        [
            alt.Tooltip(f"{time}:T", title=x, format=MONTH if months else DAY),
            alt.Tooltip(f"{value}:Q", title=y, format=",.0f"),
        ],
    )


def grouped_bars(
    table: pd.DataFrame,
    columns: Mapping[str, Series],
    labels: Sequence[str | Sequence[str]],
    *,
    x: str,
    y: str,
    number_format: str = PLAIN,
) -> alt.Chart:
    """The ``columns`` of each row as bars beside each other.

    Args:
        table: A row a group, in the order of the axis.
        columns: What each column is called and looks like.
        labels: Text under each group, or its lines.
        x: Title of the groups' axis.
        y: Title of the values' axis.
        number_format: Of the values' axis.
    """
    # Groups are known by their place: labels of two groups may be the same.
    long = (
        table[list(columns)]
        .set_axis([series.name for series in columns.values()], axis=1)
        .assign(group=range(len(table)))
        .melt(["group"], var_name="series")
    )
    order = [series.name for series in columns.values()]
    return (
        alt.Chart(long, height=HEIGHT)
        .mark_bar()
        .encode(
            alt.X(
                "group:O",
                title=x,
                axis=alt.Axis(
                    labelExpr=f"{json.dumps(list(labels))}[datum.value]",
                    labelAngle=0,
                    labelOverlap=False,
                ),
            ),
            alt.XOffset("series:N", sort=order),
            alt.Y("value:Q", title=y, axis=alt.Axis(format=number_format)),
            colours(list(columns.values())),
        )
    )


def histogram(frame: pd.DataFrame, value: str, *, x: str, y: str, whole: bool = False) -> alt.Chart:
    """Bars between the edges ``from`` and ``to``, as high as the column ``value``.

    Args:
        frame: A row a bar.
        value: Column of its height.
        x: Title of the edges' axis.
        y: Title of the values' axis.
        whole: Whether only whole numbers stand on the edges' axis.
    """
    step = 1 if whole else alt.Undefined
    return (
        alt.Chart(frame, height=HEIGHT)
        .mark_bar(color=BLUE, binSpacing=1)
        .encode(
            alt.X("from:Q", bin="binned", title=x, axis=alt.Axis(format=PLAIN, tickMinStep=step)),
            alt.X2("to"),
            alt.Y(f"{value}:Q", title=y, axis=alt.Axis(format=PLAIN)),
        )
    )


def ranked_bars(
    frame: pd.DataFrame,
    name: str,
    value: str,
    *,
    x: str,
    y: str | None = None,
    number_format: str = "~s",
    colour: alt.Color | str = BLUE,
    short: Mapping[str, str] = SHORT,
) -> alt.Chart:
    """One horizontal bar a row, in the frame's order.

    Args:
        frame: A row a bar.
        name: Column of what a bar stands for.
        value: Column of its length.
        x: Title of the values' axis.
        y: Title of the names' axis.
        number_format: Of the values' axis.
        colour: One for all, or by a column.
        short: As for `amounts`.
    """
    chart = alt.Chart(frame, height=max(120, 28 * len(frame) + 50))
    bars = chart.mark_bar() if isinstance(colour, alt.Color) else chart.mark_bar(color=colour)
    precise = ".1%" if number_format.endswith("%") else ",.4~f"
    encoded = bars.encode(
        alt.X(f"{value}:Q", title=x, axis=amounts(number_format, short, tickCount=8)),
        alt.Y(f"{name}:N", title=y, sort=None, axis=alt.Axis(labelOverlap=False)),
        tooltip=[
            alt.Tooltip(f"{name}:N", title=y or " "),
            alt.Tooltip(f"{value}:Q", title=x, format=precise),
        ],
    )
    return encoded.encode(color=colour) if isinstance(colour, alt.Color) else encoded


def calibration(
    frame: pd.DataFrame,
    names: tuple[str, str],
    *,
    x: str,
    y: str,
    shares: bool = False,
    legend: tuple[str, str] | None = None,
) -> AnyChart:
    """What came by what was said, a point a tenth of the customers; on the line it is the same.

    Args:
        frame: ``decile``, ``customers`` (a point's size), ``predicted`` and ``actual``.
        names: What a tenth and its customers are called.
        x: Title of the axis of what was said.
        y: Title of the axis of what came.
        shares: Whether both are shares, drawn from none to all.
        legend: What the line and the points are called, if a legend is to say it.
    """
    line, points = legend or ("line", "points")
    of = [Series(line, GREY, dashed=True), Series(points, BLUE)]
    most = 1.0 if shares else float(frame[["predicted", "actual"]].max().max())
    across, up = (
        (alt.X(**share_axis("predicted", x)), alt.Y(**share_axis("actual", y)))
        if shares
        else (alt.X("predicted:Q", title=x), alt.Y("actual:Q", title=y))
    )
    base = alt.Chart(frame.assign(series=points), height=HEIGHT).encode(across, up)
    tooltip = [
        alt.Tooltip("decile:O", title=names[0]),
        alt.Tooltip("customers:Q", title=names[1], format=","),
        alt.Tooltip("predicted:Q", title=x, format=",.3~f"),
        alt.Tooltip("actual:Q", title=y, format=",.3~f"),
    ]
    size = alt.Size("customers:Q", legend=None, scale=alt.Scale(domainMin=0, range=[20, 90]))
    return alt.layer(
        diagonal(most, "predicted", "actual", of[0], of, legend=legend is not None),
        base.mark_line().encode(*strokes(of, legend=legend is not None)),
        base.mark_circle(color=BLUE, opacity=1).encode(size, tooltip=tooltip),
    )


def profit(
    table: pd.DataFrame,
    best: float,
    names: tuple[str, str],
    *,
    x: str,
    y: str,
    by: Literal["share", "customers"] = "share",
    observed: str | None = None,
    number_format: str = "~s",
    short: Mapping[str, str] = SHORT,
) -> AnyChart:
    """Expected profit by how many are contacted, and where it is largest.

    Args:
        table: ``by`` and ``expected``; ``observed`` where that has a name.
        best: Where the expected profit is largest, in terms of ``by``.
        names: What the curve and the mark are called.
        x: Title of the customers' axis.
        y: Title of the money axis.
        by: Whether the customers' axis has their share or their number.
        observed: What the profit is called that the campaign would have had.
        number_format: Of the money axis.
        short: As for `amounts`.
    """
    expected, mark_of_best = Series(names[0], BLUE), Series(names[1], VERMILION, dashed=True)
    curves = {"expected": expected}
    if observed is not None:
        curves["observed"] = Series(observed, BLACK)
    of = [*curves.values(), mark_of_best]
    across = alt.X(**share_axis(by, x)) if by == "share" else alt.X(f"{by}:Q", title=x)
    written = ".1%" if by == "share" else ",.0f"
    long = pd.concat(
        table[[by]].assign(profit=table[column], series=series.name)
        for column, series in curves.items()
    )
    lines = (
        alt.Chart(long, height=HEIGHT)
        .mark_line(strokeWidth=2)
        .encode(
            across,
            alt.Y("profit:Q", title=y, axis=amounts(number_format, short)),
            *strokes(of),
            tooltip=[
                alt.Tooltip(f"{by}:Q", title=x, format=written),
                alt.Tooltip("profit:Q", title=y, format=",.0f"),
            ],
        )
    )
    mark = (
        alt.Chart(pd.DataFrame({by: [best], "series": mark_of_best.name}))
        .mark_rule(strokeWidth=2)
        .encode(
            alt.X(f"{by}:Q"),
            *strokes(of),
            tooltip=[alt.Tooltip(f"{by}:Q", title=mark_of_best.name, format=written)],
        )
    )
    zero = alt.Chart(pd.DataFrame({"profit": [0]})).mark_rule(color=GREY).encode(y="profit:Q")
    return alt.layer(zero, lines, mark)


def figure(
    chart: AnyChart, question: str, shown: str, size: tuple[float, float] = (600, 360)
) -> AnyChart:
    """``chart`` as it stands alone: the question it answers, what is shown, and how large it is.

    Args:
        chart: With titles of its axes.
        question: In bold above it.
        shown: Which rows of what, under the question.
        size: Width and height of the whole picture; a PNG has half as many pixels more.
    """
    title = alt.Title(question, subtitle=shown)
    return (
        chart.properties(width=size[0], height=size[1], title=title)
        .properties(autosize=alt.AutoSizeParams(type="fit", contains="padding"))
        .configure(font="Liberation Sans", background="white")
        .configure_axis(
            titleFontWeight="normal",
            titleColor="#374151",
            labelColor="#374151",
            domainColor="#6b7280",
            tickColor="#6b7280",
            gridColor="#e5e7eb",
            labelLimit=300,
        )
        .configure_legend(
            orient="top", title=None, columns=int(size[0] // 200), labelLimit=340, labelFontSize=11
        )
        .configure_title(
            anchor="start",
            frame="bounds",
            fontSize=15,
            color="#111827",
            subtitleFontSize=11.5,
            subtitleColor="#6b7280",
            subtitlePadding=4,
            offset=10,
        )
        .configure_view(strokeWidth=0)
    )


def png(chart: AnyChart) -> bytes:
    """The chart as a PNG file; the same data draws the same bytes.

    vl-convert compresses for speed. Packed again by Pillow a file is a quarter of that, for 20 ms:
    these images go into MLflow, the warehouse and Dagster's event log.
    """
    with io.BytesIO() as drawn, io.BytesIO() as packed:
        chart.save(drawn, format="png", scale_factor=1.5)
        with Image.open(drawn) as image:
            image.convert("RGB").save(packed, format="png")
        return packed.getvalue()
