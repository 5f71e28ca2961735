"""What the figures say in sentences, in both languages, and what they do not say."""

from __future__ import annotations

from datetime import date

import pytest

from customer360.dashboard.headlines import Regulars, headlines, period_name, worded
from customer360.dashboard.outlook import Expected, PastError
from customer360.dashboard.periods import Span
from customer360.language import Language
from customer360_tests.dashboard.test_periods import business

EN, PT = Language("en", "USD"), Language("pt", "BRL")
AS_OF = date(2025, 12, 31)
QUARTER = Span(date(2026, 1, 1), date(2026, 3, 31))
YEAR = business(
    [
        ("2024-12-01", 1_000, 0),
        ("2025-11-10", 500, 20),
        ("2025-12-24", 600, 43.2),
    ]
)
"""December: 556.80, +16 % on November's 480, and -44 % on 1,000."""


def said(t: Language, days=YEAR, as_of=AS_OF, regulars=None, expected=None, error=None):
    found = headlines(days, as_of, regulars, expected, error, lately_days=30)
    return [worded(sentences, t).replace("\xa0", " ") for sentences in found]


def test_three_sentences() -> None:
    everything = {
        "regulars": Regulars(214, 45_600, 3_000),
        "expected": Expected(QUARTER, 12_345_678, 12_000_000),
        "error": PastError(5, 0.083, 0.02),
    }
    assert said(EN, **everything) == [
        "Net revenue in December 2025 was $557: +16% on November 2025, -44% on December 2024.",
        "214 regulars went quiet in the last 30 days (net revenue of $45.6K in the last 12 "
        "months); 3,000 others keep buying.",
        "January to March 2026: $12.35M expected, +3% on the same months a year before. "
        "Past forecasts were off by 8% on average (5 months compared).",
    ]
    assert said(PT, **everything) == [
        "A receita líquida de dezembro de 2025 foi de R$ 557: +16% em relação a novembro de 2025 e "
        "-44% em relação a dezembro de 2024.",
        "214 clientes frequentes pararam de comprar nos últimos 30 dias (receita líquida de "
        "R$ 45,6 mil nos últimos 12 meses); 3.000 outros continuam comprando.",
        "Janeiro a março de 2026: espera-se uma receita líquida de R$ 12,35 mi, +3% em relação aos "
        "mesmos meses do ano anterior. As previsões passadas erraram 8% em média "
        "(5 meses comparados).",
    ]


def test_one_and_none_are_grammatical() -> None:
    one = {
        "regulars": Regulars(1, 90, 1),
        "expected": Expected(Span(date(2026, 1, 1), date(2026, 1, 31)), 100, None),
        "error": PastError(1, 0, 0),
    }
    assert said(EN, **one)[1] == (
        "1 regular went quiet in the last 30 days (net revenue of $90.00 in the last 12 months); "
        "1 other keeps buying."
    )
    assert said(PT, **one)[1] == (
        "1 cliente frequente parou de comprar nos últimos 30 dias (receita líquida de R$ 90,00 nos "
        "últimos 12 meses); 1 outro continua comprando."
    )
    assert said(EN, **one)[2].endswith("(1 month compared).")
    assert said(PT, **one)[2].endswith("(1 mês comparado).")
    assert said(EN, regulars=Regulars(0, 0, 1))[1] == (
        "No regular went quiet in the last 30 days; 1 keeps buying."
    )
    assert said(PT, regulars=Regulars(0, 0, 2))[1] == (
        "Nenhum cliente frequente parou de comprar nos últimos 30 dias; 2 continuam comprando."
    )
    assert "0 others keep buying" in said(EN, regulars=Regulars(2, 90, 0))[1]


def test_a_single_month_ahead_is_named_once() -> None:
    alone = Expected(Span(date(2026, 1, 1), date(2026, 1, 31)), 100, None)
    assert said(EN, expected=alone)[1] == "January 2026: $100 expected."
    assert said(PT, expected=alone)[1] == (
        "Janeiro de 2026: espera-se uma receita líquida de R$ 100."
    )
    across = Expected(Span(date(2025, 12, 1), date(2026, 2, 28)), 100, 100)
    assert said(EN, expected=across)[1] == (
        "December 2025 to February 2026: $100 expected, no change on the same months a year before."
    )


def test_nobody_is_a_regular_so_refunds_are_told_of() -> None:
    assert said(EN, regulars=Regulars(0, 0, 0))[1:] == [
        "$43.20 was refunded in December 2025: 7.2% of what was sold; in November 2025 4.0%."
    ]
    assert said(PT)[1:] == [
        "R$ 43,20 devolvidos em dezembro de 2025: 7,2% do que foi vendido; "
        "em novembro de 2025, 4,0%."
    ]


def test_a_first_month_is_compared_with_nothing() -> None:
    days = business([("2025-12-01", 600, 60)])
    assert said(EN, days) == [
        "Net revenue in December 2025 was $540.",
        "$60.00 was refunded in December 2025: 10.0% of what was sold.",
    ]


def test_a_second_month_has_no_year_before() -> None:
    days = business([("2025-11-01", 300, 0), ("2025-12-05", 300, 0)])
    assert said(EN, days) == ["Net revenue in December 2025 was $300: no change on November 2025."]
    assert said(PT, days) == [
        "A receita líquida de dezembro de 2025 foi de R$ 300: sem variação em relação a "
        "novembro de 2025."
    ]


def test_a_month_is_compared_with_a_year_before_alone_where_the_one_before_had_nothing() -> None:
    days = business([("2024-12-01", 200, 0), ("2025-12-05", 300, 0)])
    assert said(EN, days) == ["Net revenue in December 2025 was $300: +50% on December 2024."]


def test_a_month_that_goes_on_is_not_told_of() -> None:
    days = business([("2025-11-01", 300, 0), ("2025-12-05", 900, 0)])
    assert said(EN, days, as_of=date(2025, 12, 15)) == ["Net revenue in November 2025 was $300."]


def test_before_any_month_is_over() -> None:
    days = business([("2025-12-05", 900, 0)])
    assert said(EN, days) == ["Net revenue since 5 Dec 2025 is $900; no month is over yet."]
    assert said(PT, days) == [
        "A receita líquida desde 05/12/2025 é de R$ 900; nenhum mês terminou ainda."
    ]
    assert said(EN, days.head(0)) == []


def test_refunds_without_sales_and_none() -> None:
    days = business([("2025-11-01", 100, 0), ("2025-12-01", 0, 20)])
    assert said(EN, days)[1] == "$20.00 was refunded in December 2025, and nothing sold."
    days = business([("2025-11-01", 100, 10), ("2025-12-01", 100, 0)])
    assert said(EN, days)[1] == "Nothing was refunded in December 2025."


def test_anonymous_sales_are_in_no_forecast() -> None:
    days = YEAR.assign(anonymous_revenue=[0, 0, 5.0])
    expected = Expected(QUARTER, 100, None)
    assert said(EN, days, expected=expected)[1] == (
        "January to March 2026: $100 expected. Anonymous sales are not in it."
    )


@pytest.mark.parametrize(
    ("kind", "english", "portuguese"),
    [
        ("month", "December 2025", "dezembro de 2025"),
        ("quarter", "Q4 2025", "T4 de 2025"),
        ("year", "2025", "2025"),
    ],
)
def test_names_of_periods(kind, english: str, portuguese: str) -> None:
    assert period_name(kind, AS_OF, EN) == english
    assert period_name(kind, AS_OF, PT) == portuguese
