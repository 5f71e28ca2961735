"""What the dashboard asks the warehouse, on the hand-made shop."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import psycopg
import pytest
from psycopg.types.numeric import FloatLoader

from customer360.dashboard.connection import Reading
from customer360.dashboard.headlines import Regulars
from customer360.dashboard.periods import Span, by_grain
from customer360.dashboard.queries import (
    call_list,
    customers,
    deployment,
    health,
    models,
    overview,
    retention,
    segments,
    whales,
)
from customer360.models.campaign import Campaign
from customer360.models.profit import profit_curve
from customer360.models.reasons import reasons_in
from customer360.orchestration.jobs import (
    GOLD,
    LOAD_RANGE,
    NIGHTLY,
    PUBLISH,
    RETRAIN,
    SNAPSHOT,
    TRAIN,
)
from customer360.serving.warehouse import open_warehouse
from customer360_tests.dashboard import shop, tables
from customer360_tests.dashboard.shop import AS_OF, BEFORE, PUBLISHED_AT, key

MARCH = date(2024, 3, 1), AS_OF
QUARTER = date(2024, 1, 1), AS_OF


def _keys(rows) -> str:
    """Customer numbers of rows, in order."""
    return "".join(each[0] for each in rows["customer_key"])


def test_what_is_published(reading) -> None:
    there = deployment.published(reading)
    assert there.as_of == (AS_OF, BEFORE)
    assert there.published_at == PUBLISHED_AT
    assert there.facts["currency"] == "BRL"


def test_figures_of_a_month(reading) -> None:
    found = overview.figures(reading, AS_OF, *MARCH)
    assert found == pytest.approx(
        {
            "net_revenue": 300 - 20 + 400,
            "gross_revenue": 700,
            "refunded": 20,
            "orders": 2,
            "refund_rate": 20 / 700,
            "average_order_value": 350,
            "buyers": 2,
            "new_customers": 1,
            "returning_customers": 1,
        }
    )


def test_a_customer_of_several_days_is_one_buyer(reading) -> None:
    """And one who gave everything back has not bought at all."""
    found = overview.figures(reading, AS_OF, *QUARTER)
    assert (found["buyers"], found["new_customers"]) == (5, 5)
    assert (found["net_revenue"], found["orders"]) == (1230, 9)


def test_buyers_are_counted_alike_from_days_and_from_snapshots(reading) -> None:
    """Up to the as-of date from its snapshot; up to another day from the days themselves."""
    by_snapshot = overview.figures(reading, AS_OF, *QUARTER)
    by_days = overview.figures(reading, BEFORE, *QUARTER)
    assert by_snapshot == by_days
    february = overview.figures(reading, AS_OF, date(2024, 2, 1), date(2024, 2, 29))
    assert (february["buyers"], february["new_customers"]) == (3, 1)


def test_figures_of_days_without_sales(reading) -> None:
    found = overview.figures(reading, AS_OF, date(2024, 1, 1), date(2024, 1, 2))
    assert (found["net_revenue"], found["buyers"]) == (0, 0)
    assert found["refund_rate"] != found["refund_rate"]


def test_revenue_by_month_adds_up(reading) -> None:
    rows = by_grain(overview.days(reading, AS_OF), Span(*QUARTER), "month")
    assert list(rows["net_revenue"]) == [210, 340, 680]
    assert list(rows["period"]) == [date(2024, n, 1) for n in (1, 2, 3)]
    assert list(rows["refunded"]) == [0, 10, 20]
    assert list(rows["is_partial"]) == [False, False, False]
    # Who bought on two days is one customer, which no sum of days tells.
    assert "active_customers" not in rows


def test_days_end_with_the_as_of_date(reading) -> None:
    days = overview.days(reading, BEFORE)
    assert (days["business_date"].min(), days["business_date"].max()) == (QUARTER[0], BEFORE)
    assert len(days) == 60
    assert days["net_revenue"].sum() == 210 + 340


def test_customers_by_month(reading) -> None:
    rows = overview.customers_by_month(reading, AS_OF, *QUARTER)
    assert list(rows["new_customers"]) == [3, 1, 1]
    assert list(rows["returning_customers"]) == [0, 2, 1]


def test_forecast(reading) -> None:
    assert overview.forecast(reading, AS_OF)["revenue"].sum() == 5_200
    assert overview.forecast(reading, BEFORE).empty


@pytest.fixture
def changed(shop_home) -> Iterator[psycopg.Connection[Any]]:
    """The shop to change and read: nothing of it stays."""
    with open_warehouse(shop_home).owner.connect() as connection:
        connection.autocommit = False
        connection.adapters.register_loader("numeric", FloatLoader)
        yield connection
        connection.rollback()


REGULARS = [
    # silent for, mean gap, purchase days, revenue of 12 months
    (60, 30, 3, 1),  # at twice the gap to the day: not quiet yet
    (61, 30, 3, 2),  # since yesterday
    (90, 30, 9, 4),  # thirty days ago
    (91, 30, 9, 8),  # longer ago
    (31, 2, 5, 16),  # yesterday: not before thirty days of silence
    (29, 2, 5, 32),  # so this one is not
    (61, 30, 2, 64),  # bought twice: no regular
    (500, None, 3, 128),  # no rhythm is known
]


def test_regulars_who_went_quiet_lately(changed) -> None:
    as_of = date(2023, 12, 31)
    tables.insert(
        changed,
        "marts.customer_snapshots",
        [
            {"customer_key": key(n), "days_since_last_purchase": silent, "purchase_days": bought,
             "mean_days_between_purchases": gap, "net_revenue_365d": revenue}
            for n, (silent, gap, bought, revenue) in enumerate(REGULARS, 1)
        ],
        as_of=as_of,
    )  # fmt: skip
    assert overview.regulars(Reading(changed), as_of) == Regulars(
        quiet=3, revenue=2 + 4 + 16, steady=2
    )
    assert overview.regulars(Reading(changed), date(2023, 12, 30)) == Regulars(0, 0, 0)


def test_active_is_a_purchase_within_the_activity_window(reading) -> None:
    """All five bought in the last 91 days; nobody was scored in February."""
    assert overview.active(reading, AS_OF) == (91, 5)
    assert overview.active(reading, BEFORE) is None


def test_active_is_who_bought_after_the_window_begins(changed) -> None:
    changed.execute("UPDATE gold.churn_scores SET activity_window_days = 50")
    assert overview.active(Reading(changed), AS_OF) == (
        50,
        3,
    )  # 11, 26 and 40 days ago; not 50 or 76


def test_forecasts_count_that_knew_nothing_of_what_came(changed) -> None:
    """Version 3 was trained before; version 4 later; of version 5 nobody knows when."""
    model = {"model": "lifetime_value", "trained_at": PUBLISHED_AT, "status": "trained"}
    tables.insert(
        changed,
        "serving.models",
        [{"version": "3", "as_of": date(2024, 1, 31)}, {"version": "4", "as_of": AS_OF}],
        is_champion=False,
        **model,
    )
    week = {"week_end": AS_OF, "revenue_low": 1, "revenue_high": 9, "new_revenue": 2}
    tables.insert(
        changed,
        "gold.revenue_forecast",
        [
            {"as_of": BEFORE, "model_version": "3", "week": 1, "week_start": date(2024, 3, 1)},
            {"as_of": BEFORE, "model_version": "3", "week": 5, "week_start": date(2024, 3, 29)},
            {"as_of": BEFORE, "model_version": "3", "week": 6, "week_start": date(2024, 4, 5)},
            {"as_of": date(2024, 1, 30), "model_version": "3", "week": 1,
             "week_start": date(2024, 1, 31)},
            {"as_of": date(2024, 2, 1), "model_version": "4", "week": 1,
             "week_start": date(2024, 2, 2)},
            {"as_of": date(2024, 2, 2), "model_version": "5", "week": 1,
             "week_start": date(2024, 2, 3)},
        ],
        revenue=5,
        **week,
    )  # fmt: skip
    found = overview.earlier_forecasts(Reading(changed), AS_OF)
    assert list(found["as_of"]) == [BEFORE, BEFORE]
    assert list(found["week_start"]) == [date(2024, 3, 1), date(2024, 3, 29)]
    assert overview.earlier_forecasts(Reading(changed), BEFORE).empty


def test_what_the_training_held_back(changed) -> None:
    assert overview.held_back(Reading(changed), AS_OF) is None
    changed.execute("UPDATE gold.revenue_forecast SET model_version = '3'")
    figures = [
        {"figure": "revenue_total_expected", "value": 110.0},
        {"figure": "revenue_total_actual", "value": 100.0},
        {"figure": "purchases_total_actual", "value": 7.0},
    ]
    tables.insert(changed, "serving.model_figures", figures, model="lifetime_value", version="3")
    tables.insert(
        changed, "serving.model_figures", figures[:1], model="lifetime_value", version="2"
    )
    assert overview.held_back(Reading(changed), AS_OF) == (110, 100)
    assert overview.held_back(Reading(changed), BEFORE) is None


def test_concentration_ranks_by_value(reading) -> None:
    rows = overview.concentration(reading, AS_OF, "net_revenue_365d")
    assert list(rows["percent"]) == [20, 40, 60, 80, 100]
    assert list(rows["share"]) == pytest.approx([n / 1230 for n in (600, 1000, 1120, 1200, 1230)])
    assert list(rows["least"]) == [600, 400, 120, 80, 30]
    assert overview.share_of_top(rows, 40) == pytest.approx(1000 / 1230)
    assert overview.share_of_top(rows, 10) == pytest.approx(300 / 1230)
    assert overview.share_of_top(rows.head(0), 10) is None


@pytest.mark.parametrize(
    ("filters", "found"),
    [
        ({}, "14235"),
        ({"sort": "value_at_stake"}, "41253"),  # without a loss last
        ({"sort": "value_at_stake", "descending": False}, "52143"),
        ({"sort": "last_purchase_on"}, "14532"),
        ({"segments": ("champions", "at_risk")}, "12"),
        ({"regions": ("RJ",)}, "35"),
        ({"regions": ("PT",)}, "4"),  # a country where there is no state
        ({"risks": ("high",)}, "25"),
        ({"risks": ("gone",)}, "3"),
        ({"least_value": 40.0}, "142"),
        ({"search": "44"}, "4"),
        ({"search": " 4 "}, "4"),
        ({"search": "nobody"}, ""),
        ({"search": "Souza"}, ""),  # names only where they are allowed
        ({"search": "souza", "personal": True}, "1"),
        ({"search": "C3", "personal": True}, "3"),
        ({"search": "%", "personal": True}, ""),  # a text, not a pattern
        ({"search": "'; DROP TABLE x; --", "personal": True}, ""),
        ({"segments": ("champions",), "regions": ("RJ",)}, ""),
        ({"before": ("need_attention",), "since": BEFORE}, "25"),
        ({"before": ("loyal_customers", "new_customers"), "since": BEFORE}, "13"),
        ({"before": ("nobody",), "since": BEFORE}, "4"),  # had not bought by then
        ({"before": ("nobody", "need_attention"), "since": BEFORE}, "425"),
        ({"before": ("need_attention",), "since": BEFORE, "segments": ("at_risk",)}, "2"),
        ({"since": BEFORE}, "14235"),
    ],
)
def test_customers_are_filtered_and_sorted(reading, filters, found) -> None:
    chosen = customers.Filters(**filters)
    assert _keys(customers.rows(reading, AS_OF, chosen, 10)) == found
    assert customers.count(reading, AS_OF, chosen) == len(found)


def test_pages_follow_each_other(reading) -> None:
    pages = [customers.rows(reading, AS_OF, customers.Filters(), 2, n) for n in (0, 2, 4, 6)]
    assert [_keys(page) for page in pages] == ["14", "23", "5", ""]
    assert tuple(pages[0].columns) == customers.COLUMNS


def test_only_known_columns_are_sorted_by(reading) -> None:
    with pytest.raises(ValueError, match="not sorted by 'name'"):
        customers.rows(reading, AS_OF, customers.Filters(sort="name"), 1)


def test_regions_are_states_or_countries(reading) -> None:
    assert customers.regions(reading, AS_OF) == ("PT", "RJ", "SP")


def test_one_customer(reading) -> None:
    found = customers.customer(reading, AS_OF, key(1))
    assert found is not None
    assert found.summary["value_at_stake"] == pytest.approx(50)
    assert reasons_in(found.summary, "churn_") == (
        ("last_purchase", '{"ago":40}'),
        ("refunds_none", "{}"),
    )
    assert found.reasons == (("order_value", '{"effect":"more","value":200.0}'),)
    assert list(found.days["net_revenue"]) == [300, 200, 100]
    assert found.profile["name"].iat[0] == "Ana Souza"
    assert customers.customer(reading, AS_OF, "none") is None


def test_a_customer_is_shown_as_of_the_date(reading) -> None:
    """Nothing after it: neither the row nor the days."""
    found = customers.customer(reading, BEFORE, key(1))
    assert found is not None
    assert found.summary["segment"] == "loyal_customers"
    assert list(found.days["net_revenue"]) == [200, 100]
    assert customers.customer(reading, BEFORE, key(4)) is None


def test_segments(reading) -> None:
    sizes = segments.sizes(reading, AS_OF)
    champions = sizes[sizes["segment"] == "champions"].iloc[0]
    assert champions["customer_share"] == pytest.approx(0.2)
    assert champions["revenue_share"] == pytest.approx(600 / 1230)
    grid = segments.grid(reading, AS_OF)
    assert {(row.r_score, row.f_score): row.customers for row in grid.itertuples()} == {
        (5, 5): 1, (3, 1): 1, (2, 1): 1, (4, 1): 1, (1, 2): 1,
    }  # fmt: skip


def test_movement_between_two_dates(reading) -> None:
    rows = segments.movement(reading, BEFORE, AS_OF)
    assert {(r.segment_before, r.segment): r.customers for r in rows.itertuples()} == {
        ("loyal_customers", "champions"): 1,
        ("need_attention", "at_risk"): 1,
        ("new_customers", "hibernating"): 1,
        ("need_attention", "need_attention"): 1,
        (None, "new_customers"): 1,
    }


def test_cohorts_are_the_newest(reading) -> None:
    assert len(retention.cohorts(reading, AS_OF, 12)) == 6
    newest = retention.cohorts(reading, AS_OF, 2)
    assert set(newest["cohort"]) == {date(2024, 2, 1), date(2024, 3, 1)}


def test_risks_and_their_horizon(reading) -> None:
    rows = retention.risks(reading, AS_OF).set_index("churn_risk")
    assert dict(rows["customers"]) == {"high": 2, "medium": 1, "low": 1}
    assert rows["value_at_stake"].sum() == pytest.approx(50 + 24 + 100 + 9)
    assert dict(rows["by_has_left"]) == {"high": False, "medium": False, "low": True}
    assert retention.horizon_days(reading, AS_OF) == 42
    assert retention.horizon_days(reading, BEFORE) is None


ECONOMICS = Campaign(5, 0.5, 0.5)
"""A contact earns a quarter of the value at stake, less 5."""


def wanted(campaign: str = "at_risk_valuable", **more: Any) -> call_list.Wanted:
    return call_list.Wanted(campaign, **({"economics": ECONOMICS} | more))


def best_set(reading, as_of: date = AS_OF, **more: Any) -> retention.BestSet:
    return retention.best_set(reading, as_of, wanted(**more), call_list.NO_MARKS)


def test_the_best_set_is_of_who_may_be_contacted(reading) -> None:
    """100 / 4 - 5 = 20 and 24 / 4 - 5 = 1 pay, 9 / 4 - 5 does not; who refused is not asked."""
    best = best_set(reading)
    assert (best.customers, best.profit, best.next_one) == (2, 21, -2.75)
    assert (best.all_customers, best.everybody) == (3, 18.25)
    free = best_set(reading, economics=Campaign(0, 0.5, 0.5))
    assert (free.customers, free.next_one) == (3, None)
    assert best_set(reading, economics=Campaign(5, 0, 0.5)).customers == 0
    assert best_set(reading, BEFORE).all_customers == 0


def test_profit_by_groups_is_that_of_the_customers(reading) -> None:
    groups = retention.campaign_groups(reading, AS_OF, wanted(), call_list.NO_MARKS)
    curve = profit_curve(groups["value_at_stake"], ECONOMICS, customers=groups["customers"])
    assert curve.table["expected"].tolist() == pytest.approx([0, 20, 21, 18.25])
    assert (curve.best_customers, curve.best_expected) == (2, 21)
    assert retention.waiting(reading, AS_OF, wanted(), call_list.NO_MARKS) == 0


@pytest.mark.parametrize("control_share", [0.0, 0.5])
def test_the_best_set_is_the_call_list_of_whom_it_pays_to_contact(
    shop_home, reader, control_share: float
) -> None:
    """Also of who was marked lately, on whichever list, and of who is to be kept back (2)."""
    asked = wanted(control_share=control_share)
    owner = open_warehouse(shop_home).owner
    try:
        for marked in ([], [key(4)]):
            with owner.connect() as connection:
                for each in marked:
                    connection.execute(
                        "INSERT INTO serving.contacts VALUES (%s, 'whales', now(), %s, false)",
                        [each, AS_OF],
                    )
            known = reader.ask(call_list.marks)
            best = reader.ask(retention.best_set, AS_OF, asked, known)
            listed = reader.ask(call_list.summary, AS_OF, asked, known)
            groups = reader.ask(retention.campaign_groups, AS_OF, asked, known)
            left_out = len(marked) + (control_share > 0)
            assert best.customers == listed.customers == 2 - left_out
            assert best.profit == pytest.approx(listed.expected_profit or 0)
            assert best.all_customers == groups["customers"].sum() == 3 - left_out
            assert reader.ask(retention.waiting, AS_OF, asked, known) == left_out
    finally:
        with owner.connect() as connection:
            connection.execute("TRUNCATE serving.contacts")


@pytest.mark.parametrize(
    ("campaign", "as_of", "known"),
    [
        ("at_risk_valuable", AS_OF, True),
        ("at_risk_valuable", BEFORE, False),
        ("win_back", BEFORE, True),
    ],
)
def test_whether_it_is_known_what_a_list_is_ordered_by(
    reading, campaign: str, as_of: date, known: bool
) -> None:
    assert call_list.is_known(reading, as_of, wanted(campaign)) is known


def called(reading, asked: call_list.Wanted) -> str:
    return _keys(call_list.rows(reading, AS_OF, asked, call_list.NO_MARKS))


def test_the_call_list_has_whom_it_pays_to_contact_and_who_agrees(reading) -> None:
    assert called(reading, wanted()) == "42"
    assert called(reading, wanted(segments=("at_risk",))) == "2"
    found = call_list.summary(reading, AS_OF, wanted(), call_list.NO_MARKS)
    assert (found.customers, found.value_at_stake, found.expected_profit) == (2, 124, 21)
    # 50 / 4 - 5 pays too, but that customer refused.
    assert (found.refused, found.never_asked, found.contacted, found.kept_back) == (1, 0, 0, 0)


def test_the_other_lists_are_those_of_the_campaigns(reading) -> None:
    # Customer 4 came lately; 2 came once, and long ago enough, but within 90 days.
    assert called(reading, wanted("second_purchase")) == "42"
    assert called(reading, wanted("whales")) == ""  # the whale refused
    assert called(reading, wanted("second_purchase", never_asked=True)) == "423"
    asked = call_list.summary(reading, AS_OF, wanted("second_purchase"), call_list.NO_MARKS)
    assert asked.never_asked == 1


def test_who_is_marked_leaves_the_list_for_a_while(shop_home, reader) -> None:
    owner = open_warehouse(shop_home).owner
    before = reader.ask(call_list.marks)
    known = reader.ask(Reading.version)
    with owner.connect() as connection:
        connection.execute(
            "INSERT INTO serving.contacts VALUES (%s, 'whales', now() - interval '2 days', %s, "
            "false), (%s, 'whales', now() - interval '40 days', %s, true)",
            [key(4), AS_OF, key(2), AS_OF],
        )
    # Contacts are told for a month; who was kept back, for a quarter.
    try:
        after = reader.ask(call_list.marks)
        assert after[0] == before[0] + 2
        assert reader.ask(Reading.version) == known  # other answers are kept
        rows = reader.ask(call_list.rows, AS_OF, wanted(control_days=39), after)
        assert _keys(rows) == "2"
        everybody = reader.ask(
            call_list.rows, AS_OF, wanted(contacted=True, control_days=39), after
        )
        assert [(row[:1], back) for row, back in everybody[["customer_key", "in_control"]].values] \
            == [("4", False), ("2", None)]  # fmt: skip
        found = reader.ask(call_list.summary, AS_OF, wanted(control_days=39), after)
        assert (found.customers, found.contacted, found.kept_back) == (1, 1, 0)
        longer = reader.ask(call_list.summary, AS_OF, wanted(), after)
        assert (longer.customers, longer.contacted, longer.kept_back) == (0, 1, 1)
        assert longer.value_at_stake is None
    finally:
        with owner.connect() as connection:
            connection.execute("TRUNCATE serving.contacts")


def test_whom_marking_keeps_back_is_known_before(reading) -> None:
    """By the hash of key and quarter: customer 2 is at 0.33 in the first of 2024, 4 at 0.70."""
    asked = wanted(control_share=0.5)
    rows = call_list.rows(reading, AS_OF, asked, call_list.NO_MARKS)
    assert list(zip(rows["customer_key"].str[0], rows["to_keep_back"], strict=True)) == [
        ("4", False),
        ("2", True),
    ]
    found = call_list.summary(reading, AS_OF, asked, call_list.NO_MARKS)
    assert (found.customers, found.to_keep_back, found.expected_profit) == (1, 1, 20)
    nobody = call_list.rows(reading, AS_OF, wanted(), call_list.NO_MARKS)
    assert not nobody["to_keep_back"].any()


def test_what_nothing_is_known_of_is_not_nought(reading) -> None:
    """Whoever is no longer active has nothing at stake."""
    found = call_list.summary(reading, AS_OF, wanted("win_back"), call_list.NO_MARKS)
    assert (found.value_at_stake, found.expected_profit) == (None, None)


def test_whales_are_those_of_the_campaign_list(reading, monkeypatch) -> None:
    (whale,) = whales.largest(reading, AS_OF, 3, ECONOMICS).to_dict("records")  # of five
    assert (whale["customer_key"], whale["leaving"]) == (key(1), True)
    of_everybody = replace(whales.WHALES, top_share=None)
    monkeypatch.setattr(whales, "WHALES", of_everybody)
    rows = whales.largest(reading, AS_OF, 10, ECONOMICS)
    assert _keys(rows) == "14235"
    # Whom it would pay to contact, might they be contacted.
    assert list(rows["leaving"]) == [True, True, True, False, False]
    assert _keys(whales.largest(reading, AS_OF, 2, ECONOMICS)) == "14"


def test_models(reading) -> None:
    versions = models.versions(reading)
    assert list(versions["version"][:2]) == ["2", "1"]  # the champion first
    assert models.figures(reading, "churn", "2") == {
        "test_brier": 0.2,
        "test_brier_low": 0.18,
        "test_brier_high": 0.22,
        "test_roc_auc": 0.7,
        "baseline_hiatus_rule_brier": 0.25,
        "baseline_hiatus_rule_roc_auc": 0.75,
    }
    assert models.figures(reading, "churn", "9") == {}
    assert len(models.plots(reading, "churn", "2")) == 1
    assert len(models.performance(reading, "churn", AS_OF)) == 10
    assert list(models.drift(reading, "churn", AS_OF)["feature"]) == [
        "frequency",
        "churn_probability",
    ]


def test_every_job_that_runs_by_itself_is_watched() -> None:
    assert {
        NIGHTLY: (LOAD_RANGE,),
        GOLD: (SNAPSHOT, TRAIN, PUBLISH),
        RETRAIN: (TRAIN,),
    } == health.MADE_GOOD_BY


HOUR = timedelta(hours=1)
FAILED = shop.run("a", "nightly", PUBLISHED_AT, "failure", error="why")


@pytest.mark.parametrize(
    ("later", "told"),
    [
        ([], ["nightly"]),
        # The weekly training does not make good what the night did not do.
        ([shop.run("b", "retrain", PUBLISHED_AT + HOUR)], ["retrain", "nightly"]),
        ([shop.run("b", "nightly", PUBLISHED_AT + HOUR)], ["nightly"]),
        # That alone brings no new day in.
        ([shop.run("b", "publish", PUBLISHED_AT + HOUR)], ["publish", "nightly"]),
        (
            [
                shop.run("b", "load", PUBLISHED_AT + HOUR),
                shop.run("c", "snapshot", PUBLISHED_AT + HOUR),
                shop.run("d", "train", PUBLISHED_AT + HOUR),
                shop.run("e", "publish", PUBLISHED_AT + 2 * HOUR),
            ],
            ["publish"],
        ),
        (
            [shop.run("b", "publish", PUBLISHED_AT + HOUR, "failure", error="why")],
            ["publish", "nightly"],
        ),
        ([shop.run("b", "load", None, "running")], ["nightly"]),
        # Who started it saw it fail; the night is not made good by it.
        (
            [
                shop.run("b", "load", PUBLISHED_AT + HOUR, "failure", error="why"),
                shop.run("c", "snapshot", PUBLISHED_AT + HOUR),
                shop.run("d", "publish", PUBLISHED_AT + 2 * HOUR),
            ],
            ["publish", "nightly"],
        ),
        # Snapshots and a publish score nobody: gold that failed is not made good without training.
        (
            [
                shop.run("b", "load", PUBLISHED_AT + HOUR),
                shop.run("c", "gold", PUBLISHED_AT + HOUR, "failure", error="why"),
                shop.run("d", "snapshot", PUBLISHED_AT + 2 * HOUR),
                shop.run("e", "publish", PUBLISHED_AT + 3 * HOUR),
            ],
            ["publish", "gold"],
        ),
    ],
)
def test_a_night_that_failed_is_told_until_it_is_made_good(
    shop_home, later: list[dict[str, Any]], told: list[str]
) -> None:
    with open_warehouse(shop_home).owner.connect() as owner:
        owner.execute("DELETE FROM serving.runs")
        tables.insert(owner, "serving.runs", [FAILED, *later])
        found = health.newest_ended_runs(Reading(owner))
        owner.rollback()
    assert list(found["job"]) == told
    assert set(found["seconds"]) == {300}


def test_data_health(reading) -> None:
    assert len(health.publications(reading)) == 3
    accounting = health.accounting(reading).iloc[0]
    assert accounting["received"] == 15
    assert accounting["share"] == pytest.approx(2 / 15)
    rows = health.quarantine(reading)
    assert dict(zip(rows["reason"], rows["rows"], strict=True)) == {
        "amount:minimum": 2,
        "channel:pattern": 1,
    }
    months = health.received_by_month(reading)
    february = months[months["month"] == date(2024, 2, 1)].iloc[0]
    assert (february["accepted"], february["quarantined"]) == (8, 2)
