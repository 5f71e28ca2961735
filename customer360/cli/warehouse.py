"""Commands about the PostgreSQL warehouse."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Annotated

import typer

from customer360.cli.common import (
    AsFormat,
    Format,
    Home,
    Verbose,
    print_records,
    print_table,
    say,
    settings_of_warehouse,
)

PANEL = "Warehouse"
commands = typer.Typer()
_warehouse = typer.Typer(help="The PostgreSQL that the marts and the dashboard live in.")
commands.add_typer(_warehouse, name="warehouse", rich_help_panel=PANEL)


@_warehouse.command()
def up(home: Home = None, verbose: Verbose = False) -> None:
    """Start the deployment's own PostgreSQL and let it run until `down`."""
    from customer360.serving.warehouse import stay_up

    settings = settings_of_warehouse(home)
    warehouse = stay_up(settings)
    say(f"the warehouse is up: {warehouse.reader.shown}")
    if not warehouse.embedded:
        say("it is the server of CUSTOMER360_WAREHOUSE_URL, not one of this deployment's own")


@_warehouse.command()
def down(home: Home = None, verbose: Verbose = False) -> None:
    """Stop the deployment's own PostgreSQL; the data stays."""
    from customer360.serving.warehouse import take_down

    stopped = take_down(settings_of_warehouse(home))
    say("the warehouse is down" if stopped else "no warehouse of this deployment's own is up")


@_warehouse.command()
def status(
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Where the warehouse is, whether it answers, and what was published when."""
    from customer360.serving.publishing import publications
    from customer360.serving.warehouse import is_running, reader_login

    settings = settings_of_warehouse(home)
    if format is not Format.TABLE:
        login = reader_login(settings)
        print_records(
            [
                {"table": each.table, "rows": each.rows, "published_at": each.published_at}
                for each in (publications(login) if login else ())
            ],
            format,
            ["table", "rows", "published_at"],
        )
        return
    if settings.warehouse_url is None:
        exists = (settings.warehouse_dir / "PG_VERSION").exists()
        state = "up" if is_running(settings) else "down" if exists else "not made yet"
        say(f"the deployment's own PostgreSQL in {settings.warehouse_dir}: {state}")
        if not exists:
            say("`customer360 run` makes and fills it")
            return
    login = reader_login(settings)
    if login is None:
        say("nothing was published to it yet: `customer360 run --steps publish`")
        return
    published = publications(login)
    say(f"{login.shown} answers")
    print_table(
        ["table", "rows", "published"],
        [
            {
                "table": table.table,
                "rows": f"{table.rows:,}",
                "published": f"{table.published_at:%Y-%m-%d %H:%M:%S %Z}",
            }
            for table in published
        ],
    )


@_warehouse.command()
def docs(home: Home = None, verbose: Verbose = False) -> None:
    """Write dbt's documentation of the warehouse's tables, columns and lineage: one page."""
    from customer360.serving.marts import write_docs
    from customer360.serving.warehouse import open_warehouse

    settings = settings_of_warehouse(home)
    say(f"open {write_docs(settings, open_warehouse(settings).owner)}")


@_warehouse.command(
    context_settings={"allow_extra_args": True, "ignore_unknown_options": True},
    add_help_option=False,
)
def psql(
    context: typer.Context,
    owner: Annotated[
        bool, typer.Option("--owner", help="As the owner, who may change things.")
    ] = False,
    home: Home = None,
) -> None:
    """Open psql as the reader; further arguments are psql's, as in `psql -c 'select 1'`."""
    from customer360.serving.warehouse import (
        WarehouseError,
        open_warehouse,
        psql_path,
        reader_login,
    )

    settings = settings_of_warehouse(home)
    login = open_warehouse(settings).owner if owner else reader_login(settings)
    if login is None:
        raise WarehouseError("there is no warehouse yet: `customer360 run` makes and fills it")
    # libpq reads these; on a command line anyone on this machine could read the password.
    done = subprocess.run(
        [psql_path(), *context.args], env=os.environ | login.environment(), check=False
    )
    sys.exit(done.returncode)
