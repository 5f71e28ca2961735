"""People who are forgotten leave the tables as if they had never bought, or had not said who."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.bronze.forgetting import key_of
from customer360.pipeline import make_gold
from customer360.pipeline.forgotten import forgotten_secret
from customer360.pipeline.row_edits import Edit, keep
from customer360.pipeline.stale_snapshots import stale_snapshots
from customer360.privacy import forget_rows, journal, rotate
from customer360.privacy.forget import ErasureError, begin, forget_in_tables
from customer360.privacy.journal import Erasure
from customer360.privacy.known import known_of
from customer360.privacy.people import Person, find_people
from customer360.privacy.their_rows import people_by_source
from customer360.serving.suppression import SuppressionError
from customer360.settings import write_whole
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360.table_names import EDITS, FEATURES
from customer360_tests.cases.shop import Shop, deployment_of, open_shop
from customer360_tests.privacy.every_byte import where_they_stand

SALES: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31)}
MARCH: dict[str, Any] = SALES | {"history": True}
MILL = """
name: mill
time_zone: Europe/Lisbon
currency: EUR
closed: true
date_format: "yyyy-MM-dd HH:mm"
"""
ORDERS = (
    MILL
    + """
grain: orders
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, channel: via, name: name,
          email: mail, phone: phone, birth_date: born, related_order_id: back}
cancellations: [{column: state, equals: [back]}]
keep: [note]
"""
)
DAILY = ORDERS + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n'
HEAD = "nr,who,at,sum,via,name,mail,phone,born,back,state,note"
ANN = "Ann Canary,ann.canary@example.com,+351911222333,1981-02-03"
BOB = "Bob Brown,bob@example.com,+351933444555,1970-05-06"
DAY_1 = (
    HEAD,
    f"O-1,ann-7,2024-03-01 10:00,10.00,web,{ANN},,ok,gift for Ann Canary",
    f"O-2,bob-8,2024-03-01 11:00,20.00,web,{BOB},,ok,",
    f"O-3,ann-7,2024-03-01 12:00,n/a,web,{ANN},,ok,",
    f"O-4,bob-8,2024-03-01 12:00,n/a,web,{BOB},,ok,",
    "O-5,ann-7,2024-03-01 12:00,1.00,ann.canary@example.com,a,b,c,d,e,f,g,h,i,j",
)
DAY_2 = (
    HEAD,
    f"O-6,bob-8,2024-03-02 10:00,40.00,store,{BOB},,ok,",
    f"O-7,ann-7,2024-03-02 10:00,80.00,Ann Canary's shop,{ANN},,ok,",
    f"R-1,ann-7,2024-03-02 12:00,-10.00,web,{ANN},O-1,back,",
    # An order that contradicts itself is in quarantine/transactions with its customer's key.
    f"O-8,ann-7,2024-03-02 13:00,7.00,web,{ANN},,ok,",
    f"O-8,ann-7,2024-03-02 13:00,7.50,web,{ANN},,ok,",
    # Of one whom silver does not know.
    "O-9,zoe-1,2024-03-02 14:00,n/a,web,Zoe Canary,zoe@example.com,,,,ok,",
)
CANARIES = (
    *("ann-7", "ann.canary", "Ann Canary", "911222333", "1981-02-03", "O-1", "O-7", "O-5", "O-8"),
    *("zoe-1", "Zoe Canary", "zoe@example.com", "O-9"),
)
EDITED_AT = datetime(2024, 3, 5, tzinfo=UTC)
SILVER = ("transactions", "customer_days", "customers", "customer_history")


def forget(shop: Shop, *given: str) -> dict[str, int]:
    """What `customer360 privacy forget` does to the tables."""
    erasure = Erasure.of(find_people(shop.work.tables, shop.work.deployment, given))
    whose = people_by_source(shop.work, erasure.people)
    erasure = erasure.knowing(*known_of(shop.work, erasure.people, whose))
    forget_rows.know_again(shop.work, erasure, whose)
    return forget_in_tables(shop.work, erasure)


def removing(shop: Shop) -> Shop:
    """The same shop, where sales of forgotten people go."""
    object.__setattr__(shop.work.deployment.settings, "forgotten_sales", "removed")
    return shop


def silver_of(shop: Shop, *without: str) -> dict[str, list[tuple[Any, ...]]]:
    tables = {name: f"silver/{name}" for name in SILVER}
    return {
        name: shop.rows(table, *(c for c in shop.columns(table) if c not in without))
        for name, table in tables.items()
    }


def daily_shop(spark: SparkSession, folder: Path) -> Shop:
    files = {"sales_2024-03-01.csv": DAY_1, "sales_2024-03-02.csv": DAY_2}
    return open_shop(spark, folder, DAILY, files, **MARCH)


def extract_shop(spark: SparkSession, folder: Path) -> Shop:
    return open_shop(spark, folder, ORDERS, {"a.csv": (*DAY_1, *DAY_2[1:])}, **MARCH)


def lines_without(shop: Shop, *words: str) -> None:
    """Deliver the files again without lines that hold any of these."""
    for file in sorted(shop.folder.iterdir()):
        lines = file.read_text(encoding="utf-8").splitlines()
        shop.deliver(file.name, *(line for line in lines if not any(w in line for w in words)))


Opened = Callable[[SparkSession, Path], Shop]


@pytest.mark.parametrize("opened", [daily_shop, pytest.param(extract_shop, marks=pytest.mark.slow)])
def test_removed_with_their_sales_it_is_as_if_they_had_never_bought(
    spark: SparkSession, tmp_path: Path, opened: Opened
) -> None:
    shop = removing(opened(spark, tmp_path / "a"))
    shop.load()
    forget(shop, "ann-7", "mill:zoe-1")
    stand = where_they_stand(tmp_path / "a" / "lakehouse", CANARIES)
    assert not any(stand.values()), stand
    never = opened(spark, tmp_path / "b")
    lines_without(never, "ann-7")
    never.load()
    assert silver_of(shop) == silver_of(never)
    shop.load()  # the files still hold them
    assert silver_of(shop) == silver_of(never)


@pytest.mark.parametrize("opened", [extract_shop, pytest.param(daily_shop, marks=pytest.mark.slow)])
def test_their_sales_stay_as_those_of_nobody(
    spark: SparkSession, tmp_path: Path, opened: Opened
) -> None:
    shop = opened(spark, tmp_path)
    shop.load()
    make_gold.make_snapshots(shop.work, FEATURES, [MARCH["last"]])
    edits = [
        Edit("mill_orders", number, delivered, None, {"sum": "3.00"}, False, "Zé", EDITED_AT)
        for number, delivered in (
            (1, '{"nr":"O-3","who":"ann-7","mail":"ann.canary@example.com"}'),
            (2, '{"nr":"O-4","who":"bob-8","mail":"bob@example.com"}'),
        )
    ]
    keep(shop.lakehouse, edits)
    days = silver_of(shop)["customer_days"]
    bobs = [row for row in days if "20.00" in row or "40.00" in row]
    (ann,) = find_people(shop.work.tables, shop.work.deployment, ["ann-7"])
    texts = (*CANARIES, ann.customer_key)
    folder = tmp_path / "lakehouse"
    before = where_they_stand(folder, texts)
    assert all(before.values()), before

    forgotten = forget(shop, "ann.canary@example.com", "mill:zoe-1")

    # 5 accepted rows; of the refused ones O-3, O-9 and the line that could not be split.
    assert forgotten == {
        "bronze/mill_orders": 5, "quarantine/mill_orders": 3, EDITS: 1, FEATURES: 1,
    }  # fmt: skip
    # What it changed of Ann's row it goes on changing, and does not say whose that is.
    edits_now = shop.rows(EDITS, "row", "delivered", "changes")
    assert [(row, said is None, changes) for row, said, changes in edits_now] == [
        ("1", True, '{"sum":"3.00"}'), ("2", False, '{"sum": "3.00"}'),
    ]  # fmt: skip
    secret = forgotten_secret(shop.work.deployment.settings)
    nobody = shop.rows(
        "silver/transactions", "order_id", "kind", "amount", "channel", "related_order_id",
        where="customer_key IS NULL",
    )  # fmt: skip
    keys = {order: key_of(order, secret) for order in ("O-1", "O-7", "R-1")}
    assert nobody == sorted(
        [
            (keys["O-1"], "sale", "10.00", None, None),
            (keys["O-7"], "sale", "80.00", None, None),
            (keys["R-1"], "refund", "10.00", None, keys["O-1"]),
        ],
        key=lambda row: [str(value) for value in row],
    )
    assert shop.reasons() == {"conflicting_rows": 2}
    assert silver_of(shop)["customer_days"] == bobs
    assert list(shop.customers()) == ["bob-8"]
    assert shop.net() == Decimal("60.00")
    assert shop.rows("gold/customer_features", "net_revenue") == [("60.0",)]
    assert stale_snapshots(shop.work.tables) == []
    refused = shop.rows("quarantine/mill_orders", "reasons", "raw")
    assert [row for row in refused if "forgotten" in row[0]] == [("[forgotten]", "{}")] * 3
    assert [row[1][:11] for row in refused if "forgotten" not in row[0]] == ['{"nr":"O-4"']
    after = where_they_stand(folder, texts)
    assert not any(after.values()), after

    as_it_is = silver_of(shop)
    for file in sorted(shop.folder.iterdir()):  # they come again
        shop.deliver(file.name, *file.read_text(encoding="utf-8").splitlines())
    shop.load()
    assert silver_of(shop) == as_it_is
    again = where_they_stand(folder, texts)
    assert not any(again.values()), again


def test_an_order_keeps_its_kind_where_the_mapping_asks_its_number(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Also lines that only their product tells apart stay several."""
    mapping = (
        MILL
        + """
grain: lines
repeated_lines: drop
columns: {order_id: nr, customer_id: who, occurred_at: at, quantity: n, unit_price: price,
          product_id: sku, country: land}
cancellations: [{column: nr, starts_with: [C]}]
keep: [what]
"""
    )
    lines = (
        "nr,who,at,n,price,sku,land,what",
        "1,17850,2024-03-01 10:00,2,5.00,a,UK,cup",
        "1,17850,2024-03-01 10:00,2,5.00,b,UK,mug",
        "C2,17850,2024-03-02 10:00,-1,5.00,a,UK,cup",
        "3,18000,2024-03-02 10:00,1,7.00,a,UK,cup",
    )
    shop = open_shop(spark, tmp_path, mapping, {"a.csv": lines}, **MARCH)
    shop.load()
    before = shop.rows("silver/transactions", "business_date", "kind", "amount", "items")
    forget(shop, "17850")
    after = shop.rows("silver/transactions", "business_date", "kind", "amount", "items")
    assert after == before
    assert [row[0] for row in shop.rows("silver/transactions", "customer_key IS NULL")] == [
        "false", "true", "true",
    ]  # fmt: skip


SOLD = (
    MILL
    + """
repeated_lines: drop
columns: {order_id: nr, customer_id: who, occurred_at: at, quantity: n, unit_price: price,
          category: what, channel: via, payment_type: by, city: town, email: mail}
keep: [note]
grain: lines
"""
)
HEAD_OF_LINES = "nr,who,at,n,price,what,via,by,town,mail,note"
ALIKE_BUT_FOR_A_TEXT = tuple(
    f"1,ann,2024-03-01 10:00,1,5.00,{texts}"
    for texts in (
        "cups,web,card,Porto,ann@example.com,red",
        "mugs,web,card,Porto,ann@example.com,red",
        "cups,app,card,Porto,ann@example.com,red",
        "cups,web,cash,Porto,ann@example.com,red",
        "cups,web,card,Faro,ann@example.com,red",
        "cups,web,card,Porto,eve@example.com,red",
        "cups,web,card,Porto,ann@example.com,blue",
        "cups,web,card,Porto,ann@example.com,red",  # the first once more
    )
)
GIVEN_BACK = (
    HEAD,
    f"O-1,ann-7,2024-03-01 10:00,90.00,web,{ANN},,ok,",
    f"O-1,ann-7,2024-03-02 10:00,-9.00,web,{ANN},,back,cup",
    f"O-1,ann-7,2024-03-02 10:00,-9.00,web,{ANN},,back,mug",
    f"O-1,ann-7,2024-03-02 10:00,-9.00,app,{ANN},,back,cup",
    f"O-1,ann-7,2024-03-02 10:00,-9.00,app,{ANN},,back,cup",  # once more
    # Not settled by what is left of them, either.
    f"O-2,ann-7,2024-03-02 10:00,20.00,web,{ANN},,ok,",
    f"O-2,ann-7,2024-03-02 10:00,20.00,app,{ANN},,ok,",
)
SOLD_DAILY = {
    "sales_2024-03-01.csv": (HEAD_OF_LINES, *ALIKE_BUT_FOR_A_TEXT),
    # Another line, and one of the day before that is told again.
    "sales_2024-03-02.csv": (
        HEAD_OF_LINES,
        "1,ann,2024-03-01 10:00,1,5.00,bowls,web,card,Porto,ann@example.com,red",
        ALIKE_BUT_FOR_A_TEXT[1].replace("web", "post"),
    ),
}


@pytest.mark.parametrize(
    ("mapping", "files", "person", "nobodys"),
    [
        (SOLD, {"a.csv": (HEAD_OF_LINES, *ALIKE_BUT_FOR_A_TEXT)}, "ann", 7),
        (SOLD + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n', SOLD_DAILY, "ann", 8),
        (ORDERS, {"a.csv": GIVEN_BACK}, "ann-7", 4),
    ],
    ids=["lines", "daily lines", "refunds"],
)
def test_what_only_a_text_told_apart_stays_apart_without_it(
    spark: SparkSession,
    tmp_path: Path,
    mapping: str,
    files: dict[str, tuple[str, ...]],
    person: str,
    nobodys: int,
) -> None:
    """Or two lines that were sold would be one, and their money half."""
    shop = open_shop(spark, tmp_path, mapping, files, **SALES)
    table = "silver/order_lines" if shop.source.has_lines else "silver/transactions"

    def sold() -> list[Any]:
        columns = ("business_date", "kind", "amount", "items", "freight")
        rows = shop.rows("silver/transactions", *columns)
        of_lines = ("business_date", "kind", "amount", "quantity")
        return [*rows, *(shop.rows(table, *of_lines) if shop.source.has_lines else ())]

    shop.load()
    before, kept_out = sold(), shop.reasons()
    assert len(shop.rows(table, "amount")) == nobodys
    forget(shop, person)
    for again in (False, True):
        if again:  # they come again
            for file in sorted(shop.folder.iterdir()):
                shop.deliver(file.name, *file.read_text(encoding="utf-8").splitlines())
            shop.load()
        assert (sold(), shop.reasons()) == (before, kept_out)
        texts = [name for name in ("category", "channel", "payment_type", "product_id")
                 if name in shop.columns(table)]  # fmt: skip
        assert shop.rows(table, "customer_key", *texts) == [(None,) * (1 + len(texts))] * nobodys


def test_lines_that_name_nobody_go_with_the_rest_of_their_order(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Exports of shops name the customer on the first line of an order only."""
    mapping = (
        MILL
        + """
grain: orders
columns: {order_id: nr, customer_id: mail, occurred_at: at, amount: sum, name: name}
keep: [line]
"""
    )
    lines = (
        "nr,mail,at,sum,name,line",
        "#1,ann@example.com,2024-03-01 10:00,15.00,Ann Canary,cup",
        "#1,,2024-03-01 10:00,,,engraved Ann",
        "#2,bob@example.com,2024-03-01 11:00,9.00,Bob,cup",
        "#2,,2024-03-01 11:00,,,engraved Bob",
    )
    shop = open_shop(spark, tmp_path, mapping, {"a.csv": lines}, **MARCH)
    shop.load()
    forget(shop, "Ann@Example.com")
    stand = where_they_stand(tmp_path / "lakehouse", ["engraved Ann", "Ann Canary", "ann@exa"])
    assert not any(stand.values()), stand
    assert where_they_stand(tmp_path / "lakehouse", ["engraved Bob"])["engraved Bob"]


def test_what_others_share_with_them_stays_and_what_a_rule_asks_of_them_goes(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Postal codes are several people's; a rule about an address is no reason to keep it."""
    mapping = (
        MILL
        + """
grain: orders
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum, email: mail,
          postal_code: zip, installments: parts}
exclude: [{column: mail, equals: ["ann.canary@example.com"], reason: own_people},
          {column: mail, blank: true, reason: nobody}]
"""
    )
    lines = (
        "nr,who,at,sum,mail,zip,parts",
        "O-11,ann-7,2024-03-01 10:00,10.00,ann@example.com,1000-100,call Ann Canary",
        "O-12,ann-7,2024-03-01 11:00,20.00,ann.canary@example.com,1000-100,2",
        "O-13,bob-8,2024-03-01 12:00,n/a,bob@example.com,1000-100,",
        "O-14,eve-9,2024-03-01 12:00,1.00,eve@example.com,1000-100,1,,,,",
    )
    shop = open_shop(spark, tmp_path, mapping, {"a.csv": lines}, **MARCH)
    shop.load()
    amounts = shop.rows("silver/transactions", "amount")
    forget(shop, "ann-7")
    assert shop.rows("silver/transactions", "amount", "customer_key IS NULL") == [
        (amounts[0][0], "true")
    ]
    refused = " ".join(row[0] for row in shop.rows("quarantine/mill_orders", "raw"))
    assert "bob@example.com" in refused
    assert "eve@example.com" in refused
    stand = where_they_stand(
        tmp_path / "lakehouse", ["ann-7", "ann@example", "ann.canary", "call Ann", "O-11"]
    )
    assert not any(stand.values()), stand


def test_who_cannot_be_told_or_read_is_not_forgotten_by_halves(
    spark: SparkSession, tmp_path: Path
) -> None:
    shop = daily_shop(spark, tmp_path)
    settings = shop.work.deployment.settings
    of_another = Person("former", "1", "0" * 64)
    with pytest.raises(ErasureError, match="source former is not active"):
        begin(shop.work.deployment, [of_another])
    with pytest.raises(ErasureError, match="nobody to forget"):
        begin(shop.work.deployment, [])
    begin(shop.work.deployment, [Person("mill", "ann-7", "0" * 64)])
    with pytest.raises(ErasureError, match=r"finish it first by .*privacy forget --resume"):
        begin(shop.work.deployment, [Person("mill", "bob-8", "1" * 64)])
    with pytest.raises(ErasureError, match="finish it first"):
        rotate.begin(shop.work, None)
    journal.over(settings)
    write_whole(journal.rotation_file(settings), "{}")
    with pytest.raises(ErasureError, match=r"privacy rotate-key --resume"):
        begin(shop.work.deployment, [Person("mill", "bob-8", "1" * 64)])


def test_nobody_is_forgotten_while_it_cannot_be_read_who_is_suppressed(tmp_path: Path) -> None:
    """The warehouse is made anew: it would not know whom the list names."""
    source = FilesSource(parse_mapping(DAILY, where="mill.yaml"), tmp_path)
    deployment = deployment_of(source, tmp_path / "home", MARCH["first"], MARCH["last"])
    stop = tmp_path / "stop.csv"
    object.__setattr__(deployment.settings, "suppression_path", stop)
    ann = Person("mill", "ann-7", "0" * 64)
    stop.write_text("email\nnobody\n")
    with pytest.raises(SuppressionError, match="row 2, column email: expected an e-mail address"):
        begin(deployment, [ann])
    assert journal.under_way(deployment.settings) is None
    stop.write_text("email\nnobody@example.com\n")
    assert begin(deployment, [ann]).people == (ann,)
