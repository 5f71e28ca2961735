"""What features and codes mean, where several engines must agree: light, and in SQL for all."""

from __future__ import annotations

IS_PURCHASE = "orders > 0 AND (net_revenue > 0 OR refunded = 0)"
"""True for the rows of ``silver/customer_days`` that are purchases: see `gold.purchases`."""

NO_CONTACT = "do_not_contact"
"""The next best action for whoever refused marketing."""

NO_EFFORT = "spend_nothing"
"""The next best action for whoever costs more than they bring; on no campaign list."""

WINDOWS = (30, 90, 180, 365)
"""Lengths in days of the trailing windows: the last n days up to and including the as-of date."""

LEFT_DAYS = 365
"""Who buys nothing for so long has left, whatever the calendar: a year holds every season once."""

RISK_FROM = {"high": 0.5, "medium": 0.25, "low": 0.0}
"""Risk classes with the probability of having left from which they hold, the highest first.

High: the customer has rather left than not.
"""
