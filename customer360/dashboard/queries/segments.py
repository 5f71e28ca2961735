"""Segments: who is in them, what they bring, how customers move between them."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.contracts import Contract
from customer360.dashboard.connection import Reading
from customer360.table_names import RFM

NOBODY = "nobody"
"""Segment of those who had not bought yet."""


def sizes(reading: Reading, as_of: date) -> pd.DataFrame:
    """``segment``, ``customers``, ``net_revenue`` and their shares, the largest first."""
    return reading.frame(
        """
        SELECT segment, customers, customer_share, net_revenue, revenue_share
        FROM marts.segment_summary WHERE as_of = %(as_of)s ORDER BY customers DESC, segment
        """,
        {"as_of": as_of},
    )


def names(sizes: pd.DataFrame) -> list[str]:
    """All segments: those of `sizes` in its order, then those that nobody is in."""
    there = list(sizes["segment"]) if len(sizes) else []
    return list(dict.fromkeys([*there, *Contract.load(RFM).column("segment").allowed_values]))


def grid(reading: Reading, as_of: date) -> pd.DataFrame:
    """``r_score`` by ``f_score``: ``customers``, mean ``net_revenue`` and mean ``m_score``."""
    return reading.frame(
        """
        SELECT r_score, f_score, count(*) AS customers, avg(net_revenue) AS net_revenue,
               avg(m_score) AS m_score
        FROM marts.customer_360 WHERE as_of = %(as_of)s
        GROUP BY 1, 2 ORDER BY 1, 2
        """,
        {"as_of": as_of},
    )


def movement(reading: Reading, before: date, as_of: date) -> pd.DataFrame:
    """``segment_before``, ``segment`` and ``customers`` who were in the one and are in the other.

    A customer who had not bought by ``before`` has no ``segment_before``.
    """
    return reading.frame(
        """
        SELECT b.segment AS segment_before, a.segment, count(*) AS customers
        FROM (SELECT customer_key, segment FROM marts.customer_360 WHERE as_of = %(as_of)s) AS a
        LEFT JOIN (
            SELECT customer_key, segment FROM marts.customer_360 WHERE as_of = %(before)s
        ) AS b USING (customer_key)
        GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
        """,
        {"as_of": as_of, "before": before},
    )
