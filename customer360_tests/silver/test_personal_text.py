"""What is masked where it comes into silver, and what must not be."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as F

from customer360.silver.personal_text import MASKED, MASKED_ID, masked_id, masked_text

IN_ANY = (
    "ana@example.com",
    "ana.silva+loja@mail.example.com.br",
    "ana%40example.com",
    "529.982.247-25",
    "529982247-25",
    "12.345.678/0001-95",
    "123-45-6789",
    "+55 11 98765-4321",
    "+1 (555) 123-4567",
    "+5511987654321",
    "(11) 98765-4321",
    "4111 1111 1111 1111",
    "4111-1111-1111-1111",
    "3782-822463-10005",
)
IN_TEXTS = (
    "Gift for ana @ example.com!",
    "52998224725",
    "cpf 52998224725",
    "presente p/ 11987654321",
    "11 98765-4321",
    "555-123-4567",
    "001-581-896-0013x3890",
    "call 5551234567",
    "tel. 3333 4444",
    "visa 4111111111111111",
    "DE89 3704 0044 0532 0130 00",
    "pt50000201231234567890154",
    "passport AB123456",
    "RG 12.345.678-9",
)
TEXTS = (
    "Books",
    "bed_bath_table",
    "Health & Beauty",
    "Bolsas @ 20%",
    "VISA ****1111",
    "4111 1111 1111 1112",  # no card has this check digit
    "8471300100",
    "7891234567895",
    "Coleção 2024/2025",
    "2024-01-31",
    "Size 38-40",
    "Galaxy S24 256 GB 5G",
    "phone case 13 pro max",
    "Mobile phones",
    "Lego 10294",
    "12345-6789",
    "",
)
IDS = (
    "1001",
    "#1001",
    "12345678901",
    "52998224725",
    "11987654321",
    "4111111111111111",
    "e481f51cbdc54678b7cc49136f2d6af7",
    "5f3e1c2a-1b2c-4d5e-8f90-1234567890ab",
    "113-1234567-1234567",
    "SO-2024-01-00012",
    "INV 2024 000123",
    "1001|L1",
    "978-3-16-148410-0",
    "10001-2024",
)


def told(spark: SparkSession, texts: tuple[str, ...]) -> dict[str, tuple[str, str]]:
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    masked = rows.select(
        "text",
        masked_text(F.col("text")).alias("as_text"),
        masked_id(F.col("text"), source="shop", secret=b"secret").alias("as_id"),
    )
    return {row["text"]: (row["as_text"], row["as_id"]) for row in masked.collect()}


def test_a_person_is_masked_and_all_else_stays_as_it_is(spark: SparkSession) -> None:
    found = told(spark, (*IN_ANY, *IN_TEXTS, *TEXTS, *IDS))
    assert {text: found[text][0] for text in (*IN_ANY, *IN_TEXTS)} == dict.fromkeys(
        (*IN_ANY, *IN_TEXTS), MASKED
    )
    assert {text: found[text][0] for text in TEXTS} == {text: text for text in TEXTS}
    assert {text: found[text][1] for text in IDS} == {text: text for text in IDS}
    ids = {found[text][1] for text in IN_ANY}
    assert all(each.startswith(MASKED_ID) for each in ids)
    assert len(ids) == len(IN_ANY), "they are still told apart"
    assert not any(text in each for each in ids for text in IN_ANY)


def test_an_id_stands_for_itself_whatever_column_it_is_in(spark: SparkSession) -> None:
    rows = spark.createDataFrame([("ana@example.com",)], "id string")
    (row,) = rows.select(
        masked_id(F.col("id"), source="shop", secret=b"secret").alias("order_id"),
        masked_id(F.col("id"), source="shop", secret=b"secret").alias("related"),
        masked_id(F.col("id"), source="market", secret=b"secret").alias("elsewhere"),
        masked_id(F.col("id"), source="shop", secret=b"other").alias("of_another_deployment"),
    ).collect()
    assert row["order_id"] == row["related"]
    assert len(set(row)) == 3


@pytest.mark.parametrize("masked", [masked_text, lambda c: masked_id(c, source="s", secret=b"k")])
def test_nothing_stays_nothing(spark: SparkSession, masked: Callable[[Column], Column]) -> None:
    rows = spark.createDataFrame([(None,)], "text string")
    assert rows.select(masked(F.col("text"))).first() == (None,)
