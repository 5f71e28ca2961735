"""One small data set, made once, and ways to read its files back."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest

from customer360.sources.synthetic import DefectRates, Truth, generate

ARGUMENTS: dict[str, Any] = {
    "customers": 1_500,
    "start": date(2024, 1, 1),
    "end": date(2024, 6, 30),
    "seed": 7,
    # High enough that every defect happens often in a small data set.
    "defects": DefectRates().scaled(6),
}


def read_part(folder: Path, part: str) -> pd.DataFrame:
    """All raw rows of ``part`` as text, with the file and row they stand in."""
    frames = []
    for file in sorted((folder / part).glob("*/part-0.parquet")):
        frame = pq.read_table(file, partitioning=None).to_pandas()
        frame["file"], frame["row"] = str(file.relative_to(folder)), range(len(frame))
        frames.append(frame)
    return pd.concat(frames, ignore_index=True)


@pytest.fixture(scope="session")
def data_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A complete data set made from `ARGUMENTS`; tests only read it."""
    folder = tmp_path_factory.mktemp("synthetic")
    generate(folder, **ARGUMENTS)
    return folder


@pytest.fixture(scope="session")
def truth(data_set: Path) -> Truth:
    """The truth about `data_set`."""
    return Truth(data_set)


@pytest.fixture(scope="session")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same data set without defects; tests only read it."""
    folder = tmp_path_factory.mktemp("clean")
    generate(folder, **(ARGUMENTS | {"defects": DefectRates.none()}))
    return folder
