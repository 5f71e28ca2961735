"""Writes a synthetic data set: raw parquet by delivery day, and the truth beside it.

Two passes keep memory flat however many customers there are. The first draws customers in
chunks and spills compact records (some twenty bytes a row) into buckets of delivery days; the
second sorts one bucket at a time by time, turns it into text, damages it and writes its days.
Everything random comes from the seed, the chunk and the record, never from the order of work.

A data set is made in ``<folder>/.partial`` and moved into place at the end, the manifest
last: a folder with a manifest is complete, however often a run was killed.
"""

from __future__ import annotations

import fcntl
import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from customer360.sources.synthetic import orders, profiles, text, truth
from customer360.sources.synthetic.behaviour import Behaviour
from customer360.sources.synthetic.damage import Damage, deliver
from customer360.sources.synthetic.defects import (
    CUSTOMER_DEFECTS,
    TRANSACTION_DEFECTS,
    Defect,
    DefectRates,
)
from customer360.sources.synthetic.process import Customers, Process
from customer360.sources.synthetic.season import ShopTime
from customer360.sources.synthetic.truth import Manifest, SyntheticDataError, read_manifest

logger = logging.getLogger(__name__)

DEFAULT_CUSTOMERS = 20_000
DEFAULT_START = date(2024, 1, 1)
DEFAULT_END = date(2025, 12, 31)
DEFAULT_SEED = 42

_CHUNK = 25_000  # customers drawn at a time; part of what the seed means
_BUCKET = 16  # days rendered at a time
_PARTIAL = ".partial"
_PARTS = ("transactions", "customers", "truth")  # truth last: it holds the manifest
_LOCK = ".lock"
_ROWS_OF = {"transactions": "transactions", "customers": "customer_rows"}  # names of counts
COMPRESSION = {"compression": "zstd", "compression_level": 1}
"""How the Parquet files of a data set are written, as arguments of pyarrow."""


_WORKERS = max(1, min(4, os.cpu_count() or 1))  # threads: numpy and Arrow leave Python's lock

Progress = Callable[[int, int], None]
Done = TypeVar("Done")


def generate(
    folder: Path,
    *,
    customers: int = DEFAULT_CUSTOMERS,
    start: date = DEFAULT_START,
    end: date = DEFAULT_END,
    seed: int = DEFAULT_SEED,
    defects: DefectRates | None = None,
    behaviour: Behaviour | None = None,
    progress: Progress | None = None,
    overwrite: bool = False,
) -> Manifest:
    """Make the synthetic data set in ``folder``, or find that it is already there.

    The same arguments make the same bytes (with the locked versions of numpy, pyarrow and
    Faker). Another range or number of customers is another data set, not a continuation.

    Args:
        folder: Where the data goes: ``transactions/``, ``customers/`` (one folder a delivery
            day, ``date=YYYY-MM-DD/part-0.parquet``, all columns text) and ``truth/``.
        customers: Number of customers.
        start: First day.
        end: Last day, included.
        seed: Seed of everything random.
        defects: Defect rates; None for the defaults.
        behaviour: Parameters of the process; None for the defaults.
        progress: Called with (steps done, steps in all) as work proceeds.
        overwrite: Replace a data set made from other arguments.

    Returns:
        The manifest; its ``reused`` says that nothing had to be made.

    Raises:
        SyntheticDataError: An argument is out of range; the folder holds another data set (and
            not ``overwrite``) or files of somebody else; another run is making it; no space.
    """
    wanted = Manifest(
        customers=customers,
        start=start,
        end=end,
        seed=seed,
        behaviour=behaviour or Behaviour(),
        defects=defects or DefectRates(),
        made_with={name: version(name) for name in ("faker", "numpy", "pyarrow")},
    )
    _check(wanted)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _locked(folder):
            existing = _existing(folder, wanted, overwrite)
            if existing is not None:
                logger.info("%s already holds this data set; nothing to generate", folder)
                return replace(existing, reused=True)
            partial = folder / _PARTIAL
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            manifest = _Run(partial, wanted, progress or (lambda done, total: None)).make()
            _move_into_place(folder, partial)
            return manifest
    except OSError as error:
        raise SyntheticDataError(
            f"{folder}: cannot generate here: {error.strerror or error}; check space and "
            "permissions, then run again"
        ) from error


def _check(wanted: Manifest) -> None:
    """Refuse arguments that no data set can have."""
    if not 1 <= wanted.customers < orders.UNKNOWN_FROM:
        raise SyntheticDataError(
            f"generate: customers is {wanted.customers}, must be 1 to {orders.UNKNOWN_FROM - 1:,}"
        )
    if wanted.seed < 0:
        raise SyntheticDataError(f"generate: seed is {wanted.seed}, must be 0 or more")
    days = (wanted.end - wanted.start).days + 1
    if not 1 <= days <= 36_525:
        raise SyntheticDataError(
            f"generate: {wanted.start} to {wanted.end} is {days:,} days, must be 1 to 36,525; "
            "both ends are included"
        )


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one run at a time make a folder; the lock goes with the process, however it ends."""
    with (folder / _LOCK).open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SyntheticDataError(
                f"{folder}: another run is generating here; wait for it or choose another folder"
            ) from None
        yield


def _existing(folder: Path, wanted: Manifest, overwrite: bool) -> Manifest | None:
    """The data set that is there, when it is the one wanted; None when one must be made."""
    try:
        existing = read_manifest(folder)
    except SyntheticDataError:
        if not overwrite:
            raise
        return None
    if existing is None:
        foreign = [part for part in _PARTS if (folder / part).exists()]
        if foreign and not (folder / _PARTIAL).exists():
            raise SyntheticDataError(
                f"{folder}: holds {foreign[0]}/ that no generator made (no truth/manifest.json); "
                "move it away or choose another folder"
            )
        return None
    theirs, ours = existing.arguments(), wanted.arguments()
    if theirs == ours:
        return existing
    if overwrite:
        return None
    raise SyntheticDataError(
        f"{folder}: holds a data set with {_difference(theirs, ours)}; pass overwrite to replace "
        "it or choose another folder"
    )


def _difference(theirs: dict[str, Any], ours: dict[str, Any]) -> str:
    """The first few arguments that differ, as ``seed 42 (asked for 7)``."""
    differences = []
    for name, value in ours.items():
        other = theirs.get(name)
        if other == value:
            continue
        if isinstance(value, dict) and isinstance(other, dict):
            inner = [key for key in value if other.get(key) != value[key]]
            differences += [
                f"{name}.{key} {other.get(key)!r} (asked for {value[key]!r})"
                if not isinstance(value[key], list)
                else f"other {name}.{key}"
                for key in inner
            ]
        else:
            differences.append(f"{name} {other} (asked for {value})")
    return ", ".join(differences[:3]) + (
        f" and {len(differences) - 3} more" if len(differences) > 3 else ""
    )


def _move_into_place(folder: Path, partial: Path) -> None:
    """Swap the finished parts in; without a manifest in between, and so never half a set."""
    truth.manifest_path(folder).unlink(missing_ok=True)
    for part in _PARTS:
        if (folder / part).exists():
            shutil.rmtree(folder / part)
        (partial / part).rename(folder / part)
    shutil.rmtree(partial)


def _in_order(work: Callable[[int], Done], steps: int) -> Iterator[Done]:
    """``work(0)``, ``work(1)``, ...: in order, made by several threads a few steps ahead."""
    with ThreadPoolExecutor(_WORKERS) as pool:
        ahead: deque[Future[Done]] = deque()
        try:
            for step in range(steps):
                ahead.append(pool.submit(work, step))
                if len(ahead) > _WORKERS:
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            for future in ahead:
                future.cancel()


class _Run:
    """One making of a data set, into ``folder``."""

    def __init__(self, folder: Path, wanted: Manifest, progress: Progress) -> None:
        self.folder = folder
        self.wanted = wanted
        self.progress = progress
        self.clock = ShopTime(wanted.start, wanted.end, wanted.behaviour.seasonality)
        self.days = self.clock.days
        self.seconds = self.days * 86_400
        self.day_table = text.day_bytes(wanted.start, self.days)
        self.day_names = [(wanted.start + timedelta(n)).isoformat() for n in range(self.days)]
        self.buckets = -(-self.days // _BUCKET)
        self.chunks = -(-wanted.customers // _CHUNK)
        self.counts: dict[str, int] = {}
        self.done = 0

    def make(self) -> Manifest:
        """Both passes, then the manifest."""
        for part in (*_PARTS, "records"):
            (self.folder / part).mkdir()
        self._draw()
        rows_file = self.folder / "truth" / "rows.parquet"
        with pq.ParquetWriter(rows_file, truth.ROWS_SCHEMA, **COMPRESSION) as rows_writer:
            wanted = self.wanted
            for table, defects, renderer, layout in (
                (
                    "transactions",
                    TRANSACTION_DEFECTS,
                    orders.OrderText(wanted.seed, self.day_table),
                    orders.ROW,
                ),
                (
                    "customers",
                    CUSTOMER_DEFECTS,
                    profiles.ProfileText(wanted.seed, wanted.behaviour, self.day_table),
                    profiles.ROW,
                ),
            ):
                self._write(table, defects, renderer, layout, rows_writer)
        shutil.rmtree(self.folder / "records")
        self._write_shop_time()
        manifest = replace(self.wanted, counts=self.counts)
        (self.folder / "truth" / "manifest.json").write_text(manifest.to_json())
        return manifest

    def _step(self) -> None:
        self.done += 1
        self.progress(self.done, self.chunks + 2 * self.buckets)

    # First pass ---------------------------------------------------------------------------

    def _draw(self) -> None:
        process = Process(self.wanted.behaviour, self.clock)
        self.counts = dict.fromkeys(("customers", "profile_versions", "orders", "refunds"), 0)
        customers_file = self.folder / "truth" / "customers.parquet"
        with pq.ParquetWriter(customers_file, truth.CUSTOMERS_SCHEMA, **COMPRESSION) as writer:
            for customers, order_rows, profile_rows, counts in _in_order(
                lambda chunk: self._draw_chunk(process, chunk), self.chunks
            ):
                writer.write_table(customers)
                # Only now is it known how many orders the chunks before this one hold.
                order_rows["order"] += np.uint64(self.counts["orders"])
                self._spill("transactions", order_rows)
                self._spill("customers", profile_rows)
                for name, count in counts.items():
                    self.counts[name] += count
                self._step()

    def _draw_chunk(
        self, process: Process, chunk: int
    ) -> tuple[Any, NDArray[Any], NDArray[Any], dict[str, int]]:
        """Truth, order records (numbered from 1) and profile records of one chunk, and counts."""
        wanted = self.wanted
        first = chunk * _CHUNK
        size = min(_CHUNK, wanted.customers - first)
        rng = np.random.default_rng([wanted.seed, chunk, 0])
        customers, purchases = process.draw(rng, first + 1, size)
        rows = orders.order_rows(rng, wanted.behaviour, customers, purchases, self.seconds)
        people = profiles.profile_rows(rng, wanted.behaviour, customers, purchases, self.seconds)
        placed = len(purchases.second)
        counts = {
            "customers": size,
            "profile_versions": len(people),
            "orders": placed,
            "refunds": len(rows) - placed,
        }
        # Their own randomness, so that defects never change what really happened.
        rng = np.random.default_rng([wanted.seed, chunk, 1])
        rows = deliver(rng, rows, self.days, wanted.defects, TRANSACTION_DEFECTS)
        people = deliver(rng, people, self.days, wanted.defects, CUSTOMER_DEFECTS)
        return self._truth_of(customers, purchases.second), rows, people, counts

    def _truth_of(self, customers: Customers, seconds: NDArray[np.int64]) -> Any:
        bought = customers.orders > 0
        begin = datetime.combine(self.wanted.start, datetime.min.time(), tzinfo=UTC)
        begin_us = int(begin.timestamp()) * 1_000_000

        def moment(second: NDArray[np.int64], valid: NDArray[np.bool_]) -> Any:
            return pa.array(second * 1_000_000 + begin_us, mask=~valid).cast(
                pa.timestamp("us", "UTC")
            )

        ends = np.cumsum(customers.orders)
        padded = np.append(seconds, 0)
        first = padded[ends - customers.orders]
        last = padded[ends - 1]
        first_day = self.wanted.start.toordinal() - date(1970, 1, 1).toordinal()
        names = pa.array([cohort.name for cohort in self.wanted.behaviour.cohorts])
        repeats = np.maximum(customers.orders - 1, 0)
        return pa.table(
            {
                "customer_id": text.identifiers("C", customers.number, 2),
                "cohort": names.take(pa.array(customers.cohort)),
                "purchase_rate": customers.purchase_rate,
                "dropout": customers.dropout,
                "mean_order_value": customers.mean_order_value,
                "signed_up_on": pa.array(
                    (customers.signed_up // 86_400 + first_day).astype(np.int32)
                ).cast(pa.date32()),
                "first_purchase_at": moment(first, bought),
                "last_purchase_at": moment(last, bought),
                "died_at": moment(last, customers.dead),
                "orders": customers.orders.astype(np.int32),
                "frequency": repeats.astype(np.int32),
                "recency": np.where(repeats > 0, customers.last - customers.born, 0.0),
                "T": np.where(bought, self.clock.total - customers.born, 0.0),
            },
            schema=truth.CUSTOMERS_SCHEMA,
        )

    def _spill(self, table: str, rows: NDArray[Any]) -> None:
        bucket = rows["delivered"] // _BUCKET
        rows = rows[np.argsort(bucket, kind="stable")]
        ends = np.cumsum(np.bincount(bucket, minlength=self.buckets))
        begin = 0
        for number, end in enumerate(ends.tolist()):
            if end > begin:
                with self._records(table, number).open("ab") as file:
                    rows[begin:end].tofile(file)
            begin = end

    def _records(self, table: str, bucket: int) -> Path:
        return self.folder / "records" / f"{table}-{bucket}"

    # Second pass --------------------------------------------------------------------------

    def _write(
        self,
        table: str,
        defects: tuple[Defect, ...],
        renderer: orders.OrderText | profiles.ProfileText,
        layout: np.dtype[Any],
        rows_writer: Any,
    ) -> None:
        def bucket_written(bucket: int) -> tuple[Any, NDArray[np.int64], int]:
            rows = self._read(table, bucket, layout)
            content, damage = renderer.render(rows)
            self._write_days(table, bucket, rows, content, renderer.dictionaries)
            by_defect = np.bincount(damage.codes, minlength=len(defects) + 1)
            return self._truth_rows(table, defects, rows, damage), by_defect, len(rows)

        total, of_all_buckets = 0, np.zeros(len(defects) + 1, dtype=np.int64)
        for truth_rows, by_defect, rows in _in_order(bucket_written, self.buckets):
            rows_writer.write_table(truth_rows)
            of_all_buckets += by_defect
            total += rows
            self._step()
        self.counts[_ROWS_OF[table]] = total
        for defect, count in zip(defects, of_all_buckets[1:].tolist(), strict=True):
            self.counts[defect.name] = count

    def _read(self, table: str, bucket: int, layout: np.dtype[Any]) -> NDArray[Any]:
        """A bucket's records in the order of its files: by delivery day, then event."""
        path = self._records(table, bucket)
        rows = np.fromfile(path, dtype=layout) if path.exists() else np.empty(0, dtype=layout)
        path.unlink(missing_ok=True)
        # Sorting values with the position in the lowest bits is faster than an argsort, and
        # settles ties the same way on every machine.
        day = rows["delivered"].astype(np.uint64) - np.uint64(bucket * _BUCKET)
        early = np.uint64(max(0, (bucket * _BUCKET - 61) * 86_400))
        second = rows["second"].astype(np.uint64) - early
        key = (day << np.uint64(56)) | (second << np.uint64(32))
        key |= np.arange(len(rows), dtype=np.uint64)
        key.sort()
        return rows[(key & np.uint64(0xFFFFFFFF)).astype(np.int64)]

    def _write_days(
        self,
        table: str,
        bucket: int,
        rows: NDArray[Any],
        content: Any,
        dictionaries: tuple[str, ...],
    ) -> None:
        """One file for every day of the bucket, also for a day without rows."""
        days = range(bucket * _BUCKET, min((bucket + 1) * _BUCKET, self.days))
        ends = np.searchsorted(rows["delivered"], np.array(days), side="right").tolist()
        begin = 0
        for day, end in zip(days, ends, strict=True):
            folder = self.folder / table / f"date={self.day_names[day]}"
            folder.mkdir()
            pq.write_table(
                content.slice(begin, end - begin),
                folder / "part-0.parquet",
                use_dictionary=list(dictionaries),
                write_statistics=False,
                # Readers shall see text, not Arrow's note that it was a dictionary.
                store_schema=False,
                **COMPRESSION,
            )
            begin = end

    def _truth_rows(
        self,
        table: str,
        defects: tuple[Defect, ...],
        rows: NDArray[Any],
        damage: Damage,
    ) -> Any:
        chosen = rows[damage.positions]
        delivered = chosen["delivered"].astype(np.int64)
        if table == "transactions":
            own = text.prefixed("O", chosen["order"], 3)
            own[chosen["refund"] == 1, 0] = ord("R")
            row_id = text.strings(own)
        else:
            row_id = text.identifiers("C", chosen["number"], 2)
        names = pa.array([None, *(defect.name for defect in defects)], pa.string())
        effects = pa.array([None, *(defect.effect for defect in defects)], pa.string())
        codes = pa.array(chosen["defect"])
        files = pa.array([f"{table}/date={day}/part-0.parquet" for day in self.day_names])
        begin = self.wanted.start.toordinal() - date(1970, 1, 1).toordinal()
        begins = np.searchsorted(rows["delivered"], delivered, side="left")
        return pa.table(
            {
                "table": pa.array([table] * len(chosen), pa.string()),
                "row_id": row_id,
                "file": files.take(pa.array(delivered)),
                "row": damage.positions - begins,
                "defect": names.take(codes),
                "effect": effects.take(codes),
                "column": pa.array(damage.column, pa.string()),
                "reason": pa.array(damage.reason, pa.string()),
                "clean_value": pa.array(damage.clean, pa.string()),
                "event_at": pa.array(
                    (chosen["second"].astype(np.int64) + begin * 86_400) * 1_000_000
                ).cast(pa.timestamp("us", "UTC")),
                "delivered_on": pa.array((delivered + begin).astype(np.int32)).cast(pa.date32()),
            },
            schema=truth.ROWS_SCHEMA,
        )

    def _write_shop_time(self) -> None:
        first = self.wanted.start.toordinal() - date(1970, 1, 1).toordinal()
        days = np.arange(first, first + self.days, dtype=np.int32)
        pq.write_table(
            pa.table(
                {
                    "date": pa.array(days).cast(pa.date32()),
                    "weight": self.clock.weights,
                    "elapsed": self.clock.elapsed[:-1],
                },
                schema=truth.SHOP_TIME_SCHEMA,
            ),
            self.folder / "truth" / "shop_time.parquet",
            **COMPRESSION,
        )
