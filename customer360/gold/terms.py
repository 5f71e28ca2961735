"""What features and codes mean, where several engines must agree: light, and in SQL for all."""

from __future__ import annotations

IS_PURCHASE = "orders > 0 AND (net_revenue > 0 OR refunded = 0)"
"""True for the rows of ``silver/customer_days`` that are purchases: see `gold.purchases`."""

NO_CONTACT = "do_not_contact"
"""The next best action for whoever refused marketing."""

WINDOWS = (30, 90, 180, 365)
"""Lengths in days of the trailing windows: the last n days up to and including the as-of date."""
