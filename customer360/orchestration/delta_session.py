"""dagster-pyspark's lazy session, with Delta, and checked; imports PySpark."""

from dagster_pyspark import LazyPySparkResource
from pydantic import PrivateAttr
from pyspark.sql import SparkSession

from customer360.lakehouse.session import open_session


class DeltaSession(LazyPySparkResource):
    """``LazyPySparkResource`` that opens a Delta session.

    Where a session is live already, Spark would silently ignore a different configuration; this
    raises instead.
    """

    jars_dir: str | None = None
    _opened: SparkSession | None = PrivateAttr(default=None)

    @property
    def spark_session(self) -> SparkSession:
        """The session; started at first use.

        Raises:
            SettingsError: A live session has another configuration.
            EnvironmentError360: The Delta jars have not been resolved.
        """
        if self._opened is None:
            self._opened = open_session(self.spark_config, self.jars_dir)
        return self._opened
