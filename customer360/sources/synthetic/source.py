"""Reads the synthetic shop's raw files, and maps them to the canonical tables.

Rules:

- A delivery day is a folder with one file, also when it holds no rows; a day that the manifest
  promises and the disk lacks is a broken file, not a quiet day.
- Silver mends case and blanks of texts. Two things only this source can know are mended here:
  the capitals of its categories (`` HOME & GARDEN `` is ``Home & Garden``), and letters of names
  and cities that were read in the wrong encoding (``JoÃ£o`` is ``João``).
- Every transaction states its customer, and customers sign up before they buy: a transaction
  of an unknown customer is excluded by silver.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from customer360.days import DayRange
from customer360.errors import BrokenFileError, listed
from customer360.sources import staged
from customer360.sources.base import Source
from customer360.sources.people import CUSTOMER, PersonColumns
from customer360.sources.synthetic.orders import CURRENCY
from customer360.sources.synthetic.process import CATEGORIES
from customer360.sources.synthetic.truth import (
    Manifest,
    SyntheticDataError,
    manifest_path,
    read_manifest,
)

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

TRANSACTIONS = "synthetic_transactions"
CUSTOMERS = "synthetic_customers"

_FILE = "part-0.parquet"


class SyntheticSource(Source):
    """The data set that :func:`~customer360.sources.synthetic.generate` made in ``folder``."""

    name = "synthetic"
    currency = CURRENCY
    time_zone = "UTC"
    closed = True
    order_lines = False
    has_customers = True
    tables = (CUSTOMERS, TRANSACTIONS)
    transactions_table = TRANSACTIONS

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def manifest(self) -> Manifest:
        """What the data set holds.

        Raises:
            SyntheticDataError: There is no complete data set.
        """
        manifest = read_manifest(self.folder)
        if manifest is None:
            raise SyntheticDataError(
                f"source synthetic: no complete data set in {self.folder}; run "
                "`customer360 generate`"
            )
        return manifest

    def available(self) -> DayRange:
        """The days the data set was made for.

        Raises:
            SyntheticDataError: There is no complete data set.
        """
        manifest = self.manifest
        return DayRange(manifest.start, manifest.end)

    def fingerprint(self, table: str) -> str:
        """Hash of the manifest: the same arguments make the same files."""
        _ = self.manifest
        return hashlib.sha256(manifest_path(self.folder).read_bytes()).hexdigest()

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """Rows of ``table`` delivered from ``start`` to ``end``, both included, as text.

        Days outside the data set have no rows. ``_source_file`` is relative to the data set, as
        in ``truth/rows.parquet``.

        Raises:
            SyntheticDataError: There is no complete data set.
            BrokenFileError: A day's file is missing, unreadable, lacks a column, or holds a
                column that is not text.
        """
        from pyspark.sql import functions as F

        from customer360.sources import readers

        contract = self.contract(table)
        available = self.available()
        first, last = max(start, available.first), min(end, available.last)
        if last < first:
            return readers.empty(spark, contract)
        part = self.folder / table.removeprefix(f"{self.name}_")
        alike: dict[tuple[str, ...], list[str]] = defaultdict(list)
        for day in DayRange(first, last):
            file = part / f"date={day.isoformat()}" / _FILE
            extra = _checked(file, contract.column_names)
            alike[extra].append(str(file.absolute()))
        # Names are all as long: cutting is a fraction of what a regular expression would cost
        # on every row. The day is the folder's, which Spark adds as a column of its own.
        named = len(f"{part.name}/date=2024-01-01/{_FILE}")
        frames = [
            spark.read.schema(
                ", ".join(f"`{name}` string" for name in (*contract.column_names, *extra))
                + ", `date` date"
            )
            .option("basePath", str(part.absolute()))
            .parquet(*files)
            .select(
                *contract.column_names,
                _rescued(extra).alias("_rescued"),
                F.substring("_metadata.file_path", -named, named).alias("_source_file"),
                F.col("date").alias("_delivered_on"),
            )
            for extra, files in alike.items()
        ]
        rows = frames[0]
        for frame in frames[1:]:
            rows = rows.unionByName(frame)
        return rows

    def person_columns(self, table: str) -> PersonColumns:
        """Customers are profiles; orders and refunds name their customer."""
        from customer360.contracts.checks import typed_value

        customer = {CUSTOMER: typed_value(self.contract(table).column("customer_id"))}
        if table == CUSTOMERS:
            own = ("customer_id", "email", "phone", "tax_id")
            return PersonColumns(customer, identifying=own, profile=True)
        return PersonColumns(
            customer,
            keys=("order_id", "related_order_id"),
            identifying=("customer_id", "order_id"),
        )

    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row a profile version delivered; wrongly decoded names and cities are mended."""
        from pyspark.sql import functions as F

        rows = staged.typed(bronze[CUSTOMERS], self.contract(CUSTOMERS))
        return staged.customers(
            rows,
            source_customer_id=F.col("customer_id"),
            name=_decoded("name"),
            city=_decoded("city"),
            **{
                name: F.col(name)
                for name in (
                    "email",
                    "phone",
                    "address",
                    "birth_date",
                    "tax_id",
                    "state",
                    "postal_code",
                    "country",
                    "acquisition_channel",
                    "loyalty_tier",
                    "marketing_consent",
                    "signed_up_on",
                    "updated_at",
                )
            },
        )

    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row an order or refund delivered."""
        from pyspark.sql import functions as F

        rows = staged.typed(bronze[TRANSACTIONS], self.contract(TRANSACTIONS))
        category = F.col("category")
        # A no-break space is a letter to initcap, which would leave the word after it small.
        spelt = F.initcap(F.trim(F.translate(category, "\u00a0", " ")))
        return staged.transactions(
            rows,
            source_customer_id=F.col("customer_id"),
            category=F.when(category.isin(*CATEGORIES), category).otherwise(spelt),
            **{
                name: F.col(name)
                for name in (
                    "order_id",
                    "kind",
                    "related_order_id",
                    "occurred_at",
                    "amount",
                    "currency",
                    "items",
                    "channel",
                    "payment_type",
                )
            },
        )


def _checked(file: Path, wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Names of the columns a file has beyond ``wanted``.

    Spark would read a missing column as nulls, and a file that is not there as no rows.
    """
    import pyarrow as pa

    from customer360.sources.columns import check_parquet
    from customer360.sources.csv_files import shown_name

    schema = check_parquet(file, wanted)
    typed = [f"{field.name} {field.type}" for field in schema if field.type != pa.string()]
    if typed:
        raise BrokenFileError(shown_name(file), "text columns only", listed(typed))
    return tuple(name for name in schema.names if name not in wanted)


def _rescued(extra: tuple[str, ...]) -> Column:
    """JSON of the columns the contract does not know; null when there are none."""
    from pyspark.sql import functions as F

    if not extra:
        return F.lit(None).cast("string")
    return F.to_json(F.struct(*(F.col(f"`{name}`") for name in extra)))


def _decoded(name: str) -> Column:
    """``name`` with UTF-8 that was read as Latin-1 read again; other texts as they are."""
    from pyspark.sql import functions as F

    text = F.col(name)
    wrong = text.rlike("[\u00c2\u00c3][\u0080-\u00bf]") & text.rlike("^[\u0000-\u00ff]*$")
    # The branch is taken only for wrong texts: encoding others would fail or lose letters.
    again = F.encode(text, "ISO-8859-1").cast("string")
    return F.when(wrong & F.is_valid_utf8(again), again).otherwise(text)
