"""Gamma-Gamma: what a customer spends on a purchase.

Source: [GG] Fader and Hardie 2013, "The Gamma-Gamma Model of Monetary Value",
brucehardie.com/notes/025.
"""

from __future__ import annotations

from dataclasses import asdict, astuple, dataclass, fields
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy.special import gammaln

from customer360.models.lifetime_value.purchase_model import Floats


@dataclass(frozen=True)
class GammaGamma:
    """A Gamma-Gamma with known parameters; ``v`` is in the currency.

    Attributes:
        p: Shape of the spend a purchase.
        q: Shape of its scale's Gamma over customers; the population mean exists for q > 1.
        v: Scale of that Gamma.
    """

    p: float
    q: float
    v: float

    kind: ClassVar[str] = "gamma_gamma"

    @classmethod
    def names(cls) -> tuple[str, ...]:
        """Names of the parameters, in their order."""
        return tuple(field.name for field in fields(cls))

    @property
    def log_parameters(self) -> Floats:
        """Logarithms of the parameters, in their order: the scale on which they are fitted."""
        return np.log(np.array(astuple(self), dtype=float))

    @classmethod
    def of_log_parameters(cls, log_parameters: ArrayLike) -> Self:
        """The model with these logarithms of parameters."""
        return cls(*np.exp(np.asarray(log_parameters, dtype=float)).tolist())

    @property
    def population_mean(self) -> float:
        """Mean spend a purchase over all customers: p v / (q - 1)."""
        return self.p * self.v / (self.q - 1)

    def log_likelihood(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Log-likelihood of each mean spend over ``frequency`` purchases: [GG] eq. 1a."""
        x, m = np.asarray(frequency, dtype=float), np.asarray(monetary_value, dtype=float)
        p, q, v = self.p, self.q, self.v
        log_likelihoods = gammaln(p * x + q) - gammaln(p * x) - gammaln(q) + q * np.log(v)
        log_likelihoods += (
            (p * x - 1) * np.log(m) + p * x * np.log(x) - (p * x + q) * np.log(x * m + v)
        )
        return np.asarray(log_likelihoods)

    def expected_order_value(self, frequency: ArrayLike, monetary_value: ArrayLike) -> Floats:
        """Expected spend a purchase: own and population mean, weighed by evidence, [GG] eq. 5.

        A customer without repeat purchases gets the population mean.
        """
        x, m = np.asarray(frequency, dtype=float), np.asarray(monetary_value, dtype=float)
        weight = self.p * x / (self.p * x + self.q - 1)
        return np.asarray((1 - weight) * self.population_mean + weight * np.where(x > 0, m, 0.0))

    def as_fitter(self) -> Any:
        """A ``lifetimes.GammaGammaFitter`` with these parameters."""
        from lifetimes import GammaGammaFitter

        fitter = GammaGammaFitter()
        fitter.params_ = pd.Series(asdict(self))
        return fitter
