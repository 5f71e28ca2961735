"""Campaign lists: from a snapshot of gold to files that marketing takes away."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F
from pyspark.sql.pandas.types import to_arrow_schema

from customer360.errors import Customer360Error, listed
from customer360.lakehouse.stream import ordered_batches
from customer360.pipeline.make_gold import snapshots
from customer360.pipeline.suppression import suppression_list
from customer360.pipeline.workspace import Workspace
from customer360.serving.campaigns import CampaignList, campaign_members
from customer360.serving.eligibility import judged
from customer360.serving.list_files import scratch_folder, swap_in, write_files
from customer360.serving.options import Contacts, FileFormat
from customer360.settings import Settings
from customer360.table_names import AS_OF, CHURN_SCORES, CUSTOMER_360, CUSTOMERS, LIFETIME_VALUE

ELSEWHERE = "elsewhere.jsonl"
"""In the exports folder: a line for each export that was written to another folder.

Whoever must erase a person from all exports reads here where else to look.
"""

_SCORED_BY = {"churn": CHURN_SCORES, "lifetime_value": LIFETIME_VALUE}


class ExportError(Customer360Error):
    """A list cannot be exported as asked; the message says what to do."""


@dataclass(frozen=True)
class ExportOptions:
    """How a list is exported.

    Attributes:
        contacts: What it says of how to reach its members.
        include_never_asked: Keep those who were never asked for consent.
        formats: Which files.
        folder: Where they go; None: ``<exports_dir>/<as_of>``.
    """

    contacts: Contacts = Contacts.NONE
    include_never_asked: bool = False
    formats: tuple[FileFormat, ...] = tuple(FileFormat)
    folder: Path | None = None

    @classmethod
    def of(cls, settings: Settings) -> ExportOptions:
        """As the deployment's settings say: what a run exports."""
        return cls(Contacts(settings.export_contacts), settings.export_never_asked)


@dataclass(frozen=True)
class Export:
    """A list that was written.

    Attributes:
        folder: Where its files are.
        manifest: What its manifest states.
    """

    folder: Path
    manifest: dict[str, Any]


def newest_snapshot(work: Workspace) -> date:
    """The newest as-of date of ``gold/customer_360``.

    Raises:
        ExportError: It has no rows.
        TableNotFoundError: There is no such table yet.
    """
    found = work.lakehouse.read(CUSTOMER_360).agg(F.max(AS_OF)).first()
    if found is None or found[0] is None:
        raise ExportError(f"{CUSTOMER_360} has no rows: run `customer360 run` first")
    newest: date = found[0]
    return newest


def export_list(
    work: Workspace, campaign: CampaignList, as_of: date, options: ExportOptions
) -> Export:
    """Write one list of one snapshot: CSV, Parquet and, last, the manifest.

    Done again it replaces the former files; killed at any time it leaves them as they were.

    Raises:
        ExportError: There is no such snapshot, or personal data is asked for and not allowed.
        SuppressionError: The suppression list cannot be read; nothing is written.
        TableNotFoundError: A table has not been made yet.
    """
    lakehouse, settings = work.lakehouse, work.deployment.settings
    if options.contacts is Contacts.PLAIN and not settings.export_personal_data:
        raise ExportError(
            "plain contacts are personal data in the clear: allow them for this deployment by the "
            "setting export_personal_data, or export hashed ones"
        )
    rows = lakehouse.read(CUSTOMER_360)
    version = lakehouse.version(CUSTOMER_360)
    snapshot = lakehouse.read(CUSTOMER_360, version=version).where(F.col(AS_OF) == F.lit(as_of))
    if snapshot.first() is None:
        days = sorted(str(row[0]) for row in rows.select(AS_OF).distinct().collect())
        raise ExportError(
            f"{CUSTOMER_360} has no snapshot of {as_of}, only of {listed(days[::-1]) or 'no day'}: "
            f"run `customer360 run --as-of {as_of}` first"
        )
    path = settings.suppression_path
    folder = options.folder or settings.exports_dir / str(as_of)
    with scratch_folder(folder, campaign.name) as scratch:
        frame = judged(
            campaign_members(snapshot, campaign),
            lakehouse.read(CUSTOMERS),
            None if path is None else suppression_list(work, path, scratch),
            contact=options.contacts,
            include_never_asked=options.include_never_asked,
            default_country=settings.default_country,
        ).orderBy(F.col("priority").desc_nulls_last(), "customer_key")
        schema = pa.schema([field.with_nullable(True) for field in to_arrow_schema(frame.schema)])
        counted = write_files(
            ordered_batches(frame, scratch / "rows"),
            schema,
            scratch,
            campaign.name,
            options.formats,
            private=options.contacts is not Contacts.NONE,
        )
        facts = {
            "list": campaign.name,
            "meaning": campaign.meaning,
            "ordered_by": campaign.priority_means,
            "as_of": str(as_of),
            "rows": counted.rows,
            "left_out": counted.left_out,
            "columns": ["rank", *(name for name in schema.names if name != "left_out")],
            "contacts": options.contacts.value,
            "include_never_asked": options.include_never_asked,
            "suppression_list": path is not None,
            "delta_versions": {CUSTOMER_360: version},
            "model_versions": _model_versions(work, as_of),
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "run_id": work.run_id,
            "kept_in": str(folder.absolute()),
            "in_exports_folder": options.folder is None,
        }
        if options.folder is not None:
            _note_elsewhere(settings.exports_dir, facts)
        return Export(folder, swap_in(scratch, folder, campaign.name, options.formats, facts))


def _model_versions(work: Workspace, as_of: date) -> dict[str, list[str]]:
    """Versions of the models that scored the snapshot; none for one that did not."""
    found: dict[str, list[str]] = {model: [] for model in _SCORED_BY}
    scored = [
        snapshots(work, table, [as_of]).select(F.lit(model).alias("model"), "model_version")
        for model, table in _SCORED_BY.items()
    ]
    for row in reduce(DataFrame.union, scored).distinct().collect():
        found[row["model"]].append(row["model_version"])
    return {model: sorted(versions) for model, versions in found.items()}


def _note_elsewhere(exports_dir: Path, facts: dict[str, Any]) -> None:
    """Keep where an export goes, before it is there."""
    exports_dir.mkdir(parents=True, exist_ok=True)
    line = {name: facts[name] for name in ("list", "as_of", "contacts", "created_at", "kept_in")}
    with (exports_dir / ELSEWHERE).open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(line) + "\n")
