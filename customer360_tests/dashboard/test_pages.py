"""Every page in both languages: full, empty, half built, and without a server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import parse_qs

import pandas as pd
import pytest
import streamlit as st

from customer360.dashboard import charts
from customer360.dashboard import tables as page_tables
from customer360.dashboard.queries import retention
from customer360.dashboard.views import all_views
from customer360.dashboard.views.call_list import _listed, _with_control, why
from customer360.dashboard.views.health import broken_rule
from customer360.language import Language
from customer360.models.revenue.model import RevenueModel
from customer360.serving import contact_log
from customer360.serving.marts import run_dbt
from customer360.serving.measured_campaign import FACT
from customer360.serving.options import Contacts
from customer360.serving.warehouse import open_warehouse
from customer360.settings import HOME_VARIABLE, Settings, load_settings, write_whole
from customer360_tests.dashboard import shop, tables
from customer360_tests.dashboard.pages import metrics, page, said
from customer360_tests.dashboard.shop import AS_OF, BEFORE, PUBLISHED_AT, key
from customer360_tests.models.test_revenue_prediction import model

LANGUAGES = ("en", "pt")


@contextmanager
def published(settings: Settings, **facts: str) -> Iterator[None]:
    """While it lasts, the warehouse states these of the deployment."""
    with open_warehouse(settings).owner.connect() as owner:
        before = owner.execute("SELECT name, value FROM serving.deployment").fetchall()
    try:
        with open_warehouse(settings).owner.connect() as owner:
            tables.stated(owner, {**dict(before), **facts})
        yield
    finally:
        with open_warehouse(settings).owner.connect() as owner:
            tables.stated(owner, dict(before))


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", all_views())
def test_every_page_works(shown, name: str, language: str) -> None:
    test = shown(name, language)
    assert not test.exception
    assert [each.value for each in test.error] == []
    titles = {"en": "Overview", "pt": "Visão geral"}
    assert test.title[0].value
    if name == "overview":
        assert test.title[0].value == titles[language]


def test_overview_shows_the_figures(shown) -> None:
    found = metrics(shown("overview"))
    assert found["Net revenue"] == "R$1,230"
    assert found["Customers who bought"] == "5"
    assert found["Refund rate"] == "2.4%"  # 30 of 1,260
    assert found["Refunds"] == "R$30.00"
    assert metrics(shown("overview", "pt"))["Receita líquida"] == "R$\xa01.230"


@pytest.mark.parametrize(
    ("language", "sentences"),
    [
        (
            "en",
            [
                "Net revenue in March 2024 was R\\$680: +100% on February 2024.",
                "No regular went quiet in the last 30 days; 1 keeps buying.",
                "April to June 2024: R\\$1,950 expected.",  # 91 days of 150 a week
                "Active always means a purchase in the last 91 days: 5 customers are.",
                "There is no earlier forecast to compare with what came.",
            ],
        ),
        (
            "pt",
            [
                "A receita líquida de março de 2024 foi de R\\$ 680: +100% em relação a "
                "fevereiro de 2024.",
                "Nenhum cliente frequente parou de comprar nos últimos 30 dias; 1 continua "
                "comprando.",
                "Abril a junho de 2024: espera-se uma receita líquida de R\\$ 1.950.",
                "comprou nos últimos 91 dias. 5 clientes estão nesse caso.",
                "Não há previsão anterior para comparar com o realizado.",
            ],
        ),
    ],
)
def test_overview_says_what_the_figures_mean(shown, language: str, sentences: list[str]) -> None:
    words = said(shown("overview", language)).replace("\xa0", " ")
    assert [each for each in sentences if each not in words] == []


def test_overview_compares_periods_and_says_which_days(shown) -> None:
    test = shown("overview")
    found = metrics(test)
    assert found["March 2024"] == "R$680"
    assert found["Q1 2024"] == "R$1,230"
    assert found["2024 so far"] == "R$1,230"
    words = said(test)
    assert "Net revenue of 1 Mar 2024 to 31 Mar 2024" in words
    assert "**+100%** on 1 Feb 2024 to 29 Feb 2024 (R\\$340)" in words
    assert words.count("No data of the period before.") == 2
    (table,) = [each.value for each in test.dataframe if "refund_rate" in each.value]
    assert list(table["period"]) == ["March 2024", "February 2024", "Q1 2024", "2024 so far"]
    assert list(table["refunded"]) == [20, 10, 30, 30]
    assert list(table["from_day"].astype(str)) == [
        "2024-03-01", "2024-02-01", "2024-01-01", "2024-01-01"
    ]  # fmt: skip


def test_overview_of_a_period(shown) -> None:
    test = shown("overview")
    test.segmented_control(key="period").set_value("30").run()
    # 2 to 31 March, against the 30 days before.
    assert metrics(test)["Net revenue"] == "R$680"
    assert metrics(test)["New customers"] == "1"


def test_an_earlier_date_is_shown_as_it_was(shown) -> None:
    test = shown("segments", as_of="2024-02-29")
    assert not test.exception
    assert set(test.dataframe[0].value["segment"]) == {
        "Loyal Customers",
        "Need Attention",
        "New Customers",
    }


def test_an_address_that_is_wrong_is_no_error(shown) -> None:
    test = shown("customers", "xx", as_of="yesterday", customer="nobody")
    assert not test.exception
    assert "Nobody has this key" in said(test)


@pytest.mark.parametrize(
    ("language", "action", "unknown"),
    [
        ("en", "Do not contact", "The suppression list cannot be read"),
        ("pt", "Não contatar", "A lista de supressão não pôde ser lida"),
    ],
)
def test_who_refuses_today_is_proposed_for_no_contact(
    shown, shop_home, language: str, action: str, unknown: str
) -> None:
    """Gold of then says to reward the customer; nothing that is shown does."""
    t = Language(language)
    test = shown("customers", language, customer=key(1))
    assert action in said(test)
    assert t("common.actions_explained") in said(test)
    assert unknown not in said(test)
    with open_warehouse(shop_home).owner.connect() as owner:
        gone = owner.execute(
            "DELETE FROM serving.publications WHERE table_name = 'serving/suppressed_customers' "
            "RETURNING rows, published_at"
        ).fetchone()
    try:
        for name in ("customers", "retention", "whales", "call_list"):
            assert unknown in said(shown(name, language)), name
        # A list never goes out unsuppressed.
        assert not shown("call_list", language).dataframe
    finally:
        with open_warehouse(shop_home).owner.connect() as owner:
            owner.execute(
                "INSERT INTO serving.publications (table_name, rows, published_at) "
                "VALUES ('serving/suppressed_customers', %s, %s)",
                gone,
            )


def test_customers_are_found_by_the_widgets(shown) -> None:
    test = shown("customers")
    assert "**5 customers**" in said(test)
    test.multiselect(key="regions").set_value(["RJ"]).run()
    assert list(test.dataframe[0].value["customer_key"]) == [key(3), key(5)]
    test.text_input(key="search").set_value("55").run()
    assert list(test.dataframe[0].value["customer_key"]) == [key(5)]
    test.text_input(key="search").set_value("Souza").run()
    assert "Names and e-mails are hidden" in said(test)
    assert "No customer fits" in said(test)


def test_what_is_chosen_stands_in_the_address(shown) -> None:
    test = shown("customers")
    test.multiselect(key="regions").set_value(["RJ"]).run()
    test.selectbox(key="rows").set_value(50).run()
    assert test.query_params["regions"] == "RJ"
    assert test.query_params["rows"] == "50"
    # What is nobody's choice does not stand there.
    test.selectbox(key="rows").set_value(25).run()
    assert "rows" not in test.query_params
    assert {"lang", "as_of", "regions"} == set(test.query_params)


def test_whom_somebody_looks_for_by_name_stands_in_no_address(shown, monkeypatch) -> None:
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    test = shown("customers")
    test.text_input(key="search").set_value("Souza").run()
    assert list(test.dataframe[0].value["customer_key"]) == [key(1)]
    assert "search" not in test.query_params
    test.text_input(key="search").set_value(key(1)[:12]).run()
    assert test.query_params["search"] == key(1)[:12]


def test_the_address_chooses(shown) -> None:
    test = shown("customers", regions="RJ", sort="net_revenue", order="ascending")
    assert test.multiselect(key="regions").value == ["RJ"]
    assert list(test.dataframe[0].value["customer_key"]) == [key(3), key(5)]
    assert test.selectbox(key="sort").value == "net_revenue"
    test = shown("customers", recency="5", frequency="5")
    assert list(test.dataframe[0].value["customer_key"]) == [key(1)]
    test = shown("customers", cohort="2024-02-01")
    assert list(test.dataframe[0].value["customer_key"]) == [key(3)]
    test = shown("customers", before="need_attention", since=BEFORE.isoformat())
    assert test.multiselect(key="before").value == ["need_attention"]
    assert list(test.dataframe[0].value["customer_key"]) == [key(2), key(5)]
    # Also by the newest earlier date, which is the page's own choice.
    test = shown("customers", before="need_attention")
    assert list(test.dataframe[0].value["customer_key"]) == [key(2), key(5)]
    # Of the first date nobody knows where they were before.
    test = shown("customers", before="need_attention", as_of=BEFORE.isoformat())
    assert "**4 customers**" in said(test)


def test_a_segment_of_before_stands_in_the_address_with_its_date(shown) -> None:
    test = shown("customers")
    test.multiselect(key="before").set_value(["need_attention"]).run()
    assert test.query_params["before"] == "need_attention"
    assert test.query_params["since"] == BEFORE.isoformat()


@pytest.mark.parametrize(
    ("language", "answer"),
    [
        ("en", "The list is not filtered by the segment on 2024-01-31: that is no earlier date"),
        ("pt", "A lista não é filtrada pelo segmento em 2024-01-31: aqui essa data não é anterior"),
    ],
)
def test_an_earlier_date_that_is_gone_is_not_another_one(shown, language, answer) -> None:
    """As when its snapshot is not kept any more."""
    address = {"before": "need_attention", "since": "2024-01-31"}
    test = shown("customers", language, **address)
    (warning,) = [each.value.replace("\\", "") for each in test.warning]
    assert warning.startswith(answer)
    assert len(test.dataframe[0].value) == 5
    assert test.selectbox(key="since").value is None
    assert [each.key for each in test.multiselect if each.key == "before"] == []
    test.selectbox(key="since").set_value(BEFORE).run()
    assert not test.warning
    assert list(test.dataframe[0].value["customer_key"]) == [key(2), key(5)]
    # Neither is one that is later than what is looked at, where there is no earlier one.
    first = shown("customers", language, as_of=BEFORE.isoformat(), **address)
    assert answer in said(first).replace("\\", "")


def test_marks_lead_to_the_customers_that_they_count(shown, monkeypatch) -> None:
    drawn = []

    def opening(chart):
        drawn.append(chart)
        return chart

    monkeypatch.setattr(charts, "opening", opening)
    shown("segments")
    moved = drawn[-1].data
    cell = moved[(moved["segment"] == "at_risk") & (moved["segment_before"] == "need_attention")]
    assert cell["customers"].tolist() == [1]
    assert parse_qs(cell["link"].iat[0].partition("?")[2]) == {
        "lang": ["en"], "as_of": [AS_OF.isoformat()], "segments": ["at_risk"],
        "before": ["need_attention"], "since": [BEFORE.isoformat()],
    }  # fmt: skip
    drawn.clear()
    shown("overview")
    (chart,) = drawn
    march = chart.data[chart.data["month"].astype(str) == "2024-03-01"].set_index("part")
    assert march["value"].to_dict() == {"Bought for the first time": 1, "Had bought before": 1}
    assert "cohort=2024-03-01" in march.loc["Bought for the first time", "link"]
    assert march.loc["Had bought before", "link"] == ""
    assert chart.mark.cursor.expr == "datum.link ? 'pointer' : 'default'"


def test_an_address_of_what_can_never_be_chooses_nothing(shown) -> None:
    test = shown("customers", sort="luck", page="99", rows="many", cohort="x", risks="severe")
    assert not test.exception
    assert "**5 customers**" in said(test)
    assert "**5 customers**" in said(shown("customers", cohort="2024-02-10"))


@pytest.mark.parametrize(
    ("filters", "chip"),
    [
        ({"segments": "loyal_customers"}, "Loyal Customers"),
        ({"regions": "AM"}, "AM"),
        ({"cohort": "2019-05-01"}, "May 2019"),
        ({"before": "lost", "since": BEFORE.isoformat()}, "Lost"),
    ],
)
def test_an_address_of_whom_there_is_nobody_shows_nobody(shown, filters, chip: str) -> None:
    """Of another day, the same address showed somebody: all others were not asked for."""
    test = shown("customers", **filters)
    assert not test.exception
    assert "No customer fits" in said(test)
    assert not test.dataframe
    (name, value), *_ = filters.items()
    if name == "cohort":
        assert test.selectbox(key=name).value == date.fromisoformat(value)
        assert chip in test.selectbox(key=name).options
    else:
        assert test.multiselect(key=name).value == [value]
        assert chip in test.multiselect(key=name).options
    # Another page of the address keeps it; a choice of one's own takes it out.
    assert test.query_params[name] == value
    test.query_params.pop(name)
    assert "**5 customers**" in said(test.run())


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_call_list_of_a_segment_of_another_day_has_nobody_on_it(shown, language: str) -> None:
    test = shown("call_list", language, segments="loyal_customers")
    assert [each.value for each in test.info] == [Language(language)("call_list.nobody_chosen")]
    assert not test.dataframe
    assert not test.download_button
    test.multiselect(key="segments").set_value(["loyal_customers", "new_customers"]).run()
    assert list(test.dataframe[0].value["customer_key"]) == [key(4)]


def test_other_filters_begin_at_the_first_page(shown) -> None:
    test = shown("customers", page="1", regions="RJ")
    test.query_params["page"] = "7"
    test.multiselect(key="regions").set_value(["SP"]).run()
    assert "page" not in test.query_params


@pytest.mark.parametrize("given", [key(1)[:12], f"{key(1)[:12]}…", key(1)])
def test_a_customer_is_known_by_the_key_that_lists_show(shown, given: str) -> None:
    assert shown("customers", customer=given).title[0].value == "A••• S•••"
    assert list(shown("customers", search=given).dataframe[0].value["customer_key"]) == [key(1)]


def test_names_stand_in_lists_where_they_may(shown, monkeypatch) -> None:
    assert "name" not in shown("customers").dataframe[0].value
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    rows = shown("customers").dataframe[0].value
    assert rows.set_index("customer_key").loc[key(1), "name"] == "Ana Souza"


def test_one_customer_is_explained(shown) -> None:
    test = shown("customers", customer=key(1))
    text = said(test)
    assert "1. last purchase 40 days ago\n2. never had a refund" in text
    assert "90% between R$100 and R$1,000" in text
    assert "RFM score 555" in text
    assert [each.value for each in test.success] == ["Do not contact"]  # who refuses by now


def test_what_is_known_of_leaving_is_said_together(shown) -> None:
    test = shown("customers", customer=key(1))
    # Of three purchases the mean gap is the customer's own.
    assert "Usually buys every 35 days; last bought 11 days ago." in said(test)
    assert "30% of the gaps between purchases are shorter than this silence" in said(test)
    assert "A purchase in the next 42 days is to be expected" in said(test)
    # Of customer 5 it is not known who has left, and one gap is no habit.
    other = shown("customers", customer=key(5))
    assert "Expected about every 31 days; last bought 40 days ago." in said(other)
    assert "in the next 42 days is" not in said(other)


def test_a_customer_is_explained_in_portuguese(shown) -> None:
    test = shown("customers", "pt", customer=key(2))
    text = said(test)
    assert "1. última compra há 40 dias\n2. nunca devolveu nada" in text
    assert "1. para mais: gasta em média 200,00 por pedido" in text.replace("\\", "")
    assert "Frequência 1 de 5: comprou em 1 dia\n" in text
    other = said(shown("customers", "pt", customer=key(5)))
    assert "Frequência 2 de 5: comprou em 2 dias diferentes\n" in other
    days = test.dataframe[0].value
    assert set(days["category"]) == {"Livros"}
    assert set(days["channel"]) == {"site"}


def test_a_profile_is_told_in_words(shown) -> None:
    rows = shown("customers", "pt", customer=key(1)).dataframe[1].value
    told = dict(zip(rows["field"], rows["value"], strict=True))
    assert told["Aceita marketing"] == "Não"
    assert told["Cadastro em"] == "31/12/2023"
    assert told["Canal de aquisição"] == "Indicação"
    assert told["Nível de fidelidade"] == "Ouro"


def test_personal_data_are_masked_unless_allowed(shown, monkeypatch) -> None:
    test = shown("customers", customer=key(1))
    assert test.title[0].value == "A••• S•••"
    assert "ana@example.org" not in str(test.dataframe[1].value)
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    test = shown("customers", customer=key(1))
    assert test.title[0].value == "Ana Souza"
    assert "ana@example.org" in str(test.dataframe[1].value)


def test_a_name_is_never_markup(shown, monkeypatch) -> None:
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    test = shown("customers", customer=key(5))
    # The unseen word joiner keeps Streamlit from making a link of it.
    assert test.title[0].value == "\\<b\\>Eve\\</b\\> \\[x\\]\\(http\u2060\\://x\\)"


def test_the_profit_follows_the_sliders_and_stops_at_the_best_set(shown) -> None:
    test = shown("retention")
    # 100 / 4 - 5 = 20 and 24 / 4 - 5 = 1; 9 / 4 - 5 would cost more than it brings.
    assert "Contact these **2**: expected profit **R$21.00**" in said(test).replace("\\", "")
    assert "contacting all 3 who may be contacted would bring R$18.25" in said(test).replace(
        "\\", ""
    )
    test.slider(key="cost").set_value(20.0).run()
    assert "Contact these **1**: expected profit **R$5.00**" in said(test).replace("\\", "")
    assert "These are the sliders' figures" in said(test)
    test.slider(key="cost").set_value(0.0).run()
    assert "Contact all **3**" in said(test)
    test.slider(key="success").set_value(0.0).run()
    assert "no contact pays" in said(test)
    # So the link, and a saved view, show the same.
    assert (test.query_params["cost"], test.query_params["success"]) == ("0", "0")
    assert "margin" not in test.query_params
    again = shown("retention", cost="20", success="0.5", margin="0.5")
    assert "Contact these **1**: expected profit **R$5.00**" in said(again).replace("\\", "")


def test_sliders_that_nobody_moved_are_the_settings(shown, shop_home) -> None:
    """A measured rate is no whole percent: to these, the call list would earn R$16.04."""
    with published(shop_home, churn_success_rate="0.4234", churn_margin="0.4955"):
        text = said(shown("retention")).replace("\\", "")
        # 124 × 0.4234 × 0.4955 - 2 × 5.
        assert "**R$16.01**" in text
        profit = metrics(shown("call_list"))["Expected profit"]
        assert f"Contact these **2**: expected profit **{profit}**" in text
        assert "These are the sliders' figures" not in text


def test_retention_and_whales_lead_to_the_call_list(shown) -> None:
    for name in ("retention", "whales"):
        assert "Open the call list" in [each.label for each in shown(name).button]


@pytest.mark.parametrize(
    ("language", "why", "action"),
    [
        ("en", "Bought once, 26 days ago", "Guide to a second purchase"),
        ("pt", "Comprou uma vez, há 26 dias", None),
    ],
)
def test_the_call_list_says_whom_why_and_what(shown, language, why, action) -> None:
    test = shown("call_list", language)
    rows = test.dataframe[0].value
    assert [row[:1] for row in rows["customer_key"]] == ["4", "2"]
    assert list(rows["expected_profit"]) == [20, 1]
    assert list(rows["value_at_stake"]) == [100, 24]
    assert rows["why"].iat[0] == why
    # The warehouse has names and addresses, but this dashboard may not show them.
    assert list(rows["name"]) == ["Z•••", "=••• c•••"]
    assert "+351" not in str(rows.to_dict())
    if action:
        assert metrics(test)["To contact"] == "2"


def test_names_are_on_the_call_list_where_they_are_allowed(shown, monkeypatch) -> None:
    monkeypatch.setenv("CUSTOMER360_DASHBOARD_PERSONAL_DATA", "true")
    test = shown("call_list")
    rows = test.dataframe[0].value
    assert list(rows["name"]) == ["Zé", "=cmd|'/c calc'!A1"]
    assert rows["phone"].iat[0] == "+351 912 345 678"
    assert "names and contacts" in test.selectbox(key="call-contacts").options


def test_another_list_is_one_click_away(shown) -> None:
    test = shown("call_list")
    test.segmented_control(key="list").set_value("whales").run()
    assert "Nobody on this list is known to agree" not in said(test)
    assert "Nobody is on this list today" in said(test)  # the whale refused
    test.segmented_control(key="list").set_value("second_purchase").run()
    assert "expected_revenue_365d" in test.dataframe[0].value
    assert "Not on it: never asked for consent: 1" in said(test)


def test_marking_notes_the_contact_and_empties_the_list(shown, shop_home, monkeypatch) -> None:
    monkeypatch.setenv("CUSTOMER360_CONTACT_CONTROL_SHARE", "0")
    owner = open_warehouse(shop_home).owner
    test = shown("call_list")
    assert "kept back" not in said(test)
    test.button(key="mark-now").click().run()
    try:
        assert not test.exception
        assert [each.value for each in test.success] == ["Marked: contact these 2 now."]
        assert "Everybody on this list was marked lately (2)" in said(test)
        found = [(row[0][0], row[1], row[4]) for row in contact_log.all_contacts(owner)]
        assert found == [
            ("2", "at_risk_valuable", False),
            ("4", "at_risk_valuable", False),
        ]
        test.button(key="marked-done").click().run()
        assert not test.success
        test.toggle(key="contacted").set_value(True).run()
        assert len(test.dataframe[0].value["contacted_at"].dropna()) == 2
    finally:
        with owner.connect() as connection:
            connection.execute("TRUNCATE serving.contacts")


def test_a_dashboard_elsewhere_goes_by_the_settings_that_are_published(
    shown, shop_home, monkeypatch
) -> None:
    """It has no settings of its own but how the warehouse is reached."""
    with published(shop_home, contact_pause_days="12", contact_control_share="0.25"):
        monkeypatch.setenv("CUSTOMER360_CONTACT_CONTROL_SHARE", "0")
        text = said(shown("call_list"))
        assert "**25%** of all, drawn at random, are kept back" in text
        assert "12 days" in text


def test_who_is_kept_back_is_not_to_be_contacted(shown, shop_home, monkeypatch) -> None:
    monkeypatch.setenv("CUSTOMER360_CONTACT_CONTROL_SHARE", "0.5")
    owner = open_warehouse(shop_home).owner
    test = shown("call_list")
    assert "**50%** of all, drawn at random, are kept back" in said(test)
    assert "they leave every list for 91 days" in said(test)
    # Who looks at the page, or takes the file away first, contacts nobody whom marking keeps back.
    assert list(test.dataframe[0].value["customer_key"]) == [key(4)]
    assert metrics(test)["To contact"] == "1"
    assert metrics(test)["Expected profit"] == "R$20.00"
    assert "Beside them, marking keeps back 1 as control" in said(test)
    assert "Download 1 as CSV" in [each.label for each in test.download_button]
    test.button(key="mark-now").click().run()
    try:
        assert [each.value for each in test.success] == ["Marked: contact these 1 now."]
        assert "**1** were kept back at random as the control group" in said(test)
        found = [(row[0][0], row[4]) for row in contact_log.all_contacts(owner)]
        assert found == [("2", True), ("4", False)]
    finally:
        with owner.connect() as connection:
            connection.execute("TRUNCATE serving.contacts")


def test_who_is_kept_back_goes_with_who_stands_above_them() -> None:
    """So the two groups are alike, whichever rows are ticked."""
    rows = pd.DataFrame(
        {
            "customer_key": list("abcdefg"),
            "to_keep_back": [True, False, True, True, False, False, False],
            # Whom marking passes by takes nobody along.
            "contacted_at": [None, None, None, None, None, AS_OF, None],
        }
    )
    marked = {
        ticked: "".join(_with_control(rows, list(ticked))["customer_key"])
        for ticked in ("b", "e", "f", "be", "g")
    }
    assert marked == {"b": "abcd", "e": "e", "f": "f", "be": "abcde", "g": "g"}
    assert "".join(_listed(rows)["customer_key"]) == "befg"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_of_whom_only_the_control_is_left_says_so(shown, monkeypatch, language: str) -> None:
    monkeypatch.setenv("CUSTOMER360_CONTACT_CONTROL_SHARE", "0.5")
    test = shown("call_list", language, segments="at_risk")
    left = Language(language)("call_list.only_control", marked="0", customers="1")
    assert [each.value for each in test.info] == [left]
    assert not test.dataframe
    assert not test.download_button
    assert "mark-now" not in [each.key for each in test.button]


def test_the_file_after_marking_is_of_the_kind_that_was_chosen(
    shown, shop_home, monkeypatch
) -> None:
    monkeypatch.setenv("CUSTOMER360_CONTACT_CONTROL_SHARE", "0")
    test = shown("call_list")
    test.selectbox(key="call-contacts").set_value(Contacts.HASHED).run()
    test.button(key="mark-now").click().run()
    try:
        assert test.selectbox(key="marked-contacts").value == Contacts.HASHED
        test.selectbox(key="marked-contacts").set_value(Contacts.NONE).run()
        assert not test.exception
        assert "Download those to contact" in [each.label for each in test.download_button]
    finally:
        with open_warehouse(shop_home).owner.connect() as connection:
            connection.execute("TRUNCATE serving.contacts")


@pytest.mark.parametrize("language", LANGUAGES)
def test_whose_consent_is_asked_for_is_as_the_installation_has_it(
    shown, monkeypatch, language: str
) -> None:
    t = Language(language)
    agree, never_asked = (t(f"call_list.whom.{each}") for each in ("agree", "never_asked"))
    both = [t(f"retention.whom.{each}") for each in ("agree", "never_asked")]
    assert agree in said(shown("call_list", language))
    assert both[0] in said(shown("retention", language))
    monkeypatch.setenv("CUSTOMER360_EXPORT_NEVER_ASKED", "true")
    test = shown("call_list", language)
    assert never_asked in said(test)
    assert agree not in said(test)
    text = said(shown("retention", language))
    assert both[1] in text
    assert both[0] not in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_list_with_nobody_says_whether_nothing_is_at_stake_or_nothing_is_known(
    shown, shop_home, language: str
) -> None:
    t = Language(language)
    # On the earlier date nobody has a value at stake.
    test = shown("call_list", language, as_of=BEFORE.isoformat())
    assert [each.value for each in test.info] == [t("call_list.nobody_known")]
    with published(shop_home, churn_contact_cost="1000"):
        test = shown("call_list", language)
    assert [each.value for each in test.info] == [t("call_list.nobody_pays")]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_value_at_stake_that_is_not_known_is_not_nothing(
    shown, monkeypatch, language: str
) -> None:
    """As where too few came back for a purchase model, and churn is scored all the same."""
    t, risks = Language(language), retention.risks
    assert [each.proto.help for each in shown("retention", language).metric[:3]] == 3 * [
        t("retention.risk_help", days="42")
    ]
    unknown = {"value_at_stake": None, "by_has_left": False}
    monkeypatch.setattr(retention, "risks", lambda *given: risks(*given).assign(**unknown))
    test = shown("retention", language)
    assert not test.exception
    assert t("retention.loss_unknown", customers="4") in said(test)
    assert [each.proto.help for each in test.metric[:3]] == 3 * [
        t("retention.risk_help_horizon", days="42")
    ]
    assert not test.slider
    assert t("retention.no_uplift") in said(test)


@pytest.mark.parametrize(
    ("measured", "said_of_it"),
    [
        (None, "The success rate of this installation (50.0%) is assumed; a campaign with"),
        (0.496, "(50.0%) was measured by the campaign from 1 Jan 2024 to 2 Jan 2024."),
        (0.04, "(50.0%) is assumed; the campaign from 1 Jan 2024 to 2 Jan 2024 measured 4.0%"),
    ],
)
@pytest.mark.parametrize("elsewhere", [False, True])
def test_whether_the_success_rate_was_measured_is_said(
    shown, shop_home, elsewhere: bool, measured: float | None, said_of_it: str
) -> None:
    """By the home's own file, and elsewhere by what was published of it."""
    file = shop_home.uplift_file
    figures = ("bought_contacted", "bought_kept_back", "effect_low", "effect_high",
               "qini", "qini_low", "qini_high")  # fmt: skip
    found = dict.fromkeys(figures, 0.1) | {
        "success_rate": measured,
        "first": "2024-01-01",
        "last": "2024-01-02",
        "window_days": 91,
        "curve": {"share": [0.0, 1.0], "gained": [0.0, 0.1], "random": [0.0, 0.1]},
    }
    try:
        if measured is not None and not elsewhere:
            write_whole(file, json.dumps(found))
        with published(shop_home, **{FACT: json.dumps(found) if elsewhere and measured else ""}):
            for name in ("call_list", "retention"):
                text = said(shown(name))
                assert said_of_it in text
                assert ("is assumed" in text) is (measured != 0.496)
    finally:
        file.unlink(missing_ok=True)


CALLED = {
    "days_since_last_purchase": 74,
    "mean_days_between_purchases": 31.4,
    "expected_gap_days": 193.0,
    "purchase_days": 5,
    "churn_reason_1": "refunds_none",
    "churn_reason_1_values": "{}",
}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({}, "Usually buys every 31 days, silent for 74 days"),
        ({"mean_days_between_purchases": 0.2}, "Usually buys every 1 day, silent for 74 days"),
        # Not overdue: what the model says.
        ({"mean_days_between_purchases": 80.0}, "Never had a refund"),
        ({"mean_days_between_purchases": 80.0, "churn_reason_1": None}, "Last bought 74 days ago"),
        # One gap is no habit.
        ({"purchase_days": 2}, "Never had a refund"),
        (
            {"purchase_days": 2, "expected_gap_days": 60.2},
            "Expected about every 60 days, silent for 74 days",
        ),
        ({"purchase_days": 2, "expected_gap_days": None}, "Never had a refund"),
        ({"purchase_days": 1}, "Bought once, 74 days ago"),
        ({"purchase_days": 1, "days_since_last_purchase": 0}, "Bought once, on the last day"),
        (
            {"days_since_last_purchase": 1, "churn_reason_1": None},
            "Last bought 1 day ago",
        ),
    ],
)
def test_one_reason_in_words(changed: dict[str, object], words: str) -> None:
    assert why(CALLED | changed, Language("en")) == words


def test_models_compare_with_baselines(shown) -> None:
    test = shown("models")
    assert "best in 1 of 2 figures" in said(test)
    rows = test.dataframe[0].value.set_index("Figure")
    assert rows.loc["Brier score", "Model"] == "0.2*"
    assert rows.loc["ROC AUC", "Hiatus rule"] == "0.75*"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_figures_of_a_model_are_downloaded_as_numbers(
    shown, monkeypatch, language: str
) -> None:
    """Not as the table has them, with a star and a mark of thousands."""
    found = {}
    monkeypatch.setattr(page_tables, "download", lambda rows, name, t: found.update({name: rows}))
    shown("models", language)
    assert found["figures-churn"].set_index("figure")["model"].to_dict() == {
        "brier": 0.2,
        "roc_auc": 0.7,
    }


def test_models_are_compared_in_portuguese(shown) -> None:
    test = shown("models", "pt")
    rows = test.dataframe[0].value.set_index("Medida")
    assert rows.loc["Escore de Brier"].to_dict() == {
        "Modelo": "0,2*",
        "Intervalo de 90%": "0,18 a 0,22",
        "Regra do silêncio": "0,25",
    }
    assert test.selectbox(key="prediction").options == ["Sem compra no horizonte · 42 dias"]


@pytest.mark.parametrize(
    ("language", "metric", "status", "why"),
    [
        ("en", "State", "Simple fallback",
         "A simple rule stands in for the model or for a part of it: "
         "BG/NBD needs 50 customers who came back, there are 3; "
         "each customer's past average is carried on instead"),
        ("pt", "Estado", "Modelo simples",
         "Uma regra simples substitui o modelo ou uma parte dele: "
         "BG/NBD precisa de 50 clientes que voltaram, há 3; "
         "prossegue-se com a média passada de cada cliente"),
    ],
)  # fmt: skip
def test_a_fallback_is_named_and_says_why(shown, language, metric, status, why) -> None:
    test = shown("models", language)
    test.segmented_control(key="model").set_value("lifetime-value").run()
    assert metrics(test)[metric] == status
    assert why in [each.value.replace("\\", "") for each in test.info]


def test_a_model_is_called_alike_wherever_it_comes_from(shown) -> None:
    test = shown("models")
    test.segmented_control(key="model").set_value("lifetime-value").run()
    assert not test.exception
    assert "How probably each customer is still one" in said(test)


def test_freshness_is_that_of_the_newest_day(shown) -> None:
    assert metrics(shown("health"))["Newest business day"] == "31 Mar 2024"


def test_the_last_run_comes_first(shown) -> None:
    test = shown("health")
    # At the business, three hours behind UTC.
    assert test.success[0].value == (
        "Nightly run: all went well. Ended 1 Apr 2024, 00:30 (America/Sao_Paulo), after 5 min."
    )
    rows = test.dataframe[0].value
    assert list(rows["job"]) == ["Loading the data", "Nightly run", "Nightly run"]
    assert list(rows["status"]) == ["Running", "Success", "Failed"]
    assert list(shown("health", "pt").dataframe[0].value["status"]) == [
        "Em andamento",
        "Concluída",
        "Falhou",
    ]


@pytest.fixture
def runs_only(tmp_path_factory, monkeypatch):
    """Makes a warehouse that knows of these runs and of nothing else."""

    def made(*runs: dict[str, object]) -> Path:
        settings = load_settings(tmp_path_factory.mktemp("runs"))
        with open_warehouse(settings).owner.connect() as owner:
            tables.create(owner)
            owner.execute("DROP TABLE serving.deployment")
            tables.insert(owner, "serving.runs", runs)
        monkeypatch.setenv(HOME_VARIABLE, str(settings.home))
        return settings.home

    return made


@pytest.mark.parametrize(
    ("language", "said_of_it"),
    [
        ("en", "Weekly training of the models: it failed. Ended 1 Apr 2024, 03:30 (UTC)"),
        ("pt", "Treino semanal dos modelos: falhou. Terminou em 01/04/2024, 03:30 (UTC)"),
    ],
)
def test_a_run_that_failed_says_where_why_and_what_to_do(
    runs_only, language: str, said_of_it: str
) -> None:
    home = runs_only(
        shop.run("a", "retrain", PUBLISHED_AT, "failure", error="Run timed out."),
        shop.run("b", "nightly", PUBLISHED_AT - timedelta(hours=1), "failure",
                 failed_step="bronze/orders", error="day.csv: expected *amount*, found $x$"),
        shop.run("c", "load", PUBLISHED_AT - timedelta(hours=2), "failure", error="mended"),
    )  # fmt: skip
    test = page("health", language)
    assert not test.exception
    newest, night = (each.value for each in test.error)
    assert said_of_it in newest.replace("**", "")
    assert r"Run timed out\." in newest
    # What a message says is text, never markup.
    assert r"**bronze/orders**: day\.csv\: expected \*amount\*, found \$x\$" in night
    assert night.endswith("(em inglês)") == (language == "pt")
    # Once, and for this deployment.
    assert [each.value for each in test.main.code] == [f"customer360 run --home {home}"]


def test_a_run_that_was_stopped_is_a_warning(runs_only) -> None:
    runs_only(shop.run("a", "nightly", PUBLISHED_AT, "canceled"))
    test = page("health")
    assert "stopped before it was done" in test.warning[0].value
    assert [each.value for each in test.error] == []


def test_what_if_answers(shown) -> None:
    test = shown("what_if")
    test.button[0].click().run()
    assert not test.exception
    assert metrics(test)["Expected in the next 91 days"] == "R$80.00"
    assert metrics(test)["Buys again in that time"] == "30%"


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_if_without_the_file_of_the_model_in_use_says_where_it_can_be_tried(
    shown, shop_home, language: str
) -> None:
    """As in a deployment of servers, whose dashboard has no home."""
    t = Language(language)
    champion = {"model": "revenue", "version": "7", "is_champion": True, "as_of": AS_OF,
                "trained_at": AS_OF, "status": "trained"}  # fmt: skip
    away = shop_home.revenue_pickle.with_suffix(".away")
    shop_home.revenue_pickle.rename(away)
    try:
        assert [each.value for each in shown("what_if", language).info] == [t("what_if.no_model")]
        st.cache_data.clear()
        with open_warehouse(shop_home).owner.connect() as owner:
            tables.insert(owner, "serving.models", [champion])
        test = shown("what_if", language)
        assert [each.value for each in test.info] == [t("what_if.elsewhere", version="7")]
        assert "models/revenue.pkl" in test.info[0].value
    finally:
        away.rename(shop_home.revenue_pickle)
        with open_warehouse(shop_home).owner.connect() as owner:
            owner.execute("DELETE FROM serving.models WHERE model = 'revenue'")


@pytest.mark.parametrize(
    ("language", "only", "base_rate", "reasons"),
    [
        (
            "en",
            "only the mean of all customers, R\\$80.00",
            "that of all customers together",
            "Why",
        ),
        (
            "pt",
            "apenas a média de todos os clientes, R\\$\xa080,00",
            "a de todos os clientes em conjunto",
            "Por quê",
        ),
    ],
)
def test_what_if_says_that_the_model_is_only_a_mean(
    shown, language: str, only: str, base_rate: str, reasons: str
) -> None:
    test = shown("what_if", language)
    assert only in test.info[0].value
    test.button[0].click().run()
    assert base_rate in said(test)
    # It looks at nothing: nothing could stand out, and there is nothing to explain.
    assert f"## {reasons}" not in said(test)
    assert Language(language)("what_if.no_reasons") not in said(test)


@pytest.mark.parametrize(
    ("kind", "probability", "said_of_it", "not_said"),
    [
        ("past_average", 0.3, "rule of thumb: Own past average", "about the average"),
        ("last_year", 0.3, "most such customers buy nothing", "some customers buy nothing"),
        ("last_year", 0.7, "some customers buy nothing", "most such customers buy nothing"),
    ],
)
def test_what_if_says_nothing_that_its_figures_deny(
    shown, monkeypatch, kind: str, probability: float, said_of_it: str, not_said: str
) -> None:
    rule = RevenueModel(kind, 91, mean_revenue=80.0, purchase_rate=probability)
    monkeypatch.setattr(all_views()["what_if"], "load", lambda *_: rule)
    test = shown("what_if")
    test.number_input(key="try-amount").set_value(1000.0)
    test.button[0].click().run()
    assert not test.exception
    assert said_of_it in said(test)
    assert not_said not in said(test)


def test_what_if_explains_in_portuguese(shown, monkeypatch) -> None:
    monkeypatch.setattr(all_views()["what_if"], "load", lambda *_: model())
    test = shown("what_if", "pt")
    assert set(test.selectbox(key="try-first_category").options) == {"Livros", "Games", "Garden"}
    test.number_input(key="try-amount").set_value(1234.5)
    test.selectbox(key="try-first_category").select("Books")
    test.button[0].click().run()
    assert not test.exception
    why = next(each.value for each in test.markdown if each.value.startswith("1. "))
    reasons = [line.split(". ", 1)[1].replace("\\", "") for line in why.splitlines()]
    assert len(reasons) == 3
    assert all(reason.startswith(("para mais: ", "para menos: ")) for reason in reasons), reasons
    assert {"primeiro pedido de 1.234,50"} <= {reason.split(": ")[1] for reason in reasons}


@pytest.fixture(scope="module")
def empty_home(tmp_path_factory) -> Settings:
    """A deployment whose tables have no rows."""
    settings = shop.home(tmp_path_factory.mktemp("empty"))
    shop.emptied(settings)
    return settings


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", all_views())
def test_an_empty_warehouse_says_what_to_do(empty_home, monkeypatch, name, language) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(empty_home.home))
    test = page(name, language)
    assert not test.exception
    assert [each.value for each in test.error] == []
    assert said(test)


def test_an_empty_overview_names_the_command(empty_home, monkeypatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(empty_home.home))
    assert [each.value for each in page("overview").main.code] == ["customer360 run"]


@pytest.fixture(scope="module")
def half_home(tmp_path_factory) -> Settings:
    """A deployment without models: gold and marts are there, scores and serving's tables not."""
    settings = shop.home(tmp_path_factory.mktemp("half"))
    with open_warehouse(settings).owner.connect() as owner:
        for table in (
            "gold.churn_scores",
            "gold.revenue_forecast",
            "gold.revenue_predictions",
            "gold.model_drift",
            "gold.model_performance",
            "serving.models",
            "serving.model_figures",
            "serving.model_plots",
            "serving.quarantine",
            "serving.row_accounting",
            "serving.deployment",
            "serving.runs",
            "silver.customers",
        ):
            owner.execute(f"DROP TABLE {table} CASCADE")  # with dbt's views of it
        owner.execute(
            "UPDATE marts.customer_snapshots SET churn_probability = NULL, churn_risk = NULL, "
            "value_at_stake = NULL, expected_revenue_365d = NULL, probability_alive = NULL, "
            "expected_revenue = NULL"
        )
    for _ in run_dbt(settings, open_warehouse(settings).owner, ["run", "-s", "customer_360"]):
        pass
    settings.revenue_pickle.write_bytes(b"not a model")
    return settings


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", all_views())
def test_a_half_built_warehouse_shows_what_there_is(half_home, monkeypatch, name, language) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(half_home.home))
    test = page(name, language)
    assert not test.exception
    assert [each.value for each in test.error] == []
    assert said(test)


SENTENCE = "BG/NBD needs 50 customers who came back: there are 3"


@pytest.fixture(scope="module")
def older_home(tmp_path_factory) -> Settings:
    """A deployment that a former release published last: with words where codes are now."""
    settings = shop.home(tmp_path_factory.mktemp("older"))
    with open_warehouse(settings).owner.connect() as owner:
        owner.execute("ALTER TABLE serving.models DROP COLUMN because CASCADE")
        owner.execute(
            "UPDATE serving.models SET status = %s WHERE status = 'fallback'",
            [f"fallback: {SENTENCE}"],
        )
        for table in ("customer_snapshots", "segment_summary"):
            owner.execute(f"UPDATE marts.{table} SET segment = 'The ' || segment")
    return settings


def test_a_fallback_that_an_older_release_published_says_why(older_home, monkeypatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(older_home.home))
    test = page("models")
    assert metrics(test)["State"] == "Trained"
    test.segmented_control(key="model").set_value("lifetime-value").run()
    assert metrics(test)["State"] == "Simple fallback"
    assert any(SENTENCE in each.value.replace("\\", "") for each in test.info)


def test_movement_between_segments_of_an_older_release_is_drawn(older_home, monkeypatch) -> None:
    drawn = []

    def heat_map(cells, fields, **options):
        drawn.append((cells, fields))
        return charts_heat_map(cells, fields, **options)

    charts_heat_map = charts.heat_map
    monkeypatch.setattr(charts, "heat_map", heat_map)
    monkeypatch.setenv(HOME_VARIABLE, str(older_home.home))
    assert not page("segments").exception
    (cells, _), *_ = [each for each in drawn if each[1] == ("now", "before", "customers")]
    assert cells["customers"].sum() > 0
    assert all(name.startswith("The ") for name in cells["now"])


def test_a_customer_of_a_half_built_warehouse(half_home, monkeypatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(half_home.home))
    test = page("customers", customer=key(1))
    assert not test.exception
    assert [each.value for each in test.error] == []


def test_before_anything_is_published(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    test = page("whales")
    assert not test.exception
    assert [each.value for each in test.main.code] == ["customer360 run"]
    assert list(tmp_path.iterdir()) == []  # looking makes nothing


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_server_names_the_command_that_helps(tmp_path, monkeypatch, language) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv(
        "CUSTOMER360_WAREHOUSE_READER_URL", "postgresql://me:hush-hush@127.0.0.1:1/shop"
    )
    test = page("segments", language)
    assert not test.exception
    assert [each.value for each in test.main.code] == ["customer360 warehouse status"]
    assert "hush-hush" not in said(test)


def test_a_wrong_setting_is_one_line(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(tmp_path))
    monkeypatch.setenv("CUSTOMER360_CHURN_MARGIN", "much")
    test = page("overview")
    assert not test.exception
    assert len(test.error) == 1
    assert "CUSTOMER360" in test.error[0].value.replace("\\", "")


def test_what_nobody_foresaw_is_one_line_too(shown, monkeypatch, caplog) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("a secret of the inside")

    monkeypatch.setattr(all_views()["segments"], "render", broken)
    test = shown("segments")
    assert not test.exception
    assert len(test.error) == 1
    assert "secret of the inside" not in test.error[0].value
    assert "secret of the inside" in caplog.text  # for those who look after it


def test_as_of_is_the_newest(shown) -> None:
    assert shown("customers").selectbox(key="as_of").value == AS_OF.isoformat()


@pytest.mark.parametrize(
    ("reason", "english", "portuguese"),
    [
        ("amount:minimum", "amount: it is too small", "amount: é pequeno demais"),
        ("row:malformed", "row: it cannot be read", "row: não pode ser lida"),
        (
            "other_currency",
            "another currency than the deployment's",
            "moeda diferente da usada aqui",
        ),
        ("of_a_mapping", "of a mapping", "of a mapping"),
    ],
)
def test_a_reason_of_quarantine_in_words(reason: str, english: str, portuguese: str) -> None:
    assert broken_rule(reason, Language("en")) == english
    assert broken_rule(reason, Language("pt")) == portuguese
