"""What the figures say, in sentences: which sentence, with which values; words are the language's.

Only what the data can tell is said: no comparison with days from before the data begin, and none
with so little that a percentage would say nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

import pandas as pd
from babel.dates import format_date, format_skeleton

from customer360.dashboard.outlook import Expected, PastError
from customer360.dashboard.periods import (
    Kind,
    Span,
    change,
    last_whole_month,
    totals,
)
from customer360.language import Language

MOST = 3
"""So many headlines: more would not be read."""

_MONEY = frozenset({"revenue", "refunded", "expected"})
_CHANGES = frozenset({"on_before", "on_year"})
_MONTHS = frozenset({"month", "before", "year_before"})
_SKELETONS: dict[Kind, str] = {"month": "yMMMM", "quarter": "yQQQ", "year": "y"}


@dataclass(frozen=True)
class Regulars:
    """Customers with a rhythm, at the end of a day: see `queries.overview.regulars`.

    Attributes:
        quiet: Who went quiet in the last `LATELY_DAYS` days.
        revenue: Their net revenue of the last 365 days, in currency.
        steady: Who has not gone quiet.
    """

    quiet: int
    revenue: float
    steady: int


@dataclass(frozen=True)
class Sentence:
    """A text ``overview.says.<code>`` and what fills it."""

    code: str
    values: Mapping[str, object] = field(default_factory=dict)


def headlines(
    days: pd.DataFrame,
    as_of: date,
    regulars: Regulars | None,
    expected: Expected | None,
    error: PastError | None,
    *,
    lately_days: int,
) -> list[list[Sentence]]:
    """The first `MOST` things that the figures can tell, each in a sentence or two.

    Args:
        days: ``business_date``, `customer360.dashboard.periods.AMOUNTS` and
            ``anonymous_revenue``, a row a day up to ``as_of``.
        as_of: Last day that there are data of.
        regulars: Who went quiet; None where nobody knows.
        expected: Of the coming months; None without a forecast.
        error: Of earlier forecasts; None where there is none to compare with.
        lately_days: For how long who went quiet counts as new.
    """
    if days.empty:
        return []
    first_day = days["business_date"].min()
    month = last_whole_month(as_of, first_day)
    said = [
        _revenue(days, month, Span(first_day, as_of)),
        _regulars(regulars, lately_days),
        _expected(expected, error, anonymous=bool((days["anonymous_revenue"] != 0).any())),
        _refunds(days, month, first_day),
    ]
    return [sentences for sentences in said if sentences][:MOST]


def _revenue(days: pd.DataFrame, month: Span | None, all_days: Span) -> list[Sentence]:
    if month is None:
        revenue = totals(days, all_days)["net_revenue"]
        values = {"revenue": revenue, "since": all_days.first.isoformat()}
        return [Sentence("revenue_so_far", values)]
    revenue = totals(days, month)["net_revenue"]
    values = {"month": month.first, "revenue": revenue}
    code = "revenue"
    for name, months in (("before", 1), ("year", 12)):
        earlier = month.months_earlier(months)
        if earlier.first < all_days.first:
            continue
        changed = change(revenue, totals(days, earlier)["net_revenue"])
        if changed is not None:
            code = f"{code}_{name}"
            values |= {f"on_{name}": changed}
            values |= {"before" if months == 1 else "year_before": earlier.first}
    return [Sentence(code, values)]


def _regulars(regulars: Regulars | None, lately_days: int) -> list[Sentence]:
    if regulars is None or not regulars.quiet + regulars.steady:
        return []
    values: dict[str, object] = {"days": lately_days, "steady": regulars.steady}
    if not regulars.quiet:
        return [Sentence("nobody_quiet", values)]
    return [Sentence("quiet", values | {"quiet": regulars.quiet, "revenue": regulars.revenue})]


def _expected(
    expected: Expected | None, error: PastError | None, *, anonymous: bool
) -> list[Sentence]:
    if expected is None:
        return []
    values: dict[str, object] = {"span": expected.span, "expected": expected.revenue}
    changed = (
        None if expected.year_before is None else change(expected.revenue, expected.year_before)
    )
    said = [
        Sentence("expected", values)
        if changed is None
        else Sentence("expected_year", values | {"on_year": changed})
    ]
    if anonymous:
        said.append(Sentence("without_anonymous"))
    if error is not None:
        said.append(Sentence("off", {"compared": error.months, "error": error.mean}))
    return said


def _refunds(days: pd.DataFrame, month: Span | None, first_day: date) -> list[Sentence]:
    if month is None:
        return []
    now = totals(days, month)
    if not now["refunded"]:
        # Where nobody ever refunds, that nobody did is no news.
        ever = days["refunded"].to_numpy().any()
        return [Sentence("no_refunds", {"month": month.first})] if ever else []
    values = {"month": month.first, "refunded": now["refunded"], "rate": now["refund_rate"]}
    if now["refund_rate"] != now["refund_rate"]:
        return [Sentence("refunds_without_sales", values)]
    earlier = month.months_earlier(1)
    before = totals(days, earlier)["refund_rate"]
    if earlier.first < first_day or before != before:
        return [Sentence("refunds", values)]
    return [Sentence("refunds_before", values | {"before": earlier.first, "rate_before": before})]


def worded(sentences: list[Sentence], t: Language) -> str:
    """The sentences as the language writes them."""
    return " ".join(
        capitalised(t(f"overview.says.{each.code}", **_written(each, t))) for each in sentences
    )


def _written(sentence: Sentence, t: Language) -> dict[str, object]:
    written: dict[str, object] = {}
    for name, value in sentence.values.items():
        if name in _MONEY:
            written[name] = t.short_money(float(str(value)))
        elif name in _CHANGES:
            written[name] = changed(float(str(value)), t)
        elif name in _MONTHS and isinstance(value, date):
            written[name] = period_name("month", value, t)
        elif isinstance(value, Span):
            written["months"] = _months(value, t)
        else:
            written[name] = value
    return written


def _months(span: Span, t: Language) -> str:
    """``January to March 2026``: whole months, the year once where it is the same."""
    last = period_name("month", span.last, t)
    if (span.first.year, span.first.month) == (span.last.year, span.last.month):
        return last
    if span.first.year != span.last.year:
        first = period_name("month", span.first, t)
    else:
        first = str(format_date(span.first, "LLLL", t.locale))
    return t("overview.range", first=first, last=last)


def changed(share: float, t: Language) -> str:
    """``+16%``, ``-3%``, or that nothing changed, as a share in whole percent."""
    if round(share * 100) == 0:
        return t("overview.no_change")
    return f"{'+' if share > 0 else ''}{t.percent(share, 0)}"


def period_name(kind: Kind, day: date, t: Language) -> str:
    """``December 2025``, ``Q4 2025`` or ``2025``: the period that ``day`` lies in."""
    return str(format_skeleton(_SKELETONS[kind], day, locale=t.locale))


def capitalised(text: str) -> str:
    """``text`` as it begins: with the name of a month, which some languages write small."""
    return text[:1].upper() + text[1:]
