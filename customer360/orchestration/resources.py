"""Spark as a Dagster resource."""

from typing import Any

from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from customer360.lakehouse.session import open_session, session_config
from customer360.settings import Settings


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy session, with Delta, and checked.

    The session starts when an asset first asks for it and serves the whole run. Where a session
    is live already, Spark would silently ignore a different configuration; this resource
    raises instead. ``spark_config`` can be overridden in a run's configuration.
    """

    jars_dir: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "SparkResource":
        """The resource that ``settings`` ask for; starts nothing."""
        config: dict[str, Any] = dict(session_config(settings))
        jars_dir = str(settings.jars_dir) if settings.jars_dir else None
        return cls(spark_config=config, jars_dir=jars_dir)

    @property
    def spark_session(self) -> SparkSession:
        """The session; started at first use.

        Raises:
            SettingsError: A live session has another configuration.
            EnvironmentError360: The Delta jars have not been resolved.
        """
        session: SparkSession | None = self._spark_session
        if session is None:
            session = open_session(self.spark_config, self.jars_dir)
            self._spark_session = session  # type: ignore[assignment]  # declared as None there
        return session
