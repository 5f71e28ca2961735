"""A small shop in a warehouse, by hand: six customers, three months, every figure known."""

from __future__ import annotations

import base64
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from customer360.models.notes import Note, stored
from customer360.models.revenue.model import RevenueModel
from customer360.models.sealed import SECRET, write_sealed
from customer360.serving.marts import failures, run_dbt
from customer360.serving.warehouse import open_warehouse
from customer360.settings import Settings, load_settings, remember
from customer360_tests.dashboard import tables

AS_OF, BEFORE = date(2024, 3, 31), date(2024, 2, 29)
PUBLISHED_AT = datetime(2024, 4, 1, 3, 30, tzinfo=UTC)
WHY = (
    Note("too_few_came_back", {"model": "BG/NBD", "needed": 50, "there": 3.0}),
    Note("past_average_is_carried_on"),
)
ECONOMICS: dict[str, Any] = {
    "churn_contact_cost": 5,
    "churn_success_rate": 0.5,
    "churn_margin": 0.5,
}
"""A contact earns a quarter of the value at stake, less 5."""
SCORED = {"model_name": "customer360_churn", "model_version": "2"}


def key(number: int) -> str:
    """Key of the customer of this number."""
    return f"{number:x}" * 64


def _day(customer: int, day: str, gross: float, refunded: float = 0) -> dict[str, Any]:
    return {
        "customer_key": key(customer),
        "business_date": date.fromisoformat(day),
        "orders": int(gross > 0),
        "refunds": int(refunded > 0),
        "items": 1,
        "gross_revenue": gross,
        "refunded": refunded,
        "net_revenue": gross - refunded,
        "category": "Books",
        "channel": "web",
    }


DAYS = [
    _day(1, "2024-01-10", 100),
    _day(1, "2024-02-05", 200),
    _day(1, "2024-03-20", 300),
    _day(2, "2024-01-15", 50),
    _day(2, "2024-03-25", 0, 20),
    _day(3, "2024-02-10", 80),
    _day(4, "2024-03-05", 400),
    _day(5, "2024-01-20", 60),
    _day(5, "2024-02-20", 60),
    _day(6, "2024-02-25", 10, 10),  # all taken back: no purchase, so no customer
]
FIRST = {"2024-01-10", "2024-01-15", "2024-01-20", "2024-02-10", "2024-03-05"}


def _health() -> list[dict[str, Any]]:
    found = []
    for number in range(91):
        day = date(2024, 1, 1) + timedelta(days=number)
        rows = [row for row in DAYS if row["business_date"] == day]
        orders = sum(row["orders"] for row in rows)
        gross = sum(row["gross_revenue"] for row in rows)
        new = sum(str(row["business_date"]) in FIRST for row in rows)
        bought = sum(row["orders"] > 0 and row["net_revenue"] > 0 for row in rows)
        found.append(
            {
                "business_date": day,
                "orders": orders,
                "refunds": sum(row["refunds"] for row in rows),
                "cancelled": 0,
                "items": orders,
                "gross_revenue": gross,
                "refunded": sum(row["refunded"] for row in rows),
                "net_revenue": sum(row["net_revenue"] for row in rows),
                "anonymous_orders": 0,
                "anonymous_revenue": 0,
                "active_customers": bought,
                "new_customers": new,
                "returning_customers": bought - new,
                "average_order_value": gross / orders if orders else None,
            }
        )
    return found


def _customer(number: int, segment: str, rfm: str, net: float, **more: Any) -> dict[str, Any]:
    r, f, m = (int(score) for score in rfm)
    return {
        "customer_key": key(number),
        "segment": segment,
        "rfm_score": rfm,
        "r_score": r,
        "f_score": f,
        "m_score": m,
        "net_revenue": net,
        "net_revenue_365d": net,
        "country": "BR",
        "first_purchase_on": min(
            row["business_date"]
            for row in DAYS
            if row["customer_key"] == key(number) and row["net_revenue"] > 0
        ),
        "discounted_value_12m": more.get("expected_revenue_365d", 0) * 0.9,
        **more,
    }


NOW = [
    _customer(1, "champions", "555", 600, state="SP", churn_probability=0.1, churn_risk="low",
              value_at_stake=50, expected_gap_days=20, has_left=0.05, overdue=0.3,
              expected_revenue_365d=500, probability_alive=0.95, purchase_days=3, orders=3,
              last_purchase_on=date(2024, 3, 20), days_since_last_purchase=11,
              mean_days_between_purchases=35,
              next_best_action="reward_and_ask_for_referrals"),
    _customer(2, "at_risk", "311", 30, state="SP", churn_probability=0.6, churn_risk="high",
              value_at_stake=24,
              expected_revenue_365d=40, probability_alive=0.4, purchase_days=1, orders=1,
              last_purchase_on=date(2024, 1, 15), days_since_last_purchase=76,
              next_best_action="win_back_by_email"),
    _customer(3, "hibernating", "212", 80, state="RJ", churn_probability=None, churn_risk=None,
              expected_revenue_365d=20, probability_alive=0.3, purchase_days=1, orders=1,
              last_purchase_on=date(2024, 2, 10), days_since_last_purchase=50,
              next_best_action="remind_in_season"),
    _customer(4, "new_customers", "414", 400, country="PT", churn_probability=0.5,
              churn_risk="medium", value_at_stake=100,
              expected_revenue_365d=200, probability_alive=0.8,
              purchase_days=1, orders=1, last_purchase_on=date(2024, 3, 5),
              days_since_last_purchase=26,
              next_best_action="guide_to_second_purchase"),
    _customer(5, "need_attention", "124", 120, state="RJ", churn_probability=0.9,
              churn_risk="high", value_at_stake=9, expected_gap_days=31,
              expected_revenue_365d=10, probability_alive=0.2,
              purchase_days=2, orders=2, last_purchase_on=date(2024, 2, 20),
              days_since_last_purchase=40, next_best_action="retain_with_reminder"),
]  # fmt: skip
THEN = [
    _customer(1, "loyal_customers", "455", 300),
    _customer(2, "need_attention", "213", 50),
    _customer(3, "new_customers", "514", 80),
    _customer(5, "need_attention", "423", 120),
]

COHORTS = [
    # cohort, months since, customers, active
    ("2024-01-01", 0, 3, 3),
    ("2024-01-01", 1, 3, 2),
    ("2024-01-01", 2, 3, 1),
    ("2024-02-01", 0, 1, 1),
    ("2024-02-01", 1, 1, 0),
    ("2024-03-01", 0, 1, 1),
]

PEOPLE: list[dict[str, Any]] = [
    {"name": "Ana Souza", "email": "ana@example.org", "phone": "+5511999990001", "state": "SP",
     "acquisition_channel": "referral", "loyalty_tier": "gold", "marketing_consent": False,
     "signed_up_on": date(2023, 12, 31)},
    {"name": "=cmd|'/c calc'!A1", "email": "bob@example.com", "phone": "12", "state": "SP",
     "marketing_consent": True},
    {"name": None, "email": None, "phone": None, "state": "RJ"},
    {"name": "Zé", "email": "not an address", "phone": "+351 912 345 678", "state": None,
     "marketing_consent": True},
    {"name": "<b>Eve</b> [x](http://x)", "email": "e@x", "phone": None, "state": "RJ",
     "marketing_consent": True},
]  # fmt: skip


def run(
    name: str, job: str, ended: datetime | None, status: str = "success", **more: Any
) -> dict[str, Any]:
    """A run of `serving.runs` that took five minutes; it still runs where it has not ended."""
    started = (ended or PUBLISHED_AT + timedelta(hours=1)) - timedelta(minutes=5)
    return {
        "run_id": name, "job": job, "status": status, "started_at": started, "ended_at": ended,
        **more,
    }  # fmt: skip


RUNS = [
    run("a", "nightly", PUBLISHED_AT - timedelta(days=1), "failure",
        failed_step="bronze/synthetic_transactions", error="day.csv: expected a column *amount*"),
    run("b", "nightly", PUBLISHED_AT),
    run("c", "load", None, "running"),
]  # fmt: skip

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def fill(connection: psycopg.Connection[Any]) -> None:
    """Put the shop's rows into the published tables."""
    tables.insert(connection, "silver.customer_days", DAYS)
    tables.insert(connection, "gold.business_health", _health())
    for as_of, rows in ((AS_OF, NOW), (BEFORE, THEN)):
        tables.insert(connection, "gold.customer_360", rows, as_of=as_of)
    tables.insert(
        connection,
        "silver.customers",
        [
            {"customer_key": key(n), "source_customer_id": f"C{n}", **person}
            for n, person in enumerate(PEOPLE, 1)
        ],
        source="shop",
        country="BR",
    )
    tables.insert(
        connection,
        "gold.churn_scores",
        [
            {"customer_key": row["customer_key"], "churn_probability": row["churn_probability"],
             "risk": row["churn_risk"], "reason_1": "last_purchase",
             "reason_1_values": '{"ago":40}', "reason_2": "refunds_none", "reason_2_values": "{}"}
            for row in NOW if row["churn_probability"] is not None
        ],
        as_of=AS_OF, horizon_days=42, activity_window_days=91, **SCORED,
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.lifetime_value",
        [
            {"customer_key": row["customer_key"],
             "expected_revenue_365d_low": row["expected_revenue_365d"] / 5,
             "expected_revenue_365d_high": row["expected_revenue_365d"] * 2,
             "probability_alive_low": row["probability_alive"] - 0.05,
             "probability_alive_high": row["probability_alive"] + 0.05}
            for row in NOW
        ],
        as_of=AS_OF,
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.revenue_predictions",
        [
            {"customer_key": row["customer_key"], "expected_revenue": 50.0,
             "purchase_probability": 0.5, "reason_1": "order_value",
             "reason_1_values": '{"effect":"more","value":200.0}'}
            for row in NOW
        ],
        as_of=AS_OF, horizon_days=91,
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.cohort_retention",
        [
            {"cohort": cohort, "months_since_first": months, "customers": customers,
             "active_customers": active, "retention": active / customers, "is_partial": False,
             "net_revenue": 0, "cumulative_revenue_per_customer": 10.0}
            for cohort, months, customers, active in COHORTS
        ],
        as_of=AS_OF,
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.revenue_forecast",
        [
            {"week": week, "week_start": AS_OF + timedelta(days=7 * week - 6),
             "week_end": AS_OF + timedelta(days=7 * week)}
            for week in range(1, 53)
        ],
        as_of=AS_OF, revenue=100, revenue_low=80, revenue_high=120, new_revenue=50,
    )  # fmt: skip
    _models(connection)
    _bookkeeping(connection)


def _models(connection: psycopg.Connection[Any]) -> None:
    tables.insert(
        connection,
        "serving.models",
        [
            {"model": "churn", "version": "1", "is_champion": False, "as_of": BEFORE},
            {"model": "churn", "version": "2", "is_champion": True, "as_of": BEFORE,
             "card": "# churn v2\n\nCosts $5 or $6.\n"},
            {"model": "lifetime-value", "version": "1", "is_champion": True, "as_of": AS_OF,
             "status": "fallback", "because": stored(WHY)},
        ],
        trained_at=PUBLISHED_AT, status="trained",
    )  # fmt: skip
    tables.insert(
        connection,
        "serving.model_figures",
        [
            {"figure": "test_brier", "value": 0.2, "low": 0.18, "high": 0.22},
            {"figure": "test_roc_auc", "value": 0.7},
            {"figure": "baseline_hiatus_rule_brier", "value": 0.25},
            {"figure": "baseline_hiatus_rule_roc_auc", "value": 0.75},
        ],
        model="churn", version="2",
    )  # fmt: skip
    tables.insert(
        connection,
        "serving.model_plots",
        [{"name": "calibration", "png": PNG}],
        model="churn", version="2",
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.model_performance",
        [
            {"decile": n, "customers": 1, "predicted": 1 - n / 10, "actual": 1 - n / 11,
             "mean_absolute_error": 0.1, "mean_squared_error": 0.01}
            for n in range(1, 11)
        ],
        as_of=BEFORE, model="churn", prediction="churn_probability", horizon_days=42,
        model_version="2",
    )  # fmt: skip
    tables.insert(
        connection,
        "gold.model_drift",
        [
            {"feature": "frequency", "kind": "feature", "psi": 0.3, "shift": "shifted"},
            {"feature": "churn_probability", "kind": "score", "psi": 0.05, "shift": "stable"},
        ],
        as_of=AS_OF, model="churn", psi_by_chance=0.02, reference_as_of=BEFORE, customers=5,
        reference_customers=4, model_version="2",
    )  # fmt: skip


def _bookkeeping(connection: psycopg.Connection[Any]) -> None:
    tables.insert(
        connection,
        "serving.publications",
        [
            {"table_name": "gold/customer_360", "rows": 9, "first_slice": BEFORE},
            {"table_name": "gold/business_health", "rows": 91, "first_slice": date(2024, 1, 1)},
            {"table_name": "serving/suppressed_customers", "rows": 0},
        ],
        last_slice=AS_OF, run_id="run", delta_version=3, published_at=PUBLISHED_AT,
    )  # fmt: skip
    tables.insert(
        connection,
        "serving.row_accounting",
        [
            {"business_date": date(2024, 2, 1), "received": 10, "accepted": 8, "quarantined": 2},
            {"business_date": date(2024, 3, 1), "received": 5, "accepted": 5, "quarantined": 0},
        ],
        table_name="silver/transactions",
    )  # fmt: skip
    tables.insert(
        connection,
        "serving.quarantine",
        [
            {"reason": "amount:minimum", "business_date": date(2024, 2, 1), "rows": 1},
            {"reason": "amount:minimum", "business_date": date(2024, 2, 2), "rows": 1},
            {"reason": "channel:pattern", "business_date": date(2024, 2, 1), "rows": 1},
        ],
        table_name="silver/transactions",
    )  # fmt: skip
    tables.insert(connection, "serving.runs", RUNS)
    facts = {
        "currency": "BRL",
        **{name: str(value) for name, value in ECONOMICS.items()},
        "zone": "America/Sao_Paulo",
    }
    tables.insert(
        connection, "serving.deployment", [{"name": n, "value": v} for n, v in facts.items()]
    )


def home(folder: Path, *, personal: bool = False) -> Settings:
    """A deployment in ``folder`` whose own warehouse holds the shop and dbt's marts of it."""
    folder.mkdir(parents=True, exist_ok=True)
    # What the marts are made with is what the pages are told.
    remember(folder, {"publish_personal_data": personal} | ECONOMICS)
    settings = load_settings(folder)
    owner = open_warehouse(settings).owner
    with owner.connect() as connection:
        tables.create(connection, personal=personal)
        fill(connection)
    for _ in run_dbt(settings, owner, ["run", "--full-refresh"]):
        pass
    assert failures(settings) == []
    model = RevenueModel("mean", 91, mean_revenue=80.0, purchase_rate=0.3)
    write_sealed(settings.revenue_pickle, model.dumps(), settings.kept_secret(SECRET))
    return settings


def emptied(settings: Settings) -> None:
    """Take every row out of the warehouse."""
    with open_warehouse(settings).owner.connect() as owner:
        found = owner.execute(
            "SELECT schemaname, tablename FROM pg_tables "
            "WHERE schemaname IN ('gold', 'silver', 'serving', 'marts')"
        ).fetchall()
        for name in found:
            owner.execute(sql.SQL("TRUNCATE {}").format(sql.Identifier(*name)))
