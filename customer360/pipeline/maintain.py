"""Upkeep of a whole deployment: its tables, Dagster's runs, MLflow's models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from customer360.lakehouse.delta_log import TableLogs
from customer360.lakehouse.upkeep import Upkeep, keep_up, size_of
from customer360.models.registry import MODELS
from customer360.models.tracking.pruning import Pruned, prune
from customer360.pipeline.run_models import tracking_of
from customer360.settings import Settings


@dataclass(frozen=True)
class Total:
    """What the upkeep of all tables came to, in data files and bytes on disk."""

    files_before: int
    files_after: int
    bytes_before: int
    bytes_after: int
    orphans: int
    compacted: int


def keep_tables_up(settings: Settings, each: Callable[[Upkeep], None] = lambda _: None) -> Total:
    """Upkeep of every table of the lakehouse; the caller holds the home.

    Args:
        settings: The deployment's: ``vacuum_hours``, ``optimize_after_commits``.
        each: Called for each table when it is done.
    """
    logs = TableLogs(settings.lakehouse_root)
    done = []
    for table in logs.tables():
        done.append(
            keep_up(
                logs,
                table,
                optimize_after=settings.optimize_after_commits,
                retention_hours=settings.vacuum_hours,
            )
        )
        each(done[-1])
    return Total(
        files_before=sum(one.before.files_on_disk for one in done),
        files_after=sum(one.after.files_on_disk for one in done),
        bytes_before=sum(one.before.bytes_on_disk for one in done),
        bytes_after=sum(one.after.bytes_on_disk for one in done),
        orphans=sum(one.orphans for one in done),
        compacted=sum(one.compacted for one in done),
    )


@dataclass(frozen=True)
class DiskUse:
    """Data files of all tables, and their bytes, whatever version they are of."""

    files: int
    bytes: int


def sizes(settings: Settings) -> DiskUse:
    """What the lakehouse takes on disk now."""
    logs = TableLogs(settings.lakehouse_root)
    each = [size_of(logs, table) for table in logs.tables()]
    return DiskUse(sum(one.files_on_disk for one in each), sum(one.bytes_on_disk for one in each))


def prune_models(settings: Settings) -> list[Pruned]:
    """Versions of each model beyond the newest ``keep_model_versions``; never one with an alias."""
    tracking = tracking_of(settings)
    return [prune(spec, tracking, keep=settings.keep_model_versions) for spec in MODELS]
