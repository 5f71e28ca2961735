"""A home made of a backup knows who was forgotten after it, by hashes alone."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.lakehouse.reading import Tables
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.backup import back_up, backups_of, restore
from customer360.pipeline.forgotten import forgotten_of
from customer360.pipeline.forgotten_since import SECRET, forgotten_since, note_in_backups
from customer360.pipeline.workspace import Workspace
from customer360.privacy.people import Person, find_forgotten
from customer360.settings import Settings, load_settings, remember
from customer360.silver.keys import customer_key_of
from customer360.sources.cdnow import CdnowSource
from customer360_tests.deployments import customer360

ANN, BOB, EVE = (Person("mill", name, 64 * name[0]) for name in ("ann-7", "bob-8", "eve-9"))
AT = datetime(2024, 3, 5, tzinfo=UTC)


@pytest.fixture
def mill(tmp_path: Path) -> Settings:
    """A deployment of three customers."""
    home = tmp_path / "home"
    remember(home, {"sources": ["cdnow"]})
    settings = load_settings(home)
    people = [vars(person) for person in (ANN, BOB, EVE)]
    write_deltalake(
        Path(settings.lakehouse_root, "silver", "customers"), pa.Table.from_pylist(people)
    )
    return settings


def forgotten(settings: Settings, erasure: str, person: Person) -> None:
    """What an erasure leaves in the table."""
    hashed = customer_key_of(
        f"{person.source}/customer", person.source_customer_id, settings.kept_secret(SECRET)
    )
    row = {"hash": hashed, "erasure": erasure, "forgotten_at": AT}
    folder = Path(settings.lakehouse_root, "quarantine", "forgotten")
    write_deltalake(folder, pa.Table.from_pylist([row]), mode="append")


def found(settings: Settings) -> list[Person]:
    hashes = {each for known in forgotten_since(settings) for each in known.hashes}
    tables = Tables(settings.lakehouse_root)
    return find_forgotten(tables, hashes, lambda: settings.kept_secret(SECRET))


def test_who_was_forgotten_since_is_known_and_found_again(
    mill: Settings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The secret is older than the first erasure, or the file of secrets would not have it.
    back_up(mill, tmp_path / "before", tmp_path / "secrets.json")
    forgotten(mill, "first", ANN)
    back_up(mill, tmp_path / "between", tmp_path / "later.json")
    forgotten(mill, "second", BOB)
    back_up(mill, tmp_path / "gone")
    (tmp_path / "gone").rename(tmp_path / "moved")
    left = note_in_backups(mill, backups_of(mill), {"first": 1, "second": 1})
    assert left == [tmp_path / "gone"]
    noted = (tmp_path / "before" / "forgotten.jsonl").read_text()
    assert not any(text in noted for text in ("ann-7", "bob-8", "aaaa", "bbbb"))

    for backup, people, secrets in (
        ("before", [ANN, BOB], "secrets.json"),
        ("between", [BOB], "later.json"),
        ("moved", [], "later.json"),
    ):
        home = tmp_path / f"of_{backup}"
        said = customer360(
            capsys, monkeypatch, "restore", tmp_path / backup, "--home", home,
            "--secrets", tmp_path / secrets,
        )  # fmt: skip
        assert said.code == 0, said.err
        assert (f"up to {len(people)} people were forgotten after this backup" in said.out) == bool(
            people
        )
        restored = load_settings(home)
        assert found(restored) == people
    said = customer360(capsys, monkeypatch, "privacy", "forget", "--again", "--home", home)
    assert (said.code, said.out.strip()) == (0, "nobody in silver/customers was forgotten before")

    # A backup of the restored home goes on knowing them.
    again = load_settings(tmp_path / "of_before")
    back_up(again, tmp_path / "of_restored", tmp_path / "third.json")
    note_in_backups(again, backups_of(again), {})
    said = customer360(
        capsys, monkeypatch, "restore", tmp_path / "of_restored", "--home", tmp_path / "last",
        "--secrets", tmp_path / "third.json",
    )  # fmt: skip
    assert said.code == 0, said.err
    assert found(load_settings(tmp_path / "last")) == [ANN, BOB]


def test_no_load_brings_them_in_and_not_with_another_secret(
    mill: Settings, spark: SparkSession, tmp_path: Path
) -> None:
    back_up(mill, tmp_path / "b", tmp_path / "secrets.json")
    forgotten(mill, "first", ANN)
    note_in_backups(mill, backups_of(mill), {})
    restore(tmp_path / "b", tmp_path / "new", tmp_path / "secrets.json")
    settings = load_settings(tmp_path / "new")
    source = CdnowSource()
    work = Workspace(
        Lakehouse(spark, settings.lakehouse_root), Deployment(settings, (source,)), "test"
    )
    known = forgotten_of(work, source)
    assert known is not None
    hashes = forgotten_since(settings)[0].hashes
    assert [row["hash"] for row in known.hashes.collect()] == hashes
    forgotten(settings, "later", EVE)  # and beside whoever is forgotten from then on
    both = forgotten_of(work, source)
    assert both is not None
    assert both.hashes.count() == 2
    (settings.home / "secrets" / SECRET).unlink()
    with pytest.raises(SettingsError, match="put the former secrets back"):
        forgotten_of(work, source)
