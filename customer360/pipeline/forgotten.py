"""Who is to be forgotten, as a load needs it."""

from __future__ import annotations

from customer360.bronze.forgetting import Forgotten
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings
from customer360.sources.base import Source
from customer360.table_names import FORGOTTEN


def forgotten_of(work: Workspace, source: Source) -> Forgotten | None:
    """Who is to be forgotten of the rows of ``source``; None where nobody is at all."""
    if not work.lakehouse.exists(FORGOTTEN):
        return None
    settings = work.deployment.settings
    return Forgotten(
        source=source.name,
        hashes=work.lakehouse.read(FORGOTTEN),
        secret=forgotten_secret(settings),
        keep_sales=settings.forgotten_sales == "anonymous",
    )


def forgotten_secret(settings: Settings) -> bytes:
    """The secret behind the hashes of ``quarantine/forgotten``: with another one all would be new.

    Raises:
        SettingsError: It is lost, and the table was made with it.
    """
    return settings.secret_behind("forgotten", FORGOTTEN)
