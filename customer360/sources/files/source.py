"""A source made of the user's files, read by name or by the day in it.

What their rows mean is the affair of `customer360.sources.mapped`.
"""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.days import DayRange
from customer360.errors import BrokenFileError
from customer360.sources import readers
from customer360.sources.base import Delivery
from customer360.sources.files.mapping import FileMapping, name_pattern, python_format
from customer360.sources.mapped import MappedSource

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


class FilesSource(MappedSource[FileMapping]):
    """The files that one mapping describes.

    Args:
        mapping: What the files' columns mean.
        path: File or folder; the mapping's own ``path`` when None.
    """

    def __init__(self, mapping: FileMapping, path: Path | None = None) -> None:
        super().__init__(mapping)
        self.path = path if path is not None else mapping.path
        self.event_dates_in_utc = mapping.has_offset
        self._known_days: tuple[str, DayRange] | None = None

    def files(self) -> list[Path]:
        """The raw files there are now, by name.

        Raises:
            BrokenFileError: The path is missing or no file in it matches.
        """
        if self.path is None:
            raise BrokenFileError(
                self.name, "a file or folder", "none", "give --path or path: in the mapping"
            )
        if self.path.is_dir():
            found = {file for glob in self.mapping.globs for file in self.path.glob(glob)}
            files = sorted(
                (file for file in found if file.is_file() and not file.name.startswith(".")),
                key=lambda file: (file.name, file),
            )
        else:
            files = [self.path] if self.path.exists() else []
        if self.mapping.date_in_name is not None:
            files = [file for file in files if self.mapping.delivered_on(file.name) is not None]
        if not files:
            wanted = self.mapping.date_in_name or " or ".join(self.mapping.globs)
            found_there = "no such file" if self.path.is_dir() else "nothing there"
            if self.path.is_file():
                found_there = "a file of another name"
            raise BrokenFileError(str(self.path), f"files like {wanted}", found_there)
        return files

    def available(self) -> DayRange:
        """First and last day: of the file names where they are dated, else of the times within.

        Raises:
            BrokenFileError: There is no file, or no time in them can be read.
        """
        files = self.files()
        version = readers.fingerprint(files)
        if self._known_days is None or self._known_days[0] != version:
            self._known_days = (version, self._days(files))
        return self._known_days[1]

    def fingerprint(self, table: str) -> str:
        """Names, sizes and modification times of all files."""
        return readers.fingerprint(self.files())

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """The files' rows as text; of dated files, those of ``start`` to ``end``."""
        files = self.files()
        if self.mapping.date_in_name is not None:
            # Bounded by file names before Spark is asked: a day costs a day.
            days = {file: self.mapping.delivered_on(file.name) for file in files}
            files = [file for file, day in days.items() if day is not None and start <= day <= end]
        if self.mapping.format == "csv":
            raw = readers.read_csv(
                spark,
                files,
                self._contract,
                headers=self._headers,
                delimiter=self.mapping.delimiter,
                encoding=self.mapping.encoding,
            )
        else:
            raw = readers.read_parquet(
                spark,
                files,
                self._contract,
                headers=self._headers,
                time_zone="UTC" if self.mapping.has_offset else self.time_zone,
                timestamp_pattern=self.mapping.date_format,
                date_pattern=self.mapping.day_format,
            )
        if self.mapping.date_in_name is None:
            return raw
        return raw.withColumn("_delivered_on", _date_in(self.mapping.date_in_name))

    @property
    def _delivery(self) -> Delivery:
        return "extract" if self.mapping.date_in_name is None else "daily"

    def _written(self, logical_type: str) -> dict[str, Any]:
        mapping = self.mapping
        if logical_type == "number" and mapping.decimal_separator != ".":
            return {"properties": {"decimalSeparator": mapping.decimal_separator}}
        formats = {"timestamp": mapping.date_format, "date": mapping.day_format}
        return {"format": formats[logical_type]} if logical_type in formats else {}

    def _occurred_at(self) -> Column:
        # With an offset in the text, Spark has read the instant itself.
        return self._role("occurred_at") if self.mapping.has_offset else super()._occurred_at()

    def _days(self, files: list[Path]) -> DayRange:
        if self.mapping.date_in_name is not None:
            days = [self.mapping.delivered_on(file.name) for file in files]
            dated = [day for day in days if day is not None]
            return DayRange(min(dated), max(dated))
        return readers.day_range(
            files,
            self.mapping.columns.occurred_at,
            python_format(self.mapping.date_format),
            delimiter=self.mapping.delimiter,
            encoding=self.mapping.encoding,
            time_zone=self.time_zone,
        )


def _date_in(template: str) -> Column:
    """The day in ``_source_file``."""
    from pyspark.sql import functions as F

    pattern = name_pattern(template)
    order = re.findall(r"\?P<(\w+)>", pattern)
    java = "^" + pattern.replace("?P<", "?<") + "$"
    part = {
        name: F.regexp_extract("_source_file", java, number)
        for number, name in enumerate(order, start=1)
    }
    return F.to_date(F.concat_ws("-", part["year"], part["month"], part["day"]))
