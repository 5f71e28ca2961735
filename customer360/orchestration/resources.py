"""Spark as a Dagster resource, and with it the home that a run writes."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

import dagster as dg
from pydantic import PrivateAttr

from customer360.home_lock import writing
from customer360.lakehouse.session import session_config
from customer360.orchestration.dead_runs import name_of, note_process
from customer360.redaction import is_secret
from customer360.scratch import temporary_files_in
from customer360.settings import Settings, load_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from customer360.orchestration.delta_session import DeltaSession


class SparkResource(dg.ConfigurableResource["SparkResource"]):
    """The run's Spark session: that of dagster-pyspark, with Delta, started at first use.

    It serves the whole run. Until an asset asks for it neither PySpark nor dagster-pyspark is
    imported: a second that every load of the definitions would pay. ``spark_config`` can be
    overridden in a run's configuration. Dagster keeps and shows it: secrets among the deployment's
    ``spark_conf`` are not in it, and are read when the session starts.

    A run that has it holds the deployment's home: another process that writes there is waited for.
    """

    spark_config: dict[str, Any]
    jars_dir: str | None = None
    home: str
    scratch: str
    lock_wait_seconds: float = 0.0
    _lazy: "DeltaSession | None" = PrivateAttr(default=None)

    @classmethod
    def of(cls, settings: Settings) -> "SparkResource":
        """The resource that ``settings`` ask for; starts nothing."""
        config: dict[str, Any] = {
            name: value for name, value in session_config(settings).items() if not is_secret(name)
        }
        jars_dir = str(settings.jars_dir) if settings.jars_dir else None
        return cls(
            spark_config=config,
            jars_dir=jars_dir,
            home=str(settings.home.absolute()),
            scratch=str(settings.scratch_dir.absolute()),
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
        home = writing(
            Path(self.home),
            name_of(run.run_id) if run else "Dagster",
            wait_seconds=self.lock_wait_seconds,
            tell=context.log.warning if context.log else None,
        )
        with home, temporary_files_in(Path(self.scratch)):
            yield self

    @property
    def spark_session(self) -> "SparkSession":
        """The session; started at first use.

        Raises:
            SettingsError: A live session has another configuration.
            EnvironmentError360: The Delta jars have not been resolved.
        """
        from customer360.orchestration.delta_session import DeltaSession

        if self._lazy is None:
            config = self._secrets() | self.spark_config
            self._lazy = DeltaSession(spark_config=config, jars_dir=self.jars_dir)
        return self._lazy.spark_session

    def _secrets(self) -> dict[str, str]:
        stated = load_settings(self.home).spark_conf
        return {name: value for name, value in stated.items() if is_secret(name)}
