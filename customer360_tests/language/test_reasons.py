"""The models' reasons in both languages: every code, with every value that it can have."""

from __future__ import annotations

import itertools
import json
import re
import string
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from customer360.contracts import Contract
from customer360.language import LANGUAGES, MISSING, Language, texts
from customer360.models.churn import reasons as churn
from customer360.models.reasons import REASONS, Case, Topics, stated
from customer360.models.revenue import reasons as revenue
from customer360.models.revenue.features import CATEGORICAL_FEATURES, FEATURES, typed_features

ENGLISH, PORTUGUESE = Language("en", "BRL"), Language("pt", "BRL")

_MISSING = float("nan")
# Where a column may be missing, or where more than a count decides what is said.
VALUES: dict[str, Sequence[Any]] = {
    "refund_rate": (0.0, 0.01, 1.0),
    "average_order_value": (-12.5, 0.0, 1_234.5),
    "mean_days_between_purchases": (_MISSING, 1.2, 31.0),
    "first_order_amount": (_MISSING, 0.0, 1_234.5),
    "first_order_items": (_MISSING, 1.0, 2.0),
    "first_freight_share": (_MISSING, 0.01, 1.0),
    "first_installments": (_MISSING, 1.0, 2.0),
    "first_delivery_days": (_MISSING, 1.0, 2.0),
    "first_review_score": (_MISSING, 1.0, 5.0),
    # No letters: the words of a translation are then its own.
    **dict.fromkeys(CATEGORICAL_FEATURES, (None, "1_2", "34, 56")),
}
COUNTS, AMOUNTS = (0.0, 1.0, 1_234.0), (-12.5, 40.2, 1_234_567.89)


def _every_case(features: Sequence[str]) -> pd.DataFrame:
    """Rows with all combinations of values of ``features``."""
    by_feature = [
        VALUES.get(name, AMOUNTS if name.startswith("net_revenue") else COUNTS) for name in features
    ]
    rows = pd.DataFrame(itertools.product(*by_feature), columns=list(features))
    return typed_features(rows.reindex(columns=list(FEATURES)))


def _words(text: str) -> set[str]:
    return set(re.findall(r"[^\W\d_]+", text))


def _fields(text: str) -> list[tuple[str, str | None, str]]:
    """Plain text, then name and kind of the field behind it."""
    parsed = string.Formatter().parse(text)
    return [(plain, name, kind or "") for plain, name, kind, _ in parsed]


def _own_words(language: str) -> set[str]:
    """Words of the reasons' texts, fields left out but for the nouns that they count."""
    found: set[str] = set()
    for key, text in texts(language).items():
        if key.startswith(("reason.", "effect.")):
            for plain, _, kind in _fields(text):
                found |= _words(plain) | (_words(kind) if "|" in kind else set())
                if kind == "ago":
                    found |= _words(" ".join(Language(language).ago(days) for days in range(3)))
    return found


def _everything_said(topics: Topics) -> Iterator[tuple[str, str]]:
    """All codes and values of a model, of every combination that its topics look at."""
    for features, cases in topics.values():
        rows = _every_case(features)
        yield from stated(rows, cases(rows)).itertuples(index=False, name=None)


@pytest.mark.parametrize(
    ("topics", "table"),
    [(churn.TOPICS, "gold/churn_scores"), (revenue.TOPICS, "gold/revenue_predictions")],
)
def test_all_that_a_model_can_say_is_allowed_and_said_in_both_languages(
    topics: Topics, table: str
) -> None:
    own, told = {each: _own_words(each.code) for each in (ENGLISH, PORTUGUESE)}, set()
    for code, values in set(_everything_said(topics)):
        told.add(code)
        for language, words in own.items():
            text = texts(language.code)[f"reason.{code}"]
            assert set(json.loads(values)) == {name for _, name, _ in _fields(text) if name}
            said = language.reason(code, values)
            assert _words(said) <= words, said
    contract = Contract.load(table)
    assert [set(contract.column(name).allowed_values) for name in REASONS] == [told] * 3


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_topic_has_a_name_and_no_name_is_unused(language: str) -> None:
    named = {key.removeprefix("topic.") for key in texts(language) if key.startswith("topic.")}
    assert named == {*churn.TOPICS, *revenue.TOPICS}


def test_no_reason_is_worded_that_no_model_says() -> None:
    allowed = set(Contract.load("gold/revenue_predictions").column("reason_1").allowed_values)
    for language in LANGUAGES:
        worded = {key.removeprefix("reason.") for key in texts(language) if "reason." in key[:7]}
        assert worded == allowed


def test_no_word_of_a_portuguese_reason_is_english() -> None:
    assert _own_words("pt") & _own_words("en") == {"a"}  # "a cada 31 dias"


@pytest.mark.parametrize("language", LANGUAGES)
def test_one_is_singular_and_two_are_plural(language: str) -> None:
    for key, text in texts(language).items():
        if key.startswith("reason."):
            fields = [(name, kind) for _, name, kind in _fields(text) if name]
            for number in (1, 2):
                values = json.dumps(dict.fromkeys((name for name, _ in fields), number))
                said = Language(language).reason(key.removeprefix("reason."), values)
                for _, kind in fields:
                    if "|" in kind:
                        assert f"{number} {kind.split('|')[number - 1]}" in said


@pytest.mark.parametrize(
    ("code", "values", "english", "portuguese"),
    [
        ("last_purchase_usual", {"ago": 143, "gap": 31},
         "last purchase 143 days ago, so far one every 31 days",
         "última compra há 143 dias, até aqui uma a cada 31 dias"),
        ("last_purchase_daily", {"ago": 1},
         "last purchase 1 day ago, so far one every day",
         "última compra há 1 dia, até aqui uma por dia"),
        ("last_purchase", {"ago": 0}, "last purchase on the last day",
         "última compra no último dia"),
        ("history", {"purchases": 1, "age": 0},
         "bought on 1 day in all, the first on the last day",
         "comprou em 1 dia ao todo, o primeiro no último dia"),
        ("spend", {"now": 101408},
         "spent 101,408 in the last 90 days",
         "gastou 101.408 nos últimos 90 dias"),
        ("spend_fell", {"before": 12345, "now": -40},
         "spend fell from 12,345 to -40 in 90 days",
         "o gasto caiu de 12.345 para -40 em 90 dias"),
        ("purchases_fell", {"now": 1, "before": 4},
         "bought on 1 day in the last 90, on 4 in the 90 before",
         "comprou em 1 dia dos últimos 90, contra 4 dos 90 anteriores"),
        ("order_value", {"value": 1234.5},
         "spends 1,234.50 an order on average",
         "gasta em média 1.234,50 por pedido"),
        ("refunds", {"share": 0.21},
         "21% of the money was refunded",
         "21% do valor foi devolvido"),
        ("variety", {"categories": 1, "channels": 2},
         "bought in 1 category, over 2 channels",
         "comprou em 1 categoria, por 2 canais"),
        ("last_category", {"category": "health_beauty"},
         "last bought in Health and beauty",
         "última compra na categoria Beleza e saúde"),
        ("last_category", {"category": "my_own_shelf"},
         "last bought in my own shelf",
         "última compra na categoria my own shelf"),
        ("last_channel", {"channel": "store"},
         "last bought over store",
         "última compra pelo canal loja física"),
        ("first_order_items_freight",
         {"effect": "more", "amount": 400.0, "items": 1, "freight": 0.05},
         "more: first order 400.00 for 1 item, 5% of it freight",
         "para mais: primeiro pedido de 400,00 com 1 peça, sendo 5% de frete"),
        ("payment_instalments",
         {"effect": "less", "payment_type": "credit_card", "instalments": 3},
         "less: first paid by credit card in 3 instalments",
         "para menos: primeiro pedido pago com cartão de crédito em 3 parcelas"),
        ("payment_unknown_instalments", {"effect": "less", "instalments": 3},
         "less: first paid by unknown means in 3 instalments",
         "para menos: primeiro pedido pago em 3 parcelas, forma de pagamento desconhecida"),
        ("first_category", {"effect": "more", "category": "health_beauty"},
         "more: first bought in Health and beauty",
         "para mais: primeira compra na categoria Beleza e saúde"),
        ("delivery_unknown_reviewed", {"effect": "less", "score": 2},
         "less: first order not known to be delivered and reviewed with 2 of 5",
         "para menos: primeiro pedido sem entrega registrada e avaliado com nota 2 de 5"),
        ("home", {"effect": "more", "state": "SP", "country": "BR"},
         "more: lives in SP, BR",
         "para mais: mora em SP, BR"),
        ("home_state", {"effect": "more", "state": "SP"},
         "more: lives in SP",
         "para mais: mora em SP"),
    ],
)  # fmt: skip
def test_what_is_said(code: str, values: dict[str, Any], english: str, portuguese: str) -> None:
    assert ENGLISH.reason(code, json.dumps(values)) == english
    assert PORTUGUESE.reason(code, json.dumps(values)) == portuguese


@pytest.mark.parametrize("language", [ENGLISH, PORTUGUESE])
@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_sentence_of_an_older_release_is_shown_as_it_is(language: Language, nothing: Any) -> None:
    assert language.reason("more: bought nothing on Sundays", nothing) == (
        "more: bought nothing on Sundays"
    )


@pytest.mark.parametrize("language", [ENGLISH, PORTUGUESE])
def test_a_reason_of_a_newer_release_is_shown_as_its_code(language: Language) -> None:
    assert language.reason("the_stars", '{"star": "Vega"}') == "the_stars"
    assert language.reason("last_purchase_usual", '{"days": 7}') == "last_purchase_usual"
    known = language.reason("home_state", '{"effect": "more", "state": "SP"}')
    other = language.reason("home_state", '{"effect": "perhaps", "state": "SP"}')
    assert known.endswith(f": {other}")


@pytest.mark.parametrize("language", [ENGLISH, PORTUGUESE])
@pytest.mark.parametrize(
    "code", [key.removeprefix("reason.") for key in texts("en") if key.startswith("reason.")]
)
def test_a_value_that_is_null_is_shown_as_missing(language: Language, code: str) -> None:
    text = texts(language.code)[f"reason.{code}"]
    names = [name for _, name, _ in _fields(text) if name]
    said = language.reason(code, json.dumps(dict.fromkeys(names)))
    assert said.count(MISSING) == len(names) + text.count(MISSING)
    assert "None" not in said


@given(texts_stored=st.lists(st.text(), min_size=1))
def test_any_text_among_the_values_is_kept_and_said(texts_stored: list[str]) -> None:
    """Quotes, braces, line breaks: whatever a source calls its categories."""
    rows = pd.DataFrame({"last_category": texts_stored})
    case = Case("last_category", True, {"category": rows["last_category"]})
    found = stated(rows, [case])
    assert [json.loads(values) for values in found["values"]] == [
        {"category": text} for text in texts_stored
    ]
    for language in (ENGLISH, PORTUGUESE):
        before = language("reason.last_category", category="")
        for text, values in zip(texts_stored, found["values"], strict=True):
            said = language.reason("last_category", values)
            assert said == before + language.named("category", text)
