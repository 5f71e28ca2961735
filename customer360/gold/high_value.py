"""Who is of high value: one rule of gold, the marts and the campaign lists."""

from __future__ import annotations

HIGH_VALUE_FROM = 4
"""Monetary score from which a customer is of high value."""
