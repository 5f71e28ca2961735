"""The dashboard over a deployment, in a real browser: for tests and for the guide's pictures."""

from __future__ import annotations

import contextlib
import csv
import io
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from customer360.dashboard.views import all_views
from customer360_tests.browser.lineage import PROJECT, free_port, page

if TYPE_CHECKING:
    from playwright.sync_api import Page

PAGES = tuple("" if name == "overview" else name for name in all_views())
"""Addresses of the pages, in the order of the menu; the first is the overview's."""


@contextlib.contextmanager
def served(
    home: Path, log: Path, *, seconds: float = 120, **environment: str
) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """``customer360 dashboard`` over ``home`` on a free port; gives its process and address.

    Raises:
        RuntimeError: It does not start; the message ends with its log.
    """
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "-m", "customer360.cli", "dashboard", "--no-browser"]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, "--port", str(port), "--home", str(home)],
            cwd=PROJECT,
            env=os.environ | environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            until = time.monotonic() + seconds
            while not _answers(f"{address}/_stcore/health"):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(f"the dashboard did not start: {log.read_text()[-2000:]}")
                time.sleep(0.3)
            yield process, address
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
                try:
                    process.wait(30)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()


def _answers(url: str) -> bool:
    # Whatever proxy the machine has is not for the machine itself.
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(url, timeout=5) as response:
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def settle(opened: Page) -> None:
    """Until the page stands still: nothing runs, nothing is loaded."""
    opened.locator("h1").first.wait_for(timeout=60_000)
    opened.wait_for_function(
        "() => !document.querySelector('[data-testid=\"stStatusWidget\"]')"
        " && !document.querySelector('[data-test-script-state=\"running\"]')"
        " && !document.querySelector('[data-testid=\"stSkeleton\"]')"
        " && !document.querySelector('[data-stale=\"true\"]')",
        timeout=60_000,
    )
    opened.wait_for_timeout(600)


def go(opened: Page, address: str, name: str, **query: str) -> None:
    """Open a page of the dashboard by its address."""
    asked = "&".join(f"{key}={value}" for key, value in query.items())
    opened.goto(f"{address}/{name}?{asked}", timeout=60_000)
    settle(opened)


def violations(opened: Page) -> list[str]:
    """What of the page breaks WCAG, or keeps people from using it, as axe-core finds it."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(opened).response["violations"]
    return [
        f"{each['id']}: {node['target']} {node.get('failureSummary', '')}"
        for each in found
        for node in each["nodes"]
    ]


def metrics(opened: Page) -> dict[str, str]:
    """The figures on the page's cards, by label."""
    return {
        card.locator('[data-testid="stMetricLabel"]').inner_text().split("\n")[0].strip(): (
            card.locator('[data-testid="stMetricValue"]').inner_text().strip()
        )
        for card in opened.locator('[data-testid="stMetric"]').all()
    }


def nothing_failed(opened: Page) -> None:
    """Assert that the page shows neither a trace nor an error."""
    for box in ("stException", "stAlertContentError"):
        shown = opened.locator(f'[data-testid="{box}"]').all_inner_texts()
        assert shown == [], (opened.url, shown)


def downloaded_text(opened: Page, name: str) -> str:
    """The CSV file behind the button of the table ``name``."""
    with opened.expect_download() as waiting:
        opened.locator(f".st-key-download-{name} button").click()
    return Path(waiting.value.path()).read_text(encoding="utf-8-sig")


def downloaded(opened: Page, name: str, *, separator: str = ",") -> list[dict[str, str]]:
    """Rows of the CSV file behind the button of the table ``name``."""
    text = io.StringIO(downloaded_text(opened, name))
    return list(csv.DictReader(text, delimiter=separator))


def screenshot(opened: Page, target: Path, *, tallest: int) -> None:
    """Save a picture of the page, as tall as it is up to ``tallest`` pixels."""
    size = opened.viewport_size
    assert size is not None
    height = opened.evaluate("document.querySelector('[data-testid=\"stMain\"]').scrollHeight")
    opened.set_viewport_size({"width": size["width"], "height": min(int(height), tallest)})
    settle(opened)
    opened.wait_for_timeout(1_500)  # charts fade in
    target.parent.mkdir(parents=True, exist_ok=True)
    opened.screenshot(path=str(target))
    opened.set_viewport_size(size)


def screenshot_pages(home: Path, folder: Path, log: Path, customer_key: str) -> list[Path]:
    """Save a picture of each main page, and of one customer.

    Args:
        home: A deployment whose warehouse is published.
        folder: Where ``dashboard-<page>.png`` go.
        log: Where the dashboard writes.
        customer_key: Whom to show.
    """
    made = []
    with served(home, log) as (_, address), page(width=1280, height=900) as opened:
        for name in PAGES:
            go(opened, address, name, lang="en")
            target = folder / f"dashboard-{(name or 'overview').replace('_', '-')}.png"
            screenshot(opened, target, tallest=1_500)
            made.append(target)
        go(opened, address, "customers", lang="en", customer=customer_key)
        target = folder / "dashboard-customer.png"
        screenshot(opened, target, tallest=1_500)
        made.append(target)
    return made
