"""What messages quote of data: what helps to mend a mapping, and nothing of a person."""

from __future__ import annotations

import pytest

from customer360.quoting import shown, shown_code, shown_header, without_rows


@pytest.mark.parametrize(
    "text",
    [
        "2024-01-31",
        "31/12/2024 23:59",
        "2024-01-31T12:30:45.123456+00:00",
        "9999-12-31",
        "20240131",
        "20240131123000",
        "12 de setembro de 2024",
        "Jan 5, 2024 10:15 PM",
        "Wed, 31 Jan 2024",
        "1.234,50",
        "12,345.67",
        "-3",
        "(12.50)",
        "R$ 12,50",
        "12.50 EUR",
        "1.2E+10",
        "45678",
        "12%",
    ],
)
def test_numbers_and_dates_are_quoted(text: str) -> None:
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("Maria Silva", "text of 11 characters"),
        ("Maria", "text of 5 characters"),
        ("ana@example.com", "text of 15 characters"),
        ("Maria 1990", "text of 10 characters"),
        ("Ana 12/03/1990", "text of 14 characters"),
        ("12 Maria 1990", "text of 13 characters"),
        ("Rua das Flores 12", "text of 17 characters"),
        ("529.982.247-25", "text of 14 characters"),
        ("52998224725", "a number of 11 digits"),
        ("123-45-6789", "text of 11 characters"),
        ("+55 11 98765-4321", "text of 17 characters"),
        ("(11) 98765-4321", "text of 15 characters"),
        ("4111 1111 1111 1111", "text of 19 characters"),
        ("4111111111111111", "a number of 16 digits"),
        ("X", "text of 1 character"),
    ],
)
def test_of_all_else_the_shape_is(text: str, shape: str) -> None:
    assert shown(text) == shape


def test_a_code_is_quoted_where_codes_stand() -> None:
    assert shown_code("EUR") == "EUR"
    assert shown_code("Maria") == "text of 5 characters"


def test_names_of_columns_are_quoted_and_a_row_in_their_place_is_not() -> None:
    assert shown_header(["id", "note"], ["amount"]) == "only id, note"
    assert shown_header(["ID", "2024-01-31"], ["id"]) == "only ID, 2024-01-31"
    row = ["1001", "Maria Silva", "maria@example.com", "2024-01-31", "12.50", ""]
    assert shown_header(row, ["order_id", "amount"]) == (
        "a first line of 6 values, which seem to be data and no names: a number, text of 11 "
        "characters, text of 17 characters, a date, a number, nothing"
    )


def test_what_arrow_says_is_told_without_the_row() -> None:
    said = "CSV parse error: Row #2: Expected 2 columns, got 3: 1,Maria,maria@example.com"
    assert without_rows(said) == "CSV parse error: Row #2: Expected 2 columns, got 3"
    said = "In CSV column #1: CSV conversion error to double: invalid value 'Maria'"
    assert without_rows(said) == "In CSV column #1: CSV conversion error to double: invalid value"
    assert without_rows("Empty CSV file") == "Empty CSV file"
