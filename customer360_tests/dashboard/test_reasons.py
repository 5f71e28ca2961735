"""The models' reasons on the pages, in both languages: every sentence that they can say."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any

import pandas as pd
import pytest

from customer360.dashboard.language import Language, texts
from customer360.models.churn import reasons as churn
from customer360.models.revenue import reasons as revenue
from customer360.models.revenue.features import CATEGORICAL_FEATURES, FEATURES, typed_features
from customer360.models.sentences import Template

ENGLISH, PORTUGUESE = Language("en", "BRL"), Language("pt", "BRL")
SENTENCES = revenue.SENTENCES

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


def _own_words(language: str) -> set[str]:
    """Words of the reasons' templates, fields left out but for those that they count."""
    found: set[str] = set()
    for key, text in texts(language).items():
        if key.startswith("reason."):
            for plain, _, kind in Template(text).parts:
                found |= _words(plain) | (_words(kind) if "|" in kind else set())
    return found


def _everything_said() -> set[str]:
    """All sentences of both models, of every combination of values that their topics look at."""
    found: set[str] = set()
    for topics in (churn.TOPICS, revenue.TOPICS):
        for features, words in topics.values():
            said = words(_every_case(features))
            found |= {*said}
            for way in ("more", "less"):
                found |= {*SENTENCES.say({way: True}, reason=said)}
    return found


def test_all_that_the_models_can_say_is_said_in_both_languages() -> None:
    own, told = {each: _own_words(each.code) for each in (ENGLISH, PORTUGUESE)}, set()
    for sentence in _everything_said():
        read = SENTENCES.read(sentence)
        assert read is not None, sentence
        name, values = read
        told.add(name)
        again = {field: [value] for field, value in values.items()}
        assert SENTENCES.templates[name].said(again, 1).tolist() == [sentence]
        for language, words in own.items():
            said = language.reason(sentence)
            assert _words(said) <= words, said
        assert _words(ENGLISH.reason(sentence)) == _words(sentence)
    assert told == set(SENTENCES.texts)


def test_no_word_of_a_portuguese_reason_is_english() -> None:
    assert _own_words("pt") & _own_words("en") == {"a"}  # "a cada 31 dias"


@pytest.mark.parametrize("name", SENTENCES.texts)
def test_one_is_singular_and_two_are_plural(name: str) -> None:
    for number, form in ((1.0, 0), (2.0, 1)):
        template = SENTENCES.templates[name]
        fields = {field: kind for _, field, kind in template.parts if field is not None}
        values: dict[str, Any] = dict.fromkeys(fields, number)
        if "reason" in fields:
            values["reason"] = "home unknown"
        said = template.said({field: [value] for field, value in values.items()}, 1)[0]
        translated = PORTUGUESE.reason(said)
        for _, _, kind in Template(texts("pt")[f"reason.{name}"]).parts:
            if "|" in kind:
                assert f"{number:.0f} {kind.split('|')[form]}" in translated


@pytest.mark.parametrize(
    ("stored", "english", "portuguese"),
    [
        ("last purchase 143 days ago, usually buys every 31 days",
         "last purchase 143 days ago, usually buys every 31 days",
         "última compra há 143 dias, costuma comprar a cada 31 dias"),
        ("last purchase 1 day ago, usually buys every day",
         "last purchase 1 day ago, usually buys every day",
         "última compra há 1 dia, costuma comprar todo dia"),
        ("spent 101408 in the last 90 days",
         "spent 101,408 in the last 90 days",
         "gastou 101.408 nos últimos 90 dias"),
        ("spend fell from 12345 to -40 in 90 days",
         "spend fell from 12,345 to -40 in 90 days",
         "o gasto caiu de 12.345 para -40 em 90 dias"),
        ("bought on 1 day in the last 90, on 4 in the 90 before",
         "bought on 1 day in the last 90, on 4 in the 90 before",
         "comprou em 1 dia dos últimos 90, contra 4 dos 90 anteriores"),
        ("spends 1234.50 an order on average",
         "spends 1,234.50 an order on average",
         "gasta em média 1.234,50 por pedido"),
        ("21 % of the money was refunded",
         "21% of the money was refunded",
         "21% do valor foi devolvido"),
        ("bought in 1 category, over 2 channels",
         "bought in 1 category, over 2 channels",
         "comprou em 1 categoria, por 2 canais"),
        ("last bought in health_beauty",
         "last bought in Health and beauty",
         "última compra na categoria Beleza e saúde"),
        ("last bought in my_own_shelf",
         "last bought in my own shelf",
         "última compra na categoria my own shelf"),
        ("last bought over store",
         "last bought over store",
         "última compra pelo canal loja física"),
        ("more: first order 400.00 for 1 item, 5 % of it freight",
         "more: first order 400.00 for 1 item, 5% of it freight",
         "para mais: primeiro pedido de 400,00 com 1 peça, sendo 5% de frete"),
        ("less: first paid by credit_card in 3 instalments",
         "less: first paid by credit card in 3 instalments",
         "para menos: primeiro pedido pago com cartão de crédito em 3 parcelas"),
        ("less: first paid by unknown means in 3 instalments",
         "less: first paid by unknown means in 3 instalments",
         "para menos: primeiro pedido pago em 3 parcelas, forma de pagamento desconhecida"),
        ("more: first bought in health_beauty",
         "more: first bought in Health and beauty",
         "para mais: primeira compra na categoria Beleza e saúde"),
        ("less: first order not known to be delivered and reviewed with 2 of 5",
         "less: first order not known to be delivered and reviewed with 2 of 5",
         "para menos: primeiro pedido sem entrega registrada e avaliado com nota 2 de 5"),
        ("more: lives in SP, BR",
         "more: lives in SP, BR",
         "para mais: mora em SP, BR"),
    ],
)  # fmt: skip
def test_what_is_said(stored: str, english: str, portuguese: str) -> None:
    assert ENGLISH.reason(stored) == english
    assert PORTUGUESE.reason(stored) == portuguese


@pytest.mark.parametrize("language", [ENGLISH, PORTUGUESE])
@pytest.mark.parametrize(
    "sentence", ["bought nothing on Sundays", "more: bought nothing on Sundays", "more: ", ""]
)
def test_a_sentence_of_an_older_model_is_shown_as_it_is(language: Language, sentence: str) -> None:
    assert language.reason(sentence) == sentence
