"""Counts of rows on their way into a table, right also where a worker is lost on the way.

Spark counts by `DataFrame.observe` in the pass that writes. When an executor is lost with what it
had shuffled, its tasks run once more, and Spark 4.1 then adds up what both runs have counted
(SPARK-58183). So it is counted, too, how often a partition was counted; and where that is more than
once, the rows are counted by a query of its own, whose result is exact.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from pyspark.sql import Column, DataFrame, Observation
from pyspark.sql import functions as F

_PARTITION, _PLACE = "_counted_partition", "_counted_place"
_TIMES, _PARTITIONS = "_counted_times", "_counted_partitions"
_ROWS_OF_A_PARTITION = (1 << 33) - 1
"""The bits of `monotonically_increasing_id` that number the rows of a partition, from 0."""


class Counts:
    """What is counted of a frame's rows when they are written.

    Args:
        rows: The frame; made of what its write does not change, so that it can be asked again.
        columns: Aggregates with names.

    Attributes:
        passing: The rows to write; the first action on them counts.
    """

    def __init__(self, rows: DataFrame, *columns: Column) -> None:
        self._rows = rows
        self._columns = columns
        self._observation = Observation()
        self._get: Mapping[str, Any] | None = None
        numbered = rows.withColumns(
            {
                _PARTITION: F.spark_partition_id(),
                _PLACE: F.monotonically_increasing_id().bitwiseAND(_ROWS_OF_A_PARTITION),
            }
        )
        self.passing = numbered.observe(
            self._observation,
            *columns,
            F.count_if(F.col(_PLACE) == 0).alias(_TIMES),
            F.collect_set(_PARTITION).alias(_PARTITIONS),
        ).drop(_PARTITION, _PLACE)

    @property
    def get(self) -> Mapping[str, Any]:
        """The counts by name; waits until the rows have passed."""
        if self._get is None:
            found = dict(self._observation.get)
            once = counted_once(found.pop(_TIMES, None), found.pop(_PARTITIONS, None))
            self._get = found if once else self._asked()
        return self._get

    def _asked(self) -> Mapping[str, Any]:
        row = self._rows.agg(*self._columns).first()
        assert row is not None
        return row.asDict()


def counted_once(times: int | None, partitions: Collection[int] | None) -> bool:
    """Whether no partition was counted twice.

    Args:
        times: How often the first row of a partition was counted; None: nothing was said.
        partitions: The partitions that had a row; None as well.
    """
    return times is not None and partitions is not None and times == len(partitions)
