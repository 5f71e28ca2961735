"""What a dashboard elsewhere learns of the deployment from its warehouse."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest

from customer360.deployment import Deployment
from customer360.pipeline import publish
from customer360.pipeline.workspace import Workspace
from customer360.serving.measured_campaign import measured_campaign
from customer360.serving.shared_settings import SHARED, shared_facts, with_shared
from customer360.serving.warehouse import Warehouse
from customer360.settings import load_settings, write_whole


@pytest.mark.parametrize(
    "given",
    [
        {},
        {
            "churn_contact_cost": 2.5,
            "churn_success_rate": 0.2,
            "churn_margin": 0.4,
            "contact_pause_days": 0,
            "contact_control_share": 0.25,
            "revenue_horizon_days": 182,
            "export_never_asked": True,
            "default_country": "BR",
            "freshness_days": 9,
            "end_date": date(2024, 12, 31),
        },
    ],
)
def test_a_dashboard_elsewhere_goes_by_the_settings_of_the_deployment(
    tmp_path: Path, given: dict[str, object]
) -> None:
    deployment = load_settings(tmp_path / "home", **given)
    dashboard = load_settings(
        tmp_path / "elsewhere", contact_pause_days=77, default_country="US", end_date="2020-01-01"
    )
    found = with_shared(dashboard, shared_facts(deployment))
    for name in SHARED:
        assert getattr(found, name) == getattr(deployment, name), name
    assert given.keys() <= set(SHARED)
    # So both keep a control group off the list for as long.
    assert found.contact_control_days == deployment.contact_control_days
    assert found.home == dashboard.home


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The facts that are published, in place of a warehouse's."""
    facts: dict[str, str] = {}
    monkeypatch.setattr(publish, "snapshot_dates", lambda *given: [])
    monkeypatch.setattr(
        publish, "publish_rows", lambda owner, table, rows, origin: facts.update(rows)
    )
    return facts


def test_the_shared_settings_are_among_the_published_facts(
    tmp_path: Path, published: dict[str, str]
) -> None:
    settings = load_settings(tmp_path, contact_pause_days=12)
    work = SimpleNamespace(deployment=Deployment.of(settings), run_id="run")
    publish.publish_deployment(cast(Workspace, work), cast(Warehouse, SimpleNamespace(owner=None)))
    assert shared_facts(settings).items() <= published.items()
    assert published["contact_pause_days"] == "12"


def test_a_campaign_that_was_measured_is_told_where_there_is_no_home(
    tmp_path: Path, published: dict[str, str]
) -> None:
    home, elsewhere = load_settings(tmp_path / "home"), load_settings(tmp_path / "elsewhere")
    work = cast(Workspace, SimpleNamespace(deployment=Deployment.of(home), run_id="run"))
    warehouse = cast(Warehouse, SimpleNamespace(owner=None))
    publish.publish_deployment(work, warehouse)
    assert measured_campaign(elsewhere, published) is None
    # What an older release published does not say.
    assert measured_campaign(elsewhere, {}) is None
    write_whole(home.uplift_file, json.dumps({"success_rate": 0.05}, indent=2) + "\n")
    # Who has the file need not wait for the next publish.
    assert measured_campaign(home, published) == {"success_rate": 0.05}
    publish.publish_deployment(work, warehouse)
    assert measured_campaign(elsewhere, published) == {"success_rate": 0.05}


def test_what_a_warehouse_does_not_state_or_cannot_mean_is_the_dashboard_s(tmp_path: Path) -> None:
    dashboard = load_settings(tmp_path, contact_pause_days=77, churn_margin=0.4, freshness_days=5)
    facts = {"churn_margin": "much", "freshness_days": "0", "contact_control_share": ""}
    assert with_shared(dashboard, facts) == dashboard


def test_who_may_see_personal_data_is_for_each_dashboard_to_say(tmp_path: Path) -> None:
    open_ = load_settings(tmp_path / "home", dashboard_personal_data=True)
    assert "dashboard_personal_data" not in shared_facts(open_)
    facts = shared_facts(open_) | {"dashboard_personal_data": "True"}
    assert not with_shared(load_settings(tmp_path / "there"), facts).dashboard_personal_data
