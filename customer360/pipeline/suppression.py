"""The suppression list, read as the deployment writes ids and phone numbers."""

from __future__ import annotations

from pathlib import Path

import duckdb

from customer360.deployment import Deployment
from customer360.serving.suppression import read_suppression


def read_suppression_list(
    connection: duckdb.DuckDBPyConnection, name: str, deployment: Deployment, path: Path
) -> None:
    """Make a table of the identifiers of who must not be written to, see `read_suppression`.

    Args:
        connection: Where the table is made.
        name: Of the table.
        deployment: Whose sources and keys.
        path: The CSV file, of the setting ``suppression_path``.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    read_suppression(
        connection,
        name,
        path,
        sources=[source.name for source in deployment.sources],
        secret=deployment.secret,
        default_country=deployment.settings.default_country,
    )
