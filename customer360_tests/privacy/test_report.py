"""A report on a person says all that is held, also beside the rows that they came with."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime
from pathlib import Path

from pyspark.sql import SparkSession

from customer360.language import Language
from customer360.pipeline.backup import BACKUPS
from customer360.pipeline.row_edits import Edit, keep
from customer360.privacy.forget_files import elsewhere
from customer360.privacy.people import Person, find_people
from customer360.privacy.report import PersonReport, report_of, write_report
from customer360.settings import load_settings
from customer360.table_names import EDITS
from customer360_tests.cases.shop import Shop, open_shop

MAPPING = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
date_format: "yyyy-MM-dd HH:mm"
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, email: mail}
"""
FILES = {
    "a.csv": (
        "nr,who,at,sum,mail",
        "O-1,ann-7,2024-03-01 10:00,10.00,ann@example.com",
        "O-2,bob-8,2024-03-01 11:00,20.00,bob@example.com",
    ),
    "b.csv": ("nr,who,at,sum,mail", "O-3,ann-7,2024-03-02 10:00,n/a,ann@example.com"),
}


def shop_of(spark: SparkSession, folder: Path) -> Shop:
    """A shop where a row of each of two people was mended, and that must not write to one."""
    shop = open_shop(spark, folder, MAPPING, FILES, first=date(2024, 3, 1), last=date(2024, 3, 3))
    shop.load_profiles(date(2024, 3, 1))
    edited_at = datetime(2024, 3, 5, tzinfo=UTC)
    edits = (
        Edit("mill_orders", row, delivered, None, {"sum": changed}, False, "Zé", edited_at)
        for row, delivered, changed in (
            (1, '{"nr":"O-3","who":"ann-7","mail":"ann@example.com"}', "3.00"),
            (2, '{"nr":"O-2","who":"bob-8","mail":"bob@example.com"}', "4.00"),
        )
    )
    keep(shop.lakehouse, list(edits))
    (folder / "stop.csv").write_text("email\nann@example.com\n")
    object.__setattr__(shop.work.deployment.settings, "suppression_path", folder / "stop.csv")
    (folder / BACKUPS).write_text(json.dumps({"kept_in": "/mnt/backups/may"}) + "\n")
    return shop


def test_it_has_edits_suppression_raw_files_and_where_else_to_look(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = shop_of(spark, tmp_path)
    (ann,) = find_people(shop.work.tables, shop.work.deployment, ["ann-7"])
    report = report_of(shop.work, ann)
    stated = json.loads(report.json())
    tables = {held["table"]: held for held in stated["tables"]}
    (edit,) = tables[EDITS]["rows"]
    assert (edit["changes"], edit["edited_by"]) == ('{"sum": "3.00"}', "Zé")
    assert "ann@example.com" in edit["delivered"]
    assert tables[EDITS]["personal"] == ["delivered", "line", "changes"]
    suppressed = tables["serving/suppressed_customers"]
    assert suppressed["rows"] == [{"customer_key": ann.customer_key}]
    assert "keyed hash" in suppressed["description"]
    assert suppressed["came_from"] == ["stop.csv"]
    assert [file.rsplit("/")[-1] for file in stated["raw_files"]] == ["mill: a.csv", "mill: b.csv"]
    assert stated["look_elsewhere"] == [
        "the backup /mnt/backups/may (or /mnt/backups/.may.part, if it was killed)"
    ]
    page = report.html(Language("en", "EUR", "Europe/Lisbon"))
    for text in (EDITS, "serving/suppressed_customers", "mill: b.csv", "/mnt/backups/may"):
        assert text in page


def test_one_that_is_written_elsewhere_is_named_where_an_erasure_looks(tmp_path: Path) -> None:
    settings = load_settings(tmp_path / "home")
    person = Person("mill", "ann-7", "a" * 64)
    report = PersonReport(person, datetime(2024, 3, 5, tzinfo=UTC), ())
    said = Language("en", "EUR", "Europe/Lisbon")
    (at_home,) = write_report(settings, report, ["json"], said, None)
    assert at_home.is_relative_to(settings.home)
    assert elsewhere(settings) == []
    for _ in range(2):
        write_report(settings, report, ["json", "html"], said, tmp_path / "away")
    assert elsewhere(settings) == [
        f"reports about people in {tmp_path / 'away'}: they were written there"
    ]
    # The ledger stays when they are forgotten.
    (ledger,) = settings.exports_dir.iterdir()
    assert not any(text in ledger.read_text() for text in ("ann-7", "aaaa"))
