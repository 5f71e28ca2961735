"""A past campaign from a file: who was moved, of whom, and what cannot be read."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest
from pyspark.sql import SparkSession

from customer360.deployment import Deployment
from customer360.lakehouse.tables import Lakehouse
from customer360.models.uplift import UpliftError
from customer360.pipeline.uplift import (
    CampaignError,
    Contact,
    first_contacts,
    marked_contacts,
    measure,
    read_campaign,
)
from customer360.pipeline.workspace import Workspace
from customer360.settings import load_settings
from customer360.silver.keys import customer_key_of
from customer360_tests.gold.frames import CUSTOMER_DAYS, bought, table
from customer360_tests.stored import put

CAMPAIGN = date(2024, 6, 1)
SECRET = b"known to the tests"
CUSTOMERS = 300


def key(number: int) -> str:
    return f"{number:064x}"


@pytest.fixture
def work(spark: SparkSession, tmp_path: Path) -> Workspace:
    """Three hundred who had bought; of the contacted 60 % buy within thirty days, of the rest 30 %.

    Every customer buys again on the 31st day, which is too late.
    """
    random = np.random.default_rng(0)
    rows = []
    for n in range(CUSTOMERS):
        days = [CAMPAIGN - timedelta(days=40 + n % 50), CAMPAIGN + timedelta(days=30)]
        if random.random() < (0.6 if n % 2 else 0.3):
            days.append(CAMPAIGN + timedelta(days=int(random.integers(0, 30))))
        rows += [bought(key(n), day, 10 + n % 7) for day in days]
    settings = load_settings(tmp_path)
    lakehouse = Lakehouse(spark, settings.lakehouse_root)
    put(lakehouse, "silver/customer_days", table(spark, CUSTOMER_DAYS, rows))
    return Workspace(lakehouse, Deployment.of(settings), "test")


def contacts(customers: int = CUSTOMERS) -> list[Contact]:
    return [Contact(key(n), bool(n % 2), CAMPAIGN) for n in range(customers)]


def test_a_campaign_is_measured_over_its_window(work: Workspace) -> None:
    late = Contact(key(CUSTOMERS), True, date(2024, 12, 1))
    stranger = Contact(key(CUSTOMERS + 1), True, CAMPAIGN)
    done = measure(work, "june.csv", [*contacts(), late, stranger], 30)
    found = done.uplift
    assert (found.customers, found.contacted) == (CUSTOMERS, CUSTOMERS // 2)
    assert found.bought_contacted == pytest.approx(0.6, abs=0.1)
    assert found.bought_kept_back == pytest.approx(0.3, abs=0.1)
    assert found.effect_low < 0.3 < found.effect_high
    assert (done.waiting, done.unknown) == (1, 1)
    kept = json.loads(work.deployment.settings.uplift_file.read_text())
    assert (kept["campaign"], kept["first"], kept["window_days"]) == ("june.csv", "2024-06-01", 30)
    assert kept["success_rate"] == found.success_rate
    assert "customer_key" not in json.dumps(kept)


def test_a_campaign_whose_window_is_open_says_so(work: Workspace) -> None:
    with pytest.raises(
        CampaignError, match="90 days after the campaign are not over by 2024-07-01"
    ):
        measure(work, "june.csv", contacts(), 90)


def test_a_campaign_of_nobody_that_is_known_or_without_a_control_says_so(work: Workspace) -> None:
    strangers = [Contact(key(CUSTOMERS + n), bool(n % 2), CAMPAIGN) for n in range(9)]
    with pytest.raises(CampaignError, match="none of the 9 customers had bought before"):
        measure(work, "june.csv", strangers, 30)
    everybody = [Contact(key(n), True, CAMPAIGN) for n in range(CUSTOMERS)]
    with pytest.raises(UpliftError, match=r"nobody .* was kept back: .*; 9 had not bought"):
        measure(work, "june.csv", [*everybody, *strangers], 30)


def test_who_was_kept_back_and_then_contacted_was_not_kept_back() -> None:
    """In the window alone; who was contacted twice was contacted."""
    later = {days: CAMPAIGN + timedelta(days=days) for days in (29, 30)}
    marks = [
        *(Contact(key(n), False, CAMPAIGN) for n in (1, 2, 3)),
        Contact(key(4), True, CAMPAIGN),
        Contact(key(1), True, later[29]),
        Contact(key(3), False, later[29]),
        Contact(key(4), True, later[29]),
        Contact(key(2), True, later[30]),
    ]
    left, contacted_later = first_contacts(marks, 30)
    assert left == [
        Contact(key(2), False, CAMPAIGN),
        Contact(key(3), False, CAMPAIGN),
        Contact(key(4), True, CAMPAIGN),
    ]
    assert contacted_later == 1


def test_the_call_list_is_not_measured_for_longer_than_it_keeps_back(tmp_path: Path) -> None:
    settings = load_settings(tmp_path, contact_pause_days=30, revenue_horizon_days=60)
    with pytest.raises(CampaignError, match="choose 60 or fewer by --window"):
        marked_contacts(settings, "UTC", 61)
    with pytest.raises(CampaignError, match="nobody was kept back"):
        marked_contacts(settings, "UTC", 60)


def test_a_file_names_customers_by_key_or_by_id(tmp_path: Path) -> None:
    file = tmp_path / "june.csv"
    file.write_text(
        "Customer_Key,source_customer_id,contacted,date\n"
        f"{key(1).upper()},,yes,2024-06-01\n"
        ",A 7,não,2024-06-02\n"
    )
    assert read_campaign(file, ["shop"], lambda: SECRET) == [
        Contact(key(1), True, date(2024, 6, 1)),
        Contact(customer_key_of("shop", "A 7", SECRET), False, date(2024, 6, 2)),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "customer_key,date\n",
            r"row 1: expected a header with customer_key or .*contacted and date",
        ),
        (
            f"customer_key,contacted,date\n{key(1)},maybe,2024-06-01\n",
            "row 2, column contacted: expected",
        ),
        (
            f"customer_key,contacted,date\n{key(1)},yes,1 June\n",
            "row 2, column date: expected a day as",
        ),
        ("source_customer_id,contacted,date\n,yes,2024-06-01\n", "row 2: expected a customer_key"),
        (
            f"customer_key,contacted,date\n{key(1)},yes,2024-06-01\n{key(1)},no,2024-06-01\n",
            "row 3: the customer is in the file already",
        ),
        (
            f"customer_key,contacted,date\n{key(1)[:12]},yes,2024-06-01\n",
            "row 2, column customer_key: expected 64 digits and letters a to f, found 12 char",
        ),
        (f"customer_key,contacted,date\n{key(1)},yes,9999-12-31\n", "row 2, column date: 9999-12"),
        (f"customer_key,contacted,date\n{key(1)},yes,0001-01-01\n", "row 2, column date: 0001-01"),
        ("customer_key,contacted,date,contacted\n", "row 1: contacted is there twice"),
        (f"customer_key,contacted,date\n{key(1)},yes\n", "row 2: .*header has, found fewer"),
        (f"customer_key,contacted,date\n{key(1)},yes,2024-06-01,\n", "row 2: .*found more"),
        (
            f'customer_key,contacted,date\n"{key(1)},yes,2024-06-01\n',
            "row 2: unexpected end of data; close a quotation mark",
        ),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "june.csv"
    file.write_text(text)
    with pytest.raises(CampaignError, match=message):
        read_campaign(file, ["shop"], lambda: SECRET)


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_a_spreadsheet_may_have_written_it(tmp_path: Path, delimiter: str) -> None:
    file = tmp_path / "june.csv"
    lines = ("date,contacted,customer_key,segment", f"2024-06-01,sim,{key(1)},", "", ",,,")
    file.write_text("\ufeff" + "\r\n".join(lines).replace(",", delimiter), encoding="utf-8")
    assert read_campaign(file, ["shop"], lambda: SECRET) == [
        Contact(key(1), True, date(2024, 6, 1))
    ]


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(CampaignError, match=r"none.csv cannot be read \(No such file"):
        read_campaign(tmp_path / "none.csv", ["shop"], lambda: SECRET)
