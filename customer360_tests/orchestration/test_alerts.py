"""What people are told by themselves: each thing once, by each way, with what helps."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pyarrow as pa
import pytest
from deltalake import write_deltalake

from customer360.alerts import channels
from customer360.alerts.channels import AlertError
from customer360.alerts.told import FILE, FIRST_LOOK_SECONDS
from customer360.days import DayRange
from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.orchestration.alerts import alerts_sensor, send_due
from customer360.orchestration.failure import failing_in_one_line, told_to_readers
from customer360.orchestration.gold_assets import DAYS_UNCHANGED
from customer360.orchestration.instance import open_instance
from customer360.orchestration.partitions import range_tags
from customer360.settings import Settings, load_settings
from customer360_tests.alerts.servers import Hook, webhook

DAYS = DayRange(date(2026, 11, 18), date(2026, 11, 25))


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "_LONGEST_WAIT", 0.0)


@pytest.fixture
def hook() -> Iterator[Hook]:
    with webhook() as taking:
        yield taking


@pytest.fixture
def settings(tmp_path: Path, hook: Hook) -> Settings:
    return load_settings(tmp_path / "home", alert_webhook_url=hook.url)


@pytest.fixture
def instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    with open_instance(settings) as opened:
        yield opened


def run(instance: dg.DagsterInstance, error: Exception | None = None, warns: str = "") -> str:
    """A run over `DAYS` of one asset, which fails, or whose check ``warns``."""

    @dg.multi_asset(
        name="bronze__shop_orders",
        specs=[dg.AssetSpec(["bronze", "shop_orders"], skippable=True)],
        check_specs=[
            dg.AssetCheckSpec(name, asset=["bronze", "shop_orders"])
            for name in (DAYS_UNCHANGED, "promoted")
        ],
    )
    @failing_in_one_line
    def orders():
        if error is not None:
            raise error
        for name in (DAYS_UNCHANGED, "promoted"):
            yield dg.AssetCheckResult(
                asset_key=["bronze", "shop_orders"],
                check_name=name,
                passed=name != warns,
                severity=dg.AssetCheckSeverity.WARN,
                description="2 snapshots are stale",
            )

    done = dg.materialize([orders], instance=instance, raise_on_error=False, tags=range_tags(DAYS))
    return done.run_id


def test_a_run_that_failed_is_told_once_with_its_command(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance)
    run_id = run(instance, SettingsError("a.csv: Ana Souza is no amount"))
    assert [alert.key for alert in send_due(settings, instance)] == [f"run {run_id}"]
    assert send_due(settings, instance) == []
    # In the words of an error a row may stand, and the webhook is somebody else's.
    assert hook.texts() == [
        "*customer360: a run failed: bronze/shop_orders, 2026-11-18...2026-11-25*\n"
        f"Why: SettingsError, told in full by run {run_id} in Dagster\n"
        f"What helps: customer360 run --home {settings.home}"
    ]


def test_where_rows_are_published_an_error_is_told_in_full(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance, SettingsError("a.csv: Ana Souza is no amount"))
    send_due(settings.model_copy(update={"publish_personal_data": True}), instance)
    assert "Why: a.csv: Ana Souza is no amount\n" in hook.texts()[0]


def test_a_check_that_warns_is_told_where_people_must_know(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance, warns="promoted")
    run(instance, warns=DAYS_UNCHANGED)
    run(instance, warns=DAYS_UNCHANGED)  # the same: once a day is enough
    send_due(settings, instance)
    assert "stale" not in (settings.home / FILE).read_text()  # words of a reason may quote a row
    assert hook.texts() == [
        "*customer360: a check warns: bronze/shop_orders (days_unchanged), "
        "2026-11-18...2026-11-25*\n"
        "Why: 2 snapshots are stale\n"
        "What helps: customer360 run --steps snapshot --as-of &lt;date&gt; "
        f"--home {settings.home}"
    ]


def test_of_all_checks_that_fail_only_what_readers_may_know_is_told(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    names = ("conserved", "unique")

    @dg.asset(check_specs=[dg.AssetCheckSpec(name, asset="orders") for name in names])
    def orders() -> Iterator[dg.MaterializeResult[None]]:
        yield dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(
                    check_name=name,
                    passed=False,
                    description=f"{name}: order O-4711 is astray",
                    metadata=told_to_readers(f"{name}: 1 order is astray"),
                )
                for name in names
            ]
        )

    done = dg.materialize([orders], instance=instance, raise_on_error=False)
    send_due(settings, instance)
    assert {text.splitlines()[1] for text in hook.texts()} == {
        f"Why: {name}: 1 order is astray, told in full by run {done.run_id} in Dagster"
        for name in names
    }
    assert len(hook.texts()) == len(names)


def test_what_nobody_took_is_sent_by_the_next_look(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance, ValueError("x"))
    hook.answers = [500]
    with pytest.raises(AlertError, match="answers 500"):
        send_due(settings, instance)
    hook.answers = [200]
    assert len(send_due(settings, instance)) == 1
    assert send_due(settings, instance) == []


def test_what_failed_before_alerts_were_asked_for_is_not_told(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance, ValueError("x"))
    assert send_due(settings, instance, now=time.time() + FIRST_LOOK_SECONDS + 60) == []


def test_data_that_stop_coming_are_told_once_a_day(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    today = Deployment.of(settings).today()
    table = Path(settings.lakehouse_root, "silver", "transactions")

    def newest(day: date) -> None:
        write_deltalake(table, pa.table({"business_date": pa.array([day])}), mode="overwrite")

    hour, now = 3600, time.time()
    newest(today - timedelta(days=2))
    assert send_due(settings, instance, now) == []
    newest(today - timedelta(days=3))
    assert send_due(settings, instance, now + hour / 2) == []  # tables are looked at once an hour
    (alert,) = send_due(settings, instance, now + hour)
    day = str(today - timedelta(days=3))
    assert (alert.where, alert.day) == ("silver/transactions", day)
    assert hook.texts()[0].startswith(
        f"*customer360: no new data: silver/transactions, {day}*\nWhy: the newest business date is "
        f"{day}, 3 days ago; more than 2 are too many (setting freshness_days)\nWhat helps: custom"
    )
    assert send_due(settings, instance, now + 12 * hour) == []
    assert len(send_due(settings, instance, now + 25 * hour)) == 1
    # A data set that is finished never grows old.
    closed = settings.model_copy(update={"end_date": today - timedelta(days=3)})
    assert send_due(closed, instance, now + 60 * hour) == []


def test_the_sensor_tells_and_says_so(
    settings: Settings, instance: dg.DagsterInstance, hook: Hook
) -> None:
    run(instance, ValueError("x"))
    with dg.build_sensor_context(instance=instance) as context:
        told = alerts_sensor(settings).evaluate_tick(context)
        assert told.skip_message == (
            "customer360: a run failed: bronze/shop_orders, 2026-11-18...2026-11-25"
        )
        quiet = alerts_sensor(load_settings(settings.home)).evaluate_tick(context)
    assert quiet.skip_message == "nobody to tell: set alert_webhook_url or alert_email_to"
    # What is kept is no secret, and nobody's but the owner's.
    kept = settings.home / FILE
    assert "s3cr3t" not in kept.read_text()
    assert kept.stat().st_mode & 0o077 == 0
