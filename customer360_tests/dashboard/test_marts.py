"""The marts that the tests make by hand are those of dbt."""

from __future__ import annotations

import pandas as pd
import pytest

from customer360.dashboard.connection import Reader
from customer360.serving.warehouse import reader_login
from customer360_tests.dashboard import shop

MARTS = ("customer_360", "segment_summary", "cohort_retention", "revenue_kpis")


@pytest.mark.integration
def test_marts_by_hand_are_those_of_dbt(reader: Reader, tmp_path_factory) -> None:
    settings = shop.home(tmp_path_factory.mktemp("by-dbt"))
    shop.remake_marts(settings)
    login = reader_login(settings)
    assert login is not None
    theirs = Reader(login)
    for mart in MARTS:
        with reader.reading() as left, theirs.reading() as right:
            ours = left.frame(f"SELECT * FROM marts.{mart}")
            made = right.frame(f"SELECT * FROM marts.{mart}")
        assert set(ours.columns) <= set(made.columns)
        order = [name for name in ("as_of", "customer_key", "segment") if name in ours]
        order += [
            name for name in ("cohort", "months_since_first", "business_date") if name in ours
        ]
        pd.testing.assert_frame_equal(
            ours.sort_values(order, ignore_index=True),
            made[list(ours.columns)].sort_values(order, ignore_index=True),
            check_dtype=False,
        )
    theirs.close()
