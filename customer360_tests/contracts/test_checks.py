from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import pytest

from customer360.contracts import SET_ASIDE, Column, Contract, ContractError
from customer360.contracts.checks import (
    keeps_every_rule,
    reasons,
    rules,
    set_aside_counts,
    set_aside_reasons,
    typed_value,
    violation_columns,
    with_violations,
)


def contract_of(*columns: Column, table: str = "silver/checked") -> Contract:
    return Contract.from_columns(table, columns, description="What is checked.")


def reasons_of(df, contract) -> list[list[str]]:
    checked = with_violations(df, contract).select("_row", reasons(None, contract).alias("r"))
    return [row.r for row in sorted(checked.collect(), key=lambda row: row._row)]


def broken(kind: str, texts: Iterable[str | None]) -> dict[str | None, list[str]]:
    return {text: [kind] for text in texts}


def fine(*texts: str | None) -> dict[str | None, list[str]]:
    return {text: [] for text in texts}


# A column, and what each text in it breaks.
CASES: dict[str, tuple[Column, dict[str | None, list[str]]]] = {
    "required": (
        Column("c", required=True),
        fine("a", " a ", "\tb", "é", "0", "!")
        | broken("required", [None, "", "  ", "\t\r\n", " \u00a0 "]),
    ),
    "optional": (Column("c"), fine(None, "", "  ", "\t", "a")),
    "integer": (
        Column("c", "integer"),
        fine(None, " ", "0", "-7", "+7", " 12 ", "9223372036854775807")
        | broken("type", ["1.0", "1e3", "x", "9223372036854775808", "1 2", "0x10"]),
    ),
    "small integer": (Column("c", "integer", format="i8"), fine("127") | broken("type", ["128"])),
    "number": (
        Column("c", "number"),
        fine(None, "", "0", "-7.25", ".5", "5.", "1e3", " 12.5 ", "99999999999999999999")
        | broken("type", ["NaN", "Infinity", "1d", "0x1p3", "1,5", "1.2.3", "R$ 5", "1e400"]),
    ),
    "decimal comma": (
        Column("c", "number", maximum=2000, properties={"decimalSeparator": ","}),
        fine("1.234,50", "12,5") | broken("maximum", ["2.000,01"]) | broken("type", ["1,2,3"]),
    ),
    "boolean": (
        Column("c", "boolean"),
        fine(None, "", "true", "FALSE", "t", "no", "1", " 0 ") | broken("type", ["2", "maybe"]),
    ),
    "date": (
        Column("c", "date"),
        fine(None, "", "2024-02-29", " 2024-01-01 ")
        | broken("type", ["2023-02-29", "2024", "2024-1-1", "01/02/2024", "2024-01-01T", "today"]),
    ),
    "timestamp": (
        Column("c", "timestamp"),
        fine("2024-02-29 23:59:59", "2024-02-29T23:59", "2024-02-29", "2024-02-29T10:11:12.5Z")
        | fine(None, " ", "2024-02-29 10:11:12+03:00")
        | broken("type", ["2024-02-30 00:00:00", "2024-01-01 25:00:00", "12:30:00", "2024", "now"]),
    ),
    "date, ISO": (
        Column("c", "date", format="yyyy-MM-dd"),
        fine(None, "", "2024-02-29") | broken("format", ["2024-2-29", "2024-02-30", "20240229"]),
    ),
    "date, day first": (
        Column("c", "date", format="dd/MM/yyyy"),
        fine("29/02/2024", " 01/12/2020 ") | broken("format", ["2/1/2024", "31/04/2024", "x"]),
    ),
    "date without separators": (
        Column("c", "date", format="yyyyMMdd"),
        fine("20240229") | broken("format", ["2024-02-29", "20240231"]),
    ),
    "date written with a time": (
        Column("c", "date", format="yyyy-MM-dd HH:mm:ss", maximum="2020-01-01"),
        fine("2020-01-01 23:59:59")
        | broken("maximum", ["2020-01-02 00:00:00"])
        | broken("format", ["2020-01-01"]),
    ),
    "timestamp with a space": (
        Column("c", "timestamp", format="yyyy-MM-dd HH:mm:ss"),
        fine(None, "2024-02-29 23:59:59")
        | broken("format", ["2024-02-29 23:59", "2024-02-29T23:59:59", "2024-02-30 00:00:00"])
        | broken("format", ["2024-01-01 0:0:0Z", "2024-01-01 00:00:0Z"]),
    ),
    "timestamp with a T": (
        Column("c", "timestamp", format="yyyy-MM-dd'T'HH:mm:ss"),
        fine("2024-02-29T23:59:59")
        | broken("format", ["2024-02-29 23:59:59", "2024-02-29T24:00:00"]),
    ),
    "timestamp as Americans write it": (
        Column("c", "timestamp", format="M/d/yyyy H:mm"),
        fine("12/1/2010 8:26", "1/31/2011 18:05")
        | broken("format", ["31/1/2011 8:26", "12/1/10 8:26", "12/1/2010"]),
    ),
    "email": (
        Column("c", format="email"),
        fine(None, "", "a@b.co", "x.y+z@a-b.c.org")
        | broken("format", ["a@b", "a b@c.de", "@c.de", "a@b..de", "a@@b.de"]),
    ),
    "uuid": (
        Column("c", format="uuid"),
        fine("123e4567-e89b-12d3-a456-426614174000")
        | broken("format", ["123e4567e89b12d3a456426614174000", "x"]),
    ),
    "uri": (
        Column("c", format="uri"),
        fine("https://a.b/c?d=e", "urn:isbn:1") | broken("format", ["a.b/c", "http//x y"]),
    ),
    "ipv4": (
        Column("c", format="ipv4"),
        fine("127.0.0.1", "255.255.255.255")
        | broken("format", ["256.0.0.1", "1.2.3", "1.2.3.4.5", "1.2.3."]),
    ),
    "inclusive bounds": (
        Column("c", "number", minimum=0, maximum=10.1),
        fine("0", "-0", "10.1", "10.10", None, "")
        | broken("minimum", ["-0.01", "-99"])
        | broken("maximum", ["10.100000001"])
        | broken("type", ["abc"]),
    ),
    "exclusive bounds": (
        Column("c", "integer", exclusive_minimum=0, exclusive_maximum=3),
        fine("1", "2") | broken("exclusive_minimum", ["0"]) | broken("exclusive_maximum", ["3"]),
    ),
    "fractional bound of an integer": (
        Column("c", "integer", minimum=1.5),
        fine("2") | broken("minimum", ["1"]),
    ),
    "bounds of a date": (
        Column("c", "date", minimum="2020-01-01", exclusive_maximum="2020-02-01"),
        fine("2020-01-01", "2020-01-31")
        | broken("minimum", ["2019-12-31"])
        | broken("exclusive_maximum", ["2020-02-01"])
        | broken("type", ["2020-13-01"]),
    ),
    "bounds of a timestamp": (
        Column("c", "timestamp", maximum="2020-01-01 12:00:00"),
        fine("2020-01-01 12:00:00") | broken("maximum", ["2020-01-01 12:00:01"]),
    ),
    "lengths in characters": (
        Column("c", min_length=2, max_length=3),
        fine("éé", " ééé ", " ") | broken("min_length", ["é"]) | broken("max_length", ["éééé"]),
    ),
    "pattern": (
        Column("c", pattern=r"^[\d'\\]+$"),
        fine("12", " 3 ", "1'2", "1\\2", "") | broken("pattern", ["a1", '1"']),
    ),
    "pattern found anywhere": (Column("c", pattern="b"), fine("abc") | broken("pattern", ["ac"])),
    "allowed values": (
        Column("c", required=True, allowed_values=("BRL", "Can't")),
        fine("BRL", " BRL", "Can't")
        | broken("allowed_values", ["brl", "USD"])
        | broken("required", ["", None]),
    ),
    "allowed integers": (
        Column("c", "integer", allowed_values=(1, 3)),
        fine("1", "03", None) | broken("allowed_values", ["2"]),
    ),
}


@pytest.fixture(scope="module")
def found(spark):
    """What the texts of every case break, by case: one column a case, all in one job."""
    columns = [replace(column, name=f"c{n}") for n, (column, _) in enumerate(CASES.values())]
    texts = [list(expected) for _, expected in CASES.values()]
    rows = [
        (n, *(case[n] if n < len(case) else None for case in texts))
        for n in range(max(map(len, texts)))
    ]
    schema = "_row int, " + ", ".join(f"{column.name} string" for column in columns)
    broke = reasons_of(spark.createDataFrame(rows, schema), contract_of(*columns))
    return {
        name: {
            text: [r.partition(":")[2] for r in broke[n] if r.startswith(f"{column.name}:")]
            for n, text in enumerate(expected)
        }
        for (name, (_, expected)), column in zip(CASES.items(), columns, strict=True)
    }


@pytest.mark.parametrize("case", CASES)
def test_a_rule_is_broken_by_these_texts_and_no_others(found, case):
    assert found[case] == CASES[case][1]


SHOP = contract_of(
    Column("id", required=True, max_length=3, pattern="^A"),
    Column("amount", "number", required=True, minimum=0, maximum=100),
    Column("currency", required=True, allowed_values=("BRL",)),
    Column("at", "timestamp", required=True, format="yyyy-MM-dd HH:mm:ss"),
)


def test_rules_are_in_the_order_of_the_contract():
    assert [rule.reason for rule in rules(SHOP)] == [
        "row:malformed",
        "id:required",
        "id:max_length",
        "id:pattern",
        "amount:required",
        "amount:type",
        "amount:minimum",
        "amount:maximum",
        "currency:required",
        "currency:allowed_values",
        "at:required",
        "at:format",
    ]


def test_every_reason_is_given_in_the_order_of_the_rules(spark):
    df = spark.createDataFrame(
        [
            (0, "A1", "5", "BRL", "2024-01-01 00:00:00", None),
            (1, "B123", "-5", "USD", "2024-01-01", None),
            (2, None, "five", " ", None, None),
            (3, "A1", "101", "BRL", "2024-13-01 00:00:00", None),
            (4, "B123", None, None, None, "B123;-5;USD"),
        ],
        "_row int, id string, amount string, currency string, at string, _corrupt_record string",
    )
    assert reasons_of(df, SHOP) == [
        [],
        ["id:max_length", "id:pattern", "amount:minimum", "currency:allowed_values", "at:format"],
        ["id:required", "amount:type", "currency:required", "at:required"],
        ["amount:maximum", "at:format"],
        ["row:malformed"],
    ]
    good = with_violations(df, SHOP).where(keeps_every_rule(SHOP))
    assert [row._row for row in good.collect()] == [0]


def test_the_same_rules_hold_for_typed_columns(spark):
    df = spark.createDataFrame(
        [
            (0, "A1", Decimal("5.00"), "BRL", datetime(2024, 1, 1)),
            (1, "A1", Decimal("-0.01"), "BRL", None),
            (2, " ", Decimal("100.01"), "BRL", datetime(2024, 1, 1)),
        ],
        "_row int, id string, amount decimal(18,2), currency string, at timestamp",
    )
    assert reasons_of(df, SHOP) == [
        [],
        ["amount:minimum", "at:required"],
        ["id:required", "amount:maximum"],
    ]


def test_typed_doubles_dates_booleans_and_arrays(spark):
    contract = contract_of(
        Column("p", "number", "double", required=True, minimum=0, maximum=1),
        Column("n", "integer", "int", exclusive_minimum=0),
        Column("d", "date", "date", minimum="2020-01-01"),
        Column("b", "boolean", "boolean", required=True),
        Column("l", "array", "array<string>", required=True),
    )
    df = spark.createDataFrame(
        [
            (0, 1.0, 1, date(2020, 1, 1), False, ["x"]),
            (1, 1.0000001, 0, date(2019, 12, 31), None, None),
            (2, float("nan"), None, None, True, []),
        ],
        "_row int, p double, n int, d date, b boolean, l array<string>",
    )
    assert reasons_of(df, contract) == [
        [],
        ["p:maximum", "n:exclusive_minimum", "d:minimum", "b:required", "l:required"],
        ["p:type"],
    ]


def test_more_rules_than_a_long_has_bits_take_several_masks(spark):
    contract = contract_of(
        *(Column(f"c{n}", "integer", required=True, minimum=n) for n in range(30))
    )
    assert len(rules(contract)) == 91
    assert violation_columns(contract) == ("_violations", "_violations_2")
    row = [str(n) for n in range(30)]
    worse = [None if n % 7 == 0 else "x" if n % 7 == 1 else str(n - 1) for n in range(30)]
    last = [*row[:29], "28"]
    schema = "_row int, " + ", ".join(f"c{n} string" for n in range(30))
    df = spark.createDataFrame([(0, *row), (1, *worse), (2, *last)], schema)
    checked = with_violations(df, contract).select(
        "_row", keeps_every_rule(contract).alias("good"), reasons(None, contract).alias("reasons")
    )
    kinds = {0: "required", 1: "type"}
    assert {row._row: (row.good, row.reasons) for row in checked.collect()} == {
        0: (True, []),
        1: (False, [f"c{n}:{kinds.get(n % 7, 'minimum')}" for n in range(30)]),
        2: (False, ["c29:minimum"]),
    }
    with pytest.raises(ContractError, match="91 rules take the mask columns _violations, _viol"):
        reasons("_violations", contract)


def test_other_columns_pass_through_and_names_may_be_anything(spark):
    contract = contract_of(Column("Unit price. (R$)", "number"), Column("a`b", required=True))
    df = spark.createDataFrame(
        [(0, "x", None, "kept")], "_row int, `Unit price. (R$)` string, `a``b` string, more string"
    )
    checked = with_violations(df, contract)
    assert checked.columns == [*df.columns, "_violations"]
    assert reasons_of(df, contract) == [["Unit price. (R$):type", "a`b:required"]]


def test_a_missing_column_is_named(spark):
    df = spark.createDataFrame([("A", "1")], "id string, amount string")
    with pytest.raises(ContractError, match="silver/checked: the rows lack column currency, at"):
        with_violations(df, SHOP)


def test_typed_value_is_the_reading_of_the_check(spark):
    df = spark.createDataFrame(
        [(" 7 ", "1.234,5", "31/12/2020", "2020-01-01T01:02:03Z", " x ", "yes"), (None,) * 6],
        "i string, n string, d string, t string, s string, b string",
    )
    columns = [
        Column("i", "integer"),
        Column("n", "number", properties={"decimalSeparator": ","}),
        Column("d", "date", format="dd/MM/yyyy"),
        Column("t", "timestamp"),
        Column("s"),
        Column("b", "boolean"),
    ]
    rows = df.select(*(typed_value(c).alias(c.name) for c in columns)).collect()
    assert tuple(rows[0]) == (
        7,
        Decimal("1234.500000000000"),
        date(2020, 12, 31),
        datetime(2020, 1, 1, 1, 2, 3),
        "x",
        True,
    )
    assert tuple(rows[1]) == (None,) * 6


def test_a_value_that_describes_is_set_aside_and_its_row_stays(spark):
    aside = {SET_ASIDE: True}
    contract = contract_of(
        Column("id", required=True),
        Column("score", "integer", minimum=1, maximum=5, properties=aside),
        Column("born", "date", minimum="1850-01-01", properties=aside),
        Column("mail", format="email", properties=aside),
        Column("amount", "number", minimum=0),
    )
    df = spark.createDataFrame(
        [
            ("a", "4", "1990-02-03", "a@x.org", "1"),
            ("b", "6", "0000-00-00", "nobody", "2"),
            ("c", "four", "1701-01-01", None, "3"),
            (None, "9", None, None, "4"),
            ("e", "5", None, None, "-5"),
        ],
        "id string, score string, born string, mail string, amount string",
    )
    checked = with_violations(df, contract)
    good = checked.where(keeps_every_rule(contract))
    found = good.select("id", *(typed_value(c).alias(c.name) for c in contract.columns[1:4]))
    assert [tuple(row) for row in found.collect()] == [
        ("a", 4, date(1990, 2, 3), "a@x.org"),
        ("b", None, None, None),
        ("c", None, None, None),
    ]
    # Of rows that are refused for something else, nothing is counted here.
    (counted,) = checked.agg(*set_aside_counts(contract)).collect()
    assert {name: n for name, n in counted.asDict().items() if n} == {
        "score:type": 1,
        "score:maximum": 1,
        "born:type": 1,
        "born:minimum": 1,
        "mail:format": 1,
    }
    assert set(counted.asDict()) == set(set_aside_reasons(contract))


def test_a_filter_on_the_mask_does_not_read_texts_again(spark, capsys):
    """The optimizer would push it to the scan, and with it a reading of the text for each rule."""
    contract = contract_of(Column("n", "number", minimum=0, maximum=9))
    df = spark.createDataFrame([("1",)], "n string")
    with_violations(df, contract).where(keeps_every_rule(contract)).select("n").explain()
    plan = capsys.readouterr().out
    assert plan.count("try_cast(") == 1
