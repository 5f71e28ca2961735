"""The print of a source's definition: what changes it, and that a release does not."""

from __future__ import annotations

from pathlib import Path

import pytest

from customer360.deployment import Deployment
from customer360.pipeline.definitions import print_of
from customer360.settings import load_settings
from customer360.sources.base import Source
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping

MAPPING = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
columns: {order_id: Receipt, customer_id: Who, occurred_at: Day, amount: Total,
          loyalty_tier: Card, marketing_consent: Mail, birth_date: Born, email: Mail2}
"""


def mapped(text: str = MAPPING) -> FilesSource:
    return FilesSource(parse_mapping(text, where="bakery.yaml"), Path("anywhere"))


def shipped(folder: Path, name: str) -> Source:
    return Deployment.of(load_settings(folder, sources=[name])).sources[0]


def test_prints_are_those_that_homes_have_noted(tmp_path: Path) -> None:
    """As of the release that masks personal texts: with other ones every home is made again."""
    noted = "d0431778874860f327dd9f95c65d92139589889c53dda744a66acf5a95170ebb"
    assert print_of(mapped(), "UTC") == noted
    assert print_of(shipped(tmp_path, "synthetic"), "UTC") == (
        "1f3a119c942b804575fb530a239fcb94cc340a6587ae69c7320dbb6d3b1ff33d"
    )
    assert print_of(shipped(tmp_path, "cdnow"), "UTC") == (
        "cda35b8f61ab0804c0bc37b1deccdfeb0ccb1dc11ea168a120a31b9300a8f0e9"
    )


@pytest.mark.parametrize(
    "change",
    [
        ("amount: Total", "amount: Sum"),
        ("currency: EUR", "currency: USD"),
        ("columns:", "exclude: [{column: Who, equals: test, reason: test}]\ncolumns:"),
        ("loyalty_tier: Card, ", ""),
    ],
)
def test_another_meaning_of_a_row_is_another_print(change: tuple[str, str]) -> None:
    assert print_of(mapped(MAPPING.replace(*change)), "UTC") != print_of(mapped(), "UTC")


def test_another_zone_is_another_print_and_another_description_is_none() -> None:
    assert print_of(mapped(), "America/Sao_Paulo") != print_of(mapped(), "UTC")
    described = MAPPING + "description: Receipts of the tills.\n"
    assert print_of(mapped(described), "UTC") == print_of(mapped(), "UTC")
