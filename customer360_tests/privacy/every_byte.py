"""Looking for texts in every byte of a folder: files as they lie there, and as they decode."""

from __future__ import annotations

import bz2
import gzip
import lzma
import zlib
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq


def _stream(codec: str) -> Callable[[bytes], bytes]:
    def decompress(data: bytes) -> bytes:
        return bytes(pa.CompressedInputStream(pa.BufferReader(data), codec).read())

    return decompress


_BY_BEGINNING: dict[bytes, Callable[[bytes], bytes]] = {
    b"\x1f\x8b": gzip.decompress,
    b"BZh": bz2.decompress,
    b"\xfd7zXZ": lzma.decompress,
    b"\x28\xb5\x2f\xfd": _stream("zstd"),
    b"\x04\x22\x4d\x18": _stream("lz4"),
}
_LZ4_BLOCK = b"LZ4Block"
_ENCODINGS = ("utf-8", "utf-16-le", "latin-1")


def where_they_stand(folder: Path, texts: Collection[str]) -> dict[str, set[str]]:
    """By text, the files below ``folder`` that hold it, as paths relative to it."""
    wanted = {text: _spelt(text) for text in texts}
    there: dict[str, set[str]] = {text: set() for text in texts}
    for file in sorted(folder.rglob("*")):
        if file.is_symlink() or not file.is_file():
            continue
        name = str(file.relative_to(folder))
        for content in (name.encode(), *_contents(file)):
            low = content.lower()
            for text, spellings in wanted.items():
                if any(spelling in low for spelling in spellings):
                    there[text].add(name)
    return there


def _spelt(text: str) -> set[bytes]:
    spellings = set()
    for encoding in _ENCODINGS:
        try:
            spellings.add(text.lower().encode(encoding))
        except UnicodeEncodeError:
            continue
    return spellings


def _contents(file: Path) -> Iterator[bytes]:
    """A file's bytes, and what they mean."""
    data = file.read_bytes()
    yield data
    if data[:4] == b"PAR1":
        yield from _of_parquet(file)
    for begins, decompress in _BY_BEGINNING.items():
        if data.startswith(begins):
            try:
                yield decompress(data)
            except (OSError, EOFError, ValueError, zlib.error, lzma.LZMAError):
                continue
    if _LZ4_BLOCK in data:  # as Spark spills and shuffles
        yield from _lz4_blocks(data)


def _of_parquet(file: Path) -> Iterator[bytes]:
    try:
        reader = pq.ParquetFile(file)
    except (pa.ArrowInvalid, OSError):
        return
    yield str(reader.metadata).encode()
    yield repr(reader.schema_arrow.metadata).encode()
    for batch in reader.iter_batches():
        for column in batch.columns:
            nested = pa.types.is_nested(column.type)
            values = (column if nested else column.unique()).to_pylist()
            yield "\n".join(map(str, values)).encode()


def _lz4_blocks(data: bytes) -> Iterator[bytes]:
    """Blocks of lz4-java's stream: magic, a token, sizes packed and plain, a checksum."""
    codec = pa.Codec("lz4_raw")
    place = data.find(_LZ4_BLOCK)
    while place >= 0:
        header = place + len(_LZ4_BLOCK)
        packed, plain = (
            int.from_bytes(data[header + at : header + at + 4], "little") for at in (1, 5)
        )
        block = data[header + 13 : header + 13 + packed]
        is_raw = data[header : header + 1] and data[header] & 0xF0 == 0x10
        if plain:
            try:
                yield block if is_raw else codec.decompress(block, plain, asbytes=True)
            except (pa.ArrowInvalid, OSError):
                yield block
        place = data.find(_LZ4_BLOCK, header + 13 + packed)
