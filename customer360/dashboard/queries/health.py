"""The data themselves: when they came, how fresh they are, what was kept out and why."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.dashboard.connection import Reading


def publications(reading: Reading) -> pd.DataFrame:
    """The newest publication of each table."""
    return reading.frame(
        """
        SELECT DISTINCT ON (table_name) table_name, rows, first_slice, last_slice, published_at,
               delta_version, run_id
        FROM serving.publications ORDER BY table_name, published_at DESC
        """
    )


def newest_day(reading: Reading) -> date | None:
    """The newest business date of the marts; None when there is none."""
    if not reading.has("marts.revenue_kpis"):
        return None
    day: date | None = reading.value("SELECT max(business_date) FROM marts.revenue_kpis")
    return day


def quarantine(reading: Reading) -> pd.DataFrame:
    """Rows kept out, by ``table_name`` and ``reason``, with the days they are of."""
    return reading.frame_if(
        "serving.quarantine",
        """
        SELECT table_name, reason, sum(rows)::bigint AS rows,
               min(business_date) AS first_day, max(business_date) AS last_day
        FROM serving.quarantine GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT 500
        """,
    )


def accounting(reading: Reading) -> pd.DataFrame:
    """What became of the rows that each table received, with the ``share`` in quarantine."""
    return reading.frame_if(
        "serving.row_accounting",
        """
        SELECT table_name, sum(received)::bigint AS received, sum(accepted)::bigint AS accepted,
               sum(quarantined)::bigint AS quarantined,
               sum(quarantined)::double precision / nullif(sum(received), 0) AS share
        FROM serving.row_accounting GROUP BY 1 ORDER BY 1
        """,
    )


def received_by_month(reading: Reading) -> pd.DataFrame:
    """Rows received a ``month``: ``accepted`` and ``quarantined``."""
    return reading.frame_if(
        "serving.row_accounting",
        """
        SELECT date_trunc('month', business_date::timestamp)::date AS month,
               sum(accepted)::bigint AS accepted, sum(quarantined)::bigint AS quarantined
        FROM serving.row_accounting WHERE business_date IS NOT NULL
        GROUP BY 1 ORDER BY 1
        """,
    )
