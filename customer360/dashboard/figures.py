"""How a model's figures beside those of others are written in a language."""

from __future__ import annotations

from customer360.language import Language
from customer360.models.comparison import FIGURE, INTERVAL, MODEL, Wording


def wording(t: Language) -> Wording:
    """How `customer360.models.comparison.readable` writes its table in the language."""
    headings = {
        FIGURE: t("models.figure"),
        MODEL: t("models.which"),
        INTERVAL: t("models.interval"),
    }
    return Wording(
        heading=lambda name: headings.get(name) or t.named("rival", name),
        figure=t.figure,
        number=t.significant,
        bounds=lambda low, high: t("models.from_to", low=low, high=high),
    )
