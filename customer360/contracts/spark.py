"""The Spark schema a contract stands for; needs no running session."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pyspark.sql import DataFrame, types

from customer360.contracts.contract import Bookkeeping, Column, Contract, ContractError

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import SparkSession

_SIMPLE: dict[str, type[types.DataType]] = {
    "string": types.StringType,
    "tinyint": types.ByteType,
    "smallint": types.ShortType,
    "int": types.IntegerType,
    "integer": types.IntegerType,
    "bigint": types.LongType,
    "long": types.LongType,
    "float": types.FloatType,
    "double": types.DoubleType,
    "boolean": types.BooleanType,
    "date": types.DateType,
    "timestamp": types.TimestampType,
    "timestamp_ntz": types.TimestampNTZType,
}


def data_type(ddl: str) -> types.DataType:
    """The type that Spark DDL such as ``decimal(18,2)`` or ``array<timestamp>`` names.

    Written out because Spark's own parser lives in the JVM, and definitions load without one.

    Raises:
        ContractError: The text is not a type that a contract may use.
    """
    text = ddl.strip()
    if text.lower() in _SIMPLE:
        return _SIMPLE[text.lower()]()
    decimal = re.fullmatch(r"(?i)decimal\(\s*(\d+)\s*,\s*(\d+)\s*\)", text)
    if decimal and int(decimal[2]) <= int(decimal[1]) <= 38:
        return types.DecimalType(int(decimal[1]), int(decimal[2]))
    array = re.fullmatch(r"(?i)array<(.+)>", text)
    if array:
        return types.ArrayType(data_type(array[1]))
    struct = re.fullmatch(r"(?i)struct<(.+)>", text)
    if struct:
        # A comma inside brackets belongs to a type, not to the list of fields.
        fields = [f.split(":", 1) for f in re.split(r",(?![^(<]*[)>])", struct[1]) if ":" in f]
        return types.StructType([types.StructField(n.strip(), data_type(t)) for n, t in fields])
    raise ContractError(f"physicalType {ddl!r} is not a Spark type that a contract may use")


def spark_schema(contract: Contract) -> types.StructType:
    """The contract's own columns: what a source reads, what a transformation returns.

    Every field is nullable: that a required column is filled is proved by the checks, which
    say what broke, rather than by an engine error that says only that something did.
    """
    return _schema(contract.columns)


def table_schema(contract: Contract) -> types.StructType:
    """The table as stored: a bronze table's bookkeeping columns follow its own."""
    return _schema(contract.stored_columns)


def with_absent_columns(rows: DataFrame, contract: Contract) -> DataFrame:
    """``rows`` of a table with those columns of its contract, as nulls, that they have not.

    A table that an older release made lacks what the contract has gained since.
    """
    from pyspark.sql import functions as F

    fields = table_schema(contract).fields
    absent = {f.name: F.lit(None).cast(f.dataType) for f in fields if f.name not in rows.columns}
    return rows.withColumns(absent) if absent else rows


def from_arrow(spark: SparkSession, table: pa.Table) -> DataFrame:
    """A frame of an Arrow table; also of an empty one, of which Spark Connect wants the schema."""
    from pyspark.sql.pandas.types import from_arrow_schema

    return spark.createDataFrame(table, from_arrow_schema(table.schema))


def _schema(columns: tuple[Column | Bookkeeping, ...]) -> types.StructType:
    return types.StructType(
        [types.StructField(column.name, data_type(column.physical_type)) for column in columns]
    )
