from __future__ import annotations

import csv
import json
import os
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.deployment import Deployment
from customer360.errors import SettingsError
from customer360.lakehouse.reading import engine
from customer360.pipeline import make_gold
from customer360.pipeline.export import ExportOptions, export_list
from customer360.pipeline.stale_snapshots import stale_snapshots
from customer360.pipeline.suppression import read_suppression_list, suppression_files
from customer360.privacy import journal, rotate
from customer360.privacy.forget import ErasureError
from customer360.privacy.forget_files import forget_lists
from customer360.privacy.lists_again import write_lists_again
from customer360.privacy.people import Person
from customer360.privacy.report import report_of
from customer360.privacy.rotate import RotationError
from customer360.serving.campaigns import campaign_list
from customer360.serving.contact_log import all_contacts, mark
from customer360.serving.contacts import prepare
from customer360.serving.options import Contacts, FileFormat
from customer360.serving.suppression import SuppressionError
from customer360.serving.warehouse import WarehouseError, open_warehouse
from customer360.settings import remember, write_whole
from customer360.silver.keys import customer_key_of
from customer360.table_names import CUSTOMERS, FEATURES
from customer360_tests.cases.shop import Shop, open_shop
from customer360_tests.deployments import Home
from customer360_tests.gold.frames import table
from customer360_tests.privacy.every_byte import where_they_stand
from customer360_tests.serving.frames import DAY, customer_360_of, customers_of
from customer360_tests.stored import put

MARCH: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31), "history": True}
MAPPING = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, city: town}
"""
LINES = (
    "nr,who,at,sum,town",
    "1,ann,2024-03-01 10:00:00,10.00,Porto",
    "2,bob,2024-03-02 10:00:00,20.00,Faro",
    # An order that contradicts itself is in quarantine/transactions, with a key.
    "3,ann,2024-03-03 10:00:00,30.00,Porto",
    "3,ann,2024-03-03 10:00:00,31.00,Porto",
)
TABLES = (
    "silver/customers",
    "silver/customer_history",
    "silver/transactions",
    "silver/customer_days",
    "quarantine/transactions",
    FEATURES,
)
OLD, NEW = "the old secret of the tests", "the new secret of the tests"
TIMES = ("_ingested_at", "run_id")


def shop_of(
    spark: SparkSession, folder: Path, secret: str | None, *, delivered: bool = True
) -> Shop:
    shop = open_shop(spark, folder, MAPPING, {"a.csv": LINES} if delivered else {}, **MARCH)
    settings = shop.work.deployment.settings.model_copy(update={"customer_key_secret": secret})
    deployment = Deployment(settings, shop.work.deployment.sources)
    object.__setattr__(shop.work, "deployment", deployment)
    return shop


def make(shop: Shop) -> None:
    shop.load()
    make_gold.make_snapshots(shop.work, FEATURES, [MARCH["last"]])


@pytest.fixture(scope="module")
def made_home(spark: SparkSession, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop's home with all its tables, whose keys are made with the secret that it keeps."""
    home = tmp_path_factory.mktemp("mill") / "home"
    (home / "secrets").mkdir(parents=True, mode=0o700)
    write_whole(home / "secrets" / "customer_key", OLD)
    make(shop_of(spark, home, None))
    return home


@pytest.fixture
def shop(spark: SparkSession, made_home: Path, tmp_path: Path) -> Shop:
    """A copy of it, to be changed."""
    shutil.copytree(made_home, tmp_path / "a")
    return shop_of(spark, tmp_path / "a", None, delivered=False)


def content(shop: Shop) -> dict[str, list[tuple[Any, ...]]]:
    return {
        table: shop.rows(table, *(c for c in shop.columns(table) if c not in TIMES))
        for table in TABLES
    }


def rotated(shop: Shop, secret: str | None = None) -> rotate.Rotated:
    rotation = rotate.begin(shop.work, secret)
    return rotate.rotate(shop.work, rotation, lambda: None, lambda line: None)


def test_it_is_as_if_the_keys_had_always_been_made_with_the_new_secret(
    spark: SparkSession, shop: Shop, tmp_path: Path
) -> None:
    settings = shop.work.deployment.settings
    before = settings.secret()
    old = [customer_key_of("mill", own, before) for own in ("ann", "bob")]
    assert all(where_they_stand(tmp_path / "a" / "lakehouse", old).values())

    done = rotated(shop)

    assert (done.customers, done.tables, done.set_yourself) == (2, len(TABLES), False)
    assert settings.secret() != before
    assert (settings.home / "secrets" / "customer_key").stat().st_mode & 0o777 == 0o600
    assert not any(where_they_stand(tmp_path / "a", old).values())
    afresh = shop_of(spark, tmp_path / "b", settings.secret().decode())
    make(afresh)
    assert content(shop) == content(afresh)
    # Nothing is to be made again because of it, and the next load finds all as it was.
    assert stale_snapshots(shop.work.tables) == []
    assert shop.load().silver.days == afresh.load().silver.days
    assert content(shop) == content(afresh)


def test_rows_of_who_is_no_customer_get_a_key_that_only_the_new_secret_makes(
    shop: Shop, tmp_path: Path
) -> None:
    ann, bob = (
        customer_key_of("mill", own, shop.work.deployment.settings.secret())
        for own in ("ann", "bob")
    )
    others = shop.lakehouse.read(CUSTOMERS).where(f"customer_key <> '{ann}'")
    shop.lakehouse.replace_all(Contract.load(CUSTOMERS), others)

    rotated(shop, NEW)

    secret = NEW.encode()
    nobody = customer_key_of("nobody", ann, secret)
    assert shop.rows("silver/transactions", "order_id", "customer_key") == [
        ("1", nobody),
        ("2", customer_key_of("mill", "bob", secret)),
    ]
    ((raw,),) = set(shop.rows("quarantine/transactions", "raw ->> '$.customer_key'"))
    assert raw == nobody
    assert not any(where_they_stand(tmp_path, [ann, bob]).values())


def test_who_was_contacted_stays_so_under_the_new_key(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop.work.deployment.settings
    old, nobodys = customer_key_of("mill", "ann", settings.secret()), "f" * 64
    reader = open_warehouse(settings).reader
    mark(
        reader,
        "whales",
        MARCH["last"],
        [old, nobodys],
        control_share=0,
        pause_days=30,
        control_days=91,
    )
    one_table = rotate._rotate_table

    def marked_meanwhile(*given: Any) -> None:
        with pytest.raises(WarehouseError, match="customers get other keys just now"):
            mark(
                reader,
                "whales",
                MARCH["last"],
                [old],
                control_share=0,
                pause_days=0,
                control_days=0,
            )
        one_table(*given)

    monkeypatch.setattr(rotate, "_rotate_table", marked_meanwhile)
    rotated(shop)

    new = customer_key_of("mill", "ann", settings.secret())
    assert [row[0] for row in all_contacts(open_warehouse(settings).owner)] == [new]
    (held,) = [
        held
        for held in report_of(shop.work, Person("mill", "ann", new)).tables
        if held.table == "serving/contacts"
    ]
    assert [row["list"] for row in held.rows] == ["whales"]


def killed(*_: Any) -> None:
    raise KeyboardInterrupt


def test_a_secret_of_the_settings_is_changed_there_and_the_old_one_refused(
    spark: SparkSession, made_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(made_home, tmp_path / "a", ignore=shutil.ignore_patterns("secrets"))
    shop = shop_of(spark, tmp_path / "a", OLD, delivered=False)
    with pytest.raises(RotationError, match="give the new one by --secret-file"):
        rotate.begin(shop.work, None)
    with pytest.raises(RotationError, match="holds the secret that is in use"):
        rotate.begin(shop.work, OLD)
    before = shop.work.deployment.settings
    with monkeypatch.context() as patched:
        patched.setattr(rotate, "write_lists_again", killed)
        with pytest.raises(KeyboardInterrupt):
            rotated(shop, NEW)
        # No list is given up because the secret is still the old one.
        with pytest.raises(SettingsError, match="the keys were rotated to another one since"):
            rotate.rotate(shop.work, rotate.under_way(before), lambda: None, lambda line: None)
    with pytest.raises(SettingsError, match="the keys were rotated to another one since"):
        shop.load()
    settings = before.model_copy(update={"customer_key_secret": NEW})
    assert settings.secret() == NEW.encode()
    object.__setattr__(shop.work, "deployment", Deployment(settings, (shop.source,)))
    rotation = rotate.under_way(settings)
    assert rotate.rotate(shop.work, rotation, lambda: None, lambda line: None).set_yourself
    keys = {row[0] for row in shop.rows("silver/customers", "customer_key")}
    assert keys == {customer_key_of("mill", own, NEW.encode()) for own in ("ann", "bob")}


@pytest.mark.parametrize("killed_at", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_one_that_was_killed_keeps_loads_out_and_goes_on(
    spark: SparkSession,
    shop: Shop,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    killed_at: int,
) -> None:
    one_table, calls = rotate._rotate_table, iter(range(100))

    def killed(*given: Any) -> None:
        if next(calls) == killed_at:
            raise KeyboardInterrupt
        one_table(*given)

    with monkeypatch.context() as patched:
        patched.setattr(rotate, "_rotate_table", killed)
        with pytest.raises(KeyboardInterrupt):
            rotated(shop)
    with pytest.raises(SettingsError, match=r"finish it by `customer360 privacy rotate-key --res"):
        shop.load()
    with pytest.raises(ErasureError, match="a rotation of the customer key was stopped"):
        rotate.begin(shop.work, None)

    settings = shop.work.deployment.settings
    rotate.rotate(shop.work, rotate.under_way(settings), lambda: None, lambda line: None)

    afresh = shop_of(spark, tmp_path / "b", settings.secret().decode())
    make(afresh)
    assert content(shop) == content(afresh)
    assert stale_snapshots(shop.work.tables) == []


def test_one_whose_publishing_failed_publishes_when_it_goes_on(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = shop.work.deployment.settings
    published: list[str] = []

    def fails(*_: Any) -> None:
        raise ConnectionError("no server")

    with monkeypatch.context() as down:
        down.setattr(rotate, "publish_anew", fails)
        with pytest.raises(ConnectionError):
            rotated(shop)
    monkeypatch.setattr(rotate, "publish_anew", lambda *_: published.append("all"))
    secret = settings.secret()
    rotate.rotate(shop.work, rotate.under_way(settings), lambda: None, lambda line: None)
    assert published == ["all"]
    assert settings.secret() == secret
    assert not journal.rotation_file(settings).exists()
    assert journal.audit(settings)[-1]["what"] == "rotate-key"


def test_there_is_nothing_to_resume_or_to_rotate(spark: SparkSession, tmp_path: Path) -> None:
    shop = shop_of(spark, tmp_path, None)
    with pytest.raises(RotationError, match="there is nothing to resume"):
        rotate.under_way(shop.work.deployment.settings)
    with pytest.raises(RotationError, match="there are no keys to rotate"):
        rotate.begin(shop.work, None)


def suppressed(shop: Shop) -> set[str]:
    """Customer keys of whom may not be written to, as lists are told."""
    settings = shop.work.deployment.settings
    assert suppression_files(settings)
    with engine() as connection:
        prepare(connection)
        read_suppression_list(connection, "named", shop.work.deployment)
        return {key for (key,) in connection.sql("SELECT value FROM named").fetchall()}


def test_who_is_suppressed_by_a_key_stays_so_under_the_new_one(shop: Shop, tmp_path: Path) -> None:
    """However often they are rotated; the list itself is its owner's, and stays as it is."""
    stop = tmp_path / "stop.csv"
    settings = shop.work.deployment.settings
    object.__setattr__(settings, "suppression_path", stop)
    with pytest.raises(SuppressionError, match="cannot be read"):
        rotate.begin(shop.work, None)
    stop.write_text("email\nnobody\n")
    with pytest.raises(SuppressionError, match="row 2, column email"):
        rotate.begin(shop.work, None)
    old = {own: customer_key_of("mill", own, settings.secret()) for own in ("ann", "bob")}
    said = f"customer_key,source_customer_id\n{old['ann'].upper()},\n,bob\n"
    stop.write_text(said)
    for _ in range(2):
        done = rotated(shop)
        now = {own: customer_key_of("mill", own, settings.secret()) for own in ("ann", "bob")}
        assert set(now.values()) < suppressed(shop)
        (told,) = [place for place in done.elsewhere if str(stop) in place]
        assert "until you have put them there" in told
    assert stop.read_text() == said
    object.__setattr__(settings, "suppression_path", None)
    assert now["ann"] in suppressed(shop)  # whatever becomes of the list
    forget_lists(settings, {now["ann"]})
    assert now["ann"] not in suppressed(shop)


REFUSES, STAYS = "refuses", "stays"


def campaigns(home: Home, secret: str, *, refused: bool = False) -> dict[str, str]:
    """Make the tables that lists are made of, with keys by ``secret``; the keys by id."""
    keys = {own: customer_key_of("shop", own, secret.encode()) for own in (REFUSES, STAYS)}
    once: dict[str, Any] = {"purchase_days": 1}
    known = {
        key: {"source_customer_id": own, "email": f"{own}@example.com"}
        | ({"marketing_consent": False} if refused and own == REFUSES else {})
        for own, key in keys.items()
    }
    versions = table(home.spark, "as_of date, model_version string", [(DAY, "3")])
    put(
        home.lakehouse,
        "gold/customer_360",
        home.spark.createDataFrame(customer_360_of(dict.fromkeys(keys.values(), once))),
    )
    put(home.lakehouse, "silver/customers", home.spark.createDataFrame(customers_of(known)))
    for name in ("gold/churn_scores", "gold/lifetime_value"):
        put(home.lakehouse, name, versions)
    return keys


def test_lists_are_written_again_of_who_may_be_written_to_and_others_are_named(
    spark: SparkSession, tmp_path: Path
) -> None:
    remember(tmp_path, {"customer_key_secret": OLD})
    home = Home.at(spark, tmp_path)
    settings = home.settings
    campaign = campaign_list("second_purchase")
    old = campaigns(home, OLD)
    options = ExportOptions(Contacts.HASHED, formats=(FileFormat.CSV,))
    (folder,) = {
        export_list(settings, campaign, DAY, each, run_id="night").folder
        for each in (ExportOptions(), options)
    }
    (manifest,) = folder.glob("*.manifest.json")
    facts = json.loads(manifest.read_text())
    os.utime(manifest, (1_700_000_000, 1_700_000_000))
    # Of a day whose snapshot is there no more.
    past = settings.exports_dir / "2024-05-31"
    shutil.copytree(folder, past)
    (past / manifest.name).write_text(json.dumps(facts | {"as_of": "2024-05-31"}))
    (folder / "stray.csv").write_text(old[STAYS])
    shutil.copytree(folder, folder / ".whales.part")  # of an export that was killed
    new = campaigns(home, NEW, refused=True)

    after = settings.model_copy(update={"customer_key_secret": NEW})
    done = write_lists_again(after)

    assert done.written == 1
    (left,) = done.left
    assert left.startswith("second_purchase of 2024-05-31: gold/customer_360 has no snapshot")
    assert "write it by `customer360 export second_purchase --as-of 2024-05-31 --contacts" in left
    files = {path.name for path in settings.exports_dir.rglob("*") if path.is_file()}
    assert files == {"second_purchase.csv", "second_purchase.manifest.json"}
    stated = json.loads(manifest.read_text())
    assert (stated["rows"], stated["left_out"]["refused"]) == (1, 1)
    assert stated["contacts"] == "hashed"
    rows = list(csv.DictReader((folder / "second_purchase.csv").open()))
    assert [row["customer_key"] for row in rows] == [new[STAYS]]
    assert rows[0]["google_email_sha256"]
    assert manifest.stat().st_mtime == 1_700_000_000
    assert not any(where_they_stand(settings.exports_dir, [*old.values()]).values())
