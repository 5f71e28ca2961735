"""The suppression list, read as the deployment writes ids and phone numbers.

It is its owner's file, and may name customers by key. When the keys are rotated, whom it names is
kept under the new keys in a file of the home, or who must not be written to would be.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from customer360.deployment import Deployment
from customer360.serving.eligibility import IDENTIFIERS
from customer360.serving.suppression import read_suppression
from customer360.settings import Settings


def by_former_keys(settings: Settings) -> Path:
    """The file of whom the list named by a key that was rotated since, with the key of now.

    It is read beside the list, whatever becomes of that, until somebody deletes it.
    """
    return settings.home / "privacy" / "suppressed_by_former_keys.csv"


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

    def read(table: str, file: Path) -> None:
        read_suppression(
            connection,
            table,
            file,
            sources=[source.name for source in deployment.sources],
            secret=deployment.secret,
            default_country=deployment.settings.default_country,
        )

    read(name, path)
    former = by_former_keys(deployment.settings)
    if former.exists():
        beside = f"{name}_by_former_keys"
        read(beside, former)
        columns = ", ".join(IDENTIFIERS)
        connection.execute(f"INSERT INTO {name} SELECT {columns} FROM {beside}")
        connection.execute(f"DROP TABLE {beside}")
