"""Which models were trained with some people, and saying so of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from typing import Any

from customer360.contracts.sql import sql_text
from customer360.models.registry import MODELS
from customer360.models.spec import ModelSpec
from customer360.models.tracking.versions import flag_version, registered_versions
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.workspace import Workspace
from customer360.privacy.people import Person
from customer360.settings import Settings
from customer360.table_names import CUSTOMER_DAYS

FLAG = "trained_with_forgotten"
"""Tag of a version that was trained with people who are forgotten since."""


def first_sale(work: Workspace, people: Sequence[Person]) -> date | None:
    """The first day on which one of ``people`` bought: no earlier model knew any of them."""
    if not work.lakehouse.exists(CUSTOMER_DAYS) or not people:
        return None
    keys = ", ".join(sql_text(person.customer_key) for person in people)
    ((first,),) = work.tables.ask(
        f"SELECT min(business_date) FROM days WHERE customer_key IN ({keys})", days=CUSTOMER_DAYS
    )
    return first if isinstance(first, date) else None


def trained_since(settings: Settings, since: date) -> Iterator[tuple[ModelSpec[Any], str]]:
    """Registered versions that were trained as of ``since`` or later, or nobody knows of when."""
    if not settings.mlflow_dir.exists() and settings.mlflow_tracking_uri is None:
        return
    tracking = tracking_of(settings)
    for spec in MODELS:
        for version in registered_versions(spec, tracking):
            if not version.as_of or version.as_of >= since.isoformat():
                yield spec, version.version


def flag(settings: Settings, since: date, erasure: str) -> list[str]:
    """Say in the registry of `trained_since` versions that they are; them, as ``name version``."""
    flagged = list(trained_since(settings, since))
    for spec, version in flagged:
        flag_version(spec, version, tracking_of(settings), **{FLAG: erasure})
    return [f"{spec.title} {version}" for spec, version in flagged]
