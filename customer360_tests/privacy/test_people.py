from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from deltalake import write_deltalake
from pyspark.sql import SparkSession

from customer360.lakehouse.reading import Tables
from customer360.privacy.people import UnknownPersonError, _known, find_people, read_list
from customer360.short_keys import short_key
from customer360.silver.keys import customer_key_of
from customer360_tests.cases.shop import Shop, open_shop

MARCH: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31)}
MAPPING = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, email: mail, phone: phone}
"""
LINES = (
    "nr,who,at,sum,mail,phone",
    "1,7,2024-03-01 10:00:00,5.00,ann@example.com,+351 911 222 333",
    "2,8,2024-03-01 10:00:00,5.00,ann@example.com,",
    "3,Eve@Example.com,2024-03-01 10:00:00,5.00,,",
)


@pytest.fixture(scope="module")
def shop(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Shop:
    shop = open_shop(spark, tmp_path_factory.mktemp("mill"), MAPPING, {"a.csv": LINES}, **MARCH)
    shop.load()
    return shop


@pytest.mark.parametrize(
    ("given", "ids"),
    [
        (["7"], ["7"]),
        (["mill:8"], ["8"]),
        (["+351-911 222-333"], ["7"]),
        # Of two who share an address both are meant.
        (["ANN@example.com "], ["7", "8"]),
        (["eve@example.COM"], ["eve@example.com"]),
        (["7", "ann@example.com"], ["7", "8"]),
        (["mill:nobody"], ["nobody"]),
    ],
)
def test_people_are_known_by_all_that_names_them(
    shop: Shop, given: list[str], ids: list[str]
) -> None:
    people = find_people(shop.work.tables, shop.work.deployment, given)
    assert [person.source_customer_id for person in people] == ids
    secret = shop.work.deployment.secret
    assert [p.customer_key for p in people] == [customer_key_of("mill", own, secret) for own in ids]


def test_a_customer_key_is_one_too(shop: Shop) -> None:
    key = customer_key_of("mill", "7", shop.work.deployment.secret)
    (person,) = find_people(shop.work.tables, shop.work.deployment, [key.upper()])
    assert (person.source, person.source_customer_id) == ("mill", "7")


@pytest.mark.parametrize("ending", ["", "…"])
def test_a_key_as_the_pages_show_it_is_one_too(shop: Shop, ending: str) -> None:
    key = customer_key_of("mill", "7", shop.work.deployment.secret)
    given = [f"{short_key(key)}{ending}"]
    (person,) = find_people(shop.work.tables, shop.work.deployment, given)
    assert (person.source_customer_id, person.customer_key) == ("7", key)


def test_a_beginning_that_several_keys_have_is_nobody(tmp_path: Path) -> None:
    """By hand: two keys of a shop begin alike about never."""
    keys = ["ab" * 6 + "0" * 52, "ab" * 6 + "1" * 52, "cd" * 32]
    rows = {
        "source": ["mill"] * 3,
        "source_customer_id": ["1", "2", "ab" * 6],
        "customer_key": keys,
        "email": [None] * 3,
        "phone": [None] * 3,
    }
    schema = pa.schema([(name, pa.string()) for name in rows])
    write_deltalake(tmp_path / "silver" / "customers", pa.table(rows, schema))
    known = Tables(tmp_path)
    found = _known(known, ["ab" * 6 + "0", "ab" * 6])
    assert [person.customer_key for person in found["ab" * 6 + "0"]] == keys[:1]
    # An id is meant before the beginning of somebody's key.
    assert [person.customer_key for person in found["ab" * 6]] == keys[2:]
    with pytest.raises(UnknownPersonError, match="the keys of 2 customers begin so"):
        _known(known, [("ab" * 6) + "…"])


@pytest.mark.parametrize("given", ["nobody", "shop:7", "911", "ann@example.co", "' OR true --"])
def test_nobody_is_guessed(shop: Shop, given: str) -> None:
    with pytest.raises(UnknownPersonError, match="nobody in silver/customers is known by"):
        find_people(shop.work.tables, shop.work.deployment, ["7", given])


def test_a_file_names_one_a_line(tmp_path: Path) -> None:
    file = tmp_path / "list.txt"
    file.write_text("\ufeff# asked on Monday\n7\n\n ann@example.com \n", encoding="utf-8")
    assert read_list(file) == ["7", "ann@example.com"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no such file or directory; give a file that may be read"),
        (b"\xff\xfe", "expected text in UTF-8"),
        (b"# nobody\n", "it names nobody"),
    ],
)
def test_a_file_that_names_nobody_says_so(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "list.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UnknownPersonError, match=message):
        read_list(file)
