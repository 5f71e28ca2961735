"""Commands about alerts: whether they arrive, and sending those that are due."""

from __future__ import annotations

import typer

from customer360.cli.common import Home, Verbose, say
from customer360.errors import SettingsError
from customer360.settings import load_settings

PANEL = "Runs"
commands = typer.Typer()
_alert = typer.Typer(help="Messages to people when something has failed.", no_args_is_help=True)
commands.add_typer(_alert, name="alert", rich_help_panel=PANEL)

_NOBODY = (
    "nobody is to be told: set alert_webhook_url, or alert_email_to and alert_smtp_url, in "
    "customer360.yaml or by CUSTOMER360_ALERT_WEBHOOK_URL"
)


@_alert.command("test")
def send_test(home: Home = None, verbose: Verbose = False) -> None:
    """Send a test message by every way that the settings name."""
    from customer360.alerts.alert import Alert, Kind
    from customer360.alerts.channels import AlertError, channels

    settings = load_settings(home)
    ways = channels(settings)
    if not ways:
        raise SettingsError(_NOBODY)
    alert = Alert(
        Kind.TEST,
        str(settings.home.absolute()),
        "",
        "somebody asked for it, to see whether alerts arrive",
        "nothing: alerts arrive",
        "test",
    )
    failed: AlertError | None = None
    for way in ways:
        try:
            way.send(alert)
            say(f"{way.name}: sent")
        except AlertError as error:
            say(f"{way.name}: not sent")
            failed = failed or error
    if failed is not None:
        raise failed


@_alert.command("send")
def send_due_ones(home: Home = None, verbose: Verbose = False) -> None:
    """Look for what people must know, and tell them: for a deployment without Dagster's daemon."""
    from customer360.alerts.channels import channels
    from customer360.orchestration.alerts import send_due
    from customer360.orchestration.instance import open_instance

    settings = load_settings(home)
    if not channels(settings):
        raise SettingsError(_NOBODY)
    with open_instance(settings) as instance:
        sent = send_due(settings, instance)
    for alert in sent:
        say(f"sent: {alert.subject}")
    if not sent:
        say("nothing to tell")
