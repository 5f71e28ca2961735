"""``customer360 dashboard``: what it starts, and what it says when it cannot."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

from customer360.cli.dashboard import streamlit_command
from customer360_tests.browser.dashboard import served
from customer360_tests.deployments import customer360


def test_nothing_is_reported_and_nothing_is_shown_to_others() -> None:
    command = streamlit_command(8501, "127.0.0.1", browser=False)
    assert command[1:4] == ["-m", "streamlit", "run"]
    assert Path(command[4]).name == "app.py"
    assert {
        "--browser.gatherUsageStats=false",
        "--client.showErrorDetails=none",
        "--server.address=127.0.0.1",
        "--server.headless=true",
        "--server.port=8501",
    } <= set(command)


def test_a_port_in_use_is_one_line(capsys, monkeypatch, tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        said = customer360(capsys, monkeypatch, "dashboard", "--port", port, "--home", tmp_path)
    assert said.code == 1
    (line,) = said.error_lines
    assert f"port {port}: in use" in line
    assert f"customer360 dashboard --port {port + 1}" in line


def test_ctrl_c_stops_it_quietly(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with served(tmp_path, log) as (process, _):
        # To all of the terminal's processes, as Ctrl-C goes.
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(30) == 0
    said = log.read_text()
    assert "Dashboard: http://127.0.0.1:" in said
    assert "Traceback" not in said
    assert "error" not in said


def test_help_needs_no_streamlit() -> None:
    """The command line answers at once: Streamlit is loaded by its own process."""
    code = "import sys, customer360.cli; print('streamlit' in sys.modules)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.strip() == "False"
