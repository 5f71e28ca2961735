"""Dates as people and programs write them: the days of a run are those of the rows."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from pyspark.sql import SparkSession

from customer360.contracts.times import read_times, time_sql
from customer360.errors import BrokenFileError, SettingsError
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.loaded_files import Loaded, load

MAPPING = """
name: till
time_zone: Europe/London
currency: GBP
grain: orders
columns: {order_id: id, customer_id: who, occurred_at: at, amount: sum}
"""


def load_times(spark: SparkSession, folder: Path, stated: str, times: list[str]) -> Loaded:
    lines = [f'{n},K,"{time}",1.00' for n, time in enumerate(times)]
    return load(
        spark, folder, MAPPING + stated, {"a.csv": "\n".join(["id,who,at,sum", *lines]) + "\n"}
    )


def days(found: Loaded) -> dict[str, str]:
    return {order: str(day) for order, day in found.days.items()}


def test_two_digit_years_lie_in_a_known_century(spark: SparkSession, tmp_path: Path) -> None:
    times = ["3/9/98 9:05", "12/31/99 23:59", "2/29/04 0:00", "2/29/96 0:00", "3/9/1998 9:05"]
    found = load_times(spark, tmp_path, 'date_format: "M/d/yy H:mm"\n', times)
    assert days(found) == {
        "0": "1998-03-09",
        "1": "1999-12-31",
        "2": "2004-02-29",
        "3": "1996-02-29",
    }
    assert found.reasons == {"at:format": 1}
    assert str(found.source.available()) == "1996-02-29...2004-02-29"


def test_the_first_of_the_two_digit_years_can_be_stated(
    spark: SparkSession, tmp_path: Path
) -> None:
    stated = (
        'date_format: "dd.MM.yy"\ntwo_digit_years_from: 1950\n'
        "dates_from: 1950-01-01\ndates_to: 2049-12-31\n"
    )
    found = load_times(spark, tmp_path, stated, ["01.02.49", "01.02.50", "01.02.03"])
    assert days(found) == {"0": "2049-02-01", "1": "1950-02-01", "2": "2003-02-01"}


def test_birth_years_of_two_digits_lie_before_the_orders(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = MAPPING.replace("amount: sum", "amount: sum, birth_date: born, name: who")
    text = "id,who,at,sum,born\n1,K,2024-03-04 10:00:00,5,17/08/45\n"
    found = load(spark, tmp_path, mapping + 'day_format: "dd/MM/yy"\n', {"a.csv": text})
    (table,) = found.source.tables
    raw = found.source.read_raw(spark, table, dt.date(2024, 1, 1), dt.date(2024, 12, 31))
    people = found.source.staged_customers({table: raw.selectExpr("*", "1L AS _row_hash")})
    assert [row.birth_date for row in people.collect()] == [dt.date(1945, 8, 17)]


def test_one_digit_is_enough_for_days_months_and_hours(spark: SparkSession, tmp_path: Path) -> None:
    times = ["05/06/2024 09:30", "5/6/2024 9:30", "25/6/2024 9:30"]
    found = load_times(spark, tmp_path, 'date_format: "dd/MM/yyyy HH:mm"\n', times)
    assert days(found) == {"0": "2024-06-05", "1": "2024-06-05", "2": "2024-06-25"}


def test_several_formats_in_one_column(spark: SparkSession, tmp_path: Path) -> None:
    stated = 'date_format: ["yyyy-MM-dd HH:mm:ss", "dd.MM.yyyy", "d MMM yyyy[ HH:mm]"]\n'
    times = ["2024-05-01 10:00:00", "02.05.2024", "3 May 2024", "4 May 2024 11:30", "05/05/2024"]
    found = load_times(spark, tmp_path, stated, times)
    assert days(found) == {n: f"2024-05-0{int(n) + 1}" for n in "0123"}
    assert found.reasons == {"at:format": 1}


def test_times_as_a_spreadsheet_and_as_unix_count_them(spark: SparkSession, tmp_path: Path) -> None:
    excel = load_times(spark, tmp_path / "e", "date_format: excel\n", ["45352", "45352.9375"])
    assert [row.occurred_at for row in excel.rows] == [
        dt.datetime(2024, 3, 1),
        dt.datetime(2024, 3, 1, 22, 30),
    ]
    # 30 June, half past eleven in the evening in London is the same day; an hour later in UTC.
    unix = load_times(spark, tmp_path / "u", "date_format: unix\n", ["1719786600", "1719788400"])
    assert days(unix) == {"0": "2024-06-30", "1": "2024-07-01"}
    milliseconds = load_times(
        spark, tmp_path / "m", "date_format: unix-milliseconds\n", ["1719786600123"]
    )
    assert [row.occurred_at for row in milliseconds.rows] == [
        dt.datetime(2024, 6, 30, 22, 30, 0, 123000)
    ]


def test_offsets_make_instants_and_the_zone_their_day(spark: SparkSession, tmp_path: Path) -> None:
    stated = """date_format: "yyyy-MM-dd'T'HH:mm:ss[.SSS]XXX"\n"""
    times = ["2024-07-01T23:30:00Z", "2024-07-01T23:30:00.500-05:00", "2024-01-01T23:30:00+00:00"]
    found = load_times(spark, tmp_path, stated, times)
    assert days(found) == {"0": "2024-07-02", "1": "2024-07-02", "2": "2024-01-01"}


SWAPPED = [f"{month:02}/{day:02}/2024" for month, day in ((1, 3), (2, 9), (3, 17), (4, 28))]


def test_month_first_read_as_day_first_is_refused_and_the_right_format_named(
    tmp_path: Path,
) -> None:
    (tmp_path / "a.csv").write_text(
        "id,who,at,sum\n" + "".join(f"{n},K,{time},1\n" for n, time in enumerate(SWAPPED))
    )
    mapping = parse_mapping(MAPPING + "date_format: dd/MM/yyyy\n", where="till.yaml")
    with pytest.raises(BrokenFileError) as error:
        FilesSource(mapping, tmp_path).available()
    assert "column at, found 03/17/2024 at line 4 of a.csv and others, 2 of 4" in str(error.value)
    assert str(error.value).endswith('write date_format: "MM/dd/yyyy" in the mapping')


def test_one_wrong_day_among_many_is_a_row_and_no_suspicion(
    spark: SparkSession, tmp_path: Path
) -> None:
    times = ["17/03/2024", "28/04/2024", "03/01/2024", "05/13/2024"]
    found = load_times(spark, tmp_path, "date_format: dd/MM/yyyy\n", times)
    assert found.reasons == {"at:format": 1}
    assert found.source.suspicions() == []


def test_days_that_never_pass_the_twelfth_are_suspected(tmp_path: Path) -> None:
    """April, May and June of a file with the month first, read as day first: 1st to 12th only."""
    many = [f"{month:02}/{day:02}/2024" for month in (4, 5, 6) for day in range(1, 13)]
    (tmp_path / "a.csv").write_text(
        "id,who,at,sum\n" + "".join(f"{n},K,{time},1\n" for n, time in enumerate(many))
    )
    mapping = parse_mapping(MAPPING + "date_format: dd/MM/yyyy\n", where="till.yaml")
    source = FilesSource(mapping, tmp_path)
    source.available()
    (doubt,) = source.suspicions()
    assert "no day of the 36 in column at is after the twelfth of a month" in doubt
    assert 'date_format: "MM/dd/yyyy"' in doubt


def test_a_format_that_reads_nothing_names_one_that_would(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("id,who,at,sum\n1,K,12/24/2010 8:26,1\n2,K,1/3/2011 9:00,1\n")
    source = FilesSource(parse_mapping(MAPPING, where="till.yaml"), tmp_path)
    with pytest.raises(BrokenFileError) as error:
        source.available()
    assert str(error.value) == (
        "a.csv: expected dates like yyyy-MM-dd HH:mm:ss in column at, "
        "found 12/24/2010 8:26 at line 2 of a.csv; "
        'write date_format: "MM/dd/yyyy HH:mm" in the mapping'
    )


@pytest.mark.parametrize(
    ("stated", "said"),
    [
        (
            "date_format: [dd/MM/yyyy, MM/dd/yyyy]",
            "date_format: 'dd/MM/yyyy' and 'MM/dd/yyyy' both read '05/03/2004', as different days",
        ),
        (
            'date_format: ["yyyy-MM-dd", "yyyy-MM-dd HH:mmXXX"]',
            "date_format: some of its formats carry an offset from UTC and some do not",
        ),
        ("date_format: EEE dd MMM yyyy", "'EEE' in 'EEE dd MMM yyyy' is not supported"),
        ("date_format: []", "date_format: is an empty list"),
        ("two_digit_years_from: 50", "two_digit_years_from: 50 must be at least 1900"),
    ],
)
def test_formats_are_checked_against_each_other(stated: str, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        parse_mapping(MAPPING + stated, where="till.yaml")
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("stated", "texts"),
    [
        ("dd/MM/yyyy", ["1/2/2024", "31/04/2024", "29/02/2023", "29/02/2024", "1/2/24", "a"]),
        ("yyyyMMdd", ["20240105", "2024105", "20241301"]),
        ("M/d/yy H:mm", ["1/5/69 0:00", "1/5/70 23:59", "1/5/70 24:00", "1/5/70 9:60"]),
        ("dd-MMM-yy hh:mm a", ["05-FEB-24 12:00 AM", "5-feb-24 1:00 pm", "5-Fbe-24 1:00 PM"]),
        ("yyyy-MM-dd HH:mm:ss.SSS Z", ["2024-02-03 01:02:03.004 +0200", "2024-02-03 01:02:03.4 Z"]),
        ("dd 'de' MM yyyy | yyyy-MM-dd", ["03 de 02 2024", "2024-02-03", "03 do 02 2024"]),
        ("excel", ["45352.5", "45352,5", "1.5e3", "-1"]),
    ],
)
def test_spark_and_the_days_of_a_run_read_the_same(
    spark: SparkSession, stated: str, texts: list[str]
) -> None:
    frame = spark.createDataFrame([(n, text) for n, text in enumerate(texts)], "n int, t string")
    by_spark = frame.selectExpr(f"{time_sql('t', stated, 1970)} AS at", "n").orderBy("n").collect()
    by_pandas = read_times(pd.Series(texts), stated, 1970, "UTC")
    assert [row["at"] for row in by_spark] == [
        None if pd.isna(time) else time.to_pydatetime() for time in list[Any](by_pandas)
    ]
