"""A contract's row rules, checked in one pass.

Each row gets a bit-mask: bit *n* is set when the row breaks rule *n* of `rules`. No rule costs
a pass, a join or a row of its own, and a mask is a number that can be filtered, counted and
turned into reasons where it is not zero. A contract of more than 63 rules takes several masks.

What the rules mean:

- ``required``: the value is null or, for text, blank (white space only).
- ``type``: text does not read as the logical type. ``format``: text does not read in the
  format the contract states. Such a value breaks no other rule: there is nothing to compare.
- ``minimum``, ``exclusive_minimum``, ``maximum``, ``exclusive_maximum``, ``min_length``,
  ``max_length`` (characters), ``pattern`` (found anywhere unless anchored) and
  ``allowed_values`` (case matters): of the value, with spaces around text removed.
- ``spreadsheet_number``: an identifier that a spreadsheet wrote in powers of ten.
- ``implausible_date``: a time that no sale can be of (property `PLAUSIBLE` of ``times``).
- ``row:malformed``: the reader could not split the row (``_corrupt_record`` is filled). Such a
  row breaks no other rule, because its values stand in columns they may not belong to.

How people write numbers, times and identifiers is stated by a column's properties: see
`customer360.contracts.numbers`, ``times`` and ``identifiers``. A contract may name rows that are
none (its property `NO_ROW`, an SQL condition: totals, what a mapping excludes): they break nothing
but ``row:malformed``.

A missing optional value breaks nothing. Uniqueness and references need other rows, and are held
against what was written. Text is read with ``try_*`` functions only, so nothing throws in ANSI
mode; numbers are read as decimals (``NaN``, ``Infinity`` and ``1d`` are no numbers). Columns that
are typed already are checked as they are; a NaN breaks ``type``. A text of silver, gold or
quarantine is a value as it stands (`stored_rules`): required is what may not be null.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, types
from pyspark.sql import functions as F

from customer360.contracts.booleans import boolean_sql
from customer360.contracts.contract import (
    BOOKKEEPING,
    MONEY,
    MONEY_IN,
    SET_ASIDE,
    Column,
    Contract,
    ContractError,
)
from customer360.contracts.identifiers import (
    AROUND,
    IDENTIFIER,
    NULL_WORDS,
    damaged_sql,
    identifier_sql,
    is_null_word,
)
from customer360.contracts.numbers import WRITTEN, decimal_sql, largest_sql
from customer360.contracts.sql import literal as _text
from customer360.contracts.sql import quoted
from customer360.contracts.times import PLAUSIBLE, TWO_DIGIT_YEARS, implausible_sql, time_sql
from customer360.errors import listed

VIOLATIONS = "_violations"
CORRUPT_RECORD = "_corrupt_record"

NO_ROW = "excludedWhere"
"""Property of a contract: which rows need not keep its rules, as an SQL condition of texts."""

RULES_A_MASK = 63
"""Bits of a long that are used: the sign bit is left alone."""

_BLANK = " \t\n\r\f\v\u00a0"
# Text that begins with a character from here up to the no-break space cannot be blank.
_FIRST_VISIBLE, _NO_BREAK_SPACE = "!", "\u00a0"
_NUMBER = "decimal(38,12)"
_INTEGER = {"i8": "tinyint", "i16": "smallint", "i32": "int", "i64": "bigint", None: "bigint"}
_STRING_FORMATS = {
    "email": r"^[^@\s]+@[^@\s.]+(\.[^@\s.]+)+$",
    "uuid": r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$",
    "uri": r"^[A-Za-z][A-Za-z0-9+.-]*:\S+$",
    "ipv4": r"^((25[0-5]|2[0-4]\d|1?\d?\d)(\.(?!$)|$)){4}$",
}
_ISO = {
    "date": r"^\d{4}-\d{2}-\d{2}$",
    "timestamp": r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?.*)?$",
}
# Formats that a plain cast reads; it takes a third of the time of a formatter.
_CASTABLE = {
    "yyyy-MM-dd": _ISO["date"],
    "yyyy-MM-dd HH:mm:ss": r"^\d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}$",
    "yyyy-MM-dd'T'HH:mm:ss": r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}$",
}


@dataclass(frozen=True)
class Rule:
    """One rule: ``kind`` of ``column``; ``limit`` is what the value is held against."""

    column: str
    kind: str
    limit: object = None

    @property
    def reason(self) -> str:
        """How the rule is named in quarantine, e.g. ``amount:minimum``."""
        return f"{self.column}:{self.kind}"


@functools.lru_cache(maxsize=256)
def rules(contract: Contract) -> tuple[Rule, ...]:
    """The contract's row rules, in the order of reasons: malformed first, then by column."""
    row_rules = [Rule("row", "malformed")]
    for column in contract.columns:
        if column.required:
            row_rules.append(Rule(column.name, "required"))
        parsed = _parse_kind(column)
        if parsed is not None:
            row_rules.append(Rule(column.name, parsed, column.format or column.logical_type))
        elif column.logical_type == "string" and column.format is not None:
            row_rules.append(Rule(column.name, "format", column.format))
        if IDENTIFIER in column.properties:
            row_rules.append(Rule(column.name, "spreadsheet_number"))
        if PLAUSIBLE in column.properties:
            row_rules.append(Rule(column.name, "implausible_date"))
        row_rules += [Rule(column.name, kind, bound) for kind, bound in column.bounds.items()]
        rest = {
            "min_length": column.min_length,
            "max_length": column.max_length,
            "pattern": column.pattern,
            "allowed_values": column.allowed_values or None,
        }
        row_rules += [Rule(column.name, kind, lim) for kind, lim in rest.items() if lim is not None]
    return tuple(row_rules)


def violation_columns(contract: Contract) -> tuple[str, ...]:
    """Names of the mask columns: ``_violations``, then ``_violations_2`` … when it takes more."""
    words = -(-len(rules(contract)) // RULES_A_MASK)
    return (VIOLATIONS, *(f"{VIOLATIONS}_{n}" for n in range(2, words + 1)))


def with_violations(
    df: DataFrame,
    contract: Contract,
    *,
    event_date: str | None = None,
    money: str | None = None,
) -> DataFrame:
    """``df`` with its masks (`violation_columns`, never null, 0 when the row keeps every rule).

    Args:
        df: Holds the contract's columns, as text or typed; other columns pass through.
        contract: Whose rules to check.
        event_date: Add a column of this name with the date of the contract's event time (null
            when unreadable or when there is none), without reading that text a second time.
        money: Add a column of this name with what the row is worth by the contract's `MONEY`,
            without sign, in the source's own unit: at its most where a text does not read, null
            where nothing can be told, or nothing is stated.

    Raises:
        ContractError: A column of the contract is missing.
    """
    absent = [name for name in contract.column_names if name not in df.columns]
    if absent:
        raise ContractError(
            f"contract {contract.table}: the rows lack column {listed(absent)}; "
            f"they have {listed(df.columns)}"
        )
    read, checked = _readings(df, contract)
    # A text is read in a projection of its own, so that the rules which look at it do not each
    # read it again. Without something nondeterministic the optimizer would push a filter on the
    # mask down to the scan, and every rule's reading with it.
    staged = df.selectExpr("*", *read)
    masks = _masks(contract, checked, malformed=CORRUPT_RECORD in df.columns)
    added = []
    if event_date is not None:
        events = [c.value for c in checked if c.column.name == contract.event_time]
        added.append(f"CAST({events[0] if events else 'NULL'} AS date) AS {quoted(event_date)}")
    if money is not None:
        worth = _money(checked, contract, malformed=CORRUPT_RECORD in df.columns)
        added.append(f"CAST({worth} AS decimal(38,2)) AS {quoted(money)}")
    marked = staged.selectExpr(
        *(quoted(name) for name in df.columns),
        *added,
        *(
            f"{mask} | CAST(shiftright(spark_partition_id(), 31) AS bigint) AS {name}"
            for mask, name in zip(masks, violation_columns(contract), strict=True)
        ),
    )
    return _without_no_rows(marked, contract)


def _readings(df: DataFrame, contract: Contract) -> tuple[list[str], list[_Checked]]:
    """SQL of the columns that read each text once, and the contract's columns read so."""
    types_of = {field.name: field.dataType for field in df.schema.fields}
    read: list[str] = []
    checked: list[_Checked] = []
    for n, column in enumerate(contract.columns):
        raw, data_type = quoted(column.name), types_of[column.name]
        if not isinstance(data_type, types.StringType):
            is_real = isinstance(data_type, types.DoubleType | types.FloatType)
            unreadable = f"isnan({raw})" if is_real and column.logical_type == "number" else None
            checked.append(_Checked(column, raw, f"{raw} IS NULL", unreadable))
            continue
        text, value = f"__text_{n}", f"__value_{n}"
        read.append(f"trim({raw}) AS {text}")
        words = column.properties.get(NULL_WORDS) or ()
        if IDENTIFIER in column.properties:
            read.append(f"{_typed(column)} AS {value}")
            checked.append(_Checked(column, value, f"{value} IS NULL", None))
        elif _parse_kind(column) is None:
            missing = f"({_blank(text)} OR {is_null_word(text, words)})" if words else _blank(text)
            checked.append(_Checked(column, text, missing, None))
        else:
            read.append(f"{_typed(column)} AS {value}")
            missing = _blank(text)
            if words:  # what could be read is no such word
                missing = f"({value} IS NULL AND ({missing} OR {is_null_word(text, words)}))"
            checked.append(_Checked(column, value, missing, f"{value} IS NULL"))
    return read, checked


def _without_no_rows(marked: DataFrame, contract: Contract) -> DataFrame:
    """``marked`` with no violation where the contract's `NO_ROW` says that a row is none."""
    no_row = contract.properties.get(NO_ROW)
    if no_row is None:
        return marked
    # Asked only of rows that break a rule, which are few.
    malformed = f"{CORRUPT_RECORD} IS NULL" if CORRUPT_RECORD in marked.columns else "true"
    forgiven = {
        name: F.expr(
            f"CASE WHEN {name} <> 0 AND {malformed} AND ({no_row}) THEN 0L ELSE {name} END"
        )
        for name in violation_columns(contract)
    }
    return marked.withColumns(forgiven)


def keeps_every_rule(contract: Contract) -> SparkColumn:
    """Whether a row from `with_violations` is good; values that are `SET_ASIDE` do not count."""
    return F.expr(_kept(contract))


def stored_rules(contract: Contract) -> tuple[tuple[Rule, str], ...]:
    """The rules of a row as its table stores it, each with the SQL that is true of one breaking it.

    Of bronze they are read from the masks of `with_violations`. Values that are `SET_ASIDE` break
    nothing.
    """
    if contract.layer == "bronze":
        masks, forgiven = violation_columns(contract), _forgiven(contract)
        of_columns = [
            (rule, _breaks(masks, n)) for n, rule in enumerate(rules(contract)) if n not in forgiven
        ]
    else:
        of_columns = [rule for column in contract.columns for rule in _stored_rules(column)]
    return (
        *of_columns,
        *(
            (Rule(column.name, "required"), f"{quoted(column.name)} IS NULL")
            for column in contract.stored_columns[len(contract.columns) :]
            if column.required
        ),
    )


def breaks_a_rule(contract: Contract) -> str:
    """SQL of whether a row breaks any of the `stored_rules`: true where it does."""
    if contract.layer != "bronze":
        return " OR ".join(condition for _, condition in stored_rules(contract)) or "false"
    bookkeeping = (f"{quoted(c.name)} IS NULL" for c in BOOKKEEPING if c.required)
    return " OR ".join((f"NOT ({_kept(contract)})", *bookkeeping))


def _kept(contract: Contract) -> str:
    forgiven = [0] * len(violation_columns(contract))
    for n in _forgiven(contract):
        forgiven[n // RULES_A_MASK] |= 1 << n % RULES_A_MASK
    kept = zip(violation_columns(contract), forgiven, strict=True)
    # The bits of a long, of which the forgiven are none that count.
    return " AND ".join(
        f"({name} & {~bits}L) = 0" if bits else f"{name} = 0" for name, bits in kept
    )


def _stored_rules(column: Column) -> list[tuple[Rule, str]]:
    value = quoted(column.name)
    item = _Checked(column, value, f"{value} IS NULL", _unreadable(column))
    conditions = [(Rule(column.name, "required"), item.missing)] if column.required else []
    if item.unreadable is not None:
        conditions.append((Rule(column.name, "type"), item.unreadable))
    return conditions + [(Rule(column.name, kind), broken) for kind, broken in _limits(item)]


def _unreadable(column: Column) -> str | None:
    """SQL of whether a stored number is none."""
    is_real = column.physical_type.lower() in ("float", "double")
    return f"isnan({quoted(column.name)})" if is_real else None


def money_counts(contract: Contract, money: str, left_out: SparkColumn) -> tuple[SparkColumn, ...]:
    """Aggregates over column ``money`` of `with_violations`; none where the contract states none.

    ``money`` of all rows, ``money_refused`` of those that break a rule, and of them
    ``worth_unknown``: rows of which nothing can be told. Rows that somebody left out for good are
    not refused; money of another currency is none.
    """
    if not contract.properties.get(MONEY):
        return ()
    worth, refused = F.col(money), ~keeps_every_rule(contract) & ~left_out
    foreign = F.expr(" OR ".join(_foreign(contract)) or "false")
    return (
        F.sum(worth).alias("money"),
        F.sum(F.when(refused, worth)).alias("money_refused"),
        F.count_if(refused & worth.isNull() & ~foreign).alias("worth_unknown"),
    )


def set_aside_counts(contract: Contract) -> tuple[SparkColumn, ...]:
    """Aggregates, each named by its reason, that count good rows with a value set aside."""
    names, good = violation_columns(contract), keeps_every_rule(contract)
    every = rules(contract)
    return tuple(
        F.count_if(F.expr(_breaks(names, n)) & good).alias(every[n].reason)
        for n in _forgiven(contract)
    )


def set_aside_reasons(contract: Contract) -> tuple[str, ...]:
    """The reasons that `set_aside_counts` counts."""
    every = rules(contract)
    return tuple(every[n].reason for n in _forgiven(contract))


def _forgiven(contract: Contract) -> list[int]:
    """Positions of the rules whose violation only sets a value aside."""
    aside = {c.name for c in contract.columns if c.properties.get(SET_ASIDE)}
    every = enumerate(rules(contract))
    return [n for n, rule in every if rule.column in aside and rule.kind != "malformed"]


def reasons(mask: str | Sequence[str] | None, contract: Contract) -> SparkColumn:
    """Every reason a row broke, in the order of `rules`, as array<string>.

    Args:
        mask: Name of the mask column, or of all of them in order; None: `violation_columns`.
        contract: The contract the masks were made with.

    Raises:
        ContractError: There are fewer masks than the contract's rules need.
    """
    names = violation_columns(contract)
    masks = names if mask is None else (mask,) if isinstance(mask, str) else tuple(mask)
    if len(masks) != len(names):
        raise ContractError(
            f"contract {contract.table}: {len(rules(contract))} rules take the mask columns "
            f"{', '.join(names)}; {len(masks)} given"
        )
    every = ", ".join(
        f"CASE WHEN {_breaks(masks, n)} THEN {_text(rule.reason)} END"
        for n, rule in enumerate(rules(contract))
    )
    return F.expr(f"array_compact(array({every}))")


def typed_value(column: Column) -> SparkColumn:
    """A bronze text as the contract's logical type; null when blank, unreadable or set aside.

    This is the reading that the check makes, so what passed the check is never null here.
    Numbers are decimal(38,12), integers bigint; a timestamp is as the source wrote it, in the
    session's time zone (UTC), not yet moved from the source's time zone.
    """
    value = _typed(column)
    limits = _limits(_Checked(column, value, "false", None))
    if not column.properties.get(SET_ASIDE) or not limits:
        return F.expr(value)
    broken = " OR ".join(f"coalesce({condition}, false)" for _, condition in limits)
    return F.expr(f"CASE WHEN {broken} THEN NULL ELSE {value} END")


# The rest is SQL text rather than Column objects: each call on those is a round trip to the JVM,
# and the thousand that a wide contract takes would cost more than checking a day's rows.


@dataclass(frozen=True)
class _Checked:
    """A column ready to be checked, in SQL; ``unreadable`` is None when any value will do."""

    column: Column
    value: str
    missing: str
    unreadable: str | None


def _typed(column: Column) -> str:
    text = f"trim({quoted(column.name)})"
    kind, form, properties = column.logical_type, column.format, column.properties
    if kind in ("integer", "number"):
        written = any(name in properties for name in WRITTEN)
        cast_to = _NUMBER if kind == "number" else _INTEGER[form]
        if not written:
            return f"try_cast({text} AS {cast_to})"
        value = decimal_sql(text, properties, _NUMBER)
        if kind == "number":
            return value
        # A column of whole numbers with gaps comes as 3.0 out of many programs.
        return f"CASE WHEN ({value}) = floor({value}) THEN try_cast({value} AS {cast_to}) END"
    if kind == "boolean":
        return boolean_sql(text)
    if kind in ("date", "timestamp"):
        return f"CAST({_time(text, column)} AS {kind})"
    if IDENTIFIER in properties:
        return identifier_sql(text, properties)
    words = properties.get(NULL_WORDS) or ()
    if words:
        return f"CASE WHEN {text} <> '' AND NOT {is_null_word(text, words)} THEN {text} END"
    return f"nullif({text}, '')"


def _time(text: str, column: Column) -> str:
    kind, form = column.logical_type, column.format
    if form is None:
        shape, cast_to = _ISO[kind], kind
    elif form in _CASTABLE:
        # A date may be written with a time; reading it as a date alone is cheaper.
        shape, cast_to = _CASTABLE[form], "date" if form == "yyyy-MM-dd" else "timestamp"
    elif TWO_DIGIT_YEARS in column.properties:
        return _as_people_write(text, form, column)
    else:
        return f"try_to_timestamp({text}, {_text(form)})"
    read = f"CASE WHEN {text} RLIKE {_text(shape)} THEN try_cast({text} AS {cast_to}) END"
    if form is None or TWO_DIGIT_YEARS not in column.properties:
        return read
    return f"coalesce({read}, {_as_people_write(text, form, column)})"


def _as_people_write(text: str, form: str, column: Column) -> str:
    """SQL of a time with white space of any kind around it, looked for where else there is none."""
    years = int(column.properties[TWO_DIGIT_YEARS])
    edges = _text(AROUND)
    trimmed = time_sql(f"regexp_replace({text}, {edges}, '')", form, years)
    return (
        f"coalesce({time_sql(text, form, years)}, "
        f"CASE WHEN {text} RLIKE {edges} THEN {trimmed} END)"
    )


def _blank(text: str) -> str:
    """Whether there is nothing but white space: tabs, line breaks, what spreadsheets leave.

    Trimming a set of characters costs more than all other rules together, so it is done only
    where the first character leaves the question open.
    """
    visible = f"{text} >= {_text(_FIRST_VISIBLE)} AND {text} < {_text(_NO_BREAK_SPACE)}"
    rest = f"coalesce(trim(BOTH {_text(_BLANK)} FROM {text}), '') = ''"
    return f"CASE WHEN {visible} THEN false ELSE {rest} END"


def _masks(contract: Contract, checked: Sequence[_Checked], *, malformed: bool) -> list[str]:
    position = {(rule.column, rule.kind): n for n, rule in enumerate(rules(contract))}
    words: list[list[str]] = [["0L"] for _ in violation_columns(contract)]
    for item in checked:
        for word, mask in _column_masks(item, position).items():
            words[word].append(mask)
    masks = [f"({' | '.join(parts)})" for parts in words]
    if not malformed:
        return masks
    first = _bit(position["row", "malformed"])
    return [
        f"(CASE WHEN {CORRUPT_RECORD} IS NULL THEN {mask} ELSE {'0L' if n else first} END)"
        for n, mask in enumerate(masks)
    ]


def _column_masks(item: _Checked, position: dict[tuple[str, str], int]) -> dict[int, str]:
    """The bits of one column, by mask word: missing, or unreadable, or every limit it breaks."""
    column = item.column
    cases = [(item.missing, position[column.name, "required"] if column.required else None)]
    if item.unreadable is not None:
        cases.append((item.unreadable, position[column.name, str(_parse_kind(column))]))
    limits = [(broken, position[column.name, kind]) for kind, broken in _limits(item)]
    numbers = [n for _, n in (*cases, *limits) if n is not None]
    masks: dict[int, str] = {}
    for word in {n // RULES_A_MASK for n in numbers}:

        def bits(n: int | None, word: int = word) -> str:
            return _bit(n) if n is not None and n // RULES_A_MASK == word else "0L"

        whens = " ".join(f"WHEN {condition} THEN {bits(n)}" for condition, n in cases)
        # A comparison with null is null, and null breaks nothing.
        broken = [
            f"CASE WHEN {condition} THEN {bits(n)} ELSE 0L END"
            for condition, n in limits
            if n // RULES_A_MASK == word
        ]
        masks[word] = f"CASE {whens} ELSE {' | '.join(broken) or '0L'} END"
    return masks


def _limits(item: _Checked) -> list[tuple[str, str]]:
    """What breaks each rule on a value that is there and could be read."""
    column, value = item.column, item.value
    conditions: list[tuple[str, str]] = []
    if column.logical_type == "string" and column.format is not None:
        conditions.append(("format", f"NOT {value} RLIKE {_text(_STRING_FORMATS[column.format])}"))
    signs = {"minimum": "<", "exclusive_minimum": "<=", "maximum": ">", "exclusive_maximum": ">="}
    for kind, bound in column.bounds.items():
        conditions.append((kind, f"{value} {signs[kind]} {_literal(column, bound)}"))
    if IDENTIFIER in column.properties:
        conditions.append(("spreadsheet_number", damaged_sql(value)))
    if PLAUSIBLE in column.properties:
        conditions.append(
            ("implausible_date", implausible_sql(value, column.properties[PLAUSIBLE]))
        )
    if column.min_length is not None:
        conditions.append(("min_length", f"length({value}) < {column.min_length}"))
    if column.max_length is not None:
        conditions.append(("max_length", f"length({value}) > {column.max_length}"))
    if column.pattern is not None:
        conditions.append(("pattern", f"NOT {value} RLIKE {_text(column.pattern)}"))
    if column.allowed_values:
        allowed = ", ".join(_literal(column, allowed) for allowed in column.allowed_values)
        conditions.append(("allowed_values", f"{value} NOT IN ({allowed})"))
    return conditions


def _money(checked: Sequence[_Checked], contract: Contract, *, malformed: bool) -> str:
    """SQL of what a row is worth."""
    by_name = {item.column.name: item for item in checked}

    def worth(name: str) -> str:
        item = by_name[name]
        if item.unreadable is None:
            return f"abs({item.value})"
        text = f"trim({quoted(name)})"
        return f"coalesce(abs({item.value}), {largest_sql(text, _NUMBER)})"

    # 18 + 18 digits multiply exactly; the product of two decimal(38) would be cut.
    terms = [
        " * ".join(f"try_cast({worth(name)} AS decimal(18,6))" for name in names)
        for names in contract.properties.get(MONEY) or ()
    ]
    if not terms:
        return "NULL"
    rest = (f"coalesce({term}, 0)" for term in terms[1:])
    total = " + ".join([terms[0], *rest])
    nothing = _foreign(contract)
    if malformed:
        nothing.append(f"{CORRUPT_RECORD} IS NOT NULL")
    if (no_row := contract.properties.get(NO_ROW)) is not None:  # the sum of all is worth nothing
        nothing.append(f"({no_row})")
    return f"CASE WHEN {' OR '.join(nothing)} THEN NULL ELSE {total} END" if nothing else total


def _foreign(contract: Contract) -> list[str]:
    """SQL of whether a row names another currency, never null; none where no column names one."""
    return [
        f"coalesce(upper(trim({quoted(name)})), '') NOT IN ({', '.join(map(_text, ['', *own]))})"
        for name, own in (contract.properties.get(MONEY_IN) or {}).items()
    ]


def _literal(column: Column, value: float | int | str) -> str:
    kind = column.logical_type
    if kind == "string":
        return _text(str(value))
    if kind in ("integer", "number") and column.physical_type.lower() != "string":
        # Of the column's own type, so that no value of it is cast to be compared.
        return f"CAST({_text(str(value))} AS {column.physical_type})"
    if kind == "integer" and isinstance(value, int):
        return f"{value}L"
    return f"CAST({_text(str(value))} AS {_NUMBER if kind in ('integer', 'number') else kind})"


def _parse_kind(column: Column) -> str | None:
    """The rule that unreadable text breaks, or None when any text will do."""
    if column.logical_type in ("string", "array"):
        return None
    stated = column.format is not None and column.logical_type in ("date", "timestamp")
    return "format" if stated else "type"


def _bit(n: int) -> str:
    return f"{1 << n % RULES_A_MASK}L"


def _breaks(masks: Sequence[str], n: int) -> str:
    return f"({masks[n // RULES_A_MASK]} & {_bit(n)}) != 0"
