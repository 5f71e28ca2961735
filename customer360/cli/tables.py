"""Commands that show tables."""

from __future__ import annotations

from typing import Annotated

import typer

from customer360.cli.common import (
    Format,
    Home,
    Verbose,
    open_lakehouse,
    out,
    print_records,
    print_rich,
)
from customer360.errors import SettingsError, first_line
from customer360.settings import load_settings

PANEL = "Tables"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def tables(
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """List the tables: rows, partitions, bytes, version."""
    from dataclasses import asdict

    from customer360.summary import table_of_tables

    lakehouse = open_lakehouse(load_settings(home))
    details = [lakehouse.details(name) for name in lakehouse.tables()]
    if format is Format.TABLE:
        out.print(table_of_tables(details))
    else:
        print_records([asdict(table) for table in details], format)


@commands.command(rich_help_panel=PANEL)
def show(
    table: Annotated[str, typer.Argument(help="layer/table, for example gold/rfm_segments.")],
    where: Annotated[str | None, typer.Option(help="SQL condition.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Rows at most.")] = 20,
    format: Annotated[Format, typer.Option("--format", help="table, json or csv.")] = Format.TABLE,
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Print rows of a table."""
    from pyspark.errors import PySparkException

    frame = open_lakehouse(load_settings(home)).read(table)
    try:
        frame = frame.where(where) if where else frame
        records = [row.asDict(recursive=True) for row in frame.limit(limit).collect()]
    except PySparkException as error:
        raise SettingsError(f"--where {where!r} on {table}: {first_line(error)}") from error
    if format is Format.TABLE:
        print_rich(frame.columns, records)
    else:
        print_records(records, format, frame.columns)
