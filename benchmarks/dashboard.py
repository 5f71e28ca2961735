"""How fast the dashboard answers with a million customers: ``python -m benchmarks.dashboard``.

Fills a warehouse of its own with made-up rows by ``generate_series``, makes the marts with dbt, and
runs every page as Streamlit does: once with nothing kept (every question asked), then once more
with the answers kept. Memory of PostgreSQL and the disk's cache are warm in both.
"""

from __future__ import annotations

import argparse
import logging
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from customer360.models.revenue.model import RevenueModel
from customer360.serving import tables
from customer360.serving.marts import failures, run_dbt
from customer360.serving.publishing import PublishedTable
from customer360.serving.warehouse import Login, open_warehouse
from customer360.settings import HOME_VARIABLE, Settings, load_settings

AS_OF = "date '2025-12-31'"
EARLIER = "date '2025-11-30'"
KEY = "md5('customer ' || n) || md5(n::text)"

# Waiting times and gaps are exponential, amounts log-normal: a few customers buy most.
PEOPLE = f"""
CREATE TABLE loading.people AS
SELECT n, {KEY} AS customer_key,
       {AS_OF} - (random() * 729)::int AS first_purchase_on,
       1 + floor(-ln(1 - random()) * 5)::int AS purchase_days,
       exp(3.8 + 0.8 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())) AS order_value,
       (ARRAY['SP', 'RJ', 'MG', 'RS', 'PR', 'SC', 'BA', 'DF'])[1 + floor(random() * 8)::int]
           AS state,
       random() AS luck
FROM generate_series(1, %(customers)s) AS n
"""

DAYS = f"""
INSERT INTO silver.customer_days (customer_key, business_date, orders, refunds, items,
    gross_revenue, refunded, net_revenue, category, channel)
SELECT customer_key, day, 1, (back > 0)::int, 2, gross, back, gross - back, 'Books', 'web'
FROM (
    SELECT customer_key,
           first_purchase_on
               + (power(random(), 2) * ({AS_OF} - first_purchase_on) * (k > 0)::int)::int AS day,
           round((order_value * (0.5 + random()))::numeric, 2) AS gross,
           CASE WHEN random() < 0.03 THEN 5.0 ELSE 0 END AS back
    FROM loading.people CROSS JOIN LATERAL generate_series(0, purchase_days - 1) AS k
) AS made
ON CONFLICT DO NOTHING
"""

HEALTH = """
INSERT INTO gold.business_health (business_date, orders, refunds, cancelled, items,
    gross_revenue, refunded, net_revenue, anonymous_orders, anonymous_revenue, active_customers,
    new_customers, returning_customers, average_order_value)
SELECT business_date, count(*), sum(refunds), 0, sum(items), sum(gross_revenue), sum(refunded),
       sum(net_revenue), 0, 0, count(*), count(*) FILTER (WHERE first_purchase_on = business_date),
       count(*) FILTER (WHERE first_purchase_on < business_date), avg(gross_revenue)
FROM silver.customer_days JOIN loading.people USING (customer_key) GROUP BY 1
"""

CUSTOMERS = """
INSERT INTO gold.customer_360 (as_of, customer_key, first_purchase_on, last_purchase_on,
    days_since_last_purchase, purchase_days, orders, items, refunds, net_revenue, net_revenue_90d,
    net_revenue_365d, refund_rate, average_order_value, r_score, f_score, m_score, rfm_score,
    segment, churn_probability, churn_risk, probability_alive, expected_purchases_365d,
    expected_order_value, expected_revenue_365d, discounted_value_12m, state, country,
    next_best_action)
SELECT {as_of}, customer_key, first, last, {as_of} - last, days, days, 2 * days, 0, net, net_90,
       net_365, 0, order_value, r, least(days, 5), m, concat(r, least(days, 5), m),
       (ARRAY['lost', 'hibernating', 'at_risk', 'loyal_customers', 'champions'])[r],
       CASE WHEN {as_of} - last <= 120 THEN luck END,
       CASE WHEN {as_of} - last <= 120
            THEN (ARRAY['low', 'medium', 'high'])[1 + floor(luck * 3)::int] END,
       exp(-({as_of} - last) / 200.0), days / 2.0, order_value, net_365 * (1 - luck / 2),
       net_365 * (1 - luck / 2) * 0.95, state, 'BR', 'send_limited_offer'
FROM (
    SELECT customer_key, order_value, luck, state, min(business_date) AS first,
           max(business_date) AS last, count(*)::int AS days, sum(net_revenue)::float AS net,
           coalesce(sum(net_revenue) FILTER (WHERE business_date > {as_of} - 90), 0)::float
               AS net_90,
           coalesce(sum(net_revenue) FILTER (WHERE business_date > {as_of} - 365), 0)::float
               AS net_365,
           ntile(5) OVER (ORDER BY max(business_date)) AS r,
           ntile(5) OVER (ORDER BY sum(net_revenue)) AS m
    FROM silver.customer_days JOIN loading.people USING (customer_key)
    WHERE business_date <= {as_of} GROUP BY 1, 2, 3, 4
) AS bought
"""

SCORES = """
INSERT INTO gold.churn_scores (as_of, customer_key, churn_probability, risk, reason_1,
    reason_1_values, horizon_days, activity_window_days, model_name, model_version)
SELECT as_of, customer_key, churn_probability, churn_risk, 'last_purchase',
       json_build_object('ago', days_since_last_purchase)::text, 42, 120, 'x', '1'
FROM gold.customer_360 WHERE churn_probability IS NOT NULL;
INSERT INTO gold.revenue_predictions (as_of, customer_key, expected_revenue, purchase_probability,
    reason_1, reason_1_values, horizon_days, model_name, model_version)
SELECT as_of, customer_key, expected_revenue_365d / 4, 1 - days_since_last_purchase / 800.0,
       'last_purchase',
       json_build_object('effect', 'less', 'ago', days_since_last_purchase)::text, 91, 'x', '1'
FROM gold.customer_360;
INSERT INTO gold.lifetime_value (as_of, customer_key, probability_alive, probability_alive_low,
    probability_alive_high, expected_revenue_365d, expected_revenue_365d_low,
    expected_revenue_365d_high)
SELECT as_of, customer_key, probability_alive, probability_alive * 0.9, probability_alive,
       expected_revenue_365d, 0, expected_revenue_365d * 3 FROM gold.customer_360;
INSERT INTO gold.cohort_retention (as_of, cohort, months_since_first, customers, active_customers,
    retention, net_revenue, cumulative_revenue_per_customer, is_partial)
SELECT date '2025-12-31', cohort, months, size, active, active::float / size, 0, 0, false
FROM (
    SELECT date_trunc('month', first_purchase_on)::date AS cohort,
           (extract(year FROM age(date_trunc('month', business_date),
                                  date_trunc('month', first_purchase_on))) * 12
            + extract(month FROM age(date_trunc('month', business_date),
                                     date_trunc('month', first_purchase_on))))::int AS months,
           count(DISTINCT customer_key)::int AS active
    FROM silver.customer_days JOIN loading.people USING (customer_key) GROUP BY 1, 2
) AS cells JOIN (
    SELECT date_trunc('month', first_purchase_on)::date AS cohort, count(*)::int AS size
    FROM loading.people GROUP BY 1
) AS sizes USING (cohort);
INSERT INTO gold.revenue_forecast (as_of, week, week_start, week_end, purchases, purchases_low,
    purchases_high, revenue, revenue_low, revenue_high, new_purchases, new_revenue, model_name,
    model_version)
SELECT date '2025-12-31', w, date '2025-12-25' + 7 * w, date '2025-12-31' + 7 * w, 9, 8, 10,
       1e6, 9e5, 1.1e6, 1, 1e5, 'x', '1' FROM generate_series(1, 52) AS w;
INSERT INTO silver.customers (customer_key, source, updated_at, state, country)
SELECT customer_key, 'made up', now(), state, 'BR' FROM loading.people;
"""


@dataclass(frozen=True)
class Answer:
    """Seconds that a page took."""

    page: str
    asked: float
    kept: float


def fill(owner: Login, customers: int) -> None:
    """Make the published tables with so many customers at two as-of dates."""
    published = [
        *(tables.copy_of(name) for name in tables.published_tables()),
        tables.revenue_examples(),
        tables.MODELS,
        tables.MODEL_FIGURES,
        tables.MODEL_PLOTS,
        tables.QUARANTINE,
        tables.ROW_ACCOUNTING,
        tables.SUPPRESSED_CUSTOMERS,
        tables.DEPLOYMENT,
        tables.RUNS,
    ]
    with owner.connect() as connection:
        for table in published:
            _create(connection, table)
        connection.execute(
            "CREATE TABLE serving.publications (table_name text, rows bigint, "
            "delta_version bigint, first_slice date, last_slice date, run_id text, "
            "published_at timestamptz DEFAULT now())"
        )
        connection.execute("SELECT setseed(0.5)")
        connection.execute(PEOPLE.encode(), {"customers": customers})
        for statement in (
            DAYS,
            HEALTH,
            *(CUSTOMERS.format(as_of=day) for day in (AS_OF, EARLIER)),
            SCORES,
            "INSERT INTO serving.deployment VALUES ('currency', 'BRL')",
            "INSERT INTO serving.publications (table_name, last_slice) "
            "VALUES ('gold/customer_360', '2025-12-31'), ('serving/suppressed_customers', NULL)",
        ):
            connection.execute(statement.encode())
    with owner.connect(autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")


def _create(connection: psycopg.Connection[Any], table: PublishedTable) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
        for name, kind in table.columns.items()
    )
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    connection.execute(
        sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(table.identifier, columns, key)
    )
    for indexed in table.indexes:
        connection.execute(
            sql.SQL("CREATE INDEX ON {} ({})").format(
                table.identifier, sql.SQL(", ").join(map(sql.Identifier, indexed))
            )
        )


def answers(settings: Settings, customer_key: str, rounds: int) -> list[Answer]:
    """Seconds of every page: the median of ``rounds``, with every question asked and with none."""
    # Imported here: Streamlit takes a second to load.
    import streamlit as st
    from streamlit.testing.v1 import AppTest
    from streamlit.util import calc_hash

    from customer360.dashboard import app
    from customer360.dashboard.views import all_views

    # It warns of every run outside of a server.
    logging.disable(logging.WARNING)
    os.environ[HOME_VARIABLE] = str(settings.home)

    def run(name: str, **query: str) -> Callable[[], float]:
        def once() -> float:
            test = AppTest.from_file(str(Path(app.__file__)), default_timeout=300)
            test._page_hash = calc_hash("" if name == "overview" else name)
            for parameter, value in query.items():
                test.query_params[parameter] = value
            begun = time.perf_counter()
            test.run()
            seconds = time.perf_counter() - begun
            assert not test.exception, name
            assert not test.error, f"{name}: {test.error[0].value}"
            return seconds

        return once

    pages = {name: run(name) for name in all_views()}
    pages["one customer"] = run("customers", customer=customer_key)
    found = []
    for name, once in pages.items():
        once()  # loads the server's pages and the chart library
        asked, kept = [], []
        for _ in range(rounds):
            st.cache_data.clear()
            asked.append(once())
            kept.append(once())
        found.append(Answer(name, statistics.median(asked), statistics.median(kept)))
    return found


def main() -> None:
    """Fill, measure, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(Path(folder))
        owner = open_warehouse(settings).owner
        begun = time.perf_counter()
        fill(owner, given.customers)
        print(f"filled in {time.perf_counter() - begun:.0f} s")
        begun = time.perf_counter()
        for _ in run_dbt(settings, owner, ["run", "--full-refresh"]):
            pass
        found = failures(settings)
        assert not found, found
        print(f"marts in {time.perf_counter() - begun:.0f} s")
        settings.revenue_pickle.parent.mkdir(parents=True)
        settings.revenue_pickle.write_bytes(RevenueModel("mean", 91, mean_revenue=80.0).dumps())
        with owner.connect(autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")
            counts = connection.execute(
                "SELECT (SELECT count(*) FROM marts.customer_360), "
                "(SELECT count(*) FROM silver.customer_days), "
                "(SELECT min(customer_key) FROM marts.customer_360)"
            ).fetchone()
        assert counts is not None
        print(f"{counts[0]:,} customer rows of two dates, {counts[1]:,} customer days\n")
        print("| page | every question asked (s) | answers kept (s) |\n|---|---:|---:|")
        for each in answers(settings, counts[2], given.rounds):
            print(f"| {each.page} | {each.asked:.2f} | {each.kept:.2f} |")


if __name__ == "__main__":
    main()
