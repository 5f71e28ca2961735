"""Languages: all say the same things, and each writes numbers its own way."""

from __future__ import annotations

import string
import subprocess
import sys
from datetime import date

import pytest

from customer360.contracts import Contract
from customer360.contracts.contract import packaged_tables
from customer360.language import CODED, LANGUAGES, Language, texts
from customer360.models.registry import MODELS

WORDED = {
    **{column: (group,) for column, group in CODED.items()},
    "segment": ("segment", "segment_means"),
    "risk": ("risk",),
    "shift": ("shift",),
    **dict.fromkeys(("reason_1", "reason_2", "reason_3"), ("reason",)),
}
"""Groups of words that people read for a column's codes."""


def _placeholders(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


def test_languages_have_the_same_texts() -> None:
    english, portuguese = texts("en"), texts("pt")
    assert set(english) == set(portuguese)
    assert {
        k for k in english if _placeholders(english[k]) != _placeholders(portuguese[k])
    } == set()
    assert [key for key in english if not english[key] or not portuguese[key]] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_model_has_its_names(language: str) -> None:
    names = {f"{group}.{spec.name}" for spec in MODELS for group in ("model", "model_means")}
    assert names <= set(texts(language))


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_code_that_gold_may_hold_has_a_word(language: str) -> None:
    known, asked = texts(language), set()
    for table in packaged_tables():
        for column in Contract.load(table).columns if table.startswith("gold/") else ():
            for group in WORDED.get(column.name, ()):
                asked |= {f"{group}.{code}" for code in column.allowed_values}
    assert len(asked) > 60
    assert sorted(asked - set(known)) == []


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.25, "0.25"),
        (0.123456, "0.1235"),
        (9.99996, "10"),
        (1_234.56, "1,235"),
        (9_999.96, "10,000"),
        (12_345.6, "12,346"),
        (-123_456_789.0, "-123,456,789"),
        (8.102e-05, "0.00008102"),
        (-8.2e-05, "-0.000082"),
        (1e-12, "0"),
        (float("inf"), "inf"),
        (float("nan"), ""),
    ],
)
def test_a_figure_has_four_digits_or_all_before_the_point(value: float, written: str) -> None:
    assert Language().significant(value) == written


def test_numbers_are_written_as_the_language_does() -> None:
    english, portuguese = Language("en", "BRL"), Language("pt", "BRL")
    assert english.number(1234.5, 1) == "1,234.5"
    assert portuguese.number(1234.5, 1) == "1.234,5"
    assert english.money(1234) == "R$1,234"
    assert portuguese.money(-12.5) == "-R$\xa012,50"
    assert english.short_money(1_234_567) == "R$1.23M"
    assert portuguese.short_money(26_530) == "R$\xa026,53\xa0mil"
    assert english.short_money(9_999) == "R$9,999"
    assert portuguese.percent(0.123) == "12,3%"
    assert Language("en", "CHF").money(5) == "CHF\xa05.00"
    assert Language("pt", "USD").money(5) == "US$\xa05,00"
    assert [english.days(n) for n in (0, 1, 1_234)] == ["0 days", "1 day", "1,234 days"]
    # Nothing is singular in Portuguese (CLDR's plural rules).
    assert [portuguese.days(n) for n in (0, 1, 2)] == ["0 dia", "1 dia", "2 dias"]
    assert english.short_money(26_530) == "R$26.53K"
    assert english.short_money(-999_999) == "-R$1M"
    assert Language("en", "CHF").short_money(26_530) == "CHF\xa026.53K"
    assert Language("en", "JPY").money(1_234) == "¥1,234"
    assert [portuguese.significant(x) for x in (0.25, 0.123456, 1234.56, -12_345.6, 8.1e-5)] == [
        "0,25", "0,1235", "1.235", "-12.346", "0,000081"
    ]  # fmt: skip
    assert english.money(None) == english.percent(float("nan")) == "–"


@pytest.mark.parametrize(
    ("days", "english", "portuguese"),
    [
        (0, "on the last day", "no último dia"),
        (1.0, "1 day ago", "há 1 dia"),
        (2, "2 days ago", "há 2 dias"),
        (1_234, "1,234 days ago", "há 1.234 dias"),
        (None, "–", "–"),
        (float("nan"), "–", "–"),
    ],
)
def test_how_long_ago(days: float | None, english: str, portuguese: str) -> None:
    assert Language("en").ago(days) == english
    assert Language("pt").ago(days) == portuguese


def test_the_command_line_may_say_words_without_loading_anything_heavy() -> None:
    told = """
import sys
import customer360.language
print(sorted(name for name in sys.modules if name.startswith("customer360.")))
print([name for name in ("pandas", "numpy", "pyarrow", "duckdb", "mlflow") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, check=True)
    ours, heavy = done.stdout.splitlines()
    assert ours == "['customer360.language', 'customer360.language.language']"
    assert heavy == "[]"


@pytest.mark.parametrize(("code", "minus"), [("en", "-0.1%"), ("pt", "-0,1%")])
def test_nothing_has_no_sign(code: str, minus: str) -> None:
    t = Language(code, "BRL")
    assert "-" not in t.number(-0.4) + t.percent(-0.0004) + t.money(-0.004) + t.change(-0.0004)
    assert "+" not in t.change(0.0004)
    assert t.percent(-0.0006) == minus
    assert t.change(0.0006) == minus.replace("-", "+")


def test_numbers_are_rounded_and_not_cut() -> None:
    english = Language("en")
    assert [english.number(value, 2) for value in (1.005, 2.675, -1.005)] == [
        "1.01",
        "2.68",
        "-1.01",
    ]
    assert [english.number(value) for value in (0.5, 1.5, 2.5)] == ["1", "2", "3"]
    assert english.percent(0.125, 0) == "13%"


@pytest.mark.parametrize(("code", "tag"), [("en", "en"), ("pt", "pt-BR")])
def test_a_browser_knows_the_language(code: str, tag: str) -> None:
    assert Language(code).tag == tag


def test_a_month_has_its_year() -> None:
    assert Language("en").month(date(2025, 12, 1)) == "Dec 2025"
    assert Language("pt").month(date(2025, 12, 1)) == "dez. 2025"
