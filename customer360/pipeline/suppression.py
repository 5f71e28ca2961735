"""The suppression list, read as the deployment writes ids and phone numbers."""

from __future__ import annotations

from pathlib import Path

from pyspark.sql import DataFrame

from customer360.pipeline.workspace import Workspace
from customer360.serving.suppression import read_suppression


def suppression_list(work: Workspace, path: Path, scratch: Path) -> DataFrame:
    """The identifiers of who must not be written to, see `read_suppression`.

    Args:
        work: The deployment's.
        path: The CSV file, of the setting ``suppression_path``.
        scratch: Folder that the caller keeps while the result is used; holds personal data.

    Raises:
        SuppressionError: The file is missing, or a cell of it cannot be read.
    """
    deployment = work.deployment
    return read_suppression(
        work.spark,
        path,
        scratch,
        sources=[source.name for source in deployment.sources],
        secret=deployment.secret,
        default_country=deployment.settings.default_country,
    )
