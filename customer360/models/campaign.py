"""What a retention campaign costs and brings.

Apart from the curve that is drawn of it (`customer360.models.profit`), as every loading of the
definitions asks for the economics, and for no frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from customer360.errors import Customer360Error

if TYPE_CHECKING:
    from customer360.settings import Settings

Floats = NDArray[np.float64]


class ProfitError(Customer360Error):
    """The economics of a campaign that cannot be."""


@dataclass(frozen=True)
class Campaign:
    """What a retention campaign costs and brings.

    Attributes:
        contact_cost: Of one contact, in the currency of the values; an incentive included.
        success_rate: Share of the contacted churners who stay because of it, 0 to 1.
        margin: Share of the revenue kept that is profit, 0 to 1.
    """

    contact_cost: float = 1.0
    success_rate: float = 0.1
    margin: float = 0.3

    def __post_init__(self) -> None:
        """Refuse what cannot be.

        Raises:
            ProfitError: A cost below 0, or a share outside 0 to 1.
        """
        if not 0 <= self.contact_cost < np.inf:
            raise ProfitError(
                f"churn contact cost is {self.contact_cost}; give 0 or more (churn_contact_cost)"
            )
        for name in ("success_rate", "margin"):
            value = getattr(self, name)
            if not 0 <= value <= 1:
                raise ProfitError(f"churn {name} is {value}; give a share of 0 to 1 (churn_{name})")

    @classmethod
    def of(cls, settings: Settings) -> Campaign:
        """As the deployment's settings say."""
        return cls(settings.churn_contact_cost, settings.churn_success_rate, settings.churn_margin)

    def earned(self, at_stake: ArrayLike) -> Floats:
        """Profit of contacting each customer, in currency.

        Args:
            at_stake: What is lost by each one's leaving: expected before, or in hindsight (the
                value of who left, 0 of who stayed). Below 0, as where refunds exceed purchases,
                and unknown, it is nothing.
        """
        lost = np.maximum(np.nan_to_num(np.asarray(at_stake, dtype=float)), 0.0)
        return np.asarray(lost * self.success_rate * self.margin - self.contact_cost)

    def parameters(self) -> dict[str, float]:
        """As flat parameters to log."""
        return {
            "churn_contact_cost": self.contact_cost,
            "churn_success_rate": self.success_rate,
            "churn_margin": self.margin,
        }
