"""Files as they were delivered: whether they have changed, and what is in a zip."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from customer360.errors import BrokenFileError, first_line

_CHUNK = 1 << 20


def fingerprint(files: Iterable[Path]) -> str:
    """Changes when a file is added, removed, grown or written again."""
    digest = hashlib.sha256()
    for file in sorted(files):
        stat = file.stat()
        digest.update(f"{file.name}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def unpack(archive: Path, names: Collection[str], into: Path) -> list[Path]:
    """Extract the members of a zip called ``names`` (in whatever folder) and return them.

    Spark cannot read zips. A changed archive goes into a new folder below ``into``; one that was
    extracted before is not extracted again.

    Raises:
        BrokenFileError: ``archive`` is not a zip, is damaged or encrypted.
    """
    stat = archive.stat()
    version = hashlib.sha256(f"{archive.name}\0{stat.st_size}\0{stat.st_mtime_ns}".encode())
    folder = into / f"{archive.stem}-{version.hexdigest()[:12]}"
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {Path(info.filename).name: info for info in opened.infolist()}
            chosen = {name: info for name, info in members.items() if name in names}
            folder.mkdir(parents=True, exist_ok=True)
            for name, info in chosen.items():
                target = folder / name
                if target.exists():
                    continue
                # The name appears only once the member is whole.
                scratch = folder / f".{name}.{os.getpid()}"
                with opened.open(info) as source, scratch.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                scratch.replace(target)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        raise BrokenFileError(archive.name, "a zip archive", first_line(error)) from None
    return [folder / name for name in chosen]
