"""Segments: who the customers are by what they bought, and how they move."""

from __future__ import annotations

from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from customer360.contracts import Contract
from customer360.dashboard import address, charts, tables
from customer360.dashboard.page import Page
from customer360.dashboard.queries import segments
from customer360.dashboard.queries.segments import NOBODY
from customer360.table_names import RFM

ICON, PLACE = "donut_small", 30


def render(page: Page) -> None:
    """Sizes and revenue shares, the RFM grid, movement since an earlier date."""
    t = page.t
    page.heading("segments")
    sizes = page.source.ask(segments.sizes, page.as_of)
    shown = sizes.assign(
        name=[t.named("segment", name) for name in sizes["segment"]],
        link=[page.customers_link(segments=name) for name in sizes["segment"]],
    )
    page.chart(
        charts.opening(
            charts.pairs(
                shown,
                "name",
                {
                    "customer_share": t("column.customer_share"),
                    "revenue_share": t("column.revenue_share"),
                },
                x=t("axis.share"),
                percent=True,
            )
        ),
        "segments.sizes",
        opens=True,
    )
    tables.show(
        sizes,
        "segments",
        t,
        words={"segment": "segment"},
        on_open=lambda row: page.open_customers(segments=row["segment"]),
    )
    with st.expander(t("segments.meanings")):
        st.markdown(
            "\n".join(
                f"- **{t.named('segment', name)}**: {t.named('segment_means', name)}"
                for name in sizes["segment"]
            )
        )
    grid = page.source.ask(segments.grid, page.as_of)
    links = [
        page.customers_link(recency=recency, frequency=frequency)
        for recency, frequency in zip(grid["r_score"], grid["f_score"], strict=True)
    ]
    page.chart(
        charts.opening(
            charts.heat_map(
                grid.assign(link=links),
                ("r_score", "f_score", "customers"),
                titles=(t("axis.recency"), t("axis.frequency"), t("axis.customers")),
                descending=True,
            )
        ),
        "segments.grid",
        opens=True,
    )
    tables.download(grid, "rfm-grid", t)
    _movement(page)


def _movement(page: Page) -> None:
    t = page.t
    st.markdown(f"## {t('segments.movement_title')}")
    earlier = page.earlier_dates
    if not earlier:
        page.nothing("segments.one_date")
        return
    before = st.selectbox(
        t("segments.since"), earlier, format_func=t.day, **address.one("since", earlier)
    )
    moves = page.source.ask(segments.movement, before, page.as_of)
    stayed = moves[moves["segment"] == moves["segment_before"]]["customers"].sum()
    known = moves[moves["segment_before"].notna()]["customers"].sum()
    moves["segment_before"] = moves["segment_before"].fillna(NOBODY)
    codes = Contract.load(RFM).column("segment").allowed_values
    # What an older release published are words, in no order.
    words = sorted({*moves["segment"], *moves["segment_before"]} - {*codes, NOBODY})
    best_first = (*codes, *words)
    cells = pd.concat(
        moves[(moves["segment_before"] == before_name) & (moves["segment"] == now_name)]
        for before_name in (*best_first, NOBODY)
        for now_name in best_first
    )
    cells = cells.assign(
        before=[t.named("segment", name) for name in cells["segment_before"]],
        now=[t.named("segment", name) for name in cells["segment"]],
        link=[
            page.customers_link(**_moved(row, before))
            for row in cells[["segment_before", "segment"]].to_dict("records")
        ],
    )
    page.chart(
        charts.opening(
            charts.heat_map(
                cells,
                ("now", "before", "customers"),
                titles=(t("axis.segment_now"), t("axis.segment_before"), t("axis.customers")),
                height=420,
                slanted=True,
            )
        ),
        "segments.movement",
        opens=True,
        before=t.day(before),
        as_of=t.day(page.as_of),
        stayed=t.percent(stayed / known if known else None, 0),
    )
    changed = moves[moves["segment"] != moves["segment_before"]]
    st.markdown(t("segments.largest_moves"))
    tables.show(
        changed[["segment_before", "segment", "customers"]],
        "segment-moves",
        t,
        words={"segment": "segment", "segment_before": "segment"},
        on_open=lambda row: page.open_customers(**_moved(row, before)),
    )


def _moved(row: dict[Any, Any], since: date) -> dict[str, object]:
    """Filters of the customers who were in the one segment ``since`` then and are in the other."""
    return {"segments": row["segment"], "before": row["segment_before"], "since": since}
