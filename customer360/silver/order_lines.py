"""silver/order_lines: what the orders of silver/transactions are made of, where sources tell it.

A line is kept where its order is: what `customer360.silver.transactions` settles of duplicates,
corrections, conflicts and moved orders holds for both tables. Of a source whose rows are lines
(``order_lines``), these are its kept rows (`of_lines`), and its orders are made of them (`stored`).
Of one whose rows are orders but that has lines beside them (``Source.staged_lines``), they are the
lines of its kept orders (`of_orders`); an order of which none is known has none. The amounts of an
order's lines add up to that of the order.
"""

from __future__ import annotations

from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.silver import text
from customer360.silver.personal_text import masked_id, masked_text
from customer360.silver.transactions import KINDS, TOGETHER
from customer360.table_names import ORDER_LINES


def of_lines(rows: DataFrame) -> DataFrame:
    """``silver/order_lines`` of a source whose rows are order lines.

    A line is the customer's whom another line of its order names, as the order is.

    Args:
        rows: As `customer360.silver.transactions.kept` gives them.
    """
    order = Window.partitionBy(TOGETHER, "business_date", "order_id", "source")
    customer = F.lit(None).cast("string")
    for kind in KINDS:
        named = F.max(F.when(F.col("kind") == kind, F.col("customer_key"))).over(order)
        customer = F.when(F.col("kind") == kind, named).otherwise(customer)
    return rows.withColumns({"customer_key": customer, "quantity": F.col("items")}).select(
        *_columns()
    )


def stored(lines: DataFrame, *, together: Column, partitions: int | None = None) -> DataFrame:
    """Rows of the table as `customer360.silver.transactions.orders_from_lines` takes them.

    Args:
        lines: Rows of ``silver/order_lines``.
        together: What the rows of one file have in common, a function of ``business_date``.
        partitions: Tasks to spread the files over; None leaves it to the session.
    """
    named = lines.withColumns({TOGETHER: together, "items": F.col("quantity")})
    return _by_file(named, partitions)


def of_orders(
    orders: DataFrame,
    lines: DataFrame,
    *,
    source: str,
    secret: bytes,
    partitions: int | None = None,
) -> DataFrame:
    """``silver/order_lines`` of a source whose rows are orders, with lines beside them.

    A refund beside its sale says what was given back, not of which line: it has none.

    Args:
        orders: As `customer360.silver.transactions.kept` gives them.
        lines: As ``Source.staged_lines`` gives them.
        source: The source's name.
        secret: Secret of the deployment's keys.
        partitions: Tasks to spread the files over; None leaves it to the session.
    """
    own = ("order_id", "line_key", "product_id", "category", "amount", "freight")
    of_order = orders.where(F.col("kind") != "refund").select(
        TOGETHER,
        *(name for name in _columns() if name not in (*own[1:], "quantity")),
    )
    stated = lines.select(
        text.identifier(F.col("order_id")).alias("order_id"),
        "line_key",
        text.identifier(F.col("product_id")).alias("product_id"),
        text.tidy(F.col("category")).alias("category"),
        F.col("quantity").cast("int").alias("quantity"),
        F.col("amount").cast("decimal(18,2)").alias("amount"),
        F.col("freight").cast("decimal(18,2)").alias("freight"),
    )
    ids = ("order_id", "line_key", "product_id")  # as those of the orders are
    stated = stated.withColumns(
        {name: masked_id(F.col(name), source=source, secret=secret) for name in ids}
        | {"category": masked_text(F.col("category"))}
    )
    by_file = _by_file(of_order.join(stated, "order_id"), partitions)
    return by_file.sortWithinPartitions(TOGETHER, "business_date", "order_id", "line_key").select(
        *_columns()
    )


def _by_file(rows: DataFrame, partitions: int | None) -> DataFrame:
    if partitions is None:
        return rows.repartition(TOGETHER)
    return rows.repartition(partitions, TOGETHER)


def _columns() -> tuple[str, ...]:
    return Contract.load(ORDER_LINES).column_names
