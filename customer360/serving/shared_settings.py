"""Settings that who reads the warehouse must share with who filled it.

A dashboard on another machine knows its warehouse, and nothing else of the deployment; so these are
published among the deployment's facts. Not among them: whether it may show personal data, which is
for each dashboard to say, as it depends on who sees it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import TypeAdapter, ValidationError

from customer360.settings import Settings

SHARED = (
    *("churn_contact_cost", "churn_success_rate", "churn_margin"),
    *("contact_pause_days", "contact_control_share", "export_never_asked", "default_country"),
    # Who is kept back is off the call list for as long.
    "revenue_horizon_days",
    *("freshness_days", "end_date"),
)
"""Their names, as settings and as facts."""


def shared_facts(settings: Settings) -> dict[str, str]:
    """The shared settings as texts, by name; empty where a setting is unset."""
    values = {name: getattr(settings, name) for name in SHARED}
    return {name: "" if value is None else str(value) for name, value in values.items()}


def with_shared(settings: Settings, facts: Mapping[str, str]) -> Settings:
    """``settings`` with those that a warehouse states instead of its own.

    Args:
        settings: Of the process that reads.
        facts: ``serving.deployment``; what an older release did not publish, or what is none, is
            as ``settings`` say.
    """
    stated: dict[str, Any] = {}
    for name in SHARED:
        if name not in facts:
            continue
        kind: TypeAdapter[Any] = TypeAdapter(Settings.model_fields[name].rebuild_annotation())
        try:
            stated[name] = kind.validate_python(facts[name] or None)
        except ValidationError:
            continue
    return settings.model_copy(update=stated)
