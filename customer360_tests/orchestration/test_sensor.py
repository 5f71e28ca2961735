"""The sensor that starts a run when files of the `files` source arrive or change."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
import pytest

from customer360.orchestration.build import build_definitions
from customer360.orchestration.jobs import NIGHTLY
from customer360.settings import Settings, load_settings

MAPPING = """
name: shop
time_zone: UTC
currency: USD
grain: orders
files: "*.csv"
date_format: "yyyy-MM-dd"
columns: {order_id: id, customer_id: who, occurred_at: at, amount: paid}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Settings:
    """A deployment over a folder with one CSV file."""
    (tmp_path / "shop.yaml").write_text(MAPPING)
    files = tmp_path / "files"
    files.mkdir()
    (files / "january.csv").write_text("id,who,at,paid\n1,ann,2024-01-05,3.50\n")
    return load_settings(
        tmp_path,
        sources=["files"],
        files_mapping=[str(tmp_path / "shop.yaml")],
        files_path=files,
        start_date="2024-01-01",
    )


def evaluate(settings: Settings, cursor: str | None) -> tuple[list[dg.RunRequest], str | None]:
    """Run requests of one evaluation and the cursor it leaves."""
    definitions = build_definitions(settings)
    with dg.DagsterInstance.local_temp() as instance:
        # Inside: Dagster asks the newest instance there was for state, even one that is gone.
        sensor = definitions.get_repository_def().get_sensor_def("new_files")
        context = dg.build_sensor_context(instance=instance, cursor=cursor)
        found = sensor.evaluate_tick(context)
    return list(found.run_requests or []), found.cursor


def test_new_files_ask_for_one_run_over_their_days(shop: Settings) -> None:
    (request,), cursor = evaluate(shop, None)
    assert request.tags["dagster/asset_partition_range_start"] == "2024-01-05"
    assert request.tags["dagster/asset_partition_range_end"] == "2024-01-05"
    assert request.job_name in (None, NIGHTLY)

    # Nothing new: no run.
    assert evaluate(shop, cursor) == ([], cursor)

    assert shop.files_path is not None
    (shop.files_path / "february.csv").write_text("id,who,at,paid\n2,bob,2024-02-10,9.00\n")
    (later,), after = evaluate(shop, cursor)
    assert later.tags["dagster/asset_partition_range_end"] == "2024-02-10"
    assert later.run_key != request.run_key
    assert after != cursor


def test_other_sources_have_nothing_to_watch(tmp_path: Path) -> None:
    requests, _ = evaluate(load_settings(tmp_path), None)
    assert requests == []
