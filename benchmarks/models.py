"""``python -m benchmarks.models``: fitting and scoring lifetime value beside ``lifetimes``.

Simulated customers of known parameters. Each size is measured in a process of its own, and peak
memory is counted from the start of each step; `lifetimes` fits the same customers row by row,
which is how it is used. Counting cells is Spark's work in the product and is not in our time; the
cells are made before.

`lifetimes` scores what it can: expected purchases at each of our horizons, the probability alive
and the expected order value, each for all customers in one call. Our scoring makes these, expected
revenue and discounted values, all with 90 % intervals; the same figures alone, by the functions of
our models, are timed too.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import multiprocessing
import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import pandas as pd
import typer
from rich.console import Console
from rich.table import Table

from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.fitting import (
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
)
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    HORIZONS,
    KnownScores,
    LifetimeValueModel,
    frozen,
)

PURCHASES = BgNbd(0.243, 4.414, 0.793, 2.426)
SPEND = GammaGamma(6.25, 3.74, 15.44)
DAYS, WEEK = 730, 7
BATCH = 100_000
WARM_UP = 5_000
SCORED = len([name for name in FIGURES if f"{name}_low" in FIGURES])
"""Figures that scoring makes, the ends of their intervals not counted."""


@dataclass(frozen=True)
class Measured:
    """One size: seconds, agreement and memory by name."""

    customers: int
    facts: dict[str, float]


def simulate(customers: int, seed: int = 1) -> pd.DataFrame:
    """Histories from BG/NBD and Gamma-Gamma; purchases of a day are not merged into one."""
    random = np.random.default_rng(seed)
    age = random.integers(1, DAYS + 1, customers)
    rate = random.gamma(PURCHASES.r, 1 / (PURCHASES.alpha * WEEK), customers)
    dropout = random.beta(PURCHASES.a, PURCHASES.b, customers)
    x, last, clock = np.zeros(customers, dtype=int), np.zeros(customers), np.zeros(customers)
    alive = np.arange(customers)
    while len(alive):
        clock[alive] += random.exponential(1 / np.maximum(rate[alive], 1e-300))
        alive = alive[clock[alive] <= age[alive]]
        x[alive] += 1
        last[alive] = clock[alive]
        alive = alive[random.random(len(alive)) >= dropout[alive]]
    scale = random.gamma(SPEND.q, 1 / SPEND.v, customers)
    spent = random.gamma(SPEND.p * np.maximum(x, 1)) / scale
    return pd.DataFrame(
        {
            "frequency": x,
            "recency": np.round(last).astype(int),
            "T": age,
            "monetary_value": np.where(x > 0, spent / np.maximum(x, 1), 0.0),
        }
    )


def cells_of(rows: pd.DataFrame) -> pd.DataFrame:
    """Counted histories, as Spark hands them over."""
    codes = (rows["frequency"].to_numpy() << 40) | (rows["recency"].to_numpy() << 20) | rows["T"]
    found, customers = np.unique(codes, return_counts=True)
    columns = {"frequency": found >> 40, "recency": (found >> 20) & 0xFFFFF, "T": found & 0xFFFFF}
    return pd.DataFrame(columns).assign(customers=customers)


def _memory(field: str) -> float:
    """A field of Linux's account of this process, in bytes; NaN elsewhere."""
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return float("nan")
    (kilobytes,) = (line.split()[1] for line in status.splitlines() if line.startswith(field))
    return float(kilobytes) * 1024


def _forget_peak() -> None:
    """Let the peak start anew: otherwise it is that of whatever took most before.

    Memory that was freed but kept for reuse would hide what the next step takes.
    """
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    with contextlib.suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


def _timed(facts: dict[str, float], name: str, work: Any) -> Any:
    _forget_peak()
    before, cpu, begun = _memory("VmRSS"), time.process_time(), time.perf_counter()
    found = work()
    facts[f"{name}_seconds"] = time.perf_counter() - begun
    facts[f"{name}_cpu"] = time.process_time() - cpu
    facts[f"{name}_bytes"] = _memory("VmHWM") - before
    return found


def _measure(customers: int, results: Any) -> None:
    from lifetimes import BetaGeoFitter, GammaGammaFitter

    facts: dict[str, float] = {}
    few = simulate(WARM_UP, seed=2)
    warm = cells_of(few)

    def compile_all() -> None:
        fit_bg_nbd(warm)
        fit_mbg_nbd(warm)
        fit_pareto_nbd(warm)
        fit_gamma_gamma(few.assign(customers=1))

    _timed(facts, "compile", compile_all)
    rows = simulate(customers)
    cells = _timed(facts, "cells", lambda: cells_of(rows))
    repeat = rows[rows["frequency"] > 0].assign(customers=1)
    facts["cells"], facts["repeat_buyers"] = len(cells), len(repeat)

    often = _timed(facts, "bg_nbd", lambda: fit_bg_nbd(cells))
    much = _timed(facts, "gamma_gamma", lambda: fit_gamma_gamma(repeat))
    _timed(facts, "mbg_nbd", lambda: fit_mbg_nbd(cells))
    _timed(facts, "pareto_nbd", lambda: fit_pareto_nbd(cells))

    model = LifetimeValueModel(
        WEEK, often.model, much.model, 35.0, 0.1, frozen(often.covariance), frozen(much.covariance)
    )

    def score() -> None:
        known = KnownScores(model)
        for start in range(0, customers, BATCH):
            model.predict(rows.iloc[start : start + BATCH], known)

    _timed(facts, "score", score)

    x, age = rows["frequency"].to_numpy(), rows["T"].to_numpy() / WEEK
    last = rows["recency"].to_numpy() / WEEK
    theirs = _timed(
        facts, "lifetimes_bg_nbd", lambda: BetaGeoFitter().fit(x, last, age, verbose=False)
    )
    spend = _timed(
        facts,
        "lifetimes_gamma_gamma",
        lambda: GammaGammaFitter().fit(repeat["frequency"], repeat["monetary_value"]),
    )

    def score_alike() -> None:
        for days in HORIZONS:
            often.model.expected_purchases(days / WEEK, x, last, age)
        often.model.probability_alive(x, last, age)
        much.model.expected_order_value(rows["frequency"], rows["monetary_value"])

    _timed(facts, "score_alike", score_alike)

    def score_by_lifetimes() -> None:
        for days in HORIZONS:
            theirs.conditional_expected_number_of_purchases_up_to_time(days / WEEK, x, last, age)
        theirs.conditional_probability_alive(x, last, age)
        spend.conditional_expected_average_profit(rows["frequency"], rows["monetary_value"])

    _timed(facts, "lifetimes_score", score_by_lifetimes)

    # Both maxima judged by lifetimes' own formula, a customer.
    weights, own = np.ones(customers), theirs._negative_log_likelihood
    ours_at, theirs_at = (
        -own(np.log(np.asarray(p)), x, last, age, weights, 0.0)
        for p in (np.exp(often.model.log_parameters), theirs.params_)
    )
    facts["bg_nbd_gain"] = ours_at - theirs_at
    args = (repeat["frequency"].to_numpy(), repeat["monetary_value"].to_numpy())
    own, ones = spend._negative_log_likelihood, np.ones(len(repeat))
    ours_at, theirs_at = (
        -own(np.log(np.asarray(p)), *args, ones, 0.0)
        for p in (np.exp(much.model.log_parameters), spend.params_)
    )
    facts["gamma_gamma_gain"] = ours_at - theirs_at
    results.put(Measured(customers, {name: float(value) for name, value in facts.items()}))


def measure(customers: int) -> Measured:
    """One size, in a new process."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    process = context.Process(target=_measure, args=(customers, results))
    process.start()
    while True:
        try:
            found: Measured = results.get(timeout=1)
            break
        except Exception as error:
            if process.is_alive():
                continue
            raise typer.Exit(1) from error
    process.join()
    return found


def render(measured: list[Measured]) -> Table:
    """Our seconds beside lifetimes', agreement, memory and scoring rate."""
    table = Table(
        title=f"Lifetime value, {os.cpu_count()} cores, {platform.machine()}, load before "
        f"{os.getloadavg()[0]:.1f}",
        title_justify="left",
    )
    table.add_column("measured", no_wrap=True)
    for one in measured:
        table.add_column(f"{one.customers:,}", justify="right")

    def row(name: str, text: Any) -> None:
        table.add_row(name, *(text(one.facts) for one in measured))

    def both(facts: dict[str, float], prefix: str, what: str = "seconds") -> float:
        return facts[f"{prefix}bg_nbd_{what}"] + facts[f"{prefix}gamma_gamma_{what}"]

    row("cells", lambda f: f"{f['cells']:,.0f}")
    row("compiling, or loading what was (s)", lambda f: f"{f['compile_seconds']:.2f}")
    for name, label in (("bg_nbd", "BG/NBD"), ("gamma_gamma", "Gamma-Gamma")):
        row(f"{label} (s)", lambda f, n=name: f"{f[f'{n}_seconds']:.3f}")
        row(f"{label}, lifetimes (s)", lambda f, n=name: f"{f[f'lifetimes_{n}_seconds']:.2f}")
        row(
            f"{label}, times faster",
            lambda f, n=name: f"{f[f'lifetimes_{n}_seconds'] / f[f'{n}_seconds']:.0f}",
        )
        row(
            f"{label}, times less CPU",
            lambda f, n=name: f"{f[f'lifetimes_{n}_cpu'] / f[f'{n}_cpu']:.0f}",
        )
        row(f"{label}, log-likelihood gained a customer", lambda f, n=name: f"{f[f'{n}_gain']:.1e}")
        row(f"{label}, memory (MB)", lambda f, n=name: f"{f[f'{n}_bytes'] / 1e6:.0f}")
        row(
            f"{label}, memory, lifetimes (MB)",
            lambda f, n=name: f"{f[f'lifetimes_{n}_bytes'] / 1e6:.0f}",
        )
    row("both, times faster", lambda f: f"{both(f, 'lifetimes_') / both(f, ''):.0f}")
    row(
        "both, times less CPU", lambda f: f"{both(f, 'lifetimes_', 'cpu') / both(f, '', 'cpu'):.0f}"
    )
    row("MBG/NBD (s)", lambda f: f"{f['mbg_nbd_seconds']:.3f}")
    row("Pareto/NBD (s)", lambda f: f"{f['pareto_nbd_seconds']:.2f}")
    alike = len(HORIZONS) + 2
    row(
        f"scoring: {SCORED} figures, with 90 % intervals (s)",
        lambda f: f"{f['score_seconds']:.3f}",
    )
    row(
        f"scoring: {alike} of these figures, no intervals (s)",
        lambda f: f"{f['score_alike_seconds']:.3f}",
    )
    row(
        f"scoring: the same {alike} figures, lifetimes (s)",
        lambda f: f"{f['lifetimes_score_seconds']:.3f}",
    )
    for name, label in (
        ("score", f"{SCORED} figures with intervals against lifetimes' {alike}"),
        ("score_alike", f"the same {alike} figures"),
    ):
        row(
            f"{label}, times faster",
            lambda f, n=name: f"{f['lifetimes_score_seconds'] / f[f'{n}_seconds']:.3g}",
        )
        row(
            f"{label}, times less CPU",
            lambda f, n=name: f"{f['lifetimes_score_cpu'] / f[f'{n}_cpu']:.3g}",
        )
    table.add_row(
        "scoring, customers a CPU second",
        *(f"{one.customers / one.facts['score_cpu']:,.0f}" for one in measured),
    )
    return table


def main(
    customers: Annotated[
        str, typer.Option(help="Numbers of customers, separated by commas.")
    ] = "10000,100000,1000000",
    scored: Annotated[
        int, typer.Option(min=0, help="Customers scored into a Delta table; 0 leaves it out.")
    ] = 10_000_000,
    trained: Annotated[
        int, typer.Option(min=1, help="Customers of a whole training beside it.")
    ] = 1_000_000,
) -> None:
    """Fit and score simulated customers, and let lifetimes do it row by row; then at scale."""
    try:
        sizes = [int(size.replace("_", "")) for size in customers.split(",")]
    except ValueError:
        raise typer.BadParameter(
            f"{customers!r} is not a list of numbers", param_hint="--customers"
        ) from None
    out, err = Console(), Console(stderr=True)
    measured = []
    for size in sizes:
        err.print(f"[dim]… {size:,} customers[/dim]", highlight=False)
        measured.append(measure(size))
    if not out.is_terminal:
        out = Console(width=120)  # a file has no width of its own
    out.print(render(measured))
    if scored:
        from benchmarks.at_scale import measure_at_scale

        err.print(f"[dim]… {scored:,} customers into Delta[/dim]", highlight=False)
        out.print(_at_scale(measure_at_scale(scored, trained), scored, trained))


def _at_scale(facts: dict[str, float], scored: int, trained: int) -> Table:
    table = Table(title="By Spark, from tables into Delta", title_justify="left")
    for name in ("measured", "customers", "seconds"):
        table.add_column(name, no_wrap=True, justify="left" if name == "measured" else "right")
    for name, customers, key in (
        (f"scoring: {SCORED} figures and those of leaving", scored, "score_intervals_False"),
        ("scoring: the same with 90 % intervals", scored, "score_intervals_True"),
        ("training: all candidates, chosen and judged", trained, "train"),
    ):
        table.add_row(name, f"{customers:,}", f"{facts[key]:.1f}")
    return table


if __name__ == "__main__":
    typer.run(main)
