from __future__ import annotations

import hashlib
import hmac

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.silver.keys import customer_key, customer_key_of

IDS = ["1", "0001", "", "ana:7", "José", "Jose\u0301", "顧客42", "😀" * 20, "x" * 300]


def expected(secret: bytes, source: str, own_id: str) -> str:
    return hmac.new(secret, f"{source}:{own_id}".encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    "secret",
    [b"k", b"s" * 63, b"s" * 64, b"s" * 65, bytes(range(256)), "chavé".encode()],
    ids=["short", "63 bytes", "a block", "65 bytes", "256 bytes", "not ASCII"],
)
def test_the_key_is_what_pythons_hmac_gives(spark: SparkSession, secret: bytes) -> None:
    frame = spark.createDataFrame([(own_id,) for own_id in IDS], "id string")
    found = frame.select("id", customer_key("shop", F.col("id"), secret).alias("key")).collect()
    assert {row["id"]: row["key"] for row in found} == {
        own_id: expected(secret, "shop", own_id) for own_id in IDS
    }
    assert [customer_key_of("shop", own_id, secret) for own_id in IDS] == [
        expected(secret, "shop", own_id) for own_id in IDS
    ]


def test_no_customer_has_no_key(spark: SparkSession) -> None:
    frame = spark.createDataFrame([(None,)], "id string")
    assert frame.select(customer_key("shop", F.col("id"), b"k")).collect() == [(None,)]


def test_the_source_may_be_a_column_and_sources_do_not_share_keys(spark: SparkSession) -> None:
    frame = spark.createDataFrame([("shop", 7), ("web", 7)], "source string, id int")
    keys = [
        row[0]
        for row in frame.orderBy("source")
        .select(customer_key(F.col("source"), F.col("id"), b"k"))
        .collect()
    ]
    assert keys == [expected(b"k", "shop", "7"), expected(b"k", "web", "7")]
    assert keys[0] != keys[1]


def test_what_would_make_weak_or_ambiguous_keys_is_refused() -> None:
    with pytest.raises(ValueError, match="secret"):
        customer_key("shop", F.col("id"), b"")
    with pytest.raises(ValueError, match="colon"):
        customer_key("shop:1", F.col("id"), b"k")
