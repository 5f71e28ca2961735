"""Dagster's UI over a deployment, in a real browser: for tests and for the README's picture."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Page

PROJECT = Path(__file__).resolve().parents[2]
CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))

# A browser that needs no display, keeps to itself and fits a container.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
)


def free_port() -> int:
    """A port that nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextlib.contextmanager
def webserver(environment: Mapping[str, str], log: Path, *, seconds: float = 240) -> Iterator[str]:
    """``dagster-webserver -w workspace.yaml`` on a free port; gives its address.

    Args:
        environment: With ``DAGSTER_HOME`` and ``CUSTOMER360_HOME``.
        log: Where it writes.
        seconds: To wait for it to answer.

    Raises:
        RuntimeError: It does not start; the message ends with its log.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    program = Path(sys.executable).parent / "dagster-webserver"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [str(program), "-w", "workspace.yaml", "--host", "127.0.0.1", "--port", str(port)],
            cwd=PROJECT,
            env=dict(environment),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            until = time.monotonic() + seconds
            while not _answers(f"{address}/server_info"):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(
                        f"dagster-webserver did not start: {log.read_text()[-2000:]}"
                    )
                time.sleep(0.5)
            yield address
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@contextlib.contextmanager
def page(*, width: int = 1800, height: int = 1200) -> Iterator[Page]:
    """A page of a fresh, headless Chromium."""
    from playwright.sync_api import sync_playwright

    with tempfile.TemporaryDirectory() as profile, sync_playwright() as playwright:
        context = playwright.chromium.launch_persistent_context(
            profile,
            executable_path=str(CHROMIUM),
            headless=True,
            args=list(_FLAGS),
            viewport={"width": width, "height": height},
        )
        try:
            yield context.pages[0] if context.pages else context.new_page()
        finally:
            context.close()


GROUPS = ("bronze", "exports", "gold", "models", "quarantine", "reports", "silver")
"""Groups that are shown unfolded; those of the warehouse stay folded, a box each."""

FOLDED = ("marts", "staging", "warehouse")


def open_lineage(opened: Page, address: str) -> None:
    """Show the global asset lineage with every group unfolded, fitted to the window."""
    unfolded = "%2C".join(f"global%40global%3A{group}" for group in GROUPS)
    opened.goto(f"{address}/asset-groups/?expanded={unfolded}", timeout=120_000)
    opened.get_by_text("customer_days").first.wait_for(timeout=120_000)
    opened.get_by_text("Hide navigation").click()
    # The graph is laid out anew when the window changes; a double click fits it.
    opened.wait_for_timeout(5_000)
    size = opened.viewport_size
    assert size is not None
    opened.mouse.dblclick(size["width"] - 300, size["height"] - 60)  # where no asset is
    opened.mouse.move(5, 5)  # off the graph, which highlights what is under the pointer
    opened.wait_for_timeout(1_000)


def statuses(opened: Page, address: str) -> dict[str, dict[str, int]]:
    """Partitions of each asset as the UI counts them: all, materialised, failed.

    An asset without partitions counts as one.
    """
    query = (
        "{assetNodes {assetKey {path} partitionStats {numPartitions numMaterialized numFailed} "
        "assetMaterializations(limit: 1) {runId}}}"
    )
    answer = opened.request.post(f"{address}/graphql", data={"query": query}).json()
    return {
        "/".join(node["assetKey"]["path"]): node["partitionStats"]
        or {
            "numPartitions": 1,
            "numMaterialized": len(node["assetMaterializations"]),
            "numFailed": 0,
        }
        for node in answer["data"]["assetNodes"]
    }


def wait_for_statuses(opened: Page) -> None:
    """Until no asset says that its status is being fetched."""
    opened.wait_for_function(
        "() => !/fetching status|Loading/i.test(document.body.innerText)", timeout=120_000
    )
    opened.wait_for_timeout(1_500)


def screenshot_lineage(environment: Mapping[str, str], target: Path, log: Path) -> None:
    """Save a picture of a deployment's whole lineage.

    Args:
        environment: With ``DAGSTER_HOME`` and ``CUSTOMER360_HOME``.
        target: PNG file.
        log: Where the web server writes.
    """
    with webserver(environment, log) as address, page(width=2000, height=3400) as opened:
        open_lineage(opened, address)
        wait_for_statuses(opened)
        target.parent.mkdir(parents=True, exist_ok=True)
        opened.screenshot(path=str(target))
