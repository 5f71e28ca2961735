"""What every page is given, and the parts that pages share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
import streamlit as st

from customer360.dashboard import address, charts
from customer360.dashboard.connection import NotMadeError
from customer360.dashboard.queries import customers
from customer360.dashboard.queries.call_list import Wanted
from customer360.dashboard.queries.deployment import Published
from customer360.dashboard.source import Source
from customer360.language import Language
from customer360.models.campaign import Campaign
from customer360.serving.measured_campaign import measured_campaign
from customer360.settings import Settings
from customer360.short_keys import short_key

SAME_RATE = 0.005
"""How far a success rate that was set after a campaign may be from what that measured: rounding."""


@dataclass(frozen=True)
class Page:
    """What a page is given.

    Attributes:
        source: Answers of the warehouse.
        settings: Of the deployment: what the warehouse states of them, and else this process's.
        published: What the warehouse holds.
        chosen: The chosen as-of date; None while there is none to choose.
        t: The language.
        open_customer: Leaves for the page of the customer with this key.
        open_page: Leaves for the page of a name, with these parameters in its address.
    """

    source: Source
    settings: Settings
    published: Published
    chosen: date | None
    t: Language
    open_customer: Callable[[str], None]
    open_page: Callable[[str, dict[str, list[str]]], None]

    @property
    def as_of(self) -> date:
        """The as-of date that all rows a customer are of.

        Raises:
            NotMadeError: There is none yet.
        """
        if self.chosen is None:
            raise NotMadeError("marts.customer_360 has no rows")
        return self.chosen

    @property
    def earlier_dates(self) -> list[date]:
        """The as-of dates before this one, the newest first."""
        return [day for day in self.published.as_of if day < self.as_of]

    def economics(self) -> Campaign:
        """What a contact costs and brings."""
        return Campaign.of(self.settings)

    def wanted(self, campaign: str, **more: Any) -> Wanted:
        """Whom of a campaign list, by the deployment's settings.

        Args:
            campaign: Name of the list.
            more: What else is chosen, or is not as the settings have it.
        """
        settings = self.settings
        usual: dict[str, Any] = {
            "economics": self.economics(),
            "never_asked": settings.export_never_asked,
            "pause_days": settings.contact_pause_days,
            "control_days": settings.contact_control_days,
            "control_share": settings.contact_control_share,
        }
        return Wanted(campaign, **(usual | more))

    def measured_campaign(self) -> dict[str, Any] | None:
        """As `customer360.serving.measured_campaign.measured_campaign`."""
        return measured_campaign(self.settings, self.published.facts)

    def success_rate_is(self) -> str:
        """Whether the success rate of `economics` is assumed, or what a campaign has shown."""
        t, rate, found = self.t, self.economics().success_rate, self.measured_campaign()
        if found is None:
            return t("common.success_rate.assumed", rate=t.percent(rate))
        measured = float(found["success_rate"])
        said = "measured" if abs(rate - measured) <= SAME_RATE else "differs"
        return t(
            f"common.success_rate.{said}",
            rate=t.percent(rate),
            measured=t.percent(measured),
            first=t.day(date.fromisoformat(found["first"])),
            last=t.day(date.fromisoformat(found["last"])),
        )

    def heading(self, name: str, **values: object) -> None:
        """Title of the page and what it is for; ``values`` fill placeholders of the latter."""
        st.title(self.t(f"{name}.title"))
        st.markdown(self.t(f"{name}.about", **values))

    def chart(self, chart: Any, key: str, *, opens: bool = False, **values: object) -> None:
        """A chart under its title, and what it says for those who are no statisticians.

        Args:
            chart: From `customer360.dashboard.charts` or `customer360.plotting`.
            key: Texts ``<key>.title`` and ``<key>.explained``.
            opens: Whether its marks lead to their customers: see `charts.opening`.
            values: For the placeholders of the texts.
        """
        title = self.t(f"{key}.title", **values)
        st.markdown(f"## {title}")
        drawn = charts.configured(chart, self.t)
        st.altair_chart(drawn, width="stretch", alt=title, key=f"chart-{key}")
        explained = self.t(f"{key}.explained", **values)
        st.caption(f"{explained} {self.t('common.chart_opens')}" if opens else explained)

    def open_row(self, row: dict[str, Any]) -> None:
        """Leave for the page of the customer whose ``customer_key`` is in a table's row."""
        self.open_customer(str(row["customer_key"]))

    def customers_link(self, **filters: object) -> str:
        """The address of the customers that ``filters`` leave: those of `views.customers`."""
        return address.link("customers", **filters)

    def open_customers(self, **filters: object) -> None:
        """Leave for the customers that ``filters`` leave: those of `views.customers`."""
        self.open_page("customers", address.to_page(**filters))

    def with_names(self, rows: pd.DataFrame) -> pd.DataFrame:
        """``rows`` with a first column ``name``, where personal data may be seen and there are any.

        Args:
            rows: With ``customer_key``.
        """
        if not self.settings.dashboard_personal_data or rows.empty:
            return rows
        names = self.source.ask(customers.names, tuple(rows["customer_key"]))
        if not names:
            return rows
        named = rows.copy()
        named.insert(0, "name", [names.get(key) for key in rows["customer_key"]])
        return named

    def nothing(self, key: str, **values: object) -> None:
        """Say that there is nothing to show, and why."""
        st.info(self.t(key, **values), icon=":material/info:")

    def about_actions(self, explained: str | None = None) -> None:
        """Say what the next best actions on the page follow, and what they do not know.

        Args:
            explained: Text to put in front.
        """
        parts = [explained, self.t("common.actions_explained")]
        st.caption(" ".join(part for part in parts if part))
        if not self.published.suppression_known:
            st.warning(self.t("common.suppression_unknown"), icon=":material/do_not_disturb_on:")

    def customer_chooser(self, rows: pd.DataFrame, name: str) -> None:
        """Leads from a list to one of its customers, by keyboard too.

        Args:
            rows: With ``customer_key``, and with ``name`` where they have one.
            name: Of the list.
        """
        called = {
            row["customer_key"]: " · ".join(
                str(part)
                for part in (row.get("name"), short_key(row["customer_key"]))
                if part is not None and part == part
            )
            for row in rows.to_dict("records")
        }
        key = f"open-{name}"

        def choose() -> None:
            # Empty again for when somebody comes back: what stays chosen would be opened anew.
            st.session_state[f"chosen-{name}"] = st.session_state[key]
            st.session_state[key] = None

        st.selectbox(
            self.t("common.open_customer"),
            list(called),
            index=None,
            placeholder=self.t("common.open_customer_hint"),
            format_func=called.__getitem__,
            key=key,
            on_change=choose,
        )
        chosen = st.session_state.pop(f"chosen-{name}", None)
        if chosen:
            self.open_customer(chosen)
