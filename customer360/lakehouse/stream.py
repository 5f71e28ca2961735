"""A DataFrame's rows by way of a scratch folder: streamed in order, or computed only once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from pyspark.sql import DataFrame

_BATCH_ROWS = 50_000


def ordered_batches(frame: DataFrame, scratch: Path) -> Iterator[pa.RecordBatch]:
    """The rows of ``frame``, which is sorted, in its order.

    Spark writes them in parallel into ``scratch`` and the driver reads one batch at a time, so
    neither holds all rows, and the plan runs once.

    Args:
        frame: Ends in ``orderBy``.
        scratch: A folder that does not exist yet and that the caller removes; the executors must
            see it too.
    """
    frame.write.parquet(str(scratch.absolute()))
    # Sorted partitions are numbered in order, and so are the files of one.
    for part in sorted(scratch.glob("part-*.parquet")):
        with pq.ParquetFile(part) as file:
            yield from file.iter_batches(batch_size=_BATCH_ROWS)


def materialised(frame: DataFrame, scratch: Path) -> DataFrame:
    """``frame`` computed and written to ``scratch``, to be used several times.

    Args:
        frame: Any rows.
        scratch: As in `ordered_batches`; kept as long as the result is used.
    """
    frame.write.parquet(str(scratch.absolute()))
    return frame.sparkSession.read.schema(frame.schema).parquet(str(scratch.absolute()))
