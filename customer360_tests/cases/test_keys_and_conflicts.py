"""What one order is: repeated ids, states, lines, refunds, corrections, and what contradicts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from pyspark.sql import SparkSession

from customer360.contracts import Contract
from customer360.pipeline import audit, conflicts
from customer360.silver.transactions import CONFLICT, CORRECTION, DUPLICATE, KEPT
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases import complaint
from customer360_tests.cases.complaint import Complaint, Expected, Money, Outcome
from customer360_tests.cases.shop import Loaded, Shop, open_shop

MARCH: dict[str, Any] = {"first": date(2024, 3, 1), "last": date(2024, 3, 31)}

ORDERS = """
name: kiosk
time_zone: Europe/Lisbon
currency: EUR
grain: orders
closed: true
columns: {order_id: nr, customer_id: who, occurred_at: at, amount: sum}
"""
DAILY = ORDERS + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n'
LINES = ORDERS.replace("grain: orders", "grain: lines")
UNASKED = Expected(
    rows=0, orders=0, gross=Decimal(0), net=Decimal(0), money=Money(in_files=Decimal(0))
)


def settled(
    spark: SparkSession, folder: Path, mapping: str, files: Mapping[str, tuple[str, ...]]
) -> Outcome:
    """What the layers' own functions make of the files; no table is written."""
    texts = {name: "".join(f"{line}\n" for line in lines) for name, lines in files.items()}
    case = Complaint(complaint="", mapping=mapping, files=texts, expect=UNASKED)
    return complaint.run(spark, case, folder)


def orders(of: Outcome) -> list[tuple[str, str, str, str]]:
    """Day, order, kind and amount of all transactions, as `Shop.orders` has them."""
    made = ((row.business_date, row.order_id, row.kind, row.amount) for row in of.made)
    return sorted((str(day), order, kind, str(amount)) for day, order, kind, amount in made)


def net(of: Outcome) -> Decimal:
    return complaint.money(of.kind("sale")) - complaint.money(of.kind("refund"))


def counts(of: Outcome) -> tuple[int, ...]:
    """Rows kept, duplicates, corrections and conflicts."""
    return tuple(len(of.of(what)) for what in (KEPT, DUPLICATE, CORRECTION, CONFLICT))


def stops(shop: Shop, loaded: Loaded) -> bool:
    return conflicts.too_many(shop.source, loaded.account, shop.work.deployment.limits)


def told(shop: Shop, loaded: Loaded) -> str:
    return conflicts.explained(shop.work, shop.source, loaded.account)


BASKETS = (
    "nr,who,at,sum,article",
    "A1,ann,2024-03-04 09:00:00,4.00,tea",
    "A1,ann,2024-03-04 09:00:00,6.50,cake",
    "A2,bob,2024-03-05 10:00:00,3.00,tea",
    "A2,bob,2024-03-05 10:00:00,7.00,jam",
    "A2,bob,2024-03-05 10:00:00,1.25,bun",
    "A3,ann,2024-03-09 08:30:00,12.00,tin",
)


def test_lines_mapped_as_orders_are_told_and_stop(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(spark, tmp_path, ORDERS, {"march.csv": BASKETS}, **MARCH)
    loaded = shop.load()
    assert shop.orders() == [("2024-03-09", "A3", "sale", "12.00")]
    assert shop.reasons() == {"conflicting_rows": 5} == dict(loaded.account.excluded)
    assert stops(shop, loaded)
    said = told(shop, loaded)
    assert "A1 stands on 2 rows that differ in sum 4.00, 6.50, article" in said.replace(
        "sum 6.50, 4.00", "sum 4.00, 6.50"
    )
    assert "`grain: lines` and `line_id: article, sum`, which tells them apart" in said
    assert "\n" not in said


def test_values_that_are_only_kept_are_not_told(spark: SparkSession, tmp_path: Path) -> None:
    """Nobody knows what is in a column that means nothing to the mapping."""
    shop = open_shop(spark, tmp_path, ORDERS + "keep: [article]\n", {"m.csv": BASKETS}, **MARCH)
    said = told(shop, shop.load())
    assert "article" in said
    assert "cake" not in said
    assert "4.00" in said


def test_the_same_file_mapped_as_lines_gives_each_order_whole(
    spark: SparkSession, tmp_path: Path
) -> None:
    made = settled(spark, tmp_path, LINES, {"march.csv": BASKETS})
    assert orders(made) == [
        ("2024-03-04", "A1", "sale", "10.50"),
        ("2024-03-05", "A2", "sale", "11.25"),
        ("2024-03-09", "A3", "sale", "12.00"),
    ]
    assert net(made) == Decimal("33.75")
    assert not made.of(CONFLICT)


def test_the_mapping_says_what_becomes_of_conflicts(spark: SparkSession, tmp_path: Path) -> None:
    saying = {what: f"{ORDERS}conflicts: {what}\n" for what in ("quarantine", "stop")}
    shop = open_shop(spark, tmp_path, saying["quarantine"], {"march.csv": BASKETS}, **MARCH)
    account = shop.load().account
    assert account.conflicts == 5
    for what, mapping in saying.items():
        source = FilesSource(parse_mapping(mapping, where="shop.yaml"), shop.folder)
        stop = conflicts.too_many(source, account, shop.work.deployment.limits)
        assert stop is (what == "stop")


def test_one_conflict_among_many_orders_is_set_aside_and_told(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = [f"B{n},ann,2024-03-{n:02} 10:00:00,50.00" for n in range(1, 31)]
    shop = open_shop(
        spark,
        tmp_path,
        ORDERS,
        {"march.csv": ("nr,who,at,sum", *rows, "X,bob,2024-03-31 10:00:00,9.00",
                       "X,bob,2024-03-31 10:00:00,8.00")},
        **MARCH,
    )  # fmt: skip
    loaded = shop.load()
    assert not stops(shop, loaded)
    assert (len(shop.orders()), shop.net()) == (30, Decimal("1500.00"))
    assert "X stands on 2 rows that differ in sum" in told(shop, loaded)


STATES = (
    "nr,who,at,sum,state,since",
    "C1,ann,2024-03-02 09:00:00,20.00,placed,2024-03-02 09:00:00",
    "C1,ann,2024-03-02 09:00:00,18.00,packed,2024-03-02 15:00:00",
    "C1,ann,2024-03-02 09:00:00,18.00,sent,2024-03-03 07:00:00",
    "C2,bob,2024-03-03 09:00:00,5.00,placed,2024-03-03 09:00:00",
    "C2,bob,2024-03-03 09:00:00,5.00,void,2024-03-04 09:00:00",
)


def test_a_row_a_state_is_one_order_in_its_last_state(spark: SparkSession, tmp_path: Path) -> None:
    mapping = ORDERS.replace("sum}", "sum, changed_at: since}") + (
        "cancellations:\n  - {column: state, equals: [void], kind: cancelled}\n"
    )
    made = settled(spark, tmp_path, mapping, {"march.csv": STATES})
    assert orders(made) == [
        ("2024-03-02", "C1", "sale", "18.00"),
        ("2024-03-03", "C2", "cancelled", "5.00"),
    ]
    assert counts(made) == (2, 1, 2, 0)
    assert net(made) == Decimal("18.00")


def test_a_row_a_state_that_says_the_same_of_the_sale_is_no_conflict(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,who,at,sum,state",
        "C1,ann,2024-03-02 09:00:00,20.00,placed",
        "C1,ann,2024-03-02 09:00:00,20.00,sent",
    )
    made = settled(spark, tmp_path, ORDERS, {"march.csv": rows})
    assert orders(made) == [("2024-03-02", "C1", "sale", "20.00")]
    assert counts(made) == (1, 1, 0, 0)


def test_an_order_that_one_file_dates_twice_is_a_conflict(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,who,at,sum",
        "D1,ann,2024-03-02 09:00:00,20.00",
        "D1,ann,2024-03-12 09:00:00,20.00",
        "D2,ann,2024-03-12 10:00:00,7.00",
    )
    made = settled(spark, tmp_path, ORDERS, {"march.csv": rows})
    assert orders(made) == [("2024-03-12", "D2", "sale", "7.00")]
    assert made.excluded == {"conflicting_rows": 2}


def test_lines_of_an_order_that_name_two_customers_are_a_conflict(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,who,at,sum",
        "7,ann,2024-03-02 09:00:00,20.00",
        "7,bob,2024-03-02 17:00:00,8.00",
        "8,ann,2024-03-02 18:00:00,5.00",
        "8,,2024-03-02 18:00:00,2.50",
    )
    shop = open_shop(spark, tmp_path, LINES, {"march.csv": rows}, **MARCH)
    loaded = shop.load()
    assert shop.orders() == [("2024-03-02", "8", "sale", "7.50")]
    assert shop.reasons() == {"conflicting_customers": 2}
    assert "whose rows name two customers: 7 stands on 2 rows" in told(shop, loaded)
    # Who they are is nobody's business in a message.
    assert "ann" not in told(shop, loaded)


VOUCHERS = LINES.replace(
    "sum}", "sum, line_id: line}\ndiscounts: [{column: sku, equals: [voucher]}]"
)


def test_an_order_that_takes_more_off_than_was_sold_is_a_conflict(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,who,at,sum,line,sku",
        "F1,ann,2024-03-02 09:00:00,20.00,1,p",
        "F1,ann,2024-03-02 09:00:00,-25.00,2,voucher",
        "F2,ann,2024-03-02 09:00:00,20.00,1,p",
        # Taken off what another day sold: whichever days are loaded, it says less than nothing.
        "F2,ann,2024-03-03 09:00:00,-5.00,2,voucher",
    )
    shop = open_shop(spark, tmp_path, VOUCHERS, {"march.csv": rows}, **MARCH)
    loaded = shop.load()
    assert shop.orders() == [("2024-03-02", "F2", "sale", "20.00")]
    assert shop.reasons() == {"conflicting_discounts": 3}
    assert "whose rows take more off than was sold: F1 stands on 2 rows" in told(shop, loaded)
    shop.load(date(2024, 3, 2), date(2024, 3, 2))
    shop.load(date(2024, 3, 3), date(2024, 3, 3))
    assert shop.orders() == [("2024-03-02", "F2", "sale", "20.00")]
    assert shop.reasons() == {"conflicting_discounts": 3}


def test_a_voucher_that_was_corrected_is_taken_off_once(
    spark: SparkSession, tmp_path: Path
) -> None:
    """What both deliveries take off together is more than was sold."""
    mapping = VOUCHERS + 'date_in_name: "sales_{yyyy-MM-dd}.csv"\n'
    head = "nr,who,at,sum,line,sku"
    first = (
        head,
        "G1,ann,2024-03-02 09:00:00,10.00,1,p",
        "G1,ann,2024-03-02 09:00:00,-6.00,2,voucher",
    )
    later = (head, "G1,ann,2024-03-02 09:00:00,-7.00,2,voucher")
    files = {"sales_2024-03-02.csv": first, "sales_2024-03-03.csv": later}
    made = settled(spark, tmp_path, mapping, files)
    assert orders(made) == [("2024-03-02", "G1", "sale", "3.00")]
    assert made.excluded == {}


def test_an_order_of_which_one_line_contradicts_itself_is_kept_out_whole(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,who,at,sum,line,sku",
        "E1,ann,2024-03-02 09:00:00,20.00,1,p",
        "E1,ann,2024-03-02 09:00:00,3.00,2,q",
        "E1,ann,2024-03-02 09:00:00,4.00,2,r",
        "E2,ann,2024-03-03 09:00:00,6.00,1,p",
    )
    mapping = LINES.replace("sum}", "sum, line_id: line}")
    shop = open_shop(spark, tmp_path, mapping, {"march.csv": rows}, **MARCH)
    loaded = shop.load()
    assert shop.orders() == [("2024-03-03", "E2", "sale", "6.00")]
    assert shop.reasons() == {"conflicting_rows": 3}
    assert "Name as line_id what tells the lines of an order apart: sku" in told(shop, loaded)


LEDGER = ORDERS + "cancellations:\n  - {column: type, equals: [back]}\n"


def test_each_refund_of_an_order_is_a_row_of_its_own(spark: SparkSession, tmp_path: Path) -> None:
    rows = (
        "nr,type,who,at,sum",
        "F1,sale,ann,2024-03-02 09:00:00,80.00",
        "F1,back,ann,2024-03-06 10:00:00,12.00",
        "F1,back,ann,2024-03-06 16:30:00,3.50",
        "F1,back,ann,2024-03-06 16:30:00,3.50",  # the same row again
        "F1,back,ann,2024-03-11 09:00:00,12.00",
    )
    shop = open_shop(spark, tmp_path, LEDGER, {"march.csv": rows}, **MARCH)
    loaded = shop.load()
    assert shop.orders() == [
        ("2024-03-02", "F1", "sale", "80.00"),
        ("2024-03-06", "F1", "refund", "12.00"),
        ("2024-03-06", "F1", "refund", "3.50"),
        ("2024-03-11", "F1", "refund", "12.00"),
    ]
    assert (loaded.account.kept, loaded.account.duplicates) == (4, 1)
    assert shop.net() == Decimal("52.50")
    days = shop.rows("silver/customer_days", "business_date", "refunds", "refunded")
    assert days[1] == ("2024-03-06", "2", "15.50")
    found = audit.audit_keys(shop.work, Contract.load("silver/transactions"))
    assert (found.repeated.count, found.unknown["customer_key"].count) == (0, 0)


def test_two_refunds_of_a_day_that_differ_in_what_came_back_are_two(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,type,who,at,sum,article",
        "F1,sale,ann,2024-03-02 00:00:00,80.00,",
        "F1,back,ann,2024-03-06 00:00:00,5.00,cup",
        "F1,back,ann,2024-03-06 00:00:00,5.00,bowl",
    )
    made = settled(spark, tmp_path, LEDGER + "keep: [article]\n", {"march.csv": rows})
    assert net(made) == Decimal("70.00")


def test_two_refunds_of_one_line_on_a_day_are_both_given_back(
    spark: SparkSession, tmp_path: Path
) -> None:
    rows = (
        "nr,type,who,at,sum,line",
        "G1,sale,ann,2024-03-02 09:00:00,30.00,1",
        "G1,sale,ann,2024-03-02 09:00:00,10.00,2",
        "G1,back,ann,2024-03-05 09:00:00,4.00,1",
        "G1,back,ann,2024-03-05 11:00:00,6.00,1",
    )
    mapping = LEDGER.replace("grain: orders", "grain: lines").replace("sum}", "sum, line_id: line}")
    made = settled(spark, tmp_path, mapping, {"march.csv": rows})
    assert orders(made) == [
        ("2024-03-02", "G1", "sale", "40.00"),
        ("2024-03-05", "G1", "refund", "10.00"),
    ]


def test_a_refund_in_two_states_was_given_back_once(spark: SparkSession, tmp_path: Path) -> None:
    rows = (
        "nr,who,at,sum,state,since",
        "P1,ann,2024-03-02 09:00:00,40.00,paid,2024-03-02 09:00:00",
        "P1,ann,2024-03-02 09:00:00,40.00,returned,2024-03-05 09:00:00",
        "P1,ann,2024-03-02 09:00:00,40.00,returned and shelved,2024-03-07 09:00:00",
    )
    mapping = ORDERS.replace("sum}", "sum, changed_at: since}") + (
        "cancellations:\n  - {column: state, starts_with: [returned]}\n"
    )
    made = settled(spark, tmp_path, mapping, {"march.csv": rows})
    assert orders(made) == [
        ("2024-03-02", "P1", "refund", "40.00"),
        ("2024-03-02", "P1", "sale", "40.00"),
    ]
    assert counts(made) == (2, 1, 0, 0)
    assert net(made) == 0


@pytest.mark.parametrize("lines", [False, True], ids=["orders", "lines"])
def test_a_refund_delivered_again_with_another_address_was_given_back_once(
    spark: SparkSession, tmp_path: Path, lines: bool
) -> None:
    head = "nr,type,who,at,sum,line,town,mail"
    mapping = DAILY.replace("sum}", "sum, city: town, email: mail}") + (
        "cancellations:\n  - {column: type, equals: [back]}\n"
    )
    if lines:
        mapping = mapping.replace("grain: orders", "grain: lines")
        mapping = mapping.replace("sum,", "sum, line_id: line,")
    made = settled(
        spark,
        tmp_path,
        mapping,
        {
            "sales_2024-03-05.csv": (
                head,
                "Q1,sale,ann,2024-03-05 09:00:00,50.00,1,Faro,a@b.pt",
                "Q1,back,ann,2024-03-05 10:00:00,20.00,1,Faro,a@b.pt",
                "Q1,back,ann,2024-03-05 10:00:00,5.00,1,Faro,a@b.pt",
            ),
            "sales_2024-03-06.csv": (
                head,
                "Q1,back,ann,2024-03-05 10:00:00,20.00,1,Lagos,a@b.pt",
            ),
            "sales_2024-03-07.csv": (
                head,
                "Q1,back,ann,2024-03-05 10:00:00,20.00,1,Lagos,ann@b.pt",
            ),
        },
    )
    assert net(made) == Decimal("25.00")
    assert counts(made) == (3, 2, 0, 0)


def test_a_refund_with_an_id_of_its_own_can_be_corrected(
    spark: SparkSession, tmp_path: Path
) -> None:
    mapping = DAILY.replace("sum}", "sum, related_order_id: of}") + (
        "cancellations:\n  - {column: type, equals: [back]}\n"
    )
    head = "nr,type,who,at,sum,of"
    made = settled(
        spark,
        tmp_path,
        mapping,
        {
            "sales_2024-03-02.csv": (head, "H1,sale,ann,2024-03-02 09:00:00,30.00,"),
            "sales_2024-03-05.csv": (head, "R9,back,ann,2024-03-05 09:00:00,10.00,H1"),
            "sales_2024-03-06.csv": (head, "R9,back,ann,2024-03-04 09:00:00,12.00,H1"),
        },
    )
    assert orders(made) == [
        ("2024-03-02", "H1", "sale", "30.00"),
        ("2024-03-04", "R9", "refund", "12.00"),
    ]
    assert counts(made) == (2, 0, 1, 0)


HEAD = "nr,who,at,sum"


def test_a_correction_of_the_amount_counts_once(spark: SparkSession, tmp_path: Path) -> None:
    made = settled(
        spark,
        tmp_path,
        DAILY,
        {
            "sales_2024-03-02.csv": (HEAD, "K1,ann,2024-03-02 09:00:00,30.00"),
            "sales_2024-03-03.csv": (HEAD, "K1,ann,2024-03-02 09:00:00,30.00"),
            "sales_2024-03-04.csv": (HEAD, "K1,ann,2024-03-02 09:00:00,25.00"),
        },
    )
    assert orders(made) == [("2024-03-02", "K1", "sale", "25.00")]
    assert counts(made) == (1, 0, 2, 0)


def test_an_order_whose_date_was_corrected_counts_once(spark: SparkSession, tmp_path: Path) -> None:
    """Night by night, and the first night once more at the end."""
    shop = open_shop(
        spark,
        tmp_path,
        DAILY,
        {
            "sales_2024-03-02.csv": (HEAD, "K1,ann,2024-03-02 09:00:00,30.00",
                                     "K2,ann,2024-03-02 10:00:00,4.00"),
            "sales_2024-03-09.csv": (HEAD, "K1,ann,2024-03-20 09:00:00,30.00"),
        },
        **MARCH,
    )  # fmt: skip
    right = [("2024-03-02", "K2", "sale", "4.00"), ("2024-03-20", "K1", "sale", "30.00")]
    shop.load(date(2024, 3, 2))
    assert shop.net() == Decimal("34.00")
    loaded = shop.load(date(2024, 3, 9))
    assert shop.orders() == right
    assert loaded.account.corrections == 1
    assert date(2024, 3, 2) in loaded.silver.days
    shop.load(date(2024, 3, 2))
    assert shop.orders() == right
    assert shop.net() == Decimal("34.00")


@pytest.mark.parametrize("repeated", ["drop", "keep"])
def test_lines_delivered_again_in_another_state_are_the_same_lines(
    spark: SparkSession, tmp_path: Path, repeated: str
) -> None:
    """Nothing numbers them: within a delivery what differs in anything is another line."""
    mapping = DAILY.replace("grain: orders", "grain: lines").replace("sum}", "sum, city: town}") + (
        "exclude:\n  - {reason: test, column: state, equals: [test]}\n"
        "  - {reason: postage, column: sku, equals: [POST]}\n"
        f"repeated_lines: {repeated}\n"
    )
    head = "nr,who,at,sum,town,state,sku"

    def lines(town: str, state: str) -> tuple[str, ...]:
        return (
            head,
            f"K1,ann,2024-03-02 09:00:00,30.00,{town},{state},cup",
            f"K1,ann,2024-03-02 09:00:00,30.00,{town},{state},jug",
            f"K1,ann,2024-03-02 09:00:00,4.00,{town},{state},tin",
            f"K1,ann,2024-03-02 09:00:00,4.00,{town},{state},tin",
        )

    made = settled(
        spark,
        tmp_path,
        mapping,
        {
            "sales_2024-03-02.csv": lines("Faro", "new"),
            "sales_2024-03-03.csv": lines("Faro", "sent"),
            "sales_2024-03-04.csv": lines("Lagos", "sent"),
        },
    )
    whole = "64.00" if repeated == "drop" else "68.00"
    assert orders(made) == [("2024-03-02", "K1", "sale", whole)]


def test_a_sale_cancelled_later_leaves_the_revenue(spark: SparkSession, tmp_path: Path) -> None:
    mapping = DAILY + "cancellations:\n  - {column: state, equals: [void], kind: cancelled}\n"
    head = "nr,who,at,sum,state"
    made = settled(
        spark,
        tmp_path,
        mapping,
        {
            "sales_2024-03-02.csv": (head, "L1,ann,2024-03-02 09:00:00,30.00,paid"),
            "sales_2024-03-05.csv": (head, "L1,ann,2024-03-02 09:00:00,30.00,void"),
        },
    )
    assert orders(made) == [("2024-03-02", "L1", "cancelled", "30.00")]
    assert net(made) == 0


def test_a_later_delivery_settles_a_conflict(spark: SparkSession, tmp_path: Path) -> None:
    shop = open_shop(
        spark,
        tmp_path,
        DAILY,
        {
            "sales_2024-03-02.csv": (HEAD, "M1,ann,2024-03-02 09:00:00,30.00",
                                     "M1,ann,2024-03-03 09:00:00,31.00"),
        },
        **MARCH,
    )  # fmt: skip
    shop.load(date(2024, 3, 2))
    assert shop.orders() == []
    assert shop.reasons() == {"conflicting_rows": 2}
    shop.deliver("sales_2024-03-10.csv", HEAD, "M1,ann,2024-03-03 09:00:00,32.00")
    loaded = shop.load(date(2024, 3, 10))
    assert shop.orders() == [("2024-03-03", "M1", "sale", "32.00")]
    assert shop.reasons() == {}
    assert loaded.account.corrections == 2
