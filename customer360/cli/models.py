"""Commands about the models: which there are, how good they are, what they say."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from customer360.cli.common import Format, Home, Verbose, out, print_records, print_rich
from customer360.errors import Customer360Error
from customer360.settings import load_settings

PANEL = "Models"
commands = typer.Typer()


class ModelName(StrEnum):
    """The models that are trained, as people name them."""

    CHURN = "churn"
    LIFETIME_VALUE = "lifetime-value"

    @property
    def registered(self) -> str:
        """Its name in the registry."""
        return f"customer360_{self.replace('-', '_')}"


@commands.command(rich_help_panel=PANEL)
def models(
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the versions of the models: which one scores, and why each was promoted or not."""
    from customer360.models.tracking import registered_versions
    from customer360.pipeline.run_models import tracking_of

    tracking = tracking_of(load_settings(home))
    records: list[dict[str, object]] = [
        {
            "model": name.value,
            "version": version.version,
            "alias": ", ".join(version.aliases),
            "as_of": version.as_of,
            "status": version.status,
            "verdict": version.verdict,
        }
        for name in ModelName
        for version in registered_versions(name.registered, tracking)
    ]
    if not records:
        raise Customer360Error("no model has been trained yet: run `customer360 run`")
    if format is Format.TABLE:
        print_rich(list(records[0]), records)
    else:
        print_records(records, format)


@commands.command(rich_help_panel=PANEL)
def promote(
    model: Annotated[ModelName, typer.Argument(help="Which model.")],
    version: Annotated[str, typer.Argument(help="The version that shall score.")],
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make a version of a model the champion, whatever its verdict; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    before = tracking.promote(model.registered, version, tracking_of(load_settings(home)))
    instead = f", in place of v{before}" if before else ""
    out.print(f"{model} v{version} is the champion now{instead}", highlight=False)


@commands.command(rich_help_panel=PANEL)
def rollback(
    model: Annotated[ModelName, typer.Argument(help="Which model.")],
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Make the champion again that the present one replaced; the next scoring uses it."""
    from customer360.models import tracking
    from customer360.pipeline.run_models import tracking_of

    now, before = tracking.rollback(model.registered, tracking_of(load_settings(home)))
    out.print(f"{model} v{now} is the champion again, in place of v{before}", highlight=False)
