"""A model's figures beside those of others on the same rows: the table that people compare by."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd

from customer360.language import Language

MODEL = "model"
PAIRED = "paired_"
"""What the names of differences from others begin with among the metrics of a training."""

DIFFERENCES = "The model's figure less the other's, on the same customers, with 90 % intervals"
"""What a table of differences is headed by."""

AMOUNT_LOSSES = ("mae", "rmse", "normalized_gini")
"""By which differences of predicted amounts are shown."""

PROBABILITY_LOSSES = ("brier", "roc_auc")
"""By which probabilities are chosen and their differences shown: how true they are, and how well
they order."""

_PAIRED_FIGURES = (
    *(f"{amount}_{figure}" for amount in ("purchases", "revenue") for figure in AMOUNT_LOSSES),
    *AMOUNT_LOSSES,
    *PROBABILITY_LOSSES,
)
"""Of a model that predicts several amounts they are named by these; the longer names first."""

_OTHERS = ("baseline_", "candidate_", "champion_")
_OWN = "test_"
_HIGHER = ("auc", "spearman", "gini", "capture", "correlation", "precision", "recall", "f1")
_ENGLISH = Language("en")
_UNDIRECTED = ("customers", "expected", "actual")


def higher_is_better(figure: str) -> bool:
    """Whether more of a figure is better: of rankings and lifts it is, of errors it is not."""
    return figure.endswith(_HIGHER) or "lift_" in figure


def loss(figure: str, value: float) -> float:
    """``value`` so that less is better, whatever the figure.

    Of a bias the distance from 0 counts, of a ratio of totals that from 1.

    Args:
        figure: Its name, as in a training's metrics.
        value: Its value.
    """
    if figure.endswith("bias"):
        return abs(value)
    if figure.endswith("total_ratio"):
        return abs(value - 1)
    return -value if higher_is_better(figure) else value


def comparison(metrics: Mapping[str, float]) -> pd.DataFrame:
    """The figures that both a model and others have, a row a figure.

    Args:
        metrics: A training's: ``test_roc_auc`` or ``purchases_mae`` of the model, with ``_low`` and
            ``_high`` where there is an interval; ``baseline_<name>_<figure>``,
            ``candidate_<name>_<figure>`` and ``champion_<figure>`` of the others.

    Returns:
        Columns ``figure``, ``model``, ``low``, ``high`` (NaN without an interval), then one of each
        other, named as in the metrics; ``best``: the name of the column with the best value.
    """
    own = {
        name.removeprefix(_OWN): value
        for name, value in metrics.items()
        if not name.startswith((*_OTHERS, PAIRED)) and not name.endswith(_UNDIRECTED)
    }
    # The longest first: of "revenue_mae" and "mae" a baseline's name is before the former.
    by_length = sorted(own, key=len, reverse=True)
    rows: dict[str, dict[str, float]] = {}
    for name, value in metrics.items():
        if not name.startswith(_OTHERS):
            continue
        figure = next((f for f in by_length if name.endswith(f"_{f}")), None)
        if figure is not None:
            other = name.removesuffix(f"_{figure}").removeprefix("baseline_")
            rows.setdefault(figure, {})[other.removeprefix("candidate_")] = value
    table = pd.DataFrame(
        [
            {
                "figure": figure,
                MODEL: own[figure],
                "low": own.get(f"{figure}_low", float("nan")),
                "high": own.get(f"{figure}_high", float("nan")),
                **rows[figure],
            }
            for figure in own
            if figure in rows
        ]
    )
    if table.empty:
        return table
    others = [name for name in table.columns if name not in ("figure", "low", "high")]
    table["best"] = [
        min(
            (name for name in others if pd.notna(row[name])),
            key=lambda name: loss(row["figure"], row[name]),
        )
        for _, row in table.iterrows()
    ]
    return table


def readable(table: pd.DataFrame, language: Language = _ENGLISH) -> pd.DataFrame:
    """`comparison`'s table as text for people: the interval in one column, the best with a star."""
    if table.empty:
        return table
    rows = [row for _, row in table.iterrows()]
    columns = {
        language("models.figure"): [language.figure(row["figure"]) for row in rows],
        language("models.which"): [_shown(row, MODEL, language) for row in rows],
        language("models.interval"): [_interval(row, language) for row in rows],
    }
    for name in _others(table):
        columns[language.named("rival", name)] = [_shown(row, name, language) for row in rows]
    return pd.DataFrame(columns)


def by_model(table: pd.DataFrame, figures: Sequence[str]) -> pd.DataFrame:
    """Some figures of `comparison`'s table as text, a row a model: narrow enough for a screen.

    So figures and models are called as the metrics call them, which is shorter than in words.

    Args:
        table: From `comparison`.
        figures: Which, of those that it has; what their names begin with alike is left out.

    Returns:
        Column ``model``, then one of each figure; the best of each has a star. Under the model its
        90 % interval, where there is one.
    """
    some = table[table["figure"].isin(figures)]
    if some.empty:
        return pd.DataFrame()
    others = _others(table)
    prefix = _shared_words(list(some["figure"])) if len(some) > 1 else ""
    columns: dict[str, list[str]] = {
        MODEL: [MODEL, "  90 % from", "  90 % to", *map(_spaced, others)]
    }
    for _, row in some.iterrows():
        bounds = [_ENGLISH.significant(row[end]) for end in ("low", "high")]
        shown = [_shown(row, MODEL), *bounds, *(_shown(row, name) for name in others)]
        columns[_spaced(row["figure"].removeprefix(prefix))] = shown
    rows = pd.DataFrame(columns)
    # A row in which nobody has a figure says nothing.
    has_figures = (rows.drop(columns=MODEL) != "").any(axis=1)
    return rows[has_figures].reset_index(drop=True)


def differences(metrics: Mapping[str, float]) -> pd.DataFrame:
    """How much a model differs from each of the others on the same customers.

    Args:
        metrics: A training's; of them those of `customer360.models.paired.Losses.metrics`.

    Returns:
        Columns ``other``, ``figure``, ``difference`` (the model's figure less the other's), ``low``
        and ``high`` (its 90 % interval), ``verdict`` (``better`` or ``worse`` where the interval
        is beyond 0, else empty); a row a pair.
    """
    rows = []
    for name, more in metrics.items():
        if not name.startswith(PAIRED) or f"{name}_low" not in metrics:
            continue
        pair = name.removeprefix(PAIRED)
        figure = next(figure for figure in _PAIRED_FIGURES if pair.endswith(f"_{figure}"))
        sign = -1.0 if higher_is_better(figure) else 1.0
        low, high = metrics[f"{name}_low"], metrics[f"{name}_high"]
        ends = sorted((sign * low, sign * high))
        verdict = "worse" if low > 0 else "better" if high < 0 else ""
        rows.append((pair.removesuffix(f"_{figure}"), figure, sign * more, *ends, verdict))
    columns = ["other", "figure", "difference", "low", "high", "verdict"]
    return pd.DataFrame(rows, columns=columns)


def differences_by_other(table: pd.DataFrame, language: Language = _ENGLISH) -> pd.DataFrame:
    """`differences` as text for people: a row a rival, a column a figure.

    A difference beyond its interval is followed by ``better`` or ``worse``.
    """
    if table.empty:
        return pd.DataFrame()
    shown = table.assign(
        figure=[language.figure(figure) for figure in table["figure"]],
        other=[language.named("rival", other) for other in table["other"]],
        text=[_difference(row, language) for _, row in table.iterrows()],
    )
    wide = shown.pivot(index="other", columns="figure", values="text").fillna("")
    wide = wide.loc[shown["other"].unique(), shown["figure"].unique()].reset_index()
    return wide.rename(columns={"other": language("models.other")}).rename_axis(columns=None)


def _difference(row: pd.Series, language: Language) -> str:
    difference, low, high = (
        language.significant(row[end]) for end in ("difference", "low", "high")
    )
    interval = language("models.from_to", low=low, high=high)
    words = [difference, f"({interval})"]
    if row["verdict"]:
        words.append(language(f"models.{row['verdict']}"))
    return " ".join(words)


def _shared_words(names: Sequence[str]) -> str:
    """What all names begin with, up to an underscore: all lie between the first and the last."""
    first, last = min(names), max(names)
    alike = next((i for i, letter in enumerate(first) if last[i : i + 1] != letter), len(first))
    return first[: first[:alike].rfind("_") + 1]


def markdown(rows: pd.DataFrame) -> str:
    """Rows of text as a Markdown table."""
    lines = ["| " + " | ".join(rows.columns) + " |", "|---" + "|---:" * (len(rows.columns) - 1)]
    lines[1] += "|"
    lines += ["| " + " | ".join(row) + " |" for row in rows.itertuples(index=False)]
    return "\n".join(lines) + "\n"


def as_markdown(table: pd.DataFrame) -> str:
    """`comparison`'s table as Markdown, the best of each row with a star."""
    if table.empty:
        return "Nothing was tested.\n"
    return markdown(readable(table))


def _others(table: pd.DataFrame) -> list[str]:
    return [n for n in table.columns if n not in ("figure", MODEL, "low", "high", "best")]


def _interval(row: pd.Series, language: Language) -> str:
    if pd.isna(row["low"]):
        return ""
    low, high = (language.significant(row[end]) for end in ("low", "high"))
    return language("models.from_to", low=low, high=high)


def _shown(row: pd.Series, name: str, language: Language = _ENGLISH) -> str:
    if pd.isna(row[name]):
        return ""
    return language.significant(row[name]) + ("*" if row["best"] == name else "")


def _spaced(name: str) -> str:
    return name.replace("_", " ")
