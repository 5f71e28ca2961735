"""From a Dagster context to the workspace that a pipeline step needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import dagster as dg

from customer360.deployment import Deployment
from customer360.orchestration.resources import SparkResource

if TYPE_CHECKING:
    from customer360.pipeline.workspace import Workspace


def workspace(
    context: dg.AssetExecutionContext, spark: SparkResource, deployment: Deployment
) -> Workspace:
    """The workspace of the running asset."""
    from customer360.lakehouse.tables import Lakehouse
    from customer360.pipeline.workspace import Workspace

    lakehouse = Lakehouse(spark.spark_session, deployment.settings.lakehouse_dir)
    return Workspace(lakehouse=lakehouse, deployment=deployment, run_id=context.run.run_id)
