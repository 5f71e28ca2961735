"""The form in which MLflow keeps a model: code of this package, and in files what it knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd


@dataclass(frozen=True)
class ModelForm:
    """What is stored of a model.

    Attributes:
        code: Module that MLflow copies, and loads to serve the model.
        parameters: The model's own JSON, which the code knows as the artifact ``parameters``.
        example: Rows as it takes them.
        signature: MLflow's, of what it takes and gives.
        files: File name and contents by the name that the code knows the file by.
        judged: JSON of the model that was judged, where another one is published.
    """

    code: Path
    parameters: str
    example: pd.DataFrame
    signature: Any
    files: Mapping[str, tuple[str, bytes]] = field(default_factory=dict)
    judged: str = ""


@dataclass(frozen=True)
class StoredModel:
    """A version as MLflow keeps it.

    Attributes:
        folder: Its files.
        parameters: Its own JSON.
        judged: That of the judged model and its day, where there is one.
    """

    folder: Path
    parameters: str
    judged: str | None = None

    def file(self, name: str) -> bytes:
        """Contents of a file; empty when there is none of that name."""
        matches = sorted(self.folder.rglob(name))
        return matches[0].read_bytes() if matches else b""


def declared_signature(example: pd.DataFrame, texts: Sequence[str], outputs: Sequence[str]) -> Any:
    """A signature that is not inferred: a source may have no category, and nulls have no type.

    Args:
        example: Its columns are what the model takes, each of which may be missing.
        texts: Which of them are text; the others are numbers.
        outputs: The numbers that it gives.
    """
    from mlflow.models import ModelSignature
    from mlflow.types import ColSpec, DataType, Schema

    kinds = {
        name: DataType.string if name in texts else DataType.double for name in example.columns
    }
    return ModelSignature(
        inputs=Schema([ColSpec(kind, name, required=False) for name, kind in kinds.items()]),
        outputs=Schema([ColSpec(DataType.double, name) for name in outputs]),
    )
