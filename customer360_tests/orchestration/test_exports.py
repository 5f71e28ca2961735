"""The campaign lists as a run leaves them."""

from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from customer360.serving.campaigns import CAMPAIGN_LISTS
from customer360.serving.warehouse import open_warehouse
from customer360_tests.deployments import Home, metadata_by_partition

NAMES = [campaign.name for campaign in CAMPAIGN_LISTS]
DAY = "2024-03-30"


@pytest.mark.parametrize("name", NAMES)
def test_a_run_leaves_lists_of_who_agreed_by_key_alone(demo: Home, name: str) -> None:
    folder = demo.folder / "exports" / DAY
    manifest = json.loads((folder / f"{name}.manifest.json").read_text())
    rows = pq.read_table(folder / f"{name}.parquet").to_pylist()
    assert len(rows) == manifest["rows"] > 0
    consent = {row["customer_key"]: row["marketing_consent"] for row in customers(demo)}
    assert all(consent[row["customer_key"]] is True for row in rows)
    assert manifest["contacts"] == "none"
    assert not {"name", "email", "phone"} & set(manifest["columns"])
    # Whoever is on the list and not in the file is counted.
    assert manifest["left_out"]["refused"] + manifest["left_out"]["never_asked"] > 0


def test_the_mart_holds_the_same_lists(demo: Home) -> None:
    query = "SELECT campaign, customer_key FROM marts.campaign_lists ORDER BY campaign, rank"
    with open_warehouse(demo.settings).reader.connect() as reader:
        in_mart = reader.execute(query).fetchall()
    folder = demo.folder / "exports" / DAY
    assert in_mart == [
        (name, key)
        for name in sorted(NAMES)
        for key in pq.read_table(folder / f"{name}.parquet")["customer_key"].to_pylist()
    ]


def test_a_list_is_shown_with_its_own_day_alone(demo: Home) -> None:
    with demo.instance() as instance:
        found = metadata_by_partition(instance, "exports/whales")
    assert [day for day in found if "left_out" in found[day]] == [DAY]
    manifest = json.loads((demo.folder / "exports" / DAY / "whales.manifest.json").read_text())
    shown = found[DAY]
    assert shown["dagster/partition_row_count"] == manifest["rows"]
    assert f"| refused | {manifest['left_out']['refused']:,} |" in shown["left_out"]
    assert (shown["as_of"], shown["contacts"]) == (DAY, "none")
    assert shown["manifest"].endswith(f"exports/{DAY}/whales.manifest.json")


def customers(demo: Home) -> list[dict[str, object]]:
    return demo.rows("silver/customers")
