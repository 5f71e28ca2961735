"""BG/NBD and MBG/NBD: purchases at a Gamma rate, leaving after a purchase with a Beta probability.

The two differ in one thing: MBG/NBD lets a customer leave after the first purchase too, so that a
one-time buyer can have left. In formulas, every purchase that was survived counts for the Beta,
and MBG/NBD has one more of them; see `_BetaGeometric._survived`.

Sources: [BG] Fader, Hardie and Lee 2005, "Counting Your Customers the Easy Way", Marketing
Science 24(2), 275-284. [PA] Fader and Hardie, "Computing P(alive) Using the BG/NBD Model",
brucehardie.com/notes/021. [MBG] Batislam, Denizel and Filiztekin 2007, "Empirical validation and
comparison of models for customer base analysis", International Journal of Research in Marketing
24(3), 201-209.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import betainc, betaincinv, betaln, expit, gammaln, hyp2f1

from customer360.models.lifetime_value.numerics import discounted_purchases_while_alive
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel, as_floats


def _expected_while_alive(
    r: float, alpha: float, a: float, b: float, t: Floats, x: Floats, age: Floats
) -> Floats:
    """Expected purchases in ``t`` of a customer who is alive now: [BG] eq. 10's numerator.

    Euler's transformation turns the published (1-z)^(r+x) 2F1(r+x, b+x; a+b+x-1; z), whose two
    factors over- and underflow for large x, into (1-z)^(a-1) 2F1(a+b-1-r, a-1; a+b+x-1; z).
    """
    # Removable poles at a = 1 and (for x = 0) a + b = 1: step beside them; the function is smooth.
    if abs(a - 1) < 1e-5:
        a = 1 + 1e-5
    if abs(a + b - 1) < 1e-6:
        b = b + 2e-6
    n, c, z = r + x, a + b + x - 1, t / (alpha + age + t)
    with np.errstate(all="ignore"):
        expected = c / (a - 1) * (1 - (1 - z) ** (a - 1) * hyp2f1(a + b - 1 - r, a - 1, c, z))
    # Nobody buys more than they would with no death at all.
    most = n * t / (alpha + age)
    doubtful = ~np.isfinite(expected) | (expected < 0) | (expected > most * (1 + 1e-9))
    if max(a, b) > 50:
        doubtful[:] = True  # 2F1 cancels for large a, b, where the integral is smooth and safe
    if doubtful.any():
        u = np.broadcast_to(t / (alpha + age), expected.shape)[doubtful]
        tries, purchases = (np.broadcast_to(v, expected.shape)[doubtful] for v in (n, x))
        expected[doubtful] = _expected_by_quadrature(a, b, u, tries, purchases)
    return np.asarray(np.clip(expected, 0, most))


def _expected_by_quadrature(a: float, b: float, u: Floats, n: Floats, x: Floats) -> Floats:
    """The same expectation as the mean of (1 - (1 + p u)^-n) / p over p ~ Beta(a, b + x).

    Gauss-Legendre over the quantiles of p; pairs that share an x share their quantiles.
    """
    nodes, node_weights = np.polynomial.legendre.leggauss(64)
    distinct, where = np.unique(x, return_inverse=True)
    quantiles = betaincinv(a, b + distinct[:, None], (nodes[None, :] + 1) / 2)
    p = np.maximum(quantiles[where], 1e-300)
    inner = -np.expm1(-n[:, None] * np.log1p(p * u[:, None])) / p
    return np.asarray(inner @ (node_weights / 2))


@dataclass(frozen=True)
class _BetaGeometric(PurchaseModel):
    """What BG/NBD and MBG/NBD share.

    Attributes:
        r: Shape of the purchase rates' Gamma.
        alpha: Their scale, in time units.
        a: First parameter of the drop-out probabilities' Beta.
        b: Second parameter.
    """

    a: float
    b: float

    time_parameters: ClassVar[tuple[str, ...]] = ("alpha",)
    first_purchase_counts: ClassVar[int]
    """1 when a customer may leave after the first purchase too, 0 when not."""

    def _survived(self, x: Floats) -> Floats:
        """Purchases after which a customer who is alive has not left."""
        return x + self.first_purchase_counts

    def _log_odds_of_death(self, x: Floats, t_x: Floats, big_t: Floats) -> Floats:
        """Log of (left after the last purchase) / (alive); -inf where leaving was impossible."""
        survived = self._survived(x)
        odds = (self.r + x) * np.log1p(np.maximum(big_t - t_x, 0.0) / (self.alpha + t_x))
        odds += np.log(self.a) - np.log(self.b + (np.maximum(survived, 1) - 1))
        return np.where(survived > 0, odds, -np.inf)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Log-likelihood of each history: [BG] eq. 3 or [MBG] eq. 3, in log space."""
        r, alpha, a, b = self.r, self.alpha, self.a, self.b
        x, t_x, big_t = as_floats(frequency, recency, T)
        survived = self._survived(x)
        # r (log alpha - log(alpha + T)) as one logarithm: alpha may be huge.
        log_likelihoods = gammaln(r + x) - gammaln(r) - r * np.log1p(big_t / alpha)
        log_likelihoods += -x * np.log(alpha + big_t)
        log_likelihoods += betaln(a, b + survived) - betaln(a, b)
        return np.asarray(log_likelihoods + np.logaddexp(0, self._log_odds_of_death(x, t_x, big_t)))

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Probability that the customer has not left: [PA]."""
        x, t_x, big_t = as_floats(frequency, recency, T)
        return np.asarray(expit(-self._log_odds_of_death(x, t_x, big_t)))

    def expected_purchases_if_alive(
        self, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` of a customer who has not left by ``T``."""
        t_, x, big_t = as_floats(np.atleast_1d(np.asarray(t, dtype=float)), frequency, T)
        b = self.b + self.first_purchase_counts
        return _expected_while_alive(self.r, self.alpha, self.a, b, t_, x, big_t)

    def discounted_purchases_if_alive(
        self, rate: float, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected discounted purchases of one who is alive: the mean of lambda/(rate + p lambda).

        After each purchase a customer with drop-out probability p stays with 1 - p, so that its
        purchases come at intensity lambda exp(-p lambda t); discounted and integrated over all
        time this is lambda / (rate + p lambda). Given the history of one who is alive, lambda is
        Gamma(r + x, alpha + T) and p is Beta(a, b + purchases survived).
        """
        x, big_t = as_floats(frequency, T)
        purchases = np.empty(x.shape)
        for frequency_ in np.unique(x):
            same = x == frequency_
            b = self.b + float(self._survived(frequency_))
            purchases[same] = discounted_purchases_while_alive(
                self.r + float(frequency_), self.a, b, rate * (self.alpha + big_t[same])
            )
        return purchases

    def survival_if_alive(
        self, purchases: ArrayLike, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least ``purchases`` in the next ``t``) of a customer who has not left by ``T``.

        There are y purchases when the customer would have made y without ever leaving (negative
        binomial) and did not leave after any of the first y - 1.
        """
        y, t_, x, big_t = as_floats(purchases, t, frequency, T)
        b = self.b + self._survived(x)
        stayed = np.exp(betaln(self.a, b + np.maximum(y, 1) - 1) - betaln(self.a, b))
        made = betainc(np.maximum(y, 1), self.r + x, t_ / (self.alpha + big_t + t_))
        return np.where(y > 0, stayed * made, 1.0)


@dataclass(frozen=True)
class BgNbd(_BetaGeometric):
    """A BG/NBD with known parameters; time is in model units (weeks by default).

    Under it a customer can only leave after a repeat purchase, so that a one-time buyer is alive
    with probability exactly 1.
    """

    kind: ClassVar[str] = "bg_nbd"
    first_purchase_counts: ClassVar[int] = 0

    def as_fitter(self) -> Any:
        """A ``lifetimes.BetaGeoFitter`` with these parameters, ``predict`` included."""
        from lifetimes import BetaGeoFitter

        fitter = BetaGeoFitter()
        fitter.params_ = pd.Series(asdict(self))
        fitter.predict = fitter.conditional_expected_number_of_purchases_up_to_time
        return fitter


@dataclass(frozen=True)
class MbgNbd(_BetaGeometric):
    """An MBG/NBD with known parameters: customers may leave after their first purchase too."""

    kind: ClassVar[str] = "mbg_nbd"
    first_purchase_counts: ClassVar[int] = 1
