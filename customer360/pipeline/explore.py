"""Exploration: silver and the features of a snapshot, as a page in the deployment's home."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from customer360.exploration import charts_of, explore, html_page, main_figures
from customer360.pipeline.make_gold import snapshots
from customer360.pipeline.workspace import Workspace
from customer360.table_names import CUSTOMER_DAYS, CUSTOMERS, FEATURES, TRANSACTIONS


@dataclass(frozen=True)
class ExplorationReport:
    """A page that was written.

    Attributes:
        path: The page.
        figures: Its main figures by name.
        pictures: Its plots by name.
    """

    path: Path
    figures: Mapping[str, str]
    pictures: Mapping[str, bytes]


def write_exploration(work: Workspace, as_of: date) -> ExplorationReport:
    """Explore what happened up to ``as_of`` and write ``reports/exploration-<as_of>.html``."""
    lakehouse, deployment = work.lakehouse, work.deployment
    exploration = explore(
        lakehouse.read(TRANSACTIONS),
        lakehouse.read(CUSTOMERS),
        lakehouse.read(CUSTOMER_DAYS),
        snapshots(work, FEATURES, [as_of]),
        as_of,
        smallest_group=deployment.settings.published_group_min,
    )
    pictures = charts_of(exploration, deployment.currency)
    names = ", ".join(source.name for source in deployment.sources)
    path = deployment.settings.reports_dir / f"exploration-{as_of}.html"
    path.parent.mkdir(parents=True, exist_ok=True)
    scratch = path.with_suffix(".tmp")
    scratch.write_text(html_page(exploration, pictures, names), encoding="utf-8")
    scratch.replace(path)
    return ExplorationReport(path, main_figures(exploration), pictures)
