"""The dbt project: marts as stated, tests as Dagster's checks, nothing left where it may not be."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import pytest

from customer360.deployment import Deployment
from customer360.orchestration.dbt_assets import DBT_GROUPS
from customer360.orchestration.warehouse_assets import warehouse_assets
from customer360.serving import marts, tables
from customer360.serving.publishing import forget_origin
from customer360.serving.warehouse import WarehouseError
from customer360_tests.deployments import step_error
from customer360_tests.serving.conftest import FEBRUARY, JANUARY, Marts, models, read
from customer360_tests.serving.published import (
    change,
    lakehouse_tables,
    note_publication,
    publish,
    selected,
)

LATER = FEBRUARY + timedelta(days=7)


def failed_checks(result: dg.ExecuteInProcessResult) -> dict[str, str | None]:
    return {
        f"{check.asset_key.to_user_string()}:{check.check_name}": check.description
        for check in result.get_asset_check_evaluations()
        if not check.passed
    }


# As first made ----------------------------------------------------------------------------------


def test_one_run_makes_every_model_and_passes_every_test(made: Marts) -> None:
    assert made.first_run.success, failed_checks(made.first_run) or step_error(made.first_run)
    manifest = marts.manifest()
    tests = [node for node in manifest["nodes"].values() if node["resource_type"] == "test"]
    evaluated = made.first_run.get_asset_check_evaluations()
    assert len(evaluated) == len(tests) + len(manifest["unit_tests"])
    assert {event.asset_key for event in made.first_run.get_asset_materialization_events()} == {
        dg.AssetKey([model["schema"], model["name"]]) for model in models()
    }


def test_customer_360_joins_what_is_predicted(made: Marts) -> None:
    rows = {(row["as_of"], row["customer_key"]): row for row in made.rows["customer_360"]}
    assert set(rows) == {(day, key) for day in (JANUARY, FEBRUARY) for key in "abcd"}
    about_to_leave, gone = rows[FEBRUARY, "b"], rows[FEBRUARY, "c"]
    assert about_to_leave["value_at_stake"] == pytest.approx(0.8 * 50)
    assert about_to_leave["churn_reason_1"] == "last_purchase"
    assert about_to_leave["expected_revenue_365d_low"] == 10
    assert gone["value_at_stake"] is None
    assert gone["churn_reason_1"] is None
    # The revenue model was never published: its columns are there, and empty.
    assert {row["expected_revenue"] for row in rows.values()} == {None}


def test_label_is_the_net_revenue_of_the_horizon(made: Marts) -> None:
    labels = {
        (row["as_of"], row["customer_key"]): (row["net_revenue_next"], row["bought_next"])
        for row in made.rows["analytical_base_table"]
    }
    assert labels == {
        (JANUARY, "a"): (30.3, 1),
        (JANUARY, "b"): (-30, 0),
        (JANUARY, "c"): (0, 0),
        (JANUARY, "d"): (0, 0),
        # 14 days after 29 February are not known yet.
        **{(FEBRUARY, key): (None, None) for key in "abcd"},
    }


def test_segments_sum_up_the_customers(made: Marts) -> None:
    rows = {(row["as_of"], row["segment"]): row for row in made.rows["segment_summary"]}
    assert len(rows) == 6
    champions = rows[FEBRUARY, "champions"]
    assert champions["customers"] == 2
    assert champions["revenue_share"] == pytest.approx(0.8)
    assert champions["average_churn_probability"] == pytest.approx(0.65)
    assert champions["high_risk_customers"] == 2
    assert champions["value_at_stake"] == pytest.approx(0.5 * 80 + 0.8 * 50)


def test_lists_are_of_the_newest_date_and_of_who_consented(made: Marts) -> None:
    found = {
        (row["campaign"], row["rank"]): (row["as_of"], row["customer_key"], row["value"])
        for row in made.rows["campaign_lists"]
    }
    # b has as much to lose but refused; d bought once but was never asked.
    assert found == {
        # 40 at stake, of which a contact is expected to keep 0.1 x 0.3, for 1.
        ("at_risk_valuable", 1): (FEBRUARY, "a", pytest.approx(0.2)),
        ("win_back", 1): (FEBRUARY, "c", 150),
        ("whales", 1): (FEBRUARY, "a", 70),
    }


def test_days_have_their_week_and_month(made: Marts) -> None:
    (day,) = made.rows["revenue_kpis"]
    assert (day["week"], day["month"]) == (date(2024, 2, 26), date(2024, 2, 1))
    assert day["refund_rate"] == 0.25


def test_columns_are_those_that_the_project_states(made: Marts) -> None:
    query = (
        "SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute "
        "WHERE attrelid = '{}'::regclass AND attnum > 0 ORDER BY attnum"
    )
    for model in models():
        there = selected(made.warehouse.owner, query.format(f"{model['schema']}.{model['name']}"))
        stated = [
            (name, column["data_type"].replace("timestamptz", "timestamp with time zone"))
            for name, column in model["columns"].items()
        ]
        assert there == stated, model["name"]


def test_materializations_have_figures(made: Marts) -> None:
    rows = {
        made_event.materialization.asset_key: made_event.materialization.metadata
        for made_event in made.first_run.get_asset_materialization_events()
    }
    assert rows[dg.AssetKey(["marts", "customer_360"])]["dagster/row_count"].value == 8
    assert rows[dg.AssetKey(["marts", "campaign_lists"])]["dagster/row_count"].value == 3


def test_assets_say_what_they_are_and_follow_the_published_tables(made: Marts) -> None:
    deployment = Deployment.of(made.settings)
    published = {key for asset in warehouse_assets(deployment) for key in asset.keys}
    specs = {spec.key: spec for spec in made.definitions.resolve_all_asset_specs()}
    own = {key: spec for key, spec in specs.items() if key.path[0] in DBT_GROUPS}
    assert set(own) == {dg.AssetKey([model["schema"], model["name"]]) for model in models()}
    for key, spec in own.items():
        assert spec.group_name == key.path[0]
        assert spec.kinds == {"dbt", "postgres"}
        assert spec.owners
        assert spec.partitions_def is None
        assert spec.metadata["dagster/table_name"] == ".".join(key.path)
        assert all(column.description for column in spec.metadata["dagster/column_schema"].columns)
        assert {dep.asset_key for dep in spec.deps} <= published | set(own)
    graph = made.definitions.resolve_asset_graph()
    assert published & graph.get_ancestor_asset_keys(dg.AssetKey(["marts", "campaign_lists"])) == {
        dg.AssetKey(["warehouse", *table.split("/")])
        for table in (
            "gold/customer_360",
            "gold/churn_scores",
            "gold/lifetime_value",
            "gold/revenue_predictions",
            "silver/customers",
            "serving/suppressed_customers",
        )
    }


def test_nothing_is_written_into_the_package_and_no_password_anywhere(made: Marts) -> None:
    assert {path.name for path in marts.PROJECT.iterdir()} == {
        "dbt_project.yml",
        "macros",
        "models",
        "profiles.yml",
        "tests",
    }
    password = made.warehouse.owner.parameters["password"].encode()
    written = [path for path in (made.settings.home / "dbt").rglob("*") if path.is_file()]
    assert any(path.name == "dbt.log" for path in written)
    assert [path.name for path in written if password in path.read_bytes()] == []


def test_docs_are_one_page(made: Marts) -> None:
    page = marts.write_docs(made.settings, made.warehouse.owner)
    assert page == made.settings.home / "warehouse_docs" / "index.html"
    text = page.read_text()
    assert "lost because the customer may leave" in text
    assert "stg_customer_360" in text


# What happens next ------------------------------------------------------------------------------


def test_only_snapshots_published_anew_are_made_again(made: Marts) -> None:
    owner = made.warehouse.owner
    table = "gold/customer_360"
    publish(owner, table, lakehouse_tables([JANUARY, FEBRUARY, LATER])[table])
    # As a whole, which are all its dates.
    note_publication(owner, table, None, None)
    assert made.run("marts/customer_snapshots").success
    assert {row["net_revenue"] for row in read(made.warehouse, "customer_360")} == {
        300,
        500,
        150,
        50,
    }

    # Of a change that no publish made, nothing is known; January is not kept any more.
    change(owner, f"DELETE FROM gold.customer_360 WHERE as_of = '{JANUARY}'")
    change(owner, "UPDATE gold.customer_360 SET net_revenue = 1")
    note_publication(owner, table, LATER, LATER)
    marts.build(made.settings, owner)
    rows = read(made.warehouse, "customer_360")
    assert {row["as_of"] for row in rows} == {FEBRUARY, LATER}
    assert {row["net_revenue"] for row in rows if row["as_of"] == FEBRUARY} == {300, 500, 150, 50}
    assert {row["net_revenue"] for row in rows if row["as_of"] == LATER} == {1}


def test_a_broken_row_turns_the_check_red_and_stops_the_marts(made: Marts) -> None:
    owner = made.warehouse.owner
    rows = lakehouse_tables([FEBRUARY])["gold/customer_360"]
    before = read(made.warehouse, "customer_360")
    publish(owner, "gold/customer_360", [*rows, rows[0], dict(rows[2]) | {"segment": "Kings"}])
    note_publication(owner, "gold/customer_360", FEBRUARY, FEBRUARY)
    result = made.run(
        "staging/stg_customer_360",
        "marts/customer_snapshots",
        "marts/customer_360",
        "marts/segment_summary",
    )
    publish(owner, "gold/customer_360", rows)
    assert not result.success
    assert failed_checks(result) == {
        "staging/stg_customer_360:stg_customer_360_segment_accepted": (
            "dbt test stg_customer_360_segment_accepted: 1 rows break it"
        ),
        "staging/stg_customer_360:stg_customer_360_keys_unique": (
            "dbt test stg_customer_360_keys_unique: 2 rows break it"
        ),
    }
    made_keys = {e.asset_key for e in result.get_asset_materialization_events()}
    assert made_keys == {dg.AssetKey(["staging", "stg_customer_360"])}
    assert read(made.warehouse, "customer_360") == before


def test_a_model_that_fails_says_why_in_one_line(made: Marts) -> None:
    change(made.warehouse.owner, "ALTER TABLE gold.churn_scores DROP COLUMN reason_3 CASCADE")
    result = made.run("staging/stg_churn_scores")
    change(made.warehouse.owner, "ALTER TABLE gold.churn_scores ADD COLUMN reason_3 text")
    assert not result.success
    assert step_error(result) == (
        "customer360.serving.marts.MartsError: dbt model stg_churn_scores: "
        'column "reason_3" does not exist'
    )


def test_lists_are_not_made_while_it_is_not_known_who_is_suppressed(made: Marts) -> None:
    owner = made.warehouse.owner
    before = read(made.warehouse, "campaign_lists")
    change(owner, "DROP TABLE serving.suppressed_customers CASCADE")
    result = made.run("staging/stg_suppressed_customers", "marts/campaign_lists")
    publish(owner, "serving/suppressed_customers", [])
    assert not result.success
    assert step_error(result) == (
        "customer360.serving.marts.MartsError: dbt model stg_suppressed_customers: "
        'relation "serving.suppressed_customers" does not exist'
    )
    assert read(made.warehouse, "campaign_lists") == before
    assert made.run("staging/stg_suppressed_customers").success


def test_lists_alone_wait_for_a_suppression_list_that_could_not_be_read(made: Marts) -> None:
    owner = made.warehouse.owner
    before = read(made.warehouse, "campaign_lists")
    forget_origin(owner, tables.SUPPRESSED_CUSTOMERS)
    result = made.run()
    note_publication(owner, "serving/suppressed_customers", None, None)
    assert step_error(result) == (
        "customer360.serving.marts.MartsError: dbt model campaign_lists: it is not known who is "
        "suppressed: mend the suppression list, then run `customer360 run --steps publish`"
    )
    assert {event.asset_key for event in result.get_asset_materialization_events()} == {
        dg.AssetKey([model["schema"], model["name"]])
        for model in models()
        if model["name"] != "campaign_lists"
    }
    assert read(made.warehouse, "campaign_lists") == before


def test_who_refuses_by_now_or_is_suppressed_is_proposed_for_no_contact(made: Marts) -> None:
    """At once, on every date, and without dbt: consent is of today, and gold of its as-of date.

    Who refused then and agrees now has no other action, as none was made.
    """
    owner = made.warehouse.owner

    def actions() -> set[tuple[str, str, bool | None]]:
        rows = read(made.warehouse, "customer_360")
        return {(row["customer_key"], row["next_best_action"], row["may_contact"]) for row in rows}

    before = actions()
    change(owner, "UPDATE silver.customers SET marketing_consent = false WHERE customer_key = 'a'")
    change(owner, "UPDATE silver.customers SET marketing_consent = true WHERE customer_key = 'b'")
    change(owner, "INSERT INTO serving.suppressed_customers VALUES ('c')")
    now = actions()
    change(owner, "UPDATE silver.customers SET customer_key = 'gone' WHERE customer_key = 'd'")
    erased = actions()
    change(owner, "UPDATE silver.customers SET customer_key = 'd' WHERE customer_key = 'gone'")
    change(
        owner,
        "UPDATE silver.customers SET marketing_consent = customer_key = 'a'"
        " WHERE customer_key IN ('a', 'b')",
    )
    change(owner, "DELETE FROM serving.suppressed_customers")
    assert before == {
        ("a", "retain_with_offer", True),
        ("b", "do_not_contact", False),
        ("c", "call_in_person", True),
        # Never asked: on no list, but not refused either.
        ("d", "guide_to_second_purchase", None),
    }
    assert now == {
        ("a", "do_not_contact", False),
        ("b", "do_not_contact", True),
        ("c", "do_not_contact", False),
        ("d", "guide_to_second_purchase", None),
    }
    assert ("d", "guide_to_second_purchase", False) in erased
    assert actions() == before


def test_nobody_is_proposed_for_contact_while_no_suppression_list_was_ever_read(
    made: Marts,
) -> None:
    """As in a warehouse made anew: whom the list names is not known, so it may be anybody."""
    owner = made.warehouse.owner

    def actions() -> set[tuple[str, bool | None]]:
        rows = read(made.warehouse, "customer_360")
        return {(row["next_best_action"], row["may_contact"]) for row in rows}

    before = read(made.warehouse, "customer_360")
    forget_origin(owner, tables.SUPPRESSED_CUSTOMERS)
    emptied = actions()
    change(owner, "DROP TABLE serving.suppressed_customers CASCADE")
    result = made.run("marts/customer_360")
    never_made = actions()
    publish(owner, "serving/suppressed_customers", [])
    note_publication(owner, "serving/suppressed_customers", None, None)
    assert result.success
    assert emptied == never_made == {("do_not_contact", False)}
    assert made.run("staging/stg_suppressed_customers", "marts/customer_360").success
    assert read(made.warehouse, "customer_360") == before


def test_a_warehouse_that_is_away_is_said_in_one_line(made: Marts) -> None:
    away = type(made.warehouse.owner)(
        {**made.warehouse.owner.parameters, "host": str(made.settings.home / "nowhere")}
    )
    with pytest.raises(WarehouseError, match=r"connection to server .*nowhere") as caught:
        marts.write_docs(made.settings, away)
    assert "\n" not in str(caught.value)


def test_parsing_needs_no_warehouse_and_is_done_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    first = marts.manifest()
    (kept,) = (tmp_path / "customer360").iterdir()
    assert kept.name == f"dbt-manifest-{marts.fingerprint()}.json"
    changed = kept.stat().st_mtime_ns
    assert marts.manifest() == first
    assert kept.stat().st_mtime_ns == changed
