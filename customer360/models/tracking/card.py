"""The model card: one page that says what a version is, what it was made of and how good it is.

What a card holds follows Mitchell et al. 2019, "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from customer360.models.comparison import (
    DIFFERENCES,
    as_markdown,
    comparison,
    differences,
    differences_by_other,
    markdown,
)
from customer360.models.notes import in_english
from customer360.models.promotion import Verdict
from customer360.models.spec import ModelSpec
from customer360.models.training import Training

_ALWAYS = (
    "It knows what customers did, not why; a figure of one customer is a probability or an "
    "average, and says nothing certain.",
    "Not for decisions with legal effect on a person, such as credit or prices.",
)


def model_card(
    spec: ModelSpec[Any],
    training: Training[Any],
    version: str,
    verdict: Verdict,
    origin: Mapping[str, object],
) -> str:
    """The page as Markdown: purpose, origin, target, figures beside others, limits.

    Args:
        spec: The model.
        training: That the version came from.
        version: Registered version.
        verdict: Whether it was promoted.
        origin: Versions of tables and code, feature schema, status and day.
    """
    stated = {key: training.parameters.get(key, "unknown") for key in _placeholders(spec.target)}
    promoted = "champion" if verdict.promoted else "challenger"
    lines = [
        f"# {spec.title} v{version}",
        "",
        spec.purpose,
        "",
        f"When it was registered: {promoted}; {in_english([verdict.reason])}.",
        *(
            ["", f"A fallback stands in: {in_english(training.because)}."]
            if training.because
            else []
        ),
        "",
        "## Data and code",
        "",
        *(f"- {_label(key)}: {value}" for key, value in origin.items() if key != "because"),
        *_sizes(training),
        "",
        "## Target",
        "",
        spec.target.format(**stated),
        "",
        "## Figures",
        "",
        "On a later period than any it learned from. The best of each row has a star.",
        "",
        as_markdown(comparison(training.metrics)).rstrip(),
        "",
        *_differences(training),
        "## Limits",
        "",
        *(f"- {limit}" for limit in (*spec.limits, *_ALWAYS)),
        *(f"- {in_english([note])}" for note in training.notes),
    ]
    return "\n".join(lines) + "\n"


def _differences(training: Training[Any]) -> list[str]:
    table = differences(training.metrics)
    if table.empty:
        return []
    return [
        f"{DIFFERENCES}:",
        "",
        markdown(differences_by_other(table)).rstrip(),
        "",
    ]


def _label(key: str) -> str:
    table = key.removeprefix("delta_version/")
    return key.replace("_", " ") if table == key else f"Delta version of {table}"


def _placeholders(text: str) -> list[str]:
    return [part.split("}")[0] for part in text.split("{")[1:]]


_SIZES = (
    "training_as_of",
    "validation_as_of",
    "test_as_of",
    "calibration_as_of",
    "training_rows",
    "validation_rows",
    "test_rows",
    "purchase_cells",
    "model",
)


def _sizes(training: Training[Any]) -> list[str]:
    return [
        f"- {key.replace('_', ' ')}: {training.parameters[key]}"
        for key in _SIZES
        if key in training.parameters
    ]
