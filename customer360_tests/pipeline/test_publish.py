"""The warehouse follows the lakehouse: with what changed, and as a whole when it must."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.deployment import Deployment
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.publish import (
    publish_health,
    publish_suppressed_customers,
    publish_table,
)
from customer360.pipeline.workspace import Workspace, days_note
from customer360.serving.suppression import SuppressionError
from customer360.serving.warehouse import Warehouse, open_warehouse
from customer360.settings import load_settings
from customer360_tests.serving.frames import customers_of
from customer360_tests.stored import put

EQUITY = "gold/customer_equity"
FIRST, SECOND, THIRD, FOURTH = (date(2024, month, 1) for month in (1, 2, 3, 4))


@pytest.fixture(scope="module")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Warehouse:
    return open_warehouse(load_settings(tmp_path_factory.mktemp("home")))


@pytest.fixture
def clean(warehouse: Warehouse) -> Iterator[None]:
    yield
    with warehouse.owner.connect() as owner:
        for table in ("gold.customer_equity", "serving.publications"):
            owner.execute(f"DROP TABLE IF EXISTS {table} CASCADE")


def workspace(spark: SparkSession, home: Path, **settings: Any) -> Workspace:
    given = {"warehouse_snapshots": 3, "customer_key_secret": "known to the tests"}
    deployment = Deployment.of(load_settings(home, **given, **settings))
    return Workspace(Lakehouse(spark, home / "lakehouse"), deployment, "run")


def snapshot(work: Workspace, customers: int, *days: date) -> None:
    """Snapshots of ``days`` as gold writes them."""
    rows = [(day, customers, 1.5, 1.0, 2.0, "lifetime_value", "1") for day in days]
    frame = work.spark.createDataFrame(rows, spark_schema(Contract.load(EQUITY)))
    work.lakehouse.replace_days(Contract.load(EQUITY), frame, "as_of", days, note=days_note(days))


def there(warehouse: Warehouse) -> list[tuple[date, int]]:
    with warehouse.reader.connect() as reader:
        query = "SELECT as_of, customers FROM gold.customer_equity ORDER BY 1"
        return reader.execute(query).fetchall()


@pytest.mark.usefixtures("clean")
def test_a_copy_gets_the_days_that_changed_and_keeps_the_newest(
    spark: SparkSession, warehouse: Warehouse, tmp_path: Path
) -> None:
    work = workspace(spark, tmp_path)
    assert publish_table(work, warehouse, EQUITY) is None  # nothing was made yet
    snapshot(work, 10, FIRST, SECOND)
    done = publish_table(work, warehouse, EQUITY)
    assert done is not None
    assert (done.rows, done.changed) == (2, 2)
    assert publish_table(work, warehouse, EQUITY) is None  # nothing changed since

    snapshot(work, 20, SECOND)
    snapshot(work, 30, THIRD)
    done = publish_table(work, warehouse, EQUITY)
    assert done is not None
    assert (done.rows, done.changed) == (2, 2)  # of two commits, and not the first day again
    assert there(warehouse) == [(FIRST, 10), (SECOND, 20), (THIRD, 30)]

    snapshot(work, 40, FOURTH)
    done = publish_table(work, warehouse, EQUITY)
    assert done is not None
    assert (done.changed, done.removed) == (1, 1)
    assert there(warehouse) == [(SECOND, 20), (THIRD, 30), (FOURTH, 40)]


@pytest.mark.usefixtures("clean")
def test_a_lakehouse_made_anew_is_published_as_a_whole(
    spark: SparkSession, warehouse: Warehouse, tmp_path: Path
) -> None:
    """Its versions start again, so a number that is known says nothing."""
    snapshot(work := workspace(spark, tmp_path / "one"), 10, FIRST, SECOND)
    publish_table(work, warehouse, EQUITY)
    snapshot(anew := workspace(spark, tmp_path / "two"), 99, SECOND)
    assert anew.lakehouse.version(EQUITY) == work.lakehouse.version(EQUITY)
    publish_table(anew, warehouse, EQUITY)
    assert there(warehouse) == [(SECOND, 99)]


@pytest.mark.usefixtures("clean")
def test_a_column_that_is_new_is_filled_for_every_day(
    spark: SparkSession, warehouse: Warehouse, tmp_path: Path
) -> None:
    work = workspace(spark, tmp_path)
    snapshot(work, 10, FIRST, SECOND)
    publish_table(work, warehouse, EQUITY)
    with warehouse.owner.connect() as owner:
        owner.execute("ALTER TABLE gold.customer_equity DROP COLUMN customers")
    publish_table(work, warehouse, EQUITY)  # the version is the one that is known
    assert there(warehouse) == [(FIRST, 10), (SECOND, 10)]


def test_rows_received_are_accepted_or_refused_and_a_deleted_one_is_neither(
    spark: SparkSession, warehouse: Warehouse, tmp_path: Path
) -> None:
    work = workspace(spark, tmp_path)
    day = FIRST
    accepted = spark.createDataFrame([(day, "a"), (day, "b")], "_delivered_on date, id string")
    refused = spark.createDataFrame(
        [
            (day, ["amount:minimum", "channel:pattern"]),
            (day, ["amount:minimum"]),
            (day, ["deleted_at_source"]),
        ],
        "_delivered_on date, reasons array<string>",
    )
    for table in ("synthetic_customers", "synthetic_transactions"):
        stamped = "*", "timestamp'2024-01-02 03:00:00' AS _ingested_at"
        put(work.lakehouse, f"bronze/{table}", accepted.selectExpr(*stamped))
        put(work.lakehouse, f"quarantine/{table}", refused.selectExpr(*stamped))
    for _ in range(2):  # the second time changes nothing
        publish_health(work, warehouse)
    with warehouse.reader.connect() as reader:
        accounts = reader.execute(
            "SELECT table_name, business_date, received, accepted, quarantined "
            "FROM serving.row_accounting ORDER BY 1"
        ).fetchall()
        reasons = reader.execute(
            "SELECT reason, rows FROM serving.quarantine "
            "WHERE table_name = 'quarantine/synthetic_customers' ORDER BY 1"
        ).fetchall()
    assert accounts == [
        ("bronze/synthetic_customers", day, 4, 2, 2),
        ("bronze/synthetic_transactions", day, 4, 2, 2),
    ]
    assert reasons == [("amount:minimum", 2), ("channel:pattern", 1), ("deleted_at_source", 1)]


def suppressed(warehouse: Warehouse) -> list[str]:
    with warehouse.reader.connect() as reader:
        found = reader.execute("SELECT * FROM serving.suppressed_customers ORDER BY 1")
        return [key for (key,) in found.fetchall()]


def test_whom_the_suppression_list_names_is_published_by_key_alone(
    spark: SparkSession, warehouse: Warehouse, tmp_path: Path
) -> None:
    by_mail, by_phone, by_key, other = (digit * 64 for digit in "abcd")
    customers: dict[str, dict[str, Any]] = {
        by_mail: {"email": "john_smith@gmail.com", "phone": "2125550100"},
        by_phone: {"phone": "6505551212"},
        by_key: {"marketing_consent": False},
        other: {"email": "other@example.com"},
    }
    unsuppressed = workspace(spark, tmp_path, suppression_path=None)
    publish_suppressed_customers(unsuppressed, warehouse)
    assert suppressed(warehouse) == []

    stop = tmp_path / "stop.csv"
    work = workspace(spark, tmp_path, suppression_path=stop, default_country="US")
    publish_suppressed_customers(work, warehouse)  # there are no customers yet
    assert suppressed(warehouse) == []

    put(work.lakehouse, "silver/customers", spark.createDataFrame(customers_of(customers)))
    stop.write_text(
        "email,phone,customer_key\n"
        "John_Smith@gmail.com,212 555 0100,\n"  # twice the same customer
        f",(650) 555-1212,\n,,{by_key}\n,,{'e' * 64}\nnobody@example.com,,\n"
    )
    done = publish_suppressed_customers(work, warehouse)
    assert suppressed(warehouse) == [by_mail, by_phone, by_key]
    assert (done.rows, done.changed, done.removed) == (3, 3, 0)

    stop.write_text("email\nnobody\n")
    with pytest.raises(SuppressionError, match=r"stop\.csv, row 2, column email"):
        publish_suppressed_customers(work, warehouse)
    assert suppressed(warehouse) == [by_mail, by_phone, by_key]
    assert list((tmp_path / "exports").iterdir()) == []  # no contact is left behind

    stop.write_text(f"customer_key\n{by_key}\n")
    done = publish_suppressed_customers(work, warehouse)
    assert suppressed(warehouse) == [by_key]
    assert (done.rows, done.changed, done.removed) == (1, 0, 2)
