"""The forecast as a step: what it writes with a fitted champion, and with the fallback."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.deployment import Deployment
from customer360.errors import TableNotFoundError
from customer360.lakehouse.tables import Lakehouse
from customer360.models.baselines import NaiveRules
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.blend import Blend
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.scores_table import score
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.notes import Note
from customer360.models.tracking import Champion
from customer360.pipeline import forecast
from customer360.pipeline.forecast import make_forecast
from customer360.pipeline.make_gold import make_snapshots
from customer360.pipeline.workspace import Workspace
from customer360.settings import load_settings
from customer360.table_names import CUSTOMER_DAYS, CUSTOMER_EQUITY, FEATURES, REVENUE_FORECAST
from customer360_tests.models.data import CALIBRATION_END, cdnow_customer_days
from customer360_tests.stored import put

EARLIER = date(1997, 3, 31)
FITTED = LifetimeValueModel(
    7,
    BgNbd(0.242595, 4.413602, 0.792922, 2.425907),
    GammaGamma(6.249572, 3.744225, 15.443524),
    36.0,
    0.1,
    ((0.0027, 0, 0, 0), (0, 0.0073, 0, 0), (0, 0, 0.055, 0), (0, 0, 0, 0.085)),
    ((0.01, 0, 0), (0, 0.006, 0), (0, 0, 0.03)),
)
FALLBACK = LifetimeValueModel(7, None, None, 36.0)


@pytest.fixture(scope="module")
def work(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """CDNOW as silver, and two snapshots of features."""
    home = tmp_path_factory.mktemp("home")
    work = Workspace(
        Lakehouse(spark, home / "lakehouse"), Deployment.of(load_settings(home)), "test"
    )
    days = cdnow_customer_days(spark)
    put(work.lakehouse, CUSTOMER_DAYS, days.withColumn("customer_key", F.sha2("customer_key", 256)))
    make_snapshots(work, FEATURES, [EARLIER, CALIBRATION_END])
    return work


@pytest.fixture
def champion(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes a model the champion, version 3."""

    def crown(model: LifetimeValueModel) -> None:
        found = Champion(model, LIFETIME_VALUE.registered, "3", "run", {})
        monkeypatch.setattr(forecast, "champion_of", lambda *_: found)

    return crown


def rows(work: Workspace, table: str, as_of: date) -> list[dict[str, Any]]:
    found = work.lakehouse.read(table).where(f"as_of = DATE'{as_of}'").collect()
    return [row.asDict() for row in found]


def test_the_forecast_agrees_with_the_scores_of_the_customers(
    work: Workspace, champion: Any
) -> None:
    """Equity is the sum of residual values, and weeks that of what is expected of each customer."""
    champion(FITTED)
    made = make_forecast(work, [EARLIER, CALIBRATION_END])
    assert (made.model_version, made.note) == ("3", None)
    assert (made.revenue_forecast.rows, made.customer_equity.rows) == (104, 2)

    features = work.lakehouse.read_days(FEATURES, "as_of", [CALIBRATION_END])
    scores = score(features, FITTED, LIFETIME_VALUE.registered, "3").toPandas()
    (equity,) = rows(work, CUSTOMER_EQUITY, CALIBRATION_END)
    assert equity["customers"] == len(scores) == 2357
    assert equity["equity"] == pytest.approx(scores["discounted_residual_value"].sum(), rel=1e-6)
    assert equity["equity_low"] < equity["equity"] < equity["equity_high"]

    weeks = sorted(rows(work, REVENUE_FORECAST, CALIBRATION_END), key=lambda row: row["week"])
    assert [row["week"] for row in weeks] == list(range(1, 53))
    assert weeks[0]["week_start"] == CALIBRATION_END + timedelta(days=1)
    assert weeks[-1]["week_end"] == CALIBRATION_END + timedelta(days=364)
    # Published: 1,653.4 in the first 39 weeks (recomputed).
    purchases = [row["purchases"] for row in weeks]
    assert sum(purchases[:39]) == pytest.approx(1653.4, abs=0.1)
    # A year of 364 days beside one of 365.
    expected = scores["expected_revenue_365d"].sum()
    assert 0.99 * expected < sum(row["revenue"] for row in weeks) < expected
    stated = {(row["model_name"], row["model_version"]) for row in [*weeks, equity]}
    assert stated == {("customer360_lifetime_value", "3")}


def test_last_year_is_carried_on_by_the_age_of_that_day(work: Workspace, champion: Any) -> None:
    """Trained when there were 100 days, it expects each week what the scores do, on both."""
    rules = NaiveRules(7, 100, 0.0, 0.0, float("inf"))
    model = replace(FITTED, blend=Blend.of({"last_year": 1.0}, {"last_year": 1.0}, rules))
    champion(model)
    make_forecast(work, [EARLIER, CALIBRATION_END])
    features = work.lakehouse.read_days(FEATURES, "as_of", [EARLIER, CALIBRATION_END])
    scores = score(features, model, LIFETIME_VALUE.registered, "3").toPandas()
    for day in (EARLIER, CALIBRATION_END):
        expected = scores.loc[scores["as_of"] == day, "expected_revenue_365d"].sum()
        weeks = sum(row["revenue"] for row in rows(work, REVENUE_FORECAST, day))
        assert weeks == pytest.approx(expected * 364 / 365)


def test_a_date_alone_is_what_it_is_among_others(work: Workspace, champion: Any) -> None:
    champion(FITTED)
    make_forecast(work, [EARLIER, CALIBRATION_END])
    before = rows(work, CUSTOMER_EQUITY, EARLIER), rows(work, REVENUE_FORECAST, EARLIER)
    make_forecast(work, [EARLIER])
    assert (rows(work, CUSTOMER_EQUITY, EARLIER), rows(work, REVENUE_FORECAST, EARLIER)) == before
    assert len(rows(work, CUSTOMER_EQUITY, CALIBRATION_END)) == 1


def test_the_fallback_has_no_forecast_and_says_so(work: Workspace, champion: Any) -> None:
    """What an earlier champion made of the day is gone: it would speak for this one."""
    champion(FITTED)
    make_forecast(work, [EARLIER, CALIBRATION_END])
    champion(FALLBACK)
    made = make_forecast(work, [CALIBRATION_END])
    assert made.note == Note("forecast_without_weeks")
    for table in (REVENUE_FORECAST, CUSTOMER_EQUITY):
        assert rows(work, table, CALIBRATION_END) == []
        assert rows(work, table, EARLIER) != []


def test_a_day_without_features_is_named(work: Workspace, champion: Any) -> None:
    champion(FITTED)
    with pytest.raises(TableNotFoundError, match="no snapshot of 1997-05-01: run"):
        make_forecast(work, [date(1997, 5, 1)])
