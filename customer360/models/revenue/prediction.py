"""Predicting the customers of a user's own file, by the features that training made.

The file's rows become ``silver/transactions`` and ``silver/customer_history`` by the functions
that the pipeline uses, and from there on nothing is different.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from itertools import islice
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as F

from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.models.revenue.features import revenue_features
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.order_file import (
    ORDER_SCHEMA,
    PROBLEMS,
    OrderFileError,
    checked,
    read_pieces,
)
from customer360.models.revenue.scoring import score
from customer360.silver import customer_days, customer_history, customers, text, transactions
from customer360.silver.keys import customer_key
from customer360.sources import staged

_SOURCE = "file"
_SECRET = b"keys that are never written"
_CURRENCY = "XXX"
"""ISO 4217's code of no currency: amounts must be in the model's own, which it does not know."""

OUTPUT = pa.schema(
    [
        ("customer_id", pa.string()),
        ("as_of", pa.date32()),
        ("expected_revenue", pa.float64()),
        ("purchase_probability", pa.float64()),
        ("reason_1", pa.string()),
        ("reason_2", pa.string()),
        ("reason_3", pa.string()),
        ("horizon_days", pa.int32()),
        ("rejected_rows", pa.int32()),
    ]
)
"""Columns of the predictions, one row a customer: as in ``gold/revenue_predictions``, with the
file's own customer id and how many of the customer's rows were left out."""

WRITTEN_AT_ONCE = 10_000


@dataclass(frozen=True)
class Predicted:
    """What a prediction of a file came to.

    Attributes:
        rows: Rows of the file.
        rejected_rows: Rows with something wrong, left out.
        customers: Customers predicted.
        without_purchase: Customers of good rows who have bought nothing (or given all back), of
            whom nothing can be predicted.
        undated_reviews: Good rows with a ``review_score`` that is not used, because no
            ``reviewed_on`` says whether it was there by then.
        as_of: The day from which was predicted.
        rejected: The list of what is wrong; ``None`` when nothing is.
    """

    rows: int
    rejected_rows: int
    customers: int
    without_purchase: int
    undated_reviews: int
    as_of: date
    rejected: Path | None


def predict_file(
    source: Path,
    target: Path,
    model: RevenueModel,
    spark: SparkSession,
    *,
    as_of: date | None = None,
    today: date | None = None,
) -> Predicted:
    """Predict the revenue of every customer of a file of orders.

    A bad row is left out and listed in ``<target>.rejected.csv`` (columns `PROBLEMS`); the good
    rows are used. A customer of whom a row was left out is predicted from the others, and
    ``rejected_rows`` says how many are lacking: if the first is among them, the next one counts
    as the first order. A customer without any good row is only in the list.

    Ids and values are written as they came, so that they can be joined; to open a CSV file in a
    spreadsheet, import its columns as text, because there ``=``, ``+``, ``-`` or ``@`` begins a
    formula.

    Args:
        source: CSV or Parquet, one row an order: see `order_file`.
        target: Where to write; ends in ``.csv`` or ``.parquet``. Replaced when it exists.
        model: The revenue model.
        spark: The session.
        as_of: Day from which to predict; the day of the newest order when not given. Silence
            counts up to it, so give it when the file is older than that.
        today: See `checked`; the clock's when not given.

    Raises:
        OrderFileError: The file cannot be used as a whole, or no row of it can, or what is written
            would replace it.
        RevenueModelError: The model was trained on other features.
    """
    if target.suffix.lower() not in (".csv", ".parquet"):
        raise OrderFileError(f"{target.name}: expected a name that ends in .csv or .parquet")
    if model.kind == "none":
        raise OrderFileError("the revenue model has learnt nothing yet: train it on more history")
    rejected = target.with_name(f"{target.name}.rejected.csv")
    if source.resolve() in (target.resolve(), rejected.resolve()):
        raise OrderFileError(f"{source}: would be replaced by what is written: name another output")
    target.parent.mkdir(parents=True, exist_ok=True)
    rejected.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".predict-") as folder:
        scratch = Path(folder)
        counts = _sorted_out(source, scratch, as_of, today or date.today())
        if counts.bad:
            (scratch / "rejected.csv").replace(rejected)
        if counts.newest is None:
            told = f"; what is wrong is in {rejected.name}" if counts.bad else ""
            raise OrderFileError(f"{source.name}: none of its {counts.rows} rows can be used{told}")
        day = as_of or counts.newest
        orders = spark.read.parquet(str((scratch / "orders.parquet").absolute()))
        found = predictions_of(orders, model, day)
        if counts.bad:
            lacking = spark.read.parquet(str((scratch / "rejected.parquet").absolute()))
            lost = lacking.groupBy(text.identifier(F.col("customer_id")).alias("customer_id")).agg(
                F.count_distinct("row").cast("int").alias("rejected_rows")
            )
            found = found.join(lost, "customer_id", "left").fillna({"rejected_rows": 0})
        else:
            found = found.withColumn("rejected_rows", F.lit(0))
        customers_predicted = _written(found, scratch / target.name)
        everybody = orders.select(
            F.count_distinct(text.identifier(F.col("customer_id"))).alias("n")
        ).first()
        assert everybody is not None
        (scratch / target.name).replace(target)
    return Predicted(
        rows=counts.rows,
        rejected_rows=counts.bad,
        customers=customers_predicted,
        without_purchase=int(everybody["n"]) - customers_predicted,
        undated_reviews=counts.undated_reviews,
        as_of=day,
        rejected=rejected if counts.bad else None,
    )


def predictions_of(orders: DataFrame, model: RevenueModel, as_of: date) -> DataFrame:
    """Predictions of the customers of ``orders`` who have bought by ``as_of``.

    Args:
        orders: Columns of `ORDER_SCHEMA`.
        model: The revenue model.
        as_of: Day from which to predict.

    Returns:
        `OUTPUT` but for ``rejected_rows``.

    Raises:
        RevenueModelError: The model was trained on other features.
    """
    bought = transactions.prepared(
        staged.transactions(
            orders,
            order_id=F.lpad(F.col("row").cast("string"), 18, "0"),
            source_customer_id=F.col("customer_id"),
            kind=F.col("kind"),
            occurred_at=F.col("ordered_at"),
            amount=F.col("amount"),
            items=F.col("items"),
            channel=F.col("channel"),
            payment_type=F.col("payment_type"),
            installments=F.col("installments"),
            freight=F.col("freight"),
            category=F.col("category"),
            delivered_on=F.col("delivered_on"),
            review_score=F.col("review_score"),
            reviewed_on=F.col("reviewed_on"),
        ),
        source=_SOURCE,
        secret=_SECRET,
        # The file's times are local already, and so are their dates.
        time_zone="UTC",
        currency=_CURRENCY,
    )
    sold = transactions.orders(bought)
    stated = customers.prepared(
        staged.customers(
            orders.where(F.coalesce("state", "country").isNotNull()),
            source_customer_id=F.col("customer_id"),
            state=F.col("state"),
            country=F.col("country"),
            updated_at=F.col("ordered_at"),
            _row_hash=F.col("row"),
        ),
        source=_SOURCE,
        secret=_SECRET,
    )
    features = revenue_features(
        customer_features(customer_days.customer_days(sold), [as_of]),
        first_orders(sold, customer_history.history(stated), [as_of]),
    )
    own_id = text.identifier(F.col("customer_id"))
    keys = orders.select(
        own_id.alias("customer_id"), customer_key(_SOURCE, own_id, _SECRET).alias("customer_key")
    ).distinct()
    scored = score(features, model, "", "").join(keys, "customer_key")
    return scored.select(*(name for name in OUTPUT.names if name != "rejected_rows"))


@dataclass(frozen=True)
class _Counts:
    """Rows of a file, those left out, and of the good ones: reviews without a day, newest day."""

    rows: int
    bad: int
    undated_reviews: int
    newest: date | None


def _sorted_out(source: Path, scratch: Path, as_of: date | None, today: date) -> _Counts:
    """Write the good rows to ``orders.parquet`` and the others to ``rejected.*``."""
    total = bad = undated = 0
    newest: date | None = None
    kept = pa.schema([("row", pa.int64()), ("customer_id", pa.string())])
    with (
        pq.ParquetWriter(scratch / "orders.parquet", ORDER_SCHEMA) as orders,
        pq.ParquetWriter(scratch / "rejected.parquet", kept) as lost,
        (scratch / "rejected.csv").open("w", encoding="utf-8", newline="") as listing,
    ):
        writer = csv.writer(listing)
        writer.writerow(PROBLEMS)
        for piece in read_pieces(source):
            good, wrong = checked(piece.rows, as_of, today=today)
            problems = pd.concat([piece.broken, wrong]).sort_values("row", kind="stable")
            writer.writerows(problems.astype(object).where(problems.notna(), "").to_numpy())
            lost.write_table(
                pa.Table.from_pandas(
                    problems[list(kept.names)].drop_duplicates(), kept, preserve_index=False
                )
            )
            orders.write_table(good)
            total += len(piece.rows) + len(piece.broken)
            bad += problems["row"].nunique()
            undated += good["reviewed_on"].filter(good["review_score"].is_valid()).null_count
            if good.num_rows:
                day = pa.compute.max(good["ordered_at"]).as_py().date()
                newest = day if newest is None else max(day, newest)
    return _Counts(total, bad, undated, newest)


def _written(found: DataFrame, file: Path) -> int:
    """Write the predictions, by customer, to one CSV or Parquet file; how many there are."""
    sink = pq.ParquetWriter if file.suffix.lower() == ".parquet" else arrow_csv.CSVWriter
    rows = 0
    # Kept, on disk where memory is short: sorting reads its input twice, a sample for the ranges
    # and then the rows, and the model must not run twice.
    kept = found.select(*OUTPUT.names).persist()
    try:
        with sink(str(file), OUTPUT) as writer:
            # An iterator holds a partition at a time; a whole frame would hold all customers.
            ordered = kept.orderBy("customer_id").toLocalIterator()
            for some in _some(ordered, WRITTEN_AT_ONCE):
                columns = [
                    pa.array(values, kind)
                    for values, kind in zip(zip(*some, strict=True), OUTPUT.types, strict=True)
                ]
                writer.write_table(pa.Table.from_arrays(columns, schema=OUTPUT))
                rows += len(some)
    finally:
        kept.unpersist()
    return rows


def _some(rows: Iterable[tuple[object, ...]], most: int) -> Iterator[list[tuple[object, ...]]]:
    """The rows, ``most`` at a time."""
    left = iter(rows)
    while some := list(islice(left, most)):
        yield some
