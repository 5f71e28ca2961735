"""A gold table that is made as of a date is one contract and one module."""

from __future__ import annotations

import importlib
from datetime import date

from pyspark.sql import SparkSession

from customer360.contracts import Contract, packaged_tables
from customer360.contracts.binding import bound
from customer360.contracts.spark import spark_schema
from customer360.gold.snapshots import Inputs, snapshot_tables
from customer360.table_names import AS_OF
from customer360_tests.silver.frames import exchanges


def test_they_are_those_whose_contract_says_what_they_read() -> None:
    contracts = map(Contract.load, packaged_tables())
    declared = {c.table for c in contracts if c.reads and c.partition_by == AS_OF}
    assert set(snapshot_tables()) == declared
    assert declared >= {"gold/customer_features", "gold/customer_360", "gold/cohort_retention"}
    for table in packaged_tables():
        assert set(Contract.load(table).reads) <= set(packaged_tables()), table


def test_each_is_made_as_its_contract_says_and_binding_it_moves_no_rows(
    spark: SparkSession,
) -> None:
    for table in snapshot_tables():
        contract = Contract.load(table)
        tables = {
            name: spark.createDataFrame([], spark_schema(Contract.load(name)))
            for name in contract.reads
        }
        module = importlib.import_module(f"customer360.gold.{contract.name}")
        rows = module.snapshot(Inputs(tables, [date(2024, 1, 31)]))
        assert tuple(rows.columns) == contract.column_names
        assert exchanges(bound(rows, contract)) == exchanges(rows), table
