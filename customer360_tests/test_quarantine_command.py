"""``customer360 quarantine``, as a user types it: seen, written out, edited, brought in."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.privacy.forget_files import elsewhere
from customer360.settings import load_settings
from customer360_tests.deployments import Home, Said, customer360, read_json

MAPPING = """
name: stall
currency: EUR
time_zone: UTC
grain: orders
closed: true
date_format: yyyy-MM-dd
columns:
  order_id: receipt
  occurred_at: day
  customer_id: buyer
  email: mail
  amount: total
"""
SALES = """receipt,day,buyer,mail,total
S1,2024-05-22,eva,eva@shop.example,1000.00
S2,2024-05-23,leo,leo@shop.example,8.o0
S3,2024-05-24,eva,eva@shop.example,5.00
S4,2024-05-32,leo,leo@shop.example,7.00
"""


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "stall.yaml").write_text(MAPPING)
    (tmp_path / "sales.csv").write_text(SALES)

    def command(*arguments: object) -> Said:
        return customer360(capsys, monkeypatch, *arguments, "--home", tmp_path / "home")

    return command


def orders(home: Home) -> list[tuple[str, str]]:
    return sorted((row["order_id"], str(row["amount"])) for row in home.rows("silver/transactions"))


def test_rows_are_listed_shown_edited_and_replayed(
    run, spark: SparkSession, tmp_path: Path
) -> None:
    home = tmp_path / "home"
    said = run("run", "--mapping", "stall.yaml", "--path", "sales.csv", "--steps", "etl")
    assert said.code == 0, said.err
    assert orders(Home.at(spark, home)) == [("S1", "1000.00"), ("S3", "5.00")]

    listed = run("quarantine", "list", "--json")
    assert listed.code == 0, listed.err
    found = {each["reason"]: each for each in read_json(listed.out)}
    assert set(found) == {"total:type", "day:format"}
    assert found["day:format"]["money"] == "7.00"
    assert (found["total:type"]["money"], found["total:type"]["unread"]) == (None, 1)
    assert found["total:type"]["files"] == ["sales.csv"]
    assert "quarantine show stall_orders" in run("quarantine", "list").out

    shown = run("quarantine", "show", "stall_orders", "--reason", "total:type")
    assert "total=8.o0" in shown.out
    assert "leo" not in shown.out
    open_ = run("quarantine", "show", "stall_orders", "--personal", "--format", "json")
    assert {row["values"]["mail"] for row in read_json(open_.out)} == {"leo@shop.example"}

    # Whatever stood there: a file that all may read does not stay so, and no link is followed.
    Path("old.csv").write_text("old")
    Path("old.csv").chmod(0o644)
    Path("other.csv").write_text("of somebody else")
    Path("link.csv").symlink_to("other.csv")
    for name in ("old.csv", "link.csv"):
        written = run("quarantine", "show", "stall_orders", "--personal", "--to", name)
        assert written.code == 0, written.err
        assert Path(name).lstat().st_mode & 0o777 == 0o600
        assert "leo@shop.example" in Path(name).read_text("utf-8-sig")
    assert Path("other.csv").read_text() == "of somebody else"
    assert not list(Path().glob(".*.part"))

    said = run("quarantine", "show", "stall_orders", "--to", "mine.csv")
    assert said.code == 0, said.err
    assert "without the personal columns buyer, mail" in said.out
    # An erasure names them for whoever must look there.
    kept_in = [
        f"rows of quarantine in {Path(name).absolute()}" for name in ("link.csv", "mine.csv")
    ]
    assert [place.partition(": ")[0] for place in elsewhere(load_settings(home))][:2] == kept_in
    with Path("mine.csv").open(encoding="utf-8-sig", newline="") as file:
        lines = list(csv.DictReader(file))
    assert set(lines[0]) == {
        *("_table", "_row", "_reasons", "_drop", "_source_file", "_delivered_on", "_line"),
        *("receipt", "day", "total"),
    }
    for line in lines:
        line["total"] = line["total"].replace("o", "0")
        # A day after all others: the days of the deployment grow with it.
        line["day"] = line["day"].replace("2024-05-32", "2024-05-29")
    with Path("mine.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(lines[0]))
        writer.writeheader()
        writer.writerows(lines)

    replayed = run("quarantine", "replay", "--edits", "mine.csv", "--by", "Ana Sousa")
    assert replayed.code == 0, replayed.err
    assert "2 of 2 rows in mine.csv are edited anew" in replayed.out
    assert "Edited rows: 2 in bronze" in replayed.out
    every = [("S1", "1000.00"), ("S2", "8.00"), ("S3", "5.00"), ("S4", "7.00")]
    assert orders(Home.at(spark, home)) == every
    assert load_settings(home).end_date == date(2024, 5, 29)
    rows = Home.at(spark, home).rows("bronze/stall_orders", "_edited_by IS NOT NULL")
    assert {(row["receipt"], row["mail"], row["_edited_by"]) for row in rows} == {
        ("S2", "leo@shop.example", "Ana Sousa"),
        ("S4", "leo@shop.example", "Ana Sousa"),
    }

    again = run("quarantine", "replay", "--edits", "mine.csv", "--by", "Ana Sousa")
    assert again.code == 0, again.err
    assert "0 of 2 rows in mine.csv are edited anew" in again.out
    assert "Nothing in quarantine waits" in again.out
    assert orders(Home.at(spark, home)) == every
    assert "Nothing is in quarantine." in run("quarantine", "list").out
    silent = run("quarantine", "replay", "--quiet")
    assert (silent.code, silent.out, silent.err) == (0, "", "")
