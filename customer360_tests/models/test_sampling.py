"""Every n-th row: never more than asked for, the order and the shares kept."""

from __future__ import annotations

import pandas as pd
from hypothesis import given
from hypothesis import strategies as st

from customer360.models.sampling import every_nth


def test_few_rows_are_all_taken() -> None:
    rows = pd.DataFrame({"a": range(5)})
    assert every_nth(rows, 5)["a"].tolist() == [0, 1, 2, 3, 4]
    assert every_nth(rows, 4)["a"].tolist() == [0, 2, 4]
    assert len(every_nth(rows.head(0), 4)) == 0


@given(st.integers(0, 500), st.integers(1, 60))
def test_never_more_than_asked_and_never_less_than_half(count: int, most: int) -> None:
    taken = len(every_nth(pd.DataFrame({"a": range(count)}), most))
    assert min(count, most) / 2 <= taken <= most
