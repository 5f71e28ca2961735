"""Fit the models to counted cells, with all that is known about the fit.

A cell is a distinct history with the number of customers who have it; weighing cells is the same
maximum as one row a customer (Fader and Hardie fit CDNOW so). No penalty is added: lifetimes'
does not fade with the number of customers.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
import pandas as pd

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.likelihoods import (
    BetaGeometricLikelihood,
    GammaGammaLikelihood,
    Likelihood,
    ParetoNbdLikelihood,
    Point,
    PurchaseCells,
)
from customer360.models.lifetime_value.maximise import FARTHEST, NotFittedError, maximise
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.purchase_model import Floats, PurchaseModel
from customer360.models.notes import Note

MINIMUM_REPEAT_BUYERS = 50
"""With fewer customers who came back, four parameters are guesswork."""

CORRELATION_LIMIT = 0.3
"""Gamma-Gamma assumes that spend does not depend on frequency; above this it is not used."""

LARGEST_LOG_PARAMETER = 12.0
"""Log-parameters beyond this (a ratio of e^12) sit on a boundary of the likelihood."""

SMALLEST_DROPOUT = 1e-4
"""Mean probability to leave after a purchase below which the model has found no leaving."""

LARGEST_LOG_ERROR = 1.0
"""Standard error of a log-parameter above which a note says that it is hardly known."""

SAMPLE_CELLS = 20_000
"""Cells of the first guess where there are many times more."""

Model = TypeVar("Model", BgNbd, MbgNbd, ParetoNbd, GammaGamma)
BetaGeometric = TypeVar("BetaGeometric", BgNbd, MbgNbd)


@dataclass(frozen=True, eq=False)
class Fit(Generic[Model]):
    """A fitted model with what is known about the fit.

    Attributes:
        model: The parameters.
        covariance: Of the log-parameters, in the model's order: the inverse of the information
            at the maximum. ``None`` where the likelihood has no curvature (on a boundary).
        standard_errors: Of the parameters by name, from ``covariance`` by the delta method;
            empty without it.
        log_likelihood: Sum over all customers.
        customers: Customers that were fitted.
        status: "fitted"; "boundary" when the maximum is at the edge of what parameters can be;
            "assumption" when the data break what the model takes for granted.
        notes: What a reader must know; the first says why it is not "fitted".
    """

    model: Model
    covariance: Floats | None
    standard_errors: dict[str, float]
    log_likelihood: float
    customers: int
    status: str = "fitted"
    notes: tuple[Note, ...] = ()


def _best(
    label: str, likelihood: Likelihood, customers: float, starts: Iterable[Floats]
) -> tuple[Floats, Point]:
    """The first maximum with curvature all round; else the highest of what the starts lead to.

    A flat place is where the likelihood rises towards a boundary, and there may be a higher
    maximum inside that another start leads to.
    """
    why, best = Note("no_start"), None
    for start in starts:
        try:
            parameters, point = maximise(likelihood, start)
        except NotFittedError as error:
            why = error.note
            continue
        if best is None or point.value > best[1].value:
            best = parameters, point
        if _covariance(point, customers) is not None:
            return best
    if best is None:
        raise NotFittedError(Note("not_converged", {"model": label, "why": why}))
    return best


def _covariance(point: Point, customers: float) -> Floats | None:
    """Inverse information; ``None`` where a direction has no curvature worth the name."""
    information = -point.hessian * customers
    curvature = np.linalg.eigvalsh(information)
    if curvature[0] <= 1e-9 * curvature[-1] or curvature[0] < 1e-3:
        return None
    inverse = np.linalg.inv(information)
    return np.asarray((inverse + inverse.T) / 2)


def _known(
    label: str, model: PurchaseModel | GammaGamma, covariance: Floats | None, far: Sequence[str]
) -> tuple[dict[str, float], str, tuple[Note, ...]]:
    """Standard errors, status and notes that every fit has."""
    notes: tuple[Note, ...] = ()
    if far:
        notes += (Note("boundary", {"model": label, "parameters": ", ".join(far)}),)
    if covariance is None:
        notes += (Note("no_standard_errors", {"model": label}),)
        return {}, "boundary", notes
    errors = np.sqrt(np.diag(covariance))
    loose = [n for n, e in zip(model.names(), errors, strict=True) if e > LARGEST_LOG_ERROR]
    if loose:
        notes += (Note("hardly_known", {"model": label, "parameters": ", ".join(loose)}),)
    values = np.exp(model.log_parameters) * errors
    known = dict(zip(model.names(), values.tolist(), strict=True))
    return known, "boundary" if far else "fitted", notes


def _far(model: PurchaseModel | GammaGamma, units: dict[str, float]) -> list[str]:
    """Parameters beyond what data can tell, as text; scales are measured by their unit."""
    return [
        f"{name}={np.exp(value):.3g}"
        for name, value in zip(model.names(), model.log_parameters.tolist(), strict=True)
        if abs(value - np.log(units.get(name, 1.0))) > LARGEST_LOG_PARAMETER
    ]


def _enough(label: str, repeat_buyers: float) -> None:
    if repeat_buyers < MINIMUM_REPEAT_BUYERS:
        needs = {"model": label, "needed": MINIMUM_REPEAT_BUYERS, "there": repeat_buyers}
        raise NotFittedError(Note("too_few_came_back", needs))


def _plausible(label: str, model: PurchaseModel, cells: PurchaseCells, unit: float) -> None:
    """Refuse parameters that do not reproduce the purchases they were fitted to."""
    actual = float(cells.customers @ cells.frequency)
    by_age = np.bincount(cells.T, cells.customers)
    ages = np.flatnonzero(by_age)
    expected = float(by_age[ages] @ model.expected_purchases_of_new(ages / unit))
    if not 0.5 < expected / actual < 2:
        raise NotFittedError(
            Note("implausible", {"model": label, "expected": expected, "actual": actual})
        )


def _typical_rate(cells: PurchaseCells, unit: float) -> float:
    """Repeat purchases a customer and unit of time."""
    return float(cells.customers @ cells.frequency) / float(cells.customers @ cells.T) * unit


def _fit_beta_geometric(
    label: str, kind: type[BetaGeometric], cells: pd.DataFrame, time_unit_days: float
) -> Fit[BetaGeometric]:
    seen = PurchaseCells.of(cells)
    _enough(label, float(seen.customers[seen.frequency > 0].sum()))
    rate = _typical_rate(seen, time_unit_days)
    starts = [
        np.log([0.5, 0.5 / rate, 0.5, 2.0]),
        np.log([0.3, 0.1 / rate, 0.5, 5.0]),
        np.log([1.0, 1.0 / rate, 1.0, 20.0]),
    ]
    customers = float(seen.customers.sum())
    if len(seen.frequency) > 4 * SAMPLE_CELLS:
        few = BetaGeometricLikelihood(seen.sample(SAMPLE_CELLS), kind, time_unit_days)
        starts.insert(0, _best(label, few, customers, starts)[0])
    likelihood = BetaGeometricLikelihood(seen, kind, time_unit_days)
    log_parameters, point = _best(label, likelihood, customers, starts)
    model = kind.of_log_parameters(log_parameters)
    _plausible(label, model, seen, time_unit_days)
    covariance = _covariance(point, customers)
    oldest = float(seen.T.max()) / time_unit_days
    errors, status, notes = _known(label, model, covariance, _far(model, {"alpha": oldest}))
    if model.a / (model.a + model.b) < SMALLEST_DROPOUT:
        notes += (Note("no_leaving", {"model": label}),)
    total = float(point.value * customers)
    return Fit(model, covariance, errors, total, int(customers), status, notes)


def fit_bg_nbd(cells: pd.DataFrame, time_unit_days: float = 7) -> Fit[BgNbd]:
    """Fit BG/NBD to counted cells.

    Args:
        cells: Columns ``frequency``, ``recency`` (whole days), ``T`` (whole days),
            ``customers`` (count).
        time_unit_days: Days in one unit of model time.

    Raises:
        NotFittedError: Too few repeat buyers, no convergence, or parameters that do not
            reproduce the purchases they were fitted to.
    """
    return _fit_beta_geometric("BG/NBD", BgNbd, cells, time_unit_days)


def fit_mbg_nbd(cells: pd.DataFrame, time_unit_days: float = 7) -> Fit[MbgNbd]:
    """Fit MBG/NBD to counted cells; arguments and errors as of `fit_bg_nbd`."""
    return _fit_beta_geometric("MBG/NBD", MbgNbd, cells, time_unit_days)


def fit_pareto_nbd(cells: pd.DataFrame, time_unit_days: float = 7) -> Fit[ParetoNbd]:
    """Fit Pareto/NBD to counted cells; arguments and errors as of `fit_bg_nbd`.

    L-BFGS finds the neighbourhood, Newton the maximum: the Hessian is differences of gradients here
    and too dear for the way.
    """
    from scipy.optimize import minimize

    label, unit = "Pareto/NBD", time_unit_days
    seen = PurchaseCells.of(cells)
    _enough(label, float(seen.customers[seen.frequency > 0].sum()))
    rate, oldest = _typical_rate(seen, unit), float(seen.T.max()) / unit
    likelihood = few = ParetoNbdLikelihood(seen, unit)
    if len(seen.frequency) > 4 * SAMPLE_CELLS:
        few = ParetoNbdLikelihood(seen.sample(SAMPLE_CELLS), unit)

    def loss(log_parameters: Floats) -> tuple[float, Floats]:
        value, gradient = few.value_and_gradient(log_parameters)
        return -value, -gradient

    def neighbourhoods() -> Iterator[Floats]:
        """One after the other, for the first is nearly always the right one."""
        for start in (
            np.log([0.5, 0.5 / rate, 0.5, oldest / 4]),
            np.log([1.0, 1.0 / rate, 0.5, oldest]),
            np.log([0.3, 0.2 / rate, 1.0, oldest / 10]),
        ):
            with np.errstate(all="ignore"):
                near = minimize(
                    loss, start, jac=True, method="L-BFGS-B", bounds=[(-FARTHEST, FARTHEST)] * 4
                )
            yield near.x

    customers = float(seen.customers.sum())
    fitted, point = _best(label, likelihood, customers, neighbourhoods())
    model = ParetoNbd.of_log_parameters(fitted)
    _plausible(label, model, seen, unit)
    covariance = _covariance(point, customers)
    far = _far(model, {"alpha": oldest, "beta": oldest})
    errors, status, notes = _known(label, model, covariance, far)
    stays = float(np.exp(-model.s * np.log1p(oldest / model.beta)))
    if stays > 1 - SMALLEST_DROPOUT:
        notes += (Note("no_leaving", {"model": label}),)
    total = float(point.value * customers)
    return Fit(model, covariance, errors, total, int(customers), status, notes)


def fit_gamma_gamma(cells: pd.DataFrame) -> Fit[GammaGamma]:
    """Fit Gamma-Gamma to counted cells of repeat buyers.

    Args:
        cells: Columns ``frequency``, ``monetary_value``, ``customers``; rows
            with a value of 0 or less (all repeat purchases free) cannot be used and are left out,
            and counted in a note.

    Raises:
        NotFittedError: Too few repeat buyers, no convergence, or q of 1 or less (the mean spend
            of the population does not exist).
    """
    label = "Gamma-Gamma"
    repeat = cells[cells["frequency"] > 0]
    usable = repeat[repeat["monetary_value"] > 0]
    weights = usable["customers"].to_numpy(dtype=float)
    _enough(label, float(weights.sum()))
    x = usable["frequency"].to_numpy(dtype=float)
    m = usable["monetary_value"].to_numpy(dtype=float)
    # Fitted on values of mean 1, so that the start suits pennies and millions alike; only v has a
    # unit, and it scales back.
    scale = float(weights @ m / weights.sum())
    likelihood = GammaGammaLikelihood(x, m / scale, weights)
    starts = [np.log(s) for s in ([2.0, 3.0, 1.0], [6.0, 4.0, 0.5], [1.0, 1.5, 1.0])]
    customers = float(weights.sum())
    log_parameters, point = _best(label, likelihood, customers, starts)
    log_parameters = log_parameters + np.array([0.0, 0.0, np.log(scale)])
    model = GammaGamma.of_log_parameters(log_parameters)
    if model.q <= 1:
        raise NotFittedError(Note("no_mean_spend", {"q": model.q}))
    covariance = _covariance(point, customers)
    errors, status, notes = _known(label, model, covariance, _far(model, {"v": scale}))
    correlation = frequency_value_correlation(usable)
    if abs(correlation) > CORRELATION_LIMIT:
        status = "assumption"
        notes = (Note("spend_depends_on_frequency", {"correlation": correlation}), *notes)
    left_out = int(repeat["customers"].sum() - customers)
    if left_out:
        notes += (Note("left_out_buyers", {"buyers": left_out}),)
    # The density is of the mean spend itself, not of the scaled one.
    total = point.value * customers - customers * np.log(scale)
    return Fit(model, covariance, errors, float(total), int(customers), status, notes)


def frequency_value_correlation(cells: pd.DataFrame) -> float:
    """Correlation of frequency and mean spend over repeat buyers; 0 when either never varies."""
    repeat = cells[(cells["frequency"] > 0) & (cells["monetary_value"] > 0)]
    weights = repeat["customers"].to_numpy(dtype=float)
    if weights.sum() < 2:
        return 0.0
    x = repeat["frequency"].to_numpy(dtype=float)
    m = repeat["monetary_value"].to_numpy(dtype=float)
    x, m = (v - np.average(v, weights=weights) for v in (x, m))
    scale = np.sqrt((weights * x**2).sum() * (weights * m**2).sum())
    return float((weights * x * m).sum() / scale) if scale > 0 else 0.0
