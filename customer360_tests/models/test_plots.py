"""Plots are PNG files of a readable size, the same for the same data."""

from __future__ import annotations

import struct
from datetime import date

import numpy as np
import pandas as pd

from customer360.models import plots


def size(png: bytes) -> tuple[int, int]:
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", png[16:24])
    return width, height


def drawn() -> dict[str, bytes]:
    by_frequency = pd.DataFrame(
        {"frequency": range(8), "customers": 10, "actual": 1.0, "model": 1.1, "past_average": 2.0}
    )
    edges = np.linspace(0, 1, 21)
    alive = pd.DataFrame({"from": edges[:-1], "to": edges[1:], "customers": range(20)})
    table = pd.DataFrame(
        {"group": [1, 2], "customers": [5, 5], "predicted": [0.1, 0.8], "observed": [0.2, 0.7]}
    )
    curve = pd.DataFrame(
        {"share": [0, 0.5, 1], "expected": [0.0, 9.0, -4.0], "observed": [0.0, 7.0, -6.0]}
    )
    by_recency = by_frequency.assign(recency=range(0, 56, 7))
    histogram = pd.DataFrame({"frequency": range(8), "actual": 9, "expected": 8.5})
    weeks = pd.DataFrame(
        {"week": [1, 2, 3], "holdout": [False, False, True], "actual": 5, "expected": 4.5}
    )
    weeks = weeks.assign(cumulative_actual=[5, 10, 15], cumulative_expected=[4.5, 9.0, 13.5])
    buyers = pd.DataFrame(
        {
            "group": [1, 2],
            "customers": [5, 5],
            "probability_alive": [0.2, 0.9],
            "expected": [0.1, 0.6],
            "bought": [0.2, 0.4],
        }
    )
    return {
        "by_recency": plots.purchases_by_recency(by_recency, 273),
        "histogram": plots.frequency_histogram(histogram),
        "weekly": plots.tracking_weekly(weeks),
        "cumulative": plots.tracking_cumulative(weeks),
        "buyers": plots.buyers_by_probability_alive(buyers, 273),
        "profit": plots.profit(curve, 0.5, "A campaign"),
        "by_frequency": plots.purchases_by_frequency(by_frequency, 273),
        "alive": plots.probability_alive(alive, date(2025, 6, 30)),
        "calibration": plots.calibration(table, "Ten customers"),
        "gains": plots.gains([1, 0, 1, 0], {"Model": [4, 3, 2, 1], "Rule": [1, 1, 0, 0]}, "Four"),
        "shap": plots.shap_importance({"T": 0.7, "recency": 0.3}, 5_000),
        "permutation": plots.permutation_importance(
            {"T": 0.7, "recency": -0.1}, {"T": 0.2, "recency": 0.1}, 5_000
        ),
        "predicted": plots.predicted_and_actual([0.0, 10.0], [-5.0, 2_000.0], "2 customers"),
        "importance": plots.feature_importance({"T": 0.7, "recency": 0.3, "orders": 0.0}),
    }


def test_every_plot_is_a_readable_png() -> None:
    for name, png in drawn().items():
        width, height = size(png)
        assert 600 <= width <= 1200, name
        assert 200 <= height <= 1000, name


def test_the_same_data_draws_the_same_bytes() -> None:
    assert drawn() == drawn()


def test_drawing_leaves_matplotlibs_settings_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    drawn()
    assert dict(matplotlib.rcParams) == before
