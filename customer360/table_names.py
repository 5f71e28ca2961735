"""Names of the lakehouse's tables, as ``layer/table``.

Here, and light, because the lineage needs them before anything is computed: whoever only names a
table must not load what makes it.
"""

from __future__ import annotations

CUSTOMERS = "silver/customers"
HISTORY = "silver/customer_history"
TRANSACTIONS = "silver/transactions"
ORDER_LINES = "silver/order_lines"
CUSTOMER_DAYS = "silver/customer_days"
REJECTED = "quarantine/transactions"
EDITS = "quarantine/edits"
FORGOTTEN = "quarantine/forgotten"
EXPIRED = "quarantine/expired"

FEATURES = "gold/customer_features"
FIRST_ORDERS = "gold/first_orders"
RFM = "gold/rfm_segments"
COHORTS = "gold/cohort_retention"
HEALTH = "gold/business_health"
CHURN_SCORES = "gold/churn_scores"
LIFETIME_VALUE = "gold/lifetime_value"
REVENUE_PREDICTIONS = "gold/revenue_predictions"
CUSTOMER_360 = "gold/customer_360"
REVENUE_FORECAST = "gold/revenue_forecast"
CUSTOMER_EQUITY = "gold/customer_equity"
DRIFT = "gold/model_drift"
PERFORMANCE = "gold/model_performance"

AS_OF = "as_of"
"""Column of the date that a snapshot in gold is of."""


def quarantine_of(table: str) -> str:
    """Name of the quarantine table of bronze table ``table`` (without layers)."""
    return f"quarantine/{table}"
