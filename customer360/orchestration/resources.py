"""Spark as a Dagster resource, and with it the home that a run writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import dagster as dg
from dagster_pyspark import LazyPySparkResource
from pyspark.sql import SparkSession

from customer360.home_lock import writing
from customer360.lakehouse.session import open_session, session_config
from customer360.orchestration.dead_runs import note_process
from customer360.settings import Settings


class SparkResource(LazyPySparkResource):
    """dagster-pyspark's lazy session, with Delta, and checked.

    The session starts when an asset first asks for it and serves the whole run. Where a session
    is live already, Spark would silently ignore a different configuration; this resource
    raises instead. ``spark_config`` can be overridden in a run's configuration.

    A run that has it holds the deployment's home: another process that writes there is waited for.
    """

    jars_dir: str | None = None
    home: str
    lock_wait_seconds: float = 0.0

    @classmethod
    def of(cls, settings: Settings) -> "SparkResource":
        """The resource that ``settings`` ask for; starts nothing."""
        config: dict[str, Any] = dict(session_config(settings))
        jars_dir = str(settings.jars_dir) if settings.jars_dir else None
        return cls(
            spark_config=config,
            jars_dir=jars_dir,
            home=str(settings.home.absolute()),
            lock_wait_seconds=settings.lock_wait_seconds,
        )

    @contextmanager
    def yield_for_execution(self, context: dg.InitResourceContext) -> Iterator[Self]:
        """The resource, while its run holds the home.

        Raises:
            HomeBusyError: Another process still writes there after ``lock_wait_seconds``.
        """
        run = context.run
        if run and context.instance:
            note_process(context.instance, run)
        with writing(
            Path(self.home),
            f"Dagster's run {run.run_id[:8]}" if run else "Dagster",
            wait_seconds=self.lock_wait_seconds,
            tell=context.log.warning if context.log else None,
        ):
            yield self

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
