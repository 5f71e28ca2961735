"""The truth beside the data: what each customer is like and which rows are defective, and how.

``truth/manifest.json`` says what was asked for and what was made; it is written last, so a
folder without it is not a data set. Beside it:

``customers.parquet``, one row a customer:
    customer_id, cohort, purchase_rate (lambda, purchases a shop day while alive), dropout
    (p, chance to leave after each repeat purchase), mean_order_value (dollars), signed_up_on,
    first_purchase_at, last_purchase_at, died_at (UTC; null while alive at the end of the range),
    orders; and in shop time, days: frequency (repeat purchases), recency, T. In shop time the
    BG/NBD holds exactly, whatever the seasons; with ``seasonality=0`` it is calendar time.
``rows.parquet``, one row a defective raw row:
    table, row_id (order_id or customer_id as it ought to be), file (relative to the data set),
    row (from 0, within the file), defect, effect (quarantined, excluded, repaired, duplicate,
    late), column and reason (of the contract rule that must catch it), clean_value (the text
    before it was damaged), event_at, delivered_on.
``shop_time.parquet``, one row a day:
    date, weight (shop days in that day), elapsed (shop days before it).
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from customer360.errors import Customer360Error
from customer360.sources.synthetic.behaviour import Behaviour
from customer360.sources.synthetic.defects import DefectRates

GENERATOR = 1
"""Version of the generator: raised whenever the same arguments would make other data."""

CUSTOMERS_SCHEMA = pa.schema(
    [
        ("customer_id", pa.string()),
        ("cohort", pa.string()),
        ("purchase_rate", pa.float64()),
        ("dropout", pa.float64()),
        ("mean_order_value", pa.float64()),
        ("signed_up_on", pa.date32()),
        ("first_purchase_at", pa.timestamp("us", "UTC")),
        ("last_purchase_at", pa.timestamp("us", "UTC")),
        ("died_at", pa.timestamp("us", "UTC")),
        ("orders", pa.int32()),
        ("frequency", pa.int32()),
        ("recency", pa.float64()),
        ("T", pa.float64()),
    ]
)
ROWS_SCHEMA = pa.schema(
    [
        ("table", pa.string()),
        ("row_id", pa.string()),
        ("file", pa.string()),
        ("row", pa.int64()),
        ("defect", pa.string()),
        ("effect", pa.string()),
        ("column", pa.string()),
        ("reason", pa.string()),
        ("clean_value", pa.string()),
        ("event_at", pa.timestamp("us", "UTC")),
        ("delivered_on", pa.date32()),
    ]
)
SHOP_TIME_SCHEMA = pa.schema(
    [("date", pa.date32()), ("weight", pa.float64()), ("elapsed", pa.float64())]
)


class SyntheticDataError(Customer360Error):
    """The synthetic data is missing, incomplete or other than asked for; the message says how."""


@dataclass(frozen=True)
class Manifest:
    """What a synthetic data set was made from and what it holds.

    Attributes:
        customers: Number of customers.
        start: First day.
        end: Last day, included.
        seed: Seed of everything random.
        behaviour: Parameters of the process.
        defects: Defect rates.
        counts: customers, profile_versions, orders and refunds as they happened; transactions
            and customer_rows as delivered; defective rows by defect.
        made_with: Versions of the libraries that decide the bytes.
        generator: Version of the generator.
        reused: Nothing was made: the folder already held exactly this data set. Not stored.
    """

    customers: int
    start: date
    end: date
    seed: int
    behaviour: Behaviour
    defects: DefectRates
    counts: dict[str, int] = field(default_factory=dict)
    made_with: dict[str, str] = field(default_factory=dict)
    generator: int = GENERATOR
    reused: bool = False

    def arguments(self) -> dict[str, Any]:
        """What was asked for, as plain JSON values: equal arguments make equal data."""
        plain: dict[str, Any] = json.loads(
            json.dumps(
                {
                    "generator": self.generator,
                    "customers": self.customers,
                    "start": self.start.isoformat(),
                    "end": self.end.isoformat(),
                    "seed": self.seed,
                    "behaviour": asdict(self.behaviour),
                    "defects": asdict(self.defects),
                }
            )
        )
        return plain

    def parameters(self) -> dict[str, dict[str, float]]:
        """Exact BG/NBD and Gamma-Gamma parameters of each cohort, by its name."""
        return {cohort.name: asdict(self.behaviour.of(cohort)) for cohort in self.behaviour.cohorts}

    def to_json(self) -> str:
        """The text of ``manifest.json``."""
        content = self.arguments() | {
            "parameters_by_cohort": self.parameters(),
            "counts": self.counts,
            "made_with": self.made_with,
        }
        return json.dumps(content, indent=2) + "\n"

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Read the text of ``manifest.json``; ``KeyError`` or ``ValueError`` when it is none."""
        values = json.loads(text)
        return cls(
            customers=values["customers"],
            start=date.fromisoformat(values["start"]),
            end=date.fromisoformat(values["end"]),
            seed=values["seed"],
            behaviour=Behaviour.from_json(values["behaviour"]),
            defects=DefectRates.from_json(values["defects"]),
            counts=values["counts"],
            made_with=values["made_with"],
            generator=values["generator"],
        )


class Truth:
    """The truth of the data set in ``folder``.

    Raises:
        SyntheticDataError: The folder holds no complete data set.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "truth"
        manifest = read_manifest(folder)
        if manifest is None:
            raise SyntheticDataError(
                f"{folder}: no complete synthetic data set here; run `customer360 generate`"
            )
        self.manifest = manifest

    def customers(self) -> Any:
        """Arrow table of :data:`CUSTOMERS_SCHEMA`."""
        return pq.read_table(self.folder / "customers.parquet")

    def rows(self) -> Any:
        """Arrow table of :data:`ROWS_SCHEMA`."""
        return pq.read_table(self.folder / "rows.parquet")

    def shop_time(self) -> Any:
        """Arrow table of :data:`SHOP_TIME_SCHEMA`."""
        return pq.read_table(self.folder / "shop_time.parquet")


def manifest_path(folder: Path) -> Path:
    """Where the data set in ``folder`` has its manifest."""
    return folder / "truth" / "manifest.json"


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a complete data set; None when there is none.

    Raises:
        SyntheticDataError: There is one that this version cannot read.
    """
    path = manifest_path(folder)
    try:
        text = path.read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise SyntheticDataError(f"{path}: cannot be read: {error.strerror}") from error
    try:
        return Manifest.from_json(text)
    except (KeyError, TypeError, ValueError) as error:
        raise SyntheticDataError(
            f"{path}: not a manifest that this version reads ({error}); generate the data again "
            "with overwrite"
        ) from error
