"""Edits of rows that somebody made in a CSV: read, understood and kept.

The file is one that `customer360 quarantine show --to` wrote: a row for each, known by its id, with
the columns as they were delivered. What differs from how the row stands now is an edit of it. What
does not differ is none, so a file may be taken any number of times.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.contracts import Contract
from customer360.contracts.reasons import LEFT_OUT
from customer360.contracts.sql import sql_text
from customer360.deployment import Deployment
from customer360.errors import Customer360Error, first_line, listed
from customer360.lakehouse.reading import Tables
from customer360.pipeline.quarantine import RESCUED, HeldRow, edits_loaded, rows_with_ids
from customer360.quoting import shown, shown_header
from customer360.sources.base import ChangingSource, Source
from customer360.table_names import EDITS

if TYPE_CHECKING:
    from customer360.lakehouse.tables import Lakehouse
    from customer360.settings import Settings

ROW, TABLE, DROP, REASONS, LINE = "_row", "_table", "_drop", "_reasons", "_line"
OF_THE_FILE = (TABLE, ROW, REASONS, DROP, "_source_file", "_delivered_on", LINE)
"""Columns of the CSV beside the row's own; of them `ROW`, `TABLE` and `DROP` are read."""

_ID = re.compile(r"row-([0-9a-f]{16})")
_YES, _NO = ("yes", "y", "true", "x", "1"), ("", "no", "n", "false", "0")


class EditsError(Customer360Error):
    """A file of edits cannot be used; the message names its line. Nothing of it is taken."""


def row_name(row: int) -> str:
    """A row's id as people see it: text, because programs that show CSV cut long numbers short."""
    return f"row-{row & (1 << 64) - 1:016x}"


def row_of(name: str) -> int | None:
    """The id that `row_name` wrote; None of any other text."""
    match = _ID.fullmatch(name.strip().lower())
    if match is None:
        return None
    number = int(match[1], 16)
    return number - (1 << 64) if number >> 63 else number


@dataclass(frozen=True)
class Stated:
    """What one line of a file of edits says.

    Attributes:
        line: Its number in the file.
        table: The bronze table; None where the file does not say.
        row: The row's id.
        values: The row's own columns that the file has; a blank is None.
        left_out: Whether the row is to be left out for good; None where the file does not say.
    """

    line: int
    table: str | None
    row: int
    values: Mapping[str, str | None]
    left_out: bool | None


@dataclass(frozen=True)
class Edit:
    """What is kept of a row that was edited; see the contract of ``quarantine/edits``."""

    table: str
    row: int
    delivered: str | None
    line: str | None
    changes: Mapping[str, str | None]
    left_out: bool
    edited_by: str
    edited_at: datetime

    def as_row(self) -> tuple[Any, ...]:
        """Values in the order of the contract of ``quarantine/edits``."""
        changes = json.dumps(self.changes, ensure_ascii=False)
        return (
            *(self.table, self.row, self.delivered, self.line, changes),
            *(self.left_out, self.edited_by, self.edited_at),
        )


def written(rows: Sequence[HeldRow], hidden: Mapping[str, Collection[str]]) -> str:
    """A CSV of ``rows``, to be edited; rows that were delivered alike are one line.

    Args:
        rows: Of quarantine or of bronze.
        hidden: By table, columns that the file is not to have; `LINE` among them hides lines.
    """
    names = {
        name: None for row in rows for name in row.values if name not in hidden.get(row.table, ())
    }
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*OF_THE_FILE, *names])
    for row in {(each.table, each.row): each for each in rows}.values():
        line = "" if LINE in hidden.get(row.table, ()) else row.line
        of_the_file = (
            *(row.table, row_name(row.row), " ".join(row.reasons)),
            *("yes" if row.left_out else "", row.file, row.delivered_on, line),
        )
        writer.writerow([*of_the_file, *(row.values.get(name) for name in names)])
    return text.getvalue()


def read_edits(path: Path, settings: Settings | None = None) -> list[Stated]:
    """The lines of a file of edits.

    Programs that show CSV save it with semicolons or in the encoding of their country: both read.

    Args:
        path: The file.
        settings: Of the deployment, for the commands that messages name; None: the default ones.

    Raises:
        EditsError: It cannot be read, or a line does not say which row it is of.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise EditsError(
            f"--edits {path}: {(error.strerror or first_line(error)).lower()}; name the CSV that "
            "`quarantine show --to` wrote"
        ) from None
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    command = settings.command if settings is not None else "customer360 {}".format
    header = text.partition("\n")[0]
    delimiter = max(",;\t", key=header.count)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        return _edits(path, lines, command)
    except csv.Error as error:
        raise EditsError(
            f"--edits {path} line {lines.line_num}: {error}; close a quotation mark that opens "
            "there, or take the value out"
        ) from None


def _edits(path: Path, lines: Any, command: Callable[[str], str]) -> list[Stated]:
    names = [name.strip() for name in next(lines, [])]
    if ROW not in names:
        raise EditsError(
            f"--edits {path}: expected a column {ROW} with the rows' ids, found "
            f"{shown_header(names, ()).removeprefix('only ') or 'nothing'}; write the file by "
            f"`{command('quarantine show TABLE --to FILE.csv')}` and edit that"
        )
    twice = [name for name, n in Counter(names).items() if n > 1]
    if twice:
        raise EditsError(f"--edits {path}: column {twice[0]} stands there twice; name it once")
    return list(_stated(path, lines, names, command("quarantine show")))


def _stated(path: Path, lines: Any, names: Sequence[str], command: str) -> Iterator[Stated]:
    for values in lines:
        where = f"--edits {path} line {lines.line_num}"
        if not any(value.strip() for value in values):
            continue
        if len(values) != len(names):
            raise EditsError(
                f"{where}: expected {len(names)} values as in the header, found {len(values)}; put "
                "values that hold the delimiter in quotation marks"
            )
        stated = dict(zip(names, values, strict=True))
        row = row_of(stated[ROW])
        if row is None:
            raise EditsError(
                f"{where}: expected an id like row-0123456789abcdef in column {ROW}, found "
                f"{shown(stated[ROW])}; leave that column as `{command}` wrote it"
            )
        drop = stated.get(DROP)
        word = None if drop is None else drop.strip().lower()
        if word is not None and word not in (*_YES, *_NO):
            raise EditsError(
                f"{where}: expected yes or nothing in column {DROP}, found {shown(word)}; yes "
                "leaves the row out for good"
            )
        yield Stated(
            line=lines.line_num,
            table=(stated.get(TABLE) or "").strip() or None,
            row=row,
            values={n: v or None for n, v in stated.items() if not n.startswith("_")},
            left_out=None if word is None else word in _YES,
        )


def known_edits(tables: Tables, table: str) -> dict[int, Edit]:
    """The edits of bronze table ``table`` (without layers), by row."""
    if not tables.exists(EDITS):
        return {}
    rows = tables.ask(
        f"""
        SELECT "table", row, delivered, line, changes, left_out, edited_by, edited_at
        FROM edits WHERE "table" = {sql_text(table)}
        """,
        edits=EDITS,
    )
    return {
        row: Edit(name, row, delivered, line, json.loads(changes), left_out, by, at)
        for name, row, delivered, line, changes, left_out, by, at in rows
    }


def edits_from(
    tables: Tables,
    deployment: Deployment,
    stated: Sequence[Stated],
    *,
    table: str | None,
    path: Path,
    by: str,
    at: datetime,
) -> list[Edit]:
    """What of a file of edits is new.

    Args:
        tables: Where the rows are.
        deployment: Whose sources they are of.
        stated: As `read_edits` gives them.
        table: The bronze table (without layers) of lines that name none.
        path: The file, for messages.
        by: Who edited them.
        at: When.

    Raises:
        EditsError: A line is of no row there is, changes what it must not, or contradicts another.
    """
    sources = {name: source for source in deployment.sources for name in source.tables}
    by_table: dict[str, dict[int, Stated]] = {}
    for each in stated:
        name = each.table or table
        where = f"--edits {path} line {each.line}"
        if name is None or name not in sources:
            raise EditsError(
                f"{where}: expected a table of the active sources ({listed(list(sources))}) in "
                f"column {TABLE}, found {name or 'none'}; name it there or as the argument TABLE"
            )
        others = by_table.setdefault(name, {})
        same = others.setdefault(each.row, each)
        if (same.values, same.left_out) != (each.values, each.left_out):
            raise EditsError(
                f"{where}: {row_name(each.row)} stands on line {same.line} too, with other values; "
                "rows that were delivered alike have one id, and one edit"
            )
    edits: list[Edit] = []
    for name, lines in by_table.items():
        known = known_edits(tables, name)
        held = rows_with_ids(tables, sources[name], name, lines)
        for row, each in lines.items():
            where = f"--edits {path} line {each.line}"
            if row not in held and row not in known:
                again = deployment.settings.command(f"quarantine show {name} --to {path}")
                raise EditsError(
                    f"{where}: {row_name(row)} is no row of {name}, neither in bronze nor in "
                    "quarantine: the file is of another deployment (--home), or of before a change "
                    f"of the mapping or the data; write it again by `{again}`"
                )
            edit = _edit(sources[name], name, each, held.get(row), known.get(row), where, by, at)
            if edit is not None:
                edits.append(edit)
    return edits


def _edit(
    source: Source,
    table: str,
    stated: Stated,
    now: HeldRow | None,
    known: Edit | None,
    where: str,
    by: str,
    at: datetime,
) -> Edit | None:
    columns = source.contract(table).column_names
    strange = [name for name in stated.values if name not in columns]
    if strange and any(stated.values[name] is not None for name in strange):
        raise EditsError(
            f"{where}: {table} has no column {strange[0]}; it has {listed(columns, 30)}"
        )
    before = _values(now, known)
    given = {name: stated.values[name] for name in columns if name in stated.values}
    changed = {name: text for name, text in given.items() if text != (before.get(name) or None)}
    was_left_out = known.left_out if known is not None else False
    left_out = was_left_out if stated.left_out is None else stated.left_out
    if not changed and left_out == was_left_out:
        return None
    if isinstance(source, ChangingSource):
        key = [name for name in changed if name in source.key(table)]
        if key:
            raise EditsError(
                f"{where}: {key[0]} is the key of {table}, by which its rows are found again; mend "
                "it in the database"
            )
    if known is not None:
        delivered, line, earlier = known.delivered, known.line, known.changes
    else:
        assert now is not None
        delivered, line, earlier = _delivered(now), now.line, {}
    return Edit(table, stated.row, delivered, line, {**earlier, **changed}, left_out, by, at)


def _values(now: HeldRow | None, known: Edit | None) -> dict[str, str | None]:
    """What the row says with the edits there are, be they loaded or not."""
    values = dict(now.values) if now is not None else {}
    if known is None:
        return values
    if now is None and known.delivered is not None:
        values = json.loads(known.delivered)
    return values | dict(known.changes)


def _delivered(row: HeldRow) -> str | None:
    if row.line is not None:
        return None
    rescued = {} if row.rescued is None else {RESCUED: row.rescued}
    return json.dumps({**row.values, **rescued}, ensure_ascii=False)


def keep(lakehouse: Lakehouse, edits: Sequence[Edit]) -> None:
    """Put ``edits`` among those of the deployment; one of a row replaces an earlier one."""
    from customer360.contracts.spark import spark_schema

    contract = Contract.load(EDITS)
    rows = [edit.as_row() for edit in edits]
    frame = lakehouse.spark.createDataFrame(rows, spark_schema(contract))
    lakehouse.merge(
        contract,
        frame,
        "ON target.`table` = source.`table` AND target.row = source.row "
        "WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *",
    )


@dataclass(frozen=True)
class Outcome:
    """What became of an edit.

    Attributes:
        edit: Which.
        what: ``in bronze``, ``still in quarantine``, ``left out``, ``not loaded yet``, or ``not
            delivered``: no row that is delivered is like it any more.
        reasons: Why it is still in quarantine.
    """

    edit: Edit
    what: str
    reasons: tuple[str, ...] = ()


LOADED, REFUSED, DROPPED, WAITING, GONE = (
    "in bronze",
    "still in quarantine",
    "left out",
    "not loaded yet",
    "not delivered",
)


def outcomes(tables: Tables, source: Source, table: str) -> list[Outcome]:
    """What became of each edit of bronze table ``table``."""
    edits = known_edits(tables, table)
    held = rows_with_ids(tables, source, table, edits)
    loaded = edits_loaded(tables, table, edits)
    return [_outcome(edit, held.get(row), loaded.get(row, ())) for row, edit in edits.items()]


def _outcome(edit: Edit, row: HeldRow | None, loaded: Collection[datetime | None]) -> Outcome:
    """What became of an edit, by one of its rows and when each of them was edited."""
    if row is None:
        return Outcome(edit, GONE)
    if any(at != edit.edited_at for at in loaded):
        return Outcome(edit, WAITING)
    if LEFT_OUT in row.reasons:
        return Outcome(edit, DROPPED)
    return Outcome(edit, REFUSED, row.reasons) if row.reasons else Outcome(edit, LOADED)
