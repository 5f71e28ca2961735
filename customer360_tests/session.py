"""The Spark session of the tests: what a user with a handful of rows would set."""

from __future__ import annotations

import json
from collections.abc import Mapping

TINY = {
    # Compiling for minutes of use would take longer than it saves. With that choice Java sets 48 MB
    # aside for compiled code, which a whole run fills, and then it interprets.
    "CUSTOMER360_SPARK_JAVA_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:ReservedCodeCacheSize=240m",
    # The same for what Spark would make Java of: for a handful of rows it takes a quarter longer.
    "CUSTOMER360_SPARK_CONF": json.dumps(
        {
            "spark.sql.codegen.wholeStage": "false",
            "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        }
    ),
    # One session serves a thousand tests, and Delta remembers every table it has seen.
    "CUSTOMER360_SPARK_DRIVER_MEMORY": "4g",
    # Libraries that would take every core for a few rows, on every worker at once.
    "OMP_NUM_THREADS": "1",
}
"""Environment variables, and their values while tests run."""


def users_own(environment: Mapping[str, str]) -> dict[str, str]:
    """``environment`` of a process that is to run as a user's does, by the defaults."""
    return {name: value for name, value in environment.items() if name not in TINY}
