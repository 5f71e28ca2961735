"""What the benchmark of the models measures is what it says: simulated customers, counted."""

from __future__ import annotations

import pandas as pd

from benchmarks.models import Measured, cells_of, render, simulate


def test_cells_are_the_counted_histories() -> None:
    rows = simulate(3_000)
    columns = ["frequency", "recency", "T"]
    counted = rows.groupby(columns).size().rename("customers").reset_index()
    found = cells_of(rows).astype("int64")
    pd.testing.assert_frame_equal(found, counted, check_dtype=False)


def test_simulated_customers_are_possible_and_repeatable() -> None:
    rows = simulate(3_000)
    assert (rows["recency"] <= rows["T"]).all()
    assert ((rows["frequency"] == 0) == (rows["monetary_value"] == 0)).all()
    assert (rows.loc[rows["frequency"] == 0, "recency"] == 0).all()
    pd.testing.assert_frame_equal(rows, simulate(3_000))


def test_the_table_states_ratios_of_what_was_measured() -> None:
    facts = {"cells": 5.0, "compile_seconds": 1.0, "score_seconds": 2.0, "score_cpu": 4.0}
    for name in ("bg_nbd", "gamma_gamma", "mbg_nbd", "pareto_nbd"):
        facts |= {f"{name}_seconds": 2.0, f"{name}_cpu": 1.0, f"{name}_gain": 0.0}
        facts |= {f"{name}_bytes": 0.0, f"lifetimes_{name}_bytes": 0.0}
        facts |= {f"lifetimes_{name}_seconds": 50.0, f"lifetimes_{name}_cpu": 70.0}
    facts |= {"lifetimes_score_seconds": 1.0, "lifetimes_score_cpu": 3.0}
    facts |= {"score_alike_seconds": 0.5, "score_alike_cpu": 0.25}
    table = render([Measured(8_000, facts)])
    found = dict(zip(table.columns[0].cells, table.columns[1].cells, strict=True))
    assert found["BG/NBD, times faster"] == "25"
    assert found["both, times less CPU"] == "70"
    # The two do not make the same: the rows say what each does.
    assert found["scoring: 12 figures, with 90 % intervals (s)"] == "2.000"
    assert found["scoring: 6 of these figures, no intervals (s)"] == "0.500"
    assert found["scoring: the same 6 figures, lifetimes (s)"] == "1.000"
    assert found["12 figures with intervals against lifetimes' 6, times faster"] == "0.5"
    assert found["12 figures with intervals against lifetimes' 6, times less CPU"] == "0.75"
    assert found["the same 6 figures, times faster"] == "2"
    assert found["the same 6 figures, times less CPU"] == "12"
    assert found["scoring, customers a CPU second"] == "2,000"
