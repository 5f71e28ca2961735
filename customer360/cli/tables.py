"""Commands that show tables."""

from __future__ import annotations

from typing import Annotated

import typer

from customer360.cli.common import (
    AsFormat,
    Format,
    Home,
    Verbose,
    print_records,
    print_rich,
    print_whole,
    say,
    settings_of_deployment,
)
from customer360.errors import Customer360Error, SettingsError, first_line, listed
from customer360.mistakes import meant

PANEL = "Tables"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def tables(
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the tables: rows, partitions (folders of files), bytes, version."""
    from dataclasses import asdict

    from customer360.lakehouse.delta_log import TableLogs
    from customer360.listing import table_of_tables

    logs = TableLogs(settings_of_deployment(home).lakehouse_root)
    details = [logs.details(name) for name in logs.tables()]
    if format is Format.TABLE:
        print_whole(table_of_tables(details))
    else:
        print_records([asdict(table) for table in details], format)


@commands.command(rich_help_panel=PANEL)
def show(
    table: Annotated[str, typer.Argument(help="layer/table, for example gold/rfm_segments.")],
    where: Annotated[str | None, typer.Option(help="SQL condition, as DuckDB reads it.")] = None,
    columns: Annotated[
        str | None, typer.Option(help="Only these, with commas between: customer_key,segment.")
    ] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 20,
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Print rows of a table."""
    from customer360.lakehouse.reading import Tables, plain_rows

    tables = Tables(settings_of_deployment(home).lakehouse_root)
    tables.require(table)
    import duckdb

    try:
        rows = tables.select(table, where, limit)
    except duckdb.Error as error:
        if not where:
            raise
        raise SettingsError(f"--where {where!r} on {table}: {first_line(error)}") from error
    if columns is not None:
        rows = rows.select(_chosen(columns, rows.column_names, table))
    records = plain_rows(rows)
    if format is Format.TABLE:
        print_rich(rows.column_names, records)
    else:
        print_records(records, format, rows.column_names)


def _chosen(names: str, known: list[str], table: str) -> list[str]:
    """The columns of ``--columns``, which the table must have."""
    chosen = [name.strip() for name in names.split(",")]
    for name in chosen:
        if name not in known:
            likely = meant(name, known)
            raise SettingsError(
                f"--columns {name}: {table} has no such column"
                + (f", did you mean {likely}?" if likely else f"; it has {listed(known)}")
            )
    return chosen


class AccountOpenError(Customer360Error):
    """The account does not close; the message says where."""


@commands.command(rich_help_panel=PANEL)
def reconcile(
    format: AsFormat = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Account for every row and its money, from the files to gold; exit 1 where it differs."""
    from dataclasses import asdict

    from customer360.deployment import Deployment
    from customer360.lakehouse.reading import Tables
    from customer360.listing import table_of_account
    from customer360.pipeline.account import reconcile as account

    settings = settings_of_deployment(home)
    balance = account(Tables(settings.lakehouse_root), Deployment.of(settings))
    if format is Format.TABLE:
        print_whole(table_of_account(balance))
    else:
        print_records([asdict(line) for line in balance.lines], format)
    if balance.differences:
        more = len(balance.differences) - 1
        raise AccountOpenError(
            balance.differences[0] + (f" (and {more} more tables differ)" if more else "")
        )
    if format is Format.TABLE:
        say("The account closes.")
