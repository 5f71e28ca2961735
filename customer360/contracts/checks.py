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
- ``row:malformed``: the reader could not split the row (``_corrupt_record`` is filled). Such a
  row breaks no other rule, because its values stand in columns they may not belong to.

A missing optional value breaks nothing. Uniqueness and references need other rows; they are
silver's business. Text is read with ``try_*`` functions only, so nothing throws in ANSI mode;
numbers are read as decimals (``NaN``, ``Infinity`` and ``1d`` are no numbers). Columns that
are typed already, as in silver and gold, are checked as they are; a NaN breaks ``type``.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from pyspark.sql import Column as SparkColumn
from pyspark.sql import DataFrame, types
from pyspark.sql import functions as F

from customer360.contracts.contract import Column, Contract, ContractError
from customer360.errors import listed

VIOLATIONS = "_violations"
CORRUPT_RECORD = "_corrupt_record"
MALFORMED = "row:malformed"

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
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
_ISO_TIMESTAMP = r"^\d{4}-\d{1,2}-\d{1,2}([ T]\d{1,2}:\d{1,2}(:\d{1,2}(\.\d+)?)?.*)?$"
# Formats that a plain cast reads; it takes a third of the time of a formatter.
_CASTABLE = {
    "yyyy-MM-dd": _ISO_DATE,
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
    found = [Rule("row", "malformed")]
    for column in contract.columns:
        if column.required:
            found.append(Rule(column.name, "required"))
        parsed = _parse_kind(column)
        if parsed is not None:
            found.append(Rule(column.name, parsed, column.format or column.logical_type))
        elif column.logical_type == "string" and column.format is not None:
            found.append(Rule(column.name, "format", column.format))
        found += [Rule(column.name, kind, bound) for kind, bound in column.bounds.items()]
        rest = {
            "min_length": column.min_length,
            "max_length": column.max_length,
            "pattern": column.pattern,
            "allowed_values": column.allowed_values or None,
        }
        found += [Rule(column.name, kind, lim) for kind, lim in rest.items() if lim is not None]
    return tuple(found)


def violation_columns(contract: Contract) -> tuple[str, ...]:
    """Names of the mask columns: ``_violations``, then ``_violations_2`` … when it takes more."""
    words = -(-len(rules(contract)) // RULES_A_MASK)
    return (VIOLATIONS, *(f"{VIOLATIONS}_{n}" for n in range(2, words + 1)))


def with_violations(
    df: DataFrame, contract: Contract, *, event_date: str | None = None
) -> DataFrame:
    """``df`` with its masks (`violation_columns`, never null, 0 when the row keeps every rule).

    Args:
        df: Holds the contract's columns, as text or typed; other columns pass through.
        contract: Whose rules to check.
        event_date: Add a column of this name with the date of the contract's event time (null
            when unreadable or when there is none), without reading that text a second time.

    Raises:
        ContractError: A column of the contract is missing.
    """
    absent = [name for name in contract.column_names if name not in df.columns]
    if absent:
        raise ContractError(
            f"contract {contract.table}: the rows lack column {listed(absent)}; "
            f"they have {listed(df.columns)}"
        )
    types_of = {field.name: field.dataType for field in df.schema.fields}
    read: list[SparkColumn] = []
    checked: list[_Checked] = []
    for n, column in enumerate(contract.columns):
        raw, data_type = F.col(quoted(column.name)), types_of[column.name]
        if not isinstance(data_type, types.StringType):
            is_real = isinstance(data_type, types.DoubleType | types.FloatType)
            unreadable = F.isnan(raw) if is_real and column.logical_type == "number" else None
            checked.append(_Checked(column, raw, raw.isNull(), unreadable))
            continue
        text, value = F.col(f"__text_{n}"), F.col(f"__value_{n}")
        missing = _blank(text)
        read.append(trimmed(raw).alias(f"__text_{n}"))
        if _parse_kind(column) is None:
            checked.append(_Checked(column, text, missing, None))
        else:
            read.append(typed_value(column).alias(f"__value_{n}"))
            checked.append(_Checked(column, value, missing, value.isNull()))
    # A text is read in a projection of its own, so that the rules which look at it do not each
    # read it again. Without something nondeterministic the optimizer would push a filter on the
    # mask down to the scan, and every rule's reading with it.
    staged = df.select("*", *read)
    masks = _masks(contract, checked, malformed=CORRUPT_RECORD in df.columns)
    barrier = F.shiftright(F.spark_partition_id(), 31).cast("bigint")
    added = []
    if event_date is not None:
        events = [c.value for c in checked if c.column.name == contract.event_time]
        added.append((events[0] if events else F.lit(None)).cast("date").alias(event_date))
    return staged.select(
        *(quoted(name) for name in df.columns),
        *added,
        *(
            mask.bitwiseOR(barrier).alias(name)
            for mask, name in zip(masks, violation_columns(contract), strict=True)
        ),
    )


def keeps_every_rule(contract: Contract) -> SparkColumn:
    """Whether a row from `with_violations` is good."""
    none = [F.col(name) == F.lit(0) for name in violation_columns(contract)]
    return functools.reduce(lambda a, b: a & b, none)


def reasons(mask: SparkColumn | Sequence[SparkColumn] | None, contract: Contract) -> SparkColumn:
    """Every reason a row broke, in the order of `rules`, as array<string>.

    Args:
        mask: The mask column, or all of them in order; None takes `violation_columns`.
        contract: The contract the masks were made with.

    Raises:
        ContractError: There are fewer masks than the contract's rules need.
    """
    names = violation_columns(contract)
    if mask is None:
        masks = [F.col(name) for name in names]
    elif isinstance(mask, Sequence):
        masks = list(mask)
    else:
        masks = [mask]
    if len(masks) != len(names):
        raise ContractError(
            f"contract {contract.table}: {len(rules(contract))} rules take the mask columns "
            f"{', '.join(names)}; {len(masks)} given"
        )
    every = [
        F.when(_breaks(masks[n // RULES_A_MASK], n % RULES_A_MASK), F.lit(rule.reason))
        for n, rule in enumerate(rules(contract))
    ]
    return F.array_compact(F.array(*every))


def violation_counts(contract: Contract) -> tuple[SparkColumn, ...]:
    """Aggregates, each named by its reason, that count the rows which break a rule.

    They fit ``DataFrame.agg`` and ``DataFrame.observe``: all counts in the pass already made.
    """
    names = violation_columns(contract)
    return tuple(
        F.count_if(_breaks(F.col(names[n // RULES_A_MASK]), n % RULES_A_MASK)).alias(rule.reason)
        for n, rule in enumerate(rules(contract))
    )


def trimmed(text: SparkColumn) -> SparkColumn:
    """Text without the spaces around it, as the checks see it."""
    return F.trim(text)


def typed_value(column: Column) -> SparkColumn:
    """A bronze text as the contract's logical type; null when blank or unreadable.

    This is the reading that the check makes, so what passed the check is never null here.
    Numbers are decimal(38,12), integers bigint; a timestamp is as the source wrote it, in the
    session's time zone (UTC), not yet moved from the source's time zone.
    """
    text = trimmed(F.col(quoted(column.name)))
    kind, form = column.logical_type, column.format
    if kind == "integer":
        return _number_text(text, column).try_cast(_INTEGER[form])
    if kind == "number":
        return _number_text(text, column).try_cast(_NUMBER)
    if kind == "boolean":
        return text.try_cast("boolean")
    if kind == "date" and form is None:
        return F.when(text.rlike(_ISO_DATE), text.try_cast("date"))
    if kind == "timestamp" and form is None:
        return F.when(text.rlike(_ISO_TIMESTAMP), text.try_cast("timestamp"))
    if kind in ("date", "timestamp") and form in _CASTABLE:
        # A date may be written with a time; reading it as a date alone is cheaper.
        cast_to = "date" if form == "yyyy-MM-dd" else "timestamp"
        return F.when(text.rlike(_CASTABLE[form]), text.try_cast(cast_to)).cast(kind)
    if kind in ("date", "timestamp"):
        return F.try_to_timestamp(text, F.lit(form)).cast(kind)
    return F.when(text != F.lit(""), text)


def quoted(name: str) -> str:
    """A column name that Spark takes literally, whatever a user's file calls its columns."""
    return "`" + name.replace("`", "``") + "`"


@dataclass(frozen=True)
class _Checked:
    """A column ready to be checked; ``unreadable`` is None when any value will do."""

    column: Column
    value: SparkColumn
    missing: SparkColumn
    unreadable: SparkColumn | None


def _blank(text: SparkColumn) -> SparkColumn:
    """Whether there is nothing but white space: tabs, line breaks, what spreadsheets leave.

    Trimming a set of characters costs more than all other rules together, so it is done only
    where the first character leaves the question open.
    """
    visible = (text >= F.lit(_FIRST_VISIBLE)) & (text < F.lit(_NO_BREAK_SPACE))
    rest = F.coalesce(F.trim(text, F.lit(_BLANK)), F.lit(""))
    return F.when(visible, F.lit(False)).otherwise(rest == F.lit(""))


def _masks(
    contract: Contract, checked: Sequence[_Checked], *, malformed: bool
) -> list[SparkColumn]:
    position = {(rule.column, rule.kind): n for n, rule in enumerate(rules(contract))}
    words: list[list[SparkColumn]] = [[] for _ in violation_columns(contract)]
    for item in checked:
        for word, mask in _column_masks(item, position).items():
            words[word].append(mask)
    none = F.lit(0).cast("bigint")
    masks = [functools.reduce(lambda a, b: a.bitwiseOR(b), parts, none) for parts in words]
    if not malformed:
        return masks
    split = F.col(CORRUPT_RECORD).isNull()
    first = _bit(position["row", "malformed"])
    return [F.when(split, mask).otherwise(none if n else first) for n, mask in enumerate(masks)]


def _column_masks(item: _Checked, position: dict[tuple[str, str], int]) -> dict[int, SparkColumn]:
    """The bits of one column, by mask word: missing, or unreadable, or every limit it breaks."""
    column, value = item.column, item.value
    limits: dict[int, list[SparkColumn]] = {}
    for kind, broken in _limits(column, value):
        word, bit = divmod(position[column.name, kind], RULES_A_MASK)
        limits.setdefault(word, []).append(_set(broken, bit))
    cases: list[tuple[SparkColumn, int]] = [
        (item.missing, position[column.name, "required"] if column.required else -1)
    ]
    if item.unreadable is not None:
        cases.append((item.unreadable, position[column.name, str(_parse_kind(column))]))
    words = {*limits, *(n // RULES_A_MASK for _, n in cases if n >= 0)}
    none = F.lit(0).cast("bigint")
    found: dict[int, SparkColumn] = {}
    for word in words:
        chain: SparkColumn | None = None
        for condition, n in cases:
            bits = _bit(n % RULES_A_MASK) if n >= 0 and n // RULES_A_MASK == word else none
            chain = F.when(condition, bits) if chain is None else chain.when(condition, bits)
        rest = functools.reduce(lambda a, b: a.bitwiseOR(b), limits.get(word, [none]))
        found[word] = chain.otherwise(rest) if chain is not None else rest
    return found


def _limits(column: Column, value: SparkColumn) -> list[tuple[str, SparkColumn]]:
    """What breaks each rule on a value that is there and could be read."""
    found: list[tuple[str, SparkColumn]] = []
    for kind, bound in column.bounds.items():
        limit = _literal(column, bound)
        broken = {
            "minimum": value < limit,
            "exclusive_minimum": value <= limit,
            "maximum": value > limit,
            "exclusive_maximum": value >= limit,
        }[kind]
        found.append((kind, broken))
    if column.logical_type == "string" and column.format is not None:
        found.insert(0, ("format", ~value.rlike(_STRING_FORMATS[column.format])))
    if column.min_length is not None:
        found.append(("min_length", F.length(value) < F.lit(column.min_length)))
    if column.max_length is not None:
        found.append(("max_length", F.length(value) > F.lit(column.max_length)))
    if column.pattern is not None:
        found.append(("pattern", ~value.rlike(column.pattern)))
    if column.allowed_values:
        found.append(("allowed_values", ~value.isin(*column.allowed_values)))
    return found


def _literal(column: Column, bound: float | int | str) -> SparkColumn:
    if column.logical_type in ("date", "timestamp"):
        return F.lit(str(bound)).cast(column.logical_type)
    if column.logical_type == "integer" and isinstance(bound, int):
        return F.lit(bound).cast("bigint")
    return F.lit(Decimal(str(bound))).cast(_NUMBER)


def _number_text(text: SparkColumn, column: Column) -> SparkColumn:
    """Number text as Spark reads it: without thousands separators, with a decimal point."""
    separator = column.properties.get("decimalSeparator")
    if separator is None or separator == ".":
        return text
    return F.translate(text, f"{separator}.", ".")


def _parse_kind(column: Column) -> str | None:
    """The rule that unreadable text breaks, or None when any text will do."""
    if column.logical_type in ("string", "array"):
        return None
    stated = column.format is not None and column.logical_type in ("date", "timestamp")
    return "format" if stated else "type"


def _bit(n: int) -> SparkColumn:
    return F.lit(1 << n).cast("bigint")


def _set(broken: SparkColumn, n: int) -> SparkColumn:
    # A comparison with null is null, and null breaks nothing.
    return F.when(broken, _bit(n)).otherwise(F.lit(0).cast("bigint"))


def _breaks(mask: SparkColumn, n: int) -> SparkColumn:
    return mask.bitwiseAND(_bit(n)) != F.lit(0)
