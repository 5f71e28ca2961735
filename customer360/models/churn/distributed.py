"""Growing the trees on a Spark cluster, for labelled rows that do not fit on the driver.

`xgboost.spark` trains inside Spark's tasks: every task holds its part of the rows, and they agree
on each split. It runs a barrier stage on Spark's RDDs, which a Spark Connect session does not
have: it needs a classic session, and free slots for all its tasks at once, which Spark refuses
where executors come and go (dynamic allocation, SPARK-24942). Everything else of a training, from
tuning to judging, stays on the driver's sample.

In process it is faster as long as the rows fit (1 M rows x 30 features: 6 s against 9-19 s).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import xgboost as xgb
from pyspark.sql import Column, DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.errors import Customer360Error
from customer360.lakehouse.masters import is_local, is_standalone
from customer360.models.churn.features import NUMERIC_FEATURES, column_name
from customer360.models.churn.fitting import MOST_ROUNDS, PATIENCE, Grown, default_threads

Trainer = Literal["auto", "local", "spark"]

_SPARK_NAMES = {"lambda": "reg_lambda", "seed": "random_state"}
"""XGBoost's parameters that `xgboost.spark` knows by scikit-learn's names."""

_NOT_FOR_SPARK = ("objective", "nthread")
"""Its classifier has the first by nature; the second is Spark's ``spark.task.cpus``."""

_DYNAMIC = "spark.dynamicAllocation.enabled"

_MORE_THAN_CORES = 100_000
"""More numbers than any cluster has cores: each of its partitions has one."""


class TrainerError(Customer360Error):
    """The trainer that was asked for cannot work here."""


def is_classic(rows: DataFrame) -> bool:
    """False for a DataFrame of a Spark Connect session."""
    return not type(rows).__module__.startswith("pyspark.sql.connect")


def trains_on_spark(trainer: Trainer, rows: DataFrame, teaching: int, max_rows: int) -> bool:
    """Whether `xgboost.spark` grows the trees.

    Args:
        trainer: "local": never, "spark": always, "auto": when there are more rows than the driver
            may hold, the session is a classic one with executors that stay, and its workers are
            other machines: on this one they would take the memory that the driver is spared.
        rows: The labelled rows, for their session.
        teaching: How many rows there are to learn and validate on.
        max_rows: How many the driver may hold.

    Raises:
        TrainerError: "spark" in a Spark Connect session, or with dynamic allocation.
    """
    if trainer == "local" or (trainer == "auto" and teaching <= max_rows):
        return False
    if trainer == "auto":
        spark = rows.sparkSession if is_classic(rows) else None
        return spark is not None and not is_local(_master(spark)) and not _comes_and_goes(spark)
    if not is_classic(rows):
        raise TrainerError(
            "xgboost.spark needs a classic Spark session, and this is Spark Connect: set "
            "churn_trainer to local or auto, or spark_master to a master"
        )
    if _comes_and_goes(rows.sparkSession):
        raise TrainerError(
            "xgboost.spark needs all its tasks at once, and Spark refuses them with dynamic "
            "allocation: set churn_trainer to local or auto, or spark_conf's "
            f'{_DYNAMIC} to "false"'
        )
    return True


def _comes_and_goes(spark: SparkSession) -> bool:
    """Whether executors do; in a local session Spark passes over that setting."""
    stated = spark.conf.get(_DYNAMIC, None) or "false"
    return stated.lower() == "true" and not is_local(_master(spark))


def _master(spark: SparkSession) -> str:
    return spark.conf.get("spark.master", None) or "local[1]"


def worker_count(spark: SparkSession) -> int:
    """Tasks that can run at once: more, and their stage waits for ten minutes and fails."""
    master = _master(spark)
    if is_local(master):
        threads = master.removeprefix("local").strip("[]").split(",")[0] or "1"
        return default_threads() if threads == "*" else int(threads)

    def stated(name: str, default: int) -> int:
        return int(spark.conf.get(name, None) or default)

    own = stated("spark.executor.cores", 0)
    if spark.conf.get("spark.default.parallelism", None) is None:
        cores = _cores_there(spark)
    elif is_standalone(master):
        # As many as can be, in executors of so many; they may be fewer, but nothing else says.
        cores = stated("spark.cores.max", 1)
    else:
        cores = stated("spark.executor.instances", 1) * (own or 1)
    each = own or cores
    return max(1, cores // each * (each // stated("spark.task.cpus", 1)))


def _cores_there(spark: SparkSession) -> int:
    """Cores of all executors that the cluster has now; 1 where they are two.

    Unless ``spark.default.parallelism`` is set, Spark makes as many partitions of a range: "total
    number of cores on all executor nodes or 2, whichever is larger"
    (https://spark.apache.org/docs/4.1.1/configuration.html#execution-behavior). So 2 can be 1.
    """
    cores = _partitions(spark)
    return cores if cores > 2 else 1


def _partitions(spark: SparkSession) -> int:
    """Partitions of a range, where nothing says how many."""
    numbers = spark.range(_MORE_THAN_CORES).selectExpr("spark_partition_id() AS part")
    return numbers.distinct().count()


def design_columns(categories: Mapping[str, Sequence[str]]) -> dict[str, Column]:
    """`features.design_matrix` as Spark columns, by the same names in the same order."""
    missing = F.lit(float("nan"))
    columns = {name: F.coalesce(F.col(name).cast("double"), missing) for name in NUMERIC_FEATURES}
    for name, values in categories.items():
        for value in values:
            equal = F.coalesce(F.col(name) == value, F.lit(False))
            columns[column_name(name, value)] = equal.cast("double")
    return columns


def grown_on_spark(
    rows: DataFrame,
    validation: date,
    settings: Mapping[str, Any],
    categories: Mapping[str, Sequence[str]],
) -> Grown:
    """Trees grown by `xgboost.spark`, the same kind of booster as `fitting.grown`'s.

    Args:
        rows: Labelled rows of the training dates and of the validation date, with
            ``customer_key``.
        validation: The date to stop early on.
        settings: XGBoost's parameters, under the names that ``xgboost.train`` knows.
        categories: From `features.frequent_categories`.

    Raises:
        TrainerError: The session is Spark Connect's, or has dynamic allocation.
    """
    trains_on_spark("spark", rows, 0, 0)
    from xgboost.spark import SparkXGBClassifier

    workers = worker_count(rows.sparkSession)
    columns = design_columns(categories)
    prepared = rows.select(
        "customer_key",
        F.col("churned").cast("double").alias("churned"),
        (F.col("as_of") == F.lit(validation)).alias("is_validation"),
        # As one array: xgboost.spark stumbles over single columns (KeyError "values") where a
        # batch has rows of one side only.
        F.array(*columns.values()).alias("features"),
        # By customer, so that every task has rows of both sides, and the same ones every time.
    ).repartition(workers, "customer_key")
    given = {
        _SPARK_NAMES.get(name, name): value
        for name, value in settings.items()
        if name not in _NOT_FOR_SPARK
    }
    classifier = SparkXGBClassifier(
        features_col="features",
        label_col="churned",
        validation_indicator_col="is_validation",
        num_workers=workers,
        n_estimators=MOST_ROUNDS,
        early_stopping_rounds=PATIENCE,
        verbose=False,
        **given,
    )
    trained: xgb.Booster = classifier.fit(prepared).get_booster()
    trees = int(trained.best_iteration) + 1
    booster = trained[:trees]
    booster.feature_names = list(columns)
    booster.feature_types = None
    return booster, trees, float(trained.best_score)
