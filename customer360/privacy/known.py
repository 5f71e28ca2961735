"""What is known of some people: the texts that name them, and the files they stand in.

A text names somebody where nobody else can have it: an address or a number of theirs, an id that is
more than a few digits. Postal codes, birth dates and single names are several people's.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from pyspark.sql import DataFrame

from customer360.bronze.forgetting import Forgotten
from customer360.contracts.sql import quoted
from customer360.pipeline.workspace import Workspace
from customer360.privacy.people import Person
from customer360.privacy.their_rows import (
    IS_THEIRS,
    accepted,
    tables_of_people,
    texts_frame,
)
from customer360.table_names import CUSTOMERS, HISTORY

KEY = "customer_key"

_IDENTIFYING = ("source_customer_id", "email", "phone", "tax_id")
_LETTERS_OR_LONG = re.compile(r".*[^\W\d_].*|(.*\d){8}.*", re.DOTALL)
"""An id that is not one small number among others."""


def known_of(
    work: Workspace, people: Sequence[Person], whose: Mapping[str, Forgotten]
) -> tuple[set[str], set[str]]:
    """Texts that name ``people``, and raw files that they stand in as ``source: file``.

    Of bronze, where every state of a profile stands that ever came, and of silver, which has them
    tidied. Full names are among the texts: whoever looks for rows leaves them out.

    Args:
        work: Where.
        people: Who.
        whose: The same, as `their_rows.people_by_source` gives them.
    """
    words: set[str] = set()
    files: set[str] = set()
    for person in people:
        words |= {person.customer_key, person.source_customer_id}
    for source in work.deployment.sources:
        if source.name not in whose:
            continue
        for table, columns in tables_of_people(source):
            if not work.lakehouse.exists(f"bronze/{table}"):
                continue
            named = columns.identifying
            theirs = accepted(work, source, table, columns, whose[source.name])
            theirs = theirs.where(IS_THEIRS)
            rows = theirs.select("_source_file", *map(quoted, sorted(named))).distinct().collect()
            files |= {f"{source.name}: {row[0]}" for row in rows}
            words |= {str(text).strip() for row in rows for text in row[1:] if text is not None}
    for table in (CUSTOMERS, HISTORY):
        if work.lakehouse.exists(table):
            theirs = work.lakehouse.read(table).join(keys_of(work, people), KEY, "left_semi")
            names = [name for name in (*_IDENTIFYING, "name") if name in theirs.columns]
            rows = theirs.select(*names).collect() if names else []
            words |= {
                row[name]
                for row in rows
                for name in names
                # A name of one word may be a word.
                if row[name] and (name != "name" or " " in row[name].strip())
            }
    return {word for word in words if _LETTERS_OR_LONG.fullmatch(word)}, files


def keys_of(work: Workspace, people: Sequence[Person]) -> DataFrame:
    """Their customer keys, as a frame."""
    return texts_frame(work.spark, KEY, [each.customer_key for each in people])
