"""The mappings that ship, each on a small file with the columns that such exports have."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from importlib import resources
from pathlib import Path

from pyspark.sql import SparkSession

from customer360_tests.cases.loaded_files import Loaded, load


def load_shipped(spark: SparkSession, folder: Path, name: str, text: str) -> Loaded:
    package = resources.files("customer360.sources.files")
    mapping = package.joinpath("mappings", f"{name}.yaml").read_text("utf-8")
    return load(spark, folder, mapping, {"export.csv": text})


def test_shopify(spark: SparkSession, tmp_path: Path) -> None:
    """An order of two lines, one given back in part, one cancelled, one in another currency."""
    header = (
        "Name,Email,Financial Status,Paid at,Accepts Marketing,Currency,Subtotal,Shipping,Taxes,"
        "Total,Created at,Lineitem quantity,Lineitem name,Lineitem price,Cancelled at,"
        "Payment Method,Refunded Amount,Discount Amount\n"
    )
    rows = (
        "#1,Ann@x.com,paid,,yes,USD,50.00,5.00,0,55.00,2024-02-03 23:30:00 -0500,2,Mug,10.00,,"
        "Card,0.00,0\n"
        "#1,,,,,,,,,,2024-02-03 23:30:00 -0500,1,Pot,30.00,,,,\n"
        "#2,ann@x.com,partially_refunded,,yes,USD,40.00,0,0,40.00,2024-02-05 10:00:00 -0500,1,Jug,"
        "40.00,,Card,15.00,0\n"
        "#3,bo@x.com,voided,,no,USD,9.00,0,0,9.00,2024-02-06 10:00:00 -0500,1,Cup,9.00,"
        "2024-02-06 11:00:00 -0500,Card,0.00,0\n"
        "#4,cy@x.com,paid,,no,CAD,70.00,0,0,70.00,2024-02-07 10:00:00 -0500,1,Pan,70.00,,Card,0,0\n"
        "#5,di@x.com,refunded,,no,USD,12.00,0,0,12.00,2024-02-08 10:00:00 -0500,1,Lid,12.00,,Card,"
        "12.00,0\n"
    )
    found = load_shipped(spark, tmp_path, "shopify", header + rows)
    assert (found.net, found.amounts) == (80, {"#1": 55, "#2": 40, "#5": 12})
    assert str(found.days["#1"]) == "2024-02-03"
    assert found.customers == {"ann@x.com": 3, "bo@x.com": 1, "di@x.com": 2}
    assert found.excluded == {"continuation_row": 1, "other_currency": 1}


def test_woocommerce(spark: SparkSession, tmp_path: Path) -> None:
    header = (
        "order_id,order_number,date,status,shipping_total,order_total,payment_method,customer_id,"
        "billing_email,billing_phone,billing_postcode,billing_city,billing_state,billing_country\n"
    )
    rows = (
        "1,1,2024-06-01 09:00,completed,4.90,34.90,paypal,12,a@x.de,,10115,Berlin,BE,DE\n"
        "2,2,2024-06-01 09:30:00,processing,0,20.00,card,0,b@x.de,,20095,Hamburg,HH,DE\n"
        "3,3,2024-06-02 09:00,wc-cancelled,0,99.00,card,0,c@x.de,,,,,DE\n"
        "4,4,2024-06-03 09:00,refunded,0,15.00,card,12,a@x.de,,10115,Berlin,BE,DE\n"
        "5,5,2024-06-03 09:00,pending,0,45.00,card,15,d@x.de,,,,,DE\n"
    )
    found = load_shipped(spark, tmp_path, "woocommerce", header + rows)
    assert (found.net, found.amounts) == (Decimal("54.90"), {"1": Decimal("34.90"), "2": 20})
    assert found.customers == {"12": 2, None: 2}
    assert found.excluded == {"not_paid": 1}


def test_stripe(spark: SparkSession, tmp_path: Path) -> None:
    header = (
        "id,Created date (UTC),Amount,Amount Refunded,Currency,Captured,Status,Customer Email\n"
    )
    rows = (
        "ch_1,2024-07-01 08:30,100.00,0.00,usd,true,Paid,u@x.net\n"
        "ch_2,2024-07-02 09:10:11,50.00,50.00,usd,true,Refunded,v@x.net\n"
        "ch_3,2024-07-03 10:00,30.00,0.00,usd,false,Failed,w@x.net\n"
        'ch_4,2024-07-04 10:00,"1,200.00",200.00,usd,true,Paid,u@x.net\n'
        "ch_5,2024-07-05 10:00,80.00,0.00,eur,true,Paid,u@x.net\n"
    )
    unpaid = (
        *("requires_action", "requires_payment_method", "Uncaptured", "Canceled", "canceled"),
        *("incomplete", "requires_capture", "requires_confirmation"),
    )
    rows += "".join(
        f"pi_{n},2024-07-06 10:00,9.00,0.00,usd,false,{status},w@x.net\n"
        for n, status in enumerate(unpaid)
    )
    found = load_shipped(spark, tmp_path, "stripe", header + rows)
    assert found.net == 1100
    assert Counter(row.kind for row in found.good) == {"cancelled": 9, "refund": 2, "sale": 3}
    assert found.excluded == {"other_currency": 1}


def test_orders_with_refunds(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order,type,customer,at,amount,currency\n1,sale,a@x.fr,2024-03-01 10:15:00,59.90,EUR\n"
        "1,refund,a@x.fr,2024-03-08 09:00:00,20.00,EUR\n"
        "1,refund,a@x.fr,2024-03-08 15:00:00,-10.00,EUR\n"
        "2,sale,,2024-03-02 10:15:00,5.00,\n"
    )
    found = load_shipped(spark, tmp_path, "orders_with_refunds", text)
    assert found.net == Decimal("34.90")
    assert found.customers == {"a@x.fr": 3, None: 1}
