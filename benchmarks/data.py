"""The data that is measured on, and the deployments that work on it."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.settings import Settings, load_settings
from customer360.sources.synthetic import Behaviour, Manifest, customers_for, generate

SECRET = "benchmark"
DAYS = DayRange(date(2024, 1, 1), date(2025, 12, 31))


@dataclass(frozen=True)
class Case:
    """One data set: how many transactions, over which days, and where it is kept.

    Attributes:
        transactions: Orders and refunds, about.
        days: Delivery days.
        folder: Holds ``raw`` and a deployment's home for each thing measured.
        driver_memory: Heap of the Spark driver.
    """

    transactions: int
    days: DayRange
    folder: Path
    driver_memory: str

    @property
    def raw(self) -> Path:
        """The raw files, shared by all deployments."""
        return self.folder / "raw"

    @property
    def shuffle_partitions(self) -> int:
        """Shuffle partitions that suit the size: about a million rows a task, at least 4."""
        return max(4, round(self.transactions / 1_250_000))

    def home(self, name: str, *, fresh: bool = True) -> Path:
        """Folder of the deployment ``name``, emptied unless it is to be kept."""
        home = self.folder / name
        if fresh:
            shutil.rmtree(home, ignore_errors=True)
        (home / "raw").mkdir(parents=True, exist_ok=True)
        link = home / "raw" / "synthetic"
        if not link.exists():
            link.symlink_to(self.raw.absolute(), target_is_directory=True)
        return home

    @property
    def lakehouse(self) -> Path:
        """The tables that our own warm load makes."""
        return self.folder / "ours" / "lakehouse"

    def frames(self, library: str) -> Path:
        """Folder for the features that ``library`` makes."""
        folder = self.folder / "frames" / library
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def settings(self, home: Path, **more: Any) -> Settings:
        """Settings of a deployment at ``home`` over this data, with ``more`` of them."""
        return load_settings(
            home,
            sources=["synthetic"],
            start_date=self.days.first,
            end_date=self.days.last,
            customer_key_secret=SECRET,
            spark_driver_memory=self.driver_memory,
            spark_shuffle_partitions=self.shuffle_partitions,
            **more,
        )

    def deployment(self, home: Path, **more: Any) -> Deployment:
        """The deployment at ``home``, with ``more`` settings."""
        return Deployment.of(self.settings(home, **more))

    def generate(self) -> Manifest:
        """Make the raw files, unless they are there."""
        # A refund is a row of its own: 4 % of the orders, by default.
        behaviour = Behaviour()
        orders = round(self.transactions / (1 + behaviour.refund_rate))
        customers = customers_for(orders, behaviour, self.days.first, self.days.last)
        return generate(
            self.raw,
            customers=customers,
            start=self.days.first,
            end=self.days.last,
            behaviour=behaviour,
            overwrite=True,
        )


def event_log(folder: Path) -> dict[str, str]:
    """What lets Spark tell all it does in files of ``folder`` that can be read as they are."""
    return {
        "spark.eventLog.enabled": "true",
        "spark.eventLog.dir": folder.absolute().as_uri(),
        "spark.eventLog.rolling.enabled": "false",
        "spark.eventLog.compress": "false",
    }


def written(folder: Path) -> tuple[int, int]:
    """Parquet files below ``folder``, and their bytes."""
    sizes = [file.stat().st_size for file in folder.rglob("*.parquet") if _is_data(file)]
    return len(sizes), sum(sizes)


def _is_data(file: Path) -> bool:
    return not file.name.startswith(".") and "_delta_log" not in file.parts
