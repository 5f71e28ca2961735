"""The sensor that starts a run when files of the `files` source arrive or change."""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from customer360.errors import BrokenFileError
from customer360.orchestration import new_files
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


def evaluate(
    settings: Settings, cursor: str | None, loaded: str | None = None
) -> tuple[list[dg.RunRequest], str | None]:
    """Run requests of one evaluation and its cursor, where a run of that key has succeeded."""
    definitions = build_definitions(settings)
    with dg.DagsterInstance.local_temp() as instance:
        if loaded is not None:
            instance.handle_new_event(_success_of(started(instance, loaded)))
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
    assert evaluate(shop, cursor, loaded=request.run_key) == ([], cursor)

    assert shop.files_path is not None
    (shop.files_path / "february.csv").write_text("id,who,at,paid\n2,bob,2024-02-10,9.00\n")
    (later,), after = evaluate(shop, cursor)
    assert later.tags["dagster/asset_partition_range_end"] == "2024-02-10"
    assert later.run_key != request.run_key
    assert after != cursor


def test_other_sources_have_nothing_to_watch(tmp_path: Path) -> None:
    requests, _ = evaluate(load_settings(tmp_path), None)
    assert requests == []


@pytest.fixture
def instance() -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp() as instance:
        yield instance


def look(
    settings: Settings, instance: dg.DagsterInstance, cursor: str | None
) -> tuple[list[str | None], str | None, str]:
    """Run keys asked for at one look, the cursor it leaves, and what it says where it asks not."""
    sensor = build_definitions(settings).get_repository_def().get_sensor_def("new_files")
    tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance, cursor=cursor))
    keys = [request.run_key for request in tick.run_requests or []]
    return keys, tick.cursor, tick.skip_message or ""


def started(instance: dg.DagsterInstance, key: str | None, **tags: str) -> dg.DagsterRun:
    """The run that Dagster's daemon starts for a request of this key."""
    run = dg.DagsterRun(
        job_name=NIGHTLY,
        run_id=str(uuid.uuid4()),
        status=dg.DagsterRunStatus.STARTED,
        tags={"dagster/run_key": str(key), **tags},
    )
    instance.add_run(run)
    return run


def test_a_load_that_failed_is_asked_for_again_until_it_succeeds(
    shop: Settings, instance: dg.DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,), cursor, _ = look(shop, instance, None)
    run = started(instance, first)
    keys, cursor, said = look(shop, instance, cursor)
    assert (keys, said) == ([], f"run {run.run_id} loads the files")

    instance.report_run_failed(run)
    keys, cursor, said = look(shop, instance, cursor)
    assert (keys, said.partition(";")[0]) == ([], f"run {run.run_id} failed to load the files")
    monkeypatch.setattr(new_files, "WAITS", (0, 3600))
    (second,), cursor, _ = look(shop, instance, cursor)
    assert second == f"{first} 2"

    # The second failure is waited for longer.
    again = started(instance, second)
    instance.report_run_failed(again)
    assert look(shop, instance, cursor)[0] == []
    monkeypatch.setattr(new_files, "WAITS", (0,))
    (third,), cursor, _ = look(shop, instance, cursor)
    succeeded = started(instance, third)
    instance.handle_new_event(_success_of(succeeded))
    assert look(shop, instance, cursor) == ([], cursor, "no new files")


def _success_of(run: dg.DagsterRun) -> dg.EventLogEntry:
    return dg.EventLogEntry(
        error_info=None,
        level=20,
        user_message="",
        run_id=run.run_id,
        timestamp=time.time(),
        job_name=run.job_name,
        dagster_event=dg.DagsterEvent("PIPELINE_SUCCESS", run.job_name),
    )


def test_a_load_that_a_person_cancelled_is_theirs(
    shop: Settings, instance: dg.DagsterInstance
) -> None:
    (key,), cursor, _ = look(shop, instance, None)
    instance.report_run_canceled(started(instance, key))
    keys, _, said = look(shop, instance, cursor)
    assert keys == []
    assert said.endswith("was to load the files and was cancelled: load them by hand")


def test_files_that_change_after_a_failure_are_asked_for_at_once(
    shop: Settings, instance: dg.DagsterInstance
) -> None:
    (key,), cursor, _ = look(shop, instance, None)
    instance.report_run_failed(started(instance, key))
    assert shop.files_path is not None
    (shop.files_path / "january.csv").write_text("id,who,at,paid\n1,ann,2024-01-05,4.50\n")
    (other,), _, _ = look(shop, instance, cursor)
    assert other is not None
    assert other.split()[1] != str(key).split()[1]


@pytest.mark.parametrize(
    ("trouble", "said"),
    [
        ("vanished", "found no such file"),
        ("broken", "january.csv: expected a CSV file, found binary"),
    ],
)
def test_files_that_cannot_be_read_fail_the_look(
    shop: Settings, instance: dg.DagsterInstance, trouble: str, said: str
) -> None:
    """Dagster shows a failed look in red, and alerts can be set on it; a skip is grey."""
    assert shop.files_path is not None
    file = shop.files_path / "january.csv"
    file.unlink() if trouble == "vanished" else file.write_bytes(b"\x00" * 40)
    with pytest.raises(BrokenFileError, match=said):
        look(shop, instance, None)


def test_a_cursor_of_an_older_release_is_understood(
    shop: Settings, instance: dg.DagsterInstance
) -> None:
    (key,), cursor, _ = look(shop, instance, None)
    files = json.loads(cursor or "")["files"]
    instance.handle_new_event(_success_of(started(instance, key)))
    assert look(shop, instance, files)[0] == []


def test_a_load_that_dagster_knows_nothing_of_is_asked_for_again(
    shop: Settings, instance: dg.DagsterInstance
) -> None:
    (key,), cursor, _ = look(shop, instance, None)
    lost = started(instance, key)
    instance.handle_new_event(_success_of(lost))
    assert look(shop, instance, cursor)[0] == []
    instance.delete_run(lost.run_id)
    keys, cursor, _ = look(shop, instance, cursor)
    assert keys == [key]

    # A later load of other days is none of these files; one of all their days is.
    days = {"dagster/asset_partition_range_start": "2024-01-01"}
    end = "dagster/asset_partition_range_end"
    instance.handle_new_event(
        _success_of(started(instance, "by hand", **days, **{end: "2024-01-04"}))
    )
    assert look(shop, instance, cursor)[0] == [key]
    instance.handle_new_event(
        _success_of(started(instance, "by hand", **days, **{end: "2024-01-06"}))
    )
    assert look(shop, instance, cursor) == ([], cursor, "no new files")
