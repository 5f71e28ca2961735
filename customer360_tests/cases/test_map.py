"""Files that `customer360 map` looks at: the mapping that it writes, and what comes in by it."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pyspark.sql import SparkSession

from customer360.errors import BrokenFileError, SettingsError
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import FileMapping
from customer360.sources.sniffing import Drafted, draft, roles
from customer360.sources.sniffing.sample import look_at
from customer360.sources.sniffing.values import columns_of
from customer360.sources.sniffing.words import ROLES
from customer360_tests.cases.loaded_files import Loaded, load_from
from customer360_tests.deployments import customer360


@dataclass(frozen=True)
class Mapped:
    """A file that was mapped and then read by that very mapping."""

    drafted: Drafted
    loaded: Loaded

    @property
    def mapping(self) -> FileMapping:
        return self.drafted.mapping

    @property
    def said(self) -> str:
        """The page without line breaks."""
        return unbroken(self.drafted.text)

    def decides(self, *words: str) -> bool:
        """Whether something is left to the user that has all these words."""
        return any(all(word in each for word in words) for each in self.drafted.decide)


def unbroken(text: str) -> str:
    """A page whose comments do not go over several lines."""
    return " ".join(text.replace("\n#", " ").split())


def write(folder: Path, name: str, content: str | bytes) -> Path:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return file


def mapped(spark: SparkSession, file: Path, currency: str | None = "EUR") -> Mapped:
    found = draft([file], currency=currency)
    return Mapped(found, load_from(spark, file, found.text))


def test_semicolons_decimal_commas_and_a_byte_order_mark(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = (
        "\ufeffBestellnummer;Kundennummer;Bestelldatum;Gesamtbetrag\n"
        "B-1;700;03.02.2024;1.234,50\nB-2;701;14.02.2024;19,90\nB-3;700;28.02.2024;2.500\n"
    )
    found = mapped(spark, write(tmp_path, "verkauf.csv", text))
    assert found.mapping.name == "verkauf"
    assert (found.mapping.delimiter, found.mapping.decimal_separator) == (";", ",")
    assert found.mapping.date_format == "dd.MM.yyyy"
    assert found.loaded.amounts == {"B-1": Decimal("1234.50"), "B-2": Decimal("19.90"), "B-3": 2500}
    assert found.loaded.customers == {"700": 2, "701": 1}


def test_windows_1252(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "commande;client;date;montant;catégorie\n1;C1;2024-05-01;€ 10,50;Thé – Été\n"
        "2;C2;2024-05-02;€ 8,00;Crème brûlée\n"
    )
    found = mapped(spark, write(tmp_path, "ventes.csv", text.encode("cp1252")), currency=None)
    assert (found.mapping.encoding, found.mapping.currency) == ("cp1252", "EUR")
    assert found.loaded.net == Decimal("18.50")
    assert {row.category for row in found.loaded.good} == {"Thé – Été", "Crème brûlée"}


def test_lines_before_the_header_and_a_total(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "Report of sales, March\nprinted by the till\n\nreceipt,card,date,total\n"
        "1,K1,2024-03-04,4.50\n2,,2024-03-05,5.50\nTotal,,,10.00\n"
    )
    found = mapped(spark, write(tmp_path, "till.csv", text))
    assert found.mapping.skip_lines == 3
    assert found.loaded.net == 10
    assert found.loaded.excluded == {"total": 1}
    assert found.loaded.customers == {"K1": 1, None: 1}


@pytest.mark.parametrize(("mark", "name"), [("|", "sales.txt"), ("\t", "sales.tsv")])
def test_pipes_and_tabs(spark: SparkSession, tmp_path: Path, mark: str, name: str) -> None:
    rows = [
        ("order id", "customer", "order date", "amount"),
        ("1", "Lee, A", "2024-01-02 10:00:00", "3.00"),
        ("2", "Roe, B", "2024-01-13 11:00:00", "4.25"),
    ]
    found = mapped(spark, write(tmp_path, name, "\n".join(mark.join(row) for row in rows) + "\n"))
    assert (found.mapping.delimiter, found.mapping.files) == (mark, f"*.{name[-3:]}")
    assert found.loaded.amounts == {"1": 3, "2": Decimal("4.25")}


def test_two_digit_years_month_first(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,client,when,sum\n1,A,1/5/98 9:05,1.00\n2,B,2/14/98 16:45,2.00\n3,A,12/3/99 8:00,3.00\n"
    )
    found = mapped(spark, write(tmp_path, "old.csv", text))
    assert found.mapping.date_format == "MM/dd/yy HH:mm"
    assert "100 % of 3 values of when; dd/MM/yy HH:mm would read 2" in found.drafted.text
    assert found.loaded.days["2"] == dt.date(1998, 2, 14)


def test_day_and_month_that_nothing_tells_apart_are_left_to_the_user(tmp_path: Path) -> None:
    rows = "".join(f"{n},C{n % 3},0{n % 9 + 1}/0{n % 5 + 2}/2024,{n}.50\n" for n in range(1, 20))
    file = write(tmp_path, "orders.csv", "order,customer,placed,total\n" + rows)
    found = draft([file])
    assert any("dd/MM/yyyy or MM/dd/yyyy: both read all" in each for each in found.decide)
    assert "\ndate_format:" not in found.text
    for choice in ('# date_format: "dd/MM/yyyy"', '# date_format: "MM/dd/yyyy"'):
        assert f"\n{choice}\n" in found.text
        chosen = found.text.replace(choice, choice.removeprefix("# "))
        source = FilesSource(draft_mapping(chosen, tmp_path), file)
        assert source.available().first.year == 2024
    with pytest.raises(BrokenFileError, match=r'write date_format: "dd/MM/yyyy" or .*"MM/dd/yyyy"'):
        FilesSource(found.mapping, file).available()


def draft_mapping(text: str, folder: Path) -> FileMapping:
    from customer360.sources.files import load_mapping

    return load_mapping(write(folder, "chosen.yaml", text))


def test_which_way_the_rows_are_in_order_is_said(tmp_path: Path) -> None:
    days = [(month, day) for month in range(1, 7) for day in (2, 5, 9)]
    rows = "".join(f"{n},C,{m:02d}/{d:02d}/2024,1.50\n" for n, (m, d) in enumerate(days))
    found = draft([write(tmp_path, "orders.csv", "order,customer,placed,total\n" + rows)])
    assert any("rows are in order of time by MM/dd/yyyy" in each for each in found.decide)


@pytest.mark.parametrize(
    ("texts", "form"),
    [
        (("1704445200", "1706000000"), "unix"),
        (("1704445200000", "1706000000000"), "unix-milliseconds"),
        (("45296.375", "45314"), "excel"),
    ],
)
def test_times_that_are_counted(
    spark: SparkSession, tmp_path: Path, texts: tuple[str, str], form: str
) -> None:
    rows = "".join(f"{n},C{n},{text},{n}.50\n" for n, text in enumerate(texts, start=1))
    file = write(tmp_path, "api.csv", "order_id,customer_id,created_at,total\n" + rows)
    found = mapped(spark, file)
    assert found.mapping.date_format == form
    assert found.loaded.days == {"1": dt.date(2024, 1, 5), "2": dt.date(2024, 1, 23)}


def test_a_name_of_digits_is_the_order_and_nobodys(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "Name,Email,Created at,Total\n#1,a@shop.example,2024-03-01 10:00:00,5.00\n"
        "#2,b@shop.example,2024-03-02 10:00:00,6.00\n"
    )
    found = mapped(spark, write(tmp_path, "export.csv", text))
    assert found.mapping.columns.order_id == "Name"
    assert "name" not in found.mapping.columns.roles()
    assert found.loaded.net == 11


def test_a_share_that_is_taken_off_is_left_to_the_user(tmp_path: Path) -> None:
    text = (
        "order_id,user_id,ts,qty,price,discount_pct\n"
        "T1,U1,2024-01-05T10:00:00,2,9.99,10%\nT2,U1,2024-01-06T10:00:00,1,9.99,0%\n"
    )
    found = draft([write(tmp_path, "tills.csv", text)], currency="EUR")
    assert any("discount_pct: looks like a discount" in each for each in found.decide)


def test_unix_times_have_a_zone_of_their_own(tmp_path: Path) -> None:
    text = "id,customer,created_at,amount\n1,a,1704412800,10.50\n2,b,1704499200,20.00\n"
    found = draft([write(tmp_path, "till.csv", text)], currency="EUR")
    (zone,) = (each for each in found.decide if each.startswith("time_zone"))
    assert "of the business's days" in zone
    assert "of the times" not in zone


def test_times_with_an_offset(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,user_id,timestamp,amount\n1,A,2024-01-05T23:30:00-05:00,5.00\n"
        "2,B,2024-01-06T10:00:00Z,6.00\n"
    )
    found = mapped(spark, write(tmp_path, "events.csv", text))
    assert found.mapping.date_format == "yyyy-MM-dd'T'HH:mm:ssXXX"
    assert found.loaded.days == {"1": dt.date(2024, 1, 6), "2": dt.date(2024, 1, 6)}


def test_several_formats_in_one_column(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,user,date,amount\n1,A,2024-01-25 10:00,1.00\n2,B,26/01/2024,2.00\n3,B,27/01/2024,4.00\n"
    )
    found = mapped(spark, write(tmp_path, "mixed.csv", text))
    assert set(found.mapping.date_format) == {"dd/MM/yyyy", "yyyy-MM-dd HH:mm"}
    assert found.loaded.net == 7


def test_ids_that_repeat_are_lines(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "invoice,line,client,invoice date,sku,qty,price\n7,1,A,2024-01-25,a,2,3.00\n"
        "7,2,A,2024-01-25,b,1,4.00\n8,1,B,2024-01-26,a,5,3.00\n"
    )
    found = mapped(spark, write(tmp_path, "lines.csv", text))
    assert found.mapping.grain == "lines"
    assert (found.mapping.columns.line_id, found.mapping.columns.amount) == ("line", None)
    assert "1 of 2 order ids stand on several rows that differ" in found.drafted.text
    assert found.loaded.amounts == {"7": 10, "8": 15}


def test_what_was_bought_is_named_where_rows_are_lines(spark: SparkSession, tmp_path: Path) -> None:
    head = "order,client,date,StockCode,Description,amount\n"
    lines = head + (
        "1,A,2024-04-01,84077,Lamp,5.00\n1,A,2024-04-01,22457,Chair,6.00\n"
        "2,B,2024-04-02,84077,Lamp,5.00\n3,A,2024-04-02,84077,Lamp,5.00\n"
        "3,A,2024-04-02,22457,Chair,6.00\n"
    )
    found = mapped(spark, write(tmp_path, "lines.csv", lines))
    assert (found.mapping.grain, found.mapping.columns.product_id) == ("lines", "StockCode")
    assert found.loaded.amounts == {"1": 11, "2": 5, "3": 11}

    orders = head + "1,A,2024-04-01,84077,Lamp,5.00\n2,B,2024-04-02,22457,Chair,6.00\n"
    found = mapped(spark, write(tmp_path, "orders.csv", orders))
    assert (found.mapping.grain, found.mapping.columns.product_id) == ("orders", None)
    assert "Not named, kept as JSON in bronze: StockCode, Description" in found.drafted.text


@pytest.mark.parametrize(
    ("kind", "values", "proposed"),
    [
        ("number", ("0.5", "1.25", "3"), True),
        ("integer", ("5", "12", "3"), True),
        ("integer", ("0.5", "1.25", "3"), False),
        ("number", ("much", "little", "none"), False),
    ],
)
def test_an_attribute_that_is_a_number_is_proposed(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    values: tuple[str, ...],
    proposed: bool,
) -> None:
    """As if the contract of silver/customers had one more: credit."""
    monkeypatch.setitem(roles.ATTRIBUTES, "credit", kind)
    monkeypatch.setattr(roles, "ROLES", {**ROLES, "credit": ("credit",)})
    rows = (f"{n},c{n},2024-05-0{n},1.00,{value}\n" for n, value in enumerate(values, 1))
    file = write(tmp_path, "orders.csv", "order,customer,date,total,Credit\n" + "".join(rows))
    sample = look_at([file])
    chosen = roles.choose(columns_of(sample.rows, sample.instants))
    assert ("credit" in chosen) is proposed


def test_an_order_total_on_every_line_is_not_added_up(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order,client,date,total,qty,unit price\n7,A,2024-01-25,10.00,2,3.00\n"
        "7,A,2024-01-25,10.00,1,4.00\n8,B,2024-01-26,15.00,5,3.00\n"
    )
    found = mapped(spark, write(tmp_path, "lines.csv", text))
    assert found.decides("total is the same on all lines of an order")
    assert found.loaded.amounts == {"7": 10, "8": 15}


def test_refunds_in_rows_of_their_own(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order,kind,customer,at,amount\nX,sale,A,2024-05-02 09:00:00,50.00\n"
        "X,refund,A,2024-05-03 09:00:00,10.00\nX,refund,A,2024-05-03 10:00:00,5.00\n"
    )
    found = mapped(spark, write(tmp_path, "ledger.csv", text))
    assert found.mapping.grain == "orders"
    assert found.loaded.net == 35


def test_what_was_given_back_beside_the_sale(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,created,amount,amount refunded,currency,status,customer email\n"
        "p1,2024-05-20 09:00,30.00,30.00,eur,refunded,a@example.org\n"
        "p2,2024-05-21 09:00,20.00,5.00,eur,paid,b@example.org\n"
        "p3,2024-05-22 09:00,99.00,0.00,eur,failed,b@example.org\n"
    )
    found = mapped(spark, write(tmp_path, "payments.csv", text), currency=None)
    assert found.mapping.columns.refunded == "amount refunded"
    assert found.mapping.columns.customer_id == "customer email"
    assert found.mapping.currency == "EUR"
    assert found.loaded.net == 15
    assert sorted(row.kind for row in found.loaded.good) == [
        *("cancelled", "refund", "refund", "sale", "sale")
    ]


def test_states_of_orders(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order_id,order_date,status,customer_id,order_total\n1,2024-06-20,completed,A,30.00\n"
        "2,2024-06-21,cancelled,B,10.00\n3,2024-06-22,pending,B,7.00\n4,2024-06-23,refunded,C,4.00\n"
    )
    found = mapped(spark, write(tmp_path, "shop.csv", text))
    assert found.loaded.amounts == {"1": 30}
    assert found.loaded.excluded == {"not_paid": 1}
    assert found.loaded.net == 30


def test_a_state_on_the_only_row_of_an_order_is_no_refund_beside_it(
    spark: SparkSession, tmp_path: Path
) -> None:
    """Bought for 40 and given back: nothing, and not 40 less."""
    text = (
        "order id,customer id,order date,status,total\n1,A,2024-06-20,completed,30.00\n"
        "2,B,2024-06-21,Refunded,40.00\n3,C,2024-06-22,Partially refunded,10.00\n"
    )
    found = mapped(spark, write(tmp_path, "shop.csv", text))
    assert found.loaded.net == 40
    assert sorted(row.kind for row in found.loaded.good) == ["cancelled", "sale", "sale"]
    assert found.decides("Partially refunded", "count whole")


def test_a_line_that_was_given_back_is_no_refund_of_another(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = (
        "order id,line no,client,date,status,qty,price\n1,1,A,2024-06-20,sold,1,30.00\n"
        "1,2,A,2024-06-20,returned,2,5.00\n2,1,B,2024-06-21,sold,3,2.00\n"
    )
    found = mapped(spark, write(tmp_path, "lines.csv", text))
    assert found.loaded.net == 36


@pytest.mark.parametrize(
    ("column", "order", "amount"),
    [("status", "2", "40.00"), ("status", "9", "-40.00"), ("type", "9", "40.00")],
)
def test_a_refund_in_a_row_of_its_own(
    spark: SparkSession, tmp_path: Path, column: str, order: str, amount: str
) -> None:
    """Beside its sale, below nought, or called so by its type."""
    text = (
        f"order id,customer id,order date,{column},total\n1,A,2024-06-20,sold,30.00\n"
        f"2,B,2024-06-21,sold,40.00\n{order},B,2024-06-25,refunded,{amount}\n"
    )
    found = mapped(spark, write(tmp_path, "shop.csv", text))
    assert found.loaded.net == 30


def test_a_row_for_each_state_of_an_order(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order,customer,placed,updated_at,state,total\n"
        "1,A,2024-06-20 10:00:00,2024-06-20 10:00:00,open,30.00\n"
        "1,A,2024-06-20 10:00:00,2024-06-22 10:00:00,sent,30.00\n"
        "2,B,2024-06-21 10:00:00,2024-06-21 10:00:00,open,5.00\n"
    )
    found = mapped(spark, write(tmp_path, "states.csv", text))
    assert found.mapping.grain == "orders"
    assert found.mapping.columns.changed_at == "updated_at"


def test_rows_below_zero_by_the_letter_of_their_ids(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "invoice no,client,date,quantity,unit price\n100,A,2024-01-25,2,3.00\n"
        "100,A,2024-01-25,1,4.00\nR101,A,2024-01-26,-1,3.00\n102,B,2024-01-26,1,8.00\n"
    )
    found = mapped(spark, write(tmp_path, "book.csv", text))
    (rule,) = found.mapping.cancellations
    assert (rule.column, rule.starts_with) == ("invoice no", ["R"])
    assert found.loaded.net == 15


def test_rows_below_zero_that_are_discounts(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "order,client,date,article,qty,price\n5,A,2024-01-25,Mug,2,30.00\n5,A,2024-01-25,Rabatt,1,-6.00\n"
        "6,B,2024-01-26,Pot,1,40.00\n6,B,2024-01-26,Lid,1,2.00\n"
    )
    found = mapped(spark, write(tmp_path, "lines.csv", text))
    assert [rule.equals for rule in found.mapping.discounts] == [["Rabatt"]]
    assert found.loaded.net == 96
    assert [row.kind for row in found.loaded.good] == ["sale"] * 4


def test_an_id_that_two_columns_make(spark: SparkSession, tmp_path: Path) -> None:
    text = "store,receipt,card,date,total\n" + "".join(
        f"{store},{n},{store}{n},2024-02-{n + 10},{n}.50\n" for store in "PQ" for n in range(1, 5)
    )
    found = mapped(spark, write(tmp_path, "tills.csv", text))
    assert found.mapping.columns.order_id == ["store", "receipt"]
    assert len(found.loaded.amounts) == 8


def test_a_number_that_a_spreadsheet_has_cut(tmp_path: Path) -> None:
    rows = "".join(f"7.1E+11,C{n},2024-02-1{n},{n}.50\n" for n in range(5))
    found = draft([write(tmp_path, "cut.csv", "order,customer,date,total\n" + rows)])
    assert any("order_id" in each and "cut or rounded" in each for each in found.decide)


def test_thousands_in_commas(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        'id,client,date,total\n1,A,2024-05-20,"12,000"\n2,B,2024-05-21,"1,234.50"\n'
        "3,B,2024-05-22,8.00\n"
    )
    found = mapped(spark, write(tmp_path, "big.csv", text))
    assert found.mapping.decimal_separator == "."
    assert found.loaded.net == Decimal("13242.50")


def test_marks_that_nothing_tells_apart_are_left_to_the_user(tmp_path: Path) -> None:
    text = "id;client;date;total\n1;A;2024-05-20;12.000\n2;B;2024-05-21;1.234\n3;B;2024-05-22;800\n"
    found = draft([write(tmp_path, "unclear.csv", text)])
    assert found.mapping.decimal_separator is None
    assert any("numbers such as 1.234 (2 values" in each for each in found.decide)


def test_coins(spark: SparkSession, tmp_path: Path) -> None:
    text = "id,client,date,total_cents\n1,A,2024-05-20,1250\n2,B,2024-05-21,50\n"
    found = mapped(spark, write(tmp_path, "coins.csv", text))
    assert found.mapping.amounts_in == "minor_units"
    assert found.loaded.net == 13


def test_a_quotation_mark_that_is_an_inch(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        'id,client,date,total,item\n1,A,2024-05-20,5.00,"12 inch pan\n2,B,2024-05-21,6.00,mug\n'
        "3,B,2024-05-22,7.00,jug\n"
    )
    found = mapped(spark, write(tmp_path, "inches.csv", text))
    assert found.mapping.quote == "none"
    assert found.loaded.net == 18


def test_rows_that_continue_the_order_above(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "Order,Customer,Date,Item,Price\n1,A,2024-05-20,Mug,5.00\n,,,Jug,6.00\n2,B,2024-05-21,Pot,7.00\n"
        ",,,Lid,1.00\n"
    )
    found = mapped(spark, write(tmp_path, "blocks.csv", text))
    assert found.mapping.fill_down == ["Order", "Customer", "Date"]
    assert found.mapping.grain == "lines"
    assert found.loaded.amounts == {"1": 11, "2": 8}


def test_a_column_of_currencies(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,client,date,total,currency\n1,A,2024-05-20,5.00,GBP\n2,B,2024-05-21,6.00,GBP\n"
        "3,B,2024-05-22,700,JPY\n"
    )
    found = mapped(spark, write(tmp_path, "world.csv", text), currency=None)
    assert found.mapping.currency == "GBP"
    assert found.decides("currency", "JPY", "rates")
    assert found.loaded.excluded == {"other_currency": 1}


def test_a_spreadsheet_with_a_title_and_a_second_sheet(spark: SparkSession, tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    notes = book.active
    assert notes is not None
    notes.title = "About"
    notes.append(["made for the accountant"])
    sheet = book.create_sheet("Sales")
    sheet.append(["Sales of May"])
    sheet.append(["Invoice", "Customer", "Date", "Total"])
    sheet.append([1, 17.0, dt.datetime(2024, 5, 20, 10, 30), 12.5])
    sheet.append([2, None, dt.datetime(2024, 5, 21), 7])
    book.save(tmp_path / "books.xlsx")
    found = mapped(spark, tmp_path / "books.xlsx")
    assert (found.mapping.sheet, found.mapping.skip_lines) == ("Sales", 1)
    assert found.loaded.amounts == {"1": Decimal("12.50"), "2": 7}
    assert found.loaded.customers == {"17": 1, None: 1}


def test_parquet(spark: SparkSession, tmp_path: Path) -> None:
    rows = pa.table(
        {
            "order_id": [1, 2],
            "customer_id": [17.0, None],
            "placed": [dt.datetime(2024, 5, 20, 10, 30), dt.datetime(2024, 5, 21)],
            "total": [12.5, 7.0],
        }
    )
    pq.write_table(rows, tmp_path / "orders.parquet")
    found = mapped(spark, tmp_path / "orders.parquet")
    assert (found.mapping.format, found.mapping.files) == ("parquet", "*.parquet")
    assert found.loaded.amounts == {"1": Decimal("12.50"), "2": 7}


def test_utf_16(spark: SparkSession, tmp_path: Path) -> None:
    text = "id\tclient\tdate\ttotal\n1\tŽofie\t2024-05-20\t5.00\n2\tB\t2024-05-21\t6.00\n"
    found = mapped(spark, write(tmp_path, "wide.txt", text.encode("utf-16")))
    assert (found.mapping.encoding, found.mapping.delimiter) == ("utf-16", "\t")
    assert found.loaded.customers == {"Žofie": 1, "B": 1}


SHOPIFY = (
    "Name,Email,Financial Status,Accepts Marketing,Currency,Shipping,Total,Created at,"
    "Lineitem name,Lineitem price,Cancelled at,Payment Method,Refunded Amount\n"
    "#9,kim@example.org,paid,yes,USD,5.00,55.00,2024-02-03 23:30:00 -0500,Mug,20.00,,Card,10.00\n"
    "#9,,,,,,,2024-02-03 23:30:00 -0500,Pot,30.00,,,\n"
)


def test_a_known_export_is_named(spark: SparkSession, tmp_path: Path) -> None:
    found = mapped(spark, write(tmp_path, "orders_export.csv", SHOPIFY), currency=None)
    assert (found.drafted.ready, found.drafted.as_is) == ("shopify", True)
    assert "which reads this file as it is: --mapping shopify." in found.said
    assert found.loaded.net == 45
    assert found.loaded.excluded == {"continuation_row": 1}


def test_a_known_export_that_was_saved_anew(spark: SparkSession, tmp_path: Path) -> None:
    """Through a spreadsheet with semicolons, in another currency and other times."""
    text = SHOPIFY.replace(",", ";").replace("USD", "GBP")
    text = text.replace("2024-02-03 23:30:00 -0500", "23/02/2024 23:30").replace(".00", ",00")
    found = mapped(spark, write(tmp_path, "orders_export.csv", text), currency=None)
    assert (found.drafted.ready, found.drafted.as_is) == ("shopify", False)
    assert (found.mapping.delimiter, found.mapping.currency) == (";", "GBP")
    assert found.mapping.date_format == "dd/MM/yyyy HH:mm"
    assert found.loaded.net == 45
    assert found.loaded.days["#9"] == dt.date(2024, 2, 23)


def test_rows_that_do_not_fit_their_header(spark: SparkSession, tmp_path: Path) -> None:
    text = "id,client,date,total\n1,A,2024-05-20,5.00\n2,B,2024-05-21\n3,B,2024-05-22,7.00\n"
    found = mapped(spark, write(tmp_path, "ragged.csv", text))
    assert found.decides("1 row without as many values", "short_rows: fill")
    assert found.loaded.net == 12


def test_rows_alike_are_counted(tmp_path: Path) -> None:
    text = "id,client,date,total\n1,A,2024-05-20,5.00\n1,A,2024-05-20,5.00\n3,B,2024-05-22,7.00\n"
    found = draft([write(tmp_path, "twice.csv", text)])
    assert "1 row like another in every column" in found.text
    assert found.mapping.grain == "orders"


def test_no_value_of_a_person_is_written(tmp_path: Path) -> None:
    text = (
        "id,full name,e-mail,phone,birth date,date,total\n"
        "1,Ann Lee,ann@example.org,+44 20 1,1990-05-01,2024-05-20,5.00\n"
        "2,Bo Roe,bo@example.org,+44 20 2,1980-05-13,2024-05-21,6.00\n"
    )
    found = draft([write(tmp_path, "people.csv", text)])
    assert {
        "name": "full name",
        "email": "e-mail",
        "phone": "phone",
        "customer_id": "e-mail",
        "birth_date": "birth date",
    }.items() <= found.mapping.columns.roles().items()
    for value in ("Ann", "Bo", "example.org", "+44", "1990", "1980"):
        assert value not in found.text


def test_what_is_not_found_is_to_be_named(tmp_path: Path) -> None:
    found = draft([write(tmp_path, "odd.csv", "colour,shape\nred,round\nblue,square\n")])
    assert found.mapping.columns.amount == found.mapping.columns.occurred_at == "COLUMN TO NAME"
    assert {"columns.occurred_at", "columns.amount"} <= {
        each.split(":")[0] for each in found.decide
    }


def test_files_of_a_folder_and_of_two_kinds(tmp_path: Path) -> None:
    write(tmp_path, "a.csv", "id,client,date,total\n1,A,2024-05-20,5.00\n")
    write(tmp_path, "b.csv", "id,client,date,total\n2,A,2024-05-21,6.00\n")
    assert draft([tmp_path]).rows == 2
    write(tmp_path, "c.csv", "id,client,date,total,note\n2,A,2024-05-21,6.00,x\n")
    with pytest.raises(BrokenFileError, match=r"c.csv: expected the columns of a.csv, .*note"):
        draft([tmp_path])
    write(tmp_path, "d.parquet", b"")
    with pytest.raises(SettingsError, match="files of one kind"):
        draft([tmp_path])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("rows.json", '{"id": 1}\n', "JSON is not read; write it as CSV or Parquet"),
        ("one.csv", "email\nx\ny\n", "a single column"),
        ("data.csv", "1,A,2024-05-20,5.00\n2,B,2024-05-21,6.00\n", "a first line with a name"),
        ("empty.csv", "", "an empty file"),
    ],
)
def test_what_cannot_be_mapped_is_said(tmp_path: Path, name: str, text: str, said: str) -> None:
    with pytest.raises((BrokenFileError, SettingsError), match=said):
        draft([write(tmp_path, name, text)])


def test_a_long_file_is_looked_at_in_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("customer360.sources.sniffing.sample.BYTES", 400)
    rows = "".join(f"{n},C{n},2024-01-25,{n}.50\n" for n in range(100))
    found = draft([write(tmp_path, "long.csv", "id,client,date,total\n" + rows)])
    assert not found.whole
    assert f"only its first {found.rows} rows were looked at" in unbroken(found.text)


def test_the_command_writes_once_and_says_what_to_decide(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    file = write(tmp_path, "my orders.csv", "id,client,date,total\n1,A,2024-05-20,5.00\n")
    shown = customer360(capsys, monkeypatch, "map", file, "--time-zone", "Europe/Paris")
    assert shown.code == 0, shown.err
    assert "\ntime_zone: Europe/Paris\n" in shown.out
    to = tmp_path / "orders.yaml"
    written = customer360(capsys, monkeypatch, "map", file, "--to", to)
    assert written.code == 0, written.err
    assert "all rows (1) were looked at" in written.out
    assert "To decide: currency" in written.out
    assert f"customer360 check --mapping {to} '{file}'" in written.out
