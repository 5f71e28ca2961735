"""Files that change, go or are broken while they are read, and come whole for the next run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from customer360.lakehouse.commits import Moment, listening
from customer360_tests.faults.company import LOAD, Company
from customer360_tests.faults.faults import Fault, Night


@dataclass(frozen=True)
class _Delivered:
    """A file of the company's, and whose commit comes right after it is planned to be read."""

    pattern: str
    table: str


_FILES = {
    "CSV": _Delivered("raw/shop/orders-03.csv", "bronze/shop_orders"),
    "CSV in gzip": _Delivered("raw/shop/orders-02.csv.gz", "bronze/shop_orders"),
    "Parquet of a day's transactions": _Delivered(
        "raw/synthetic/transactions/date=2024-03-22/*.parquet", "bronze/synthetic_transactions"
    ),
    "Parquet of customers": _Delivered(
        "raw/synthetic/customers/date=2024-03-22/*.parquet", "bronze/synthetic_customers"
    ),
}


def truncated(content: bytes) -> bytes:
    """As a transfer leaves it that was cut."""
    return content[: len(content) * 6 // 10]


def corrupt(content: bytes) -> bytes:
    """As a failing disk leaves it: a block of it is something else."""
    middle = len(content) // 2
    return content[:middle] + b"\x00\xff" * 64 + content[middle + 128 :]


def empty(_: bytes) -> bytes:
    """As a full disk leaves it."""
    return b""


def all_kinds(_: Company) -> Iterator[Fault]:
    """Files that come broken, in a first load; files that change while they are read."""
    kinds = {"file truncated": truncated, "file corrupt": corrupt, "file empty": empty}
    for sort, file in _FILES.items():
        for kind, broken in kinds.items():
            yield Fault(kind, LOAD, sort, _Broken(file, broken))
        yield Fault("file grows while it is read", LOAD, sort, _Grows(file))
        yield Fault("file vanishes while it is read", LOAD, sort, _Vanishes(file))


def _file(night: Night, file: _Delivered) -> Path:
    (found,) = night.settings.home.resolve().glob(file.pattern)
    return found


class _Broken:
    def __init__(self, file: _Delivered, broken: Callable[[bytes], bytes]) -> None:
        self.file, self.broken = file, broken

    def __call__(self, night: Night) -> str:
        file = _file(night, self.file)
        whole = file.read_bytes()
        file.write_bytes(self.broken(whole))
        try:
            return night.run()
        finally:
            file.write_bytes(whole)


class _Grows:
    def __init__(self, file: _Delivered) -> None:
        self.file = file

    def __call__(self, night: Night) -> str:
        file = _file(night, self.file)
        whole = file.read_bytes()
        file.write_bytes(truncated(whole))

        def grow(moment: Moment, table: str) -> None:
            if (moment, table) == (Moment.BEFORE, self.file.table):
                file.write_bytes(whole)

        try:
            with listening(grow):
                return night.run()
        finally:
            file.write_bytes(whole)


class _Vanishes:
    def __init__(self, file: _Delivered) -> None:
        self.file = file

    def __call__(self, night: Night) -> str:
        file = _file(night, self.file)
        whole = file.read_bytes()

        def vanish(moment: Moment, table: str) -> None:
            if (moment, table) == (Moment.BEFORE, self.file.table):
                file.unlink(missing_ok=True)

        try:
            with listening(vanish):
                return night.run()
        finally:
            file.write_bytes(whole)
