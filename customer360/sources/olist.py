"""Olist: the orders of a Brazilian marketplace, September 2016 to October 2018, in nine CSVs.

A person is ``customer_unique_id``; ``customer_id`` is made anew for every order. All nine files
become bronze tables; customers and transactions come of orders, customers, items, payments,
reviews, products and the category translation.

Rules, one row an order (counts are those of the published files):

- **Status decides the kind.** ``canceled`` (625) and ``unavailable`` (609) are cancelled orders,
  even where a delivery date stands beside ``canceled`` (6). ``created`` (5) was never approved
  for payment and is excluded as ``not_approved``. Every other status is a sale, also
  ``delivered`` without approval date (14): what was delivered had been sold.
- **Delivery.** ``delivered_on`` is the customer's delivery date of orders with status
  ``delivered``, in Olist's time zone. It is null where the date is missing (8) or before the
  purchase (none); the carrier's date, at times after the customer's (23), is not used.
- **Amount** is price plus freight of the order's items: what was sold, and ``freight`` the part
  of it that shipping is. Payments differ from it (interest on instalments, rounding, vouchers;
  576 of 98,665 orders) and are used only for the 775 orders without items, 767 of which are
  cancelled; without either (none) it is 0.
- **Payments** split over rows are summed by type; ``payment_type`` is the type that paid most,
  ties by name. ``not_defined`` (3 payments of 0.00) is no type. ``installments`` are those of the
  largest payment, ties by its number.
- **Category** is that of the dearest item, ties by item number; in English where the translation
  has it (two categories are missing there and stay Portuguese); null for products without one.
- **Reviews**: of several reviews of an order (547 orders) the one created last counts, ties by
  answer time, then id; reviews that lost their dates (truncated in the file) yield to dated
  ones. ``reviewed_on`` is the day the customer answered, in Olist's time zone: before it nobody
  knew the score. Null where the file lost it.
- **Repeats** of an item, payment, review, product or customer row (same key) count once. A
  repeated order is left for silver, which accounts for it.
- **Profiles**: each order states where its person lived when it was placed; those are the
  versions of the customer's history.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

from customer360.days import DayRange
from customer360.errors import BrokenFileError, listed
from customer360.sources import archives, copies, readers, staged, time_columns
from customer360.sources.base import Source
from customer360.sources.people import CUSTOMER, PersonColumns

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession

FILES = {
    "olist_customers": "olist_customers_dataset.csv",
    "olist_geolocation": "olist_geolocation_dataset.csv",
    "olist_order_items": "olist_order_items_dataset.csv",
    "olist_order_payments": "olist_order_payments_dataset.csv",
    "olist_order_reviews": "olist_order_reviews_dataset.csv",
    "olist_orders": "olist_orders_dataset.csv",
    "olist_products": "olist_products_dataset.csv",
    "olist_sellers": "olist_sellers_dataset.csv",
    "olist_category_translation": "product_category_name_translation.csv",
}
"""Bronze table to file; each file may end in ``.gz``."""

NOT_APPROVED = "not_approved"
"""Why an order that still waits for payment is no transaction."""

_MONEY = "decimal(18,2)"
_OF_ORDER, _ORDER = "customer of an order", "order"
"""Kinds of identifiers that lead from a person to their rows."""


class OlistSource(Source):
    """The Olist data set.

    Args:
        path: Folder with the nine CSVs, plain or ``.gz``, or the zip that Kaggle offers.
        cache: Folder into which a zip is extracted; None is a temporary one.
    """

    name = "olist"
    currency = "BRL"
    time_zone = "America/Sao_Paulo"
    closed = True
    order_lines = False
    has_lines = True
    has_customers = True
    exclusion_reasons = (NOT_APPROVED,)
    stated_exclusions = (NOT_APPROVED,)
    tables = tuple(FILES)
    transactions_table = "olist_orders"

    def __init__(self, path: Path, *, cache: Path | None = None) -> None:
        self.path = Path(path)
        self.cache = cache

    def available(self) -> DayRange:
        """First and last day of purchase, in Olist's time zone.

        Raises:
            BrokenFileError: The orders file is missing or broken.
        """
        return self._available

    def drop_copies(self) -> None:
        """Delete what was taken out of the zip."""
        super().drop_copies()
        self.__dict__.pop("_files", None)  # they are there no more

    def fingerprint(self, table: str) -> str:
        """Name, size and modification time of the table's file."""
        return archives.fingerprint([self.file(table)])

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """The table's whole file as text; see `customer360.sources.readers.read_csv`."""
        return readers.read_csv(spark, [self.file(table)], self.contract(table))

    def file(self, table: str) -> Path:
        """The CSV behind bronze table ``table``.

        Raises:
            BrokenFileError: There is none, or the zip it should be in is damaged.
        """
        name = FILES[table]
        present = {file.name: file for file in self._files}
        for candidate in (name, f"{name}.gz"):
            if candidate in present:
                return present[candidate]
        raise BrokenFileError(
            str(self.path),
            f"{name} or {name}.gz in it",
            listed(sorted(present)) or "no CSV file of Olist's",
            "point olist_path at the folder or zip with the nine files",
        )

    @functools.cached_property
    def _available(self) -> DayRange:
        return time_columns.day_range(
            [self.file("olist_orders")], "order_purchase_timestamp", "yyyy-MM-dd HH:mm:ss"
        )

    @functools.cached_property
    def _files(self) -> list[Path]:
        names = [f"{name}{ending}" for name in FILES.values() for ending in ("", ".gz")]
        if self.path.is_dir():
            return [self.path / name for name in names if (self.path / name).is_file()]
        if not self.path.exists():
            raise BrokenFileError(
                str(self.path), "a folder or zip with the nine Olist CSVs", "nothing there"
            )
        return archives.unpack(self.path, names, self.cache or copies.scratch())

    def person_columns(self, table: str) -> PersonColumns:
        """A person has a customer row for each order, which leads to all that is of the order."""
        from customer360.contracts.checks import typed_value

        def of(column: str) -> Column:
            return typed_value(self.contract(table).column(column))

        if table == "olist_customers":
            own = {CUSTOMER: of("customer_unique_id"), _OF_ORDER: of("customer_id")}
            ids = ("customer_id", "customer_unique_id")
            return PersonColumns(own, {_OF_ORDER: own[_OF_ORDER]}, identifying=ids, profile=True)
        if table == "olist_orders":
            links = {_OF_ORDER: of("customer_id"), _ORDER: of("order_id")}
            ids = ("customer_id", "order_id")
            leads = {_ORDER: links[_ORDER]}
            return PersonColumns(links, leads, keys=("order_id",), identifying=ids)
        if table in ("olist_order_items", "olist_order_payments", "olist_order_reviews"):
            keys = ("order_id", "review_id") if table == "olist_order_reviews" else ("order_id",)
            kept = ("product_id", "seller_id", "payment_type")
            return PersonColumns({_ORDER: of("order_id")}, keys=keys, kept=kept)
        return PersonColumns()

    def staged_customers(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row an order: where its person lived when it was placed.

        A person whose order is missing still has a row, true from 1970 on.
        """
        from pyspark.sql import functions as F

        people = _once(self._typed(bronze, "olist_customers"), "customer_id")
        placed = (
            self._typed(bronze, "olist_orders")
            .groupBy("customer_id")
            .agg(F.min("order_purchase_timestamp").alias("placed_at"))
        )
        return staged.customers(
            people.join(placed, "customer_id", "left"),
            source_customer_id=F.col("customer_unique_id"),
            city=F.col("customer_city"),
            state=F.col("customer_state"),
            postal_code=F.col("customer_zip_code_prefix"),
            country=F.lit("BR"),
            updated_at=F.coalesce(self._utc("placed_at"), F.lit("1970-01-01").cast("timestamp")),
        )

    def staged_transactions(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row an order, by the rules of this module."""
        from pyspark.sql import functions as F

        people = _once(self._typed(bronze, "olist_customers"), "customer_id").select(
            "customer_id", "customer_unique_id"
        )
        sold = _sold(self._lines(bronze))
        rows = (
            self._typed(bronze, "olist_orders")
            .join(people, "customer_id", "left")
            .join(sold, "order_id", "left")
            .join(_paid(self._typed(bronze, "olist_order_payments")), "order_id", "left")
            .join(_reviewed(self._typed(bronze, "olist_order_reviews")), "order_id", "left")
        )
        status = F.col("order_status")
        delivered = F.col("order_delivered_customer_date")
        arrived = (status == "delivered") & (delivered >= F.col("order_purchase_timestamp"))
        return staged.transactions(
            rows,
            order_id=F.col("order_id"),
            # Of an order without customer row, the order's customer_id: silver excludes it as
            # that of an unknown customer, where null would make it an anonymous sale.
            source_customer_id=F.coalesce("customer_unique_id", "customer_id"),
            kind=F.when(status.isin("canceled", "unavailable"), "cancelled").otherwise("sale"),
            occurred_at=self._utc("order_purchase_timestamp"),
            amount=F.coalesce("sold", "paid", F.lit(0)),
            currency=F.lit(self.currency),
            items=F.coalesce("pieces", F.lit(0)),
            channel=F.lit("marketplace"),
            payment_type=F.col("payment_type"),
            installments=F.col("installments"),
            freight=F.col("freight"),
            category=F.col("category"),
            delivered_on=F.when(arrived, F.to_date(delivered)),
            review_score=F.col("review_score"),
            reviewed_on=F.to_date("answered_at"),
            excluded_because=F.when(status == "created", NOT_APPROVED),
        )

    def staged_lines(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """One row an item; orders that are known by their payments only have none."""
        from pyspark.sql import functions as F

        return self._lines(bronze).select(
            "order_id",
            F.col("order_item_id").cast("string").alias("line_key"),
            "product_id",
            "category",
            F.lit(1).alias("quantity"),
            "amount",
            "freight",
        )

    def _lines(self, bronze: Mapping[str, DataFrame]) -> DataFrame:
        """Each item once, with its category and its money."""
        return _lines(
            self._typed(bronze, "olist_order_items"),
            self._typed(bronze, "olist_products"),
            self._typed(bronze, "olist_category_translation"),
        )

    def _typed(self, bronze: Mapping[str, DataFrame], table: str) -> DataFrame:
        return staged.typed(bronze[table], self.contract(table))

    def _utc(self, column: str) -> Column:
        from pyspark.sql import functions as F

        return F.to_utc_timestamp(column, self.time_zone)


def _lines(items: DataFrame, products: DataFrame, translation: DataFrame) -> DataFrame:
    """Each item once: its price, ``amount`` with ``freight``, and the category of its product."""
    from pyspark.sql import functions as F

    english = _once(translation, "product_category_name").select(
        "product_category_name", "product_category_name_english"
    )
    category = F.coalesce("product_category_name_english", "product_category_name")
    categories = (
        _once(products, "product_id")
        .join(F.broadcast(english), "product_category_name", "left")
        .select("product_id", category.alias("category"))
    )
    return (
        _once(items, "order_id", "order_item_id")
        .join(categories, "product_id", "left")
        .withColumns(
            {
                "amount": (F.col("price") + F.col("freight_value")).cast(_MONEY),
                "freight": F.col("freight_value").cast(_MONEY),
            }
        )
    )


def _sold(lines: DataFrame) -> DataFrame:
    """Money, pieces and category of each order that has items, from its `_lines`."""
    from pyspark.sql import functions as F

    return lines.groupBy("order_id").agg(
        F.sum("amount").alias("sold"),
        F.sum("freight").alias("freight"),
        F.count("*").alias("pieces"),
        F.max_by("category", F.struct("price", -F.col("order_item_id"))).alias("category"),
    )


def _paid(payments: DataFrame) -> DataFrame:
    """Money of each order that has payments, the type that paid most of it, and instalments."""
    from pyspark.sql import functions as F

    kind = F.col("payment_type")
    largest = F.struct(F.col("payment_value").cast(_MONEY), -F.col("payment_sequential"))
    by_kind = (
        _once(payments, "order_id", "payment_sequential")
        .groupBy("order_id", F.when(kind != "not_defined", kind).alias("kind"))
        .agg(
            F.sum(F.col("payment_value").cast(_MONEY)).alias("money"),
            F.max(F.struct(largest.alias("payment"), "payment_installments")).alias("largest"),
        )
    )
    # The least of these: a type that is defined, most money, first name.
    order = F.struct(F.col("kind").isNull(), -F.col("money"), F.col("kind"))
    return by_kind.groupBy("order_id").agg(
        F.sum("money").alias("paid"),
        F.min_by("kind", order).alias("payment_type"),
        F.max("largest").getField("payment_installments").alias("installments"),
    )


def _reviewed(reviews: DataFrame) -> DataFrame:
    """Score of each reviewed order's newest review, and when it was given."""
    from pyspark.sql import functions as F

    newest = F.struct("review_creation_date", "review_answer_timestamp", "review_id")
    review = F.struct("review_score", F.col("review_answer_timestamp").alias("answered_at"))
    return (
        _once(reviews, "review_id", "order_id")
        .groupBy("order_id")
        .agg(F.max_by(review, newest).alias("review"))
        .select("order_id", "review.*")
    )


def _once(rows: DataFrame, *key: str) -> DataFrame:
    """One row a key: of repeats the one with the greatest hash, whatever the file's order."""
    from pyspark.sql import functions as F

    rest = [name for name in rows.columns if name not in key and name != "_row_hash"]
    greatest = F.max(F.struct("_row_hash", *rest)).alias("row")
    return rows.groupBy(*key).agg(greatest).select(*key, "row.*")
