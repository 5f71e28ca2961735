from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from customer360.privacy.scrub import INSTEAD, ScrubError, Words, scrub_folder, scrub_sqlite

WORDS = Words(
    [
        *("ana@example.com", "+55 11 98765-4321", "Ana Sousa Prado", "C00001234", "12", "1234567"),
        *("joão.prado@example.com", "O'Neil Prado"),
    ]
)


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("mail of ANA@example.com, and more", f"mail of {INSTEAD}, and more"),
        ('{"email": "ana@example.com"}', f'{{"email": "{INSTEAD}"}}'),
        ("row 7: Ana  Sousa\nPrado (C00001234).", f"row 7: {INSTEAD} ({INSTEAD})."),
        ("phone=+55 11 98765-4321;", f"phone=+{INSTEAD};"),
        ('{"mail": "jo\\u00e3o.prado@example.com"}', f'{{"mail": "{INSTEAD}"}}'),
        ("O&#x27;Neil Prado", INSTEAD),
        # Part of another word, or of another name.
        ("ana@example.company", "ana@example.company"),
        ("Ana Sousa", "Ana Sousa"),
        # Short texts and small numbers stand for other things, too.
        ("12 rows, 1234567 bytes", "12 rows, 1234567 bytes"),
    ],
)
def test_words_are_taken_out_whole(text: str, clean: str) -> None:
    assert WORDS.taken_out(text)[0] == clean


def test_texts_and_databases_below_a_folder_are_clean(tmp_path: Path) -> None:
    log = tmp_path / "a" / "run.log"
    log.parent.mkdir()
    log.write_text("read ana@example.com\n", encoding="utf-8")
    log.chmod(0o600)
    picture = tmp_path / "plot.png"
    picture.write_bytes(b"\x89PNG ana@example.com \xff")
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, event TEXT, n INTEGER)")
        for number in range(200):
            database.execute(
                "INSERT INTO events (event, n) VALUES (?, ?)", (f"C00001234 {number}", 1)
            )
        database.commit()
        database.execute("DELETE FROM events WHERE id > 100")
        database.commit()

    assert scrub_folder(tmp_path, WORDS) == 101

    assert log.read_text(encoding="utf-8") == f"read {INSTEAD}\n"
    assert log.stat().st_mode & 0o777 == 0o600
    assert picture.read_bytes().endswith(b"\xff")
    content = b"".join(file.read_bytes() for file in tmp_path.glob("events.db*"))
    assert b"C00001234" not in content
    with closing(sqlite3.connect(tmp_path / "events.db")) as database:
        assert database.execute("SELECT count(*), min(event) FROM events").fetchone() == (
            100, f"{INSTEAD} 0",
        )  # fmt: skip


def test_a_database_without_them_stays_as_it_is(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "x.db")) as database:
        database.execute('CREATE TABLE "odd name" ("a ""b" TEXT)')
        database.execute('INSERT INTO "odd name" VALUES (?)', ("nothing of anybody",))
        database.commit()
    assert scrub_sqlite(tmp_path / "x.db", WORDS) == 0


def test_a_broken_database_is_named_with_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "events.db"
    file.write_bytes(b"SQLite format 3\x00" + b"ana@example.com " * 100)
    with pytest.raises(ScrubError) as caught:
        scrub_folder(tmp_path, WORDS)
    assert str(caught.value) == (
        f"{file}: cannot be read (file is not a database), so it may name people: put it back from "
        "a backup or delete it, and go on by `customer360 privacy forget --resume`"
    )
