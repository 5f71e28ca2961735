"""Campaign lists: from a snapshot of gold to files that marketing takes away."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from pyarrow import compute
from pyarrow.dataset import Dataset

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.errors import Customer360Error, listed
from customer360.lakehouse.reading import Tables, engine, ordered_batches, schema_of
from customer360.models.campaign import Campaign
from customer360.models.registry import models_by_title
from customer360.pipeline.elsewhere import LISTS, note_elsewhere
from customer360.pipeline.suppression import read_suppression_list, suppression_files
from customer360.serving import contacts
from customer360.serving.campaigns import CampaignList, campaign_members
from customer360.serving.eligibility import judged
from customer360.serving.list_files import scratch_folder, swap_in, write_files
from customer360.serving.options import Contacts, FileFormat
from customer360.settings import Settings
from customer360.table_names import AS_OF, CUSTOMER_360, CUSTOMERS


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


def newest_snapshot(settings: Settings) -> date:
    """The newest as-of date of ``gold/customer_360``.

    Raises:
        ExportError: It has no rows.
        TableNotFoundError: There is no such table yet.
    """
    newest: date | None = Tables(settings.lakehouse_root).newest(CUSTOMER_360, AS_OF)
    if newest is None:
        raise ExportError(f"{CUSTOMER_360} has no rows: run `customer360 run` first")
    return newest


def export_list(
    settings: Settings,
    campaign: CampaignList,
    as_of: date,
    options: ExportOptions,
    *,
    run_id: str,
    dry_run: bool = False,
) -> Export:
    """Write one list of one snapshot: CSV, Parquet and, last, the manifest.

    Done again it replaces the former files; killed at any time it leaves them as they were.

    Args:
        settings: The deployment's.
        campaign: The list.
        as_of: Day of the snapshot.
        options: How it is exported.
        run_id: Who exports, for the manifest.
        dry_run: Only say what would be written; the manifest then has no files.

    Raises:
        ExportError: There is no such snapshot, or personal data is asked for and not allowed.
        SuppressionError: The suppression list cannot be read; nothing is written.
        TableNotFoundError: A table has not been made yet.
    """
    if options.contacts is Contacts.PLAIN and not settings.export_personal_data:
        raise ExportError(
            "plain contacts are personal data in the clear: allow them for this deployment by the "
            "setting export_personal_data, or export hashed ones"
        )
    tables = Tables(settings.lakehouse_root)
    version = tables.version(CUSTOMER_360)
    snapshot = _snapshot(tables, version, as_of)
    customers = tables.dataset(CUSTOMERS)
    models = _model_versions(tables, as_of)
    suppressing = bool(suppression_files(settings))
    folder = options.folder or settings.exports_dir / str(as_of)
    # What is only counted leaves nothing where lists are looked for.
    near = settings.scratch_dir if dry_run else folder
    with scratch_folder(near, campaign.name) as scratch, engine(scratch / "rows") as connection:
        connection.register("customer_360", snapshot)
        connection.register("customers", customers)
        contacts.prepare(connection)
        if suppressing:
            read_suppression_list(connection, "suppressed", Deployment.of(settings))
        query = judged(
            f"({campaign_members('customer_360', campaign, Campaign.of(settings))})",
            "customers",
            "suppressed" if suppressing else None,
            contact=options.contacts,
            include_never_asked=options.include_never_asked,
            default_country=settings.default_country,
        )
        query += " ORDER BY priority DESC NULLS LAST, customer_key"
        schema = schema_of(connection, query)
        counted = write_files(
            ordered_batches(connection, query),
            schema,
            scratch,
            campaign.name,
            options.formats,
            private=options.contacts is not Contacts.NONE or options.folder is None,
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
            "suppression_list": suppressing,
            "delta_versions": {CUSTOMER_360: version},
            "model_versions": models,
            "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "run_id": run_id,
            "kept_in": str(folder.absolute()),
            "in_exports_folder": options.folder is None,
        }
        if dry_run:
            return Export(folder, facts | {"files": []})
        if options.folder is not None:
            said = {name: facts[name] for name in ("list", "as_of", "contacts")}
            note_elsewhere(settings, LISTS, folder, **said)
        return Export(folder, swap_in(scratch, folder, campaign.name, options.formats, facts))


def _snapshot(tables: Tables, version: int, as_of: date) -> Dataset:
    """The customers of one day, as they are in a version of the table."""
    snapshot = tables.dataset(CUSTOMER_360, version=version).filter(compute.field(AS_OF) == as_of)
    if not snapshot.count_rows():
        days = sorted(map(str, tables.values(CUSTOMER_360, AS_OF)), reverse=True)
        raise ExportError(
            f"{CUSTOMER_360} has no snapshot of {as_of}, only of {listed(days) or 'no day'}: "
            f"run `customer360 run --as-of {as_of}` first"
        )
    return snapshot


def _model_versions(tables: Tables, as_of: date) -> dict[str, list[str]]:
    """Versions of the models that scored the snapshot; none for one that did not."""
    of_models = Contract.load(CUSTOMER_360).reads
    return {
        spec.name: sorted(tables.values(spec.scores, "model_version", {AS_OF: as_of}))
        for spec in models_by_title().values()
        if spec.scores in of_models
    }
