"""MLflow's tables, brought up to what the MLflow that is installed wants.

MLflow refuses a database of an older release and leaves it as it is. Before its server or a run
starts, ``python -m customer360.models.tracking.migration`` changes the one that
``MLFLOW_BACKEND_STORE_URI`` names, which MLflow's server reads, or else the deployment's. (The
command line of ``mlflow db upgrade`` would show a password to whoever lists processes.)
"""

from __future__ import annotations

import os
import sys

from customer360.errors import Customer360Error, first_line
from customer360.models.tracking.connection import Tracking, TrackingError, import_mlflow
from customer360.redaction import without_credentials
from customer360.settings import load_settings

DATABASE_VARIABLE = "MLFLOW_BACKEND_STORE_URI"
"""MLflow's own name for the database of its server."""


def migrate(uri: str) -> bool:
    """Bring MLflow's tables up to date, or make them in a PostgreSQL that has none.

    Args:
        uri: A tracking URI. A server keeps its own tables, and a SQLite file that is not there is
            made by the first training: neither is touched.

    Returns:
        Whether a database is up to date now.

    Raises:
        TrackingError: The database does not answer, or cannot be changed.
    """
    tracking = Tracking(uri)
    if not (tracking.is_database and tracking.is_there):
        return False
    import_mlflow()
    from mlflow.db import upgrade

    try:
        upgrade.main([uri], standalone_mode=False)
    except Exception as error:  # noqa: BLE001 - SQLAlchemy's, Alembic's and MLflow's own
        raise TrackingError(
            without_credentials(
                f"MLflow's tables at {uri} cannot be brought up to date: {first_line(error)}; see "
                "that it answers and is of no newer release, or restore it, and start again"
            )
        ) from None
    return True


if __name__ == "__main__":
    try:
        migrate(os.environ.get(DATABASE_VARIABLE) or load_settings().tracking_uri)
    except Customer360Error as problem:
        sys.exit(f"error: {problem}")
