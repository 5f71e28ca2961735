"""The population stability index, by hand and on planted drift."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import date
from math import log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.monitoring import (
    population_stability_index,
    psi,
    reference_profile,
)
from customer360_tests.gold.frames import table

DAY = date(2025, 6, 30)
SCHEMA = "as_of date, spend double, orders int, channel string"


def people(spark, rows):
    return table(spark, SCHEMA, [(DAY, *row) for row in rows])


def found(profile, frame):
    return psi(profile, frame).set_index("feature")


def test_the_index_by_hand():
    # Siddiqi's form: sum of (now - then) ln(now / then).
    by_hand = 0.1 * log(0.4 / 0.3) + 0.05 * log(0.35 / 0.3) - 0.15 * log(0.25 / 0.4)
    assert population_stability_index([0.3, 0.3, 0.4], [0.4, 0.35, 0.25]) == pytest.approx(by_hand)
    assert by_hand == pytest.approx(0.10697, abs=1e-5)


def test_an_empty_bin_counts_as_one_in_ten_thousand():
    assert population_stability_index([0.5, 0.5, 0.0], [0.5, 0.3, 0.2]) == pytest.approx(
        -0.2 * log(0.3 / 0.5) + 0.1999 * log(0.2 / 0.0001)
    )


shares = st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any)


@given(shares, shares)
def test_the_index_is_symmetric_and_zero_for_the_same(one, other):
    p, q = np.array(one) / sum(one), np.array(other) / sum(other)
    assert population_stability_index(p, q) == pytest.approx(population_stability_index(q, p))
    assert population_stability_index(p, q) >= 0
    assert population_stability_index(p, p) == 0


@pytest.fixture(scope="module")
def reference(spark):
    """A hundred customers: spend 1 to 100, always one order, a tenth without a channel."""
    channels = [None] * 10 + ["web"] * 60 + ["shop"] * 30
    rows = [(float(n + 1), 1, channels[n]) for n in range(100)]
    return reference_profile(people(spark, rows), ["spend", "orders"], ["channel"]), rows


def test_a_profile_says_how_each_feature_was_distributed(reference):
    profile, _ = reference
    spend, orders = profile.numeric
    assert spend.edges == (10, 20, 30, 40, 50, 60, 70, 80, 90)
    assert spend.shares == (0, *[0.1] * 10)
    assert orders.edges == (np.nextafter(1, 0), 1)
    assert orders.shares == (0, 0, 1, 0)
    (channel,) = profile.categorical
    assert channel.categories == ("web", "shop")
    assert channel.shares == (0.1, 0.6, 0.3, 0)
    assert len(json.dumps(asdict(profile))) < 1_000


def test_the_same_customers_have_not_drifted(spark, reference):
    profile, rows = reference
    rows_of = psi(profile, people(spark, rows))
    assert list(rows_of["feature"]) == ["channel", "orders", "spend"]
    assert (rows_of["psi"] == 0).all()
    assert set(rows_of["shift"]) == {"stable"}
    assert set(rows_of["customers"]) == set(rows_of["reference_customers"]) == {100}


def test_planted_drift_is_found(spark, reference):
    profile, _ = reference
    # The lower half of the spend is gone; orders are now 0, 1 or 2; a fifth came by a new channel.
    channels = ["web"] * 600 + ["shop"] * 200 + ["app"] * 200
    rows = [(51.0 + n % 50, n % 3, channels[n]) for n in range(1000)]
    now = found(profile, people(spark, rows))
    assert now.loc["spend", "psi"] == pytest.approx(
        5 * (0.1 * log(0.2 / 0.1) - 0.0999 * log(0.0001 / 0.1))
    )
    assert now.loc["orders", "psi"] == pytest.approx(
        (0.334 - 0.0001) * log(3340) + (0.333 - 1) * log(0.333) + (0.333 - 0.0001) * log(3330)
    )
    assert now.loc["channel", "psi"] == pytest.approx(
        -0.0999 * log(0.0001 / 0.1) - 0.1 * log(0.2 / 0.3) + 0.1999 * log(2000)
    )
    assert set(now["shift"]) == {"shifted"}


def test_nulls_that_were_not_there_are_drift(spark, reference):
    profile, rows = reference
    lost = [(None if n < 30 else spend, 1, channel) for n, (spend, _, channel) in enumerate(rows)]
    now = found(profile, people(spark, lost * 20))
    assert now.loc["spend", "psi"] > 0.25
    assert now.loc["orders", "psi"] == 0


def test_a_value_that_fills_a_tenth_has_a_bin_on_either_side(spark):
    rows = [(0.0, 1, None)] * 90 + [(5.0, 1, None)] * 10
    profile = reference_profile(people(spark, rows), ["spend"])
    below = [(-1.0, 1, None)] * 90 + [(5.0, 1, None)] * 10
    assert found(profile, people(spark, below)).loc["spend", "shift"] == "shifted"


def test_a_few_customers_differ_by_chance(spark, reference):
    profile, _ = reference
    few = [(10.0 * n, 1, "web") for n in range(1, 10)]
    now = found(profile, people(spark, few))
    # chi-square of 9 degrees of freedom: 21.666 at 99 %.
    assert now.loc["spend", "psi_by_chance"] == pytest.approx(21.666 * (1 / 9 + 1 / 100), abs=1e-3)
    assert now.loc["spend", "psi"] > 0.25
    assert now.loc["spend", "shift"] == "stable"


def test_each_date_is_compared_by_itself(spark, reference):
    profile, rows = reference
    later = date(2025, 7, 31)
    moved = [(later, spend + 1_000, 1, channel) for spend, _, channel in rows]
    both = table(spark, SCHEMA, [(DAY, *row) for row in rows] + moved)
    by_date = psi(profile, both).set_index(["as_of", "feature"])["psi"]
    assert by_date[DAY, "spend"] == 0
    assert by_date[later, "spend"] > 0.25
    assert by_date[later, "channel"] == 0
