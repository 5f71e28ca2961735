"""Two runs, one home: who writes it is named, whoever else would is refused or waits."""

from __future__ import annotations

import json
import os
import socket
import stat
import subprocess
import sys
import threading
from pathlib import Path

import dagster as dg
import psutil
import pytest

from customer360.home_lock import (
    LOCK_FILE,
    NOTE_FILE,
    HomeBusyError,
    Writer,
    refuse_if_written,
    writer_of,
    writing,
)
from customer360.orchestration.failure import first_failure
from customer360.orchestration.resources import SparkResource
from customer360.settings import load_settings
from customer360_tests.deployments import customer360
from customer360_tests.held_home import HOLD, holder


def let_go_after(process: subprocess.Popen[str], seconds: float) -> None:
    assert process.stdin is not None
    threading.Timer(seconds, process.stdin.close).start()


def test_a_second_run_is_refused_with_the_name_of_the_first(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    with holder(tmp_path) as other:
        for arguments in (["run", "--source", "cdnow"], ["train"], ["generate"]):
            said = customer360(capsys, monkeypatch, *arguments, "--home", tmp_path)
            assert said.code == 1
            (line,) = said.error_lines
            assert f"{tmp_path} is being written by customer360 run (process {other.pid}" in line
        # The refused run has left no choice of its own.
        assert {file.name for file in tmp_path.iterdir()} == {LOCK_FILE, NOTE_FILE, "tmp"}
        # Who only reads is not kept out.
        said = customer360(capsys, monkeypatch, "warehouse", "status", "--home", tmp_path)
        assert said.code == 0, said.err


def test_a_killed_writer_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    with holder(tmp_path) as other:
        other.kill()
        other.wait()
    assert (tmp_path / NOTE_FILE).exists()
    assert writer_of(tmp_path) is None
    refuse_if_written(tmp_path)
    with writing(tmp_path, "customer360 train"):
        found = writer_of(tmp_path)
        assert found is not None
        assert (found.what, found.pid) == ("customer360 train", os.getpid())
    assert not (tmp_path / NOTE_FILE).exists()


@pytest.mark.parametrize(
    ("pid", "process_started", "named"),
    [
        pytest.param(os.getpid(), psutil.Process().create_time(), True, id="alive"),
        pytest.param(os.getpid(), psutil.Process().create_time() - 60, False, id="number-reused"),
        # No process has this number: Linux and macOS end far below it.
        pytest.param(2**31 - 1, 0.0, False, id="machine-restarted"),
    ],
)
def test_only_the_process_that_wrote_the_note_is_named(
    tmp_path: Path, pid: int, process_started: float, named: bool
) -> None:
    note = {"what": "customer360 run", "pid": pid, "process_started": process_started}
    here = {"since": process_started, "host": socket.gethostname()}
    (tmp_path / NOTE_FILE).write_text(json.dumps(note | here))
    assert (writer_of(tmp_path) is not None) is named


def test_a_writer_on_another_host_is_believed_and_its_host_named(tmp_path: Path) -> None:
    elsewhere = Writer("customer360 run", 2**31 - 1, 0.0, 0.0, "another-host")
    assert elsewhere.is_alive()
    assert "process 2147483647 on another-host, since 19" in elsewhere.shown


def test_a_broken_note_names_nobody_and_stops_nobody(tmp_path: Path) -> None:
    (tmp_path / NOTE_FILE).write_text("{")
    assert writer_of(tmp_path) is None
    with holder(tmp_path):
        (tmp_path / NOTE_FILE).write_text("[]")
        with pytest.raises(HomeBusyError, match="is being written by another process; "):
            refuse_if_written(tmp_path)
    with writing(tmp_path, "customer360 run"):
        assert writer_of(tmp_path) is not None


def test_one_process_takes_its_home_again_and_lets_it_go_once(tmp_path: Path) -> None:
    with writing(tmp_path, "customer360 run"):
        with writing(tmp_path, "Dagster's run 1234abcd"):
            refuse_if_written(tmp_path)
        found = writer_of(tmp_path)
        assert found is not None
        assert found.what == "customer360 run"
        second = subprocess.run(
            [sys.executable, "-c", HOLD, str(tmp_path)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert f"is being written by customer360 run (process {os.getpid()}" in second.stderr
    with holder(tmp_path):
        pass


def test_only_the_owner_may_read_who_writes(tmp_path: Path) -> None:
    with writing(tmp_path / "home", "customer360 run"):
        for name in (LOCK_FILE, NOTE_FILE):
            assert stat.S_IMODE((tmp_path / "home" / name).stat().st_mode) == 0o600, name


def test_nothing_is_made_to_look_for_a_writer(tmp_path: Path) -> None:
    refuse_if_written(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_who_waits_says_for_whom_and_gives_up_in_time(tmp_path: Path) -> None:
    told: list[str] = []
    with (
        holder(tmp_path) as other,
        pytest.raises(HomeBusyError, match=r"still after 1 s; run this again"),
        writing(tmp_path, "customer360 run", wait_seconds=1, tell=told.append),
    ):
        pass
    (line,) = told
    assert line.startswith(f"waiting for customer360 run (process {other.pid}, since ")
    assert line.endswith(f"which writes {tmp_path}")


def _ran(home: Path, instance: dg.DagsterInstance, **given: float) -> dg.ExecuteInProcessResult:
    @dg.asset
    def table(spark: SparkResource) -> None:
        found = writer_of(home)
        assert found is not None
        assert found.what.startswith("Dagster's run ")

    return dg.materialize(
        [table],
        instance=instance,
        resources={"spark": SparkResource.of(load_settings(home, **given))},
        raise_on_error=False,
    )


def test_a_run_of_dagster_waits_for_the_home_and_says_so_in_its_log(tmp_path: Path) -> None:
    with holder(tmp_path) as other, dg.DagsterInstance.ephemeral() as instance:
        let_go_after(other, 1)
        result = _ran(tmp_path, instance)
        said = [entry.user_message for entry in instance.all_logs(result.run_id)]
    assert result.success
    waited = f"waiting for customer360 run (process {other.pid}"
    assert any(line.startswith(waited) for line in said)
    assert writer_of(tmp_path) is None


def test_a_run_of_dagster_that_may_not_wait_fails_with_the_sentence(tmp_path: Path) -> None:
    with holder(tmp_path) as other, dg.DagsterInstance.ephemeral() as instance:
        result = _ran(tmp_path, instance, lock_wait_seconds=0)
        failure = first_failure(result.all_events)
    assert not result.success
    assert failure.kind == "HomeBusyError"
    assert f"is being written by customer360 run (process {other.pid}" in failure.reason
