"""YAML as nobody writes it, for mappings and settings: one line, at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360.errors import SettingsError
from customer360.settings import DEPLOYMENT_FILE, load_settings, remember
from customer360.sources.files.mapping import FileMapping
from customer360.sources.mapping import load
from customer360.yaml_text import read_yaml

LAUGHS = (
    "a0: &a0 ["
    + "x," * 9
    + "]\n"
    + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 12))
)
PACKAGE = "customer360.sources.files"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (LAUGHS, "comes to more than 100,000 values where its anchors (&name, *name) are written"),
        ("sources: &s [*s]\n", "comes to more than 100,000 values where its anchors"),
        ("<<: &m {a: *m}\n", "comes to more than 100,000 values where its anchors"),
        ("[" * 50_000, "has values within values beyond all measure"),
        ("{a: " * 20_000, "has values within values beyond all measure"),
        ("currency: E\0R\n", "is not YAML at line 1: holds the character 0x00"),
        ("a: 1\n\tb: 2\n", "is not YAML at line 2: found character"),
        ("a: !!python/object/apply:os.getcwd []\n", "is not YAML at line 1: could not determine"),
    ],
)
def test_what_no_person_writes_is_one_line(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "m.yaml").write_text(text)
    (tmp_path / DEPLOYMENT_FILE).write_text(text)
    with pytest.raises(SettingsError) as of_mapping:
        load(FileMapping, PACKAGE, tmp_path / "m.yaml")
    with pytest.raises(SettingsError) as of_settings:
        load_settings(tmp_path)
    assert str(of_mapping.value).startswith(f"mapping m.yaml: {said}")
    assert str(of_settings.value).startswith(f"{tmp_path / DEPLOYMENT_FILE} {said}")
    for error in (of_mapping, of_settings):
        assert "\n" not in str(error.value)
        assert len(str(error.value)) < 300


def test_anchors_that_spare_writing_are_read() -> None:
    assert read_yaml("a: &a {x: 1}\nb: *a\nc: {<<: *a, y: 2}\n") == {
        "a": {"x": 1},
        "b": {"x": 1},
        "c": {"x": 1, "y": 2},
    }


def test_what_is_remembered_stays_beside_what_was_written_by_hand(tmp_path: Path) -> None:
    (tmp_path / DEPLOYMENT_FILE).write_text("trailing_days: 3\n")
    remember(tmp_path, {"sources": ["cdnow"], "end_date": None})
    settings = load_settings(tmp_path)
    assert (settings.trailing_days, settings.sources) == (3, ["cdnow"])
