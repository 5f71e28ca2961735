"""Which columns and values a file of orders may have, and how it is told which it may not."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from customer360.limits import LONGEST_LINE
from customer360.models.revenue import order_file
from customer360.models.revenue.order_file import (
    ACCEPTED,
    ORDER_SCHEMA,
    PROBLEMS,
    OrderFileError,
    read_pieces,
)

TODAY = date(2024, 6, 30)


def checked(rows: pd.DataFrame, as_of: date | None = None) -> tuple[pa.Table, pd.DataFrame]:
    return order_file.checked(rows, as_of, today=TODAY)


def texts(*rows: dict[str, str]) -> pd.DataFrame:
    """Rows as text, numbered from 1; every row is good but for what it states."""
    good = {"customer_id": "ana", "ordered_at": "2024-03-01", "amount": "10.00"}
    return pd.DataFrame(
        [good | row for row in rows], index=range(1, len(rows) + 1), dtype=object
    ).fillna("")


def test_a_good_row_is_typed() -> None:
    table, problems = checked(
        texts(
            {
                "customer_id": " 007 ", "ordered_at": "2024-03-01 17:05:09", "amount": "1234.567",
                "kind": "Refund", "items": "2.0", "category": "Toys", "channel": "web",
                "payment_type": "card", "installments": "3", "freight": "4.1",
                "delivered_on": "2024-03-05", "review_score": "5", "reviewed_on": "2024-03-01",
                "state": "SP", "country": "BR",
            },
            {},
        )
    )  # fmt: skip
    assert problems.empty
    assert table.schema == ORDER_SCHEMA
    full, least = table.to_pylist()
    assert full == {
        "row": 1,
        "customer_id": "007",
        "ordered_at": datetime(2024, 3, 1, 17, 5, 9),
        "amount": Decimal("1234.57"),
        "kind": "refund",
        "items": 2,
        "category": "Toys",
        "channel": "web",
        "payment_type": "card",
        "installments": 3,
        "freight": Decimal("4.10"),
        "delivered_on": date(2024, 3, 5),
        "review_score": 5,
        "reviewed_on": date(2024, 3, 1),
        "state": "SP",
        "country": "BR",
    }
    needed = {
        "row": 2,
        "customer_id": "ana",
        "ordered_at": datetime(2024, 3, 1),
        "amount": Decimal("10.00"),
        "kind": "sale",
    }
    assert {name: value for name, value in least.items() if value is not None} == needed


@pytest.mark.parametrize(
    ("column", "value", "reason"),
    [
        ("customer_id", " ", "is missing"),
        ("amount", "", "is missing"),
        ("ordered_at", "", "is missing"),
        ("amount", "ten", "is no amount"),
        ("amount", "-1", "is no amount"),
        ("amount", "NaN", "is no amount"),
        ("amount", "inf", "is no amount"),
        ("amount", "1e300", "is no amount"),
        ("amount", "1,50", "is no amount"),
        ("freight", "-0.01", "is no amount"),
        ("ordered_at", "01/03/2024", "is no local date or time"),
        ("ordered_at", "2024-02-30", "is no local date or time"),
        ("ordered_at", "2024-03-01T10:00:00+02:00", "is no local date or time"),
        ("ordered_at", "1969-12-31", "is no local date or time"),
        ("ordered_at", "2024-04-01", "is after the as-of date 2024-03-31"),
        ("delivered_on", "2024-03-05 00:01", "is no date like 2024-03-31"),
        ("items", "1.5", "is no whole number from 0 to 1,000,000"),
        ("installments", "-1", "is no whole number"),
        ("review_score", "6", "is no whole number from 1 to 5"),
        ("delivered_on", "soon", "is no date like 2024-03-31"),
        ("delivered_on", "2024-02-29", "is before ordered_at"),
        ("kind", "gift", "is neither sale nor refund"),
    ],
)
def test_a_bad_value_is_named_and_the_good_rows_stay(column: str, value: str, reason: str) -> None:
    table, problems = checked(texts({}, {column: value}, {}), date(2024, 3, 31))
    assert table["row"].to_pylist() == [1, 3]
    (found,) = problems.to_dict("records")
    assert (found["row"], found["column"], found["value"]) == (2, column, value.strip())
    assert found["reason"].startswith(reason)


def test_everything_that_is_wrong_with_a_row_is_listed() -> None:
    _, problems = checked(texts({"amount": "x", "kind": "y"}, {"customer_id": "", "items": "z"}))
    assert list(problems.columns) == list(PROBLEMS)
    assert [(row, column) for row, column in problems[["row", "column"]].to_numpy()] == [
        (1, "amount"), (1, "kind"), (2, "customer_id"), (2, "items"),
    ]  # fmt: skip


def test_an_order_after_tomorrow_is_refused_and_one_of_tomorrow_is_not() -> None:
    """Somewhere it is tomorrow already; a mistyped century would be the day predicted from."""
    table, problems = checked(
        texts({"ordered_at": "2204-03-01"}, {"ordered_at": "2024-07-01 23:59"}, {})
    )
    assert table["row"].to_pylist() == [2, 3]
    (found,) = problems.to_dict("records")
    assert (found["column"], found["value"]) == ("ordered_at", "2204-03-01")
    assert found["reason"] == "is in the future: after 2024-07-01"


def test_a_csv_is_read_in_pieces_with_its_row_numbers(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        "\ufeffcustomer_id, ordered_at,amount,category\n"
        'ana,2024-03-01,10,"Toys, big\nand small"\n'
        "\n"
        "ben,2024-03-02\n"
        "cy,2024-03-03,12,\n",
        encoding="utf-8",
    )
    pieces = list(read_pieces(file, piece_rows=2))
    assert [list(piece.rows.index) for piece in pieces] == [[1], [3]]
    assert pieces[0].rows.loc[1, "category"] == "Toys, big\nand small"
    (broken,) = pieces[0].broken.to_dict("records")
    assert broken == {
        "row": 2, "customer_id": None, "column": None, "value": "ben,2024-03-02",
        "reason": "2 fields where the header has 4",
    }  # fmt: skip


HEADER = "customer_id,ordered_at,amount,category\n"


@pytest.mark.parametrize(
    ("spoilt", "line", "reason"),
    [
        ('"b"x,2024-03-02,1,Toys\n', 4, "',' expected after '\"'"),
        ('"ben,2024-03-02,1,Toys\n', 4, "unexpected end of data"),
        (
            "ben,2024-03-02,1," + "x" * (LONGEST_LINE + 1) + "\n",
            4,
            f"field larger than field limit ({LONGEST_LINE})",
        ),
    ],
    ids=["text after a quote", "quote that is never closed", "long field"],
)
def test_a_line_that_cannot_be_taken_apart_costs_that_line_only(
    tmp_path: Path, spoilt: str, line: int, reason: str
) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(
        HEADER + 'ana,2024-03-01,10,"Toys,\nbig"\n' + spoilt + "cy,2024-03-03,12,\ndan,,,\n"
    )
    (piece,) = read_pieces(file)
    assert piece.rows["customer_id"].to_dict() == {1: "ana", 3: "cy", 4: "dan"}
    (broken,) = piece.broken.to_dict("records")
    assert (broken["row"], broken["reason"]) == (2, f"line {line}: {reason}")
    assert spoilt.startswith(broken["value"])
    assert len(broken["value"]) <= 200


def test_a_stray_quote_in_every_line_loses_every_line_and_ends(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text(HEADER + '"b,2024-03-02,1,Toys\n' * 50)
    pieces = list(read_pieces(file, piece_rows=20))
    assert sum(len(piece.rows) for piece in pieces) == 0
    lines = [reason.split(":")[0] for piece in pieces for reason in piece.broken["reason"]]
    assert lines == [f"line {number}" for number in range(2, 52)]


def test_a_header_that_cannot_be_taken_apart_names_its_line(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text('"customer_id"x,ordered_at,amount\nana,2024-03-01,1\n')
    with pytest.raises(OrderFileError, match=r"^orders\.csv: cannot be read: line 1: ',' expected"):
        list(read_pieces(file))


def test_parquets_timestamps_are_local_times_and_midnights_are_days(tmp_path: Path) -> None:
    """pandas writes days as timestamps, of ns; a time with a zone counts as its clock showed it."""
    file = tmp_path / "orders.parquet"
    in_sao_paulo = datetime(2024, 3, 1, 23, 30, tzinfo=ZoneInfo("America/Sao_Paulo"))
    pd.DataFrame(
        {
            "customer_id": ["ana", "ben"],
            "ordered_at": [in_sao_paulo, None],
            "amount": [10.0, 1.0],
            "delivered_on": [pd.Timestamp(2024, 3, 4), None],
            "reviewed_on": [pd.Timestamp(2024, 3, 5), pd.Timestamp(2024, 3, 5, 0, 0, 1)],
        }
    ).to_parquet(file)
    (piece,) = read_pieces(file)
    table, problems = checked(piece.rows)
    (row,) = table.to_pylist()
    assert row["ordered_at"] == datetime(2024, 3, 1, 23, 30)
    assert (row["delivered_on"], row["reviewed_on"]) == (date(2024, 3, 4), date(2024, 3, 5))
    assert problems[["row", "column"]].to_numpy().tolist() == [
        [2, "ordered_at"],
        [2, "reviewed_on"],
    ]


def test_a_parquet_file_is_read_as_its_texts(tmp_path: Path) -> None:
    file = tmp_path / "orders.parquet"
    orders = pa.table(
        {
            "customer_id": pa.array([7, 8], pa.int64()),
            "ordered_at": pa.array([datetime(2024, 3, 1, 9, 30), datetime(2024, 3, 2)]),
            "amount": pa.array([Decimal("1.10"), None], pa.decimal128(10, 2)),
            "delivered_on": pa.array([date(2024, 3, 4), None]),
            "items": pa.array([2.0, None]),
        }
    )
    pq.write_table(orders, file)
    pieces = list(read_pieces(file, piece_rows=1))
    assert [list(piece.rows.index) for piece in pieces] == [[1], [2]]
    table, problems = checked(pd.concat(piece.rows for piece in pieces))
    assert problems["reason"].tolist() == ["is missing"]
    (row,) = table.to_pylist()
    assert (row["customer_id"], row["ordered_at"]) == ("7", datetime(2024, 3, 1, 9, 30))
    assert (row["amount"], row["delivered_on"]) == (Decimal("1.10"), date(2024, 3, 4))
    assert row["items"] == 2


def test_bad_columns_are_named_with_those_that_are_known(tmp_path: Path) -> None:
    file = tmp_path / "orders.csv"
    file.write_text("customer_id,Amount,date,date\n")
    with pytest.raises(OrderFileError) as error:
        list(read_pieces(file))
    said = str(error.value)
    assert said.startswith(
        "orders.csv: no column ordered_at, amount; unknown column 'Amount', 'date', 'date'; "
        "twice the column date; needed are customer_id, ordered_at, amount, known besides kind,"
    )
    assert all(name in said for name in ACCEPTED)
    assert "\n" not in said


def test_a_file_that_cannot_be_read_is_told_in_a_line(tmp_path: Path) -> None:
    latin, broken = tmp_path / "latin.csv", tmp_path / "broken.parquet"
    latin.write_bytes("customer_id,ordered_at,amount\nJosé,2024-03-01,1\n".encode("latin-1"))
    broken.write_bytes(b"PAR1 not really")
    for file, said in (
        (latin, "latin.csv: is not UTF-8 text"),
        (broken, "broken.parquet: cannot be read"),
        (tmp_path / "none.csv", "there is no such file"),
        (tmp_path / "orders.xlsx", "expected a .csv or .parquet file of orders"),
    ):
        with pytest.raises(OrderFileError, match=said) as error:
            list(read_pieces(file))
        assert "\n" not in str(error.value)
