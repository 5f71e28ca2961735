"""All customers of a whole deployment get other keys, and nothing is left of the old ones."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from customer360.pipeline.account import reconcile
from customer360.pipeline.stale_snapshots import stale_snapshots
from customer360.privacy import journal
from customer360.serving.contact_log import all_contacts, mark
from customer360.serving.warehouse import open_warehouse, take_down
from customer360.settings import remember
from customer360_tests.deployments import Home, copy_of, customer360
from customer360_tests.privacy.every_byte import where_they_stand

SOUGHT = 5
NEW_SECRET = "another one that is known to the tests"


def on_list(home: Home) -> set[str]:
    """Keys of the whales of the newest day."""
    file = max(home.settings.exports_dir.rglob("whales.csv"))
    with file.open(newline="", encoding="utf-8") as rows:
        return {row["customer_key"] for row in csv.DictReader(rows)}


def own_ids(home: Home) -> dict[str, str]:
    """The source's own id of each customer, by key."""
    return {row["customer_key"]: row["source_customer_id"] for row in home.rows("silver/customers")}


def in_mart(home: Home) -> set[str]:
    with open_warehouse(home.settings).reader.connect() as connection:
        found = connection.execute("SELECT DISTINCT customer_key FROM marts.customer_360")
        return {key for (key,) in found}


@pytest.mark.slow
def test_tables_lists_and_warehouse_know_the_new_keys_alone(
    demo: Home, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = copy_of(demo, tmp_path / "home")
    before, listed, shown = own_ids(home), on_list(home), in_mart(home)
    sought = sorted(listed)[:SOUGHT]
    stale = stale_snapshots(home.workspace().tables)
    login = open_warehouse(home.settings).reader
    day = max(row["as_of"] for row in home.rows("gold/customer_360"))
    mark(login, "whales", day, sought[:1], control_share=0, pause_days=30, control_days=91)
    stood = where_they_stand(home.folder, sought)
    assert all(stood.values()), "to be sought, they must be there"

    (tmp_path / "secret").write_text(NEW_SECRET)
    said = customer360(
        capsys, monkeypatch, "privacy", "rotate-key", "--secret-file", tmp_path / "secret",
        "--home", home.folder,
    )  # fmt: skip

    assert said.code == 0, said.err
    assert "set customer_key_secret to the new secret now" in said.out
    remember(home.folder, {"customer_key_secret": NEW_SECRET})
    home = Home.at(home.spark, home.folder)
    assert f"{len(before):,} customers have another key" in said.out
    assert "not written again" not in said.out
    left = where_they_stand(home.folder, sought)
    assert not any(left.values()), left
    after = own_ids(home)
    assert sorted(after.values()) == sorted(before.values())
    assert not set(after) & set(before)
    # The same people, by their own ids.
    assert {after[key] for key in on_list(home)} == {before[key] for key in listed}
    assert {after[key] for key in in_mart(home)} == {before[key] for key in shown}
    owner = open_warehouse(home.settings).owner
    assert [after[row[0]] for row in all_contacts(owner)] == [before[sought[0]]]
    assert not reconcile(home.workspace().tables, home.deployment).differences
    assert stale_snapshots(home.workspace().tables) == stale
    assert not journal.rotation_file(home.settings).exists()
    assert journal.audit(home.settings)[-1]["what"] == "rotate-key"
    # What is explained of a customer is what a model says of them by the new key.
    key = next(key for key, own in after.items() if own == before[sought[0]])
    said = customer360(capsys, monkeypatch, "explain", key, "--home", home.folder)
    assert said.code == 0, said.err
    take_down(home.settings)
