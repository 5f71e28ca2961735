"""The commented mapping that a look at files comes to."""

from __future__ import annotations

import json
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import pandas as pd
import yaml

from customer360.contracts.numbers import SIGNS_OF
from customer360.contracts.times import YEARS_FROM, contradiction, has_offset, read_times
from customer360.errors import counted_rows
from customer360.mistakes import NAME
from customer360.sources.files.mapping import (
    BUILT_IN,
    FileMapping,
    load_mapping,
    parse_mapping,
    shipped_mappings,
)
from customer360.sources.sniffing.grain import RowProfile, Rule, look_at_rows
from customer360.sources.sniffing.roles import DAYS, MONEY, TIMES, Chosen, choose, serial_of
from customer360.sources.sniffing.sample import Sample, files_in, look_at
from customer360.sources.sniffing.values import Column, Marks, columns_of, marks_of
from customer360.sources.sniffing.words import (
    DISCOUNTS,
    counts_coins,
    currency_in,
    is_named,
    plain,
)

TO_NAME = "COLUMN TO NAME"
"""Stands for a column that must be named and was not found."""

_WIDTH = 100
_COMMENT_AT = 34
_DEFAULT_TIME = "yyyy-MM-dd HH:mm:ss"
_DEFAULT_DAY = "yyyy-MM-dd"
_TEXT_KEYS = (
    "files|format|sheet|delimiter|quote|escape|encoding|skip_lines|decimal_separator|date_format|"
    "currency|time_zone"
)


@dataclass(frozen=True)
class Drafted:
    """A mapping to start from.

    Attributes:
        text: The YAML.
        mapping: What it says.
        rows: Rows that were looked at.
        whole: They are all that the files hold.
        decide: What the user is to look at before it is used.
        ready: The mapping that ships for such files.
        as_is: It reads these files as they are.
    """

    text: str
    mapping: FileMapping
    rows: int
    whole: bool
    decide: tuple[str, ...]
    ready: str | None
    as_is: bool


@dataclass(frozen=True)
class _Profile:
    """What the files are like: their columns, roles, rows and marks of numbers."""

    sample: Sample
    columns: Sequence[Column]
    roles: dict[str, Chosen]
    rows: RowProfile
    marks: Marks


def draft(
    paths: Sequence[Path],
    *,
    name: str | None = None,
    time_zone: str | None = None,
    currency: str | None = None,
) -> Drafted:
    """Look at files and write a mapping to start from.

    Args:
        paths: Files that are alike, or folders of them.
        name: Of the source; else from the file's name.
        time_zone: Where the business is; no file says it.
        currency: Else what the files say.

    Raises:
        BrokenFileError: A file cannot be read as a table.
        SettingsError: There is no file, or it is of a kind that is not read.
    """
    sample = look_at(files_in(paths))
    columns = columns_of(sample.rows, sample.instants)
    roles = choose(columns)
    money = [roles[role].column for role in (*MONEY, "quantity") if role in roles]
    marks = marks_of(money)
    ready = _ready(sample.header)
    rows = RowProfile() if ready else look_at_rows(sample.rows, columns, roles, marks.mark)
    profile = _Profile(sample, columns, roles, rows, marks)
    own = name or (ready if ready is not None else _name_of(paths[0]))
    page = _Page(profile, own, time_zone, currency)
    text = page.text(ready)
    return Drafted(
        text=text,
        mapping=parse_mapping(text, where=f"{own}.yaml"),
        rows=sample.rows.num_rows,
        whole=sample.whole,
        decide=tuple(page.decide),
        ready=ready,
        as_is=page.as_is,
    )


def _ready(header: Sequence[str]) -> str | None:
    """The mapping that ships whose columns are all there."""
    fitting = {
        name: len(columns)
        for name in shipped_mappings()
        if (columns := set(load_mapping(name).stated_columns())) <= set(header)
    }
    return max(fitting, key=lambda one: fitting[one], default=None)


def _name_of(path: Path) -> str:
    """A source's name from that of a file or folder."""
    stem = path.absolute().name if path.is_dir() else path.name.split(".")[0]
    name = plain(stem).replace(" ", "_").lstrip("0123456789_")[:50] or "shop"
    return f"my_{name}" if name in BUILT_IN or not re.fullmatch(NAME, name) else name


class _Page:
    """The lines of a mapping, and what is to be decided."""

    def __init__(
        self, profile: _Profile, name: str, time_zone: str | None, currency: str | None
    ) -> None:
        self.profile = profile
        self.name = name
        self.decide: list[str] = [*profile.sample.decide]
        self.as_is = False
        self.time_zone = time_zone
        self.currency = currency

    def text(self, ready: str | None) -> str:
        """The whole page; a mapping that ships is followed where there is one."""
        body = self._new() if ready is None else self._after(ready)
        return "\n".join([*self._top(ready), *body]).rstrip() + "\n"

    def _top(self, ready: str | None) -> list[str]:
        sample = self.profile.sample
        names = [file.name for file in sample.files]
        of = names[0] if len(names) == 1 else f"{len(names)} files"
        count = counted_rows(sample.rows.num_rows)
        extent = f"all {count}" if sample.whole else f"only its first {count} were looked at"
        lines = [
            *_prose(
                f"A start, by `customer360 map` from {of} ({extent}): read it, mend it, "
                "then see what comes in by `customer360 check --mapping THIS_FILE FILE`. "
                "docs/mappings.md has every key."
            )
        ]
        if ready is not None:
            say = f"The columns are those of the ready mapping {ready}" + (
                f", which reads this file as it is: --mapping {ready}."
                if self.as_is
                else "; this is a copy of it with what this file has otherwise."
            )
            lines += ["#", *_prose(say)]
        if self.decide:
            lines += ["#", "# To decide:"]
            for question in self.decide:
                lines += _prose(question, first="# - ", rest="#   ")
        return [*lines, ""]

    def _new(self) -> list[str]:
        """A mapping from what was seen alone."""
        profile = self.profile
        lines = _key("name", self.name)
        lines += self._files()
        lines += ["", *self._form(), *self._numbers()]
        lines += ["", *self._place(), *self._dates()]
        lines += ["", *self._grain(), "", *self._columns()]
        lines += self._rules("cancellations", profile.rows.cancellations)
        lines += self._rules("discounts", profile.rows.discounts)
        lines += self._rules("exclude", profile.rows.exclude)
        return lines

    def _after(self, ready: str) -> list[str]:
        """The mapping that ships, with what this file has otherwise."""
        shipped = load_mapping(ready)
        source = resources.files("customer360.sources.files").joinpath("mappings", f"{ready}.yaml")
        text = source.read_text("utf-8")
        zone = self.time_zone or shipped.time_zone
        stated = self._stated_currency()
        code = self.currency or stated[0] or shipped.currency
        given = [*self._files(), *self._form(), *self._numbers()]
        dates = self._dates()
        same_dates = self._reads_all(shipped)
        if not same_dates:
            given += dates
        else:
            given += _key("date_format", shipped.date_format)
        place = [*_key("time_zone", zone), *_key("currency", code)]
        if ready != "online_retail" and not self.time_zone:
            self.decide.append(f"time_zone: {zone} is the ready mapping's; write your shop's")
        own = parse_mapping(
            "\n".join([line for line in text.splitlines() if not _is_key(line)] + given + place),
            where=ready,
        )
        form = ("delimiter", "quote", "encoding", "skip_lines", "decimal_separator", "sheet")
        alike = all(
            getattr(own, key) == getattr(shipped, key) for key in (*form, "time_zone", "currency")
        )
        self.as_is = alike and same_dates and self.name == ready
        body: list[str] = []
        for line in text.splitlines():
            if line.startswith("#") and not body:  # what is said of the file as published
                continue
            if re.match("name:", line):
                body += [f"name: {self.name}"]
            elif re.match("time_zone:", line):
                body += [*given, *place]
            elif not _is_key(line):
                body.append(line)
        return body

    def _reads_all(self, shipped: FileMapping) -> bool:
        """Whether a mapping's formats read the times of these files."""
        column = next(
            (c for c in self.profile.columns if c.name == shipped.columns.occurred_at), None
        )
        if column is None or column.stored:
            return column is not None
        texts = pd.Series(list(column.texts), dtype="str")
        return bool(read_times(texts, shipped.time_formats, YEARS_FROM, None).notna().all())

    def _files(self) -> list[str]:
        sample = self.profile.sample
        endings = sorted(
            {file.name.removesuffix(".gz").rpartition(".")[2] for file in sample.files}
        )
        lines = _key("files", f"*.{endings[0]}")
        if sample.format == "parquet":
            lines += _key("format", "parquet")
        if "sheet" in sample.evidence:
            lines += _key("sheet", sample.form.sheet, sample.evidence["sheet"])
        return lines

    def _form(self) -> list[str]:
        sample, form = self.profile.sample, self.profile.sample.form
        lines: list[str] = []
        if sample.format == "csv":
            lines += _key("delimiter", form.delimiter, sample.evidence.get("delimiter", ""))
            lines += _key("encoding", form.encoding, sample.evidence.get("encoding", ""))
            if form.quote != '"':
                lines += _key("quote", form.quote or "none", sample.evidence.get("quote", ""))
            if form.escape is not None:
                lines += _key("escape", form.escape, "stands before quotation marks within values")
        if form.skip_lines:
            lines += _key("skip_lines", form.skip_lines, sample.evidence.get("skip_lines", ""))
        if self.profile.rows.fill_down:
            why = "rows without an order id continue the order above"
            lines += _key("fill_down", list(self.profile.rows.fill_down), why)
        if sample.broken:
            self.decide.append(
                f"{counted_rows(sample.broken)} without as many values as the header: such "
                "rows go to quarantine; where they only end early, `short_rows: fill` reads them"
            )
        return lines

    def _numbers(self) -> list[str]:
        marks = self.profile.marks
        if marks.decide:
            self.decide.append(marks.decide)
        lines: list[str] = []
        if marks.decimal is not None:
            lines += _key("decimal_separator", marks.decimal, marks.why)
        coins = [
            chosen.column.name
            for role, chosen in self.profile.roles.items()
            if role in MONEY and counts_coins(chosen.column.name)
        ]
        if coins:
            lines += _key("amounts_in", "minor_units", f"{coins[0]} says so: 1050 is 10.50")
        return lines

    def _place(self) -> list[str]:
        lines: list[str] = []
        if self.time_zone:
            lines += _key("time_zone", self.time_zone)
        else:
            own = self.profile.roles.get("occurred_at")
            offset = own is not None and (
                own.column.times.instants or (serial_of(own.column) or "").startswith("unix")
            )
            of = "of the business's days" if offset else "of the times and the business's days"
            lines += _key("time_zone", "UTC", f"TO DECIDE: {of}")
            self.decide.append(f"time_zone: no file says it; {of}, like Europe/London")
        code, why = (self.currency, "") if self.currency else self._stated_currency()
        if code is None:
            code, why = "USD", "TO DECIDE: nothing in the file says it"
            self.decide.append("currency: nothing in the file says it; USD stands there for now")
        return [*lines, *_key("currency", code, why)]

    def _stated_currency(self) -> tuple[str | None, str]:
        """The currency that the files state, and where."""
        roles = self.profile.roles
        if "currency" in roles:
            column = roles["currency"].column
            values = self.profile.sample.rows.column(column.name).drop_null().to_pylist()
            counts = pd.Series(values, dtype="str").str.upper().value_counts()
            codes = [str(code) for code in counts.index if re.fullmatch("[A-Z]{3}", str(code))]
            if codes:
                if len(codes) > 1:
                    others = ", ".join(codes[1:])
                    self.decide.append(
                        f"currency: there are rows in {others} too; they are left out by name, or "
                        "converted: rates: {" + f"{codes[1]}: what one is worth" + "}"
                    )
                share = round(100 * int(counts[codes[0]]) / len(values))
                return codes[0], f"{share} % of the rows by column {column.name}"
        for role in MONEY:
            if role not in roles:
                continue
            column = roles[role].column
            if code := currency_in(column.name):
                return code, f"column {column.name} says so"
            for sign, _ in column.numbers.signs.most_common(1):
                having = [c for c, signs in SIGNS_OF.items() if sign in signs or sign.upper() == c]
                if len(having) == 1:
                    return having[0], f"{sign} stands beside amounts"
                if "USD" in having:
                    self.decide.append(
                        f"currency: {sign} may be another dollar than that of the US"
                    )
                    return "USD", f"{sign} stands beside amounts"
        return None, ""

    def _dates(self) -> list[str]:
        lines: list[str] = []
        roles = self.profile.roles
        formats: list[str] = []
        for role in TIMES:
            if role not in roles or roles[role].column.stored:
                continue
            column = roles[role].column
            serial = serial_of(column) if not column.is_time else None
            own = [serial] if serial else list(column.times.formats)
            if role == "occurred_at":
                lines += self._date_format(column, own)
                formats = own
            elif not column.times.unclear and not set(own) <= set(formats):
                if any(has_offset(a) != has_offset(b) for a in own for b in formats) or (
                    contradiction([*formats, *own])
                ):
                    self.decide.append(f"{column.name}: its times are not like those of the orders")
                else:
                    formats = list(dict.fromkeys((*formats, *own)))
                    lines = [line for line in lines if not line.startswith("date_format:")]
                    lines += _key("date_format", formats)
        days = [roles[role].column for role in DAYS if role in roles]
        days = [column for column in days if not column.stored]
        stated = list(dict.fromkeys(one for column in days for one in column.times.formats))
        if not days or stated == [_DEFAULT_DAY]:
            return lines
        unclear = [column.name for column in days if column.times.unclear]
        if unclear or contradiction(stated):
            self.decide.append(
                f"day_format: day and month of {unclear[0] if unclear else days[0].name} may be "
                "either way round; it reads " + _or([*stated, *days[0].times.other])
            )
            return lines
        named = ", ".join(column.name for column in days)
        return [
            *lines,
            *_key("day_format", stated if len(stated) > 1 else stated[0], f"of {named}"),
        ]

    def _date_format(self, column: Column, formats: list[str]) -> list[str]:
        """The format of the orders' times, or the choice there is."""
        times, every = column.times, len(column.texts)
        extent = "" if every == column.distinct else " looked at"
        if not formats:
            self.decide.append(f"date_format: no format that people use reads {column.name}")
            return []
        if formats[0] == _DEFAULT_TIME == formats[-1] and times.read == every:
            sentence = f"Times are {_DEFAULT_TIME}, as usual: all {every:,} values{extent} of "
            return _prose(sentence + column.name)
        if times.unclear:
            hint = self._in_order(column)
            self.decide.append(
                f"date_format: {_or([*times.formats, *times.other])}: both read all values of "
                f"{column.name}, on different days{hint}"
            )
            lines = [
                f"# date_format: TO DECIDE. Each reads all {every:,} values{extent} of "
                f"{column.name}:"
            ]
            return [
                *lines,
                *(
                    f"# date_format: {_value(_one(pattern))}"
                    for pattern in (times.formats, times.other)
                ),
            ]
        share = 100 * times.read / every if column.is_time else 100
        exact = "100" if share == 100 else f"{min(share, 99.9):.1f}"
        why = f"{exact} % of {every:,} values{extent} of {column.name}"
        if times.other_read:
            why += f"; {times.other[0]} would read {times.other_read:,}"
        if share < 100:
            self.decide.append(
                f"date_format: {every - times.read:,} of {every:,} values of {column.name} not "
                "read by it: such rows go to quarantine"
            )
        lines = _key("date_format", formats if len(formats) > 1 else formats[0], why)
        if any(re.search("(?<!y)yy(?!y)", one) for one in formats):
            lines += ["# two_digit_years_from: 1970      # 97 is 1997, 12 is 2012"]
        return lines

    def _in_order(self, column: Column) -> str:
        """Which way round the rows are in order of time, if one alone."""
        texts = pd.Series(
            self.profile.sample.rows.column(column.name).drop_null().to_pylist()[:5000], dtype="str"
        )
        shares = []
        for formats in (column.times.formats, column.times.other):
            read = read_times(texts, " | ".join(formats), YEARS_FROM, "UTC")
            shares.append(float((read.diff().dropna() >= pd.Timedelta(0)).mean()))
        if len(texts) >= 8 and max(shares) > 0.95 and min(shares) < 0.8:
            way = column.times.formats if shares[0] > shares[1] else column.times.other
            return f" (the rows are in order of time by {way[0]})"
        return ""

    def _grain(self) -> list[str]:
        rows = self.profile.rows
        self.decide += rows.decide
        lines = _key("grain", rows.grain, rows.why)
        if rows.alike:
            lines += _prose(
                f"{counted_rows(rows.alike)} like another in every column: such rows count once"
                + ("; repeated_lines: keep counts each" if rows.grain == "lines" else "")
            )
        return lines

    def _columns(self) -> list[str]:
        profile, lines = self.profile, ["columns:"]
        used: set[str] = set()
        for role, value, why in self._roles():
            lines += _key(role, value, why, indent="  ")
            used |= set(value if isinstance(value, list) else [value])
        lines += self._perhaps(used)
        rules = [*profile.rows.cancellations, *profile.rows.discounts, *profile.rows.exclude]
        used |= {rule.column for rule in rules}
        left = [column.name for column in profile.columns if column.name not in used]
        for name in left:
            if is_named(name, f".*({DISCOUNTS}).*"):
                self.decide.append(
                    f"{name}: looks like a discount and is not taken off; if the money is what was "
                    "to pay before it, name a column of the amount as discount (a share of the "
                    "price is none)"
                )
        if left:
            lines += _prose(
                "Not named, kept as JSON in bronze: " + ", ".join(left), first="  # ", rest="  # "
            )
        return lines

    def _roles(self) -> list[tuple[str, str | list[str], str]]:
        """Each role to state, its columns and why."""
        profile = self.profile
        rows, roles = profile.rows, profile.roles
        stated: list[tuple[str, str | list[str], str]] = []
        for role in ("order_id", "occurred_at"):
            if role not in roles:
                stated.append((role, TO_NAME, "TO DECIDE: no column looks like it"))
                self.decide.append(f"columns.{role}: no column looks like it; name one")
        money = [role for role in rows.amount if role in roles]
        if len(money) < len(rows.amount):
            stated.append(("amount", TO_NAME, "TO DECIDE: no column looks like money"))
            self.decide.append("columns.amount: no column looks like money; name one")
        left_out = {"discount"} | ({"amount", "unit_price"} - set(rows.amount))
        if rows.grain == "orders" or not rows.numbered:
            left_out |= {"line_id"}
        if rows.grain == "orders":
            left_out |= {"product_id"}
        if not rows.states:
            left_out |= {"changed_at"}
        if "refunded" not in roles:
            left_out |= {"refunded_at"}
        for role, chosen in roles.items():
            if role in left_out:
                continue
            column = chosen.column
            value: str | list[str] = column.name
            if role == "order_id" and len(rows.order_id) > 1:
                value = list(rows.order_id)
            stated.append((role, value, _why(chosen)))
        if "customer_id" not in roles:
            self.decide.append(
                "columns.customer_id: no column looks like it; without one every sale is anonymous"
            )
        order = list(FileMapping.model_fields["columns"].annotation.model_fields)  # type: ignore[union-attr]
        return sorted(stated, key=lambda one: order.index(one[0]))

    def _perhaps(self, used: set[str]) -> list[str]:
        """Roles that may be meant, and are not stated."""
        profile, lines = self.profile, []
        roles, rows = profile.roles, profile.rows
        if "discount" in roles:
            column = roles["discount"].column
            used.add(column.name)
            lines.append(
                f"  # discount: {_value(column.name)}  # if the amount is what was to pay before it"
            )
        for role in ("amount", "unit_price"):
            if role in roles and role not in rows.amount:
                used.add(roles[role].column.name)
                lines.append(
                    f"  # {role}: {_value(roles[role].column.name)}  # instead of "
                    f"{' and '.join(rows.amount)}"
                )
        if "line_id" in roles and rows.grain == "lines" and not rows.numbered:
            column = roles["line_id"].column
            used.add(column.name)
            lines.append(f"  # {column.name} does not tell the lines of an order apart")
        return lines

    def _rules(self, key: str, rules: Sequence[Rule]) -> list[str]:
        if not rules:
            return []
        lines = ["", f"{key}:"]
        for rule in rules:
            if rule.why:
                lines += _prose(rule.why, first="  # ", rest="  # ")
            test = rule.test or f"equals: [{', '.join(map(_value, rule.equals))}]"
            parts = [f"reason: {rule.reason}"] if rule.reason else []
            parts += [f"column: {_value(rule.column)}", test]
            if key == "cancellations" and rule.kind != "refund":
                parts.append(f"kind: {rule.kind}")
            lines.append("  - {" + ", ".join(parts) + "}")
        return lines


def _why(chosen: Chosen) -> str:
    """What speaks for a column, without any of its values."""
    column = chosen.column
    reason = chosen.why
    if column.filled < column.rows:
        blank = 100 * (column.rows - column.filled) / column.rows
        reason += f"; {blank:.0f} % blank" if blank >= 1 else "; a few are blank"
    reason += f"; {column.distinct:,} different"
    if chosen.also:
        reason += f"; also possible: {', '.join(chosen.also[:3])}"
    return reason


def _is_key(line: str) -> bool:
    """Whether a line of a mapping that ships states how a file is written."""
    return re.match(f"({_TEXT_KEYS}):", line) is not None


def _key(key: str, value: object, why: str = "", indent: str = "") -> list[str]:
    """A key and its value; what it was told from beside it, or above where that is long."""
    if isinstance(value, list):
        shown = "[" + ", ".join(_value(one) for one in value) + "]"
    else:
        shown = _value(value)
    line = f"{indent}{key}: {shown}"
    if not why:
        return [line]
    beside = f"{line.ljust(_COMMENT_AT)}  # {why}"
    if len(beside) <= _WIDTH:
        return [beside]
    return [*_prose(why, first=f"{indent}# ", rest=f"{indent}# "), line]


def _prose(text: str, first: str = "# ", rest: str = "# ") -> list[str]:
    return textwrap.wrap(
        " ".join(text.split()),
        _WIDTH,
        initial_indent=first,
        subsequent_indent=rest,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _value(value: object) -> str:
    """A value in YAML, bare where it is read back as it is."""
    text = str(value)
    if not isinstance(value, str):
        return text
    bare = re.fullmatch(r"[^\W\d][\w ]*(?:[./-][\w]+)*", text) and "yy" not in text
    if bare and yaml.safe_load(text) == text:
        return text
    return json.dumps(text, ensure_ascii=False)


def _one(formats: Sequence[str]) -> str:
    return formats[0]


def _or(formats: Sequence[str]) -> str:
    return " or ".join(dict.fromkeys(formats))
