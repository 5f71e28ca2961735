"""Pareto/NBD: purchases at a Gamma rate, leaving at an exponential time with a Gamma rate.

Sources: [PN] Fader and Hardie, "A Note on Deriving the Pareto/NBD Model and Related Expressions",
brucehardie.com/notes/009. [RFM] Fader, Hardie and Lee 2005, "RFM and CLV: Using Iso-Value Curves
for Customer Base Analysis", Journal of Marketing Research 42(4), 415-430.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import betainc, exprel, gammaln

from customer360.models.lifetime_value.numerics import mean_reciprocal_beta, mean_reciprocal_gamma
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel, as_floats

_DEATH_TIMES = 16
"""Gauss-Legendre nodes over the time of leaving within a horizon."""


@dataclass(frozen=True)
class ParetoNbd(PurchaseModel):
    """A Pareto/NBD with known parameters; time is in model units (weeks by default).

    Attributes:
        r: Shape of the purchase rates' Gamma.
        alpha: Their scale, in time units.
        s: Shape of the leaving rates' Gamma.
        beta: Their scale, in time units.
    """

    s: float
    beta: float

    kind: ClassVar[str] = "pareto_nbd"
    time_parameters: ClassVar[tuple[str, ...]] = ("alpha", "beta")

    def _left_after(self, t: Floats, x: Floats) -> Floats:
        """Likelihood of leaving at any time after ``t``, over that of being alive at ``t``.

        This is [PN]'s hypergeometric term relative to (alpha+t)^-(r+x) (beta+t)^-s. Euler's
        transformation takes the factors that overflow out of it on either side of alpha = beta:
        what remains is s/(r+s+x) times a ratio of scales times the mean of 1/(1 + z p), between
        0 and 1.
        """
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        share = s / (r + s + x)
        if alpha >= beta:
            z = (alpha - beta) / (beta + t)
            return np.asarray(
                share * (alpha + t) / (beta + t) * mean_reciprocal_beta(z, s + 1, r + x)
            )
        return np.asarray(share * mean_reciprocal_beta((beta - alpha) / (alpha + t), r + x, s + 1))

    def _parts(self, x: Floats, t_x: Floats, big_t: Floats) -> tuple[Floats, Floats]:
        """Likelihoods of (alive at T) and of all, relative to that of being alive at t_x."""
        silence = np.maximum(big_t - t_x, 0.0)
        fall = (self.r + x) * np.log1p(silence / (self.alpha + t_x))
        fall += self.s * np.log1p(silence / (self.beta + t_x))
        alive = np.exp(-fall)
        left = self._left_after(t_x, x) - alive * self._left_after(big_t, x)
        return alive, alive + np.maximum(left, 0.0)

    def log_likelihood(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Log-likelihood of each history: [PN] eq. 18."""
        r, alpha, s, beta = self.r, self.alpha, self.s, self.beta
        x, t_x, big_t = as_floats(frequency, recency, T)
        log_likelihoods = gammaln(r + x) - gammaln(r) - x * np.log(alpha + t_x)
        log_likelihoods -= r * np.log1p(t_x / alpha) + s * np.log1p(t_x / beta)
        return np.asarray(log_likelihoods + np.log(self._parts(x, t_x, big_t)[1]))

    def probability_alive(self, frequency: ArrayLike, recency: ArrayLike, T: ArrayLike) -> Floats:
        """Probability that the customer has not left: [PN] eq. 34."""
        alive, all_ = self._parts(*as_floats(frequency, recency, T))
        return np.asarray(alive / all_)

    def expected_purchases_if_alive(
        self, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected purchases in the next ``t`` of one alive at ``T``: [PN] eq. 41's last factors.

        ``exprel`` takes the removable pole at s = 1.
        """
        t_, x, big_t = as_floats(t, frequency, T)
        logarithm = np.log1p(t_ / (self.beta + big_t))
        lived = (self.beta + big_t) * logarithm * exprel((1 - self.s) * logarithm)
        return np.asarray((self.r + x) / (self.alpha + big_t) * lived)

    def discounted_purchases_if_alive(
        self, rate: float, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """Expected discounted purchases of one alive at ``T``: [RFM] eq. 2's last factors.

        Purchase rate times the mean of 1/(rate + mu); the latter is Tricomi's function U(s, s, .)
        there, a quadrature here, which neither over- nor underflows.
        """
        x, big_t = as_floats(frequency, T)
        age = self.beta + big_t
        return np.asarray(
            (self.r + x) / (self.alpha + big_t) * age * mean_reciprocal_gamma(rate * age, self.s)
        )

    def survival_if_alive(
        self, purchases: ArrayLike, t: ArrayLike, frequency: ArrayLike, T: ArrayLike
    ) -> Floats:
        """P(at least ``purchases`` in the next ``t``) of a customer who has not left by ``T``.

        Negative binomial up to the time of leaving, whose distribution is Lomax(s, beta + T);
        averaged over that time by Gauss-Legendre on its quantiles.
        """
        y, t_, x, big_t = as_floats(purchases, t, frequency, T)
        whole = np.maximum(y, 1)

        def made(lived: Floats) -> Floats:
            return np.asarray(betainc(whole, self.r + x, lived / (self.alpha + big_t + lived)))

        stays = np.exp(-self.s * np.log1p(t_ / (self.beta + big_t)))
        survival = stays * made(t_)
        nodes, weights = np.polynomial.legendre.leggauss(_DEATH_TIMES)
        for node, weight in zip((nodes + 1) / 2, weights / 2, strict=True):
            left_by = node * (1 - stays)
            lived = (self.beta + big_t) * np.expm1(-np.log1p(-left_by) / self.s)
            survival = survival + (1 - stays) * weight * made(np.minimum(lived, t_))
        return np.where(y > 0, survival, 1.0)
