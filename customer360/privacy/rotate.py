"""``customer360 privacy rotate-key``: every customer gets another key, and the old ones are gone.

A customer key is a pseudonym as long as its secret is one. When the secret may be known to somebody
who should not know it, or at the intervals that a policy asks for, all keys are made again with
another: in all tables that have one, and nothing is left of what they were.

While a rotation is under way some tables have new keys and others old ones, so nothing that needs
the secret works (`Settings.secret`). One that was killed goes on where it was: which tables it has
done, their own commits say.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.contract import packaged_tables
from customer360.errors import Customer360Error
from customer360.lakehouse.history import drop_histories
from customer360.pipeline.definitions import DEFINITIONS, definitions
from customer360.pipeline.stale_snapshots import NOTED, Fresh, fresh_snapshots, note_as_fresh
from customer360.pipeline.suppression import by_former_keys, refuse_unreadable, suppression_files
from customer360.pipeline.workspace import Workspace, newest_note
from customer360.privacy import journal
from customer360.privacy.forget import Say, refuse_unfinished
from customer360.privacy.forget_files import elsewhere, forget_temporary_files
from customer360.privacy.known import KEY
from customer360.privacy.lists_again import write_lists_again
from customer360.privacy.their_rows import texts_frame
from customer360.privacy.warehouse_anew import publish_anew
from customer360.serving import contact_log, kept_tables, warehouse
from customer360.serving.suppression import listed_keys
from customer360.settings import Settings, write_whole
from customer360.silver.keys import customer_key
from customer360.silver.personal_text import MASKED_ID
from customer360.silver.transactions import UNKNOWN_CUSTOMER
from customer360.table_names import (
    AS_OF,
    CUSTOMER_DAYS,
    CUSTOMERS,
    ORDER_LINES,
    REJECTED,
    TRANSACTIONS,
)

_NOTE = "rotated"
_OLD, _NEW = "__old_key", "__new_key"
_NOBODY = "nobody"
_DAY = "business_date"


class RotationError(Customer360Error):
    """The key cannot be rotated; the message says what to do."""


@dataclass(frozen=True)
class Rotation:
    """A rotation that is under way.

    Attributes:
        id: Its name, in the audit and in the notes of the commits.
        fresh: Snapshots that were not stale when it began.
    """

    id: str
    fresh: Fresh


@dataclass(frozen=True)
class Rotated:
    """What a rotation did.

    Attributes:
        customers: Customers with another key.
        tables: Tables that have been written again.
        lists: Campaign lists that were written again with the new keys.
        lists_left: Those that could not be, and are gone, a sentence each.
        reports: Files of reports about people that are gone.
        elsewhere: What others own and has the old keys, a sentence each.
        set_yourself: The secret is one of the settings: whoever keeps it there must change it.
    """

    customers: int
    tables: int
    lists: int
    lists_left: tuple[str, ...]
    reports: int
    elsewhere: tuple[str, ...]
    set_yourself: bool


def begin(work: Workspace, secret: str | None) -> Rotation:
    """Note that the keys are to be made with another secret.

    Args:
        work: Where.
        secret: The new one; None: one is made.

    Raises:
        ErasureError: A rotation or an erasure is under way.
        RotationError: There are no customers yet, or the secret comes from the settings and no new
            one was given, or the same.
        SuppressionError: The suppression list cannot be read: whom it names by a key would be lost,
            and no list could be written again.
    """
    settings = work.deployment.settings
    refuse_unfinished(settings)
    if not work.lakehouse.exists(CUSTOMERS):
        raise RotationError(f"there is no {CUSTOMERS} yet, so there are no keys to rotate")
    if settings.customer_key_secret and secret is None:
        raise RotationError(
            "the secret is the setting customer_key_secret: give the new one by --secret-file, and "
            "change the setting when the rotation is done"
        )
    if secret is not None and secret.encode() == settings.secret():
        raise RotationError("--secret-file holds the secret that is in use: give another one")
    refuse_unreadable(work.deployment)
    rotation = Rotation(secrets.token_hex(6), fresh_snapshots(work.tables))
    _noted(settings, rotation)
    write_whole(settings.next_secret_file, secret or secrets.token_hex(32))
    return rotation


def under_way(settings: Settings) -> Rotation:
    """The rotation that was stopped.

    Raises:
        RotationError: There is none.
    """
    file = journal.rotation_file(settings)
    if not file.exists():
        raise RotationError("no rotation was stopped: there is nothing to resume")
    stated = json.loads(file.read_text(encoding="utf-8"))
    return Rotation(stated["id"], journal.dates_of(stated["fresh"]))


def rotate(work: Workspace, rotation: Rotation, publish: Callable[[], None], say: Say) -> Rotated:
    """Carry out ``rotation``, from where it was. Nobody else may write the home meanwhile.

    Raises:
        SettingsError: All tables have keys by the new secret, and the settings still the old one.
    """
    settings = work.deployment.settings
    if not settings.next_secret_file.exists():  # all but the lists and the warehouse was done
        settings.secret()  # before a list that needs it is given up
        return _finish(settings, rotation, settings, publish, say)
    secret = settings.next_secret_file.read_bytes()
    known = work.lakehouse.read(CUSTOMERS)
    keys = known.select(F.col(KEY).alias(_OLD), _new_key(known, secret).alias(_NEW)).persist()
    customers = keys.count()
    # While it is known which key is whose.
    _suppress_by_new_keys(work, keys)
    _contacts_by_new_keys(work, keys)
    done = 0
    names = [name for name in packaged_tables() if KEY in Contract.load(name).column_names]
    others = [name for name in names if name not in (CUSTOMER_DAYS, CUSTOMERS)]
    # The days first, whose digests snapshots note; customers last, by whom all others are rotated.
    for table in (CUSTOMER_DAYS, *others, REJECTED, CUSTOMERS):
        if work.lakehouse.exists(table) and not _is_done(work, table, rotation):
            say(f"keys of {table}")
            _rotate_table(work, table, keys, secret, rotation)
            done += 1
    say("earlier versions of all tables")
    drop_histories(work.lakehouse)
    after = settings
    if settings.use_next_secret():
        after = settings.model_copy(update={"customer_key_secret": secret.decode()})
    return _finish(settings, rotation, after, publish, say, customers=customers, tables=done)


def _finish(
    settings: Settings,
    rotation: Rotation,
    after: Settings,
    publish: Callable[[], None],
    say: Say,
    *,
    customers: int = 0,
    tables: int = 0,
) -> Rotated:
    """What is made of tables that have the new keys.

    Args:
        settings: The deployment's.
        rotation: The rotation.
        after: The deployment's with the new secret.
        publish: Brings the warehouse up to date.
        say: Receives progress, a line at a time.
        customers: With another key.
        tables: Written again.
    """
    say("lists")
    lists = write_lists_again(after)
    reports = _drop_reports(settings)
    temporary = forget_temporary_files(settings)
    say("warehouse")
    publish_anew(settings, publish, None)  # no key of before stays
    journal.audited(
        settings,
        what="rotate-key",
        rotation=rotation.id,
        customers=customers,
        lists=lists.written,
        lists_left=lists.left,
    )
    journal.rotation_file(settings).unlink()
    return Rotated(
        customers,
        tables,
        lists.written,
        lists.left,
        reports,
        (*_elsewhere(settings), *temporary),
        bool(settings.customer_key_secret),
    )


def _new_key(customers: DataFrame, secret: bytes) -> Column:
    """The key of each customer of the sources by the new secret."""
    sources = [row[0] for row in customers.select("source").distinct().collect()]
    key: Column = F.lit(None).cast("string")
    for source in sources:
        own = customer_key(source, F.col("source_customer_id"), secret)
        key = F.when(F.col("source") == source, own).otherwise(key)
    return key


def _is_done(work: Workspace, table: str, rotation: Rotation) -> bool:
    note = newest_note(work.lakehouse, table, _NOTE)
    return note is not None and note[_NOTE] == rotation.id


def _rotate_table(
    work: Workspace, table: str, keys: DataFrame, secret: bytes, rotation: Rotation
) -> None:
    """Write ``table`` again with the new keys.

    A row of somebody who is no customer any more gets a key that is nobody's, and which only who
    has the new secret could make of the old one.
    """
    lakehouse, contract = work.lakehouse, Contract.load(table)
    rows = lakehouse.read(table)
    nobodys = customer_key(_NOBODY, F.col(_OLD), secret)
    new = F.when(F.col(_OLD).isNotNull(), F.coalesce(F.col(_NEW), nobodys))
    if table == REJECTED:
        stated = rows.withColumn(_OLD, F.get_json_object("raw", f"$.{KEY}"))
        with_new = stated.join(keys, _OLD, "left").withColumn(
            "raw", F.when(F.col(_OLD).isNull(), F.col("raw")).otherwise(F.replace("raw", _OLD, new))
        )
    else:
        stated = rows.withColumnRenamed(KEY, _OLD)
        with_new = stated.join(keys, _OLD, "left").withColumn(KEY, new)
    frame = with_new.select(*rows.columns)
    day = next((name for name in (AS_OF, _DAY) if name in rows.columns), None)
    note = _note_of(work, table, rotation)
    if day is None or table == REJECTED:
        lakehouse.replace_all(contract, frame, note=note)
    else:
        lakehouse.replace_days(contract, frame, day, lakehouse.days_of(table, day), note=note)


def _note_of(work: Workspace, table: str, rotation: Rotation) -> str:
    """The note of a commit that changes keys and nothing else: no table is to be made again."""
    said: dict[str, Any] = {_NOTE: rotation.id}
    if table in NOTED:  # the digests of days are of keys, too
        said |= json.loads(note_as_fresh(work.tables, table, [], rotation.fresh))
    if table == TRANSACTIONS and _needs_bronze(work):
        # Hashes by the old secret of what only bronze knows: the next load makes them anew.
        said |= {DEFINITIONS: dict.fromkeys(definitions(work), rotation.id)}
    return json.dumps(said)


def _needs_bronze(work: Workspace) -> bool:
    """Whether there are masked ids, or orders that wait for their customer."""

    def any_of(table: str, condition: str) -> bool:
        if not work.lakehouse.exists(table):
            return False
        ((some,),) = work.tables.ask(f"SELECT count(*) FROM t WHERE {condition}", t=table)
        return bool(some)

    masked = [f"{name} LIKE '{MASKED_ID}%'" for name in ("order_id", "related_order_id")]
    of_lines = [f"{name} LIKE '{MASKED_ID}%'" for name in ("line_key", "product_id")]
    return (
        any_of(TRANSACTIONS, " OR ".join(masked))
        or any_of(ORDER_LINES, " OR ".join(of_lines))
        or any_of(REJECTED, f"list_contains(reasons, '{UNKNOWN_CUSTOMER}')")
    )


def _suppressed(settings: Settings) -> set[str]:
    """Customer keys by which the suppression list names somebody, or did before a rotation."""
    return {key for file in suppression_files(settings) for key in listed_keys(file)}


def _suppress_by_new_keys(work: Workspace, keys: DataFrame) -> None:
    """Keep who is suppressed by a key under the new one: the list itself is its owner's."""
    settings = work.deployment.settings
    named = _suppressed(settings)
    if not named:
        return
    # Named by a new one they are where a rotation that was stopped has done this before.
    both = keys.unionByName(keys.select(F.col(_NEW).alias(_OLD), _NEW))
    new = texts_frame(work.spark, _OLD, named).join(both, _OLD).select(_NEW).distinct().collect()
    write_whole(by_former_keys(settings), "\n".join((KEY, *sorted(row[_NEW] for row in new), "")))


def _contacts_by_new_keys(work: Workspace, keys: DataFrame) -> None:
    """Keep who was contacted under the new keys: nothing else in the home says so.

    Nobody is marked by a key of before until the warehouse has the new ones (`publish_anew`).
    """
    settings = work.deployment.settings
    if not warehouse.is_made(settings):
        return
    owner = warehouse.open_warehouse(settings).owner
    kept_tables.hold(owner)
    contacted = {row[0] for row in contact_log.all_contacts(owner)}
    if not contacted:
        return
    both = keys.unionByName(keys.select(F.col(_NEW).alias(_OLD), _NEW))
    known = texts_frame(work.spark, _OLD, contacted).join(both, _OLD).distinct().collect()
    contact_log.rename(owner, {row[_OLD]: row[_NEW] for row in known})


def _drop_reports(settings: Settings) -> int:
    """Delete reports about people, which name them by the old keys; how many files they were."""
    files = [file for file in journal.reports_folder(settings).rglob("*") if file.is_file()]
    for file in files:
        file.unlink()
    return len(files)


def _elsewhere(settings: Settings) -> Iterator[str]:
    yield from elsewhere(settings)
    if settings.warehouse_url is not None:
        yield "the warehouse's server: its write-ahead log and its backups"
    if settings.suppression_path is not None and by_former_keys(settings).exists():
        yield (
            f"suppression list {settings.suppression_path}: it names customers by former keys; "
            f"{by_former_keys(settings)} has the new ones, and is read beside it until you have "
            "put them there and deleted it"
        )


def _noted(settings: Settings, rotation: Rotation) -> None:
    fresh = journal.texts_of(rotation.fresh)
    write_whole(journal.rotation_file(settings), json.dumps({"id": rotation.id, "fresh": fresh}))
