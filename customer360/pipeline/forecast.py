"""Gold's outlook: purchases, revenue and equity of the whole customer base, as of each day."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from customer360.contracts import Contract
from customer360.contracts.spark import spark_schema
from customer360.lakehouse.delta_log import Commit
from customer360.models.lifetime_value import forecast_tables
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.notes import Note
from customer360.pipeline.make_gold import replace_snapshots
from customer360.pipeline.run_models import champion_of, snapshots_of
from customer360.pipeline.workspace import Workspace
from customer360.table_names import CUSTOMER_DAYS, CUSTOMER_EQUITY, FEATURES, REVENUE_FORECAST


@dataclass(frozen=True)
class ForecastResult:
    """What a forecast wrote.

    Attributes:
        revenue_forecast: The commit of gold/revenue_forecast.
        customer_equity: The commit of gold/customer_equity.
        model_version: Registered version of the model.
        note: Why there are no rows; ``None`` when there are.
    """

    revenue_forecast: Commit
    customer_equity: Commit
    model_version: str
    note: Note | None = None


def make_forecast(work: Workspace, as_of: Sequence[date]) -> ForecastResult:
    """Make gold/revenue_forecast and gold/customer_equity of ``as_of`` with the champion.

    Date by date: each reads its own partition of features and brings its counted cells to the
    driver, so what is held does not grow with the number of dates. With the past-average
    fallback, which knows no weeks, the snapshots are empty.

    Raises:
        NoChampionError: No lifetime-value model has been trained.
        TableNotFoundError: A date has no snapshot of features.
        FeatureSchemaError: The champion was trained on other columns.
    """
    features = snapshots_of(work, FEATURES, as_of)
    champion = champion_of(LIFETIME_VALUE, work.deployment.settings)
    champion.check_schema(features, LIFETIME_VALUE.features_of(champion.model))
    version = (champion.name, champion.version)
    weeks: list[Any] = []
    equities: list[Any] = []
    note = None
    if champion.model.purchases is None:
        note = Note("forecast_without_weeks")
    else:
        days = forecast_tables.purchases_by_day(work.lakehouse.read(CUSTOMER_DAYS))
        by_day = days.toArrow().to_pandas()
        for day in sorted(set(as_of)):
            snapshot = features.where(features["as_of"] == day)
            cells = forecast_tables.base_cells(snapshot).toArrow().to_pandas()
            if cells.empty:
                continue
            forecast = forecast_tables.forecast_of(champion.model, cells, by_day, day)
            rows = forecast_tables.revenue_forecast_rows(forecast, day, *version)
            weeks += rows.itertuples(index=False, name=None)
            customers = int(cells["customers"].sum())
            equities.append(forecast_tables.customer_equity_row(forecast, customers, day, *version))

    def replaced(table: str, rows: list[Any]) -> Commit:
        schema = spark_schema(Contract.load(table))
        return replace_snapshots(
            work, table, work.spark.createDataFrame(rows, schema).coalesce(1), as_of
        )

    return ForecastResult(
        replaced(REVENUE_FORECAST, weeks),
        replaced(CUSTOMER_EQUITY, equities),
        champion.version,
        note,
    )
