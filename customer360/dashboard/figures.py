"""How a model's figures beside those of others are written in a language."""

from __future__ import annotations

from customer360.language import Language
from customer360.models.comparison import FIGURE, INTERVAL, MODEL, Wording

PARTS = ("purchases", "revenue", "new_customers")
"""What a figure may be of, by the beginning of its name."""


def wording(t: Language) -> Wording:
    """How `customer360.models.comparison.readable` writes its table in the language."""
    headings = {
        FIGURE: t("models.figure"),
        MODEL: t("models.which"),
        INTERVAL: t("models.interval"),
    }
    return Wording(
        heading=lambda name: headings.get(name) or t.named("rival", name),
        figure=lambda name: named(name, t),
        number=t.significant,
        bounds=lambda low, high: t("models.from_to", low=low, high=high),
    )


def named(figure: str, t: Language) -> str:
    """What a figure is called: ``purchases_mae`` is ``mae`` of the purchases."""
    for part in PARTS:
        if figure.startswith(f"{part}_"):
            return t(f"figure_of.{part}", figure=named(figure.removeprefix(f"{part}_"), t))
    return t.named("figure", figure)
