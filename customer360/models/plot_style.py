"""How all plots look: palette, figure, PNG. Drawn on matplotlib's ``Figure``, never ``pyplot``.

So no display is needed and nothing stays open between runs. The palette is told apart by the
colour-blind too.
"""

from __future__ import annotations

import io
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

ACTUAL = "#1f2937"
MODEL = "#2563eb"
BASELINE = "#d97706"
OTHER = "#9ca3af"

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": "#6b7280",
    "axes.labelcolor": "#374151",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#e5e7eb",
    "xtick.color": "#374151",
    "ytick.color": "#374151",
    "legend.frameon": False,
}


def new_figure(
    title: str, subtitle: str, size: tuple[float, float] = (7.5, 4.5)
) -> tuple[Figure, Axes]:
    """A figure of ``size`` inches with one pair of axes: the question, and what is shown."""
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=size, dpi=120, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
    axes.set_title(
        subtitle, loc="left", fontsize=9.5, color="#6b7280", pad=8, fontfamily="DejaVu Sans"
    )
    figure.suptitle(title, x=0.01, ha="left", fontsize=12.5, fontweight="bold", color="#111827")
    return figure, axes


def png(figure: Figure) -> bytes:
    """The figure as a PNG file."""
    with matplotlib.rc_context(_STYLE), io.BytesIO() as stream:
        # No software or date in the file: the same data draws the same bytes.
        figure.savefig(stream, format="png", metadata={"Software": None})
        return stream.getvalue()


thousands = FuncFormatter(lambda value, _: f"{value:,.0f}")
