"""Bounding the rows that a check or a comparison looks at, without chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.gold.rare_values import OTHER, SMALLEST_GROUP
from customer360.models.notes import Note
from customer360.models.windows import AsOfGrid


@dataclass(frozen=True)
class DatedRows:
    """Labelled rows by what their as-of dates are for.

    Attributes:
        labelled: All of them, as they came.
        learn: Rows that a model is fitted to.
        validate: Rows of the date that chooses and calibrates.
        test: Rows of the latest date, which no fit and no choice sees.
        grid: The dates.
        all_rows: Rows there were before sampling.
    """

    labelled: pd.DataFrame
    learn: pd.DataFrame
    validate: pd.DataFrame
    test: pd.DataFrame
    grid: AsOfGrid
    all_rows: int

    @classmethod
    def of(cls, frame: pd.DataFrame, grid: AsOfGrid, all_rows: int | None = None) -> Self:
        """The rows of ``frame`` by its column ``as_of``; a sample of ``all_rows`` where given."""
        learn, validate, test = (
            frame[frame["as_of"].isin(days)].reset_index(drop=True)
            for days in (grid.training, [grid.validation], [grid.test])
        )
        before = len(frame) if all_rows is None else all_rows
        return cls(frame, learn, validate, test, grid, before)

    @property
    def teaching(self) -> pd.DataFrame:
        """All rows but those that test."""
        return pd.concat([self.learn, self.validate], ignore_index=True)

    def parameters(self) -> dict[str, float | int | str]:
        """Dates and sizes, to log."""
        return {
            "test_as_of": self.grid.test.isoformat(),
            "validation_as_of": self.grid.validation.isoformat(),
            "training_as_of": ", ".join(day.isoformat() for day in sorted(self.grid.training)),
            "training_rows": len(self.learn),
            "validation_rows": len(self.validate),
            "test_rows": len(self.test),
            "rows_before_sampling": self.all_rows,
        }

    def notes(self) -> tuple[Note, ...]:
        """What a reader must know when not all rows were taken; nothing when they were."""
        taken = len(self.learn) + len(self.validate) + len(self.test)
        if taken == self.all_rows:
            return ()
        return (Note("sampled", {"taken": taken, "all": self.all_rows}),)


def every_nth(rows: pd.DataFrame, most: int) -> pd.DataFrame:
    """All rows, or every n-th when there are more than ``most``.

    Training rows are ordered by date and features, so every n-th keeps the shares of both, and is
    the same whenever it is taken.
    """
    return rows.iloc[:: max(-(-len(rows) // most), 1)]


def halves(rows: pd.DataFrame) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Every other row, and the rest: what has learnt from one judges the other."""
    first = np.arange(len(rows)) % 2 == 0
    return first, ~first


def sampled_rows(
    rows: DataFrame,
    grid: AsOfGrid,
    max_rows: int,
    *,
    numbers: Sequence[str],
    texts: Sequence[str],
    labels: Sequence[str],
    smallest_group: int = SMALLEST_GROUP,
) -> tuple[pd.DataFrame, dict[date, int]]:
    """Bring a bounded sample to the driver, with how many rows each as-of date really has.

    At most ``max_rows`` teach (training and validation dates together) and at most as many test.
    All rows are taken where they fit. Otherwise a hash of (as-of, customer) decides, so the same
    customers are taken whenever it is run.

    Args:
        rows: Labelled rows, with ``as_of`` and ``customer_key``.
        grid: Which of the dates tests.
        max_rows: Limit.
        numbers: Columns to bring as doubles.
        texts: Columns to bring as they are.
        labels: Columns that are learnt, to bring as they are.
        smallest_group: Customers of the sample that must share a text on a date; else it is
            `customer360.gold.rare_values.OTHER`. A model keeps the texts that it knows, and whoever
            may see the model may read them.

    Returns:
        ``as_of``, labels, numbers and texts, in an order that rests on them alone.
    """
    sizes: dict[date, int] = {
        row["as_of"]: row["n"]
        for row in rows.groupBy("as_of").agg(F.count("*").alias("n")).collect()
    }
    teaching = sum(count for day, count in sizes.items() if day != grid.test)
    parts = 1_000_000

    def threshold(count: int) -> int:
        # Two per cent below the limit: a hash does not hit a share exactly, and it is a limit.
        return parts if count <= max_rows else int(parts * max_rows / count * 0.98)

    limit = F.when(F.col("as_of") == F.lit(grid.test), threshold(sizes.get(grid.test, 0)))
    drawn = F.pmod(F.xxhash64("as_of", "customer_key"), F.lit(parts))
    frame = (
        rows.where(drawn < limit.otherwise(threshold(teaching)))
        .select("as_of", *labels, *(F.col(name).cast("double") for name in numbers), *texts)
        .toArrow()
        .to_pandas()
    )
    for name in texts:
        people = frame.groupby(["as_of", name])[name].transform("size")
        frame[name] = frame[name].mask(people < smallest_group, OTHER)
    # Ordered by what the rows say, not by whose they are: customer keys depend on a secret, and
    # sums of floats on the order of rows; the model must depend on neither.
    return frame.sort_values(["as_of", *numbers, *texts, *labels], ignore_index=True), sizes
