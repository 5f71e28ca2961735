"""What values are: the marks of numbers, the formats of times."""

from __future__ import annotations

import pytest

from customer360.sources.sniffing.values import Column, marks_of, numbers_in, times_in


def of(*texts: str) -> Column:
    return Column("it", len(texts), len(texts), len(set(texts)), texts)


@pytest.mark.parametrize(
    ("texts", "decimal", "mark"),
    [
        (("1.50", "20", "3.25"), None, "."),
        (("1,50", "20", "3,25"), ",", ","),
        (("1,234.50", "7.00"), ".", "."),
        (("1.234,50", "7"), ",", ","),
        (("1.234.567", "7"), ",", ","),
        (("12'500.25", "1 000.50"), None, "."),
        (("(12,50)", "3,10-", "-4,00"), ",", ","),
        (("€ 12,50", "3,10 €"), ",", ","),
        (("1", "2"), None, "."),
    ],
)
def test_the_decimal_mark(texts: tuple[str, ...], decimal: str | None, mark: str) -> None:
    found = marks_of([of(*texts)])
    assert (found.decimal, found.mark, found.decide) == (decimal, mark, "")


def test_marks_of_both_kinds_are_said() -> None:
    found = marks_of([of("1,50", "2,25", "3,75", "24.90")])
    assert found.decimal == ","
    assert "3 values have it so, but 1 have a point" in found.decide


@pytest.mark.parametrize("text", ["1.234", "1,234"])
def test_three_digits_after_the_only_mark_are_unclear(text: str) -> None:
    found = marks_of([of(text, "7")])
    assert found.decimal is None
    assert "are unclear" in found.decide


def test_numbers_below_zero() -> None:
    assert numbers_in(["-1", "(2)", "3-", "−4", "5"]).negative == 4
    assert numbers_in(["2024-01-01", "10:30", "a1", "1.2.3"]).read == 0


@pytest.mark.parametrize(
    ("texts", "format", "other"),
    [
        (("2024-01-25", "2024-02-03"), "yyyy-MM-dd", 0),
        (("25/01/2024", "03/02/2024"), "dd/MM/yyyy", 1),
        (("1/25/2024 9:05", "2/3/2024 16:00"), "MM/dd/yyyy HH:mm", 1),
        (("25.01.24", "3.2.24"), "dd.MM.yy", 0),
        (("20240125", "20240203"), "yyyyMMdd", 0),
        (("2024-01-25T10:00:00Z", "2024-02-03T10:00:00+01:00"), "yyyy-MM-dd'T'HH:mm:ssXXX", 0),
        (("Jan 5, 2024", "Feb 13, 2024"), "MMM d, yyyy", 0),
    ],
)
def test_the_format_of_times(texts: tuple[str, ...], format: str, other: int) -> None:
    found = times_in(texts)
    assert (found.formats, found.read, found.other_read) == ((format,), 2, other)
    assert not found.unclear


def test_day_and_month_may_be_unclear() -> None:
    found = times_in(["03/02/2024", "05/06/2024"])
    assert found.unclear
    assert {*found.formats, *found.other} == {"dd/MM/yyyy", "MM/dd/yyyy"}
    assert not times_in(["03.02.2024", "05.06.2024"]).unclear
