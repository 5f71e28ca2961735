"""Tables on a page, and the same rows as CSV."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st
from babel.numbers import get_decimal_symbol
from pandas.io.formats.style import Styler
from streamlit.delta_generator import DeltaGenerator

from customer360.language import MISSING, Language
from customer360.short_keys import short_key

HEADING, ROW = 38, 35
"""Pixels that a table's heading and each of its rows take."""

KEY = 125
"""Pixels that a key in short takes."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[+-][0-9][0-9., \u00a0\u202f]*")
"""A sign, then digits and what parts them: nothing to count out."""

MONEY = frozenset(
    {
        "net_revenue",
        "net_revenue_365d",
        "expected_revenue_365d",
        "expected_revenue_365d_low",
        "expected_revenue_365d_high",
        "value_at_stake",
        "refunded",
        "expected_profit",
        "discounted_value_12m",
    }
)
SHARES = frozenset(
    {
        "churn_probability",
        "has_left",
        "revenue_share",
        "customer_share",
        "refund_rate",
        "share",
    }
)


def as_csv(rows: pd.DataFrame, t: Language) -> bytes:
    """``rows`` as UTF-8 CSV that the language's spreadsheets read as data: no text is a formula.

    Columns keep the warehouse's names, numbers their full precision. Where the decimal mark is a
    comma, columns are parted by semicolons: such is what a spreadsheet set to the language reads.
    """
    safe = rows.copy()
    for name in safe.columns:
        if safe[name].dtype == object or isinstance(safe[name].dtype, pd.StringDtype):
            safe[name] = [
                f"'{value}" if isinstance(value, str) and _may_run(value) else value
                for value in safe[name]
            ]
    decimal = get_decimal_symbol(t.locale)
    text = safe.to_csv(
        index=False, lineterminator="\n", decimal=decimal, sep=";" if decimal == "," else ","
    )
    # The mark tells spreadsheets that it is UTF-8.
    return text.encode("utf-8-sig")


def _may_run(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula; a number or a telephone's it may."""
    return text.startswith(_FORMULA) and _NUMBER.fullmatch(text) is None


def show(
    rows: pd.DataFrame,
    name: str,
    t: Language,
    *,
    words: Mapping[str, str] | None = None,
    all_rows: Callable[[], pd.DataFrame] | None = None,
    on_open: Callable[[dict[str, Any]], None] | None = None,
) -> None:
    """A table, no taller than the screen, with a button that downloads it.

    Args:
        rows: What is shown.
        name: Of the CSV file, and of the widgets: once a page.
        t: The language; column headings are ``column.<name>``.
        words: Columns whose values have names, and the group of the names: segment, risk ….
        all_rows: Gives all rows where ``rows`` is one page of them.
        on_open: Called with the row that is clicked, in codes and keys.
    """
    shown: dict[str, Any] = {
        "data": written(rows, t, words or {}),
        "hide_index": True,
        "width": "stretch",
        "height": "stretch",
        "column_config": headings(rows, t),
        "placeholder": MISSING,
        "key": f"table-{name}",
    }

    def choose() -> None:
        # Once a click: the row is still chosen when somebody comes back.
        st.session_state[f"row-{name}"] = st.session_state[f"table-{name}"].selection.rows

    with tall(name, len(rows)):
        if on_open is None:
            st.dataframe(**shown)
        else:
            st.dataframe(**shown, on_select=choose, selection_mode="single-row")
    chosen = st.session_state.pop(f"row-{name}", None)
    if on_open is not None and chosen:
        on_open({str(name): value for name, value in rows.iloc[chosen[0]].items()})
    with st.container(horizontal=True):
        download(rows, name, t)
        if all_rows is not None:
            save_button(
                t("table.download_all"),
                lambda: as_csv(all_rows(), t),
                file=f"{name}-all",
                key=f"download-all-{name}",
            )


def tall(name: str, rows: int) -> DeltaGenerator:
    """Where a table of so many ``rows`` stands, no taller than the screen: its height is stretch.

    Args:
        name: Of the widgets: once a page.
        rows: So many.
    """
    return st.container(key=f"tall-{name}", height=HEADING + ROW * max(1, rows), border=False)


def download(rows: pd.DataFrame, name: str, t: Language) -> None:
    """A button that downloads ``rows`` as ``<name>.csv``."""
    save_button(t("table.download"), as_csv(rows, t), file=name, key=f"download-{name}")


def save_button(label: str, csv: bytes | Callable[[], bytes], *, file: str, key: str) -> None:
    """A button that downloads CSV, and leaves the page as it is.

    Args:
        label: What stands on it.
        csv: From `as_csv`; a function is asked when the button is pressed.
        file: Name of the file, without its ending.
        key: Of the widget: once a page.
    """
    st.download_button(
        label,
        csv,
        file_name=f"{file}.csv",
        mime="text/csv",
        key=key,
        icon=":material/download:",
        on_click="ignore",
    )


def named(rows: pd.DataFrame, t: Language, words: Mapping[str, str]) -> pd.DataFrame:
    """``rows`` with their values by name, and times on the clocks of the business."""
    shown = rows.copy()
    for column in shown.columns:
        if column in words:
            shown[column] = [t.named(words[column], value) for value in shown[column]]
        elif isinstance(shown[column].dtype, pd.DatetimeTZDtype):
            shown[column] = shown[column].dt.tz_convert(t.zone).dt.tz_localize(None)
    return shown


def written(rows: pd.DataFrame, t: Language, words: Mapping[str, str]) -> Styler:
    """``rows`` as people read them: rounded, by the rules of the language, keys in short.

    The values themselves stay what they are: a table is sorted by them.
    """
    shown = named(rows, t, words)
    ways = {name: _written(name, shown[name], t) for name in shown.columns}
    return shown.style.format({name: way for name, way in ways.items() if way}, na_rep=MISSING)


def _written(name: str, values: pd.Series[Any], t: Language) -> Callable[[Any], str] | None:
    """How the values of a column are written; None where they are text already."""
    if name in MONEY:
        return lambda value: t.number(value, 2)
    if name in SHARES:
        return lambda value: t.percent(value)
    if name == "customer_key":
        return short_key
    if pd.api.types.is_bool_dtype(values.dtype):
        return lambda value: t("common.affirmed" if value else "common.denied")
    if pd.api.types.is_integer_dtype(values.dtype):
        return lambda value: t.number(value)
    if pd.api.types.is_float_dtype(values.dtype):
        return lambda value: t.significant(value)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        return lambda value: f"{t.day(value)} {value:%H:%M}"
    if any(isinstance(value, date) for value in values):
        return lambda value: t.day(value)
    return None


def headings(rows: pd.DataFrame, t: Language) -> dict[str, Any]:
    """Headings and units of the columns of ``rows``."""
    columns: dict[str, Any] = {}
    for name in rows.columns:
        label = t(f"column.{name}")
        if name in MONEY:
            columns[name] = st.column_config.NumberColumn(f"{label} ({t.currency})")
        elif name == "customer_key":
            columns[name] = st.column_config.TextColumn(label, width=KEY)
        elif name == "leaving":
            # A box to tick would look as if it could be ticked.
            columns[name] = st.column_config.TextColumn(label)
        else:
            columns[name] = st.column_config.Column(label)
    return columns
