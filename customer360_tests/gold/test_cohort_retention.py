from __future__ import annotations

from decimal import Decimal

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.gold.cohort_retention import cohort_retention
from customer360.gold.purchases import NoAsOfDateError
from customer360_tests.gold.frames import bought, customer_days, day, returned, rows_of

JANUARY, MARCH = day("2024-01-01"), day("2024-03-01")


def history() -> list[tuple[object, ...]]:
    return [
        bought("ana", "2024-01-05", 100),
        bought("ana", "2024-01-20", 50),
        bought("ana", "2024-03-10", 30),
        bought("ben", "2024-01-31", 40),
        returned("ben", "2024-02-02", 10),
        # Money moved before the first purchase that we know counts in month 0.
        returned("cy", "2024-02-28", 5),
        bought("cy", "2024-03-15", 25),
        returned("never bought", "2024-01-02", 7),
    ]


def test_months_without_a_purchase_have_a_row_too(spark: SparkSession) -> None:
    at = day("2024-04-30")
    cohorts = cohort_retention(customer_days(spark, history()), [at])
    assert tuple(cohorts.columns) == Contract.load("gold/cohort_retention").column_names
    assert rows_of(cohorts) == [
        (at, JANUARY, 0, 2, 2, 1.0, Decimal("190.00"), 95.0, False),
        (at, JANUARY, 1, 2, 0, 0.0, Decimal("-10.00"), 90.0, False),
        (at, JANUARY, 2, 2, 1, 0.5, Decimal("30.00"), 105.0, False),
        (at, JANUARY, 3, 2, 0, 0.0, Decimal("0.00"), 105.0, False),
        (at, MARCH, 0, 1, 1, 1.0, Decimal("20.00"), 20.0, False),
        (at, MARCH, 1, 1, 0, 0.0, Decimal("0.00"), 0.0 + 20.0, False),
    ]


def test_the_month_that_is_not_over_says_so(spark: SparkSession) -> None:
    at = day("2024-03-10")
    assert rows_of(cohort_retention(customer_days(spark, history()), [at])) == [
        (at, JANUARY, 0, 2, 2, 1.0, Decimal("190.00"), 95.0, False),
        (at, JANUARY, 1, 2, 0, 0.0, Decimal("-10.00"), 90.0, False),
        (at, JANUARY, 2, 2, 1, 0.5, Decimal("30.00"), 105.0, True),
    ]


def test_a_cohort_in_the_making_counts_who_is_there(spark: SparkSession) -> None:
    at = day("2024-01-10")
    assert rows_of(cohort_retention(customer_days(spark, history()), [at])) == [
        (at, JANUARY, 0, 1, 1, 1.0, Decimal("100.00"), 100.0, True),
    ]


def test_several_dates_at_once_are_the_single_dates_together(spark: SparkSession) -> None:
    days = customer_days(spark, history())
    dates = [day(d) for d in ("2023-12-31", "2024-01-10", "2024-02-29", "2024-03-14", "2024-06-15")]
    one_by_one = [row for at in dates for row in rows_of(cohort_retention(days, [at]))]
    assert rows_of(cohort_retention(days, dates[::-1])) == sorted(one_by_one, key=str)


def test_no_date_is_an_error(spark: SparkSession) -> None:
    with pytest.raises(NoAsOfDateError):
        cohort_retention(customer_days(spark, []), [])
