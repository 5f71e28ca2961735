"""The data themselves: how runs went, when data came, what was kept out and why."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.dashboard.connection import Reading

MADE_GOOD_BY = {
    "nightly": ("load",),
    "gold": ("snapshot", "train", "publish"),
    "retrain": ("train",),
}
"""Jobs that run by themselves, when nobody sits at a terminal and sees them fail; and the jobs of
`customer360 run` that do their work."""


def newest_ended_runs(reading: Reading) -> pd.DataFrame:
    """Runs whose end people must know of, the newest first, each with its ``seconds``.

    The newest that has ended; and the newest of a job in `MADE_GOOD_BY` that did not succeed, until
    all the jobs that make it good have succeeded since.
    """
    return reading.frame_if(
        "serving.runs",
        """
        SELECT job, status, ended_at, failed_step, error,
               extract(epoch FROM ended_at - started_at)::double precision AS seconds
        FROM serving.runs run
        WHERE ended_at = (SELECT max(ended_at) FROM serving.runs)
           OR status <> 'success'
              AND NOT EXISTS (
                  SELECT FROM serving.runs later
                  WHERE later.job = run.job AND later.ended_at > run.ended_at)
              AND EXISTS (
                  SELECT FROM unnest(%(jobs)s::text[], %(remedies)s::text[]) AS good (job, remedy)
                  WHERE good.job = run.job
                    AND NOT EXISTS (
                        SELECT FROM serving.runs later
                        WHERE later.job = good.remedy AND later.status = 'success'
                          AND later.ended_at > run.ended_at))
        ORDER BY ended_at DESC
        """,
        {
            "jobs": [job for job, remedies in MADE_GOOD_BY.items() for _ in remedies],
            "remedies": [remedy for remedies in MADE_GOOD_BY.values() for remedy in remedies],
        },
    )


def runs(reading: Reading) -> pd.DataFrame:
    """The newest runs."""
    return reading.frame_if(
        "serving.runs",
        """
        SELECT job, status, started_at, ended_at, failed_step, error, run_id
        FROM serving.runs ORDER BY started_at DESC, run_id
        """,
    )


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
