"""``customer360 privacy forget``: people leave a home, to the last byte of it.

The order matters. First what is known of them is noted, because what has gone cannot be looked up;
then their identifiers are known as hashes, so that no load brings them back; then bronze goes, and
all that is made of it. Every step can be repeated, so that an erasure that was killed goes on. At
the end nothing is left but the hashes and a line of the audit that names nobody.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from customer360.bronze.forgetting import NOBODY, columns_without_person, key_of
from customer360.deployment import Deployment
from customer360.errors import Customer360Error
from customer360.lakehouse.history import drop_histories
from customer360.pipeline.backup import backups_of
from customer360.pipeline.forgotten import forgotten_secret
from customer360.pipeline.forgotten_since import note_in_backups
from customer360.pipeline.stale_snapshots import fresh_snapshots
from customer360.pipeline.suppression import refuse_unreadable
from customer360.pipeline.workspace import Workspace
from customer360.privacy import forget_files, forget_rows, journal, models_with
from customer360.privacy.journal import Erasure
from customer360.privacy.known import known_of
from customer360.privacy.models_with import first_sale
from customer360.privacy.people import Person
from customer360.privacy.scrub import Words
from customer360.privacy.their_rows import people_by_source
from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving import warehouse
from customer360.settings import Settings
from customer360.sources.base import ChangingSource, Source
from customer360.sources.synthetic.source import SyntheticSource

Say = Callable[[str], None]


class ErasureError(Customer360Error):
    """An erasure cannot begin or go on; the message says what to do."""


@dataclass(frozen=True)
class Forgotten:
    """What an erasure did.

    Attributes:
        erasure: Its name.
        people: How many people.
        rows: Rows that were theirs, by table; empty of one that was resumed at its end.
        lists: Campaign lists that they were on.
        quotations: How often a log, an event or a page named them.
        models: Models that were trained with them, as ``name version``.
        elsewhere: What others own and a person must look after, a sentence each.
    """

    erasure: str
    people: int
    rows: dict[str, int] = field(default_factory=dict)
    lists: int = 0
    quotations: int = 0
    models: tuple[str, ...] = ()
    elsewhere: tuple[str, ...] = ()


def refuse_unfinished(settings: Settings) -> None:
    """Nothing, where neither an erasure nor a rotation of the key waits to be finished.

    Raises:
        ErasureError: One does.
    """
    before = journal.under_way(settings)
    if before is not None:
        raise ErasureError(
            f"erasure {before.id} of {before.started_at:%Y-%m-%d %H:%M} UTC was stopped before its "
            f"end: finish it first by `{settings.command('privacy forget --resume')}`"
        )
    if journal.rotation_file(settings).exists():
        raise ErasureError(
            "a rotation of the customer key was stopped before its end: finish it first by "
            f"`{settings.command('privacy rotate-key --resume')}`"
        )


def begin(deployment: Deployment, people: Sequence[Person]) -> Erasure:
    """Note that ``people`` are to be forgotten.

    Raises:
        ErasureError: An erasure or a rotation is under way; there is nobody to forget; somebody is
            of a source that is not active; or a database's rows are followed by a person's own
            text.
        SuppressionError: The suppression list cannot be read: the warehouse, which is made anew,
            would not know who is suppressed.
    """
    settings = deployment.settings
    if not people:
        raise ErasureError("nobody to forget: name people by id, key, e-mail or phone, or --file")
    refuse_unfinished(settings)
    sources = {source.name: source for source in deployment.sources}
    others = sorted({person.source for person in people} - set(sources))
    if others:
        raise ErasureError(
            f"source {others[0]} is not active, and people of it are to be forgotten: name it "
            "among the setting sources, with its path or mapping, so that its rows can be read"
        )
    for source in sources.values():
        if not isinstance(source, ChangingSource):
            continue
        for table in source.tables:
            personal = set(source.key(table)) & set(source.contract(table).personal_columns)
            if personal:
                raise ErasureError(
                    f"source {source.name}: rows of {table} are told apart by {min(personal)}, "
                    "which is personal: name another key in its mapping, and load it"
                )
    refuse_unreadable(deployment)
    erasure = Erasure.of(people)
    journal.note(settings, erasure)
    return erasure


def forget(work: Workspace, erasure: Erasure, publish: Callable[[], None], say: Say) -> Forgotten:
    """Carry out ``erasure``, from its beginning, however far it came before.

    Nobody else may write the home meanwhile.

    Args:
        work: Where.
        erasure: As `begin` noted it.
        publish: Brings the warehouse up to date.
        say: Receives progress, a line at a time.
    """
    settings = work.deployment.settings
    whose = people_by_source(work, erasure.people)
    erasure = erasure.knowing(*known_of(work, erasure.people, whose))
    if erasure.fresh is None:  # what is asked of tables that are about to change
        erasure = replace(
            erasure,
            since=first_sale(work, erasure.people),
            fresh=fresh_snapshots(work.tables),
        )
    journal.note(settings, erasure)
    forget_rows.know_again(work, erasure, whose)
    say("raw files and tables")
    rows = forget_in_tables(work, erasure)
    say("lists, models, logs")
    keys = {person.customer_key for person in erasure.people}
    lists = forget_files.forget_lists(settings, keys)
    forget_files.forget_examples(settings)
    journal.forget_reports(settings, erasure.people)
    quotations = forget_files.forget_quotations(settings, Words(erasure.words))
    models = models_with.flag(settings, erasure.since, erasure.id) if erasure.since else []
    temporary = forget_files.forget_temporary_files(settings)
    say("warehouse")
    publish_anew(settings, publish, keys)
    counts = {
        line["erasure"]: line["people"]
        for line in journal.audit(settings)
        if line["what"] == "forget"
    }
    counts[erasure.id] = len(erasure.people)
    not_noted = note_in_backups(settings, backups_of(settings), counts)
    done = Forgotten(
        erasure=erasure.id,
        people=len(erasure.people),
        rows=rows,
        lists=lists,
        quotations=quotations.taken_out,
        models=tuple(models),
        elsewhere=(
            *_elsewhere(settings, erasure),
            *(
                f"the backup {folder}: it is not there to be told of them, so no home that is made "
                "of it knows"
                for folder in not_noted
            ),
            *quotations.left,
            *temporary,
        ),
    )
    journal.audited(
        settings,
        what="forget",
        erasure=erasure.id,
        people=done.people,
        rows=done.rows,
        sales=settings.forgotten_sales,
        lists=done.lists,
        models=done.models,
    )
    journal.over(settings)
    return done


def forget_in_tables(work: Workspace, erasure: Erasure) -> dict[str, int]:
    """Raw files of our own and all tables without the people, and nothing left of what they were.

    Args:
        work: Where.
        erasure: Of people who are known again (`forget_rows.know_again`).

    Returns:
        Rows that were theirs, by table.
    """
    fresh = erasure.fresh if erasure.fresh is not None else fresh_snapshots(work.tables)
    for source in work.deployment.sources:
        source.drop_copies()
        _forget_raw(work, source, erasure)
    rows = forget_rows.forget_bronze(work, erasure)
    forget_rows.forget_closed_days(work, erasure)
    forget_rows.remake_silver(work)
    forget_rows.forget_silver(work, erasure)
    rows |= forget_rows.forget_gold(work, erasure, fresh)
    drop_histories(work.lakehouse)
    return rows


def _forget_raw(work: Workspace, source: Source, erasure: Erasure) -> None:
    """Rows of raw files of our own: those that were made for a home are the only ones."""
    if not isinstance(source, SyntheticSource):
        return
    from customer360.sources.synthetic.forget import forget_customers

    settings = work.deployment.settings
    secret = forgotten_secret(settings)
    table = source.transactions_table
    people = source.person_columns(table)
    emptied, keyed = columns_without_person(source.contract(table), people)

    def nobody(row: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(row) | {"customer_id": NOBODY}

    def sale_of_nobody(row: dict[str, Any]) -> dict[str, Any]:
        if settings.forgotten_sales == "removed":
            return nobody(row)
        keys = {name: key_of(row[name], secret) for name in keyed}
        return row | dict.fromkeys(emptied) | keys | {"customer_id": NOBODY}

    ids = {p.source_customer_id for p in erasure.people if p.source == source.name}
    if ids and source.folder.is_dir():
        forget_customers(source.folder, ids, of_customer=nobody, of_transaction=sale_of_nobody)


def _elsewhere(settings: Settings, erasure: Erasure) -> list[str]:
    places = [
        f"raw file {file}: it is its owner's; rows of these people are passed over when it is read"
        for file in erasure.files
        if not file.startswith(f"{SyntheticSource.name}: ")
    ]
    places += forget_files.elsewhere(settings)
    if settings.suppression_path is not None:
        places.append(f"suppression list {settings.suppression_path}: it may name them")
    if settings.lakehouse_uri is not None:
        places.append(
            f"the bucket of {settings.lakehouse_uri}: where it keeps former versions of objects, "
            "copies them elsewhere or locks them, what was deleted is still there"
        )
    if settings.warehouse_url is not None:
        places.append("the warehouse's server: its write-ahead log and its backups")
    if settings.mlflow_tracking_uri is not None:
        places.append("the MLflow server: input examples of models that older releases logged")
    if warehouse.is_made(settings):
        places.append("a dashboard that is open: start it again, for its memory may hold them")
    places.append("copies of this home, of reports and of lists that people have taken")
    return places
