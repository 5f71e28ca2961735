"""A source made of the user's files, read by name or by the day in it.

What their rows mean is the affair of `customer360.sources.mapped`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from customer360.contracts import Column as ContractColumn
from customer360.contracts.numbers import DECIMAL, SIGNS, SIGNS_OF, THOUSANDS, signs_of
from customer360.contracts.times import (
    BIRTH_YEARS_FROM,
    SEPARATOR,
    TWO_DIGIT_YEARS,
    formats_in,
    plausible_days,
    swapped,
)
from customer360.days import DayRange
from customer360.errors import BrokenFileError, listed
from customer360.quoting import shown
from customer360.sources import archives, columns, readers, time_columns
from customer360.sources.base import Delivery
from customer360.sources.copies import SPREADSHEETS
from customer360.sources.files.mapping import FileMapping, name_pattern
from customer360.sources.mapped import MappedSource

if TYPE_CHECKING:
    from pyspark.sql import Column, DataFrame, SparkSession


_OF_CURRENCY = re.compile(
    r"(order|payment)?[ _]?(currency|ccy)[ _]?(code|iso)?|devise|w(ä|ae)hrung|moeda|moneda|valuta",
    re.IGNORECASE,
)
_OF_REFUNDS = re.compile(
    r"(total[ _])?(amount[ _]refunded|refunded([ _]amount)?|refund[ _](amount|total))|refunds?",
    re.IGNORECASE,
)
_CODE = re.compile("[A-Za-z]{3}")
_OF_CELLS = ("yyyy-MM-dd HH:mm:ss", "yyyy-MM-dd")


class FilesSource(MappedSource[FileMapping]):
    """The files that one mapping describes.

    Args:
        mapping: What the files' columns mean.
        path: File or folder; the mapping's own ``path`` when None.
        cache: Where copies are kept of files that cannot be read as they are; None is a temporary
            folder.
        only: These files, instead of what is found in ``path``.
    """

    def __init__(
        self,
        mapping: FileMapping,
        path: Path | None = None,
        cache: Path | None = None,
        only: Sequence[Path] = (),
    ) -> None:
        super().__init__(mapping)
        self.path = path if path is not None else mapping.path
        self.cache = cache
        self.only = tuple(only)
        self.event_dates_in_utc = mapping.has_offset
        self._known_days: tuple[str, DayRange] | None = None
        self._doubts: list[str] = []

    def place_of(self, name: str, column: str, value: str) -> str:
        """Where a value stands first in a file, as ``line 5 of a.csv``; its name where not known.

        Args:
            name: The file's, without its folder.
            column: The file's own name of the column.
            value: The value, trimmed.
        """
        if self.mapping.format == "parquet":
            return name
        try:
            files = [file for file in self.files() if file.name == name]
            location = columns.place_of(
                files, column, value, form=self.mapping.text, cache=self.cache
            )
        except BrokenFileError:  # it is another file by now
            return name
        return location.removeprefix(" at ").removeprefix(" in ") or name

    def files(self) -> list[Path]:
        """The raw files there are now, by name.

        Raises:
            BrokenFileError: The path is missing or no file in it matches.
        """
        if self.only:
            return list(self.only)
        if self.path is None:
            raise BrokenFileError(
                self.name,
                "a file or folder",
                "none",
                "give --path FILE-OR-FOLDER, or write `path:` in the mapping",
            )
        if self.path.is_dir():
            matches = {file for glob in self.mapping.globs for file in self.path.glob(glob)}
            files = sorted(
                (file for file in matches if file.is_file() and not file.name.startswith(".")),
                key=lambda file: (file.name, file),
            )
        else:
            files = [self.path] if self.path.exists() else []
        if self.mapping.date_in_name is not None:
            files = [file for file in files if self.mapping.delivered_on(file.name) is not None]
        if not files:
            wanted = self.mapping.date_in_name or " or ".join(self.mapping.globs)
            problem = "no such file in that folder" if self.path.is_dir() else "nothing there"
            if self.path.is_file():
                problem = "a file of another name"
            remedy = "give another --path, or write `path:` in the mapping"
            if self.path.exists():
                named = "date_in_name" if self.mapping.date_in_name else "files"
                remedy = f"write `{named}:` in the mapping as the files are named"
            raise BrokenFileError(str(self.path), f"files like {wanted}", problem, remedy)
        return files

    def available(self) -> DayRange:
        """First and last day: of the file names where they are dated, else of the times within.

        Days to come are none of them, nor those that no sale can be of.

        Raises:
            BrokenFileError: There is no file, or no time in them can be read.
        """
        files = self.files()
        version = archives.fingerprint(files)
        if self._known_days is None or self._known_days[0] != version:
            self._known_days = (version, self._days(files))
        return self._known_days[1]

    def suspicions(self) -> list[str]:
        """What the last `available` saw that may be wrong although it can be read."""
        return list(self._doubts)

    def fingerprint(self, table: str) -> str:
        """Names, sizes and modification times of all files."""
        return archives.fingerprint(self.files())

    def read_raw(self, spark: SparkSession, table: str, start: date, end: date) -> DataFrame:
        """The files' rows as text; of dated files, those of ``start`` to ``end``."""
        files = self.files()
        if self.mapping.date_in_name is not None:
            # Bounded by file names before Spark is asked: a day costs a day.
            days = {file: self.mapping.delivered_on(file.name) for file in files}
            files = [file for file, day in days.items() if day is not None and start <= day <= end]
        if self.mapping.format != "parquet":
            raw = readers.read_csv(
                spark,
                files,
                self._contract,
                headers=self._headers,
                form=self.mapping.text,
                cache=self.cache,
                decimal=self.mapping.decimal_separator or ".",
            )
        else:
            raw = readers.read_parquet(
                spark,
                files,
                self._contract,
                headers=self._headers,
                time_zone="UTC" if self.mapping.has_offset else self.time_zone,
                timestamp_pattern=_written_as(self.mapping.time_formats),
                date_pattern=_written_as(self.mapping.day_formats),
            )
        if self.mapping.date_in_name is None:
            return raw
        return raw.withColumn("_delivered_on", _date_in(self.mapping.date_in_name))

    @property
    def _delivery(self) -> Delivery:
        return "extract" if self.mapping.date_in_name is None else "daily"

    def _written(self, logical_type: str) -> dict[str, Any]:
        mapping = self.mapping
        if logical_type == "number":
            stated = {
                DECIMAL: mapping.decimal_separator,
                THOUSANDS: mapping.thousands_separator,
                SIGNS: self._signs(),
            }
            return {"properties": {name: v for name, v in stated.items() if v is not None}}
        if logical_type not in ("timestamp", "date"):
            return {}
        formats = mapping.time_formats if logical_type == "timestamp" else mapping.day_formats
        if self._has_sheets and not mapping.has_offset:  # a cell may be a time, or the text of one
            formats = SEPARATOR.join(dict.fromkeys((*formats.split(SEPARATOR), *_OF_CELLS)))
        years = mapping.two_digit_years_from
        return {"format": formats, "properties": {TWO_DIGIT_YEARS: years}}

    def _column(self, name: str, role: str | None, header: str, personal: bool) -> ContractColumn:
        column = super()._column(name, role, header, personal)
        if role != "birth_date":
            return column
        years = min(self.mapping.two_digit_years_from, BIRTH_YEARS_FROM)
        return replace(column, properties={**column.properties, TWO_DIGIT_YEARS: years})

    def _signs(self) -> list[str]:
        """What may stand beside an amount: the signs of all currencies that a column names."""
        codes = [self.currency]
        if self._has("currency"):
            codes += list(SIGNS_OF)
        return list(dict.fromkeys(sign for code in codes for sign in signs_of(code)))

    @property
    def _has_sheets(self) -> bool:
        """Whether the mapping or a file's name says that there are spreadsheets."""
        of_name = (self.path, *self.only, self.mapping.files, self.mapping.date_in_name)
        return self.mapping.format == "xlsx" or any(
            str(name).lower().endswith(SPREADSHEETS) for name in of_name if name is not None
        )

    def _as_instant(self, role: str) -> Column:
        # With an offset in the text, Spark has read the instant itself.
        if self.mapping.has_offset:
            return self._role(role).cast("timestamp")
        return super()._as_instant(role)

    def _days(self, files: list[Path]) -> DayRange:
        mapping = self.mapping
        # Of dated files the newest speaks for the others.
        spoken_for = files[-1:] if mapping.date_in_name is not None else files
        self._refuse_other_currencies(spoken_for)
        self._doubts = self._refunds_nobody_named(spoken_for)
        if mapping.date_in_name is not None:
            delivered = [mapping.delivered_on(file.name) for file in files]
            dated = [day for day in delivered if day is not None]
            return DayRange(*self._plausible(dated))
        profile = self._times(files, mapping.columns.occurred_at)
        if profile.doubt:
            self._doubts.append(
                f"{self.name}: no day of the {len(profile.days)} in column "
                f"{mapping.columns.occurred_at} is after the twelfth of a month: if month comes "
                f'first in the file, write date_format: "{swapped(mapping.time_formats)}"'
            )
        self._doubts += self._far_off(profile)
        days = time_columns.days_of(
            profile,
            files,
            mapping.columns.occurred_at,
            mapping.time_formats,
            place=functools.partial(
                columns.place_of,
                files,
                mapping.columns.occurred_at,
                form=mapping.text,
                cache=self.cache,
            ),
            of_no_row=functools.partial(columns.of_no_row, files, mapping.text, self.cache),
        )
        if mapping.columns.refunded_at is None:
            return days
        given_back = self._times(files, mapping.columns.refunded_at)
        if given_back.first is None or given_back.last is None:
            return days
        return days.union(DayRange(given_back.first, given_back.last))

    def _plausible(self, days: list[date]) -> tuple[date, date]:
        """First and last of the days in file names that can be meant."""
        first, last = self._bounds
        last = min(last, self._today)
        inside = [day for day in days if first <= day <= last]
        if len(inside) < len(days):
            others = [str(day) for day in days if day not in inside]
            self._doubts.append(
                f"{self.name}: files dated {listed(others)} are passed over: these days are still "
                "to come, or lie outside of the mapping's dates_from and dates_to"
            )
        known = inside or days
        return min(known), max(known)

    @property
    def _bounds(self) -> tuple[date, date]:
        return plausible_days(self.mapping.plausible_dates, self._today)

    @property
    def _today(self) -> date:
        return datetime.now(ZoneInfo(self.time_zone)).date()

    def _times(self, files: list[Path], column: str) -> time_columns.TimeProfile:
        mapping = self.mapping
        return time_columns.times_in(
            files,
            column,
            self._contract.column(self._names[column]).format or "",
            years_from=mapping.two_digit_years_from,
            form=mapping.text,
            cache=self.cache,
            time_zone=self.time_zone,
            bounds=self._bounds,
            today=self._today,
        )

    def _far_off(self, profile: time_columns.TimeProfile) -> list[str]:
        """What is strange about the first and last days."""
        column, doubts = self.mapping.columns.occurred_at, []
        if profile.bounds is not None and profile.implausible and profile.read:
            first, last = profile.bounds
            examples = listed(list(map(shown, profile.implausible_examples)))
            doubts.append(
                f"{self.name}: column {column} has dates before {first} or after {last}, such as "
                f"{examples}: their rows go to quarantine; if they are meant, write dates_from and "
                "dates_to in the mapping"
            )
        if profile.later:
            doubts.append(
                f"{self.name}: column {column} has dates of days to come, up to "
                f"{max(profile.later)}: their rows wait for these days"
            )
        early, late = profile.lone(at_end=False), profile.lone(at_end=True)
        if early is not None:
            doubts.append(
                f"{self.name}: column {column} has dates long before all others: the first is "
                f"{profile.first}, the others begin in {early:%Y-%m}. Every day between them is "
                f"made: if it is a slip, write dates_from: {early} in the mapping"
            )
        if late is not None:
            after = (late.replace(day=28) + timedelta(days=4)).replace(day=1)
            doubts.append(
                f"{self.name}: column {column} has dates long after all others: the last is "
                f"{profile.last}, the others end in {late:%Y-%m}. Every day between them is made: "
                f"if it is a slip, write dates_to: {after - timedelta(days=1)} in the mapping"
            )
        return doubts

    def _refuse_other_currencies(self, files: list[Path]) -> None:
        """Refuse money that the files say is of another currency, in a column nobody named."""
        mapping, stated = self.mapping, set(self.mapping.stated_columns())
        if mapping.format == "parquet" or self._has("currency"):
            return
        for file in files:
            for name in columns.columns_of(file, mapping.text, self.cache):
                if name in stated or not _OF_CURRENCY.fullmatch(name.strip()):
                    continue
                codes = columns.different_values(file, name, mapping.text, self.cache)
                others = sorted(
                    {code.upper() for code in codes if _CODE.fullmatch(code)} - {self.currency}
                )
                if others:
                    raise BrokenFileError(
                        file.name,
                        f"money in {self.currency}",
                        f"{listed(others)} in column {name}, which the mapping does not name",
                        f"write `currency: {name}` under columns, and other money is left out by "
                        "that reason or converted by rates; or name it under keep, to take all "
                        f"amounts as {self.currency}",
                    )

    def _refunds_nobody_named(self, files: list[Path]) -> list[str]:
        """Columns that seem to hold what was given back of a sale, which would not be taken off."""
        mapping = self.mapping
        if mapping.format == "parquet" or self._has("refunded"):
            return []
        ruled = {rule.column for rule in (*mapping.cancellations, *mapping.exclude)}
        named = {header for _, header in mapping.columns.pairs()} | ruled
        for file in files:
            for name in columns.columns_of(file, mapping.text, self.cache):
                if name in named or not _OF_REFUNDS.fullmatch(name.strip()):
                    continue
                values = columns.different_values(file, name, mapping.text, self.cache)
                if any(re.search("[1-9]", value) for value in values):
                    return [
                        f"{self.name}: column {name} of {file.name} seems to hold what was given "
                        f"back, which is not taken off: write `refunded: {name}` under columns"
                    ]
        return []


def _written_as(formats: str) -> str:
    """The format in which times of a Parquet file are written as text."""
    return formats_in(formats)[0]


def _date_in(template: str) -> Column:
    """The day that ``template`` finds in ``_source_file``; null where it has none."""
    from pyspark.sql import functions as F

    pattern = name_pattern(template)
    order = re.findall(r"\?P<(\w+)>", pattern)
    java = "^" + pattern.replace("?P<", "?<") + "$"
    part = {
        name: F.regexp_extract("_source_file", java, number)
        for number, name in enumerate(order, start=1)
    }
    return F.to_date(F.concat_ws("-", part["year"], part["month"], part["day"]))
