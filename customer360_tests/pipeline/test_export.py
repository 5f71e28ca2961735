"""Exporting a list from tables made by hand, by the step and by ``customer360 export``."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from customer360.lakehouse.reading import ordered_batches
from customer360.pipeline.export import ExportError, ExportOptions, export_list
from customer360.serving.campaigns import campaign_list
from customer360.serving.options import Contacts, FileFormat
from customer360.serving.suppression import SuppressionError
from customer360.settings import remember
from customer360_tests.deployments import Home, Said, customer360
from customer360_tests.gold.frames import table
from customer360_tests.serving.frames import DAY, customer_360_of, customers_of
from customer360_tests.stored import put

SECOND_PURCHASE = campaign_list("second_purchase")
NAME = SECOND_PURCHASE.name
FILES = {f"{NAME}.csv", f"{NAME}.parquet", f"{NAME}.manifest.json"}
BOB, ANA, EVA, REFUSED, SILENT = (digit * 64 for digit in "bae1f")


@pytest.fixture(scope="module")
def made(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A deployment whose tables hold five customers who bought once, one of whom refused."""
    folder = tmp_path_factory.mktemp("made")
    remember(folder, {"default_country": "US", "customer_key_secret": "known to the tests"})
    home = Home.at(spark, folder)
    once: dict[str, Any] = {"purchase_days": 1}
    rows = {
        "gold/customer_360": customer_360_of(
            {
                BOB: once | {"expected_revenue_365d": 10.0},
                ANA: once | {"expected_revenue_365d": 30.0},
                EVA: once | {"expected_revenue_365d": 20.0},
                REFUSED: once,
                SILENT: once | {"expected_revenue_365d": None},
            },
        ),
        "silver/customers": customers_of(
            {
                BOB: {"name": "=Bob", "email": "bob@example.com"},
                ANA: {"name": "Ana", "email": "john_smith@gmail.com", "phone": "6505551212"},
                EVA: {"name": "Eva", "phone": "+18005550100", "country": "BR"},
                REFUSED: {"email": "no@example.com", "marketing_consent": False},
                SILENT: {},
            },
        ),
    }
    frames = {name: spark.createDataFrame(each) for name, each in rows.items()} | {
        "gold/churn_scores": table(spark, "as_of date, model_version string", [(DAY, "3")]),
        "gold/lifetime_value": table(spark, "as_of date, model_version string", [(DAY, "2")]),
    }
    for name, frame in frames.items():
        put(home.lakehouse, name, frame)
    return home


@pytest.fixture
def home(made: Home, tmp_path: Path) -> Home:
    """A copy of it, to export from."""
    return Home.at(made.spark, shutil.copytree(made.folder, tmp_path / "home"))


def exported(home: Home, **options: Any) -> tuple[Path, dict[str, Any]]:
    settings = home.deployment.settings
    found = export_list(settings, SECOND_PURCHASE, DAY, ExportOptions(**options), run_id="test")
    return found.folder, found.manifest


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_the_files_hold_the_list_in_order_and_the_manifest_says_so(home: Home) -> None:
    folder, manifest = exported(home)
    assert folder == home.folder / "exports" / "2024-06-30"
    assert set(contents(folder)) == FILES
    assert json.loads((folder / f"{NAME}.manifest.json").read_text()) == manifest
    rows = pq.read_table(folder / f"{NAME}.parquet").to_pylist()
    assert [(row["rank"], row["customer_key"]) for row in rows] == [
        (1, ANA),
        (2, EVA),
        (3, BOB),
        (4, SILENT),
    ]
    in_csv = pacsv.read_csv(folder / f"{NAME}.csv").to_pylist()
    assert [row["customer_key"] for row in in_csv] == [ANA, EVA, BOB, SILENT]
    assert list(in_csv[0]) == manifest["columns"] == list(rows[0])
    stated = {name: manifest[name] for name in ("list", "as_of", "rows", "contacts", "left_out")}
    assert stated == {
        "list": NAME,
        "as_of": "2024-06-30",
        "rows": 4,
        "contacts": "none",
        "left_out": {
            "unknown": 0,
            "refused": 1,
            "never_asked": 0,
            "suppressed": 0,
            "no_contact": 0,
        },
    }
    assert manifest["delta_versions"] == {"gold/customer_360": 0}
    assert manifest["model_versions"] == {"churn": ["3"], "lifetime_value": ["2"]}
    assert manifest["in_exports_folder"] is True
    assert manifest["kept_in"] == str(folder.absolute())
    for name, file in manifest["files"].items():
        assert file["sha256"] == hashlib.sha256((folder / name).read_bytes()).hexdigest()


def test_the_same_tables_give_the_same_files(home: Home) -> None:
    folder, _ = exported(home)
    before = contents(folder)
    exported(home)
    after = contents(folder)
    assert {name for name in FILES if before[name] != after[name]} <= {f"{NAME}.manifest.json"}


def test_hashed_contacts_are_published_hashes_and_their_owners_alone(home: Home) -> None:
    folder, manifest = exported(home, contacts=Contacts.HASHED)
    ana, eva, bob = pq.read_table(folder / f"{NAME}.parquet").to_pylist()
    # Meta's published digests of john_smith@gmail.com and of the US number (650)555-1212, and
    # Google's of +18005550100.
    assert ana["meta_email_sha256"].startswith("62a14e44f765419d")
    assert ana["meta_phone_sha256"].startswith("e323ec626319ca94")
    assert eva["google_phone_sha256"].startswith("fb4f73a6ec5fdb70")
    assert (eva["google_email_sha256"], bob["google_phone_sha256"]) == (None, None)
    assert manifest["left_out"]["no_contact"] == 1
    for name in (f"{NAME}.csv", f"{NAME}.parquet"):
        assert (folder / name).stat().st_mode & 0o777 == 0o600
        assert b"john_smith" not in (folder / name).read_bytes()


def test_plain_contacts_need_a_setting(home: Home) -> None:
    with pytest.raises(ExportError, match="by the setting export_personal_data, or export hashed"):
        exported(home, contacts=Contacts.PLAIN)
    assert not (home.folder / "exports").exists()
    remember(home.folder, {"export_personal_data": True})
    folder, _ = exported(home, contacts=Contacts.PLAIN)
    ana, _, bob = pacsv.read_csv(folder / f"{NAME}.csv").to_pylist()
    assert (ana["name"], ana["email"], bob["name"]) == ("Ana", "john_smith@gmail.com", "'=Bob")
    assert '"+16505551212"' in (folder / f"{NAME}.csv").read_text()


def test_who_is_suppressed_is_left_out_and_counted(home: Home, tmp_path: Path) -> None:
    stop = tmp_path / "stop.csv"
    stop.write_text(f"email,phone,customer_key\nJohn_Smith@gmail.com,,\n,,{BOB}\n,800 555 0100,\n")
    remember(home.folder, {"suppression_path": stop})
    folder, manifest = exported(home)
    (row,) = pq.read_table(folder / f"{NAME}.parquet").to_pylist()
    assert row["customer_key"] == SILENT
    assert (manifest["left_out"]["suppressed"], manifest["suppression_list"]) == (3, True)


def test_a_suppression_list_that_cannot_be_read_leaves_the_former_export(
    home: Home, tmp_path: Path
) -> None:
    folder, _ = exported(home)
    before = contents(folder)
    stop = tmp_path / "stop.csv"
    stop.write_text("email\nnobody\n")
    remember(home.folder, {"suppression_path": stop})
    with pytest.raises(SuppressionError, match=r"stop\.csv, row 2, column email"):
        exported(home)
    assert contents(folder) == before


def test_an_export_killed_half_way_leaves_the_former_list(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, _ = exported(home)
    before = contents(folder)

    def dies(*arguments: Any) -> Iterator[pa.RecordBatch]:
        yield next(ordered_batches(*arguments))
        raise KeyboardInterrupt

    monkeypatch.setattr("customer360.pipeline.export.ordered_batches", dies)
    with pytest.raises(KeyboardInterrupt):
        exported(home, contacts=Contacts.HASHED)
    assert contents(folder) == before


def test_another_folder_is_noted_where_an_erasure_looks(home: Home, tmp_path: Path) -> None:
    away = tmp_path / "away"
    folder, manifest = exported(home, folder=away, formats=(FileFormat.CSV,))
    assert (folder, set(contents(away))) == (away, FILES - {f"{NAME}.parquet"})
    assert manifest["in_exports_folder"] is False
    (line,) = (home.folder / "exports" / "elsewhere.jsonl").read_text().splitlines()
    noted = json.loads(line)
    assert (noted["list"], noted["kept_in"]) == (NAME, str(away))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, home: Home):
    """``customer360 export … --home`` of the deployment."""

    def command(*arguments: object) -> Said:
        return customer360(capsys, monkeypatch, "export", *arguments, "--home", home.folder)

    return command


def test_the_command_exports_the_newest_snapshot(run, home: Home) -> None:
    said = run("second-purchase", "--format", "csv", "--contacts", "hashed")
    folder = home.folder / "exports" / "2024-06-30"
    assert said.code == 0, said.err
    assert said.out.splitlines() == [
        f"3 customers on the list second_purchase of 2024-06-30: {folder}/second_purchase.csv",
        "left out: 1 refused, 1 no contact",
    ]
    assert set(contents(folder)) == FILES - {f"{NAME}.parquet"}


def test_the_command_shows_the_lists(run) -> None:
    for said in (run(), run("--list")):
        assert said.code == 0, said.err
        for name in ("at_risk_valuable", "whales", "win_back", "second_purchase"):
            assert name in said.out
        assert "Customers who bought for the first time in the last 90 days" in said.out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["vips"], "list 'vips' is unknown; the lists are at_risk_valuable, whales, win_back"),
        (
            ["whales", "--as-of", "2024-01-01"],
            "no snapshot of 2024-01-01, only of 2024-06-30: run `customer360 run --as-of "
            "2024-01-01` first",
        ),
        (["whales", "--as-of", "yesterday"], "--as-of"),
        (["whales", "--contacts", "plain"], "setting export_personal_data"),
    ],
)
def test_what_cannot_be_exported_is_said_in_one_line(
    run, arguments: list[str], message: str
) -> None:
    said = run(*arguments)
    assert said.code == 1
    (line,) = said.error_lines
    assert message in line


def test_without_any_snapshot_the_command_says_what_to_run(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    spark: SparkSession,
    tmp_path: Path,
) -> None:
    said = customer360(capsys, monkeypatch, "export", "whales", "--home", tmp_path)
    assert said.code == 1
    (line,) = said.error_lines
    assert "table gold/customer_360 does not exist" in line
    assert "run `customer360 run` first" in line
