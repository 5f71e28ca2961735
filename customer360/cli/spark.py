"""The command that starts a Spark Connect server."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from customer360.cli.common import LOCAL, Home, Verbose, err, say
from customer360.cli.processes import serve
from customer360.errors import EnvironmentError360, SettingsError
from customer360.lakehouse.connect import DEFAULT_PORT
from customer360.settings import load_settings

PANEL = "Runs"
commands = typer.Typer()


@commands.command(rich_help_panel=PANEL)
def spark_server(
    port: Annotated[int, typer.Option(help="Port of the server.")] = DEFAULT_PORT,
    host: Annotated[str, typer.Option(help="Address of the server.")] = "127.0.0.1",
    master: Annotated[
        str, typer.Option(help="Where it computes: local[N] or spark://…")
    ] = "local[*]",
    home: Home = None,
    verbose: Verbose = False,
) -> None:
    """Serve Spark Connect with Delta, for a spark_master of sc://…, until Ctrl-C."""
    from customer360.doctor import check_port
    from customer360.lakehouse.connect import server_command, server_properties, write_properties
    from customer360.lakehouse.masters import is_connect
    from customer360.lakehouse.session import session_config, with_own_java

    if is_connect(master):
        raise SettingsError(f"--master {master}: a server computes on local[N] or spark://…")
    settings = load_settings(home).model_copy(update={"spark_master": master})
    check = check_port(port, host, "customer360 spark-server")
    if check.status != "ok":
        raise EnvironmentError360(f"port {port}: {check.found}; {check.remedy}")
    if host not in LOCAL:
        err.print(
            f"Whoever reaches {host} reads all tables and runs code of their own there, unless "
            "SPARK_CONNECT_AUTHENTICATE_TOKEN is set.",
            highlight=False,
        )
    config = with_own_java(session_config(settings), settings.jars_dir)
    properties = write_properties(server_properties(config, host, port))
    environment = os.environ | {"PYSPARK_PYTHON": config["spark.pyspark.python"]}
    say(f"Spark Connect: sc://{host}:{port}  (Ctrl-C stops it)")
    code = serve(server_command(properties), environment, quiet=not verbose)
    if code:
        raise EnvironmentError360(f"the Spark Connect server ended with code {code}; see above")
