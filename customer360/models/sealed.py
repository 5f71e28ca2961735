"""Whether a file is what this deployment wrote: a keyed digest beside it says so.

For pickles, which run what is in them when they are read. Who can write the file and not read the
deployment's secrets cannot make its seal.
"""

from __future__ import annotations

import hashlib
import hmac
from pathlib import Path

SECRET = "model_files"
"""Name of the deployment's secret behind the seals."""


def write_sealed(file: Path, contents: bytes, secret: bytes) -> None:
    """Write ``contents`` to ``file``, whole or not at all, and its seal beside it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    # The seal first: a process that ends in between leaves a file that is not trusted.
    for target, written in ((_seal_of(file), _seal(contents, secret).encode()), (file, contents)):
        unfinished = target.with_name(f"{target.name}.unfinished")
        unfinished.write_bytes(written)
        unfinished.replace(target)


def is_sealed(file: Path, contents: bytes, secret: bytes | None) -> bool:
    """Whether ``contents``, read from ``file``, are what was written there with this secret."""
    if secret is None:
        return False
    try:
        kept = _seal_of(file).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return False
    return hmac.compare_digest(kept, _seal(contents, secret))


def _seal_of(file: Path) -> Path:
    return file.with_name(f"{file.name}.seal")


def _seal(contents: bytes, secret: bytes) -> str:
    return hmac.new(secret, contents, hashlib.sha256).hexdigest()
