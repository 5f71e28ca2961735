"""The warehouse's tables, empty: the published ones as publishing makes them, marts by hand."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import psycopg
from psycopg import sql

from customer360.serving import tables

PUBLICATIONS = """
CREATE TABLE serving.publications (
    table_name text, rows bigint, delta_version bigint, first_slice date, last_slice date,
    run_id text, published_at timestamptz
)
"""

MARTS = """
CREATE TABLE marts.customer_360 AS
SELECT c.*, s.reason_1 AS churn_reason_1, s.reason_2 AS churn_reason_2,
       s.reason_3 AS churn_reason_3, s.horizon_days AS churn_horizon_days,
       c.churn_probability * c.expected_revenue_365d AS expected_loss,
       v.probability_alive_low, v.probability_alive_high,
       v.expected_revenue_365d_low, v.expected_revenue_365d_high,
       v.discounted_value_12m_low, v.discounted_value_12m_high,
       v.discounted_residual_value,
       v.discounted_residual_value_low, v.discounted_residual_value_high,
       p.expected_revenue, p.purchase_probability, p.horizon_days AS revenue_horizon_days
FROM gold.customer_360 c
LEFT JOIN gold.churn_scores s USING (as_of, customer_key)
LEFT JOIN gold.lifetime_value v USING (as_of, customer_key)
LEFT JOIN gold.revenue_predictions p USING (as_of, customer_key);
CREATE UNIQUE INDEX ON marts.customer_360 (as_of, customer_key);
CREATE INDEX ON marts.customer_360 (as_of, expected_loss DESC NULLS LAST);
CREATE INDEX ON marts.customer_360 (as_of, expected_revenue_365d DESC NULLS LAST);
CREATE INDEX ON marts.customer_360 (as_of, net_revenue DESC NULLS LAST);
CREATE INDEX ON marts.customer_360 (as_of, last_purchase_on DESC);
CREATE TABLE marts.segment_summary AS
SELECT as_of, segment, count(*) AS customers,
       count(*) / sum(count(*)) OVER (PARTITION BY as_of)::double precision AS customer_share,
       sum(net_revenue) AS net_revenue,
       sum(net_revenue) / nullif(sum(sum(net_revenue)) OVER (PARTITION BY as_of), 0)
           AS revenue_share
FROM marts.customer_360 GROUP BY 1, 2;
CREATE TABLE marts.cohort_retention AS SELECT * FROM gold.cohort_retention;
CREATE TABLE marts.revenue_kpis AS
SELECT *, (refunded / nullif(gross_revenue, 0))::double precision AS refund_rate
FROM gold.business_health;
"""
"""The marts that the dashboard reads, as dbt makes them but in no time; a test compares them."""


def create(connection: psycopg.Connection[Any], *, personal: bool = False) -> None:
    """Make every published table, without rows."""
    published = [
        *(tables.copy_of(name, personal_data=personal) for name in tables.published_tables()),
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
    for table in published:
        connection.execute(
            sql.SQL("CREATE TABLE {} ({}, PRIMARY KEY ({}))").format(
                table.identifier,
                sql.SQL(", ").join(
                    sql.SQL("{} {}").format(sql.Identifier(name), sql.SQL(kind))
                    for name, kind in table.columns.items()
                ),
                sql.SQL(", ").join(map(sql.Identifier, table.key)),
            )
        )
    connection.execute(PUBLICATIONS)


def insert(
    connection: psycopg.Connection[Any],
    table: str,
    rows: Iterable[Mapping[str, Any]],
    **common: Any,
) -> None:
    """Put rows into ``schema.table``; what a required column lacks gets ``common``'s value."""
    there = _columns_of(connection, table)
    target = sql.Identifier(*table.split("."))
    for row in rows:
        given = {k: v for k, v in (common | dict(row)).items() if k in there}
        connection.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({})").format(
                target,
                sql.SQL(", ").join(map(sql.Identifier, given)),
                sql.SQL(", ").join([sql.Placeholder()] * len(given)),
            ),
            list(given.values()),
        )


def _columns_of(connection: psycopg.Connection[Any], table: str) -> Sequence[str]:
    found = connection.execute(f"SELECT * FROM {table} LIMIT 0").description
    return [column.name for column in found or ()]
