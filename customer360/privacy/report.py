"""What a deployment holds about one person: for whoever answers them, and for the person.

Every row in every table, in the words of the table; where it came from and since when; lists,
models and copies. As JSON it is complete, as a page it is what a person wants to read.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import reduce
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.bronze.forgetting import Forgotten
from customer360.contracts import Contract
from customer360.contracts.contract import packaged_tables
from customer360.language import Language
from customer360.pipeline.elsewhere import PERSON_REPORTS, note_elsewhere
from customer360.pipeline.suppression import is_suppressed, suppression_files
from customer360.pipeline.workspace import Workspace
from customer360.privacy import forget_files
from customer360.privacy.journal import reports_folder
from customer360.privacy.known import KEY, keys_of, known_of
from customer360.privacy.models_with import first_sale, trained_since
from customer360.privacy.people import Person
from customer360.privacy.their_rows import (
    IS_THEIRS,
    accepted,
    edited,
    people_by_source,
    refused,
    tables_of_people,
)
from customer360.report import Section, page
from customer360.serving import contact_log, warehouse
from customer360.serving import tables as published
from customer360.serving.kept_tables import CONTACTS
from customer360.settings import Settings, write_whole
from customer360.sources.base import Source
from customer360.sources.people import PersonColumns
from customer360.table_names import CUSTOMERS, EDITS, REJECTED, quarantine_of

_BOOKKEEPING = ("_row_hash", "_edited_row", "run_id")
_IN_ORDER_OF = ("as_of", "business_date", "_delivered_on", "updated_at")
_SHOWN_FILES = 5
_SINCE = ("_ingested_at", "business_date", "valid_from", "updated_at", "as_of", "edited_at")
"""What says since when a row is there; the first that a table has."""

_SUPPRESSED = (
    "The list of those who must not be written to names them. What of it is kept here and in the "
    "database that dashboards read names them by their customer key alone, which is a keyed hash."
)
_SUPPRESSED_BY = pa.schema(
    [
        *((name, pa.string()) for name in (KEY, "source", "source_customer_id", "name")),
        *((name, pa.string()) for name in ("email", "phone", "country")),
        ("marketing_consent", pa.bool_()),
    ]
)
"""Columns of ``silver/customers`` by which a suppression list is read."""

_SHOWN_ROWS = 1_000
"""Rows of a table on the page: who has more, has them in the JSON."""


@dataclass(frozen=True)
class Held:
    """What a table holds about the person.

    Attributes:
        table: ``layer/table``.
        description: What the table is.
        personal: Columns that are personal data.
        rows: The person's rows.
        came_from: Files they came from, of bronze and quarantine.
        since: When the first of them came, or became true; None where the table does not say.
        published: Whether the warehouse has a copy.
    """

    table: str
    description: str
    personal: Sequence[str]
    rows: Sequence[Mapping[str, Any]]
    came_from: Sequence[str] = ()
    since: str | None = None
    published: bool = False


@dataclass(frozen=True)
class PersonReport:
    """All that is held about a person.

    Attributes:
        person: Who.
        made_at: When the report was made, UTC.
        tables: What tables hold.
        lists: Campaign lists that they are on.
        models: Versions of models whose training they were part of.
        files: Raw files that they stand in, as ``source: file``.
        elsewhere: What others own that may hold more.
    """

    person: Person
    made_at: datetime
    tables: Sequence[Held]
    lists: Sequence[str] = field(default=())
    models: Sequence[str] = field(default=())
    files: Sequence[str] = field(default=())
    elsewhere: Sequence[str] = field(default=())

    def json(self) -> str:
        """The whole report."""
        stated = {
            "person": vars(self.person),
            "made_at": self.made_at.isoformat(),
            "tables": [vars(held) for held in self.tables],
            "campaign_lists": list(self.lists),
            "models_trained_with": list(self.models),
            "raw_files": list(self.files),
            "look_elsewhere": list(self.elsewhere),
        }
        return json.dumps(stated, ensure_ascii=False, indent=2, default=str) + "\n"

    def html(self, language: Language) -> str:
        """The report as a page in the person's language, which needs no other file."""
        say = language
        own_id = {"source": self.person.source, "id": self.person.source_customer_id}
        sections = [
            Section(
                say("privacy_report.about"),
                [
                    say("privacy_report.who", **own_id),
                    say("privacy_report.when", when=say.moment(self.made_at)),
                    say("privacy_report.rights"),
                ],
            ),
            *(self._section(held, say) for held in self.tables),
        ]
        if self.lists:
            sections.append(Section(say("privacy_report.lists"), list(self.lists)))
        if self.models:
            sections.append(
                Section(
                    say("privacy_report.models"),
                    [say("privacy_report.models_are"), ", ".join(self.models)],
                )
            )
        if self.files:
            about = say("privacy_report.files_are")
            sections.append(Section(say("privacy_report.files"), [about, *self.files]))
        if self.elsewhere:
            about = say("privacy_report.elsewhere_is")
            sections.append(Section(say("privacy_report.elsewhere"), [about, *self.elsewhere]))
        return page(say("privacy_report.title"), sections, language=say.code)

    def _section(self, held: Held, say: Language) -> Section:
        paragraphs = [held.description]
        if held.since:
            paragraphs.append(say("privacy_report.since", when=held.since[:10]))
        if held.came_from:
            more = ", …" if len(held.came_from) > _SHOWN_FILES else ""
            files = ", ".join(held.came_from[:_SHOWN_FILES]) + more
            paragraphs.append(say("privacy_report.came_from", files=files))
        if held.published:
            paragraphs.append(say("privacy_report.published"))
        if len(held.rows) > _SHOWN_ROWS:
            paragraphs.append(say("privacy_report.more_rows", rows=len(held.rows)))
        shown = pd.DataFrame([_shown(row) for row in held.rows[:_SHOWN_ROWS]])
        if len(held.rows) == 1:  # reads better downwards
            shown = shown.T.reset_index()
            shown.columns = pd.Index(["", say("privacy_report.value")])
        return Section(held.table, paragraphs, {"": shown})


def report_of(work: Workspace, person: Person) -> PersonReport:
    """All that the deployment holds about ``person``.

    Args:
        work: Where; nothing is written.
        person: Who.

    Raises:
        SuppressionError: The suppression list cannot be read: whether it names them is not known.
    """
    settings = work.deployment.settings
    whose = people_by_source(work, [person])
    words, files = known_of(work, [person], whose)
    raw = list(_raw_rows(work, whose, words))
    tables = [
        *(held for _, held in raw),
        *_edits(work, whose, words),
        *_made_rows(work, person),
        *_suppressed(work, person),
        *_contacts(settings, person),
    ]
    first = first_sale(work, [person])
    # Who has never bought was in no training.
    models = trained_since(settings, first) if first is not None else ()
    return PersonReport(
        person=person,
        made_at=datetime.now(UTC).replace(microsecond=0),
        tables=[held for held in tables if held.rows],
        lists=forget_files.lists_with(settings, {person.customer_key}),
        models=[f"{spec.title} {version}" for spec, version in models],
        files=sorted(files | {f"{source}: {file}" for source, h in raw for file in h.came_from}),
        elsewhere=forget_files.elsewhere(settings),
    )


def write_report(
    settings: Settings,
    report: PersonReport,
    formats: Sequence[str],
    language: Language,
    folder: Path | None,
) -> list[Path]:
    """Write the report, readable by its owner only; which files it is.

    Another folder is noted, where an erasure looks for what it cannot reach.

    Args:
        settings: The deployment's.
        report: The report.
        formats: ``json``, ``html``.
        language: Of the page.
        folder: Where; None: among the reports of the home, from which `forget` takes them.
    """
    if folder is not None:
        note_elsewhere(settings, PERSON_REPORTS, folder)
    folder = folder or reports_folder(settings)
    name = f"{report.person.customer_key[:16]}-{report.made_at:%Y-%m-%d}"
    files = []
    for each in formats:
        file = folder / f"{name}.{each}"
        write_whole(file, report.json() if each == "json" else report.html(language))
        files.append(file)
    return files


def _raw_rows(
    work: Workspace, whose: Mapping[str, Forgotten], words: Collection[str]
) -> Iterator[tuple[str, Held]]:
    """Rows as the person's source delivered them, accepted or refused, with its name."""
    for source, table, people in _their_tables(work, whose):
        theirs = whose[source.name]
        if work.lakehouse.exists(f"bronze/{table}"):
            rows = accepted(work, source, table, people, theirs)
            held = _held(source.contract(table), rows.where(IS_THEIRS).drop(IS_THEIRS))
            yield source.name, held
        if work.lakehouse.exists(quarantine_of(table)):
            rows = refused(work, source, table, people, theirs, words)
            contract = Contract.load(quarantine_of(table))
            yield source.name, _held(contract, rows.where(IS_THEIRS).drop(IS_THEIRS))


def _their_tables(
    work: Workspace, whose: Mapping[str, Forgotten]
) -> Iterator[tuple[Source, str, PersonColumns]]:
    """Bronze tables of the sources that the person is of."""
    for source in work.deployment.sources:
        if source.name in whose:
            for table, people in tables_of_people(source):
                yield source, table, people


def _edits(
    work: Workspace, whose: Mapping[str, Forgotten], words: Collection[str]
) -> Iterator[Held]:
    """What somebody mended in the person's rows."""
    if not work.lakehouse.exists(EDITS):
        return
    frames = [
        edited(work, source, table, people, whose[source.name], words)
        for source, table, people in _their_tables(work, whose)
    ]
    if frames:
        rows = reduce(DataFrame.unionByName, frames)
        yield _held(Contract.load(EDITS), rows.where(IS_THEIRS).drop(IS_THEIRS))


def _suppressed(work: Workspace, person: Person) -> Iterator[Held]:
    """That the suppression list names them, where it does."""
    own: list[dict[str, Any]] = []
    if work.tables.exists(CUSTOMERS):
        own = work.tables.find(CUSTOMERS, {KEY: person.customer_key}).to_pylist()
    # Who is not in silver may stand in the list by their key.
    customers = pa.Table.from_pylist(own or [{KEY: person.customer_key}], schema=_SUPPRESSED_BY)
    if is_suppressed(work.deployment, customers):
        settings = work.deployment.settings
        yield Held(
            table=published.SUPPRESSED_CUSTOMERS.name.replace(".", "/"),
            description=_SUPPRESSED,
            personal=(),
            rows=[{KEY: person.customer_key}],
            came_from=[file.name for file in suppression_files(settings)],
            published=warehouse.is_made(settings),
        )


def _made_rows(work: Workspace, person: Person) -> Iterator[Held]:
    """Rows of silver and gold, and of what silver kept out."""
    keys = keys_of(work, [person])
    copied = set(published.published_tables())
    for table in packaged_tables():
        contract = Contract.load(table)
        if KEY not in contract.column_names or not work.lakehouse.exists(table):
            continue
        rows = work.lakehouse.read(table).join(keys, KEY, "left_semi")
        yield _held(contract, rows, published=table in copied)
    if work.lakehouse.exists(REJECTED):
        rows = work.lakehouse.read(REJECTED)
        own = F.get_json_object("raw", f"$.{KEY}") == person.customer_key
        yield _held(Contract.load(REJECTED), rows.where(own))


def _contacts(settings: Settings, person: Person) -> Iterator[Held]:
    """When they were contacted from a campaign list, or kept back: only the warehouse knows."""
    if not warehouse.is_made(settings):
        return
    owner = warehouse.open_warehouse(settings).owner
    rows = contact_log.all_contacts(owner, person.customer_key)
    yield Held(
        table=CONTACTS.replace(".", "/"),
        description=contact_log.DESCRIPTION,
        personal=(),
        rows=[dict(zip(contact_log.COLUMNS, row, strict=True)) for row in rows],
        since=str(min((row[2] for row in rows), default="")) or None,
    )


def _held(contract: Contract, rows: DataFrame, *, published: bool = False) -> Held:
    plain = [row.asDict() for row in rows.collect()]
    plain.sort(key=lambda row: [str(row.get(name)) for name in _IN_ORDER_OF])
    since = [
        str(next((row[name] for name in _SINCE if row.get(name) is not None), "")) for row in plain
    ]
    return Held(
        table=contract.table,
        description=contract.description,
        personal=contract.personal_columns,
        rows=[{n: v for n, v in row.items() if n not in _BOOKKEEPING} for row in plain],
        came_from=sorted({row["_source_file"] for row in plain if row.get("_source_file")}),
        since=min(filter(None, since), default=None),
        published=published,
    )


def _shown(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: "" if value is None else str(value) for name, value in row.items()}
