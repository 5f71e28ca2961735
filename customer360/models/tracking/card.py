"""The model card: one page that says what a version is, what it was made of and how good it is.

What a card holds follows Mitchell et al. 2019, "Model Cards for Model Reporting" (FAT* 2019).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from customer360.models.churn.training import ChurnTraining
from customer360.models.comparison import as_markdown, comparison
from customer360.models.promotion import Verdict
from customer360.models.revenue.training import RevenueTraining
from customer360.models.tracking.connection import short_name
from customer360.models.tracking.stored import Training


@dataclass(frozen=True)
class _Kind:
    """What is the same for every version of a model."""

    purpose: str
    target: str
    limits: tuple[str, ...]


_ALWAYS = (
    "It knows what customers did, not why; a figure of one customer is a probability or an "
    "average, and says nothing certain.",
    "Not for decisions with legal effect on a person, such as credit or prices.",
)

_LIFETIME_VALUE = _Kind(
    "How probably each customer is still one, how often they will buy and what they are worth.",
    "Repeat purchase days and net revenue (refunds deducted) of the {holdout_days} days after "
    "the calibration period, by customers who had bought in it. A purchase is a customer and a "
    "business date.",
    (
        "Knows neither seasons nor campaigns: each customer buys at a steady rate until leaving "
        "for good.",
        "Order values are taken as independent of how often a customer buys.",
        "New customers are in no score before their first purchase.",
    ),
)

_CHURN = _Kind(
    "Which active customers will buy nothing for a while, for deciding whom to contact.",
    "1 when a customer with a purchase in the {activity_window_days} days up to the as-of date "
    "buys nothing in the {horizon_days} days after it.",
    (
        "Who was silent for longer than the activity window has no score.",
        "A churn probability is not the effect of a campaign: some would stay without it.",
    ),
)


_REVENUE = _Kind(
    "How much each customer will bring in the days ahead, from the first order and the buying "
    "since; for new customers too.",
    "Net revenue (refunds deducted) of a customer in the {horizon_days} days after the as-of date, "
    "of all who had bought by then.",
    (
        "Learnt from what there was to buy and from the season of the training dates.",
        "Written in scikit-learn's pickles: read them only from where you trust.",
    ),
)


def _kind(training: Training) -> _Kind:
    if isinstance(training, ChurnTraining):
        return _CHURN
    return _REVENUE if isinstance(training, RevenueTraining) else _LIFETIME_VALUE


def model_card(
    training: Training, name: str, version: str, verdict: Verdict, origin: Mapping[str, object]
) -> str:
    """The page as Markdown: purpose, origin, target, figures beside others, limits.

    Args:
        training: That the version came from.
        name: Registered name.
        version: Registered version.
        verdict: Whether it was promoted.
        origin: Versions of tables and code, feature schema, status and day.
    """
    kind = _kind(training)
    stated = {key: training.parameters.get(key, "unknown") for key in _placeholders(kind.target)}
    promoted = "champion" if verdict.promoted else "challenger"
    lines = [
        f"# {short_name(name)} v{version}",
        "",
        kind.purpose,
        "",
        f"When it was registered: {promoted}; {verdict.reason}.",
        "",
        "## Data and code",
        "",
        *(f"- {_label(key)}: {value}" for key, value in origin.items()),
        *_sizes(training),
        "",
        "## Target",
        "",
        kind.target.format(**stated),
        "",
        "## Figures",
        "",
        "On a later period than any it learned from. The best of each row has a star.",
        "",
        as_markdown(comparison(training.metrics)).rstrip(),
        "",
        "## Limits",
        "",
        *(f"- {limit}" for limit in (*kind.limits, *_ALWAYS)),
        *(f"- {note}" for note in training.notes),
    ]
    return "\n".join(lines) + "\n"


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


def _sizes(training: Training) -> list[str]:
    return [
        f"- {key.replace('_', ' ')}: {training.parameters[key]}"
        for key in _SIZES
        if key in training.parameters
    ]
