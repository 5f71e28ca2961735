"""gold/customer_features of one day by pandas and by Polars, as a data scientist would write it.

The same rows as `customer360.gold.customer_features` makes, where their columns are described; a
test holds all of them side by side, to the last bit. Sums are of integer cents (pandas, where
decimals are slow) or of decimals (Polars): sums of floats depend on the order of rows.

Neither loads the other, nor Spark, whose memory would count as its own.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING

from customer360.gold.terms import WINDOWS

if TYPE_CHECKING:
    import pandas as pd
    import polars as pl

READ = (
    "customer_key",
    "business_date",
    "orders",
    "refunds",
    "items",
    "gross_revenue",
    "refunded",
    "net_revenue",
    "channel",
    "category",
)
"""The columns of ``silver/customer_days`` that features are made of."""

_AMOUNTS = {"gross_revenue": "gross", "refunded": "back", "net_revenue": "net"}
_COUNTS = ("orders", "items", "refunds")
_LAST = ("distinct_categories", "distinct_channels", "last_category", "last_channel")


def pandas_features(customer_days: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """``gold/customer_features`` of ``as_of``.

    Args:
        customer_days: `READ`, with Arrow's types: as Python objects, dates and decimals are slow.
        as_of: Last day that is looked at.
    """
    import pandas as pd

    days = customer_days[customer_days["business_date"] <= as_of]
    rows = days[["customer_key", *_COUNTS, "category", "channel"]].assign(
        date=days["business_date"].astype("timestamp[ns][pyarrow]").astype("datetime64[ns]"),
        **{
            # Cents fit a double exactly; from a decimal to an integer Arrow has no short way.
            short: (days[name].astype("double[pyarrow]").astype("float64") * 100)
            .round()
            .astype("int64")
            for name, short in _AMOUNTS.items()
        },
    )
    rows["ago"] = (pd.Timestamp(as_of) - rows["date"]).dt.days
    rows["bought"] = (rows["orders"] > 0).astype(bool) & ((rows["net"] > 0) | (rows["back"] == 0))
    for n in WINDOWS:
        inside = rows["ago"] < n
        rows[f"net_{n}d"] = rows["net"].where(inside, 0)
        rows[f"purchase_days_{n}d"] = (rows["bought"] & inside).astype("int64")
    summed = [*_COUNTS, *_AMOUNTS.values()]
    summed += [f"{name}_{n}d" for n in WINDOWS for name in ("net", "purchase_days")]
    totals = rows.groupby("customer_key", sort=False)[summed].sum()
    purchases = rows[rows["bought"]].sort_values("date")
    table = purchases.groupby("customer_key", sort=False).agg(
        first_purchase_on=("date", "first"),
        last_purchase_on=("date", "last"),
        purchase_days=("date", "size"),
        purchased=("net", "sum"),
        first_purchased=("net", "first"),
        distinct_categories=("category", "nunique"),
        distinct_channels=("channel", "nunique"),
    )
    table = table.join(totals)
    for name in ("category", "channel"):
        # Not the groups' own "last": of Arrow's texts it is found group by group, in Python.
        known = purchases.dropna(subset=name).drop_duplicates("customer_key", keep="last")
        table[f"last_{name}"] = known.set_index("customer_key")[name]
    first, last = table["first_purchase_on"], table["last_purchase_on"]
    frequency = table["purchase_days"] - 1
    recency = (last - first).dt.days
    silence = (pd.Timestamp(as_of) - last).dt.days
    repeated = (table["purchased"] - table["first_purchased"]) / 100
    gap = (recency / frequency).where(frequency > 0)
    found = {
        "as_of": as_of,
        "customer_key": table.index,
        "first_purchase_on": first.dt.date,
        "last_purchase_on": last.dt.date,
        "frequency": frequency,
        "recency": recency,
        "T": (pd.Timestamp(as_of) - first).dt.days,
        "monetary_value": (repeated / frequency).where(frequency > 0, 0.0),
        "days_since_last_purchase": silence,
        **{name: table[name] for name in ("purchase_days", *_COUNTS)},
        "net_revenue": table["net"] / 100,
        "refunded": table["back"] / 100,
        "refund_rate": (table["back"] / table["gross"]).where(table["gross"] != 0, 0.0),
        "average_order_value": table["gross"] / 100 / table["orders"],
        **{f"purchase_days_{n}d": table[f"purchase_days_{n}d"] for n in WINDOWS},
        **{f"net_revenue_{n}d": table[f"net_{n}d"] / 100 for n in WINDOWS},
        "mean_days_between_purchases": gap,
        "overdue_ratio": silence / gap,
        **{name: table[name] for name in _LAST},
    }
    return pd.DataFrame(found, index=table.index).reset_index(drop=True)


def polars_features(customer_days: pl.LazyFrame, as_of: date) -> pl.LazyFrame:
    """``gold/customer_features`` of ``as_of``; nothing is computed yet.

    Args:
        customer_days: Has the columns of `READ`.
        as_of: Last day that is looked at.
    """
    import polars as pl

    col = pl.col
    kept = (col("net_revenue") > 0) | (col("refunded") == 0)
    bought = pl.when((col("orders") > 0) & kept).then("business_date")
    rows = customer_days.filter(col("business_date") <= as_of).with_columns(purchased_on=bought)
    purchased = col("purchased_on").is_not_null()
    aggregates = [
        col("purchased_on").min().alias("first_purchase_on"),
        col("purchased_on").max().alias("last_purchase_on"),
        col("purchased_on").count().alias("purchase_days"),
        col("net_revenue").filter(purchased).sum().alias("purchased"),
        col("net_revenue").min_by("purchased_on").alias("first_purchased"),
        col(*_COUNTS, *_AMOUNTS).sum(),
    ]
    for n in WINDOWS:
        inside = col("business_date") > as_of - timedelta(days=n)
        aggregates += [
            col("purchased_on").filter(inside).count().alias(f"purchase_days_{n}d"),
            col("net_revenue").filter(inside).sum().alias(f"net_revenue_{n}d"),
        ]
    for name, plural in (("category", "categories"), ("channel", "channels")):
        known = pl.when(col(name).is_not_null()).then("purchased_on")
        aggregates += [
            col(name).filter(purchased).drop_nulls().n_unique().alias(f"distinct_{plural}"),
            col(name).max_by(known).alias(f"last_{name}"),
        ]
    at, first, last = pl.lit(as_of), col("first_purchase_on"), col("last_purchase_on")
    silence = (at - last).dt.total_days()
    frequency = col("purchase_days").cast(pl.Int64) - 1
    recency = (last - first).dt.total_days()
    repeated = (col("purchased") - col("first_purchased")).cast(pl.Float64)
    back, gross = ((col(name) * 100).cast(pl.Int64) for name in ("refunded", "gross_revenue"))
    gap = pl.when(frequency > 0).then(recency / frequency)
    found = {
        "as_of": at,
        "customer_key": col("customer_key"),
        "first_purchase_on": first,
        "last_purchase_on": last,
        "frequency": frequency,
        "recency": recency,
        "T": (at - first).dt.total_days(),
        "monetary_value": pl.when(frequency > 0).then(repeated / frequency).otherwise(0.0),
        "days_since_last_purchase": silence,
        **{name: col(name) for name in ("purchase_days", *_COUNTS)},
        # Not cents / 100: Polars multiplies by 0.01, which is another number in the last bit.
        **{name: col(name).cast(pl.Float64) for name in ("net_revenue", "refunded")},
        "refund_rate": pl.when(gross != 0).then(back / gross).otherwise(0.0),
        "average_order_value": col("gross_revenue").cast(pl.Float64) / col("orders"),
        **{f"purchase_days_{n}d": col(f"purchase_days_{n}d") for n in WINDOWS},
        **{f"net_revenue_{n}d": col(f"net_revenue_{n}d").cast(pl.Float64) for n in WINDOWS},
        "mean_days_between_purchases": gap,
        "overdue_ratio": silence / gap,
        **{name: col(name) for name in _LAST},
    }
    totals = rows.group_by("customer_key").agg(aggregates)
    return totals.filter(col("purchase_days") > 0).select(**found)
