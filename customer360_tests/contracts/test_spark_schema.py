from __future__ import annotations

import pytest
from pyspark.sql import types as T

from customer360.contracts import Contract, ContractError, packaged_tables
from customer360.contracts.spark import data_type, spark_schema, table_schema


@pytest.mark.parametrize(
    "ddl",
    [
        "string",
        "tinyint",
        "smallint",
        "int",
        "BIGINT",
        "float",
        "double",
        "boolean",
        "date",
        "timestamp",
        "timestamp_ntz",
        "decimal(18,2)",
        "decimal( 38 , 12 )",
        "array<string>",
        "array<array<decimal(5,1)>>",
        "struct<a:int,B:decimal(5,1),c:array<string>>",
        "array<struct<updated_at:timestamp,delivered_on:date,row_hash:bigint>>",
    ],
)
def test_types_are_what_spark_reads_in_them(spark, ddl):
    assert data_type(ddl) == spark.createDataFrame([], f"c {ddl}").schema["c"].dataType


@pytest.mark.parametrize("ddl", ["money", "decimal", "decimal(39,2)", "decimal(2,3)", "array<x>"])
def test_other_types_are_refused(ddl):
    with pytest.raises(ContractError, match="is not a Spark type"):
        data_type(ddl)


def test_a_schema_is_the_contracts_columns_and_a_bronze_table_has_bookkeeping_too():
    own = spark_schema(Contract.load("silver/customer_days"))
    assert own["net_revenue"].dataType == T.DecimalType(18, 2)
    assert own["business_date"].dataType == T.DateType()
    assert all(field.nullable for field in own.fields)
    bronze = Contract.load("bronze/cdnow_transactions")
    assert {f.dataType for f in spark_schema(bronze).fields} == {T.StringType()}
    assert table_schema(bronze).names == [
        *bronze.column_names,
        "_rescued",
        "_source_file",
        "_delivered_on",
        "_event_date",
        "_ingested_at",
        "_row_hash",
        "_edited_row",
        "_edited_by",
        "_edited_at",
    ]


@pytest.mark.parametrize("table", packaged_tables())
def test_every_packaged_contract_has_a_schema(table):
    contract = Contract.load(table)
    assert len(table_schema(contract).fields) == len(contract.stored_columns)
