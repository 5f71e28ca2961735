"""What a model came from: the columns that it reads, and the code that made it."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from importlib.metadata import version
from importlib.resources.abc import Traversable
from typing import TYPE_CHECKING, Self

from customer360.errors import Customer360Error

if TYPE_CHECKING:
    import pyarrow as pa
    from pyspark.sql import DataFrame

_ARROW_TYPES = {
    "bool": "boolean",
    "int32": "int",
    "int64": "bigint",
    "date32[day]": "date",
    "large_string": "string",
    "timestamp[us, tz=UTC]": "timestamp",
}
"""Spark's names of types that Arrow calls otherwise."""

_DIGITS = 16
"""Hexadecimal digits of a hash that is shown to people: 64 bits tell every schema apart."""


class FeatureSchemaError(Customer360Error):
    """A model was trained on other columns than it would score; the message names them."""


@dataclass(frozen=True)
class FeatureSchema:
    """The columns that a model reads, in its order.

    Attributes:
        columns: Name and Spark type of each, as ``("frequency", "int")``.
    """

    columns: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, frame: DataFrame, names: Sequence[str]) -> Self:
        """Those of ``frame`` that are called ``names``; nothing is computed."""
        return cls(tuple(frame.select(*names).dtypes))

    @classmethod
    def of_arrow(cls, schema: pa.Schema, names: Sequence[str]) -> Self:
        """Those of a table in Arrow, by the types that Spark reads the same table as."""
        return cls(tuple((name, _spark_type(schema.field(name).type)) for name in names))

    @property
    def hash(self) -> str:
        """Equal for equal columns: what is written beside a model's version."""
        return hashlib.sha256(self.to_json().encode()).hexdigest()[:_DIGITS]

    def to_json(self) -> str:
        """As JSON text."""
        return json.dumps(self.columns)

    @classmethod
    def from_json(cls, text: str) -> Self:
        """From the text of `to_json`."""
        return cls(tuple((name, kind) for name, kind in json.loads(text)))

    def check(self, offered: FeatureSchema, model: str) -> None:
        """See that the columns offered are those that the model was trained on.

        Args:
            offered: Columns that it would score.
            model: Its name and version, for the message.

        Raises:
            FeatureSchemaError: They differ; the message names the difference.
        """
        difference = column_difference(
            [name for name, _ in self.columns], [name for name, _ in offered.columns]
        )
        now = dict(offered.columns)
        retyped = [
            f"{name} as {now[name]} in place of {kind}"
            for name, kind in self.columns
            if now.get(name, kind) != kind
        ]
        differences = [*([difference] if difference else []), *retyped]
        if differences:
            raise FeatureSchemaError(
                f"{model} was trained on other features: they are now {' and '.join(differences)}; "
                "train it again"
            )


def _spark_type(kind: pa.DataType) -> str:
    text = str(kind)
    if text.startswith("decimal128"):
        return text.replace("decimal128", "decimal").replace(" ", "")
    return _ARROW_TYPES.get(text, text)


def column_difference(trained: Sequence[str], offered: Sequence[str]) -> str:
    """How the columns offered differ from those trained on, in words; empty when they do not."""
    gone = [name for name in trained if name not in offered]
    new = [name for name in offered if name not in trained]
    differences = [
        f"{what} {', '.join(names)}"
        for what, names in (("without", gone), ("with the new", new))
        if names
    ]
    if not differences and list(trained) != list(offered):
        return "in another order"
    return " and ".join(differences)


@functools.cache
def code_version() -> str:
    """The package's version and a hash of its source, so that unreleased changes show too."""
    digest = hashlib.sha256()
    for path, file in sorted(_sources(resources.files("customer360"), "")):
        digest.update(path.encode() + b"\0" + file.read_bytes() + b"\0")
    return f"{version('customer360')}+{digest.hexdigest()[:_DIGITS]}"


def _sources(folder: Traversable, at: str) -> list[tuple[str, Traversable]]:
    files: list[tuple[str, Traversable]] = []
    for entry in folder.iterdir():
        if entry.is_dir():
            files += _sources(entry, f"{at}{entry.name}/")
        elif entry.name.endswith((".py", ".yaml")):
            files.append((f"{at}{entry.name}", entry))
    return files
