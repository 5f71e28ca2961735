"""Lists and reports go when they are as old as the settings let them be."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from customer360.errors import SettingsError
from customer360.pipeline.elsewhere import ELSEWHERE
from customer360.pipeline.retention import remove_expired
from customer360.privacy.journal import reports_folder
from customer360.settings import load_settings

DAY = 86_400
NOW = 1_000 * DAY


def written(file: Path, days_ago: int) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("ana@example.com")
    os.utime(file, (NOW - days_ago * DAY, NOW - days_ago * DAY))
    return file


def test_what_is_older_goes_and_the_ledger_stays(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, retention_days={"exports": 30})
    old = written(tmp_path / "exports" / "2024-01-31" / "whales.csv", 31)
    written(tmp_path / "exports" / "2024-01-31" / "whales.manifest.json", 31)
    new = written(tmp_path / "exports" / "2023-12-31" / "whales.csv", 29)
    ledger = written(tmp_path / "exports" / ELSEWHERE, 400)
    report = written(tmp_path / "reports" / "exploration-2020-01-01.html", 400)
    assert remove_expired(settings, now=NOW) == {"exports": 2}
    assert not old.parent.exists()
    assert new.exists()
    assert ledger.exists()
    assert report.exists(), "nothing was said of reports"
    assert remove_expired(settings, now=NOW) == {"exports": 0}


def test_all_is_kept_unless_it_is_said(tmp_path: Path) -> None:
    written(tmp_path / "exports" / "2024-01-31" / "whales.csv", 4_000)
    assert remove_expired(load_settings(tmp_path), now=NOW) == {}
    everything = load_settings(tmp_path, retention_days={"exports": 1, "reports": 1})
    assert remove_expired(everything, now=NOW) == {"exports": 1, "reports": 0}


def test_reports_about_people_have_a_time_of_their_own(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, retention_days={"privacy/reports": 90})
    old = written(reports_folder(settings) / "aaaa-2024-01-31.json", 91)
    new = written(reports_folder(settings) / "bbbb-2024-02-01.html", 89)
    audit = written(tmp_path / "privacy" / "audit.jsonl", 400)
    page = written(tmp_path / "reports" / "exploration-2020-01-01.html", 400)
    assert remove_expired(settings, now=NOW) == {"privacy/reports": 1}
    assert [file.exists() for file in (old, new, audit, page)] == [False, True, True, True]


@pytest.mark.parametrize("days", [{"bronze": 0}, {"exports": 0}, {"reports": -1}])
def test_what_cannot_be_kept_so_is_refused(tmp_path: Path, days: dict[str, int]) -> None:
    with pytest.raises(SettingsError, match="retention_days"):
        load_settings(tmp_path, retention_days=days)
