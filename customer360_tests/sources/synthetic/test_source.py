"""Reading the raw files with Spark, and mapping them to the canonical tables."""

from __future__ import annotations

import shutil
from datetime import UTC, date, datetime
from decimal import Decimal

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import functions as F

from customer360.bronze import ingest
from customer360.contracts import Contract
from customer360.days import DayRange
from customer360.errors import BrokenFileError
from customer360.silver import customers as silver_customers
from customer360.silver import transactions as silver_transactions
from customer360.sources.synthetic import SyntheticDataError, SyntheticSource
from customer360_tests.sources.synthetic.conftest import read_part

FIRST, LAST = date(2024, 1, 1), date(2024, 6, 30)
NOW = datetime(2024, 7, 1, tzinfo=UTC)
TABLES = {"synthetic_transactions": "transactions", "synthetic_customers": "customers"}


@pytest.fixture(scope="module")
def source(data_set):
    return SyntheticSource(data_set)


@pytest.fixture(scope="module")
def received(spark, source):
    return {
        table: ingest.received(
            source.read_raw(spark, table, FIRST, LAST),
            source.contract(table),
            ingested_at=NOW,
            run_id="test",
        ).cache()
        for table in source.tables
    }


@pytest.fixture(scope="module")
def bronze(source, received):
    return {
        table: ingest.accepted(frame, source.contract(table)) for table, frame in received.items()
    }


def bronze_frame(spark, table, rows):
    """Bronze rows from some of their columns; the rest is null."""
    contract = Contract.load(f"bronze/{table}")
    names = [*contract.column_names, "_source_file", "_delivered_on", "_row_hash"]
    kinds = dict.fromkeys(names, "string") | {"_delivered_on": "date", "_row_hash": "bigint"}
    return spark.createDataFrame(
        [tuple(row.get(name) for name in names) for row in rows],
        ", ".join(f"{name} {kind}" for name, kind in kinds.items()),
    )


# Reading -------------------------------------------------------------------------------------


def test_available_is_the_range_asked_for(source):
    assert source.available() == DayRange(FIRST, LAST)


@pytest.mark.parametrize(("table", "part"), TABLES.items())
def test_raw_rows_are_the_files_rows(spark, source, data_set, table, part):
    start, end = date(2024, 3, 3), date(2024, 3, 9)
    raw = source.read_raw(spark, table, start, end)
    contract = source.contract(table)
    assert raw.columns == [*contract.column_names, "_rescued", "_source_file", "_delivered_on"]
    found = raw.toPandas()
    files = read_part(data_set, part)
    days = files.file.str.extract(r"date=([\d-]+)")[0]
    wanted = files[(days >= "2024-03-03") & (days <= "2024-03-09")].drop(columns="row")
    assert (
        found._delivered_on.astype(str) == found._source_file.str.extract(r"=([\d-]+)")[0]
    ).all()
    assert found._rescued.isna().all()
    columns = list(contract.column_names)
    ours = found.rename(columns={"_source_file": "file"})[[*columns, "file"]].fillna("-")
    theirs = wanted[[*columns, "file"]].fillna("-")
    assert sorted(map(tuple, ours.to_numpy())) == sorted(map(tuple, theirs.to_numpy()))


def test_days_outside_the_data_have_no_rows(spark, source):
    before = source.read_raw(spark, "synthetic_transactions", date(2020, 1, 1), date(2020, 2, 1))
    assert before.count() == 0
    # A range that only overlaps gives the part that is there.
    overlap = source.read_raw(spark, "synthetic_transactions", date(2023, 12, 1), FIRST)
    assert {row[0] for row in overlap.select("_delivered_on").collect()} <= {FIRST}


def test_no_data_says_what_to_run(spark, tmp_path):
    with pytest.raises(SyntheticDataError, match=r"no complete data set in .*customer360 generate"):
        SyntheticSource(tmp_path).available()


def one_day_copy(data_set, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(data_set, copy)
    return copy, copy / "transactions" / "date=2024-02-01" / "part-0.parquet"


def read_one(spark, folder):
    day = date(2024, 2, 1)
    return SyntheticSource(folder).read_raw(spark, "synthetic_transactions", day, day)


def test_a_missing_day_is_a_broken_file(spark, data_set, tmp_path):
    copy, file = one_day_copy(data_set, tmp_path)
    file.unlink()
    with pytest.raises(BrokenFileError, match=r"part-0.parquet: expected a Parquet file, found"):
        read_one(spark, copy)


def test_a_missing_column_is_a_broken_file(spark, data_set, tmp_path):
    copy, file = one_day_copy(data_set, tmp_path)
    pq.write_table(pq.read_table(file, partitioning=None).drop_columns("amount"), file)
    with pytest.raises(BrokenFileError, match="amount"):
        read_one(spark, copy)


def test_a_column_that_is_not_text_is_a_broken_file(spark, data_set, tmp_path):
    copy, file = one_day_copy(data_set, tmp_path)
    table = pq.read_table(file, partitioning=None)
    at = table.schema.get_field_index("items")
    pq.write_table(table.set_column(at, "items", pa.array(range(len(table)))), file)
    with pytest.raises(BrokenFileError, match="expected text columns only, found items int64"):
        read_one(spark, copy)


def test_a_column_the_contract_does_not_know_is_rescued(spark, data_set, tmp_path):
    copy, file = one_day_copy(data_set, tmp_path)
    table = pq.read_table(file, partitioning=None)
    pq.write_table(table.append_column("voucher", pa.array(["V1"] * len(table))), file)
    day, next_day = date(2024, 2, 1), date(2024, 2, 2)
    raw = SyntheticSource(copy).read_raw(spark, "synthetic_transactions", day, next_day)
    rescued = {
        (row[0], row[1]) for row in raw.select("_delivered_on", "_rescued").distinct().collect()
    }
    assert rescued == {(day, '{"voucher":"V1"}'), (next_day, None)}


# Contracts -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "part"), TABLES.items())
def test_quarantine_is_exactly_what_the_truth_says(source, truth, received, table, part):
    """Every breaking defect is caught for its own reason, and nothing else is."""
    rejected = ingest.rejected(received[table], source.contract(table))
    found = rejected.select("_source_file", "reasons").toPandas()
    assert (found.reasons.str.len() == 1).all()
    found["reason"] = found.reasons.str[0]
    caught = found.groupby(["_source_file", "reason"]).size()
    known = truth.rows().to_pandas()
    broken = known[(known.table == part) & (known.effect == "quarantined")]
    expected = broken.groupby(["file", "reason"]).size()
    assert caught.to_dict() == expected.to_dict()
    assert broken.defect.nunique() == (6 if part == "transactions" else 4)


def test_unknown_customers_pass_bronze(truth, bronze):
    known = truth.rows().to_pandas()
    strangers = (known.defect == "unknown_customer").sum()
    passed = bronze["synthetic_transactions"].where(F.col("customer_id") >= "C90000000").count()
    assert passed == strangers > 0


# Mapping -------------------------------------------------------------------------------------


def test_staged_transactions(spark, source):
    frame = bronze_frame(
        spark,
        "synthetic_transactions",
        [
            {
                "order_id": "O000000000001",
                "kind": "sale",
                "customer_id": " C00000007 ",
                "occurred_at": "2024-03-01 23:59:59",
                "amount": "12.50",
                "currency": "USD",
                "items": "3",
                "channel": "web",
                "category": "\u00a0HOME & GARDEN",
                "payment_type": "wallet",
                "_delivered_on": date(2024, 3, 1),
                "_row_hash": 11,
            },
            {
                "order_id": "R000000000001",
                "kind": "refund",
                "related_order_id": "O000000000001",
                "customer_id": "C00000007",
                "occurred_at": "2024-03-05 08:00:00",
                "amount": "2.00",
                "currency": "USD",
                "items": "1",
                "channel": "web",
                "category": "Home & Garden",
                "payment_type": "wallet",
                "_delivered_on": date(2024, 3, 7),
                "_row_hash": 12,
            },
        ],
    )
    rows = source.staged_transactions({"synthetic_transactions": frame}).orderBy("order_id")
    sale, refund = (row.asDict() for row in rows.collect())
    assert sale == {
        "order_id": "O000000000001",
        "line_key": "",
        "source_customer_id": "C00000007",
        "kind": "sale",
        "occurred_at": datetime(2024, 3, 1, 23, 59, 59),
        "amount": Decimal("12.50"),
        "currency": "USD",
        "items": 3,
        "channel": "web",
        "payment_type": "wallet",
        "installments": None,
        "freight": None,
        "product_id": None,
        "category": "Home & Garden",
        "related_order_id": None,
        "delivered_on": None,
        "review_score": None,
        "reviewed_on": None,
        "changed_at": None,
        "excluded_because": None,
        "_source_file": None,
        "_delivered_on": date(2024, 3, 1),
        "_row_hash": 11,
    }
    assert refund["kind"] == "refund"
    assert refund["related_order_id"] == "O000000000001"
    assert refund["amount"] == Decimal("2.00")
    assert refund["_delivered_on"] == date(2024, 3, 7)


def test_staged_customers(spark, source):
    frame = bronze_frame(
        spark,
        "synthetic_customers",
        [
            {
                "customer_id": "C00000007",
                "name": "JoÃ£o Silva",
                "email": "joao@example.com",
                "phone": "+55 55500000001",
                "address": "12 Rua A",
                "city": "SÃ£o Paulo",
                "state": "SP",
                "postal_code": "01310-100",
                "country": "BR",
                "birth_date": "1980-02-29",
                "tax_id": "900000001",
                "acquisition_channel": "social",
                "loyalty_tier": "gold",
                "marketing_consent": "true",
                "signed_up_on": "2024-01-02",
                "updated_at": "2024-03-01 10:00:00",
                "_delivered_on": date(2024, 3, 1),
                "_row_hash": 5,
            }
        ],
    )
    (row,) = source.staged_customers({"synthetic_customers": frame}).collect()
    assert row.asDict() == {
        "source_customer_id": "C00000007",
        "name": "João Silva",
        "email": "joao@example.com",
        "phone": "+55 55500000001",
        "address": "12 Rua A",
        "birth_date": date(1980, 2, 29),
        "tax_id": "900000001",
        "city": "São Paulo",
        "state": "SP",
        "postal_code": "01310-100",
        "country": "BR",
        "acquisition_channel": "social",
        "loyalty_tier": "gold",
        "marketing_consent": True,
        "signed_up_on": date(2024, 1, 2),
        "updated_at": datetime(2024, 3, 1, 10),
        "_delivered_on": date(2024, 3, 1),
        "_row_hash": 5,
    }


def test_names_that_were_decoded_well_stay_as_they_are(spark, source):
    names: list[str | None] = [
        "João",
        "Ana Ávila",
        "Ã",
        "Müller Ã",
        "Łukasz Ã£",
        "Ünal",
        "Smith",
        None,
    ]
    # A pound sign read in the wrong encoding; the others are plain, or no valid UTF-8.
    wrong = ["Â£"]
    frame = bronze_frame(
        spark,
        "synthetic_customers",
        [{"customer_id": f"C{n:08d}", "name": name} for n, name in enumerate([*names, *wrong])],
    )
    rows = source.staged_customers({"synthetic_customers": frame}).orderBy("source_customer_id")
    assert [row.name for row in rows.collect()] == [*names, "£"]


def test_untidy_text_is_restored_by_the_source_and_silver(source, truth, bronze):
    known = truth.rows().to_pandas().query("effect == 'repaired'")
    orders = silver_transactions.prepared(
        source.staged_transactions(bronze), source="synthetic", secret=b"s", time_zone="UTC"
    ).select("order_id", "channel", "category", "payment_type")
    people = silver_customers.prepared(
        source.staged_customers(bronze), source="synthetic", secret=b"s"
    ).select("source_customer_id", "updated_at", "name", "city", "email")
    restored = 0
    for frame, keys in (
        (orders.toPandas(), ["order_id"]),
        (people.toPandas(), ["source_customer_id", "event_at"]),
    ):
        frame = frame.rename(columns={"updated_at": "event_at"})
        for column, group in known.groupby("column"):
            if column not in frame.columns:
                continue
            group = group.rename(columns={"row_id": keys[0]}).assign(
                event_at=group.event_at.dt.tz_localize(None)
            )
            pairs = group.merge(frame.assign(), on=keys)
            assert len(pairs) >= len(group)
            wrong = pairs[pairs[column] != pairs.clean_value]
            assert wrong.empty, wrong[[column, "clean_value"]].head().to_string()
            restored += len(pairs)
    assert restored > 300
    assert set(known.column) == {
        "category", "channel", "payment_type", "customer_id", "name", "city", "email",
    }  # fmt: skip


def test_untidy_customer_ids_are_the_customers_own(source, truth, bronze):
    known = truth.rows().to_pandas().query("effect == 'repaired' and column == 'customer_id'")
    staged = source.staged_transactions(bronze).select("order_id", "source_customer_id").toPandas()
    pairs = known.merge(staged, left_on="row_id", right_on="order_id")
    assert (pairs.source_customer_id == pairs.clean_value).all()
    assert pd.Series(pairs.row_id).nunique() == len(known) > 0
