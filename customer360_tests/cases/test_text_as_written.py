"""Files as people have them: quotation marks, encodings, headers further down, ragged rows."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.errors import BrokenFileError, SettingsError
from customer360.sources import csv_files
from customer360.sources.csv_files import without_returns
from customer360.sources.files.mapping import parse_mapping
from customer360.sources.text_form import TextForm
from customer360_tests.cases.loaded_files import load

MAPPING = """
name: shop
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: orders
columns: {order_id: id, customer_id: who, occurred_at: day, amount: sum, category: what}
"""

SWALLOWED = {
    "two marks that never close": (
        'id,who,day,sum,what\n1,A,2024-01-01,1.00,mug\n2,B,2024-01-02,2.00,"RED CUP\n'
        '3,A,2024-01-03,3.00,jug\n4,C,2024-01-04,4.00,"BLUE CUP\n5,C,2024-01-05,5.00,pot\n',
        3,
    ),
    "one that an inch mark seems to close": (
        'id,who,day,sum,what\n1,A,2024-01-01,1.00,"RED CUP\n2,B,2024-01-02,2.00,jug\n'
        '3,A,2024-01-03,3.00,nail 5"\n4,C,2024-01-04,4.00,pot\n',
        2,
    ),
    "three": (
        'id,who,day,sum,what\n1,A,2024-01-01,1.00,"a"\n2,B,2024-01-02,2.00,"b\n'
        "3,A,2024-01-03,3.00,c\n4,C,2024-01-04,4.00,d\n",
        3,
    ),
    "in the first column": (
        'id,who,day,sum,what\n"1,A,2024-01-01,1.00,mug\n2,B,2024-01-02,2.00,jug\n'
        '"3,A,2024-01-03,3.00,pan\n',
        2,
    ),
}


@pytest.mark.parametrize("case", SWALLOWED)
def test_a_quotation_mark_that_never_closes_is_named_by_its_line(tmp_path: Path, case: str) -> None:
    text, line = SWALLOWED[case]
    file = tmp_path / "a.csv"
    file.write_text(text)
    with pytest.raises(BrokenFileError) as error:
        csv_files.check_csv(file, ["id"])
    assert f"in the record at line {line} that is never closed" in str(error.value)
    assert "`quote: none` in the mapping" in str(error.value)


def test_without_quoting_every_row_is_read(spark: SparkSession, tmp_path: Path) -> None:
    text, _ = SWALLOWED["two marks that never close"]
    found = load(spark, tmp_path, MAPPING + "quote: none\n", {"a.csv": text})
    assert (found.net, len(found.good)) == (15, 5)
    assert {row.category for row in found.good} == {"mug", '"RED CUP', "jug", '"BLUE CUP', "pot"}


def test_values_of_several_lines_are_values(spark: SparkSession, tmp_path: Path) -> None:
    """Also those that hold commas: rows are not seen where there are none."""
    text = (
        'id,who,day,sum,what\n1,A,2024-01-01,1.00,"to:\nMain St, 4, Springfield, IL\nnow"\n'
        '2,B,2024-01-02,2.00,"says ""so"",\nleaves"\n3,C,2024-01-03,3.00,12" ruler\n'
    )
    found = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert (found.net, found.reasons) == (6, {})


def test_quotes_on_single_lines_do_not_keep_a_file_in_one_piece(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text('id,what\n1,"a, b"\n2,"says ""so"""\n3,12" nail\n')
    assert not csv_files.check_csv(file, ["id"]).many_lines


def test_other_quotes_and_escapes(spark: SparkSession, tmp_path: Path) -> None:
    single = "id,who,day,sum,what\n1,A,2024-01-01,1.00,'a, b'\n2,B,2024-01-02,2.00,5\" nail\n"
    found = load(spark, tmp_path / "q", MAPPING + 'quote: "\'"\n', {"a.csv": single})
    assert sorted(row.category for row in found.good) == ['5" nail', "a, b"]
    escaped = 'id,who,day,sum,what\n1,A,2024-01-01,1.00,"5\\" nail, long"\n2,B,2024-01-02,2,c\n'
    found = load(spark, tmp_path / "e", MAPPING + "escape: '\\'\n", {"a.csv": escaped})
    assert sorted(row.category for row in found.good) == ['5" nail, long', "c"]


@pytest.mark.parametrize(
    ("encoding", "stated"),
    [
        ("cp1252", "windows-1252"),
        ("cp1252", "ANSI"),
        ("cp1252", "latin-1"),
        ("iso8859-15", "iso-8859-15"),
        ("utf-16", "utf-16"),
        ("utf-8-sig", "utf-8"),
    ],
)
def test_encodings(spark: SparkSession, tmp_path: Path, encoding: str, stated: str) -> None:
    """Windows' letters survive even under the name of Latin-1, which has none of them."""
    text = "id,who,day,sum,what\n1,A,2024-01-01,1.00,Crème à 3 €\n".encode(encoding)
    found = load(spark, tmp_path, MAPPING + f"encoding: {stated}\n", {"a.csv": text})
    assert [row.category for row in found.good] == ["Crème à 3 €"]


def test_cyrillic_and_japanese(spark: SparkSession, tmp_path: Path) -> None:
    for encoding, word in (("cp1251", "Чашка"), ("shift_jis", "表示ソ")):
        text = f"id,who,day,sum,what\n1,A,2024-01-01,1.00,{word}\n".encode(encoding)
        found = load(
            spark, tmp_path / encoding, MAPPING + f"encoding: {encoding}\n", {"a.csv": text}
        )
        assert [row.category for row in found.good] == [word]


def test_an_encoding_nobody_knows_is_refused_with_those_there_are() -> None:
    with pytest.raises(SettingsError, match="'ebcdic' is no encoding; usual ones are utf-8, win"):
        parse_mapping(MAPPING + "encoding: ebcdic\n", where="shop.yaml")


def test_a_wide_encoding_is_recognised(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes("id,sum\n1,2\n".encode("utf-16"))
    with pytest.raises(BrokenFileError, match="found UTF-16 text; write `encoding: utf-16`"):
        csv_files.check_csv(file, ["id"])


def test_windows_letters_lead_to_windows_1252(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(b"id,sum\n1,\x80 5\n")
    with pytest.raises(BrokenFileError, match="byte 0x80 at line 2; write `encoding: windows-12"):
        csv_files.check_csv(file, ["id"])


def test_control_characters_go_no_further(spark: SparkSession, tmp_path: Path) -> None:
    text = (
        "id,who,day,sum,what\n1\0,A\x07,2024-01-01,1.00,Bo\0ok\x1fs\n2,A,2024-01-02,2,Bo\x85oks\n"
    )
    found = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert [(row.order_id, row.category) for row in found.good] == [("1", "Books"), ("2", "Books")]
    assert found.customers == {"A": 2}


REPORT = (
    "Sales of the shop;;;;\nMade on;2024-02-01;;;\n\n"
    "id;who;day;sum;what\n1;A;2024-01-01;1.00;mug\n2;B;2024-01-02;2.00;jug\n"
    ";;;;\nTotal;;;3.00;\n"
)
TOTALS = 'delimiter: ";"\nexclude: [{reason: total, column: id, starts_with: [Total, Sum]}]\n'


def test_a_header_further_down_and_a_total_at_the_end(spark: SparkSession, tmp_path: Path) -> None:
    """A total is no broken order: it is left out by its reason."""
    found = load(spark, tmp_path, MAPPING + TOTALS + "skip_lines: 3\n", {"a.csv": REPORT})
    assert (found.amounts, found.reasons, found.excluded) == (
        {"1": Decimal(1), "2": Decimal(2)},
        {},
        {"total": 1},
    )


def test_a_header_further_down_is_found_for_the_message(tmp_path: Path) -> None:
    file = tmp_path / "a.csv"
    file.write_text(REPORT)
    with pytest.raises(BrokenFileError, match="header is in line 4: write `skip_lines: 3`"):
        csv_files.check_csv(file, ["id", "sum"], TextForm(delimiter=";"))


def test_rows_that_end_with_a_delimiter_too_much(spark: SparkSession, tmp_path: Path) -> None:
    text = "id,who,day,sum,what\n1,A,2024-01-01,1.00,mug,\n2,B,2024-01-02,2.00,jug,\n"
    found = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert (found.net, found.reasons) == (3, {})
    assert found.source.available().first == dt.date(2024, 1, 1)


def test_rows_that_end_early_are_broken_or_filled_as_stated(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = (
        "id,who,day,sum,what\n1,A,2024-01-01,1.00,mug\n2,B,2024-01-09,2.00\n"
        "3,C,2024-01-03,3.00,jug,too,much\n"
    )
    refused = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert (refused.net, refused.reasons) == (1, {"row:malformed": 2})
    filled = load(spark, tmp_path, MAPPING + "short_rows: fill\n", {"a.csv": text})
    assert (filled.net, filled.reasons) == (3, {"row:malformed": 1})
    assert filled.source.available().last == dt.date(2024, 1, 9)


def test_blanks_that_mean_the_row_above(spark: SparkSession, tmp_path: Path) -> None:
    """An order's own columns stand on its first line; an order without a customer has none."""
    mapping = """
name: shop
time_zone: UTC
currency: EUR
date_format: "yyyy-MM-dd"
grain: lines
fill_down: [id, who, day]
columns: {order_id: id, customer_id: who, occurred_at: day, quantity: n, unit_price: price}
"""
    text = (
        "id,who,day,n,price\n1,A,2024-01-01,1,5.00\n,,,2,3.00\n2,,2024-01-02,1,7.00\n"
        ",,,1,1.00\n3,A,2024-01-03,1,2.00\n3,,,1,2.50\n4,B\n"
    )
    found = load(spark, tmp_path, mapping, {"a.csv": text})
    assert found.amounts == {"1": Decimal(11), "2": Decimal(8), "3": Decimal("4.50")}
    assert found.customers == {"A": 4, None: 2}
    assert found.reasons == {"row:malformed": 1}


def test_a_column_twice_matters_only_where_it_is_needed(
    spark: SparkSession, tmp_path: Path
) -> None:
    text = "id,who,day,sum,what,note,note\n1,A,2024-01-01,1.00,mug,x,y\n"
    found = load(spark, tmp_path, MAPPING, {"a.csv": text})
    assert found.net == 1
    with pytest.raises(BrokenFileError, match="every column once, found note more than once"):
        load(spark, tmp_path, MAPPING + "keep: [note]\n", {"a.csv": text})


def test_old_mac_line_ends(spark: SparkSession, tmp_path: Path) -> None:
    text = 'id,who,day,sum,what\r1,A,2024-01-01,1.00,"m"\r2,B,2024-01-02,2.00,jug\r'
    assert load(spark, tmp_path, MAPPING, {"a.csv": text}).net == 3


@pytest.mark.parametrize(
    ("text", "mended"),
    [
        ('1,"gift\rwrapped",x\n', '1,"gift wrapped",x\n'),
        # Inches are no quotation: the rows end where they end.
        ('1,5" pipe\n2,x\r3,y\r4,7" pipe\n', '1,5" pipe\n2,x\r3,y\r4,7" pipe\n'),
        ('1,5" pipe\n2,"a\rb"\n', '1,5" pipe\n2,"a b"\n'),
        # A line end of several characters stays one, within quotes and outside.
        ('1,"a\r\nb"\r\n2,"c\rd"\r\n', '1,"a\r\nb"\r\n2,"c d"\r\n'),
        ('1,"say ""hi\r"""\n2,"x"\r3,"y\rz"\n', '1,"say ""hi """\n2,"x"\r3,"y z"\n'),
    ],
)
def test_a_carriage_return_within_quotes_ends_no_line(text: str, mended: str) -> None:
    lines = io.StringIO(text, newline="\n")
    assert "".join(without_returns(lines, TextForm())) == mended


def test_an_escaped_mark_closes_no_value_that_holds_a_carriage_return() -> None:
    lines = io.StringIO('1,"5\\" pipe",a\r\n2,"x\ry",b\r\n', newline="\n")
    mended = "".join(without_returns(lines, TextForm(escape="\\")))
    assert mended == '1,"5\\" pipe",a\r\n2,"x y",b\r\n'
