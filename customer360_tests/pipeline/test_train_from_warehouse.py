"""The revenue model from the warehouse's base table: Spark has no part in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pytest

from customer360.models.revenue.features import CATEGORICAL_FEATURES, FEATURES
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.spec import REVENUE
from customer360.models.tracking import load_champion
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.train_from_warehouse import (
    BaseTableError,
    read_base_table,
    train_revenue_from_warehouse,
)
from customer360.serving.publishing import Origin, PublishedTable, publish_rows
from customer360.serving.tables import revenue_examples
from customer360.serving.warehouse import Warehouse, open_warehouse
from customer360.settings import Settings, load_settings

DATES = (date(2024, 1, 31), date(2024, 2, 29), date(2024, 3, 31), date(2024, 4, 30))
CUSTOMERS = 300

BASE = PublishedTable(
    "marts.analytical_base_table",
    {
        **revenue_examples().columns,
        "net_revenue_next": "double precision",
        "bought_next": "integer",
    },
    ("as_of", "customer_key"),
)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return load_settings(tmp_path_factory.mktemp("base"))


@pytest.fixture(scope="module")
def warehouse(settings: Settings) -> Warehouse:
    return open_warehouse(settings)


def fill(warehouse: Warehouse, dates: tuple[date, ...], *, newest_is_open: bool = False) -> None:
    """A shop whose customers bring what they brought before, or nothing; half come again."""
    random = np.random.default_rng(7)
    rows = []
    for day in dates:
        known = not (newest_is_open and day == dates[-1])
        for number in range(CUSTOMERS):
            spent = float(random.gamma(2.0, 50.0))
            comes = bool(random.random() < 0.5)
            values: dict[str, object] = {
                name: "x" if name in CATEGORICAL_FEATURES else 1 for name in FEATURES
            }
            values |= {"net_revenue": spent, "first_delivered": True, "T": number % 50 + 1}
            label = (spent if comes else 0.0, int(comes)) if known else (None, None)
            rows.append([day, f"{number:064x}", 28, *(values[name] for name in FEATURES), *label])
    publish_rows(warehouse.owner, BASE, rows, Origin("test"))


def test_without_a_base_table_it_says_what_makes_one(warehouse: Warehouse) -> None:
    with warehouse.owner.connect() as owner:
        owner.execute("DROP TABLE IF EXISTS marts.analytical_base_table")
    with pytest.raises(BaseTableError, match=r"no marts\.analytical_base_table .*--steps publish"):
        read_base_table(warehouse.reader, 1_000)


def test_too_few_dates_with_a_label_are_refused(warehouse: Warehouse) -> None:
    """The newest date has features, but nobody knows yet what came after it."""
    fill(warehouse, DATES[:3], newest_is_open=True)
    with pytest.raises(BaseTableError, match="has 2 as-of dates whose 28 days ahead have passed"):
        read_base_table(warehouse.reader, 1_000)


def test_a_sample_keeps_whole_customers(warehouse: Warehouse) -> None:
    fill(warehouse, DATES)
    every, horizon = read_base_table(warehouse.reader, 10_000)
    assert (len(every), horizon) == (CUSTOMERS * len(DATES), 28)
    some, _ = read_base_table(warehouse.reader, CUSTOMERS * len(DATES) // 2)
    counts = some.groupby("as_of").size()
    assert counts.nunique() == 1
    assert 0.35 * CUSTOMERS < counts.iloc[0] < 0.65 * CUSTOMERS


def test_the_newest_date_tests_and_the_champion_is_a_pickle(
    warehouse: Warehouse, settings: Settings
) -> None:
    fill(warehouse, DATES)
    training, logged = train_revenue_from_warehouse(settings, warehouse.reader)
    assert training.status == "trained"
    assert training.parameters["test_as_of"] == "2024-04-30"
    assert training.parameters["validation_as_of"] == "2024-03-31"
    assert training.parameters["training_as_of"] == "2024-01-31, 2024-02-29"
    assert training.as_of == date(2024, 5, 28)
    # What comes is half of what was spent before: the model must find that, the mean cannot.
    assert training.metrics["test_rmse"] < training.metrics["baseline_mean_rmse"]
    champion = load_champion(REVENUE, tracking_of(settings))
    assert champion.version == logged.version
    kept = RevenueModel.loads(Path(settings.revenue_pickle).read_bytes())
    assert kept.fingerprint() == champion.model.fingerprint()
    assert champion.schema is not None
    assert dict(champion.schema.columns)["first_delivered"] == "boolean"
