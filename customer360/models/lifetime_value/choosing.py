"""Choosing what tells of purchases and of revenue: purchase models, rules of thumb, or both.

All are fitted to the days before a validation date and judged on those after it; the holdout that
is reported takes no part. One purchase model is chosen for all (it says who is still a customer);
then purchases and revenue each get that model alone, its blend with the past average and the last
year carried on, or one rule of thumb.

The blend is the weighted mean with the least squared error; its weights are at least 0 and 1
together, so that a season of the validation days does not set the level (see `stacking`). Each half
of the customers is judged by weights of the other. Where too few came back for any purchase model,
one rule tells of each amount. Within noise of the best the model alone goes
first: it says the same of purchases, value, intervals and weeks to come. The blend goes before a
rule: an average loses least where what was best yesterday is not best tomorrow.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import pandas as pd

from customer360.models.baselines import (
    HIATUS_RULE,
    LAST_YEAR,
    PAST_AVERAGE,
    POPULATION_AVERAGE,
    NaiveRules,
)
from customer360.models.lifetime_value.candidates import (
    CARRIED_ON,
    MEAN_VALUE,
    Candidate,
    Terms,
    fitted_all,
)
from customer360.models.lifetime_value.cells import Cells
from customer360.models.notes import Note
from customer360.models.paired import JUDGED_ROWS, Losses
from customer360.models.sampling import halves
from customer360.models.stacking import kept, weights_of

log = logging.getLogger(__name__)

CHOSEN_BY = ("rmse", "normalized_gini")
"""Budgets add expectations up, lists go by their order; not by the mean absolute error, which is
least for a median: where most customers come back no more, for one who expects nobody to."""

BLEND = "blend"
BLENDED_RULES = (PAST_AVERAGE, LAST_YEAR)
SINGLE_RULES = (LAST_YEAR, PAST_AVERAGE, HIATUS_RULE, POPULATION_AVERAGE)
"""Rules that may stand in a model's place, in the order in which they are preferred."""

RULES_ALONE = (PAST_AVERAGE, *(rule for rule in SINGLE_RULES if rule != PAST_AVERAGE))
"""Where there is no model; the past average first, which is carried on where nothing is known."""

AMOUNTS = ("purchases", "revenue")

NO_DAYS = Note("not_chosen_on_days")

_ALL = 0.995
"""From here on a share is written as all of it."""

SHORTEST_VALIDATION_DAYS = 7
HISTORIES_OF_VALIDATION = 4
"""The history up to the holdout has room for so many validation periods: three to fit on, and the
last to choose by. With half of it young businesses have nothing that a model could be fitted to,
as Olist."""

VALIDATION_ROWS = JUDGED_ROWS
"""Customers on the driver to choose by, at most; as many as the bootstrap looks at."""


@dataclass(frozen=True)
class Choice:
    """What tells of purchases and of revenue.

    Attributes:
        kinds: Purchase models, the chosen one first; the next stands in where it cannot be fitted.
        at_boundary: The chosen one may be taken at a boundary of its likelihood.
        purchases: Weights of rules of thumb in expected purchases; the rest is the model's.
        revenue: Likewise in expected revenue.
        losses: Of all on the validation days, by amount; empty where there were none.
        notes: What a reader must know of the choice.
        parameters: To log.
    """

    kinds: tuple[str, ...]
    at_boundary: bool = False
    purchases: Mapping[str, float] = field(default_factory=dict)
    revenue: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, Losses] = field(default_factory=dict)
    notes: tuple[Note, ...] = ()
    parameters: Mapping[str, float | int | str] = field(default_factory=dict)

    @property
    def silenced(self) -> list[Note]:
        """What stands in for parts that cannot be fitted and has no say, as rules say it all."""
        stand_ins = ((CARRIED_ON, self.purchases), (MEAN_VALUE, self.revenue))
        return [note for note, weights in stand_ins if told_by_rules(weights)]

    def metrics(self) -> dict[str, float]:
        """RMSE on the validation days, ``validation_<candidate>_<amount>_rmse``."""
        return {
            f"validation_{name}_{amount}_rmse": float(value)
            for amount, losses in self.losses.items()
            for name, value in losses.by_figure["rmse"].iloc[0].items()
        }


@dataclass(frozen=True)
class Validation:
    """The days before the holdout that choose.

    Attributes:
        as_of: Last day that models and rules know.
        days: Days after it that judge.
        rows: A sample of the customers, with what they did: see `validation.sampled`.
        cells: All customers, as of that day.
        rules: The naive rules over the days.
    """

    as_of: date
    days: int
    rows: pd.DataFrame
    cells: Cells
    rules: NaiveRules


def validation_period(calibration_as_of: date, history_days: int, most: int) -> tuple[date, int]:
    """Last day before the validation days, and how many they are; 0 where history is too short.

    Args:
        calibration_as_of: Last day of them, the holdout begins after it.
        history_days: Days of history up to then.
        most: Days of the holdout, which they shall not be longer than.
    """
    days = min(most, history_days // HISTORIES_OF_VALIDATION)
    days = days if days >= SHORTEST_VALIDATION_DAYS else 0
    return calibration_as_of - timedelta(days=days), days


def simplest(kinds: Sequence[str], why: Note = NO_DAYS) -> Choice:
    """Without days to choose by: the first purchase model that can be fitted, by itself."""
    return Choice(tuple(kinds), notes=(why,) if len(kinds) > 1 else ())


def choose(validation: Validation, kinds: Sequence[str], terms: Terms) -> Choice:
    """Judge purchase models, rules of thumb and blends on the validation days.

    A single kind has been asked for and is taken as it is, where it can be fitted. Where nobody
    bought anything on the days, there is nothing to choose by.

    Args:
        validation: The days that choose.
        kinds: Purchase models, the one to take when all are alike first.
        terms: Unit of time, and the discount rate.
    """
    log.info("lifetime value: choosing on the %d days after %s", validation.days, validation.as_of)
    rows, inside = validation.rows, fitted_all(validation.cells, kinds, terms)
    edge = {} if inside else fitted_all(validation.cells, kinds, terms, at_boundary=True)
    candidates = inside or edge
    if not (rows["actual_purchases"] > 0).any():
        return simplest(kinds, Note("nobody_bought_on_days"))
    if not candidates:
        return _among_rules(validation, kinds)
    if inside and len(kinds) == 1:
        return Choice(tuple(kinds))
    by_kind = {kind: _expectations(one, validation) for kind, one in candidates.items()}
    kind = _losses({k: p for k, (p, _) in by_kind.items()}, rows["actual_purchases"]).choice(
        list(candidates)
    )
    ordered = (kind, *(other for other in kinds if other != kind))
    weights: dict[str, Mapping[str, float]] = {}
    losses: dict[str, Losses] = {}
    heard = False
    for amount, by_model in zip(AMOUNTS, by_kind[kind], strict=True):
        actual = rows[f"actual_{amount}"]
        rules = _by_rules(validation, amount)
        blend, all_weights = _blended(
            {kind: by_model} | {r: rules[r] for r in BLENDED_RULES}, actual
        )
        losses[amount] = _losses({kind: by_model, BLEND: blend} | rules, actual)
        chosen = losses[amount].choice((kind, BLEND, *SINGLE_RULES))
        log.info("lifetime value: %s tells of %s", chosen, amount)
        of_rules = {kind: {}, BLEND: {r: w for r, w in all_weights.items() if r != kind}}
        weights[amount] = of_rules.get(chosen, {chosen: 1.0})
        heard |= chosen == kind or (chosen == BLEND and kind in all_weights)
    return Choice(
        ordered,
        bool(edge) and heard,
        weights["purchases"],
        weights["revenue"],
        losses,
        rules_noted(weights),
        _facts(validation, weights),
    )


def _among_rules(validation: Validation, kinds: Sequence[str]) -> Choice:
    """Where no purchase model can be fitted yet: of each amount the rule that was nearest."""
    losses = {
        amount: _losses(_by_rules(validation, amount), validation.rows[f"actual_{amount}"])
        for amount in AMOUNTS
    }
    weights = {amount: {of.choice(RULES_ALONE): 1.0} for amount, of in losses.items()}
    return Choice(
        tuple(kinds),
        purchases=weights["purchases"],
        revenue=weights["revenue"],
        losses=losses,
        notes=rules_noted(weights),
        parameters=_facts(validation, weights),
    )


def _facts(
    validation: Validation, weights: Mapping[str, Mapping[str, float]]
) -> dict[str, float | int | str]:
    return {
        "validation_as_of": validation.as_of.isoformat(),
        "validation_days": validation.days,
        **{
            f"blend_weight_{amount}_{name}": weight
            for amount, of_rules in weights.items()
            for name, weight in of_rules.items()
        },
    }


def _expectations(candidate: Candidate, validation: Validation) -> tuple[pd.Series, pd.Series]:
    ahead = (float(validation.days),)
    purchases, revenue = candidate.model.expectations(validation.rows, ahead)
    return pd.Series(purchases[:, 0]), pd.Series(revenue[:, 0])


def _by_rules(validation: Validation, amount: str) -> dict[str, pd.Series]:
    rules, rows = validation.rules, validation.rows
    rule = rules.purchases if amount == "purchases" else rules.revenue
    return {name: pd.Series(rule(name, rows)) for name in SINGLE_RULES}


def _losses(predictions: Mapping[str, pd.Series], actual: pd.Series) -> Losses:
    return Losses.of(predictions, actual, CHOSEN_BY)


def _blended(
    parts: Mapping[str, pd.Series], actual: pd.Series
) -> tuple[pd.Series, dict[str, float]]:
    """What the blend says of each customer by the other half's weights, and the weights of all."""
    rows, came = pd.DataFrame(parts), actual.to_numpy(dtype=float)
    matrix, blend = rows.to_numpy(), np.empty(len(came))
    for judged in halves(rows):
        blend[judged] = matrix[judged] @ weights_of(matrix[~judged], came[~judged])
    weights = dict(zip(parts, weights_of(matrix, came).tolist(), strict=True))
    return pd.Series(blend), kept(weights)


def told_by_rules(weights: Mapping[str, float]) -> bool:
    """Whether rules of thumb say all of an amount."""
    return sum(weights.values()) >= _ALL


def rules_noted(weights: Mapping[str, Mapping[str, float]]) -> tuple[Note, ...]:
    """How much rules of thumb say of each of `AMOUNTS`, by their weights in it."""
    notes = []
    if of := weights.get("purchases"):
        alone, rules = _told(of)
        notes.append(Note("rules_alone_in_purchases" if alone else "rules_in_purchases", rules))
    if of := weights.get("revenue"):
        alone, rules = _told(of)
        notes.append(Note("rules_alone_in_revenue" if alone else "rules_in_revenue", rules))
    return tuple(notes)


def _told(weights: Mapping[str, float]) -> tuple[bool, dict[str, list[Note]]]:
    """Whether rules say all of an amount, and what each says of it."""
    alone = told_by_rules(weights)
    if alone and len(weights) == 1:
        return alone, {"rules": [Note("whole_rule", {"rival": rule}) for rule in weights]}
    shares = [Note("share_of_rule", {"rival": rule, "share": w}) for rule, w in weights.items()]
    return alone, {"rules": shares}
