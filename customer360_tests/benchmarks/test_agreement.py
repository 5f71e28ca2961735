"""The same raw files through this pipeline and through DuckDB's own SQL make the same gold.

DuckDB's version (``benchmarks.duck``) shares none of our transformations: it is a second opinion
on what every gold column means. The data has every defect the generator knows, ten times as often
as usual.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import date
from pathlib import Path

import duckdb
import pytest
from pyspark.sql import SparkSession

from benchmarks import ours
from benchmarks.agreement import active_files, features_agreement, gold_agreement, silver_rows
from benchmarks.data import SECRET, Case
from benchmarks.duck import DuckPipeline
from customer360.days import DayRange
from customer360.lakehouse.tables import Lakehouse
from customer360.pipeline.workspace import Workspace
from customer360.sources.synthetic import DefectRates, generate

DAYS = DayRange(date(2024, 1, 25), date(2024, 3, 3))


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    case = Case(2_000, DAYS, tmp_path_factory.mktemp("benchmark"), "1g")
    generate(
        case.raw,
        customers=600,
        start=DAYS.first,
        end=DAYS.last,
        seed=7,
        defects=DefectRates().scaled(10),
    )
    return case


@pytest.fixture(scope="module")
def lakehouse(case, spark: SparkSession):
    deployment = case.deployment(case.home("ours"))
    lakehouse = Lakehouse(spark, deployment.settings.lakehouse_root)
    ours.load(Workspace(lakehouse, deployment, "test"), DAYS, [DAYS.last], checks=False)
    return Path(deployment.settings.lakehouse_root)


@pytest.fixture(scope="module")
def duck(case):
    pipeline = DuckPipeline(case.raw, case.home("duckdb"), SECRET.encode())
    pipeline.load(DAYS, DAYS.last)
    return pipeline


@pytest.fixture(scope="module")
def gold(lakehouse, duck):
    return {found.table: found for found in gold_agreement(lakehouse, duck.home)}


@pytest.mark.parametrize(
    "table",
    [
        "gold/customer_features",
        "gold/rfm_segments",
        "gold/cohort_retention",
        "gold/business_health",
    ],
)
def test_both_engines_make_the_same_gold(gold, table):
    found = gold[table]
    assert found.ours > 0
    assert (found.only_ours, found.only_theirs, found.differing) == (0, 0, {})


def test_the_comparison_is_of_a_business_worth_comparing(gold):
    # More customers than segments, every day of the range, and the three months' cohorts.
    assert gold["gold/customer_features"].ours > 300
    assert gold["gold/business_health"].ours == len(DAYS)
    assert gold["gold/cohort_retention"].ours == 6  # 3 + 2 + 1 months since


def test_silver_has_the_same_rows(lakehouse, duck):
    rows = silver_rows(lakehouse, duck.home)
    assert all(mine == theirs > 0 for mine, theirs in rows.values()), rows


@pytest.mark.parametrize("table", ["synthetic_transactions", "synthetic_customers"])
def test_quarantine_holds_the_same_rows_for_the_same_reasons(lakehouse, duck, table):
    files = [str(file) for file in active_files(lakehouse / "quarantine" / table)]
    sql = "SELECT _source_file, reasons, count(*) FROM read_parquet({!r}) GROUP BY ALL ORDER BY ALL"
    ours_found = duckdb.execute(sql.format(files)).fetchall()
    theirs = duck.home / "quarantine" / table / "data.parquet"
    assert ours_found == duckdb.execute(sql.format(str(theirs))).fetchall()
    assert ours_found


def test_a_difference_is_seen(case, lakehouse, duck, tmp_path):
    shutil.copytree(duck.home / "gold", tmp_path / "gold")
    file = tmp_path / "gold" / "business_health" / "data.parquet"
    changed = tmp_path / "changed.parquet"
    duckdb.execute(
        f"""COPY (SELECT * REPLACE (CASE WHEN business_date = DATE '2024-02-01'
            THEN net_revenue + 0.01 ELSE net_revenue END AS net_revenue)
        FROM '{file}' WHERE business_date <> DATE '2024-02-02') TO '{changed}'"""
    )
    changed.replace(file)
    found = {a.table: a for a in gold_agreement(lakehouse, tmp_path)}
    health = found["gold/business_health"]
    assert not health.holds
    assert (health.only_ours, health.only_theirs) == (1, 0)
    assert health.differing == {"net_revenue": 1}
    assert replace(health, only_ours=0, differing={}).holds


def test_a_difference_of_one_engine_s_features_is_seen(lakehouse, duck, tmp_path):
    same = duck.home / "gold" / "customer_features"
    duckdb.execute(
        f"""COPY (SELECT * REPLACE (overdue_ratio * (1 + 1e-15) AS overdue_ratio)
        FROM read_parquet('{same}/**/*.parquet', hive_partitioning = true))
        TO '{tmp_path}/data.parquet'"""
    )
    found, off = features_agreement(lakehouse, {"DuckDB": same, "other": tmp_path})
    assert (found.engine, found.holds) == ("DuckDB", True)
    assert (off.engine, off.holds, set(off.differing)) == ("other", False, {"overdue_ratio"})
