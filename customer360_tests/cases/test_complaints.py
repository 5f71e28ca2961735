"""Every complaint of ``complaints/``: its files come to the right values, or to the right word."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.errors import Customer360Error
from customer360.gold.customer_features import customer_features
from customer360.pipeline.check_files import Checked, check_source
from customer360.silver.keys import customer_key_of
from customer360.table_names import CUSTOMER_DAYS, TRANSACTIONS
from customer360_tests.cases import complaint
from customer360_tests.cases.complaint import Complaint, Expected, Refusal
from customer360_tests.cases.loaded_files import EVER
from customer360_tests.cases.shop import open_shop

COMPLAINTS = complaint.complaints()


@pytest.mark.parametrize("name", COMPLAINTS)
def test_a_complaint(spark: SparkSession, tmp_path: Path, name: str) -> None:
    case = complaint.complaint_in(COMPLAINTS[name])
    if case.steps:
        deliveries(spark, tmp_path, case)
    elif isinstance(case.expect, Refusal):
        refused(spark, tmp_path, case, case.expect)
    else:
        assert isinstance(case.expect, Expected)
        outcome = complaint.run(spark, case, tmp_path)
        expected = complaint.completed(case.expect)
        found = complaint.told(outcome, expected)
        assert found.model_dump() == expected.model_dump()
        if case.expect.check_suspects:
            checked(spark, tmp_path, case, case.expect)


def refused(spark: SparkSession, folder: Path, case: Complaint, expect: Refusal) -> None:
    """One line that names what is wrong and the remedy, before a row is read."""
    with pytest.raises(Customer360Error) as error:
        read(spark, folder, case)
    said = str(error.value)
    assert "\n" not in said
    for text in expect.refused:
        assert text in said


def read(spark: SparkSession, folder: Path, case: Complaint) -> None:
    source = complaint.source_of(case, folder)
    source.available()
    source.read_raw(spark, source.transactions_table, *EVER)


def checked(spark: SparkSession, folder: Path, case: Complaint, expect: Expected) -> None:
    """`customer360 check` suspects what it should, and counts what a load comes to."""
    said = check_source(spark, complaint.source_of(case, folder))
    for text in expect.check_suspects:
        assert any(text in suspicion for suspicion in said.suspicions), said.suspicions
    assert figures(said) == (
        expect.rows,
        expect.orders,
        expect.refunds,
        expect.cancelled,
        expect.anonymous,
        len(expect.customers),
        expect.gross,
        expect.refunded,
        expect.first,
        expect.last,
        expect.excluded,
        expect.quarantined,
    )


def figures(said: Checked) -> tuple[Any, ...]:
    return (
        said.rows,
        said.orders,
        said.refunds,
        said.cancelled,
        said.anonymous,
        said.customers,
        said.sold,
        said.given_back,
        said.first,
        said.last,
        {refused.reason: refused.rows for refused in said.excluded},
        {refused.reason: refused.rows for refused in said.quarantined},
    )


def deliveries(spark: SparkSession, folder: Path, case: Complaint) -> None:
    """Silver after each step is that of the files as they are then; gold follows from it."""
    assert case.days is not None
    first, last = case.days
    shop = open_shop(spark, folder, case.mapping, first=first, last=last)
    for step in case.steps:
        for name, content in step.files.items():
            assert isinstance(content, str)
            shop.deliver(name, *content.splitlines())
        for name in step.withdraw:
            shop.withdraw(name)
        loaded = shop.load(*(step.load or ()))
        rows = shop.lakehouse.read(TRANSACTIONS).collect()
        sales = {row.order_id: row for row in rows if row.kind == "sale"}
        refunds = [row for row in rows if row.kind == "refund"]
        assert {order: row.business_date for order, row in sales.items()} == step.orders
        assert complaint.money(list(sales.values())) - complaint.money(refunds) == step.net
        assert shop.reasons() == step.excluded
        assert not loaded.bronze.not_conserved
        if step.features is not None:
            days = shop.lakehouse.read(CUSTOMER_DAYS)
            found = customer_features(days, [step.features.as_of]).collect()
            names = {
                customer_key_of(shop.source.name, who, b"known to the tests"): who
                for who in shop.customers()
            }
            of = {names[row.customer_key]: complaint.features_of(row) for row in found}
            assert of == step.features.of


# Kinds that have a test of their own, because they are not about a file's way to gold.
ELSEWHERE = {
    27: ("cases.test_orders_of_today", "test_a_run_ends_with_yesterday"),  # today moves
    50: ("cases.test_soft_deletes", "test_the_third_row_alone_is_deleted"),  # a database's rows
    # Opt-out lists of another form: its cases ``suppression_…``.
    51: ("bad_input.test_bad_input", "test_a_bad_input_is_said_in_its_one_line"),
    56: ("cases.test_profiles", "test_a_blank_takes_nothing_back"),  # silver/customers alone
}
KNOWN = (
    *(1, 2, 5, 7, 8, 9, 10, 11, 14, 18, 19, 20, 22, 23, 24, 26, 27, 28),
    *(30, 43, 50, 51, 53, 56, 57),
)


def test_every_known_complaint_is_shown() -> None:
    shown = {int(name[:2]) for name in COMPLAINTS if name[:2].isdigit()}
    assert shown | set(ELSEWHERE) == set(KNOWN)
    assert not shown & set(ELSEWHERE)
    for module, test in ELSEWHERE.values():
        assert hasattr(importlib.import_module(f"customer360_tests.{module}"), test)
