"""What contacting does: whom a past campaign with a control group moved, and how well that is told.

Who was contacted is compared with who was kept back at random. Two models of the same kind learn
who buys within the outcome window, one of each group, from the customers' features at the day of
the campaign; what contacting a customer brings, the uplift, is the difference of their answers.

Whether the uplift ranks customers well is told by the Qini coefficient: over customers ranked by
uplift, how many more buy because the best ``share`` of them are contacted,

    q(share) = buyers among the contacted - buyers among the kept back x contacted / kept back,

against what contacting as many at random brings. The coefficient is the area between the curve and
that straight line, as buyers gained a customer; 0 is no better than chance.

Sources: Radcliffe 2007, "Using Control Groups to Target on Predicted Lift", Direct Marketing
Analytics Journal 1 (Qini); Kuenzel, Sekhon, Bickel and Yu 2019, "Metalearners for estimating
heterogeneous treatment effects", PNAS 116(10) (the T-learner).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import ArrayLike, NDArray

from customer360.errors import Customer360Error
from customer360.models.ranked import Ranked

Floats = NDArray[np.float64]

SMALLEST_GROUP = 50
"""Customers that each of the two groups must have, to learn anything from."""

SMALLEST_OUTCOME = 10
"""Customers of each group who must have bought, and who must not have."""

CURVE_POINTS = 100
FOLDS = 5
RESAMPLES = 200
CONFIDENCE = 0.90


class UpliftError(Customer360Error):
    """The campaign is too small to learn from; the message says what is missing."""


@dataclass(frozen=True)
class Uplift:
    """What a campaign did.

    Attributes:
        customers: How many were contacted or kept back.
        contacted: How many of them were contacted.
        bought_contacted: Share of the contacted who bought within the window.
        bought_kept_back: The same of those who were kept back.
        effect: Difference of the two: what contacting does on average.
        effect_low: Lower end of its 90 % interval.
        effect_high: Upper end of it.
        success_rate: Share of those who would not have bought and did because of the contact: what
            the setting churn_success_rate assumes. 0 where the contact did harm.
        qini: Qini coefficient of the uplift as told for customers that the models had not seen.
        qini_low: Lower end of its 90 % interval.
        qini_high: Upper end of it.
        curve: ``share`` contacted (0 to 1, the largest uplift first), ``gained``: buyers gained a
            customer of the campaign, and ``random``: the same in no order.
    """

    customers: int
    contacted: int
    bought_contacted: float
    bought_kept_back: float
    effect: float
    effect_low: float
    effect_high: float
    success_rate: float
    qini: float
    qini_low: float
    qini_high: float
    curve: pd.DataFrame

    def figures(self) -> dict[str, float]:
        """Flat figures, without the curve."""
        return {name: float(value) for name, value in vars(self).items() if name != "curve"}


def qini_curve(uplift: ArrayLike, treated: ArrayLike, bought: ArrayLike) -> pd.DataFrame:
    """Buyers gained by contacting the customers of the largest uplift.

    Customers of equal uplift are contacted together.

    Args:
        uplift: What contacting each is told to bring.
        treated: 1 of who was contacted, 0 of who was kept back.
        bought: 1 of who bought within the window.

    Returns:
        ``share`` of the customers from 0 to 1, ``gained`` buyers a customer of the campaign, and
        ``random``: the same were they contacted in no order.

    Raises:
        UpliftError: One of the groups is empty.
    """
    u, t, y = (np.asarray(each, dtype=float) for each in (uplift, treated, bought))
    if not 0 < t.sum() < len(t):
        raise UpliftError("the campaign has only one of contacted and kept back: give both")
    ranked = Ranked.by(u)
    contacted, kept_back = ranked.summed(t), ranked.summed(1 - t)
    ratio = np.divide(contacted, kept_back, out=np.zeros_like(contacted), where=kept_back > 0)
    gained = ranked.summed(t * y) - ranked.summed((1 - t) * y) * ratio
    # A customer of the campaign: as if everybody had been contacted.
    gained = gained / t.sum()
    share = np.insert((ranked.ends + 1) / len(u), 0, 0.0)
    return pd.DataFrame({"share": share, "gained": gained, "random": share * gained[-1]})


def qini_coefficient(curve: pd.DataFrame) -> float:
    """Area between the Qini curve and the straight line of chance: see the module."""
    return float(np.trapezoid(curve["gained"] - curve["random"], curve["share"]))


def measured(
    features: pd.DataFrame, treated: ArrayLike, bought: ArrayLike, *, seed: int = 0
) -> Uplift:
    """What a campaign did, and how well an uplift model tells whom it moves.

    Each customer's uplift is told by models that have not learnt from them (cross-fitting in
    `FOLDS` parts); the intervals are those of a bootstrap over customers.

    Args:
        features: Numbers at the day of the campaign, a row a customer; NaN where unknown.
        treated: 1 of who was contacted, 0 of who was kept back.
        bought: 1 of who bought within the outcome window.
        seed: Same seed, same data: same figures.

    Raises:
        UpliftError: A group has too few customers, buyers or others.
    """
    t, y = (np.asarray(each, dtype=int) for each in (treated, bought))
    _refuse_too_small(t, y)
    uplift = _cross_fitted(features, t, y, seed)
    curve = qini_curve(uplift, t, y)
    random = np.random.default_rng(seed)
    effects, qinis = [], []
    for _ in range(RESAMPLES):
        # Each group by itself, so that none is ever empty.
        some = np.concatenate(
            [
                random.choice(group, len(group))
                for group in (np.flatnonzero(t), np.flatnonzero(1 - t))
            ]
        )
        effects.append(y[some][t[some] == 1].mean() - y[some][t[some] == 0].mean())
        qinis.append(qini_coefficient(qini_curve(uplift[some], t[some], y[some])))
    ends = partial(np.quantile, q=[(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    (effect_low, effect_high), (qini_low, qini_high) = ends(effects), ends(qinis)
    of_contacted, of_kept_back = y[t == 1].mean(), y[t == 0].mean()
    effect = of_contacted - of_kept_back
    kept = np.unique(np.linspace(0, len(curve) - 1, CURVE_POINTS + 1).round().astype(int))
    return Uplift(
        customers=len(t),
        contacted=int(t.sum()),
        bought_contacted=float(of_contacted),
        bought_kept_back=float(of_kept_back),
        effect=float(effect),
        effect_low=float(effect_low),
        effect_high=float(effect_high),
        success_rate=float(max(0.0, effect) / (1 - of_kept_back)),
        qini=qini_coefficient(curve),
        qini_low=float(qini_low),
        qini_high=float(qini_high),
        curve=curve.iloc[kept].reset_index(drop=True),
    )


def _cross_fitted(
    features: pd.DataFrame, t: NDArray[np.int_], y: NDArray[np.int_], seed: int
) -> Floats:
    """Uplift of each customer, told by models that have not learnt from them."""
    values = features.to_numpy(dtype=float)
    part = _parts(2 * t + y, seed)
    told = np.zeros(len(values))
    for number in range(FOLDS):
        tell, learn = part == number, part != number
        contacted, kept_back = (
            _fitted(values[learn & (t == group)], y[learn & (t == group)], seed).inplace_predict(
                values[tell]
            )
            for group in (1, 0)
        )
        told[tell] = contacted - kept_back
    return told


def _parts(groups: NDArray[np.int_], seed: int) -> NDArray[np.int_]:
    """Each customer's part, at random and of the same size within each of the ``groups``."""
    random = np.random.default_rng(seed)
    part = np.zeros(len(groups), dtype=int)
    for group in np.unique(groups):
        members = random.permutation(np.flatnonzero(groups == group))
        part[members] = np.arange(len(members)) % FOLDS
    return part


def _fitted(values: Floats, y: NDArray[np.int_], seed: int) -> xgb.Booster:
    # Few, shallow trees: a campaign has hundreds of customers, and the difference of two models
    # has the noise of both. One thread, as they are few.
    parameters = {
        "objective": "binary:logistic",
        "max_depth": 2,
        "eta": 0.1,
        "min_child_weight": 4,
        "nthread": 1,
        "seed": seed,
    }
    return xgb.train(parameters, xgb.DMatrix(values, y, nthread=1), num_boost_round=40)


def _refuse_too_small(t: NDArray[np.int_], y: NDArray[np.int_]) -> None:
    for group, name in ((1, "contacted"), (0, "kept back")):
        customers = int((t == group).sum())
        if not customers:
            raise UpliftError(
                f"nobody of the campaign was {name}: what contacts did is told by those who were "
                "kept back at random beside those who were contacted"
            )
        if customers < SMALLEST_GROUP:
            raise UpliftError(
                f"{customers} customers of the campaign were {name}, and {SMALLEST_GROUP} are "
                "needed: wait for a larger campaign"
            )
        buyers = int(y[t == group].sum())
        if min(buyers, customers - buyers) < SMALLEST_OUTCOME:
            raise UpliftError(
                f"of the {customers} who were {name}, {buyers} bought within the window; "
                f"{SMALLEST_OUTCOME} must have, and as many must not: choose another window"
            )
