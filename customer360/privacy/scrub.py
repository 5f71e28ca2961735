"""Taking texts that name people out of files and databases that are about something else.

Logs, events of Dagster, parameters in MLflow: nothing there is made of customers, but an error or a
condition that somebody typed may quote one.
"""

from __future__ import annotations

import html
import json
import re
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator
from contextlib import closing
from pathlib import Path

from customer360.errors import Customer360Error
from customer360.modes import rewritten

INSTEAD = "[forgotten]"

_TOKEN = re.compile(r"[\w@.+-]+")
_AT_THE_ENDS = ".+-_"
_SHORTEST, _SHORTEST_NUMBER = 6, 8
_SQLITE = b"SQLite format 3\x00"
_WAITS = 30.0  # seconds, for who else has the database open
_TEXT = re.compile(
    r"(\.(csv|complete|err|html|jsonl?|log|md|new|out|sql|tmp|txt|xml|ya?ml))?", re.IGNORECASE
)


class Words:
    """Texts to be found as whole words, in any case, whatever stands between their parts.

    Short texts, and numbers of a few digits, are not looked for: they would be found in what is
    about nobody.

    Args:
        texts: They.
    """

    def __init__(self, texts: Collection[str]) -> None:
        self._by_first: dict[str, set[tuple[str, ...]]] = defaultdict(set)
        for text in texts:
            digits_only = text.isdigit()
            if len(text) < (_SHORTEST_NUMBER if digits_only else _SHORTEST):
                continue
            # As JSON and HTML write it, too.
            for spelt in {text, json.dumps(text)[1:-1], html.escape(text)}:
                parts = tuple(part for part, *_ in _tokens(spelt))
                if parts:
                    self._by_first[parts[0]].add(parts)

    def taken_out(self, text: str) -> tuple[str, int]:
        """``text`` with `INSTEAD` in place of each of the words, and how many there were."""
        tokens = list(_tokens(text))
        pieces, end, position, count = [], 0, 0, 0
        while position < len(tokens):
            length = self._length_at(tokens, position)
            if not length:
                position += 1
                continue
            pieces += [text[end : tokens[position][1]], INSTEAD]
            end = tokens[position + length - 1][2]
            position, count = position + length, count + 1
        return ("".join((*pieces, text[end:])), count) if count else (text, 0)

    def _length_at(self, tokens: list[tuple[str, int, int]], position: int) -> int:
        """Tokens of the longest of the words that begins at ``position``; 0 where none does."""
        longest = 0
        for parts in self._by_first.get(tokens[position][0], ()):
            there = tuple(token for token, *_ in tokens[position : position + len(parts)])
            if there == parts:
                longest = max(longest, len(parts))
        return longest


def _tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Words in small letters, with where each begins and ends."""
    for match in _TOKEN.finditer(text):
        word = match.group()
        plain = word.strip(_AT_THE_ENDS)
        if plain:
            start = match.start() + word.index(plain)
            yield plain.lower(), start, start + len(plain)


def scrub_folder(folder: Path, words: Words) -> int:
    """Take ``words`` out of all texts and SQLite databases below ``folder``; how many there were.

    What is neither (models, pictures, Parquet) is left alone.
    """
    count = 0
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        with file.open("rb") as stream:
            begins = stream.read(len(_SQLITE))
        if begins == _SQLITE:
            count += scrub_sqlite(file, words)
        elif _TEXT.fullmatch(file.suffix):
            count += _scrub_text(file, words)
    return count


def _scrub_text(file: Path, words: Words) -> int:
    try:
        text = file.read_bytes().decode()
    except UnicodeDecodeError:
        return 0
    clean, count = words.taken_out(text)
    if count:
        with rewritten(file) as beside:
            beside.write_bytes(clean.encode())
    return count


class ScrubError(Customer360Error):
    """A database cannot be cleaned; the message says what to do."""


def scrub_sqlite(file: Path, words: Words) -> int:
    """Take ``words`` out of all texts of an SQLite database, of its free pages and its log.

    Raises:
        ScrubError: Another process keeps it from being written anew, or it is broken.
    """
    count = 0
    try:
        with closing(sqlite3.connect(file, timeout=_WAITS, isolation_level=None)) as database:
            database.execute("PRAGMA secure_delete = ON")
            tables = database.execute(
                "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
            ).fetchall()
            for (table,) in tables:
                count += _scrub_table(database, table, words)
            # Pages that held what was deleted long ago, by whom ever, are written over too.
            database.execute("VACUUM")
            busy, *_ = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    except sqlite3.OperationalError as error:
        raise _in_use(file, str(error)) from None
    except sqlite3.DatabaseError as error:
        raise ScrubError(
            f"{file}: cannot be read ({error}), so it may name people: put it back from a backup "
            "or delete it, and go on by `customer360 privacy forget --resume`"
        ) from None
    if busy:
        raise _in_use(file, "another process reads it")
    return count


def _in_use(file: Path, reason: str) -> ScrubError:
    return ScrubError(
        f"{file}: cannot be cleaned ({reason}): stop Dagster's webserver and daemon, and whatever "
        "else has it open, and go on by `customer360 privacy forget --resume`"
    )


def _scrub_table(database: sqlite3.Connection, table: str, words: Words) -> int:
    count = 0
    columns = [row[1] for row in database.execute(f"PRAGMA table_info({_quoted(table)})")]
    named = ", ".join(map(_quoted, columns))
    database.execute("BEGIN IMMEDIATE")
    rows = database.execute(f"SELECT rowid, {named} FROM {_quoted(table)}")
    changes = []
    for rowid, *values in rows:
        for column, value in zip(columns, values, strict=True):
            if not isinstance(value, str):
                continue
            clean, number = words.taken_out(value)
            if number:
                changes.append((column, clean, rowid))
                count += number
    for column, clean, rowid in changes:
        database.execute(
            f"UPDATE {_quoted(table)} SET {_quoted(column)} = ? WHERE rowid = ?", (clean, rowid)
        )
    database.execute("COMMIT")
    return count


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
