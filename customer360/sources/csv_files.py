"""A look at a whole text file before anything is written from it.

It is read once, in chunks: its header, whether values are quoted and end, and what characters it
holds. What is wrong with single rows is not this module's business.
"""

from __future__ import annotations

import codecs
import csv
import difflib
import functools
import gzip
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count, islice, tee
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from customer360.errors import BrokenFileError, first_line, listed
from customer360.limits import LONGEST_LINE
from customer360.quoting import is_row, shown_header
from customer360.sources.archives import refuse_expansion
from customer360.sources.text_form import WINDOWS_1252, TextForm

_CODECS = {"utf-8": "utf-8-sig"}
DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
"""What may stand between values, and what it is called."""
_CHUNK = 1 << 20
_GZIP, _ZIP, _PARQUET = b"\x1f\x8b", b"PK\x03\x04", b"PAR1"
_WIDE = (b"\xff\xfe", b"\xfe\xff")
# Encodings in which a byte below 128 is that ASCII character wherever it stands.
_PLAIN = re.compile(r"utf-8|latin-1|ascii|cp125\d|cp437|cp85\d|iso8859-\d+|koi8-[ru]|mac-roman")
_CONTROL = rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]"
# Also those above 127, which are two bytes in UTF-8 and what Windows-1252 has letters for.
_CONTROLS = {"utf-8": re.compile(_CONTROL + rb"|\xc2[\x80-\x9f]")}
_C1 = re.compile(rb"[\x80-\x9f]")
_SAMPLE = 100
_LONGEST = 5_000  # lines of one quoted value

csv.field_size_limit(LONGEST_LINE)

EMPTY = "deliver it again, or take it away: of no rows there is the header"
"""What to do about a file without a byte."""

CONTROL_CHARACTERS = r"[\x{00}-\x{08}\x{0B}\x{0C}\x{0E}-\x{1F}\x{7F}-\x{9F}]"
"""Regular expression (Java's) of characters that no text is meant to hold."""

CONTROL_CHARACTERS_OF_PYTHON = re.sub(r"\\x\{(\w+)\}", r"\\x\1", CONTROL_CHARACTERS)
"""`CONTROL_CHARACTERS` in the notation of Python."""


@dataclass(frozen=True)
class CsvShape:
    """What a look at a CSV file told.

    Attributes:
        header: Names of the columns; blank ones are ``_c0`` ..., repeated ones are numbered.
        repeated: Names that stand in the header more than once.
        many_lines: A quoted value goes over several lines.
        trailing: Rows end with a delimiter too much.
        controls: There are control characters.
        returns: A quoted value of a file whose lines end otherwise holds a lone carriage return,
            which readers that look at single lines take for the end of one.
        encoding: As the text is to be read: Latin-1 that holds what only Windows-1252 has is that.
    """

    header: tuple[str, ...]
    repeated: tuple[str, ...] = ()
    many_lines: bool = False
    trailing: bool = False
    controls: bool = False
    returns: bool = False
    encoding: str = "utf-8"


def check_csv(file: Path, wanted: Sequence[str], form: TextForm = TextForm()) -> CsvShape:  # noqa: B008 - frozen
    """Look at a whole CSV file before anything is written from it.

    Raises:
        BrokenFileError: The file is missing, unreadable, empty, not gzip though it says so (or
            the reverse), cut short, not in the encoding, has a quoted value that does not end or
            another delimiter, a line beyond `LONGEST_LINE`, unpacks to more than its form allows,
            lacks one of the columns ``wanted``, or has one twice.
    """
    shape = look(file, form)
    missing = [name for name in wanted if name not in shape.header]
    if missing:
        raise_missing(file, shape.header, missing, wanted, form)
    refuse_repeated(file, shape.repeated, wanted)
    return shape


def refuse_repeated(file: Path, repeated: Sequence[str], wanted: Sequence[str]) -> None:
    """See that no column that is ``wanted`` is one of those ``repeated`` in the header.

    Raises:
        BrokenFileError: One is: nobody knows which is meant.
    """
    twice = sorted(set(repeated) & set(wanted))
    if twice:
        raise BrokenFileError(
            file.name,
            "every column once",
            f"{listed(twice)} more than once",
            "rename one in the header, and name the one that is meant in the mapping",
        )


def look(file: Path, form: TextForm) -> CsvShape:
    """What the file looks like, whatever columns it has; see `check_csv`."""
    try:
        stat = file.stat()
    except OSError as error:
        raise BrokenFileError(file.name, "a CSV file", reason(error, file)) from None
    return _look(file, stat.st_size, stat.st_mtime_ns, form)


def shown_name(file: Path) -> str:
    """A file's name for a message, with its folder where files of many days are named alike."""
    return f"{file.parent.name}/{file.name}" if "=" in file.parent.name else file.name


@functools.lru_cache(maxsize=4096)
def _look(file: Path, size: int, mtime: int, form: TextForm) -> CsvShape:
    """Read the file through once; size and mtime are there so that a changed file is read anew."""
    if size == 0:
        raise BrokenFileError(file.name, "a CSV file with a header", "an empty file", EMPTY)
    with reading(file, form.encoding) as stream:
        names, trailing = _beginning(file, stream, form)
    with reading(file, form.encoding) as stream:
        scan = _scan(file, stream, form)
    many_lines = False
    if len(scan.odd_lines):
        with reading(file, form.encoding) as stream:
            many_lines = _check_quotes(file, stream, form, scan, len(names))
    returns = False
    if scan.lone_returns and scan.line_end == "\n":
        with reading(file, form.encoding) as stream:
            returns = _has_returns(stream, form)
    header, repeated = numbered(names)
    encoding = WINDOWS_1252 if scan.windows else form.encoding
    return CsvShape(
        header,
        repeated,
        many_lines=many_lines,
        trailing=trailing,
        controls=scan.controls,
        returns=returns,
        encoding=encoding,
    )


@dataclass(frozen=True)
class _Scan:
    """What is in a file's bytes: line numbers with an odd number of quotation marks, and more."""

    odd_lines: NDArray[np.int64]
    controls: bool
    windows: bool
    lone_returns: bool
    line_end: str


def _scan(file: Path, stream: IO[bytes], form: TextForm) -> _Scan:
    """Decode everything, and look at the bytes, chunk by chunk and not row by row."""
    encoding = form.encoding
    decoder = codecs.getincrementaldecoder(codec(encoding))()
    plain = _PLAIN.fullmatch(encoding) is not None
    controls = _CONTROLS.get(encoding if plain else "utf-8", re.compile(_CONTROL))
    mark, odd, marks, line = form.quote, [], 0, 0
    escape = form.escape.encode() if form.escape and mark else None
    found_control = found_windows = found_return = False
    line_end = "\r"
    size, unpacked, unended = file.stat().st_size, 0, 0
    while True:
        chunk = stream.read(_CHUNK)
        while escape and chunk.endswith(escape) and (more := stream.read(1)):
            chunk += more
        if chunk.endswith(b"\r"):
            chunk += stream.read(1)
        try:
            text = decoder.decode(chunk, final=not chunk)
        except UnicodeDecodeError as error:
            at = line + 1 + bytes(error.object[: error.start]).count(b"\n")
            error.reason = f"{error.reason} at line {at}"
            raise
        if not chunk:
            break
        if file.suffix == ".gz":
            unpacked += len(chunk)
            _refuse_expansion(file, size, unpacked, form)
        data = chunk if plain else text.encode()
        found_control = found_control or controls.search(data) is not None
        if encoding == "latin-1" and not found_windows:
            found_windows = _C1.search(data) is not None
        if escape and mark:
            data = data.replace(escape * 2, b"  ").replace(escape + mark.encode(), b"  ")
        values = np.frombuffer(data, dtype=np.uint8)
        ends = np.flatnonzero(values == _line_end(data))
        lengths = np.diff(ends, prepend=-1 - unended)
        unended = len(data) - int(ends[-1]) - 1 if len(ends) else unended + len(data)
        if max(lengths.max(initial=0), unended) > LONGEST_LINE:
            long = lengths > LONGEST_LINE
            _raise_long(file, line + 1 + (int(long.argmax()) if long.any() else len(ends)))
        if b"\n" in data:
            line_end = "\n"
        found_return = found_return or data.count(b"\r") > data.count(b"\r\n")
        if mark and mark.encode() in data:
            on = np.searchsorted(ends, np.flatnonzero(values == ord(mark)))
            counts = np.bincount(on, minlength=len(ends) + 1)
        else:
            counts = np.zeros(len(ends) + 1, dtype=np.int64)
        counts[0] += marks
        marks = int(counts[-1])  # the line may go on
        odd.append(np.flatnonzero(counts[:-1] % 2) + line + 1)
        line += len(ends)
    if marks % 2:
        odd.append(np.array([line + 1]))
    lines = np.concatenate(odd) if odd else np.array([], dtype=np.int64)
    return _Scan(lines, found_control, found_windows, found_return, line_end)


def _refuse_expansion(file: Path, size: int, unpacked: int, form: TextForm) -> None:
    refuse_expansion(
        file,
        size,
        unpacked,
        form.expands,
        f"if it is meant, write `expands: {4 * form.expands}` in the mapping",
    )


def _raise_long(file: Path, line: int) -> None:
    raise BrokenFileError(
        file.name,
        f"lines of at most {LONGEST_LINE:,} bytes",
        f"a longer one, line {line}",
        "take the value out that makes it so long, or leave its column out of the export; if rows "
        "do not end with a line break, export them so",
    )


def _bounded(file: Path, text: io.TextIOBase) -> Iterator[str]:
    """The lines of a text, none of which is more than a reader should hold."""
    for number in count(1):
        line = text.readline(LONGEST_LINE + 1)
        if not line:
            return
        if len(line) > LONGEST_LINE:
            _raise_long(file, number)
        yield line


def _has_returns(stream: IO[bytes], form: TextForm) -> bool:
    """Whether `without_returns` would mend a line."""
    text = lines_of(stream, form, newline="\n")
    try:
        lines, mended = tee(islice(text, form.skip_lines, None))
        others = without_returns(mended, form)
        return any(line != other for line, other in zip(lines, others, strict=True))
    finally:
        text.detach()


def without_returns(lines: Iterable[str], form: TextForm) -> Iterator[str]:
    """``lines`` that end with a line feed, a lone carriage return within quotes made a blank.

    A quotation mark opens a value only where a field begins: inches are no quotation.
    """
    quoted, mark = False, form.quote
    for line in lines:
        if mark is None or not (quoted or mark in line):
            yield line
        else:
            mended, quoted = _mended(line, mark, form, quoted)
            yield mended


def _mended(line: str, mark: str, form: TextForm, quoted: bool) -> tuple[str, bool]:
    """The line, and whether it ends within quotes, as it begins if it is ``quoted``."""
    parts: list[str] = []
    at, begins = 0, not quoted
    while at < len(line):
        letter, pair = line[at], line[at : at + 2]
        step = letter
        if form.escape is not None and letter == form.escape:
            step = pair
        elif letter == mark and quoted:
            if form.escape is None and pair == mark * 2:
                step = pair
            else:
                quoted = False
        elif letter == mark and begins:
            quoted = True
        elif quoted and letter == "\r" and pair != "\r\n":
            step = " "
        parts.append(step)
        begins = not quoted and letter in (form.delimiter, "\r", "\n")
        at += len(pair) if step == pair else 1
    return "".join(parts), quoted


def _line_end(data: bytes) -> int:
    return 13 if b"\n" not in data and b"\r" in data else 10


def codec(encoding: str) -> str:
    """Python's codec that reads the encoding and skips a byte-order mark."""
    return _CODECS.get(encoding, encoding)


def lines_of(
    stream: IO[bytes], form: TextForm, errors: str = "strict", newline: str = ""
) -> io.TextIOWrapper:
    """The stream's text, its line ends left as they are; detach it when done.

    Lines end where ``newline`` stands: any of their ends, if it is blank.
    """
    return io.TextIOWrapper(stream, encoding=codec(form.encoding), errors=errors, newline=newline)


def dialect(form: TextForm) -> dict[str, Any]:
    """The form as arguments of `csv.reader`."""
    if form.quote is None:
        return {"delimiter": form.delimiter, "quoting": csv.QUOTE_NONE}
    return {
        "delimiter": form.delimiter,
        "quotechar": form.quote,
        "doublequote": form.escape is None,
        "escapechar": form.escape,
    }


def _beginning(file: Path, stream: IO[bytes], form: TextForm) -> tuple[list[str], bool]:
    """The header's names, and whether the first rows all end with a delimiter too much."""
    # A bad byte further down is for _scan to report, with its line.
    text = lines_of(stream, form, errors="replace")
    try:
        rows = csv.reader(islice(_bounded(file, text), form.skip_lines, None), **dialect(form))
        names = next(rows, None)
        if names is None or not any(name.strip() for name in names):
            remedy = "write skip_lines: how many lines stand before the header"
            raise BrokenFileError(
                file.name,
                f"a header in {'the first line' if not form.skip_lines else 'the line after'}",
                "a blank line" if names is not None else "the end of the file",
                remedy,
            )
        sample = [row for row in islice(_whole(rows), _SAMPLE) if row]
    except csv.Error as error:
        raise BrokenFileError(
            file.name,
            "a CSV file with a header",
            first_line(error),
            "write `quote: none` in the mapping if no value of the file is quoted",
        ) from None
    finally:
        text.detach()
    if any("\0" in name for name in names):
        raise BrokenFileError(
            file.name,
            "a CSV file",
            "binary data in the header",
            "export it as CSV; if it is text of two bytes a letter, write `encoding: utf-16` in "
            "the mapping",
        )
    longer = [len(row) == len(names) + 1 and not row[-1].strip() for row in sample]
    return [name.strip(" \t\r\n\ufeff\u200b\xa0") for name in names], bool(longer) and all(longer)


def _whole(rows: Iterator[list[str]]) -> Iterator[list[str]]:
    """The rows up to one with a value beyond measure, whose quotation marks are looked at later."""
    try:
        yield from rows
    except csv.Error as error:
        if "field larger" not in str(error):
            raise


def numbered(names: Sequence[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Every column with a name of its own, and the names that stand there more than once."""
    taken = set(names)
    header: list[str] = []
    repeated: list[str] = []
    for position, name in enumerate(names):
        own = name or f"_c{position}"
        if name and name in header:
            repeated.append(name)
            own = next(n for k in range(2, len(names) + 2) if (n := f"{name}_{k}") not in taken)
            taken.add(own)
        header.append(own)
    return tuple(header), tuple(repeated)


def _check_quotes(file: Path, stream: IO[bytes], form: TextForm, scan: _Scan, columns: int) -> bool:
    """Whether quoted values go over several lines; one that never ends is named by its line.

    Only lines with an odd number of quotation marks can begin or end such a value. Whatever the
    number of marks in the file, a value is unclosed if the next mark does not close it as the
    format wants, or if what it swallowed are rows like the one that it stands in.

    Raises:
        BrokenFileError: A value never ends.
    """
    text = lines_of(stream, form, newline=scan.line_end)  # lines as they were counted
    odd_lines = set(scan.odd_lines.tolist())
    opened, span, spans = 0, [], False
    try:
        for number, line in enumerate(text, start=1):
            if opened:
                span.append(line)
                if number not in odd_lines and len(span) <= _LONGEST:
                    continue
                if number not in odd_lines:
                    _raise_unclosed(file, opened, form, f"not closed within {_LONGEST:,} lines")
                if not _is_one_row(span, form, columns):
                    _raise_unclosed(file, opened, form)
                opened, spans = 0, True
            elif number in odd_lines and number > form.skip_lines and _opens(line, form):
                opened, span = number, [line]
    finally:
        text.detach()
    if opened:
        _raise_unclosed(file, opened, form)
    return spans


def _raise_unclosed(file: Path, line: int, form: TextForm, state: str = "never closed") -> None:
    raise BrokenFileError(
        file.name,
        "quoted values that end",
        f"a quotation mark in the record at line {line} that is {state}",
        f"close it or take {form.quote} away there; if no value of the file is quoted, write "
        "`quote: none` in the mapping",
    )


def _opens(line: str, form: TextForm) -> bool:
    """Whether a quoted value begins in a line and does not end there."""
    try:
        list(csv.reader([line], strict=True, **dialect(form)))
    except csv.Error as error:
        return "unexpected end of data" in str(error)
    return False


def _is_one_row(span: Iterable[str], form: TextForm, columns: int) -> bool:
    """Whether lines are one row with a quoted value of several lines, and not rows swallowed."""
    try:
        (row,) = csv.reader(span, strict=True, **dialect(form))
    except (csv.Error, ValueError):
        return False
    for position, value in enumerate(row):
        for piece in value.splitlines()[1:]:
            fields = piece.split(form.delimiter)
            if len(fields) == columns >= 3 and _alike(fields, row, position):
                return False
    return True


def _alike(fields: Sequence[str], row: Sequence[str], besides: int) -> bool:
    """Whether some number or date of ``row`` has its like at the same place of ``fields``."""
    return any(
        position != besides
        and any(letter.isdigit() for letter in value)
        and _figure(value) == _figure(fields[position])
        for position, value in enumerate(row[: len(fields)])
    )


def _figure(value: str) -> str:
    """What a value looks like: its digits and letters do not matter."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", value.strip()))


@contextmanager
def reading(file: Path, encoding: str) -> Iterator[IO[bytes]]:
    """Open a plain or gzipped file, and turn what goes wrong while reading into one line."""
    zipped = file.suffix == ".gz"
    expected = "a gzip file" if zipped else "a CSV file"
    try:
        with file.open("rb") as raw:
            start = raw.read(4)
            raw.seek(0)
            if zipped and not start.startswith(_GZIP):
                raise BrokenFileError(
                    file.name, expected, _kind(start), "remove .gz from its name or compress it"
                )
            if not zipped and start.startswith(_GZIP):
                raise BrokenFileError(
                    file.name, "plain text", "gzip data", "give its name the ending .gz"
                )
            if start.startswith(_WIDE) and not encoding.startswith("utf-16"):
                raise BrokenFileError(
                    file.name,
                    f"{encoding} text",
                    "UTF-16 text",
                    "write `encoding: utf-16` in the mapping",
                )
            if start.startswith((_ZIP, _PARQUET)):
                remedy = "write `format: parquet` in the mapping"
                if start.startswith(_ZIP):
                    remedy = "give a spreadsheet's name the ending .xlsx; unpack an archive"
                raise BrokenFileError(file.name, expected, _kind(start), remedy)
            if zipped:
                with gzip.open(raw) as stream:
                    yield stream  # type: ignore[misc]
            else:
                yield raw
    except UnicodeDecodeError as error:
        byte = error.object[error.start : error.start + 1]
        where = error.reason.rpartition(" at line ")[2]
        likely = "windows-1252" if _C1.match(byte) else "latin-1"
        other = likely if encoding == "utf-8" else "utf-8"
        remedy = f"write `encoding: {other}` in the mapping, or that in which it was written"
        raise BrokenFileError(
            file.name, f"{encoding} text", f"byte 0x{byte.hex()} at line {where}", remedy
        ) from None
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        found = "one that breaks off" if isinstance(error, EOFError) else "one that is damaged"
        raise BrokenFileError(
            file.name, "a whole gzip file", found, "fetch the file again"
        ) from None
    except OSError as error:
        remedy = "" if isinstance(error, FileNotFoundError) else "give a file that may be read"
        raise BrokenFileError(file.name, expected, reason(error, file), remedy) from None


def raise_missing(
    file: Path,
    header: Sequence[str],
    missing: Sequence[str],
    wanted: Sequence[str],
    form: TextForm | None,
) -> None:
    """Say which columns a file lacks, and why that may be.

    Raises:
        BrokenFileError: Always.
    """
    if form is not None and len(header) == 1:
        for other, name in DELIMITERS.items():
            if other != form.delimiter and other in header[0]:
                used = DELIMITERS.get(form.delimiter, repr(form.delimiter))
                raise BrokenFileError(
                    file.name,
                    f"columns separated by {used}",
                    f"columns separated by {name}",
                    f'write `delimiter: "{other}"` in the mapping'.replace("\t", "\\t"),
                )
    spelt = {name.lower(): name for name in header}
    near = [spelt[name.lower()] for name in missing if name.lower() in spelt]
    noun = "column" if len(missing) == 1 else "columns"
    remedy = _near(header, missing)
    if is_row(header, wanted):
        remedy = "deliver it with a header, which names its columns as the mapping does"
    if near:
        remedy = f"{listed(near)} differs in case: write it so under columns in the mapping"
    if not near and form is not None and (skip := _header_below(file, missing, form)):
        remedy = f"the header is in line {skip + 1}: write `skip_lines: {skip}` in the mapping"
    wanting = f"{noun} {listed(list(missing), 12)}"
    raise BrokenFileError(shown_name(file), wanting, shown_header(header, wanted), remedy)


def _near(header: Sequence[str], missing: Sequence[str]) -> str:
    """What to write in place of a column that is not there."""
    alike = difflib.get_close_matches(missing[0], header, n=1, cutoff=0.7)
    if alike:
        return f"if {alike[0]} is {missing[0]}, write that in the mapping"
    return "write the file's own names in the mapping, and leave out what it does not have"


def _header_below(file: Path, names: Sequence[str], form: TextForm) -> int:
    """How many lines stand before one that holds all ``names``; 0 where none does."""
    with reading(file, form.encoding) as stream:
        text = lines_of(stream, form, errors="replace")
        try:
            first = list(islice(text, 50))
        finally:
            text.detach()
    for number, line in enumerate(first):
        try:
            fields = next(csv.reader([line], **dialect(form)), [])
        except csv.Error:
            continue
        if set(names) <= {field.strip() for field in fields}:
            return number
    return 0


def kind_of(file: Path) -> str:
    """What a file is, by its first bytes."""
    try:
        with file.open("rb") as stream:
            return _kind(stream.read(4))
    except OSError as error:
        return reason(error, file)


def _kind(start: bytes) -> str:
    if not start:
        return "an empty file"
    if start.startswith(_ZIP):
        return "a zip archive or spreadsheet"
    if start.startswith(_PARQUET):
        return "a Parquet file"
    return "plain text" if start.isascii() and b"\0" not in start else "binary data"


def reason(error: OSError, file: Path) -> str:
    """What the operating system said about a file, in a few words."""
    if isinstance(error, FileNotFoundError):
        return f"no such file in {file.parent}"
    return (error.strerror or first_line(error)).lower()
