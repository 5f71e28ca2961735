"""``customer360 train``, ``evaluate`` and ``explain`` on a small deployment."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from customer360.language import CODED, Language
from customer360.models.churn.spec import CHURN
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.reasons import reasons_in
from customer360.models.revenue.model import RevenueModel
from customer360.models.revenue.spec import REVENUE
from customer360.models.tracking import load_champion, registered_versions
from customer360.pipeline.explain import UnknownCustomerError, explain_customer
from customer360.pipeline.run_models import tracking_of
from customer360_tests.conftest import LAST_DAY
from customer360_tests.deployments import Home, customer360


@pytest.fixture(scope="module")
def likely_to_leave(demo: Home) -> dict[str, Any]:
    """Churn score of the likeliest customer to leave, of those with a reason."""
    rows = demo.rows("gold/churn_scores", "reason_1 is not null")
    return max(rows, key=lambda row: (row["churn_probability"], row["customer_key"]))


def stated_reasons(row: dict[str, Any]) -> list[str]:
    return [Language("en").reason(*each) for each in reasons_in(row)]


def test_a_customer_is_explained_by_key_and_by_the_sources_id(
    demo: Home, likely_to_leave: dict[str, Any]
) -> None:
    key = likely_to_leave["customer_key"]
    found = explain_customer(demo.settings, key)
    assert found.as_of == LAST_DAY
    churn, value, revenue = (found.by_model[spec.name] for spec in (CHURN, LIFETIME_VALUE, REVENUE))
    assert churn.scores == likely_to_leave
    assert found.summary["churn_probability"] == likely_to_leave["churn_probability"]
    # Strongest first, and the strongest for leaving is the reason that the score states.
    topics = pd.DataFrame(churn.table)
    log_odds = topics["log-odds"].astype(float)
    strength = log_odds.abs().tolist()
    assert strength == sorted(strength, reverse=True)
    loudest = topics.loc[log_odds.idxmax(), "the customer's own figures"]
    assert loudest == stated_reasons(likely_to_leave)[0]
    figures = pd.DataFrame(value.table).set_index("figure")
    assert figures.loc["probability_alive", "value"] == found.summary["probability_alive"]
    assert (figures["low"] <= figures["high"]).all()
    assert churn.lines == []
    (predicted,) = demo.rows(
        "gold/revenue_predictions", f"customer_key = '{key}' and as_of = DATE'{LAST_DAY}'"
    )
    assert revenue.scores == predicted
    assert [line.strip() for line in revenue.lines] == stated_reasons(predicted)

    (own,) = demo.rows("silver/customers", f"customer_key = '{key}'")
    assert explain_customer(demo.settings, own["source_customer_id"]).customer_key == key


def test_who_is_not_there_is_named(demo: Home) -> None:
    with pytest.raises(UnknownCustomerError, match=f"no customer 'nobody' in .* of {LAST_DAY}"):
        explain_customer(demo.settings, "nobody")
    with pytest.raises(UnknownCustomerError, match="the active sources are synthetic"):
        explain_customer(demo.settings, "1", source="shop")


def test_explain_says_it_in_words(
    demo: Home,
    likely_to_leave: dict[str, Any],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    key = likely_to_leave["customer_key"]
    said = customer360(capsys, monkeypatch, "explain", key, "--home", demo.folder)
    assert said.code == 0, said.err
    assert f"{likely_to_leave['churn_probability']:.1%} buy nothing in the next 14 days" in said.out
    assert stated_reasons(likely_to_leave)[0] in said.out
    assert "expected_revenue_365d" in said.out
    (known,) = demo.rows(
        "gold/customer_360", f"customer_key = '{key}' and as_of = DATE'{LAST_DAY}'"
    )
    for column, group in CODED.items():
        assert re.search(
            rf"{column} +│ {re.escape(Language('en').named(group, known[column]))}", said.out
        )
    (revenue,) = demo.rows(
        "gold/revenue_predictions", f"customer_key = '{key}' and as_of = DATE'{LAST_DAY}'"
    )
    assert f"a purchase with probability {revenue['purchase_probability']:.1%}" in " ".join(
        said.out.split()
    )
    for reason in stated_reasons(revenue):
        assert reason in said.out
    # As a page shows the key, and as a program reads what is said.
    short = customer360(capsys, monkeypatch, "explain", key[:12], "--home", demo.folder)
    assert short.out == said.out
    asked = ("explain", f"{key[:12]}…", "--json", "--home", demo.folder)
    stated = json.loads(customer360(capsys, monkeypatch, *asked).out)
    assert (stated["customer_key"], stated["summary"]["segment"]) == (key, known["segment"])
    assert stated["models"]["churn"]["scores"]["reason_1"] == likely_to_leave["reason_1"]
    missing = customer360(capsys, monkeypatch, "explain", "nobody", "--home", demo.folder)
    assert missing.code == 1
    assert len(missing.error_lines) == 1


def test_evaluate_prints_the_figures_and_writes_a_page(
    demo: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    tracking = tracking_of(demo.settings)
    before = {name: registered_versions(name, tracking) for name in (CHURN, LIFETIME_VALUE)}
    page = tmp_path / "figures.html"
    said = customer360(
        capsys, monkeypatch, "evaluate", "lifetime-value", "-o", page, "--home", demo.folder
    )
    assert said.code == 0, said.err
    # Whether that package's search converges on so few customers, nobody can promise.
    converged = "lifetimes could not be fitted" not in said.out
    for row in ("model", "past average", "hiatus rule", *(["lifetimes"] if converged else [])):
        assert re.search(rf"│ {row} +│ +-?[\d.]+", said.out), row
    for title in ("purchases a customer", "revenue a customer", "normalized gini"):
        assert title in said.out
    fitted = r"lifetimes: BG/NBD and Gamma-Gamma fitted row by row to [\d,]+ cust"
    assert bool(re.search(fitted, said.out)) is converged
    html = page.read_text(encoding="utf-8")
    for plot in ("purchases_by_frequency", "purchases_by_recency", "revenue_by_decile"):
        title = Language("en").named("plot", plot)
        assert f'alt="{title}" src="data:image/png;base64,' in html
    assert "past average" in html
    assert "http" not in re.sub(r"data:image/png;base64,[^\"]*", "", html)
    assert before == {name: registered_versions(name, tracking) for name in before}


def test_an_unknown_model_is_refused(
    demo: Home, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said = customer360(capsys, monkeypatch, "evaluate", "weather", "--home", demo.folder)
    assert said.code == 2
    assert "'weather' is not one of" in said.err


ORDERS = """customer_id,ordered_at,amount,category,items
ana,2024-03-01,40.00,Books,2
ana,2024-03-20,25.50,Books,1
ben,2024-03-28,12.00,Toys,1
cy,2024-03-29,lots,Toys,1
"""


def test_predict_scores_the_good_rows_of_a_file_and_lists_the_bad(
    demo: Home,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    orders, target = tmp_path / "orders.csv", tmp_path / "predicted.csv"
    orders.write_text(ORDERS)
    said = customer360(capsys, monkeypatch, "predict", orders, "-o", target, "--home", demo.folder)
    assert said.code == 3, said.err  # done, but not for all
    assert "2 customers predicted for the" in said.out
    assert "1 of 4 rows left out" in said.out
    predicted = pd.read_csv(target).set_index("customer_id")
    assert sorted(predicted.index) == ["ana", "ben"]
    assert (predicted["expected_revenue"] >= 0).all()
    (bad,) = pd.read_csv(f"{target}.rejected.csv").to_dict("records")
    assert (bad["row"], bad["customer_id"], bad["column"], bad["value"]) == (
        4,
        "cy",
        "amount",
        "lots",
    )


def test_the_plain_pickle_is_the_champion(demo: Home) -> None:
    model = RevenueModel.loads(demo.settings.revenue_pickle.read_bytes())
    champion = load_champion(REVENUE, tracking_of(demo.settings)).model
    assert model.fingerprint() == champion.fingerprint()


def test_predict_without_a_model_says_what_to_do(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    said = customer360(
        capsys, monkeypatch, "predict", "orders.csv", "-o", "out.csv", "--home", tmp_path
    )
    assert said.code == 1
    assert "there is no revenue model: run `customer360 train revenue` first" in said.err
