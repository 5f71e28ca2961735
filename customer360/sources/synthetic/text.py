"""Numbers to text, a column at a time: fixed-width bytes straight into Arrow strings.

Formatting ten million ids and times one by one would take longer than drawing them.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]

_FOUR = np.array([f"{n:04d}" for n in range(10_000)], dtype="S4").view(np.uint32)
_ODD = np.uint64(0x9E3779B97F4A7C15)
_CLOCK: Bytes = (
    np.array(
        [f" {h:02d}:{m:02d}:{s:02d}" for h in range(24) for m in range(60) for s in range(60)],
        dtype="S9",
    )
    .view(np.uint8)
    .reshape(-1, 9)
)


def digits(values: NDArray[Any], groups: int) -> Bytes:
    """Matrix of the decimal digits of ``values``, padded with zeros to ``4 * groups``."""
    matrix = np.empty((len(values), groups), dtype=np.uint32)
    # Division by a constant is fast in numpy, divmod is not; half the bits, twice the speed.
    small = values.size == 0 or int(values.max()) < 1 << 32
    rest: NDArray[Any] = values.astype(np.uint32 if small else np.uint64)
    for group in range(groups - 1, -1, -1):
        above: NDArray[Any] = rest // 10_000
        matrix[:, group] = _FOUR[rest - above * 10_000]
        rest = above
    return matrix.view(np.uint8)


def strings(matrix: Bytes, valid: NDArray[np.bool_] | None = None) -> Any:
    """Arrow string array of the rows of a byte matrix; null where not ``valid``."""
    n, width = matrix.shape
    if valid is None:
        offsets = np.arange(n + 1, dtype=np.int32) * np.int32(width)
        return _from_buffers(offsets, matrix, None)
    offsets = np.zeros(n + 1, dtype=np.int32)
    np.cumsum(valid * width, out=offsets[1:])
    return _from_buffers(offsets, matrix[valid], valid)


def _from_buffers(offsets: NDArray[np.int32], data: Bytes, valid: NDArray[np.bool_] | None) -> Any:
    bitmap = None if valid is None else pa.py_buffer(np.packbits(valid, bitorder="little"))
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(data)), bitmap
    )


def identifiers(prefix: str, values: NDArray[Any], groups: int) -> Any:
    """``prefix`` and the zero-padded number, as in ``C00000042``."""
    return strings(prefixed(prefix, values, groups))


def prefixed(prefix: str, values: NDArray[Any], groups: int) -> Bytes:
    """Byte matrix of :func:`identifiers`."""
    matrix = np.empty((len(values), len(prefix) + 4 * groups), dtype=np.uint8)
    matrix[:, : len(prefix)] = np.frombuffer(prefix.encode(), dtype=np.uint8)
    matrix[:, len(prefix) :] = digits(values, groups)
    return matrix


def day_bytes(first: date, days: int) -> Bytes:
    """Look-up table: row n is the ISO date of the n-th day from ``first``."""
    return (
        np.array([(first + timedelta(n)).isoformat() for n in range(days)], dtype="S10")
        .view(np.uint8)
        .reshape(-1, 10)
    )


def times(day_table: Bytes, seconds: NDArray[Any]) -> Any:
    """``yyyy-MM-dd HH:mm:ss`` of seconds since the first day of ``day_table``."""
    day = seconds // 86_400
    second = seconds - day * 86_400
    matrix = np.empty((len(seconds), 19), dtype=np.uint8)
    matrix[:, :10] = day_table[day]
    matrix[:, 10:] = _CLOCK[second]
    return strings(matrix)


def money(cents: NDArray[Any]) -> Any:
    """Cents (below 2**32) as dollars with two decimals and no leading zeros: ``7.05``."""
    cents = cents.astype(np.uint32)
    whole = cents // 100
    part = (cents - whole * 100).astype(np.uint8)
    matrix = np.empty((len(cents), 11), dtype=np.uint8)
    matrix[:, :8] = digits(whole, 2)
    matrix[:, 8] = ord(".")
    matrix[:, 9] = part // 10 + ord("0")
    matrix[:, 10] = part % 10 + ord("0")
    width = np.ones(len(cents), dtype=np.int32)
    for power in 10 ** np.arange(1, 8, dtype=np.uint32):
        width += whole >= power
    kept = np.arange(11, dtype=np.int32) >= (8 - width)[:, None]
    offsets = np.zeros(len(cents) + 1, dtype=np.int32)
    np.cumsum(width + 3, out=offsets[1:])
    return _from_buffers(offsets, matrix[kept], None)


def patched(column: Any, positions: NDArray[np.int64], values: Sequence[str | None]) -> Any:
    """``column`` with ``values`` put at ``positions`` (ascending)."""
    if not len(positions):
        return column
    import pyarrow.compute as pc

    mask = np.zeros(len(column), dtype=bool)
    mask[positions] = True
    return pc.replace_with_mask(column, pa.array(mask), pa.array(values, type=pa.string()))


def hashed(values: NDArray[Any], seed: int, salt: int) -> NDArray[np.uint64]:
    """Random-looking 64 bits for each value: splitmix64, the same on every machine.

    Attributes that a customer keeps (name, address, ...) are drawn so, from the customer's
    number alone: nothing has to be remembered between a sign-up and a change a year later.
    """
    with np.errstate(over="ignore"):
        # The key is mixed first: a sum of seed and value would make seeds shifts of each other.
        key = _mixed(np.array([seed], np.uint64) * _ODD + np.uint64(salt + 1))
        return _mixed((values.astype(np.uint64) + np.uint64(1)) * _ODD ^ key)


def _mixed(word: NDArray[np.uint64]) -> NDArray[np.uint64]:
    word = (word ^ (word >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    word = (word ^ (word >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return word ^ (word >> np.uint64(31))


def chosen(hashes: NDArray[np.uint64], size: Any) -> NDArray[np.int64]:
    """An index below ``size`` (a number or one a row) from the upper bits of each hash."""
    upper = hashes >> np.uint64(32)
    return ((upper * np.asarray(size, dtype=np.uint64)) >> np.uint64(32)).astype(np.int64)
