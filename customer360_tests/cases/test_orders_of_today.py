"""Files with orders of today, whose day is not over: what a run plans, says and refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.orchestration.run import Plan
from customer360.settings import load_settings
from customer360_tests.deployments import customer360

MAPPING = """
name: van
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
columns: {order_id: nr, customer_id: who, occurred_at: day, amount: sum}
"""
TODAY = datetime.now(UTC).date()


def ago(days: int) -> date:
    return TODAY - timedelta(days=days)


def deployment(
    folder: Path, *days: date, mapping: str = MAPPING, start: date | None = None
) -> Deployment:
    (folder / "raw").mkdir(exist_ok=True)
    (folder / "van.yaml").write_text(mapping)
    rows = "".join(f"{n},ann,{day},1.00\n" for n, day in enumerate(days))
    (folder / "raw" / "van.csv").write_text(f"nr,who,day,sum\n{rows}")
    settings = load_settings(
        folder,
        sources=["files"],
        files_mapping=[str(folder / "van.yaml")],
        files_path=folder / "raw",
        start_date=start or min(days),
    )
    return Deployment.of(settings)


def test_a_run_ends_with_yesterday(tmp_path: Path) -> None:
    for newest in (TODAY, TODAY + timedelta(days=1), TODAY + timedelta(days=40)):
        plan = Plan.of(deployment(tmp_path, ago(3), ago(1), newest))
        assert (plan.days.first, plan.days.last) == (ago(3), ago(1))
        assert plan.as_of == (ago(1),)


def test_a_run_ends_with_the_last_order_before(tmp_path: Path) -> None:
    plan = Plan.of(deployment(tmp_path, ago(9), ago(4)))
    assert (plan.days.last, plan.as_of) == (ago(4), (ago(4),))


def test_a_refusal_names_the_day_to_write(tmp_path: Path) -> None:
    shop = deployment(tmp_path, ago(3), TODAY)
    with pytest.raises(SettingsError) as refused:
        Plan.of(shop, last=TODAY)
    assert str(refused.value).startswith(
        f"{TODAY} is not over yet, and days are loaded when they are whole: write --to {ago(1)}; "
    )
    with pytest.raises(SettingsError, match=f"write --as-of {ago(1)}"):
        Plan.of(shop, as_of=[TODAY])


def test_nothing_but_orders_of_today(tmp_path: Path) -> None:
    with pytest.raises(SettingsError) as refused:
        Plan.of(deployment(tmp_path, TODAY, start=ago(5)))
    assert str(refused.value) == (
        f"the sources hold nothing before {TODAY}, and that day is not over: days are loaded when "
        "they are whole; run it again when it is"
    )


@pytest.mark.parametrize("closed", [True, False])
def test_what_is_refused_is_not_remembered(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    closed: bool,
) -> None:
    stated = MAPPING + ("closed: true\n" if closed else "")
    deployment(tmp_path, ago(3), ago(1), TODAY, mapping=stated)
    home = tmp_path / "home"
    said = customer360(
        capsys, monkeypatch, "run", "--source", "files", "--mapping", tmp_path / "van.yaml",
        "--path", tmp_path / "raw", "--to", TODAY, "--steps", "etl", "--home", home,
    )  # fmt: skip
    assert said.code == 1
    (line,) = said.error_lines
    assert f"write --to {ago(1)}" in line
    assert "customer360.yaml" not in line
    assert not (home / "customer360.yaml").exists()
