"""Whether the regular expressions of a mapping are such to Spark, before any row is read by them.

A mapping is checked by Python when it is read, without a session. Rows are tested by Java, which
knows no ``(?P<name>…)``, no ``(?(1)…)`` and some more; in the middle of a load its complaint comes
with a trace of every task.
"""

from __future__ import annotations

from collections.abc import Iterator

from pyspark.errors import PySparkException
from pyspark.sql import SparkSession
from pyspark.sql import functions as F

from customer360.errors import SettingsError
from customer360.sources.base import Source
from customer360.sources.mapped import MappedSource
from customer360.sources.mapping import RowMapping

_RULES = ("cancellations", "discounts", "exclude")


def check_patterns(spark: SparkSession, source: Source) -> None:
    """See that Spark takes every regular expression of the source's mapping.

    It evaluates them on one text while it plans: no job runs.

    Raises:
        SettingsError: It does not take one; the message names the key.
    """
    if not isinstance(source, MappedSource):
        return
    for key, pattern in _patterns(source.mapping):
        text = spark.sql("SELECT * FROM VALUES ('') AS texts(text)")
        try:
            text.select(F.col("text").rlike(pattern)).collect()
        except PySparkException:
            raise SettingsError(
                f"mapping {source.name}: {key}: {pattern!r} is not a regular expression that Spark "
                "knows; write it as Java does: (?<name>…) for (?P<name>…), and no (?(1)…)"
            ) from None


def _patterns(mapping: RowMapping) -> Iterator[tuple[str, str]]:
    for rules in _RULES:
        for number, rule in enumerate(getattr(mapping, rules)):
            if rule.matches is not None:
                yield f"{rules}.{number}.matches", rule.matches
