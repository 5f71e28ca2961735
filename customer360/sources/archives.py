"""Compressed files and what changes: what is in a zip, and whether it can be unpacked at all."""

from __future__ import annotations

import hashlib
import os
import shutil
import zipfile
import zlib
from collections.abc import Collection, Iterable
from pathlib import Path

from customer360.errors import BrokenFileError, first_line
from customer360.sources.text_form import EXPANDS

_CHUNK = 1 << 20

UNSUSPICIOUS = 100 << 20
"""Bytes that any compressed file may unpack to."""

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)
"""What `zipfile` raises of an archive that is damaged, encrypted, or packed in an unknown way."""


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
    if not folder.exists():
        remedy = "if it is meant, unpack it and give the folder"
        check_zip(archive, "a zip archive", EXPANDS, remedy)
    try:
        with zipfile.ZipFile(archive) as opened:
            members = {Path(info.filename).name: info for info in opened.infolist()}
            chosen = {name: info for name, info in members.items() if name in names}
            for name, info in chosen.items():
                target = folder / name
                if target.exists():
                    continue
                folder.mkdir(parents=True, exist_ok=True)
                # The name appears only once the member is whole.
                scratch = folder / f".{name}.{os.getpid()}"
                with opened.open(info) as source, scratch.open("wb") as sink:
                    shutil.copyfileobj(source, sink, _CHUNK)
                # As old as the archive: taken out again, it has not changed.
                os.utime(scratch, ns=(stat.st_atime_ns, stat.st_mtime_ns))
                scratch.replace(target)
    except ZIP_ERRORS as error:
        raise BrokenFileError(archive.name, "a zip archive", first_line(error)) from None
    return [folder / name for name in chosen]


def refuse_expansion(file: Path, packed: int, unpacked: int, most: int, remedy: str) -> None:
    """Nothing, where a file unpacks to no more than it may.

    Args:
        file: The file.
        packed: Its size in bytes.
        unpacked: Bytes that it unpacks to, as far as it was read.
        most: How many times ``packed`` they may be.
        remedy: What to do if it is meant.

    Raises:
        BrokenFileError: It unpacks to more.
    """
    if unpacked > UNSUSPICIOUS and unpacked > most * packed:
        raise BrokenFileError(
            file.name,
            f"a file of {packed:,} bytes that unpacks to at most {most} times as many",
            f"{unpacked:,} bytes and more",
            remedy,
        )


def check_zip(file: Path, expected: str, most: int, remedy: str) -> None:
    """Read a zip archive, or a spreadsheet that is one, through once before anything uses it.

    Args:
        file: The archive.
        expected: What it should be, for the message.
        most: As for `refuse_expansion`, which also looks at what the archive says of its size.
        remedy: Likewise.

    Raises:
        BrokenFileError: It is damaged, or unpacks to more than it may.
    """
    try:
        with zipfile.ZipFile(file) as opened:
            stated = sum(member.file_size for member in opened.infolist())
            refuse_expansion(file, file.stat().st_size, stated, most, remedy)
            damaged = opened.testzip()  # reads no more of a member than is stated
    except ZIP_ERRORS as error:
        found = first_line(error)
        if isinstance(error, zipfile.BadZipFile) and not zipfile.is_zipfile(file):
            found = "none, or one that breaks off"
        raise BrokenFileError(file.name, expected, found, "fetch it again") from None
    if damaged is not None:
        raise BrokenFileError(file.name, expected, f"a damaged part {damaged}", "fetch it again")
