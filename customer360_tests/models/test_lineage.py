"""What a model came from: its feature schema, and the version of the code."""

from __future__ import annotations

import re

import pytest

from customer360 import __version__
from customer360.models.lineage import (
    FeatureSchema,
    FeatureSchemaError,
    code_version,
    column_difference,
)

SCHEMA = FeatureSchema((("frequency", "int"), ("monetary_value", "double")))


def test_a_schema_is_that_of_the_columns_named(spark) -> None:
    frame = spark.createDataFrame(
        [(1, 2.0, "x")], "frequency int, monetary_value double, more string"
    )
    assert FeatureSchema.of(frame, ["frequency", "monetary_value"]) == SCHEMA


def test_a_schema_comes_back_from_its_text_with_the_same_hash() -> None:
    again = FeatureSchema.from_json(SCHEMA.to_json())
    assert again == SCHEMA
    assert again.hash == SCHEMA.hash
    assert re.fullmatch("[0-9a-f]{16}", SCHEMA.hash)


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ([("frequency", "int")], "without monetary_value"),
        ([*SCHEMA.columns, ("T", "int")], "with the new T"),
        ([("frequency", "int"), ("T", "int")], "without monetary_value and with the new T"),
        ([SCHEMA.columns[1], SCHEMA.columns[0]], "in another order"),
        (
            [("frequency", "bigint"), ("monetary_value", "double")],
            "frequency as bigint in place of int",
        ),
    ],
)
def test_a_difference_is_named(columns: list[tuple[str, str]], told: str) -> None:
    offered = FeatureSchema(tuple(columns))
    assert offered.hash != SCHEMA.hash
    with pytest.raises(FeatureSchemaError) as raised:
        SCHEMA.check(offered, "churn v3")
    assert str(raised.value) == (
        f"churn v3 was trained on other features: they are now {told}; train it again"
    )


def test_the_same_columns_pass() -> None:
    SCHEMA.check(SCHEMA, "churn v3")
    assert column_difference(["a", "b"], ["a", "b"]) == ""


def test_the_code_version_names_release_and_source() -> None:
    assert re.fullmatch(re.escape(__version__) + r"\+[0-9a-f]{16}", code_version())
