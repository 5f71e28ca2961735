"""Predicting the customers of a user's own file, by the features that training made.

DuckDB makes of the file's rows what the pipeline makes of a source's: texts normalised alike, days,
features, first orders. A test holds the two side by side.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from pyarrow import csv as arrow_csv
from pyarrow import dataset

from customer360.gold import features_sql
from customer360.lakehouse.reading import engine, ordered_batches
from customer360.models.baselines import year_days
from customer360.models.reasons import REASON_COLUMNS
from customer360.models.revenue.features import FEATURES, FIRST_ORDER_FEATURES
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.order_file import (
    ORDER_SCHEMA,
    PROBLEMS,
    OrderFileError,
    checked,
    read_pieces,
)
from customer360.models.revenue.scoring import predictions
from customer360.silver import text_sql as text

OUTPUT = pa.schema(
    [
        ("customer_id", pa.string()),
        ("as_of", pa.date32()),
        ("expected_revenue", pa.float64()),
        ("purchase_probability", pa.float64()),
        *((name, pa.string()) for name in REASON_COLUMNS),
        ("horizon_days", pa.int32()),
        ("rejected_rows", pa.int32()),
    ]
)
"""Columns of the predictions, one row a customer: as in ``gold/revenue_predictions``, with the
file's own customer id and how many of the customer's rows were left out."""

_PROFILE = ("state", "country")


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
            pointer = f"; what is wrong is in {rejected.name}" if counts.bad else ""
            raise OrderFileError(
                f"{source.name}: none of its {counts.rows} rows can be used{pointer}"
            )
        day = as_of or counts.newest
        with engine(scratch / "engine") as connection:
            connection.register("orders", dataset.dataset(scratch / "orders.parquet"))
            connection.register("lacking", dataset.dataset(scratch / "rejected.parquet"))
            batches = _predicted(connection, model, day)
            customers_predicted = _written(batches, scratch / target.name)
            own_id = text.identifier("customer_id")
            everybody = connection.execute(
                f"SELECT count(DISTINCT {own_id}) FROM orders"
            ).fetchone()
        assert everybody is not None
        (scratch / target.name).replace(target)
    return Predicted(
        rows=counts.rows,
        rejected_rows=counts.bad,
        customers=customers_predicted,
        without_purchase=int(everybody[0]) - customers_predicted,
        undated_reviews=counts.undated_reviews,
        as_of=day,
        rejected=rejected if counts.bad else None,
    )


def features_of_orders(orders: str, as_of: date) -> str:
    """What the model sees of the customers of ``orders`` who have bought by ``as_of``.

    Args:
        orders: Name of a table of `ORDER_SCHEMA` in DuckDB.
        as_of: Day from which to predict.

    Returns:
        A query of ``as_of``, ``customer_key`` (the file's own id, trimmed) and `FEATURES`.
    """
    # The file's times are local already, and so are their dates.
    transactions = f"""SELECT 'file' AS source, "row" AS order_id, kind,
        {text.identifier("customer_id")} AS customer_key, ordered_at AS occurred_at,
        ordered_at::DATE AS business_date, amount, items,
        lower({text.tidy("channel")}) AS channel,
        lower({text.tidy("payment_type")}) AS payment_type,
        installments, freight, {text.tidy("category")} AS category, delivered_on, review_score,
        reviewed_on
    FROM {orders}"""
    tidy = ", ".join(f"{text.tidy(name)} AS {name}" for name in _PROFILE)
    composed = ", ".join(f"{text.composed(name)} AS {name}" for name in _PROFILE)
    # Of each attribute, the newest that was stated: a blank says nothing.
    newest = "{'at': ordered_at, 'row': \"row\"}"
    profiles = f"""SELECT customer_key,
        arg_max({text.region("state")}, {newest}) FILTER (state IS NOT NULL) AS state,
        arg_max(country, {newest}) FILTER (country IS NOT NULL) AS country
    FROM (SELECT customer_key, ordered_at, "row", {composed}
        FROM (SELECT {text.identifier("customer_id")} AS customer_key, ordered_at, "row", {tidy}
            FROM {orders} WHERE coalesce(state, country) IS NOT NULL
                AND ordered_at < DATE '{as_of + timedelta(days=1)}'))
    GROUP BY customer_key"""
    first = (*FIRST_ORDER_FEATURES, "first_category", "first_channel", "first_payment_type")
    made_by = dict.fromkeys(first, "first_orders") | dict.fromkeys(_PROFILE, "profiles")
    shown = ", ".join(f"{made_by.get(name, 'bought')}.{name}" for name in FEATURES)
    return f"""WITH transactions AS MATERIALIZED ({transactions}),
        days AS ({features_sql.customer_days("transactions")}),
        bought AS ({features_sql.customer_features("days", as_of)}),
        first_orders AS ({features_sql.first_orders("transactions", as_of)}),
        profiles AS ({profiles})
    SELECT bought.as_of, bought.customer_key, {shown}
    FROM bought JOIN first_orders USING (customer_key) LEFT JOIN profiles USING (customer_key)"""


def _predicted(
    connection: duckdb.DuckDBPyConnection, model: RevenueModel, as_of: date
) -> Iterator[pa.RecordBatch]:
    """`OUTPUT` in order of the customers, from the tables ``orders`` and ``lacking``.

    Raises:
        RevenueModelError: The model was trained on other features.
    """
    model.check_features()
    lost = f"""SELECT {text.identifier("customer_id")} AS customer_key,
        count(DISTINCT "row")::INTEGER AS rejected_rows FROM lacking GROUP BY 1"""
    query = f"""SELECT features.*, coalesce(rejected_rows, 0) AS rejected_rows
    FROM ({features_of_orders("orders", as_of)}) features
    LEFT JOIN ({lost}) USING (customer_key) ORDER BY customer_key"""
    # A file may hold a few customers of a business that is older than all of them.
    ((oldest,),) = connection.execute(
        f"SELECT date_diff('day', min(ordered_at)::DATE, DATE '{as_of}') FROM orders"
    ).fetchall()  # DuckDB begins nothing else while rows of a result wait
    if oldest is not None:
        model = model.at(max(model.year_days, year_days(oldest)))
    for batch in ordered_batches(connection, query):
        rows = batch.to_pandas()
        predicted = predictions(rows, model).assign(
            customer_id=rows["customer_key"],
            as_of=as_of,
            rejected_rows=rows["rejected_rows"],
        )
        yield pa.RecordBatch.from_pandas(predicted, OUTPUT, preserve_index=False)


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


def _written(batches: Iterator[pa.RecordBatch], file: Path) -> int:
    """Write the predictions to one CSV or Parquet file; how many there are."""
    sink = pq.ParquetWriter if file.suffix.lower() == ".parquet" else arrow_csv.CSVWriter
    rows = 0
    with sink(str(file), OUTPUT) as writer:
        for batch in batches:
            writer.write_batch(batch)
            rows += batch.num_rows
    return rows
