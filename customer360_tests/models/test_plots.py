"""Plots say what they show, and are PNG files of a readable size, the same for the same data."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from datetime import date
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pytest

from customer360.models import plots
from customer360.plotting import AnyChart, png


def size(image: bytes) -> tuple[int, int]:
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    width, height = struct.unpack(">II", image[16:24])
    return width, height


def drawn() -> dict[str, AnyChart]:
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


def layers(spec: dict[str, Any]) -> list[dict[str, Any]]:
    return spec.get("layer", [spec])


def marks(spec: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [layer for layer in layers(spec) if layer["mark"]["type"] == kind]


def rows(spec: dict[str, Any], layer: dict[str, Any]) -> list[dict[str, Any]]:
    return spec["datasets"][(layer.get("data") or spec["data"])["name"]]


def legend(spec: dict[str, Any]) -> dict[str, str]:
    """The colour of each series."""
    scales = [layer["encoding"]["color"]["scale"] for layer in layers(spec)
              if "field" in layer["encoding"].get("color", {})]  # fmt: skip
    return dict(zip(scales[0]["domain"], scales[0]["range"], strict=True)) if scales else {}


def values(node: object, key: str) -> Iterator[Any]:
    if isinstance(node, dict):
        for name, value in node.items():
            if name == key:
                yield value
            yield from values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from values(value, key)


@pytest.fixture(scope="module")
def specs() -> dict[str, dict[str, Any]]:
    return {name: chart.to_dict() for name, chart in drawn().items()}


def test_every_plot_is_a_readable_png() -> None:
    for name, chart in drawn().items():
        width, height = size(png(chart))
        assert 600 <= width <= 1200, name
        assert 200 <= height <= 1000, name


def test_the_same_data_draws_the_same_bytes() -> None:
    first, again = ({name: png(chart) for name, chart in drawn().items()} for _ in range(2))
    assert first == again


def test_drawing_leaves_altairs_settings_alone() -> None:
    before = (alt.data_transformers.active, dict(alt.data_transformers.options), alt.theme.active)
    many = np.arange(6_000.0)
    png(plots.predicted_and_actual(many, many, "more points than Altair draws unasked"))
    after = (alt.data_transformers.active, dict(alt.data_transformers.options), alt.theme.active)
    assert after == before


def test_every_plot_asks_a_question_says_what_is_shown_and_fetches_nothing(specs) -> None:
    for name, spec in specs.items():
        assert spec["title"]["text"], name
        assert spec["title"]["subtitle"], name
        assert not list(values(spec, "url")), name


def test_axes_are_named_with_their_units(specs) -> None:
    def titles(name: str) -> tuple[str | None, str | None]:
        encodings = [layer["encoding"] for layer in layers(specs[name])]
        return tuple(  # type: ignore[return-value]
            next((e[axis]["title"] for e in encodings if e.get(axis, {}).get("title")), None)
            for axis in ("x", "y")
        )

    assert {name: titles(name) for name in specs} == {
        "by_recency": (
            "Days from the first to the last purchase (n = customers; none = bought once)",
            "Mean purchases per customer",
        ),
        "histogram": ("Repeat purchases", "Customers"),
        "weekly": ("Week since the first purchase of all", "Repeat purchases in the week"),
        "cumulative": (
            "Week since the first purchase of all",
            "Repeat purchases up to the week's end",
        ),
        "buyers": (
            "Mean probability alive of each tenth (n = customers)",
            "Share with a purchase",
        ),
        "profit": (
            "Share of active customers contacted, most profitable first",
            "Profit (currency)",
        ),
        "by_frequency": (
            "Repeat purchases before the holdout (n = customers)",
            "Mean purchases per customer",
        ),
        "alive": ("Probability alive", "Customers"),
        "calibration": ("Predicted churn rate", "Observed churn rate"),
        "gains": (
            "Share of active customers contacted, riskiest first",
            "Share of churners among them",
        ),
        "shap": ("Mean |contribution| in log-odds", None),
        "permutation": ("Rise of the RMSE (currency)", None),
        "predicted": ("Predicted revenue (currency)", "Actual revenue (currency)"),
        "importance": ("Share of total gain", None),
    }


def test_legends_tell_series_apart(specs) -> None:
    by = {name: list(legend(spec)) for name, spec in specs.items() if legend(spec)}
    assert by == {
        "by_recency": ["Actual", "Model", "Baseline: past average carried on"],
        "by_frequency": ["Actual", "Model", "Baseline: past average carried on"],
        "histogram": ["Actual", "Model"],
        "weekly": ["Actual", "Model", "The holdout begins"],
        "cumulative": ["Actual", "Model", "The holdout begins"],
        "buyers": ["Actual", "Model: probability of one purchase or more"],
        "profit": [
            "Expected",
            "As it turned out, had the campaign been run",
            "Best expected: 50%, whose contact pays",
        ],
        "calibration": ["Perfect", "Model, by tenth of risk"],
        "gains": ["Model", "Rule", "At random"],
        "predicted": ["Perfect"],
    }
    for name, spec in specs.items():
        assert len(set(legend(spec).values())) == len(legend(spec)), name


def test_bars_are_the_tables_values_under_their_labels(specs) -> None:
    spec = specs["by_frequency"]
    (bars,) = marks(spec, "bar")
    shown = {(row["group"], row["series"]): row["value"] for row in rows(spec, bars)}
    assert len(shown) == 24
    assert (shown[7, "Model"], shown[0, "Baseline: past average carried on"]) == (1.1, 2.0)
    labels = json.loads(bars["encoding"]["x"]["axis"]["labelExpr"].removesuffix("[datum.value]"))
    assert (labels[0], labels[7]) == (["0", "n=10"], ["7+", "n=10"])


def test_reference_lines_stand_where_they_belong(specs) -> None:
    (rule,) = marks(specs["weekly"], "rule")
    assert rows(specs["weekly"], rule) == [{"week": 2.5, "series": "The holdout begins"}]
    zero, best = marks(specs["profit"], "rule")
    assert rows(specs["profit"], zero) == [{"profit": 0}]
    assert [row["share"] for row in rows(specs["profit"], best)] == [0.5]
    for name, most in (("calibration", 1.0), ("gains", 1.0), ("predicted", 2_000.0)):
        ends = rows(specs[name], marks(specs[name], "line")[0])
        corners = [[value for key, value in row.items() if key != "series"] for row in ends]
        assert corners == [[0, 0], [most, most]], name


def test_a_profit_nobody_knows_is_not_drawn() -> None:
    curve = pd.DataFrame({"share": [0.0, 1.0], "expected": [0.0, 4.0], "observed": np.nan})
    spec = plots.profit(curve, 1.0, "A campaign").to_dict()
    assert list(legend(spec)) == ["Expected", "Best expected: 100%, whose contact pays"]


def test_gains_are_the_share_of_leavers_among_those_contacted(specs) -> None:
    spec = specs["gains"]
    curves = rows(spec, marks(spec, "line")[1])
    at = {
        name: [(row["contacted"], row["caught"]) for row in curves if row["series"] == name]
        for name in ("Model", "Rule")
    }
    assert at["Model"] == [(0, 0), (0.25, 0.5), (0.5, 0.5), (0.75, 1), (1, 1)]
    assert at["Rule"] == [(0, 0), (0.5, 0.5), (1, 1)], "ties are a straight line"
    assert curves[-1]["series"] == "Model", "drawn last, the model lies on top"


def test_a_long_gains_curve_keeps_its_ends_and_its_shape() -> None:
    risk = np.random.default_rng(1).random(50_000)
    spec = plots.gains(risk > 0.5, {"Model": risk}, "Many").to_dict()
    curve = rows(spec, marks(spec, "line")[1])
    assert len(curve) == plots.DRAWN_POINTS
    assert (curve[0]["caught"], curve[-1]["caught"]) == (0, 1)
    half = min(curve, key=lambda row: abs(row["contacted"] - 0.25))
    assert half["caught"] == pytest.approx(0.5, abs=0.01)


def test_importances_are_ranked_and_cut_with_their_spread(specs) -> None:
    (bars,) = marks(specs["importance"], "bar")
    assert [row["feature"] for row in rows(specs["importance"], bars)] == ["T", "recency", "orders"]
    few = plots.shap_importance({"a": 0.1, "b": 0.3, "c": 0.2}, 9, top=2).to_dict()
    assert [row["feature"] for row in rows(few, few)] == ["b", "c"]
    assert few["title"]["subtitle"] == "Mean |SHAP value| of 9 test customers, 2 largest of 3"
    (spread,) = marks(specs["permutation"], "rule")
    ends = [(row["low"], row["high"]) for row in rows(specs["permutation"], spread)]
    assert ends == [pytest.approx((0.5, 0.9)), pytest.approx((-0.2, 0.0))]


def test_revenue_is_drawn_by_powers_of_ten_on_both_sides_of_zero(specs) -> None:
    (points,) = marks(specs["predicted"], "circle")
    across, up = points["encoding"]["x"], points["encoding"]["y"]
    assert {across["scale"]["type"], up["scale"]["type"]} == {"symlog"}
    assert (across["scale"]["domain"], up["scale"]["domain"]) == ([0, 2_000], [-5, 2_000])
    assert up["axis"]["values"] == [-1, 0, 1, 10, 100, 1_000]
    assert up["axis"]["tickCount"] == 6, "Vega would leave every second out"
