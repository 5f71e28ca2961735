"""The suppression list, read as the deployment writes ids and phone numbers.

It is its owner's file, and may name customers by key. When the keys are rotated, whom it names is
kept under the new keys in a file of the home, or who must not be written to would be.
"""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from customer360.deployment import Deployment
from customer360.lakehouse.reading import engine
from customer360.serving import contacts
from customer360.serving.eligibility import IDENTIFIERS, suppressed_customers
from customer360.serving.suppression import read_suppression
from customer360.settings import Settings


def by_former_keys(settings: Settings) -> Path:
    """The file of whom the list named by a key that was rotated since, with the key of now.

    It is read beside the list, whatever becomes of that, until somebody deletes it.
    """
    return settings.home / "privacy" / "suppressed_by_former_keys.csv"


def suppression_files(settings: Settings) -> list[Path]:
    """The files that say who must not be written to: the list, where one is set, and that one."""
    former = by_former_keys(settings)
    listed = [] if settings.suppression_path is None else [settings.suppression_path]
    return [*listed, former] if former.exists() else listed


def is_suppressed(deployment: Deployment, customers: pa.Table) -> bool:
    """Whether the suppression list names any of some customers.

    Args:
        deployment: Whose list, sources and keys.
        customers: Rows of ``silver/customers``.

    Raises:
        SuppressionError: The list cannot be read: it is not known.
    """
    settings = deployment.settings
    if not suppression_files(settings):
        return False
    with engine() as connection:
        contacts.prepare(connection)
        read_suppression_list(connection, "suppressed", deployment)
        connection.register("customers", customers)
        named = suppressed_customers(
            "customers", "suppressed", default_country=settings.default_country
        )
        return connection.execute(named).fetchone() is not None


def read_suppression_list(
    connection: duckdb.DuckDBPyConnection, name: str, deployment: Deployment
) -> None:
    """Make a table of the identifiers of who must not be written to, see `read_suppression`.

    Args:
        connection: Where the table is made.
        name: Of the table.
        deployment: Whose sources and keys; it has `suppression_files`.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    tables = []
    for number, file in enumerate(suppression_files(deployment.settings)):
        read_suppression(
            connection,
            table := f"{name}_{number}",
            file,
            sources=[source.name for source in deployment.sources],
            secret=deployment.secret,
            default_country=deployment.settings.default_country,
        )
        tables.append(f"SELECT {', '.join(IDENTIFIERS)} FROM {table}")
    connection.execute(f"CREATE TEMP TABLE {name} AS {' UNION ALL '.join(tables)}")


def refuse_unreadable(deployment: Deployment) -> None:
    """Nothing, where the suppression list can be read or there is none.

    For what makes the warehouse or the lists anew: without the list nobody would be told who must
    not be written to.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    if not suppression_files(deployment.settings):
        return
    with engine() as connection:
        contacts.prepare(connection)
        read_suppression_list(connection, "suppressed", deployment)
