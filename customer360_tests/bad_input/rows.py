"""Rows that are kept out, and the reason that quarantine has of each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path

from pyspark.sql import SparkSession

from customer360_tests.cases.shop import Loaded, Shop, open_shop

FIRST, LAST = date(2024, 5, 1), date(2024, 5, 31)

ORDERS = """
name: bakery
currency: EUR
time_zone: UTC
grain: orders
date_format: yyyy-MM-dd
dates_to: 2030-12-31
closed: true
columns:
  order_id: Receipt
  occurred_at: Day
  amount: Total
  customer_id: Customer
  currency: Money
  refunded: Back
  refunded_at: BackOn
exclude:
  - {reason: total, column: Receipt, starts_with: Sum}
"""
LINES = """
name: bakery
currency: EUR
time_zone: UTC
grain: lines
date_format: yyyy-MM-dd
decimal_separator: ","
closed: true
columns:
  order_id: Receipt
  line_id: Line
  occurred_at: Day
  quantity: Pieces
  unit_price: Price
  customer_id: Customer
discounts:
  - {column: Line, starts_with: V}
"""


@dataclass(frozen=True)
class Row:
    """A bad row.

    Attributes:
        line: As it stands in the file; one that needs another beside it has several.
        wrong: What is wrong with it.
        reasons: As quarantine has them.
        table: The quarantine table.
        mark: Tells the row again in what quarantine kept of it.
    """

    line: str
    wrong: str
    reasons: tuple[str, ...]
    table: str = "quarantine/bakery_orders"
    mark: str = ""

    @property
    def known_by(self) -> str:
        """What of it stands in what quarantine kept."""
        return self.mark or self.line.partition(",")[0]


SILVER = "quarantine/transactions"


@dataclass(frozen=True)
class Delivery:
    """A file of bad rows after good ones.

    Attributes:
        id: Of its test.
        title: Heading of its table.
        mapping: As YAML.
        header: The first line of the file.
        good: Rows that are loaded, an order each.
        rows: Those that are not.
    """

    id: str
    title: str
    mapping: str
    header: str
    good: tuple[str, ...]
    rows: tuple[Row, ...]

    def loaded(self, spark: SparkSession, folder: Path) -> tuple[Shop, Loaded]:
        """The file, loaded into bronze and silver as a run does."""
        lines = [self.header, *self.good, *(row.line for row in self.rows)]
        files = {"may.csv": tuple(lines)}
        shop = open_shop(spark, folder, self.mapping, files, first=FIRST, last=LAST)
        return shop, shop.load()


def bad(
    line: str, wrong: str, *reasons: str, table: str = "quarantine/bakery_orders", mark: str = ""
) -> Row:
    return Row(line, wrong, reasons, table, mark)


OF_ORDERS = Delivery(
    "orders",
    "A file of orders",
    ORDERS,
    "Receipt,Day,Total,Customer,Money,Back,BackOn",
    tuple(f"G{n},2024-05-{n:02},10.00,ann,EUR,," for n in range(1, 29)),
    (
        bad(",2024-05-02,101.00,bob,EUR,,", "no order id", "Receipt:required", mark="101.00"),
        bad(
            "2.4E+11,2024-05-02,102.00,bob,EUR,,",
            "an id that a spreadsheet shortened",
            "Receipt:spreadsheet_number",
        ),
        bad("B03,,3.00,bob,EUR,,", "no date", "Day:required"),
        bad("B04,2024-02-30,4.00,bob,EUR,,", "a day that there is not", "Day:format"),
        bad("B05,05/17/2024,5.00,bob,EUR,,", "a date of another form", "Day:format"),
        bad("B06,soon,6.00,bob,EUR,,", "a word in place of a date", "Day:format"),
        bad("B07,1970-01-01,7.00,bob,EUR,,", "a date that stands for none", "Day:implausible_date"),
        bad("B08,9999-12-31,8.00,bob,EUR,,", "a date that means never", "Day:implausible_date"),
        bad("B09,2024-05-09,,bob,EUR,,", "no amount", "Total:required"),
        bad("B10,2024-05-10,ten,bob,EUR,,", "a word in place of an amount", "Total:type"),
        bad(
            'B11,2024-05-11,"1.234,50",bob,EUR,,',
            "a decimal comma where the mapping has a point",
            "Total:type",
        ),
        bad(
            'B12,2024-05-12,"1,234",bob,EUR,,',
            "a comma that may part decimals or thousands",
            "Total:type",
        ),
        bad("B13,2024-05-13,1.2.3,bob,EUR,,", "two points", "Total:type"),
        bad(
            "B14,2024-05-14,NaN,bob,EUR,,",
            "what programs write where there is no number",
            "Total:required",
        ),
        bad(
            "B17,2024-05-17,17.00,4.5E+11,EUR,,",
            "a customer's id that a spreadsheet shortened",
            "Customer:spreadsheet_number",
        ),
        bad("B18,2024-05-18,18.00,bob,EUR", "fewer values than the header has", "row:malformed"),
        bad(
            "B19,2024-05-19,19,00,bob,EUR,,",
            "more values: a decimal comma between commas",
            "row:malformed",
        ),
        bad("B20,never,twenty,bob,EUR,,", "two mistakes", "Day:format", "Total:type"),
        bad("B21,2024-05-21,21.00,bob,EUR,much,", "a refund that is no number", "Back:type"),
        bad(
            "B22,2024-05-22,-22.00,bob,EUR,,",
            "a sale below zero that no rule names",
            "negative_amount",
            table=SILVER,
        ),
        bad(
            "B23,2024-05-23,2300,bob,JPY,,",
            "money of another currency",
            "other_currency",
            table=SILVER,
        ),
        bad(
            "Sum,2024-05-24,2400.00,,EUR,,",
            "a total, which the mapping leaves out by its own rule",
            "total",
            table=SILVER,
        ),
        bad(
            "B25,2024-05-25,25.00,bob,EUR,,",
            "an order twice, with two amounts",
            "conflicting_rows",
            table=SILVER,
        ),
        bad(
            "B25,2024-05-25,26.00,bob,EUR,,",
            "the other of the two",
            "conflicting_rows",
            table=SILVER,
        ),
    ),
)

OF_LINES = Delivery(
    "lines",
    "A file of lines",
    LINES,
    "Receipt,Line,Day,Pieces,Price,Customer",
    tuple(f'G{n},1,2024-05-{n:02},2,"5,00",ann' for n in range(1, 9)),
    (
        bad(
            'L01,1,2024-05-01,two,"5,00",bob',
            "a word in place of a number of pieces",
            "Pieces:type",
            table="quarantine/bakery_lines",
        ),
        bad(
            "L02,1,2024-05-02,2,,bob", "no price", "Price:required", table="quarantine/bakery_lines"
        ),
        bad(
            "L03,1,2024-05-03,2,5.00,bob",
            "a decimal point where the mapping has a comma",
            "Price:type",
            table="quarantine/bakery_lines",
        ),
        bad(
            'L08,1,2024-05-08,2,"$5,00",bob',
            "another currency's sign",
            "Price:type",
            table="quarantine/bakery_lines",
        ),
        bad(
            'L04,1,2024-05-04,-1,"5,00",bob',
            "a line below zero that no rule names",
            "negative_amount",
            table=SILVER,
        ),
        bad(
            'L05,1,2024-05-05,1,"5,00",bob',
            "lines of one order, of two customers",
            "conflicting_customers",
            table=SILVER,
        ),
        bad('L05,2,2024-05-05,1,"6,00",cid', "the other", "conflicting_customers", table=SILVER),
        bad(
            'L06,1,2024-05-06,1,"5,00",bob',
            "a line twice, with two prices",
            "conflicting_rows",
            table=SILVER,
        ),
        bad('L06,1,2024-05-06,1,"7,00",bob', "the other", "conflicting_rows", table=SILVER),
        bad(
            'L07,1,2024-05-07,1,"5,00",bob',
            "a discount of more than the order",
            "conflicting_discounts",
            table=SILVER,
        ),
        bad(
            'L07,V1,2024-05-07,1,"9,00",bob', "the discount", "conflicting_discounts", table=SILVER
        ),
    ),
)

INTRO = (
    "A bad row costs itself and not its file: the others are loaded, and the row is kept with "
    "every rule that it broke (`<column>:<rule>`), or with the reason that it is no sale. "
    "`customer360 quarantine list` counts them; [Operations](operations.md) tells how they are "
    "brought in. Where too many are refused, or too much money, the run stops and says:"
)

STOPS = (
    "19 of 52 rows (36.5%, 2,754.80 of 3,107.80 EUR, of 5 rows unreadable) of "
    "bronze/bakery_orders are in quarantine, 5 for Total:type: line 39 of may.csv: column Total "
    "has 'ten', expected a number with decimal_separator: \".\". Look by `customer360 check "
    "--mapping MAPPING FILE`, or `customer360 show quarantine/bakery_orders --home /…`; if these "
    "rows shall be left out all the same, set CUSTOMER360_QUARANTINE_LIMIT and "
    "CUSTOMER360_QUARANTINE_MONEY_LIMIT to the share that may be missing"
)
"""What a run says of `OF_ORDERS` as a whole, of which a third is refused."""

DELIVERIES = (OF_ORDERS, OF_LINES)
