"""The command that starts the dashboard."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from typing import Annotated

import typer

from customer360.cli.common import LOCAL, Home, Verbose, err, say, settings_of_warehouse
from customer360.cli.processes import serve
from customer360.errors import EnvironmentError360
from customer360.settings import HOME_VARIABLE

PANEL = "Runs"
commands = typer.Typer()

OPTIONS = {
    "browser.gatherUsageStats": "false",
    "client.showErrorDetails": "none",
    "client.toolbarMode": "minimal",
    "logger.level": "warning",
    "runner.magicEnabled": "false",
    "server.fileWatcherType": "none",
    "server.showEmailPrompt": "false",
    # As the reader's system is set; a colour of both at once would leave only the light one.
    "theme.light.primaryColor": "#005F96",
    "theme.dark.primaryColor": "#56B4E9",
}


def streamlit_command(port: int, host: str, *, browser: bool) -> list[str]:
    """The command line that serves the dashboard."""
    app = find_spec("customer360.dashboard.app")
    assert app is not None
    assert app.origin is not None
    options = OPTIONS | {
        "server.address": host,
        "server.port": str(port),
        "server.headless": str(not browser).lower(),
    }
    given = (f"--{name}={value}" for name, value in options.items())
    return [sys.executable, "-m", "streamlit", "run", app.origin, *given]


@commands.command(rich_help_panel=PANEL)
def dashboard(
    port: Annotated[int, typer.Option(help="Port of the dashboard.")] = 8501,
    host: Annotated[str, typer.Option(help="Address of the dashboard.")] = "127.0.0.1",
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open it in the browser.")
    ] = True,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Show the published customers, segments, forecasts and models, until Ctrl-C."""
    from customer360.doctor import check_port

    settings = settings_of_warehouse(home)
    check = check_port(port, host, "customer360 dashboard")
    if check.status != "ok":
        raise EnvironmentError360(f"port {port}: {check.found}; {check.remedy}")
    if host not in LOCAL:
        err.print(
            f"The dashboard asks for no password: whoever reaches {host} reads it.",
            highlight=False,
        )
    say(f"Dashboard: http://{host}:{port}  (Ctrl-C stops it)")
    environment = os.environ | {HOME_VARIABLE: str(settings.home.absolute())}
    command = streamlit_command(port, host, browser=browser)
    code = serve(command, environment, quiet=not verbose)
    if code:
        raise EnvironmentError360(
            f"the dashboard ended with code {code}; --verbose shows what it said"
        )
