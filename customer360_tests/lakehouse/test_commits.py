"""Who listens hears of each write: before it, and after it where it was done."""

from __future__ import annotations

import pytest

from customer360.lakehouse.commits import Moment, committing, listening


def test_a_write_is_told_before_and_after() -> None:
    heard: list[tuple[Moment, str]] = []
    with listening(lambda *told: heard.append(told)):
        with committing("silver/customers"):
            assert heard == [(Moment.BEFORE, "silver/customers")]
        with pytest.raises(OSError, match="full"), committing("gold/forecast"):
            raise OSError("the disk is full")
    with committing("gold/rfm_segments"):
        pass  # nobody listens any more
    assert heard == [
        (Moment.BEFORE, "silver/customers"),
        (Moment.AFTER, "silver/customers"),
        (Moment.BEFORE, "gold/forecast"),
    ]
