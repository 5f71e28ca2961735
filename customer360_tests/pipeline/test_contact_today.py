"""A snapshot's action is proposed to nobody who refuses by now, or is suppressed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from deltalake import write_deltalake

from customer360.lakehouse.reading import Tables
from customer360.pipeline.contact_today import action_today
from customer360.serving.suppression import SuppressionError
from customer360.settings import load_settings
from customer360_tests.serving.frames import customers_of

AGREES, REFUSES, NAMED, GONE = ("a" * 64, "b" * 64, "c" * 64, "d" * 64)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    people: dict[str, dict[str, Any]] = {
        AGREES: {"email": "ana@example.com"},
        REFUSES: {"marketing_consent": False},
        NAMED: {"email": "Ben@Example.com"},
    }
    write_deltalake(tmp_path / "lakehouse" / "silver" / "customers", customers_of(people))
    (tmp_path / "stop.csv").write_text("email\nben@example.com\n")
    return tmp_path


@pytest.mark.parametrize(
    ("key", "action"),
    [
        (AGREES, "call_in_person"),
        (REFUSES, "do_not_contact"),
        (NAMED, "do_not_contact"),
        (GONE, "call_in_person"),
    ],
)
def test_it_is_of_today(home: Path, key: str, action: str) -> None:
    settings = load_settings(home, suppression_path=home / "stop.csv", customer_key_secret="known")
    tables = Tables(settings.lakehouse_root)
    assert action_today(settings, tables, key, "call_in_person") == action


def test_where_the_list_cannot_be_read_it_is_not_known(home: Path) -> None:
    (home / "stop.csv").write_text("email\nnobody\n")
    settings = load_settings(home, suppression_path=home / "stop.csv", customer_key_secret="known")
    tables = Tables(settings.lakehouse_root)
    with pytest.raises(SuppressionError, match=r"stop\.csv, row 2, column email"):
        action_today(settings, tables, AGREES, "call_in_person")
    assert action_today(settings, tables, REFUSES, "call_in_person") == "do_not_contact"


def test_before_customers_are_loaded_the_snapshot_stands(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    tables = Tables(settings.lakehouse_root)
    assert action_today(settings, tables, AGREES, "call_in_person") == "call_in_person"
