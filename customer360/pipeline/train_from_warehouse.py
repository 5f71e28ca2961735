"""The revenue model from the warehouse's analytical base table: no Spark, and no lakehouse."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pandas as pd
import psycopg

from customer360.errors import Customer360Error
from customer360.models.lineage import FeatureSchema
from customer360.models.revenue.features import typed_features
from customer360.models.revenue.spec import REVENUE
from customer360.models.revenue.training import RevenueTraining, train_on_rows
from customer360.models.sampling import DatedRows
from customer360.models.tracking import LoggedTraining, log_training
from customer360.models.windows import AsOfGrid
from customer360.pipeline.run_models import champion_beside, export, gate_of, tracking_of
from customer360.serving import tables
from customer360.serving.warehouse import Login
from customer360.settings import Settings

BASE_TABLE = "marts.analytical_base_table"

_FEWEST_DATES = 3
"""To learn from, to choose on, to test on."""


class BaseTableError(Customer360Error):
    """The analytical base table cannot be trained from; the message says why."""


def read_base_table(login: Login, max_rows: int) -> tuple[pd.DataFrame, int]:
    """The labelled rows of the base table, in an order that rests on their values alone.

    Args:
        login: Who may read.
        max_rows: About so many at most; a hash of the key says which customers are left out.

    Returns:
        ``as_of``, the features, ``revenue`` (currency), ``bought`` (0 or 1); and the horizon, days.

    Raises:
        BaseTableError: There is no such table, or it has too few as-of dates with a label.
    """
    features = ", ".join(f'"{name}"' for name in REVENUE.features)
    try:
        with login.connect() as reader:
            rows, dates, horizon = reader.execute(
                "SELECT count(*), count(DISTINCT as_of), coalesce(max(horizon_days), 0) "
                f"FROM {BASE_TABLE} WHERE net_revenue_next IS NOT NULL"
            ).fetchone() or (0, 0, 0)
            if dates < _FEWEST_DATES:
                raise BaseTableError(
                    f"{BASE_TABLE} has {dates} as-of dates whose {horizon} days ahead have "
                    f"passed; training needs {_FEWEST_DATES}: wait for more history, or set "
                    "revenue_horizon_days lower, and publish again"
                )
            share = min(1.0, max_rows / rows)
            cursor = reader.execute(
                f"SELECT as_of, {features}, net_revenue_next::double precision AS revenue, "
                f"bought_next AS bought FROM {BASE_TABLE} WHERE net_revenue_next IS NOT NULL "
                "AND ('x' || left(md5(customer_key), 8))::bit(32)::bigint < %s "
                "ORDER BY as_of, customer_key",
                [int(share * 2**32)],
            )
            names = [column.name for column in cursor.description or ()]
            frame = pd.DataFrame(cursor.fetchall(), columns=names)
            labels = frame[["as_of", "revenue", "bought"]]
            return labels.join(typed_features(frame)), int(horizon)
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise BaseTableError(
            f"there is no {BASE_TABLE} in the warehouse yet: `customer360 run --steps publish` "
            "makes it"
        ) from None


def train_revenue_from_warehouse(
    settings: Settings, login: Login
) -> tuple[RevenueTraining, LoggedTraining]:
    """Train, judge and register the revenue model; its champion is written as a ``.pkl``.

    The newest as-of date of the table tests, the one before validates, the others teach.

    Raises:
        BaseTableError: There is no such table, or it has too few as-of dates with a label.
        TrackingError: MLflow does not answer.
    """
    frame, horizon = read_base_table(login, 2 * settings.revenue_max_training_rows)
    dates = sorted(frame["as_of"].unique())
    grid = AsOfGrid(tuple(reversed(dates[:-2])), dates[-2], dates[-1])
    champion, notes = champion_beside(REVENUE, settings)
    training = train_on_rows(
        DatedRows.of(frame, grid),
        horizon,
        grid.test + timedelta(days=horizon),
        champion=champion.model if champion else None,
    )
    training = replace(training, notes=(*training.notes, *notes))
    types = tables.feature_types()
    schema = FeatureSchema(tuple((name, types[name]) for name in REVENUE.features))
    logged = log_training(
        REVENUE,
        training,
        tracking_of(settings),
        gate_of(REVENUE, settings),
        schema=schema,
        tags={"trained_from": BASE_TABLE},
    )
    export(REVENUE, settings)
    return training, logged
