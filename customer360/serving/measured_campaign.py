"""What the last measured campaign did, for who reads the warehouse and has no home to look into.

`customer360.pipeline.uplift` writes it into the home; a publish puts it among the facts about the
deployment. It holds figures of groups only.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from customer360.settings import Settings

FACT = "measured_campaign"
"""Its name among ``serving.deployment``: JSON, or empty where no campaign was measured."""


def measured_fact(settings: Settings) -> dict[str, str]:
    """The home's measured campaign as a fact."""
    return {FACT: _of_home(settings)}


def measured_campaign(settings: Settings, facts: Mapping[str, str]) -> dict[str, Any] | None:
    """What the last campaign that was measured did; None where none was.

    The home's own file comes first: it may be newer than what was published of it.

    Args:
        settings: Of the process that reads.
        facts: ``serving.deployment``.

    Returns:
        `customer360.pipeline.uplift.MeasuredCampaign.stated`.
    """
    text = _of_home(settings) or facts.get(FACT, "")
    if not text:
        return None
    found: dict[str, Any] = json.loads(text)
    return found


def _of_home(settings: Settings) -> str:
    file = settings.uplift_file
    return file.read_text(encoding="utf-8") if file.exists() else ""
