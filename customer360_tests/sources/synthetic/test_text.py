"""Numbers to text without formatting them one by one."""

from datetime import date

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from customer360.sources.synthetic import text


@given(st.lists(st.integers(0, 10**12 - 1), max_size=50))
def test_identifiers_are_the_zero_padded_numbers(numbers):
    column = text.identifiers("O", np.array(numbers, dtype=np.uint64), 3)
    assert column.to_pylist() == [f"O{number:012d}" for number in numbers]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=50))
def test_money_reads_as_its_cents(cents):
    column = text.money(np.array(cents, dtype=np.uint32))
    assert column.to_pylist() == [f"{c // 100}.{c % 100:02d}" for c in cents]


def test_times_count_from_the_first_day_of_the_table():
    table = text.day_bytes(date(2024, 2, 28), 3)
    column = text.times(table, np.array([0, 86_399, 86_400, 2 * 86_400 + 3_661]))
    assert column.to_pylist() == [
        "2024-02-28 00:00:00",
        "2024-02-28 23:59:59",
        "2024-02-29 00:00:00",
        "2024-03-01 01:01:01",
    ]


def test_strings_are_null_where_not_valid():
    matrix = np.frombuffer(b"abcdef", dtype=np.uint8).reshape(3, 2)
    column = text.strings(matrix, np.array([True, False, True]))
    assert column.to_pylist() == ["ab", None, "ef"]
    column.validate(full=True)


def test_patched_replaces_only_the_positions_given():
    column = text.patched(pa.array(["a", "b", "c"]), np.array([0, 2]), ["A", None])
    assert column.to_pylist() == ["A", "b", None]


def test_hashes_are_the_same_everywhere_and_differ_by_seed_and_salt():
    numbers = np.array([1, 2, 3])
    base = text.hashed(numbers, seed=42, salt=0)
    assert base.tolist() == text.hashed(numbers.astype(np.uint32), seed=42, salt=0).tolist()
    assert len({*base.tolist(), *text.hashed(numbers, 43, 0).tolist()}) == 6
    assert len({*base.tolist(), *text.hashed(numbers, 42, 1).tolist()}) == 6


def test_hashes_choose_each_of_ten_about_equally_often():
    chosen = text.chosen(text.hashed(np.arange(100_000), seed=1, salt=7), 10)
    counts = np.bincount(chosen, minlength=10)
    # 10,000 each, standard deviation 95: five of them are never left by chance.
    assert abs(counts - 10_000).max() < 475
