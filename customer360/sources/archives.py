"""Compressed files: whether they are whole, and do not unpack to what no disk or memory holds."""

from __future__ import annotations

import zipfile
import zlib
from pathlib import Path

from customer360.errors import BrokenFileError, first_line

UNSUSPICIOUS = 100 << 20
"""Bytes that any compressed file may unpack to."""

ZIP_ERRORS = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, OSError, ValueError)
"""What `zipfile` raises of an archive that is damaged, encrypted, or packed in an unknown way."""


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
        raise BrokenFileError(file.name, expected, first_line(error), "fetch it again") from None
    if damaged is not None:
        raise BrokenFileError(file.name, expected, f"a damaged part {damaged}", "fetch it again")
