"""What yes and no are written as."""

from __future__ import annotations

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.contracts.booleans import NO, YES, boolean_sql


@pytest.fixture(scope="module")
def read(spark: SparkSession) -> dict[str | None, bool | None]:
    texts = [
        *("Yes", " TRUE ", "\u00a01", "Sim", "Sí", "opt-in", "Opted_In", "WAHR"),
        *("NO", "false", "0", "0.0", "Não", "Nein", "opt-out", "FALSO", "NEVER_SUBSCRIBED"),
        *("maybe", "pending", "", "2", None),
    ]
    rows = spark.createDataFrame([(text,) for text in texts], "text string")
    found = rows.select("text", F.expr(boolean_sql("text")).alias("said")).collect()
    return {row.text: row.said for row in found}


def test_words_of_yes_and_no(read: dict[str | None, bool | None]) -> None:
    texts = list(read)
    assert [read[text] for text in texts[:8]] == [True] * 8
    assert [read[text] for text in texts[8:17]] == [False] * 9


def test_a_word_that_says_neither_is_no_value(read: dict[str | None, bool | None]) -> None:
    assert [read[text] for text in list(read)[17:]] == [None] * 5


def test_no_word_says_both() -> None:
    assert not set(YES) & set(NO)
