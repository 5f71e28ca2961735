"""What rows are worth as their texts state it, in DuckDB's SQL: one reading for every list."""

from __future__ import annotations

import re
from collections.abc import Callable

from customer360.contracts import MONEY, MONEY_IN, Column
from customer360.contracts.numbers import DECIMAL, SIGNS, duckdb_decimal_sql, minor_digits
from customer360.contracts.sql import sql_name, sql_text
from customer360.sources.base import Source
from customer360.sources.mapped import MappedSource

_NOTHING = "NULL::DECIMAL(38,2)"


def worth_sql(source: Source, table: str, text: Callable[[str], str]) -> str:
    """Money of a raw row without sign, in the source's currency: null where it is not plain.

    Args:
        source: Whose.
        table: Bronze table, without the layer.
        text: Gives SQL of the text of a column.
    """
    money = money_sql(source, table, text)
    return _NOTHING if money is None else f"CAST(abs({money}) AS DECIMAL(38,2))"


def money_sql(source: Source, table: str, text: Callable[[str], str]) -> str | None:
    """Money that a raw row states: the same with its sign; None where rows state no money."""
    contract = source.contract(table)

    def product(names: list[str]) -> str:
        read = [duckdb_decimal_sql(text(n), contract.column(n).properties) for n in names]
        # Digits that multiply exactly.
        return " * ".join(f"try_cast({r} AS DECIMAL(18,4))" for r in read) if read[1:] else read[0]

    terms = [product(names) for names in contract.properties.get(MONEY) or ()]
    if not terms:
        return None
    money = " + ".join([terms[0], *(f"coalesce({term}, 0)" for term in terms[1:])])
    if isinstance(source, MappedSource) and source.mapping.amounts_in == "minor_units":
        money = f"({money}) / {10 ** minor_digits(source.currency)}"
    money = f"round(try_cast({money} AS DECIMAL(38,6)), 2)"
    for column, own in (contract.properties.get(MONEY_IN) or {}).items():
        codes = ", ".join(sql_text(code) for code in ("", *own))
        is_own = f"coalesce(upper(trim({text(column)})), '') IN ({codes})"
        money = f"CASE WHEN {is_own} THEN {money} END"
    return money


def worth_in_bronze(source: Source, table: str) -> str:
    """The same of an accepted row, whose numbers have been read: however they are written."""
    contract = source.contract(table)

    def text(name: str) -> str:
        column = contract.column(name)
        stated = sql_name(name)
        return _plainly(stated, column) if column.logical_type == "number" else stated

    return worth_sql(source, table, text)


def reads_plainly(source: Source) -> bool:
    """Whether what a row's texts state is, to the cent, the amount of the one row made of it."""
    if not isinstance(source, MappedSource):
        return False
    mapping = source.mapping
    return bool(mapping.columns.headers("amount")) and not (
        source.splits_rows
        or mapping.rates
        or mapping.discounts
        or mapping.columns.discount
        or mapping.amounts_in == "minor_units"
    )


def states_plain_money(source: Source, table: str) -> bool:
    """Whether what a row states needs no other column or unit to be its worth."""
    properties = source.contract(table).properties
    minor = isinstance(source, MappedSource) and source.mapping.amounts_in == "minor_units"
    return bool(properties.get(MONEY)) and not properties.get(MONEY_IN) and not minor


def _plainly(text: str, column: Column) -> str:
    """A number's text as `duckdb_decimal_sql` reads it: digits, the decimal mark, one minus.

    That a text is a number was settled when its row was accepted; what is left out here is what
    its column passes over: signs of currencies, marks and blanks between digits, parentheses.
    """
    mark = column.properties.get(DECIMAL) or "."
    signs = "|".join(re.escape(sign) for sign in column.properties.get(SIGNS) or ())
    bare = f"regexp_replace({text}, {sql_text(f'(?i:{signs})')}, '', 'g')" if signs else text
    digits = f"regexp_replace({bare}, '[^0-9{mark}]', '', 'g')"
    minus = f"CASE WHEN regexp_matches({text}, '[-−–(]') THEN '-' ELSE '' END"
    read = duckdb_decimal_sql(text, column.properties)
    pointed = text if mark == "." else f"replace({text}, '{mark}', '.')"
    power = f"replace(CAST(try_cast({pointed} AS DECIMAL(38,6)) AS VARCHAR), '.', '{mark}')"
    return (
        f"CASE WHEN {read} IS NOT NULL THEN {text} "
        f"ELSE coalesce(CASE WHEN regexp_matches({text}, '[0-9][eE][-+]?[0-9]') THEN {power} END, "
        f"concat({minus}, {digits})) END"
    )
