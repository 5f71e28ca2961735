"""What `customer360 check` tells of files before anything is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from customer360.limits import Limits
from customer360.pipeline.check_files import check_source
from customer360.sources.files import FilesSource
from customer360.sources.files.mapping import parse_mapping
from customer360_tests.cases.loaded_files import ORDERS
from customer360_tests.deployments import Said, customer360

MAPPING = ORDERS + "exclude: [{reason: test_order, column: who, equals: tester}]\n"
TEXT = (
    "id,who,day,sum,Refunded Amount\n1,A,2024-01-01,10.00,0.00\n2,,2024-01-02,20.50,5.00\n"
    "2,B,2024-01-03,1.00,\n3,tester,2024-01-03,99.00,\n4,C,2024-01-04,twelve,\n"
)
Check = Callable[..., Said]


@pytest.fixture
def check(
    spark: SparkSession,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> Check:
    """Check a file of this text by this mapping; further options after them."""

    def checked(mapping: str, text: str, *options: str) -> Said:
        stated, file = tmp_path / "shop.yaml", tmp_path / "a.csv"
        stated.write_text(mapping)
        file.write_text(text)
        return customer360(capsys, monkeypatch, "check", "--mapping", stated, file, *options)

    return checked


def test_check_tells_what_would_come_in_and_writes_nothing(check: Check, tmp_path: Path) -> None:
    said = check(MAPPING, TEXT)
    assert said.code == 0, said.err
    for line in (
        "rows in the files              │ 5",
        "refused, to quarantine         │ 1",
        "left out by a reason           │ 3",
        "2024-01-01 to 2024-01-01",
        "orders                         │ 1",
        "customers                      │ 1",
        "orders without a customer      │ 0",
        "net                            │ 10.00 EUR",
        "Quarantine, sum:type (no number as the mapping writes them): 1 row, such as",
        '"sum":"twelve"',
        "Left out, test_order: 1 row, 99.00 EUR",
        "Left out, conflicting_rows: 2 rows, 21.50 EUR",
        "Look at this: shop: 1 order id, 2, stands on 2 rows that differ",
        "write `refunded: Refunded Amount` under columns",
    ):
        assert line in said.out
    assert sorted(tmp_path.rglob("*")) == [tmp_path / "a.csv", tmp_path / "shop.yaml"]


def test_lines_are_counted_as_the_orders_that_they_become(check: Check) -> None:
    said = check(
        MAPPING.replace("grain: orders", "grain: lines")
        + "cancellations: [{column: sum, below: 0}]\n",
        "id,who,day,sum\n1,,2024-01-01,10.00\n1,,2024-01-01,2.50\n1,,2024-01-01,2.50\n"
        "2,A,2024-01-02,4.00\n2,A,2024-01-03,-1.00\n2,A,2024-01-03,-2.00\n",
    )
    assert said.code == 0, said.err
    for line in (
        "rows in the files              │ 6",
        "orders                         │ 2",
        "refunds                        │ 1",
        "orders without a customer      │ 1",
        "sold                           │ 16.50 EUR",
        "given back                     │ 3.00 EUR",
    ):
        assert line in said.out


def test_an_order_on_two_days_counts_as_it_would_be_loaded(check: Check) -> None:
    """Its date was corrected: the row that changed last counts, wherever the other lies."""
    said = check(
        MAPPING.replace("amount: sum}", "amount: sum, changed_at: seen}"),
        "id,who,day,sum,seen\n1,A,2024-01-01,10.00,2024-01-01\n1,A,2024-02-01,10.00,2024-02-02\n"
        "2,B,2024-01-05,5.00,2024-01-05\n2,B,2024-01-05,5.00,2024-01-05\n",
    )
    assert said.code == 0, said.err
    for line in (
        "repeats of a row, counted once │ 1",
        "rows that later ones replace   │ 1",
        "2024-01-05 to 2024-02-01",
        "orders                         │ 2",
        "net                            │ 15.00 EUR",
    ):
        assert line in said.out


def test_a_clean_file_is_said_to_be_one(check: Check) -> None:
    said = check(MAPPING, "id,who,day,sum\n1,A,2024-01-01,10.00\n2,A,2024-01-14,1.00\n")
    assert "Nothing is refused or left out, and nothing looks wrong." in said.out


def test_a_value_that_is_set_aside_is_said_and_costs_no_sale(check: Check) -> None:
    said = check(
        MAPPING.replace("amount: sum}", "amount: sum, birth_date: born, currency: ccy}"),
        "id,who,day,sum,born,ccy\n1,A,2024-01-01,10.00,0000-00-00,EUR\n"
        "2,B,2024-01-14,1.00,1990-01-01,EUR\n3,B,2024-01-14,900,1990-01-01,JPY\n",
    )
    assert said.code == 0, said.err
    assert "Without this value, born:format (no day like yyyy-MM-dd): 1 row" in said.out
    assert "net                            │ 11.00 EUR" in said.out
    assert "Left out, other_currency: 1 row\n" in said.out
    assert "nothing looks wrong" not in said.out


def test_check_says_for_what_a_run_would_stop(spark: SparkSession, tmp_path: Path) -> None:
    head, sold = "id,who,day,sum\n", "".join(f"{n},A,2024-01-01,5.00\n" for n in range(40))

    def stops(rows: str, limits: Limits) -> tuple[str, ...]:
        (tmp_path / "a.csv").write_text(head + sold + rows)
        source = FilesSource(parse_mapping(MAPPING, where="shop.yaml"), tmp_path / "a.csv")
        return tuple(check_source(spark, source, limits=limits).stops)

    strict = Limits(rows=0.05, money=0.05, tolerance=0)
    broken = "x1,B,2024-01-01,a\nx2,B,2024-01-01,b\nx3,B,2024-01-01,c\n"
    assert stops("t,tester,2024-01-01,900.00\n", strict) == ()
    (refused,) = stops(broken, strict)
    assert refused.startswith("3 of 43 rows (7.0%")
    assert refused.endswith("refused")
    assert stops(broken, Limits(rows=0.1, money=0.1, tolerance=0)) == ()
    (untold,) = stops("m,B,2024-01-01,-900.00\n", strict)
    assert "though nobody said so" in untold
    (torn,) = stops("c,B,2024-01-01,90.00\nc,B,2024-01-01,80.00\n", strict)
    assert torn == "2 of 42 rows in conflict"


PEOPLE = MAPPING.replace("amount: sum}", "amount: sum, email: mail}\nkeep: [remark]")


@pytest.mark.parametrize("format", ["table", "json"])
def test_examples_hide_what_may_be_personal(check: Check, format: str) -> None:
    """Of the customer, of columns that are only kept or not mapped, and of lines as they stand."""
    text = (
        "id,who,mail,day,sum,remark,Surname\n1,K17,kim@x.example,2024-01-01,10.00,call Kim,Lund\n"
        "2,K17,kim@x.example,2024-01-01,many,call Kim,Lund\n"
        "3,K17,kim@x.example,2024-01-01,5.00,call Kim,Lund,more\n"
    )
    said = check(PEOPLE, text, "--format", format)
    assert said.code == 0, said.err
    for private in ("kim@", "K17", "call Kim", "Lund"):
        assert private not in said.out
    assert "many" in said.out
    assert "line 3 of a.csv" in " ".join(said.out.split())
    said = check(PEOPLE, text, "--format", format, "--personal")
    for private in ("kim@", "K17", "call Kim", "Lund,more"):
        assert private in said.out
