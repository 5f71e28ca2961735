"""A person of a whole deployment is reported, and then forgotten to the last byte of its home."""

from __future__ import annotations

import io
import json

import pytest

from customer360.pipeline.account import reconcile
from customer360.privacy import journal
from customer360.serving.campaigns import CAMPAIGN_LISTS
from customer360.serving.warehouse import reader_login
from customer360_tests.deployments import Home, copy_of, customer360
from customer360_tests.privacy.every_byte import where_they_stand

WHALES = next(campaign for campaign in CAMPAIGN_LISTS if campaign.name == "whales")


@pytest.fixture(scope="module")
def home(demo: Home, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A copy of the demo, to be changed."""
    return copy_of(demo, tmp_path_factory.mktemp("privacy") / "home")


@pytest.fixture(scope="module")
def whale(home: Home) -> dict[str, str]:
    """A customer who is on a list, with all that is known of them."""
    (file,) = home.settings.exports_dir.rglob("whales.csv")
    key = file.read_text(encoding="utf-8").splitlines()[1].split(",")[1].strip('"')
    (row,) = home.rows("silver/customers", f"customer_key = '{key}'")
    return {name: str(value) for name, value in row.items() if value is not None}


def test_a_report_says_all_that_is_held(
    home: Home,
    whale: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own_id = whale["source_customer_id"]
    said = customer360(
        capsys, monkeypatch, "privacy", "report", own_id, "--language", "pt",
        "--home", home.folder,
    )  # fmt: skip
    assert said.code == 0, said.err
    files = sorted(journal.reports_folder(home.settings).iterdir())
    assert [file.suffix for file in files] == [".html", ".json"]
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    stated = json.loads(files[1].read_text(encoding="utf-8"))
    tables = {held["table"]: held for held in stated["tables"]}
    for table in ("bronze/synthetic_customers", "silver/customers", "gold/customer_360"):
        assert table in tables
    orders = home.rows("silver/transactions", f"customer_key = '{whale['customer_key']}'")
    assert len(tables["silver/transactions"]["rows"]) == len(orders)
    profile = tables["bronze/synthetic_customers"]
    assert {row["customer_id"] for row in profile["rows"]} == {own_id}
    assert profile["came_from"]
    assert "2024-" in tables["silver/customer_days"]["since"]
    assert any("whales" in each for each in stated["campaign_lists"])
    assert stated["models_trained_with"]
    page = files[0].read_text(encoding="utf-8")
    assert '<html lang="pt">' in page
    assert "O que guardamos sobre você" in page
    assert whale["email"] in page
    (line,) = journal.audit(home.settings)
    assert line["what"] == "report"
    assert own_id not in json.dumps(line)


def test_a_person_is_forgotten_to_the_last_byte(
    home: Home,
    whale: dict[str, str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("source_customer_id", "email", "phone", "name", "address", "tax_id", "customer_key")
    texts = [whale[name] for name in names if name in whale]
    before = where_they_stand(home.folder, texts)
    assert before[whale["email"]], "to be sought, it must be there"
    net = home.lakehouse.read("gold/business_health").selectExpr("sum(net_revenue)").first()

    said = customer360(
        capsys, monkeypatch, "privacy", "forget", whale["email"], "--yes", "--home", home.folder
    )

    assert said.code == 0, said.err
    assert "forgotten: 1 customers" in said.out
    assert "trained with them:" in said.out
    assert "look there yourself: a dashboard that is open" in said.out
    after = where_they_stand(home.folder, texts)
    assert not any(after.values()), after
    assert home.lakehouse.read("gold/business_health").selectExpr("sum(net_revenue)").first() == net
    assert not reconcile(home.workspace().tables, home.deployment).differences
    login = reader_login(home.settings)
    assert login is not None
    with login.connect() as connection:
        row = connection.execute("SELECT count(*) FROM marts.customer_360").fetchone()
    assert row is not None
    newest = home.lakehouse.read("gold/customer_360")
    assert row[0] == newest.count()
    assert journal.under_way(home.settings) is None
    line = journal.audit(home.settings)[-1]
    assert (line["what"], line["people"]) == ("forget", 1)


def test_what_cannot_be_done_is_said_in_one_line(
    home: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for arguments, message in (
        (["forget", "nobody@example.com", "--yes"], "nobody in silver/customers is known by"),
        (["forget", "--yes"], "nobody to forget"),
        (["forget", "--resume"], "there is nothing to resume"),
        (["rotate-key", "--resume"], "there is nothing to resume"),
        (["report", "nobody@example.com"], "nobody in silver/customers is known by"),
        (["report", "x", "--language", "xx"], "--language xx: expected one of en, pt"),
    ):
        said = customer360(capsys, monkeypatch, "privacy", *arguments, "--home", home.folder)
        assert said.code == 1, arguments
        assert len(said.error_lines) == 1, said.err
        assert message in said.error_lines[0]


def test_what_was_not_confirmed_is_not_begun(
    home: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (row, *_) = home.rows("silver/customers")
    monkeypatch.setattr("sys.stdin", io.StringIO())
    said = customer360(
        capsys, monkeypatch, "privacy", "forget", row["source_customer_id"], "--home", home.folder
    )
    assert said.code == 1
    assert journal.under_way(home.settings) is None
    assert home.rows("silver/customers", f"customer_key = '{row['customer_key']}'")
