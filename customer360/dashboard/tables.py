"""Tables on a page, and the same rows as CSV."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pandas as pd
import streamlit as st

from customer360.language import MISSING, Language

_FORMULA = ("=", "+", "-", "@", "\t", "\r")

MONEY = frozenset(
    {
        "net_revenue",
        "net_revenue_365d",
        "expected_revenue_365d",
        "expected_revenue_365d_low",
        "expected_revenue_365d_high",
        "value_at_stake",
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
        "share",
    }
)


def as_csv(rows: pd.DataFrame) -> bytes:
    """``rows`` as UTF-8 CSV that a spreadsheet reads as data: no text of it is a formula.

    Columns keep the warehouse's names, numbers their full precision.
    """
    safe = rows.copy()
    for name in safe.columns:
        if safe[name].dtype == object or isinstance(safe[name].dtype, pd.StringDtype):
            safe[name] = [
                f"'{value}" if isinstance(value, str) and _may_run(value) else value
                for value in safe[name]
            ]
    # The mark tells spreadsheets that it is UTF-8.
    return safe.to_csv(index=False, lineterminator="\n").encode("utf-8-sig")


def _may_run(text: str) -> bool:
    """Whether a spreadsheet would take the text for a formula; a phone number it may."""
    return text.startswith(_FORMULA) and not text.removeprefix("+").isdigit()


def show(
    rows: pd.DataFrame,
    name: str,
    t: Language,
    *,
    words: Mapping[str, str] | None = None,
    all_rows: Callable[[], pd.DataFrame] | None = None,
    on_open: Callable[[str], None] | None = None,
) -> None:
    """A table with a button that downloads it.

    Args:
        rows: What is shown.
        name: Of the CSV file, and of the widgets: once a page.
        t: The language; column headings are ``column.<name>``.
        words: Columns whose values have names, and the group of the names: segment, risk ….
        all_rows: Gives all rows where ``rows`` is one page of them.
        on_open: Called with the customer key of the row that is clicked.
    """
    shown: dict[str, Any] = {
        "data": named(rows, t, words or {}),
        "hide_index": True,
        "width": "stretch",
        "column_config": headings(rows, t),
        "placeholder": MISSING,
        "key": f"table-{name}",
    }
    if on_open is None:
        st.dataframe(**shown)
    else:
        chosen = st.dataframe(**shown, on_select="rerun", selection_mode="single-row")
        if chosen.selection.rows:
            on_open(str(rows["customer_key"].iloc[chosen.selection.rows[0]]))
    with st.container(horizontal=True):
        download(rows, name, t)
        if all_rows is not None:
            st.download_button(
                t("table.download_all"),
                lambda: as_csv(all_rows()),
                file_name=f"{name}-all.csv",
                mime="text/csv",
                key=f"download-all-{name}",
                icon=":material/download:",
                on_click="ignore",
            )


def download(rows: pd.DataFrame, name: str, t: Language) -> None:
    """A button that downloads ``rows`` as ``<name>.csv``."""
    st.download_button(
        t("table.download"),
        as_csv(rows),
        file_name=f"{name}.csv",
        mime="text/csv",
        key=f"download-{name}",
        icon=":material/download:",
        on_click="ignore",
    )


def named(rows: pd.DataFrame, t: Language, words: Mapping[str, str]) -> pd.DataFrame:
    """``rows`` as people read them: values by name, shares in percent, times of the business."""
    shown = rows.copy()
    for column in shown.columns:
        if column in words:
            shown[column] = [t.named(words[column], value) for value in shown[column]]
        elif column in SHARES:
            shown[column] = shown[column].astype(float) * 100
        elif isinstance(shown[column].dtype, pd.DatetimeTZDtype):
            shown[column] = shown[column].dt.tz_convert(t.zone).dt.tz_localize(None)
    return shown


def headings(rows: pd.DataFrame, t: Language) -> dict[str, Any]:
    """Headings, units and number formats of the columns of ``rows``."""
    columns: dict[str, Any] = {}
    for name in rows.columns:
        label = t(f"column.{name}")
        if name in MONEY:
            label = f"{label} ({t.currency})"
            columns[name] = st.column_config.NumberColumn(label, format="localized", step=0.01)
        elif name in SHARES:
            columns[name] = st.column_config.NumberColumn(label, format="%.1f%%")
        elif name == "customer_key":
            columns[name] = st.column_config.TextColumn(label, width="small")
        elif pd.api.types.is_integer_dtype(rows[name].dtype):
            columns[name] = st.column_config.NumberColumn(label, format="localized")
        else:
            columns[name] = st.column_config.Column(label)
    return columns
