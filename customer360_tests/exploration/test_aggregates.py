"""What exploration counts, on customers made by hand."""

from __future__ import annotations

from datetime import date

import numpy as np
import pandas as pd
import pytest

from customer360.exploration import charts_of, html_page
from customer360.exploration.aggregates import (
    correlations,
    customer_base,
    explore,
    gini,
    histogram,
    lorenz_curve,
    missingness,
    repeat_rates,
    top_shares,
)
from customer360.gold.customer_features import customer_features
from customer360_tests.gold.frames import bought, customer_days, returned, rows_of, table

AS_OF = date(2025, 6, 30)


def spenders(spark, amounts):
    return table(spark, "net_revenue double", [(amount,) for amount in amounts])


def test_concentration_of_a_hundred_customers_who_spend_1_to_100(spark):
    curve = lorenz_curve(spenders(spark, [float(n) for n in range(1, 101)]))
    # Of 1, 2 … n the Gini coefficient is (n - 1) / 3n, and the top fifth holds 81 + … + 100.
    assert gini(curve) == pytest.approx(99 / 300)
    assert top_shares(curve)[0.20] == pytest.approx(sum(range(81, 101)) / 5050)
    assert top_shares(curve)[0.01] == pytest.approx(100 / 5050)


def test_all_alike_is_no_concentration_and_one_alone_is_all_of_it(spark):
    assert gini(lorenz_curve(spenders(spark, [7.0] * 40))) == pytest.approx(0)
    alone = lorenz_curve(spenders(spark, [0.0] * 99 + [5.0]))
    assert gini(alone) == pytest.approx(0.99)
    assert top_shares(alone) == pytest.approx({0.01: 1, 0.05: 1, 0.10: 1, 0.20: 1})


def test_refunds_beyond_sales_are_no_negative_revenue(spark):
    curve = lorenz_curve(spenders(spark, [-50.0, 10.0, 10.0]))
    assert curve["revenue"].min() == 0
    assert top_shares(curve)[0.20] == pytest.approx(0.3)


def test_without_revenue_there_is_no_concentration(spark):
    curve = lorenz_curve(spenders(spark, [0.0, 0.0]))
    assert np.isnan(gini(curve))
    assert top_shares(curve) == {}


@pytest.fixture(scope="module")
def base(spark):
    days = customer_days(
        spark,
        [
            bought("repeats", "2025-01-01", 10, category="books", channel="web"),
            bought("repeats", "2025-01-31", 30, category="toys"),
            bought("too late", "2025-01-01", 10, category="books", channel="shop"),
            bought("too late", "2025-02-01", 10),
            returned("too late", "2025-01-15", 4),
            bought("too new", "2025-06-15", 10, category="books"),
            bought("too new", "2025-06-20", 10),
            returned("never bought", "2025-01-01", 5),
        ],
    )
    people = table(
        spark,
        "customer_key string, state string, name string, _row_hash bigint",
        [("repeats", "SP", None, 1), ("too late", None, None, None), ("too new", "RJ", "x", 2)],
    )
    return customer_base(days, people, AS_OF, 30), people


def test_a_customer_repeats_who_buys_again_in_time(base):
    columns = ("category", "purchases", "net_revenue", "watched", "repeated", "state")
    assert rows_of(base[0], *columns) == [
        ("books", 2, 16, True, False, None),
        ("books", 2, 20, False, True, "RJ"),
        ("books", 2, 40, True, True, "SP"),
    ]


def test_repeat_rates_are_of_customers_watched_long_enough_with_wilsons_interval(base):
    (books,) = repeat_rates(base[0], "category", smallest_group=1).to_dict("records")
    assert (books["value"], books["customers"], books["repeated"]) == ("books", 2, 1)
    assert books["rate"] == 0.5
    # Wilson: centre 0.5, half width z sqrt(pq/n + z²/4n²) / (1 + z²/n) with z = 1.6449, n = 2.
    z2 = 1.6449**2
    half = np.sqrt(z2 * (0.25 / 2 + z2 / 16)) / (1 + z2 / 2)
    assert (books["low"], books["high"]) == pytest.approx((0.5 - half, 0.5 + half), abs=1e-4)
    assert list(repeat_rates(base[0], "state", smallest_group=1)["value"]) == ["SP"]


def test_groups_of_few_are_one_and_none_where_they_are_few_together(spark):
    groups = {"books": 3, "gift for Ana": 1, "toys": 1, "games": 2}
    rows = [(True, True, value) for value, people in groups.items() for _ in range(people)]
    watched = spark.createDataFrame(rows, "watched boolean, repeated boolean, category string")
    found = repeat_rates(watched, "category", smallest_group=3)
    assert found[["value", "customers", "repeated"]].to_numpy().tolist() == [
        ["other", 4, 4],
        ["books", 3, 3],
    ]
    assert list(repeat_rates(watched, "category", smallest_group=5)["value"]) == ["other"]
    few = watched.where("category IN ('books', 'toys')")
    assert list(repeat_rates(few, "category", smallest_group=3)["value"]) == ["books"]


def test_missing_values_are_shares_and_bookkeeping_is_left_out(base):
    found = missingness(base[1], "silver/customers").set_index("column")["share"]
    assert found.to_dict() == pytest.approx({"customer_key": 0, "state": 1 / 3, "name": 2 / 3})


def test_a_histogram_ends_at_the_99th_percentile(spark):
    rows = [(float(n),) for n in range(1, 100)] + [(100_000.0,)]
    found = histogram(table(spark, "amount double", rows), "amount")
    assert found["to"].max() == 99
    assert found["orders"].sum() == 98


def test_no_sales_have_no_histogram(spark):
    assert histogram(table(spark, "amount double", []), "amount").empty


def test_correlations_are_of_ranks(spark):
    rows = [
        bought(f"{n}", date(2025, 1, 1), 10**n, category=None, channel=None) for n in range(1, 7)
    ]
    found = correlations(customer_features(customer_days(spark, rows), [AS_OF]))
    # Amounts grow tenfold: ranks agree wholly, where Pearson's would not on their logarithms.
    assert found.loc["net_revenue", "average_order_value"] == pytest.approx(1)
    assert "frequency" not in found, "a constant correlates with nothing"
    pd.testing.assert_frame_equal(found, found.T)


TRANSACTIONS = (
    "customer_key string, kind string, business_date date, amount decimal(18,2), category string"
)


def test_data_without_attributes_is_explored_too(spark):
    """As CDNOW is: customers, days and amounts, and nothing else."""
    days = [("a", date(2025, 1, 1)), ("a", date(2025, 2, 1)), ("b", AS_OF), ("c", AS_OF)]
    history = customer_days(
        spark, [bought(key, day, 10, category=None, channel=None) for key, day in days]
    )
    sales = table(spark, TRANSACTIONS, [(key, "sale", day, 10, None) for key, day in days])
    people = table(spark, "customer_key string, state string", [(key, None) for key in "abc"])
    later = bought("a", date(2025, 7, 1), 99)
    found = explore(
        sales.unionAll(table(spark, TRANSACTIONS, [("a", "sale", date(2025, 7, 1), 99, None)])),
        people,
        history.unionAll(customer_days(spark, [later])),
        customer_features(history, [AS_OF]),
        AS_OF,
    )
    assert found.period["Last day"] == "2025-06-30"
    assert found.period["Transactions"] == "4"
    assert found.period["Customers who bought"] == "3"
    assert found.purchases.to_dict("list") == {"purchases": [1, 2], "customers": [2, 1]}
    assert found.gaps.to_dict("list") == {"gap_days": [31], "times": [1]}
    assert found.cohorts["customers"].tolist() == [1, 2]
    assert found.repeat_days == 90
    assert found.repeat_rates.empty
    assert found.top_shares[0.20] == pytest.approx(0.3)
    drawn = charts_of(found, "USD")
    assert not any(name.startswith("repeat_by") for name in drawn)
    assert "Not known in this data: category, channel, state." in html_page(found, drawn, "x")
