"""CDNOW: the music buyers of 1997-98 on whom lifetime-value models are compared since.

The files ship with the ``lifetimes`` package: the classic sample (2,357 customers, 6,919
transactions) and the full set (23,570 and 69,659). They are whitespace-delimited text: customer
(in the sample: its number in the full set, then its number in the sample), date, CDs, dollars.

Rules:

- Every row is a sale. The file has no order ids: an order is ``<customer>-<date>-<n>``, where n
  numbers the customer's rows of that day by CDs and dollars. Rows that are alike in everything
  (21 in the sample) are therefore separate orders: the published counts hold both.
- A row of 0 dollars (8 in the sample, 80 in the full set) is a sale of 0.00: a promotion. All 8
  of the sample are the customer's first and only order, and the published figures (2,357
  customers, BG/NBD r .2426) count them as purchases.
- Dates have no time. Orders are placed at noon, New York time (CDNOW sold from Pennsylvania), so
  that the business date is the file's date in any zone from Hawaii to Central Europe.
- Profiles: the file knows nothing of a customer but the purchases.

Source: Fader and Hardie, http://www.brucehardie.com/datasets/ (CDNOW_master, CDNOW_sample).
"""

from __future__ import annotations

import functools
import hashlib
import importlib.util
from collections.abc import Mapping
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from customer360.days import DayRange
from customer360.errors import BrokenFileError
from customer360.sources import staged
from customer360.sources.base import Source
from customer360.sources.people import CUSTOMER, PersonColumns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

TABLE = "cdnow_transactions"

_FILES = {"sample": "CDNOW_sample.txt", "full": "CDNOW_master.txt"}
_FIELDS = {
    "sample": ("master_id", "customer_id", "date", "cds", "dollars"),
    "full": ("customer_id", "date", "cds", "dollars"),
}
_COLUMNS = ("customer_id", "master_id", "date", "cds", "dollars")


class CdnowSource(Source):
    """The CDNOW data set.

    Args:
        dataset: ``sample`` or ``full``.
        file: Another file of the same form; by default the one in the ``lifetimes`` package.
    """

    name = "cdnow"
    currency = "USD"
    time_zone = "America/New_York"
    closed = True
    order_lines = False
    has_customers = False
    states_keys = False
    tables = (TABLE,)
    transactions_table = TABLE

    def __init__(
        self, dataset: Literal["sample", "full"] = "sample", *, file: Path | None = None
    ) -> None:
        self.dataset = dataset
        self._given = file

    @functools.cached_property
    def file(self) -> Path:
        """The raw file.

        Raises:
            BrokenFileError: The ``lifetimes`` package is not installed or has no data sets.
        """
        if self._given is not None:
            return self._given
        # Found, not imported: importing lifetimes.datasets needs pkg_resources and warns.
        package = importlib.util.find_spec("lifetimes")
        folders = list(package.submodule_search_locations or ()) if package else []
        for folder in folders:
            file = Path(folder) / "datasets" / _FILES[self.dataset]
            if file.is_file():
                return file
        raise BrokenFileError(
            _FILES[self.dataset], "the file in the lifetimes package", "none", "install lifetimes"
        )

    def available(self) -> DayRange:
        """First and last day of the file (1997-01-01 and 1998-06-30).

        Raises:
            BrokenFileError: The file has no row with a date.
        """
        position = _FIELDS[self.dataset].index("date")
        days = [
            datetime.strptime(fields[position], "%Y%m%d").date()
            for fields in map(str.split, self._lines())
            if len(fields) > position and fields[position].isdigit() and len(fields[position]) == 8
        ]
        if not days:
            raise BrokenFileError(self.file.name, "rows with dates like 19970101", "none")
        return DayRange(min(days), max(days))

    def fingerprint(self, table: str) -> str:
        """Hash of the file's content: where and when the package was installed does not matter."""
        return hashlib.sha256(self._bytes()).hexdigest()

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """The whole file as text; a line with too few or many fields is in ``_corrupt_record``.

        It is read here and handed to Spark, since a cluster does not see the package's folder.
        """
        import pyarrow as pa
        from pyspark.sql import functions as F

        names = _FIELDS[self.dataset]
        rows: dict[str, list[str | None]] = {name: [] for name in (*_COLUMNS, "_corrupt_record")}
        for line in self._lines():
            fields = line.split()
            whole = len(fields) == len(names)
            values = dict(zip(names, fields, strict=False))
            for name in _COLUMNS:
                rows[name].append(values.get(name))
            rows["_corrupt_record"].append(None if whole else line)
        text = pa.table({name: pa.array(values, pa.string()) for name, values in rows.items()})
        return spark.createDataFrame(text).select(
            *_COLUMNS,
            F.lit(None).cast("string").alias("_rescued"),
            F.lit(self.file.name).alias("_source_file"),
            F.lit(None).cast("date").alias("_delivered_on"),
            "_corrupt_record",
        )

    def person_columns(self, table: str) -> PersonColumns:
        """A purchase names its customer."""
        from customer360.contracts.checks import typed_value

        return PersonColumns(
            {CUSTOMER: typed_value(self.contract(table).column("customer_id"))},
            identifying=("customer_id",),
        )

    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row a customer, true from the first purchase; nothing else is known of them."""
        from pyspark.sql import functions as F

        first = (
            staged.typed(bronze[TABLE], self.contract(TABLE))
            .where(F.col("customer_id").isNotNull())  # sales of people who were forgotten
            .groupBy("customer_id")
            .agg(F.min(self._noon()).alias("first_at"))
        )
        return staged.customers(
            first, source_customer_id=F.col("customer_id"), updated_at=F.col("first_at")
        )

    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row an order, by the rules of this module."""
        from pyspark.sql import functions as F
        from pyspark.sql.window import Window

        alike_last = Window.partitionBy("customer_id", "date").orderBy(
            "cds", "dollars", "_row_hash"
        )
        rows = staged.typed(bronze[TABLE], self.contract(TABLE)).withColumn(
            "number", F.row_number().over(alike_last)
        )
        return staged.transactions(
            rows,
            order_id=F.concat_ws(
                "-", "customer_id", F.date_format("date", "yyyyMMdd"), F.col("number")
            ),
            source_customer_id=F.col("customer_id"),
            kind=F.lit("sale"),
            occurred_at=self._noon(),
            amount=F.col("dollars"),
            currency=F.lit(self.currency),
            items=F.col("cds"),
            channel=F.lit("web"),
            category=F.lit("music"),
        )

    def _noon(self) -> Column:
        from pyspark.sql import functions as F

        noon = F.col("date").cast("timestamp") + F.expr("INTERVAL 12 HOURS")
        return F.to_utc_timestamp(noon, self.time_zone)

    def _bytes(self) -> bytes:
        try:
            return self.file.read_bytes()
        except OSError as error:
            raise BrokenFileError(
                self.file.name, "the CDNOW text file", (error.strerror or str(error)).lower()
            ) from None

    def _lines(self) -> list[str]:
        try:
            lines = self._bytes().decode("ascii").splitlines()
        except UnicodeDecodeError as error:
            raise BrokenFileError(
                self.file.name, "ASCII text", f"byte {error.object[error.start]:#x}"
            ) from None
        if lines and lines[0].split()[:1] == ["customer_id"]:
            lines = lines[1:]
        whole = len(_FIELDS[self.dataset])
        if not lines:
            raise BrokenFileError(self.file.name, "rows", "an empty file")
        if not any(len(line.split()) == whole for line in lines):
            raise BrokenFileError(
                self.file.name,
                f"{whole} columns separated by blanks ({', '.join(_FIELDS[self.dataset])})",
                f"{len(lines[0].split())} in the first row",
                "check that the data set (sample or full) is the file's",
            )
        return [line for line in lines if line.strip()]
