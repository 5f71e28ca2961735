"""The pages find all their texts, and use what is there."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from customer360 import language
from customer360.contracts import Contract
from customer360.contracts.checks import rules
from customer360.contracts.contract import packaged_tables
from customer360.contracts.reasons import LEFT_OUT
from customer360.dashboard import app, tables
from customer360.dashboard.queries.customers import COLUMNS, PROFILE, SORTABLE
from customer360.dashboard.views import all_views
from customer360.language import LANGUAGES, Language, texts
from customer360.models import comparison as figures
from customer360.models.baselines import NAIVE_RULES
from customer360.models.churn import choosing as churn
from customer360.models.comparison import comparison, readable
from customer360.models.evaluation import (
    amount_metrics,
    probability_metrics,
    ranking_metrics,
    rule_metrics,
)
from customer360.models.lifetime_value.beta_geometric import BgNbd
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.registry import MODELS
from customer360.models.revenue import choosing as revenue
from customer360.privacy import report
from customer360.silver import transactions
from customer360.sources.mapped import NEGATIVE_AMOUNT
from customer360.sources.olist import OlistSource
from customer360.sources.postgres.source import DELETED
from customer360.sources.synthetic.behaviour import DEFAULT_COHORTS
from customer360.sources.synthetic.process import CATEGORIES, CHANNELS, PAYMENT_TYPES
from customer360.sources.synthetic.profiles import TIERS

PACKAGES = (Path(app.__file__).parent, Path(language.__file__).parent)
BY_DATA = ("segment", "segment_means", "risk", "action", "reason", "effect", "note", "classes",
           "dates", "model", "model_means", "status", "shift",
           "plot", "column", "figure", "figure_of", "topic", "rival", "category", "channel",
           "payment_type", "acquisition_channel", "loyalty_tier", "health.job", "health.outcome",
           "health.rule")  # fmt: skip
"""Groups whose names come from the data."""
SOURCES = [
    *(path for package in PACKAGES for path in package.rglob("*.py")),
    Path(figures.__file__),
    Path(report.__file__),
]


def _used() -> tuple[set[str], set[str]]:
    """Keys that the code states, and patterns of those that it puts together."""
    exact, patterns = set(), set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                exact.add(node.value)
            elif isinstance(node, ast.JoinedStr):
                parts = (
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[a-z0-9_]+"
                    for part in node.values
                )
                patterns.add("".join(parts))
    # A chart has a title and an explanation.
    exact |= {f"{key}.{part}" for key in set(exact) for part in ("title", "explained", "about")}
    return exact, {pattern for pattern in patterns if re.match(r"[a-z_]+\\\.", pattern)}


def test_no_text_is_unused() -> None:
    exact, patterns = _used()
    unused = [
        key
        for key in texts("en")
        if key not in exact
        and not key.startswith(tuple(f"{group}." for group in BY_DATA))
        and not any(re.fullmatch(pattern, key) for pattern in patterns)
    ]
    assert unused == []


def test_no_text_is_missing() -> None:
    known = texts("en")
    missing = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            name = ast.unparse(node.func)
            first = node.args[0]
            if (
                name in ("t", "page.t", "self.t", "page.nothing")
                and isinstance(first, ast.Constant)
                and first.value not in known
            ):
                missing.append(f"{path.name}: {first.value!r}")
    assert missing == []


def test_every_page_has_a_title_and_says_what_it_is_for() -> None:
    assert [n for n in all_views() if not {f"{n}.title", f"{n}.about"} <= set(texts("en"))] == []


def test_every_column_has_a_heading() -> None:
    shown = {*COLUMNS, *SORTABLE, *PROFILE, *tables.MONEY, *tables.SHARES}
    assert [name for name in shown if f"column.{name}" not in texts("en")] == []


@pytest.mark.parametrize("code", LANGUAGES)
def test_every_figure_feature_and_word_of_the_generated_shop_has_a_name(code: str) -> None:
    known = texts(code)
    came, told = [0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9]
    own = {
        "column": [
            *(name for spec in MODELS for name in spec.features),
            *(name for spec in MODELS for name in (*spec.watched, *spec.judged)),
        ],
        "figure": [
            *ranking_metrics(came, told),
            *probability_metrics(came, told),
            *rule_metrics(came, [False, True, False, True]),
            # Totals are not compared.
            *({*amount_metrics(told, came)} - {"total_expected", "total_actual"}),
        ],
        "rival": [
            *NAIVE_RULES,
            *revenue.KINDS,
            *churn.KINDS,
            BgNbd.kind,
            ParetoNbd.kind,
            "champion",
        ],
        "category": CATEGORIES,
        "channel": CHANNELS,
        "payment_type": PAYMENT_TYPES,
        "acquisition_channel": [cohort.name for cohort in DEFAULT_COHORTS],
        "loyalty_tier": TIERS,
        "health.rule": [
            *(rule.kind for table in packaged_tables() for rule in rules(Contract.load(table))),
            *transactions.REASONS,
            *transactions.CONFLICTS,
            *OlistSource.exclusion_reasons,
            NEGATIVE_AMOUNT,
            DELETED,
            LEFT_OUT,
        ],
    }
    missing = [f"{g}.{name}" for g, names in own.items() for name in names]
    assert [key for key in missing if key not in known] == []
    # A table with two columns of one name would lose one.
    rivals = [text for key, text in known.items() if key.startswith("rival.")]
    assert len(set(rivals)) == len(rivals)


def test_figures_say_what_they_are_of() -> None:
    portuguese = Language("pt")
    assert portuguese.figure("purchases_mae") == "Erro absoluto médio (MAE), compras"
    assert portuguese.figure("revenue_top_decile_capture") == (
        "Parte captada pelo melhor decil, receita"
    )
    assert Language("en").figure("new_customers_rmse") == (
        "Root mean squared error (RMSE), new customers"
    )
    assert portuguese.figure("a_new_figure") == "a new figure"


def test_figures_are_compared_in_the_language() -> None:
    table = comparison(
        {"test_mae": 12_345.6, "test_mae_low": 9_999.96, "test_mae_high": 15_000.0,
         "baseline_mean_mae": 123_456.7, "test_bias": 8.102e-05, "baseline_mean_bias": 8.227e-05}
    )  # fmt: skip
    shown = readable(table, Language("pt"))
    assert list(shown.columns) == ["Medida", "Modelo", "Intervalo de 90%", "Média de todos"]
    assert shown.to_numpy().tolist() == [
        ["Erro absoluto médio (MAE)", "12.346*", "10.000 a 15.000", "123.457"],
        ["Viés", "0,00008102*", "", "0,00008227"],
    ]
