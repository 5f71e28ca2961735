"""What is known of some people: the texts that name them, and the files they stand in."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.contracts import Contract
from customer360.contracts.sql import quoted
from customer360.pipeline.workspace import Workspace
from customer360.privacy.people import Person
from customer360.privacy.their_rows import (
    IS_THEIRS,
    accepted,
    tables_of_people,
    texts_frame,
    whose_rows,
)
from customer360.table_names import CUSTOMERS, HISTORY

KEY = "customer_key"


def known_of(work: Workspace, people: Sequence[Person]) -> tuple[set[str], set[str]]:
    """Texts that name ``people``, and raw files that they stand in as ``source: file``.

    Of bronze, where every state of a profile stands that ever came, and of silver, which has them
    tidied.
    """
    words: set[str] = set()
    files: set[str] = set()
    for person in people:
        words |= {person.customer_key, person.source_customer_id}
    for source in work.deployment.sources:
        whose = whose_rows(work, source, people)
        if whose is None:
            continue
        for table, columns in tables_of_people(source):
            if not work.lakehouse.exists(f"bronze/{table}"):
                continue
            named = {*source.contract(table).personal_columns, *columns.keys}
            theirs = accepted(work, source, table, columns, whose).where(IS_THEIRS)
            rows = theirs.select("_source_file", *map(quoted, sorted(named))).distinct().collect()
            files |= {f"{source.name}: {row[0]}" for row in rows}
            words |= {str(text).strip() for row in rows for text in row[1:] if text is not None}
    for table in (CUSTOMERS, HISTORY):
        if work.lakehouse.exists(table):
            theirs = work.lakehouse.read(table).join(keys_of(work, people), KEY, "left_semi")
            texts = (F.col(name).cast("string") for name in Contract.load(table).personal_columns)
            words |= {text for row in theirs.select(*texts).collect() for text in row if text}
    return {word for word in words if word}, files


def keys_of(work: Workspace, people: Sequence[Person]) -> DataFrame:
    """Their customer keys, as a frame."""
    return texts_frame(work.spark, KEY, [each.customer_key for each in people])
