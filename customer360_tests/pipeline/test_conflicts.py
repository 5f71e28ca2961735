"""When conflicts stop a load: what the mapping says, else by their share of money and rows."""

from __future__ import annotations

from decimal import Decimal

import pytest

from customer360.limits import Limits
from customer360.pipeline.conflicts import too_many
from customer360.silver.transactions import CONFLICTING_ROWS, Accounting
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

MAPPING = """
name: kiosk
time_zone: UTC
currency: EUR
grain: orders
columns: {order_id: nr, occurred_at: at, amount: sum}
"""

LIMITS = Limits(rows=0.05, money=0.05, tolerance=5)


def account(rows: int, conflicts: int, money: int, torn: int) -> Accounting:
    return Accounting(
        rows_in=rows,
        kept=rows - conflicts,
        duplicates=0,
        excluded={CONFLICTING_ROWS: conflicts} if conflicts else {},
        money=Decimal(money),
        money_in_conflict=Decimal(torn),
    )


@pytest.mark.parametrize(
    ("found", "stops"),
    [
        (account(1000, 0, 1000, 0), False),
        (account(1000, 4, 1000, 4), False),
        (account(1000, 60, 1000, 10), True),  # many rows of little money
        (account(20, 4, 1000, 10), False),  # few rows are no share to speak of
        (account(1000, 2, 1000, 51), True),  # two rows of much money
        (account(4, 2, 0, 0), False),
    ],
)
def test_conflicts_stop_a_load_by_their_share(found: Accounting, stops: bool) -> None:
    source = FilesSource(parse_mapping(MAPPING, where="kiosk.yaml"))
    assert too_many(source, found, LIMITS) is stops


def test_what_the_mapping_says_goes_first() -> None:
    for says, stops in (("quarantine", False), ("stop", True)):
        text = f"{MAPPING}conflicts: {says}\n"
        source = FilesSource(parse_mapping(text, where="kiosk.yaml"))
        for found in (account(4, 4, 10, 10), account(1000, 2, 1000, 1)):
            assert too_many(source, found, LIMITS) is stops
        assert not too_many(source, account(4, 0, 10, 0), LIMITS)
