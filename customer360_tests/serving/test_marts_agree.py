"""Marts beside the functions of the lakehouse that say the same: each fact has one meaning."""

from __future__ import annotations

import hashlib
from datetime import date
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyspark.sql import SparkSession
from pyspark.sql.pandas.types import to_arrow_schema

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.models.campaign import Campaign
from customer360.models.outcomes import outcomes
from customer360.serving import campaigns
from customer360.serving.eligibility import judged, suppressed_customers
from customer360_tests.serving.conftest import FEBRUARY, JANUARY, Marts, read
from customer360_tests.serving.frames import asked, customers_of, identifiers_of
from customer360_tests.serving.published import (
    CONSENT,
    CUSTOMER_DAYS,
    lakehouse_tables,
    note_publication,
    publish,
)

CUSTOMERS = 400


def test_label_is_the_one_that_the_revenue_model_learns(spark: SparkSession, made: Marts) -> None:
    schema = spark_schema(Contract.load("silver/customer_days"))
    days = spark.createDataFrame(
        [tuple(row.get(name) for name in schema.names) for row in CUSTOMER_DAYS], schema
    )
    came = {
        row["customer_key"]: (row["revenue"], row["bought"])
        for row in outcomes(days, [JANUARY], 14).collect()
    }
    labels = {
        row["customer_key"]: (row["net_revenue_next"], row["bought_next"])
        for row in made.rows["analytical_base_table"]
        if row["as_of"] == JANUARY
    }
    assert set(came) == {"a", "b", "c"}
    # Who neither bought nor returned anything has no outcome, and counts as 0.
    assert labels == {key: came.get(key, (0, 0)) for key in "abcd"}


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def people(as_of: date) -> list[dict[str, Any]]:
    """Customers of all kinds, such that each list has some and ties are among them."""
    rng = np.random.default_rng(7)
    rows: list[dict[str, Any]] = []
    for n in range(CUSTOMERS):
        active = bool(rng.random() < 0.6)
        valued = bool(rng.random() < 0.9)
        expected = float(rng.integers(0, 50)) + n % 4 / 1000
        rows.append(
            {
                "as_of": as_of,
                "customer_key": f"{n:03}",
                "segment": "promising",
                "next_best_action": "offer_bundles",
                "churn_probability": round(float(rng.random()), 4) if active else None,
                "churn_risk": str(rng.choice(["high", "medium", "low"])) if active else None,
                "value_at_stake": float(rng.integers(0, 200)) if active and valued else None,
                "r_score": int(rng.integers(1, 6)),
                "m_score": int(rng.integers(1, 6)),
                "purchase_days": int(rng.integers(1, 4)),
                "days_since_last_purchase": int(rng.choice([1, 89, 90, 200])),
                "net_revenue": round(float(rng.normal(100, 80)), 2),
                "net_revenue_365d": float(rng.integers(0, 50)),
                "expected_revenue_365d": expected if valued else None,
                "discounted_value_12m": round(float(rng.gamma(1, 60)), 2) if valued else None,
            }
        )
    return rows


def test_lists_are_those_that_exports_write(made: Marts) -> None:
    rows = people(FEBRUARY)
    agreed = {row["customer_key"]: [True, True, False, None][n % 4] for n, row in enumerate(rows)}
    customers = customers_of(
        {
            key: {"marketing_consent": consent, "email": f"{key}@example.com"}
            for key, consent in (agreed | CONSENT).items()
        },
    )
    # Every fifth customer, by the key or by the e-mail address.
    listed = identifiers_of(
        *(
            ("customer_key", key) if n % 2 else ("email", sha256(f"{key}@example.com"))
            for n, key in enumerate(list(agreed)[::5])
        )
    )
    named = suppressed_customers("customers", "listed")
    suppressed = asked(named, customers=customers, listed=listed).to_pylist()
    assert len(suppressed) == CUSTOMERS / 5
    owner = made.warehouse.owner
    known = customers.select(["customer_key", "source", "marketing_consent"]).to_pylist()
    publish(owner, "gold/customer_360", rows)
    publish(owner, "silver/customers", known)
    publish(owner, "serving/suppressed_customers", suppressed)
    note_publication(owner, "gold/customer_360", None, None)
    # With the views that the marts read: another test's publish may have taken them along.
    staging = (
        "customer_360",
        "churn_scores",
        "lifetime_value",
        "revenue_predictions",
        "customers",
        "suppressed_customers",
    )
    views = [f"staging/stg_{name}" for name in staging]
    result = made.run(
        *views, "marts/customer_snapshots", "marts/customer_360", "marts/campaign_lists"
    )
    assert result.success
    found: dict[str, list[tuple[str, float | None]]] = {}
    for row in sorted(read(made.warehouse, "campaign_lists"), key=lambda row: row["rank"]):
        value = None if row["value"] is None else round(row["value"], 2)
        found.setdefault(row["campaign"], []).append((row["customer_key"], value))

    schema = to_arrow_schema(spark_schema(Contract.load("gold/customer_360")))
    snapshot = pa.Table.from_pylist(rows, schema=schema)
    for campaign in campaigns.CAMPAIGN_LISTS:
        members = campaigns.campaign_members("customer_360", campaign, Campaign())
        stay = asked(
            f"SELECT * FROM ({judged(f'({members})', 'customers', 'listed')}) "
            "WHERE left_out IS NULL ORDER BY priority DESC NULLS LAST, customer_key",
            customer_360=snapshot,
            customers=customers,
            listed=listed,
        )
        expected = [(row["customer_key"], row["priority"]) for row in stay.to_pylist()]
        assert len(expected) > 5, campaign.name
        assert dict(found[campaign.name]) == pytest.approx(dict(expected), abs=0.011), campaign.name
        # To the customer, ties included: what rounds to the same cent is one.
        assert [key for key, _ in found[campaign.name]] == [key for key, _ in expected]
    assert set(found) == {campaign.name for campaign in campaigns.CAMPAIGN_LISTS}

    as_before = lakehouse_tables([FEBRUARY])
    for name in ("silver/customers", "serving/suppressed_customers"):
        publish(owner, name, as_before[name])
