"""Trees grown on Spark are the trees grown here, but for the order of sums."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb
from pyspark.sql import DataFrame, SparkSession
from sklearn.metrics import roc_auc_score

from customer360.models.churn import distributed
from customer360.models.churn.distributed import (
    TrainerError,
    design_columns,
    grown_on_spark,
    trains_on_spark,
    worker_count,
)
from customer360.models.churn.features import design_matrix, frequent_categories
from customer360.models.churn.fitting import (
    XGBOOST_PARAMETERS,
    grown,
    matrix,
    monotone_constraints,
)
from customer360_tests.models.churn_rows import GRID, dated

CATEGORIES = {"last_category": ("Books", "Ga.rden"), "last_channel": ("store", "web")}


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    found = dated(2_000)
    renamed = found["last_category"].map({"Garden": "Ga.rden", "Books": "Books"})
    return found[found["as_of"] != GRID.test].assign(
        last_category=renamed, customer_key=[f"c{n % 2_000}" for n in range(len(renamed) - 2_000)]
    )


@pytest.fixture(scope="module")
def on_spark(spark: SparkSession, rows: pd.DataFrame) -> DataFrame:
    # Spark knows null, not pandas' NaN, where a customer has no rhythm yet.
    given = rows.astype(object).mask(rows.isna(), None)
    types = {"as_of": "date", "churned": "int"}
    types |= dict.fromkeys(("customer_key", "last_category", "last_channel"), "string")
    schema = ", ".join(f"{name} {types.get(name, 'double')}" for name in rows.columns)
    return spark.createDataFrame(given.to_dict("split")["data"], schema).persist()


def test_the_columns_are_those_of_the_design_matrix(
    rows: pd.DataFrame, on_spark: DataFrame
) -> None:
    columns = design_columns(CATEGORIES)
    expected = design_matrix(rows, CATEGORIES)
    assert list(columns) == list(expected.columns)
    short = [column.alias(f"f{n}") for n, column in enumerate(columns.values())]
    found = on_spark.select(*short).toPandas()
    assert found.isna().sum().sum() == expected.isna().sum().sum() > 0
    for frame in (found, expected):
        frame.columns = pd.RangeIndex(len(columns))
    by_all = list(found.columns)
    pd.testing.assert_frame_equal(
        found.sort_values(by_all, ignore_index=True),
        expected.sort_values(by_all, ignore_index=True),
    )


def test_the_same_rows_give_the_same_trees(rows: pd.DataFrame, on_spark: DataFrame) -> None:
    names = list(design_matrix(rows.head(0), CATEGORIES).columns)
    settings = {
        **XGBOOST_PARAMETERS,
        "max_depth": 3,
        "min_child_weight": 10,
        "learning_rate": 0.1,
        "monotone_constraints": monotone_constraints(names),
        "seed": 0,
        "nthread": 1,
    }
    parts = [rows[rows["as_of"].isin(days)] for days in (GRID.training, [GRID.validation])]
    here, trees, loss = grown(settings, *(matrix(part, CATEGORIES) for part in parts))
    there, spark_trees, spark_loss = grown_on_spark(on_spark, GRID.validation, settings, CATEGORIES)
    test = dated(2_000)
    test = test[test["as_of"] == GRID.test]
    seen = xgb.DMatrix(design_matrix(test, CATEGORIES))
    found = [booster.predict(seen) for booster in (here, there)]
    aucs = [roc_auc_score(test["churned"], scores) for scores in found]
    assert there.feature_names == here.feature_names
    assert there.num_boosted_rounds() == spark_trees
    assert spark_trees == pytest.approx(trees, rel=0.5)
    assert spark_loss == pytest.approx(loss, abs=0.003)
    assert aucs[0] == pytest.approx(aucs[1], abs=0.005)
    assert np.abs(found[0] - found[1]).mean() < 0.02
    assert np.corrcoef(found)[0, 1] > 0.995
    # The signs hold there too.
    later = design_matrix(test.assign(days_since_last_purchase=181.0), CATEGORIES)
    assert (there.predict(xgb.DMatrix(later)) >= found[1] - 1e-6).all()


def test_who_trains_where(on_spark: DataFrame, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not trains_on_spark("local", on_spark, teaching=1_000, max_rows=10)
    assert trains_on_spark("spark", on_spark, teaching=1, max_rows=10)
    # Of this very session: what the driver is spared its workers would take on the same machine.
    assert not trains_on_spark("auto", on_spark, teaching=11, max_rows=10)
    monkeypatch.setattr(distributed, "is_local", lambda master: False)
    assert trains_on_spark("auto", on_spark, teaching=11, max_rows=10)
    assert not trains_on_spark("auto", on_spark, teaching=10, max_rows=10)


def test_spark_connect_is_refused_in_a_line() -> None:
    """Only where it was asked for; "auto" takes a sample then."""
    remote: Any = type("DataFrame", (), {"__module__": "pyspark.sql.connect.dataframe"})()
    with pytest.raises(TrainerError, match="needs a classic Spark session, and this is Spark Conn"):
        trains_on_spark("spark", remote, teaching=1, max_rows=10)
    assert not trains_on_spark("auto", remote, teaching=11, max_rows=10)


def on_cluster(**given: str) -> Any:
    """Rows of a classic session with such a configuration."""
    conf = {"spark.master": "spark://host:7077"}
    conf |= {f"spark.{name.replace('_', '.')}": value for name, value in given.items()}
    session = type("Session", (), {"conf": conf})()
    return type("DataFrame", (), {"sparkSession": session})()


def test_dynamic_allocation_is_refused_in_a_line() -> None:
    """Only where it was asked for; "auto" takes a sample then."""
    elastic = on_cluster(dynamicAllocation_enabled="true")
    with pytest.raises(TrainerError, match="Spark refuses them with dynamic allocation: set churn"):
        trains_on_spark("spark", elastic, teaching=1, max_rows=10)
    assert not trains_on_spark("auto", elastic, teaching=11, max_rows=10)
    assert not trains_on_spark("local", elastic, teaching=11, max_rows=10)
    # A local session has its one executor all the same.
    here = on_cluster(dynamicAllocation_enabled="true", master="local[2]")
    assert trains_on_spark("spark", here, teaching=1, max_rows=10)
    for staying in (on_cluster(), on_cluster(dynamicAllocation_enabled="false")):
        for trainer in ("spark", "auto"):
            assert trains_on_spark(trainer, staying, teaching=11, max_rows=10)


class Cluster:
    """A session of a cluster with so many cores, of which Spark's range has partitions."""

    def __init__(self, cores: int, given: dict[str, str]) -> None:
        self.conf = {"spark.master": "spark://host:7077"} | given
        self._parts = max(cores, 2)

    def range(self, end: int) -> Cluster:
        assert end > self._parts
        return self

    def selectExpr(self, *columns: str) -> Cluster:  # noqa: N802 - Spark's name
        return self

    def distinct(self) -> Cluster:
        return self

    def count(self) -> int:
        return self._parts


K8S = {"spark.master": "k8s://host", "spark.executor.instances": "4", "spark.executor.cores": "2"}
EXPLICIT = {"spark.default.parallelism": "100"}


@pytest.mark.parametrize(
    ("cores", "given", "workers"),
    [
        # Not asked: a master in this process says it.
        (7, {"spark.master": "local[3]"}, 3),
        (7, {"spark.master": "local"}, 1),
        (7, {"spark.master": "local[2,4]"}, 2),
        # What is there, and not what might be.
        (12, {}, 12),
        (12, {"spark.executor.instances": "4"}, 12),
        (4, {"spark.cores.max": "6", "spark.executor.cores": "4"}, 4),
        (6, K8S, 6),
        # Spark says two of one, too.
        (1, {}, 1),
        (2, {}, 1),
        (12, {"spark.task.cpus": "2"}, 6),
        (12, {"spark.task.cpus": "2", "spark.executor.cores": "3"}, 4),
        # Spark would give back what was stated.
        (12, EXPLICIT, 1),
        (12, EXPLICIT | {"spark.cores.max": "6"}, 6),
        (12, EXPLICIT | {"spark.cores.max": "6", "spark.executor.cores": "4"}, 4),
        (12, EXPLICIT | K8S, 8),
        (12, EXPLICIT | {"spark.master": "yarn"}, 1),
    ],
)
def test_as_many_workers_as_tasks_can_run(cores: int, given: dict[str, str], workers: int) -> None:
    assert worker_count(Cluster(cores, given)) == workers  # type: ignore[arg-type]


def test_spark_makes_as_many_partitions_of_a_range_as_it_has_cores(spark: SparkSession) -> None:
    assert distributed._partitions(spark) == worker_count(spark)


def test_the_categories_of_training_are_known_to_spark(rows: pd.DataFrame) -> None:
    assert frequent_categories(rows)["last_category"] == ("Books", "Ga.rden")
