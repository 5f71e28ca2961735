"""What the package declares, for tests that look at all of it: tables, models and lists."""

from __future__ import annotations

from customer360.contracts import Contract, packaged_tables
from customer360.models.registry import MODELS
from customer360.serving.campaigns import CAMPAIGN_LISTS
from customer360.table_names import DRIFT, HEALTH, ORDER_LINES, PERFORMANCE

OF_LINES = {ORDER_LINES} | {t for t in packaged_tables() if ORDER_LINES in Contract.load(t).reads}
"""Tables that only a deployment with order lines has."""

SILVER = tuple(t for t in packaged_tables() if t.startswith("silver/") and t not in OF_LINES)
GOLD = tuple(t for t in packaged_tables() if t.startswith("gold/") and t not in OF_LINES)

LOADED = (
    "bronze/synthetic_customers",
    "bronze/synthetic_transactions",
    "quarantine/synthetic_customers",
    "quarantine/synthetic_transactions",
    "quarantine/transactions",
    *SILVER,
)
"""Tables that a load of the synthetic source makes."""

TABLES = (*LOADED, *GOLD)
"""All tables of a deployment of the synthetic source."""

MONITORING = (DRIFT, PERFORMANCE)
SNAPSHOTS = tuple(t for t in GOLD if t not in (HEALTH, *MONITORING))
"""Tables of gold that are made as of a date, scores among them."""

MODEL_ASSETS = tuple(spec.asset for spec in MODELS)
EXPORTS = tuple(f"exports/{campaign.name}" for campaign in CAMPAIGN_LISTS)
