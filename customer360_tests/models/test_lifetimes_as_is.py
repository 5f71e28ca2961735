"""The ``lifetimes`` package as a yardstick: its own figures, and its failures in words."""

from __future__ import annotations

import pytest

from customer360.models.lifetime_value.lifetimes_as_is import lifetimes_as_is
from customer360.models.notes import in_english
from customer360_tests.models.data import cdnow_calibration

HOLDOUT_DAYS = 273


def test_lifetimes_on_cdnow_gives_the_known_figures() -> None:
    """Total 1653.4 against 1,882, MAE .7855, RMSE 1.608, correlation .6256: recomputed by others
    from the same data, weeks 40 to 78 of the CDNOW sample."""
    rows = cdnow_calibration().rename(columns={"holdout": "actual_purchases"})
    found = lifetimes_as_is(rows.assign(actual_revenue=0.0), HOLDOUT_DAYS)
    assert found.failure is None
    assert found.customers == 2357
    assert found.metrics["purchases_total_expected"] == pytest.approx(1653.4, abs=0.5)
    assert found.metrics["purchases_total_actual"] == 1882
    assert found.metrics["purchases_mae"] == pytest.approx(0.7855, abs=5e-4)
    assert found.metrics["purchases_rmse"] == pytest.approx(1.608, abs=1e-3)
    assert found.metrics["purchases_correlation"] == pytest.approx(0.6256, abs=5e-4)


def test_what_lifetimes_cannot_fit_is_said() -> None:
    rows = cdnow_calibration().head(3).assign(frequency=0, recency=0, monetary_value=0.0)
    rows = rows.rename(columns={"holdout": "actual_purchases"}).assign(actual_revenue=0.0)
    found = lifetimes_as_is(rows, HOLDOUT_DAYS)
    assert found.metrics == {}
    assert found.failure is not None
    assert in_english([found.failure]).startswith("lifetimes could not be fitted: ")
