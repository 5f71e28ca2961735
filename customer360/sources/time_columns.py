"""A column of times, looked at without Spark: from when to when its days are, and what is odd."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from customer360.contracts.times import (
    NUMBERS,
    YEARS_FROM,
    formats_in,
    guesses,
    python_format,
    read_times,
    swapped,
)
from customer360.days import DayRange
from customer360.errors import BrokenFileError, listed
from customer360.quoting import shown
from customer360.sources.columns import values_in
from customer360.sources.text_form import TextForm

if TYPE_CHECKING:
    import pandas as pd

_LAST_YEAR_OF_PANDAS = 2261
_PLAIN = TextForm()
_LONE_GAP = timedelta(days=366)
_LONE_SHARE = 0.01


@dataclass
class TimeProfile:
    """What a column of times holds.

    Attributes:
        first: Earliest day; None where no value reads.
        last: Latest day.
        bounds: First and last day that can be meant: what lies outside of them is passed over, as
            bronze refuses it; None: any day.
        read: Different values that read, and can be meant.
        today: Days after it are still to come; None: there are none.
        later: Such days.
        implausible: Different values that read as days outside of the bounds.
        implausible_examples: Some of them.
        unread: Different values that do not.
        examples: Some of those that do not.
        swapped: Values that read, or would, with day and month in each other's place.
        swapped_unread: Of them, those that do not read as they are.
        late_days: Whether a day of the month after the twelfth was read.
        days: Different days that were read, up to some hundreds.
        months: Different values that were read, by the first of their month.
    """

    first: date | None = None
    last: date | None = None
    bounds: tuple[date, date] | None = None
    today: date | None = None
    later: set[date] = field(default_factory=set)
    read: int = 0
    implausible: int = 0
    implausible_examples: list[str] = field(default_factory=list)
    unread: int = 0
    examples: list[str] = field(default_factory=list)
    swapped: int = 0
    swapped_unread: int = 0
    late_days: bool = False
    days: set[date] = field(default_factory=set)
    months: Counter[date] = field(default_factory=Counter)

    def take(self, texts: pd.Series[str], formats: str, years_from: int, zone: str | None) -> None:
        """Look at different values of the column, trimmed and not blank."""
        times = read_times(texts, formats, years_from, zone)
        known = self._plausible(times.dropna(), texts)
        unread = texts[times.isna()]
        self.read += len(known)
        self.unread += len(unread)
        self.examples += unread.head(max(0, 200 - len(self.examples))).tolist()
        self._note(known)
        other = swapped(formats)
        if other is None or (self.late_days and not len(unread)):
            return
        self.swapped += int(read_times(texts, other, years_from, zone).notna().sum())
        self.swapped_unread += int(read_times(unread, other, years_from, zone).notna().sum())

    @property
    def doubt(self) -> bool:
        """All values read, but no day of the month is after the twelfth, which is hardly chance."""
        return not self.late_days and len(self.days) >= 12 and self.swapped >= self.read > 0

    def take_typed(self, times: pd.Series[pd.Timestamp]) -> None:
        """Look at values that are times already."""
        if times.dt.tz is not None:
            times = times.dt.tz_localize(None)
        known = self._plausible(times, times.astype("str"))
        self.read += len(known)
        self._note(known)

    def lone(self, *, at_end: bool) -> date | None:
        """The month next to few values that lie long before all others, or long after.

        Such a date can be right, but every day between them is made.
        """
        months, every = sorted(self.months, reverse=at_end), self.months.total()
        few = 0
        for month, following in itertools.pairwise(months):
            few += self.months[month]
            if few > max(1, _LONE_SHARE * every) or few * 2 >= every:
                return None
            if abs(following - month) > _LONE_GAP:
                return following
        return None

    def _plausible(
        self, times: pd.Series[pd.Timestamp], texts: pd.Series[str]
    ) -> pd.Series[pd.Timestamp]:
        import pandas as pd

        if self.bounds is None:
            return times
        first, last = (pd.Timestamp(day) for day in self.bounds)
        inside = (times >= first) & (times < last + pd.Timedelta(days=1))
        outside = times.index[~inside]
        self.implausible += len(outside)
        wanted = max(0, 3 - len(self.implausible_examples))
        self.implausible_examples += texts[outside].head(wanted).tolist()
        return times[inside]

    def _note(self, times: pd.Series[pd.Timestamp]) -> None:
        import pandas as pd

        if self.today is not None:
            past = times < pd.Timestamp(self.today) + pd.Timedelta(days=1)
            self.later.update(times[~past].dt.date)
            times = times[past]
        if not len(times):
            return
        first, last = times.min().date(), times.max().date()
        self.first = first if self.first is None else min(self.first, first)
        self.last = last if self.last is None else max(self.last, last)
        self.late_days = self.late_days or bool((times.dt.day > 12).any())
        by_month = (times.dt.year * 12 + times.dt.month - 1).value_counts()
        for month, values in zip(by_month.index.tolist(), by_month.tolist(), strict=True):
            self.months[date(month // 12, month % 12 + 1, 1)] += values
        if len(self.days) < 400:
            self.days.update(times.dt.date.unique()[:400].tolist())


def times_in(
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    years_from: int,
    form: TextForm = _PLAIN,
    cache: Path | None = None,
    time_zone: str | None = None,
    bounds: tuple[date, date] | None = None,
    today: date | None = None,
) -> TimeProfile:
    """What ``column`` of the files holds, without Spark, read as bronze's check reads it.

    Args:
        files: Files that `customer360.sources.readers` reads.
        column: The files' name of the column.
        formats: As a contract states them.
        years_from: First year of two-digit years.
        form: Of text files.
        cache: As for `customer360.sources.readers.read_csv`.
        time_zone: Zone of the days, for values that carry an offset of their own.
        bounds: First and last day that can be meant; None: any.
        today: Later days are counted apart; None: there are none.

    Raises:
        BrokenFileError: A file is broken.
    """
    import pandas as pd

    profile = TimeProfile(bounds=bounds, today=today)
    for file in files:
        for values in values_in(file, column, form, cache):
            times: Any = values.drop_duplicates().dropna()
            if pd.api.types.is_datetime64_any_dtype(times):
                if times.dt.tz is not None and time_zone:
                    times = times.dt.tz_convert(time_zone)
                profile.take_typed(times)
                continue
            texts = times.astype("str").str.strip()
            profile.take(texts[texts != ""], formats, years_from, time_zone)
    return profile


def day_range(
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    years_from: int = YEARS_FROM,
    form: TextForm = _PLAIN,
    cache: Path | None = None,
    time_zone: str | None = None,
) -> DayRange:
    """First and last day that ``column`` of the files holds; arguments as of `times_in`.

    Values that do not read are passed over: the contract's check is what reports them.

    Raises:
        BrokenFileError: A file is broken, or no value of the column is a date.
    """
    profile = times_in(
        files,
        column,
        formats,
        years_from=years_from,
        form=form,
        cache=cache,
        time_zone=time_zone,
    )
    return days_of(profile, files, column, formats)


def days_of(
    profile: TimeProfile,
    files: Sequence[Path],
    column: str,
    formats: str,
    *,
    place: Callable[[str], str] = lambda _: "",
    of_no_row: Callable[[], BrokenFileError | None] = lambda: None,
) -> DayRange:
    """The days of a column of times.

    Args:
        profile: What the column holds.
        files: Where they stand.
        column: Whose they are.
        formats: As they should be written.
        place: Tells where a value stands, for what is raised.
        of_no_row: Tells why rows gave no value, where there was none.

    Raises:
        BrokenFileError: No value is a date, or those that are none show that day and month were
            taken for each other.
    """
    names = listed([file.name for file in files]) or "no file"
    if profile.first is None and profile.later:
        return DayRange(min(profile.later), min(profile.later))
    if profile.first is None or profile.last is None:
        nothing = not profile.examples and not profile.implausible
        if nothing and (without := of_no_row()) is not None:
            raise without
        example = "no value there"
        remedy = "name the column of the times under columns as occurred_at in the mapping"
        # pandas reads no year beyond 2262, which are written where somebody means never.
        far = [text for text in profile.examples if _is_far(text, formats)]
        if profile.bounds is not None and not nothing and len(far) == len(profile.examples):
            first, last = profile.bounds
            raise BrokenFileError(
                names,
                f"dates from {first} to {last} in column {column}",
                listed(list(map(shown, [*profile.implausible_examples, *far][:3]))),
                "check the date format; if they are meant, write dates_from and dates_to in the "
                "mapping",
            )
        if profile.examples:
            example = f"{shown(profile.examples[0])}{place(profile.examples[0])}"
            remedy = (
                "write date_format in the mapping as the dates are written, such as "
                '"dd/MM/yyyy HH:mm" (d day, M month, y year, H hour, m minute), or name another '
                "column as occurred_at"
            )
            likely = guesses(profile.examples)
            if likely:
                written = " or ".join(f'date_format: "{pattern}"' for pattern in likely[:2])
                remedy = f"write {written} in the mapping"
        raise BrokenFileError(names, f"dates like {formats} in column {column}", example, remedy)
    every = profile.read + profile.unread
    if profile.swapped_unread and profile.swapped == every > profile.read:
        other = swapped(formats)
        raise BrokenFileError(
            names,
            f"dates like {formats} in column {column}",
            f"{shown(profile.examples[0])}{place(profile.examples[0])} and others, "
            f"{profile.unread} of {every} different values, that are dates only with day and month "
            "the other way round, as all values are",
            f'write date_format: "{other}" in the mapping',
        )
    return DayRange(profile.first, profile.last)


def _is_far(text: str, formats: str) -> bool:
    """Whether a text is a date of these formats that lies beyond what pandas reads."""
    for one in formats_in(formats):
        if one in NUMBERS:
            continue
        with suppress(ValueError):
            return datetime.strptime(text, python_format(one)).year > _LAST_YEAR_OF_PANDAS
    return False
