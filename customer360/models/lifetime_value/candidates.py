"""Fitting the purchase models that there are, and what is done where one cannot be fitted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from types import MappingProxyType
from typing import Any

import pandas as pd

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.cells import Cells
from customer360.models.lifetime_value.fitting import (
    Fit,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
    frequency_value_correlation,
)
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import LifetimeValueModel, frozen
from customer360.models.notes import Note

CARRIED_ON = Note("past_average_is_carried_on")
MEAN_VALUE = Note("mean_order_value_is_used")
"""What stands in for purchases and for order values that cannot be fitted."""

_BETTER = Note("used_all_the_same")

Fitter = Callable[[pd.DataFrame, float], Fit[Any]]

FITTERS: dict[str, Fitter] = {
    BgNbd.kind: fit_bg_nbd,
    MbgNbd.kind: fit_mbg_nbd,
    ParetoNbd.kind: fit_pareto_nbd,
}
"""The purchase models there are, the one to take without a holdout to choose by first."""


@dataclass(frozen=True)
class Terms:
    """In what the models count.

    Attributes:
        time_unit_days: Days in one unit of model time: 7 gives the literature's weekly figures.
        annual_discount_rate: For the discounted value.
    """

    time_unit_days: int = 7
    annual_discount_rate: float = 0.10


@dataclass
class Candidate:
    """A model with both its parts, fitted or fallen back.

    Attributes:
        model: The model.
        fallbacks: Why a part fell back, and to what; empty when both are fitted.
        notes: What else the fits have to say.
        parameters: Fitted, with standard errors as ``se_*``.
        metrics: Likelihoods and sizes.
    """

    model: LifetimeValueModel
    fallbacks: list[tuple[Note, Note]] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    parameters: dict[str, float] = field(default_factory=dict)
    metrics: dict[str, float] = field(default_factory=dict)

    @property
    def why_not(self) -> Note:
        """Why the purchases could not be fitted, without what is done instead."""
        return self.fallbacks[0][0]


def fitted(cells: Cells, kind: str, terms: Terms, *, at_boundary: bool = False) -> Candidate:
    """Fit both parts, each falling back by itself with its reason.

    Args:
        cells: What was counted of one as-of date.
        kind: Purchase model, one of `FITTERS`.
        terms: Unit of time, and the discount rate.
        at_boundary: Take purchases at a boundary of their likelihood too, saying so.
    """
    counts = cells.purchase_cells
    plain = LifetimeValueModel(
        terms.time_unit_days, None, None, cells.mean_order_value, terms.annual_discount_rate
    )
    candidate = Candidate(plain)
    candidate.metrics |= {
        "customers": float(counts["customers"].sum()),
        "repeat_buyers": float(counts.loc[counts["frequency"] > 0, "customers"].sum()),
    }
    _fit_purchases(candidate, cells, kind, at_boundary)
    _fit_values(candidate, cells)
    return candidate


def fitted_all(
    cells: Cells, kinds: Sequence[str], terms: Terms, *, at_boundary: bool = False
) -> dict[str, Candidate]:
    """Those of ``kinds`` whose purchases can be fitted; arguments as for `fitted`."""
    attempts = {kind: fitted(cells, kind, terms, at_boundary=at_boundary) for kind in kinds}
    return {kind: one for kind, one in attempts.items() if one.model.purchases}


def _fit_purchases(candidate: Candidate, cells: Cells, kind: str, at_boundary: bool) -> None:
    """How often: into the candidate's model, or the reason why past averages stand in."""
    try:
        fit = FITTERS[kind](cells.purchase_cells, candidate.model.time_unit_days)
    except NotFittedError as error:
        candidate.fallbacks.append((error.note, CARRIED_ON))
        return
    inside = fit.status == "fitted"
    candidate.notes.extend(fit.notes if inside else fit.notes[1:])
    candidate.metrics[f"{kind}_log_likelihood"] = fit.log_likelihood
    if inside or at_boundary:
        candidate.model = replace(
            candidate.model, purchases=fit.model, purchases_covariance=frozen(fit.covariance)
        )
        candidate.parameters |= _parameters(fit)
    if not inside:
        candidate.fallbacks.append((fit.notes[0], _BETTER if at_boundary else CARRIED_ON))


def _fit_values(candidate: Candidate, cells: Cells) -> None:
    """How much: into the candidate's model, or the reason why mean order values stand in."""
    spend = cells.value_cells
    candidate.metrics["frequency_value_correlation"] = frequency_value_correlation(spend)
    try:
        fit = fit_gamma_gamma(spend)
    except NotFittedError as error:
        candidate.fallbacks.append((error.note, MEAN_VALUE))
        return
    inside = fit.status == "fitted"
    candidate.notes.extend(fit.notes if inside else fit.notes[1:])
    candidate.metrics["gamma_gamma_log_likelihood"] = fit.log_likelihood
    if not inside:
        candidate.fallbacks.append((fit.notes[0], MEAN_VALUE))
        return
    candidate.model = replace(
        candidate.model, values=fit.model, values_covariance=frozen(fit.covariance)
    )
    candidate.parameters |= _parameters(fit)
    candidate.metrics["population_mean_order_value"] = fit.model.population_mean


def _parameters(fit: Fit[Any]) -> dict[str, float]:
    return asdict(fit.model) | {f"se_{k}": v for k, v in fit.standard_errors.items()}


def first_fitted(
    cells: Cells,
    kinds: Sequence[str],
    terms: Terms,
    *,
    at_boundary: bool = False,
    attempts: Mapping[str, Candidate] = MappingProxyType({}),
) -> Candidate:
    """The first of ``kinds`` whose purchases can be fitted, with why those before it could not.

    When none can: the first of them at its boundary, if that is allowed, else the fallback with
    the reason of the first.

    Args:
        cells: What was counted of one as-of date.
        kinds: Purchase models, in the order in which they are taken.
        terms: Unit of time, and the discount rate.
        at_boundary: As for `fitted`, of the first.
        attempts: By kind, from `fitted`, of those that have been fitted to these cells already.
    """
    failures: list[tuple[str, Candidate]] = []
    for kind in kinds:
        candidate = attempts.get(kind) or fitted(cells, kind, terms)
        if candidate.model.purchases:
            passed_over = [
                Note("in_place_of", {"rival": other, "why": failed.why_not})
                for other, failed in failures
            ]
            return replace(candidate, notes=[*candidate.notes, *passed_over])
        failures.append((kind, candidate))
    if at_boundary:
        return fitted(cells, kinds[0], terms, at_boundary=True)
    return failures[0][1]
