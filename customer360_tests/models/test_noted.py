"""What MLflow said is kept until its database changes."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from customer360.models.noted import local_database, noted


@pytest.fixture
def database(tmp_path: Path) -> Path:
    file = tmp_path / "mlflow.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE versions (name TEXT)")
    connection.close()
    return file


def names(database: Path) -> list[str]:
    with sqlite3.connect(database) as connection:
        return [name for (name,) in connection.execute("SELECT name FROM versions")]


def test_what_was_said_is_told_again_until_the_database_changes(database: Path) -> None:
    asked = []

    def ask() -> list[str]:
        asked.append(1)
        return names(database)

    uri = f"sqlite:///{database}"
    assert [noted(uri, "names", ask) for _ in range(3)] == [[], [], []]
    assert len(asked) == 1
    with sqlite3.connect(database) as connection:
        connection.execute("INSERT INTO versions VALUES ('one')")
    connection.close()
    assert [noted(uri, "names", ask) for _ in range(2)] == [["one"], ["one"]]
    assert len(asked) == 2
    # A note that was damaged is no note.
    (database.parent / "noted" / "names.json").write_text("{")
    assert noted(uri, "names", ask) == ["one"]
    assert len(asked) == 3


def test_a_server_is_always_asked_and_an_error_is_not_noted(database: Path) -> None:
    said = iter("ab")
    assert [noted("http://localhost:5000", "names", lambda: next(said)) for _ in "ab"] == ["a", "b"]
    with pytest.raises(ZeroDivisionError):
        noted(f"sqlite:///{database}", "names", lambda: 1 // 0)
    assert noted(f"sqlite:///{database}", "names", lambda: "now") == "now"


def test_only_a_file_is_local() -> None:
    assert local_database("sqlite:////home/shop/mlflow.db") == Path("/home/shop/mlflow.db")
    assert local_database("http://localhost:5000") is None
