"""The models there are, listed here and nowhere else; what each is, its own package declares."""

from __future__ import annotations

from typing import Any

from customer360.models.churn.spec import CHURN
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.revenue.spec import REVENUE
from customer360.models.spec import ModelSpec

MODELS: tuple[ModelSpec[Any], ...] = (LIFETIME_VALUE, REVENUE, CHURN)
"""All models, in the order in which a summary shows their figures."""


def models_by_title() -> dict[str, ModelSpec[Any]]:
    """All models by the name that the command line knows them by, in alphabetical order."""
    return {spec.title: spec for spec in sorted(MODELS, key=lambda spec: spec.title)}
