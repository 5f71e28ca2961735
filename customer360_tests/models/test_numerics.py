"""Means over Beta and Gamma variables: against scipy where it is exact, and where it is not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import expn, hyp2f1, hyperu

from customer360.models.lifetime_value.numerics import (
    beta_rule,
    discounted_purchases_while_alive,
    gamma_rule,
    mean_reciprocal_beta,
    mean_reciprocal_gamma,
)

shapes = st.floats(1e-4, 1e4)


@pytest.mark.parametrize(("a", "b"), [(0.8, 2.4), (0.05, 3), (2.5, 1), (0.01, 0.015), (3, 1e-3)])
def test_beta_mean_is_the_hypergeometric_function(a: float, b: float) -> None:
    z = np.array([0, 1e-8, 1e-3, 0.1, 1, 50, 1e4])
    assert mean_reciprocal_beta(z, a, b) == pytest.approx(hyp2f1(1, a, a + b, -z), rel=1e-11)


@settings(max_examples=200)
@given(a=shapes, b=shapes, z=st.floats(0, 1e8))
def test_beta_mean_obeys_its_reflection_and_its_bounds(a: float, b: float, z: float) -> None:
    """p -> 1 - p is Pfaff's transformation: two different sums, one function."""
    found = float(mean_reciprocal_beta(z, a, b))
    # Jensen below, certainty above.
    assert 1 / (1 + z * a / (a + b)) * (1 - 1e-9) <= found <= 1 + 1e-12
    w = z / (1 + z)
    p, weights = beta_rule(max(a, 0.3), max(b, 1.0))
    direct = float((1 / (1 + z * p)) @ weights)
    reflected = float((1 / (1 + z) / (1 - w * (1 - p))) @ weights)
    assert direct == pytest.approx(reflected, rel=1e-6)
    smoothed = float(mean_reciprocal_beta(z, max(a, 0.3), max(b, 1.0)))
    assert smoothed == pytest.approx(direct, rel=1e-10)


@pytest.mark.parametrize("shape", [0.05, 0.3, 0.6, 1.0, 2.0, 5.5])
def test_gamma_mean_is_tricomis_function(shape: float) -> None:
    """c^(s-1) U(s, s, c), and for whole s the exponential integral e^c E_s(c)."""
    c = np.array([1e-4, 0.01, 0.5, 3, 50])
    found = mean_reciprocal_gamma(c, shape)
    assert found == pytest.approx(c ** (shape - 1) * hyperu(shape, shape, c), rel=1e-9)
    if shape == int(shape):
        assert found == pytest.approx(np.exp(c) * expn(int(shape), c), rel=1e-11)


def test_gamma_mean_where_tricomis_function_overflows() -> None:
    """For shape s the mean lies between 1 / (c + s) (Jensen) and 1 / (c + s - 1) for s > 1."""
    assert np.isnan(hyperu(500, 500, 0.01)) or np.isinf(hyperu(500, 500, 0.01))
    found = mean_reciprocal_gamma([0.01, 1e-9, 1e5], 500)
    assert (found > 1 / (np.array([0.01, 1e-9, 1e5]) + 500)).all()
    assert (found <= 1 / (np.array([0.01, 1e-9, 1e5]) + 499)).all()


@pytest.mark.parametrize("shape", [0.5, 3, 10_000])
def test_gamma_rule_has_the_moments(shape: float) -> None:
    g, weights = gamma_rule(shape)
    assert g @ weights == pytest.approx(shape, rel=1e-10)
    assert g**2 @ weights == pytest.approx(shape * (shape + 1), rel=1e-10)


@pytest.mark.parametrize(
    ("n", "a", "b", "rate"), [(0.25, 0.8, 2.4, 0.01), (5.25, 0.8, 7.4, 0.05), (200, 2, 100, 0.3)]
)
def test_discounted_purchases_are_the_simulated_mean(
    n: float, a: float, b: float, rate: float
) -> None:
    random = np.random.default_rng(1)
    g, p = random.gamma(n, size=400_000), random.beta(a, b, 400_000)
    drawn = g / (rate + p * g)
    error = drawn.std() / np.sqrt(len(drawn))
    found = float(discounted_purchases_while_alive(n, a, b, rate))
    assert abs(found - drawn.mean()) < 4 * error
