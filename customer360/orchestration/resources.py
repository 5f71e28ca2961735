"""Spark as a Dagster resource."""

from typing import TYPE_CHECKING, Any

import dagster as dg
from pydantic import PrivateAttr

from customer360.lakehouse.session import session_config
from customer360.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from customer360.orchestration.delta_session import DeltaSession


class SparkResource(dg.ConfigurableResource["SparkResource"]):
    """The run's Spark session: that of dagster-pyspark, with Delta, started at first use.

    It serves the whole run. Until an asset asks for it neither PySpark nor dagster-pyspark is
    imported: a second that every load of the definitions would pay. ``spark_config`` can be
    overridden in a run's configuration.
    """

    spark_config: dict[str, Any]
    jars_dir: str | None = None
    _lazy: "DeltaSession | None" = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> "SparkResource":
        """The resource that ``settings`` ask for; starts nothing."""
        config: dict[str, Any] = dict(session_config(settings))
        jars_dir = str(settings.jars_dir) if settings.jars_dir else None
        return cls(spark_config=config, jars_dir=jars_dir)

    @property
    def spark_session(self) -> "SparkSession":
        """The session; started at first use.

        Raises:
            SettingsError: A live session has another configuration.
            EnvironmentError360: The Delta jars have not been resolved.
        """
        from customer360.orchestration.delta_session import DeltaSession

        if self._lazy is None:
            self._lazy = DeltaSession(spark_config=self.spark_config, jars_dir=self.jars_dir)
        return self._lazy.spark_session
