"""What silver was made with: a print of what each source's rows were taken to mean.

A mapping that is mended changes what the same bronze rows say: their money, their day, whether they
count. Bronze's own hashes do not change with it, so each commit of silver notes the prints that it
was made with, and what was made with another is made again.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

from customer360.contracts import Contract
from customer360.pipeline.workspace import Workspace, newest_note
from customer360.sources.base import Source
from customer360.sources.mapped import MappedSource
from customer360.sources.mapping import RowMapping

DEFINITIONS = "definitions"
"""Key, in a note of a commit of silver, of the prints that it was made with."""

_OF_NO_ROW = {"path", "files", "description", "closed", "conflicts", "expands"}
"""Keys of a mapping that say nothing of a row: where files are, how big, when a load stops."""

_MASKED = "texts and ids are masked: 1"
"""Which rules `customer360.silver.personal_text` has; another number makes silver again by them."""

_LATER_ROLES = ("product_id",)
"""Roles that mappings have known since after the first prints were noted."""


def definitions(work: Workspace) -> dict[str, str]:
    """A print of each source's definition, by its name."""
    return {
        source.name: print_of(source, work.deployment.zone_of(source))
        for source in work.deployment.sources
    }


def definitions_note(work: Workspace) -> dict[str, dict[str, str]]:
    """What the note of a commit of a silver table says of the definitions it is made with."""
    return {DEFINITIONS: definitions(work)}


def defined_anew(work: Workspace, table: str, *, until: int | None = None) -> set[str]:
    """Sources that silver ``table`` was last made of by another definition than they have now.

    Of a table that an older release made, none: what it was made with is not known. Commits after
    version ``until`` do not count.
    """
    note = newest_note(work.lakehouse, table, DEFINITIONS, until=until)
    before = (note or {}).get(DEFINITIONS, {})
    return {name for name, now in definitions(work).items() if before.get(name, now) != now}


def print_of(source: Source, zone: str) -> str:
    """A print of all that says what a source's rows mean.

    Args:
        source: The source.
        zone: Time zone that decides the day of its transactions.
    """
    parts = [zone, source.currency, source.time_zone, _MASKED]
    parts += [_stated(source.contract(table)) for table in source.tables]
    if isinstance(source, MappedSource):
        parts.append(source.mapping.model_dump_json(exclude=_not_printed(source.mapping)))
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def _not_printed(mapping: RowMapping) -> dict[str, Any]:
    """What a print leaves out: `_OF_NO_ROW`, and roles that came later, where no column plays them.

    So a release with another role makes nothing again for those who do not use it.
    """
    unused = {role for role in _LATER_ROLES if getattr(mapping.columns, role) is None}
    return dict.fromkeys(_OF_NO_ROW, True) | {"columns": unused}


def _stated(contract: Contract) -> str:
    """How the texts of a table are read; not how that is described."""
    columns = [replace(column, description="") for column in contract.columns]
    return f"{contract.table} {contract.event_time} {columns!r}"
