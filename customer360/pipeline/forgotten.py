"""Who is to be forgotten, as a load needs it."""

from __future__ import annotations

import pyarrow as pa

from customer360.bronze.forgetting import HASH, Forgotten
from customer360.errors import SettingsError
from customer360.pipeline.forgotten_since import SECRET, forgotten_since, since_file
from customer360.pipeline.workspace import Workspace
from customer360.settings import Settings
from customer360.sources.base import Source
from customer360.table_names import FORGOTTEN


def forgotten_of(work: Workspace, source: Source) -> Forgotten | None:
    """Who is to be forgotten of the rows of ``source``; None where nobody is at all."""
    settings = work.deployment.settings
    since = sorted({each for known in forgotten_since(settings) for each in known.hashes})
    has_table = work.lakehouse.exists(FORGOTTEN)
    if not has_table and not since:
        return None
    noted = pa.table({HASH: pa.array(since, pa.string())})
    hashes = work.spark.createDataFrame(noted) if since else work.lakehouse.read(FORGOTTEN)
    if has_table and since:
        hashes = hashes.unionByName(work.lakehouse.read(FORGOTTEN).select(HASH)).distinct()
    return Forgotten(
        source=source.name,
        hashes=hashes,
        secret=forgotten_secret(settings),
        keep_sales=settings.forgotten_sales == "anonymous",
    )


def forgotten_secret(settings: Settings) -> bytes:
    """The secret behind the hashes of ``quarantine/forgotten``: with another one all would be new.

    Raises:
        SettingsError: It is lost, and the table was made with it, or what is known of those who
            were forgotten after the backup that the home is of.
    """
    if since_file(settings).exists() and settings.known_secret(SECRET) is None:
        raise SettingsError(
            f"{settings.home / 'secrets' / SECRET} is missing, and {since_file(settings)} was made "
            "with it: put the former secrets back; with another one nobody who was forgotten is "
            "known"
        )
    return settings.secret_behind(SECRET, FORGOTTEN)
