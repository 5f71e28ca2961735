"""Dates that no sale can be of: years mistyped, placeholders for none or never."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from pyspark.sql import SparkSession

from customer360.errors import BrokenFileError, SettingsError
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.loaded_files import load

MAPPING = """
name: kiosk
time_zone: Europe/Rome
currency: EUR
grain: orders
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum}
"""
TODAY = datetime.now(ZoneInfo("Europe/Rome")).date()  # as the mapping
GOOD = [f"{n},ann,2024-05-{n:02d} 10:00:00,5.00" for n in range(1, 11)]


def lines(*more: str) -> dict[str, str | bytes]:
    return {"sales.csv": "\n".join(["nr,who,at,sum", *GOOD, *more]) + "\n"}


@pytest.mark.parametrize(
    "far",
    [
        "1970-01-01 00:00:00",
        "1900-01-01 00:00:00",
        "0204-05-05 10:00:00",
        "0001-01-01 00:00:00",
        "2062-01-01 10:00:00",
        "2402-05-05 10:00:00",
        "9999-12-31 23:59:59",
        f"{TODAY + timedelta(days=400)} 09:00:00",
    ],
)
def test_a_day_that_no_sale_is_of_is_set_aside_and_steers_nothing(
    spark: SparkSession, tmp_path: Path, far: str
) -> None:
    found = load(spark, tmp_path / "a", MAPPING, lines(f"99,bob,{far},5.00"))
    assert found.reasons == {"at:implausible_date": 1}
    assert found.net == Decimal("50.00")
    assert str(found.source.available()) == "2024-05-01...2024-05-10"


def test_it_is_said_with_the_value(spark: SparkSession, tmp_path: Path) -> None:
    found = load(spark, tmp_path / "a", MAPPING, lines("99,bob,2204-05-05 10:00:00,5.00"))
    (doubt,) = found.source.suspicions()
    assert doubt.startswith("kiosk: column at has dates before 1980-01-01 or after")
    assert "2204-05-05 10:00:00: their rows go to quarantine" in doubt


def test_the_bounds_can_be_stated(spark: SparkSession, tmp_path: Path) -> None:
    stated = 'dates_from: 1895-01-01\ndates_to: "2024-05-09"\n'
    found = load(spark, tmp_path / "a", MAPPING + stated, lines("99,bob,1896-02-03 10:00:00,5.00"))
    assert found.reasons == {"at:implausible_date": 1}  # the order of the tenth of May
    assert found.net == Decimal("50.00")
    assert str(found.source.available()) == "1896-02-03...2024-05-09"


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        ("dates_from: 0900-01-01", "dates_from: 0900-01-01 must be a day from 1700-01-01"),
        (
            "dates_from: 2024-02-01\ndates_to: 2024-01-01",
            "dates_to 2024-01-01 is before dates_from",
        ),
    ],
)
def test_bounds_that_cannot_be_are_refused(stated: str, said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        parse_mapping(f"{MAPPING}{stated}\n", where="kiosk.yaml")


def test_the_near_future_waits(spark: SparkSession, tmp_path: Path) -> None:
    ahead = TODAY + timedelta(days=30)
    found = load(spark, tmp_path / "a", MAPPING, lines(f"99,bob,{ahead} 10:00:00,5.00"))
    assert not found.quarantined
    assert found.net == 55
    assert str(found.source.available()) == "2024-05-01...2024-05-10"
    (said,) = found.source.suspicions()
    assert said == (
        f"kiosk: column at has dates of days to come, up to {ahead}: their rows wait for these days"
    )


def test_a_date_of_a_refund_far_off(spark: SparkSession, tmp_path: Path) -> None:
    mapping = MAPPING.replace("amount: sum", "amount: sum, refunded: back, refunded_at: back_at")
    text = (
        "nr,who,at,sum,back,back_at\n1,ann,2024-05-01 10:00:00,5.00,1.00,2024-06-01 10:00:00\n"
        "2,bob,2024-05-02 10:00:00,5.00,1.00,2924-06-02 10:00:00\n"
    )
    found = load(spark, tmp_path / "a", mapping, {"sales.csv": text})
    assert found.reasons == {"back_at:implausible_date": 1}
    assert str(found.source.available()) == "2024-05-01...2024-06-01"


def test_rows_that_are_left_out_anyway_may_have_any_date(
    spark: SparkSession, tmp_path: Path
) -> None:
    rule = "exclude: [{reason: voucher, column: who, equals: nobody}]\n"
    found = load(spark, tmp_path / "a", MAPPING + rule, lines("99,nobody,2999-12-31 00:00:00,5.00"))
    assert not found.quarantined
    assert found.excluded == {"voucher": 1}
    assert str(found.source.available()) == "2024-05-01...2024-05-10"


def test_nothing_but_such_days_is_refused_at_once(tmp_path: Path) -> None:
    (tmp_path / "sales.csv").write_text("nr,who,at,sum\n1,ann,1970-01-01 00:00:00,5.00\n")
    source = FilesSource(parse_mapping(MAPPING, where="kiosk.yaml"), tmp_path)
    with pytest.raises(BrokenFileError) as refused:
        source.available()
    assert str(refused.value) == (
        "sales.csv: expected dates from 1980-01-01 to "
        f"{TODAY + timedelta(days=366)} in column at, found 1970-01-01 00:00:00; check the date "
        "format; if they are meant, write dates_from and dates_to in the mapping"
    )


@pytest.mark.parametrize(
    ("lone", "said"),
    [
        ("1990-03-04 10:00:00", "the first is 1990-03-04, the others begin in 2024-05"),
        ("2025-12-24 10:00:00", "the last is 2025-12-24, the others end in 2024-05"),
    ],
)
def test_a_lone_day_far_from_the_others_is_said(tmp_path: Path, lone: str, said: str) -> None:
    (tmp_path / "sales.csv").write_text(
        "\n".join(["nr,who,at,sum", *GOOD, f"99,bob,{lone},5.00"]) + "\n"
    )
    source = FilesSource(parse_mapping(MAPPING, where="kiosk.yaml"), tmp_path)
    source.available()
    (doubt,) = source.suspicions()
    assert said in doubt
    assert "write dates_from: 2024-05-01" in doubt or "write dates_to: 2024-05-31" in doubt
