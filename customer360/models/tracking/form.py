"""The form in which MLflow keeps a model: code of this package, and in files what it knows."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from customer360.errors import Customer360Error

log = logging.getLogger(__name__)

DIGESTS = "files_sha256"
"""Tag of a version: what `digests_of` says of it. The registry keeps it apart from the files."""

PARAMETERS = "parameters.json"
"""File of a model's own JSON, which is in the metadata beside it too."""

_JUDGED = "judged"
"""Name among the digests of the judged model's JSON, which is in the metadata alone."""


class ChangedModelError(Customer360Error):
    """A model's file is not what training wrote."""


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
        digests: SHA-256 of its files and of the judged model's JSON by name, as the registry has
            them; None of a version of an older release, some of whose have no JSON.
    """

    folder: Path
    parameters: str
    judged: str | None = None
    digests: Mapping[str, str] | None = None

    def file(self, name: str) -> bytes:
        """Contents of a file; empty when there is none of that name.

        Raises:
            ChangedModelError: They are not what training wrote: they are not to be read, as a
                pickle runs what is in it.
        """
        matches = sorted(self.folder.rglob(name))
        contents = matches[0].read_bytes() if matches else b""
        if self.digests is None:
            _warn_of_older(name)
        elif matches or name in self.digests:
            place = matches[0] if matches else self.folder / name
            self._compare(name, contents, f"{place} is not the file")
        return contents

    def check(self) -> None:
        """See that its JSON, its code and all its other files are what training wrote.

        Raises:
            ChangedModelError: One is not.
        """
        if self.digests is None or PARAMETERS not in self.digests:
            _warn_of_older(PARAMETERS)
            return
        for name in self.digests:
            if name != _JUDGED:
                self.file(name)
        metadata = self.folder / "MLmodel"
        own = self.parameters.encode()
        self._compare(PARAMETERS, own, f"what {metadata} says of the model is not the text")
        if self.judged or _JUDGED in self.digests:
            judged = (self.judged or "").encode()
            of_judged = f"what {metadata} says of the judged model is not the text"
            self._compare(_JUDGED, judged, of_judged)

    def _compare(self, name: str, contents: bytes, differs: str) -> None:
        if (self.digests or {}).get(name) != hashlib.sha256(contents).hexdigest():
            raise ChangedModelError(
                f"{differs} that training wrote (SHA-256): find out who changed it, then train "
                "again, or `customer360 rollback` to a version that is whole"
            )


def _warn_of_older(name: str) -> None:
    log.warning(
        "%s was registered by an older release, without its checksum; the next training notes it",
        name,
    )


def digests_of(form: ModelForm) -> str:
    """SHA-256 of what is stored of a model by its names, as JSON: for a tag of its version."""
    contents = {
        **dict(form.files.values()),
        form.code.name: form.code.read_bytes(),
        PARAMETERS: form.parameters.encode(),
        **({_JUDGED: form.judged.encode()} if form.judged else {}),
    }
    return json.dumps({name: hashlib.sha256(each).hexdigest() for name, each in contents.items()})


def digests_in(tags: Mapping[str, str]) -> dict[str, str] | None:
    """What `digests_of` wrote, from the tags of a version; None of an older release."""
    return dict(json.loads(tags[DIGESTS])) if DIGESTS in tags else None


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
