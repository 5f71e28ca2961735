"""How the shop's customers behave: the parameters, with defaults of a mid-sized web shop."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

from customer360.errors import Customer360Error


class BehaviourError(Customer360Error):
    """A parameter of the generator is outside its range; the message names it."""


@dataclass(frozen=True)
class Cohort:
    """Customers won in one way, and how they differ from the shop's average.

    Within a cohort the process is exactly BG/NBD and Gamma-Gamma with the parameters that
    :meth:`Behaviour.of` returns; all cohorts together are a mixture.

    Attributes:
        name: Written to ``acquisition_channel``.
        share: Relative weight among the cohorts that win customers in a month.
        purchase_rate: Factor on every purchase rate (alpha is divided by it).
        dropout: Factor on ``a``; above 1 customers leave earlier.
        order_value: Factor on every order's value (``v`` is multiplied by it).
        months: Months (1-12) in which customers are won; empty: all year.
    """

    name: str
    share: float = 1.0
    purchase_rate: float = 1.0
    dropout: float = 1.0
    order_value: float = 1.0
    months: tuple[int, ...] = ()


DEFAULT_COHORTS = (
    Cohort("organic_search", share=0.30),
    Cohort("paid_search", share=0.22, purchase_rate=0.9, dropout=1.25, order_value=0.95),
    Cohort("social", share=0.18, purchase_rate=0.75, dropout=1.6, order_value=0.8),
    Cohort("referral", share=0.14, purchase_rate=1.4, dropout=0.6, order_value=1.15),
    Cohort("marketplace", share=0.16, purchase_rate=0.6, dropout=2.0, order_value=0.75),
    Cohort(
        "november_sale",
        share=0.9,
        purchase_rate=0.5,
        dropout=2.5,
        order_value=0.7,
        months=(11,),
    ),
)


@dataclass(frozen=True)
class Parameters:
    """BG/NBD (r, alpha, a, b; time in days) and Gamma-Gamma (p, q, v; money in dollars)."""

    r: float
    alpha: float
    a: float
    b: float
    p: float
    q: float
    v: float


@dataclass(frozen=True)
class Behaviour:
    """Parameters of the process.

    Purchases follow the BG/NBD of Fader, Hardie and Lee (2005): while alive, a customer buys
    at a Poisson rate lambda ~ Gamma(r, alpha), and after each repeat purchase dies with
    probability p ~ Beta(a, b). Order values follow the Gamma-Gamma of Fader and Hardie (2013):
    value ~ Gamma(p, nu), nu ~ Gamma(q, v).

    Seasonality is a change of clock, not of behaviour: a customer lives in *shop time*, in
    which a busy day is longer than a quiet one and the range as a whole is as long as in the
    calendar. In shop time all parameters hold exactly (``truth/customers.parquet`` has each
    customer's frequency, recency and T in it, ``truth/shop_time.parquet`` the clock). In
    calendar days they hold on average: a busy season looks like faster customers, the quiet one
    after it like lost ones. Fitted on two years of calendar time at full seasonality, r comes
    out right, alpha 3 % low, a 16 % and b 12 % low (measured, one cohort, the default
    parameters); ``seasonality=0`` makes the two clocks equal. Counting purchases by day merges
    those of one day: at CDNOW's parameters alpha comes out 5.5 % and r 2 % high.

    Attributes:
        r: Shape of the purchase rates.
        alpha: Inverse scale of the purchase rates, in days: the mean rate is r / alpha a day.
        a: First parameter of the dropout probability.
        b: Second parameter of the dropout probability: its mean is a / (a + b).
        p: Shape of an order's value around the customer's own mean.
        q: Shape of the customers' inverse scale.
        v: Scale of order values, in dollars: the mean order value is p v / (q - 1).
        cohorts: The ways in which customers are won.
        seasonality: 0 for equal days, 1 for the full pattern of weekdays, year and sales.
        acquisition_growth: Growth of new customers a year: 0.2 is a fifth more each year.
        never_buyers: Share of customers who sign up and never buy.
        refund_rate: Share of orders that are refunded, wholly or in part, within 30 days.
        profile_changes_per_year: Mean moves, new e-mails, phones and consents of a customer.
    """

    r: float = 0.65
    alpha: float = 24.0
    a: float = 0.7
    b: float = 9.0
    p: float = 6.25
    q: float = 3.74
    v: float = 28.0
    cohorts: tuple[Cohort, ...] = DEFAULT_COHORTS
    seasonality: float = 1.0
    acquisition_growth: float = 0.15
    never_buyers: float = 0.02
    refund_rate: float = 0.04
    profile_changes_per_year: float = 0.35

    def __post_init__(self) -> None:
        for name in ("r", "alpha", "a", "b", "p", "v"):
            _require(name, getattr(self, name), getattr(self, name) > 0, "above 0")
        _require("q", self.q, self.q > 1, "above 1 (the mean order value is p v / (q - 1))")
        for name in ("seasonality", "never_buyers", "refund_rate"):
            _require(name, getattr(self, name), 0 <= getattr(self, name) <= 1, "0 to 1")
        _require(
            "acquisition_growth", self.acquisition_growth, self.acquisition_growth > -1, "> -1"
        )
        _require(
            "profile_changes_per_year",
            self.profile_changes_per_year,
            0 <= self.profile_changes_per_year <= 50,
            "0 to 50",
        )
        _require("cohorts", self.cohorts, 0 < len(self.cohorts) <= 100, "1 to 100 cohorts")
        names = [cohort.name for cohort in self.cohorts]
        _require("cohorts", names, len(set(names)) == len(names), "names that differ")
        for cohort in self.cohorts:
            for name in ("share", "purchase_rate", "dropout", "order_value"):
                value = getattr(cohort, name)
                _require(f"{name} of cohort {cohort.name}", value, value > 0, "above 0")
            _require(
                f"months of cohort {cohort.name}",
                cohort.months,
                all(1 <= month <= 12 for month in cohort.months),
                "1 to 12",
            )
        open_months = {m for c in self.cohorts for m in (c.months or range(1, 13))}
        _require("cohorts", names, len(open_months) == 12, "at least one cohort for every month")

    def of(self, cohort: Cohort) -> Parameters:
        """The exact parameters of one cohort."""
        return Parameters(
            r=self.r,
            alpha=self.alpha / cohort.purchase_rate,
            a=self.a * cohort.dropout,
            b=self.b,
            p=self.p,
            q=self.q,
            v=self.v * cohort.order_value,
        )

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Behaviour:
        """The behaviour written in a manifest."""
        known = {field.name for field in fields(cls)}
        plain = {name: value for name, value in values.items() if name in known}
        plain["cohorts"] = tuple(
            Cohort(**(cohort | {"months": tuple(cohort["months"])})) for cohort in plain["cohorts"]
        )
        return cls(**plain)

    @classmethod
    def single(cls, **changes: Any) -> Behaviour:
        """One cohort, no seasons, no refunds: the plain textbook process, for recovery tests."""
        plain: dict[str, Any] = {
            "cohorts": (Cohort("all"),),
            "seasonality": 0.0,
            "acquisition_growth": 0.0,
            "never_buyers": 0.0,
            "refund_rate": 0.0,
        }
        return cls(**(plain | changes))


def _require(name: str, value: object, holds: bool, wanted: str) -> None:
    if not holds:
        raise BehaviourError(f"behaviour: {name} is {value!r}, must be {wanted}")
