"""A Spark cluster that is not there, or has nobody who works."""

from __future__ import annotations

import threading
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from pyspark.sql import SparkSession

from customer360.lakehouse.session import check_workers
from customer360.lakehouse.standalone import see_master
from customer360.models.churn.distributed import trains_on_spark
from customer360_tests.bad_input.case import Case, Group


class WithoutWorkers:
    """A session as Spark gives it where no worker takes its jobs: they wait until interrupted."""

    def __init__(self) -> None:
        self.conf = {"spark.master": "spark://code:7077"}
        self.stopped = False
        self._interrupted = threading.Event()

    def range(self, *numbers: int) -> WithoutWorkers:
        return self

    def mapInArrow(self, *given: Any) -> WithoutWorkers:  # noqa: N802 - Spark's name
        return self

    def interruptAll(self) -> None:  # noqa: N802 - Spark's name
        self._interrupted.set()

    def stop(self) -> None:
        self.stopped = True

    def collect(self) -> list[Any]:
        assert self._interrupted.wait(60)
        raise RuntimeError("[SPARK_JOB_CANCELLED] Job 0 cancelled")


def _without_workers(folder: Path) -> None:
    check_workers(cast(SparkSession, WithoutWorkers()), seconds=0.1)


def _executors_that_go(folder: Path) -> None:
    conf = {"spark.master": "spark://code:7077", "spark.dynamicAllocation.enabled": "true"}
    rows: Any = SimpleNamespace(sparkSession=SimpleNamespace(conf=conf))
    trains_on_spark("spark", rows, teaching=1, max_rows=1)


CLUSTERS = Group(
    "Masters and workers",
    "",
    (
        Case(
            "master_away",
            "`CUSTOMER360_SPARK_MASTER=spark://127.0.0.1:1`, where nobody answers",
            "no Spark master answers at spark://127.0.0.1:1: start it, or set "
            "CUSTOMER360_SPARK_MASTER to another",
            function=lambda folder: see_master("spark://127.0.0.1:1", seconds=0),
        ),
        Case(
            "master_without_port",
            "`CUSTOMER360_SPARK_MASTER=spark://code`",
            "spark_master (spark://code): is no address of a Spark master; write spark://host:7077",
            function=lambda folder: see_master("spark://code", seconds=0),
        ),
        Case(
            "no_worker",
            "a master whose workers are gone, or have less memory than is asked",
            "no worker of spark://code:7077 has taken work in 0 seconds: see that workers run, and "
            "have the memory and cores that spark_conf asks of an executor (spark.executor.memory, "
            "spark.executor.cores)",
            function=_without_workers,
        ),
        Case(
            "churn_on_executors_that_go",
            "`CUSTOMER360_CHURN_TRAINER=spark` where executors come and go",
            "xgboost.spark needs all its tasks at once, and Spark refuses them with dynamic "
            "allocation: set churn_trainer to local or auto, or spark_conf's "
            'spark.dynamicAllocation.enabled to "false"',
            function=_executors_that_go,
        ),
    ),
)

GROUPS = (CLUSTERS,)
"""The groups of this subject, in the order of the page."""
