"""Past scores beside outcomes made by hand."""

from __future__ import annotations

from datetime import date, timedelta

import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from customer360.language import Language
from customer360.models.monitoring import (
    churn_outcomes,
    judge,
    performance_by_decile,
    purchase_outcomes,
    realised_figures,
)
from customer360.models.notes import in_english
from customer360_tests.gold.frames import bought, customer_days, returned, table

D = date(2025, 6, 30)
SCORES = "as_of date, customer_key string, p double, horizon_days int, model_version string"


def after(days: int) -> date:
    return D + timedelta(days=days)


def scores(spark, rows, as_of=D):
    return table(spark, SCORES, [(as_of, key, p, 30, "3") for key, p in rows])


def by_key(frame, *columns):
    return {row["customer_key"]: tuple(row[c] for c in columns) for row in frame.collect()}


def test_who_buys_nothing_in_the_horizon_has_churned(spark):
    days = customer_days(
        spark,
        [
            bought("on the day itself", D, 10),
            bought("on the last day", after(30), 10),
            bought("a day late", after(31), 10),
            returned("sends back", after(5), 10),
        ],
    )
    names = ["on the day itself", "on the last day", "a day late", "sends back", "silent"]
    frame = churn_outcomes(scores(spark, [(name, 0.5) for name in names]), days, [D], 30)
    assert by_key(frame, "actual") == {
        "on the day itself": (1,),
        "on the last day": (0,),
        "a day late": (1,),
        "sends back": (1,),
        "silent": (1,),
    }


def test_what_came_is_purchase_days_and_revenue_less_refunds(spark):
    days = customer_days(
        spark,
        [
            bought("a", D, 99),
            bought("a", after(1), 10),
            bought("a", after(30), 15),
            bought("a", after(31), 99),
            returned("a", after(20), 4),
            returned("b", after(2), 7),
            bought("newcomer", after(2), 50),
        ],
    )
    frame = purchase_outcomes(scores(spark, [("a", 1), ("b", 1), ("c", 1)]), days, [D], 30)
    assert by_key(frame, "actual_purchases", "actual_revenue") == {
        "a": (2, 21),
        "b": (0, -7),
        "c": (0, 0),
    }


def test_each_date_has_its_own_horizon(spark):
    days = customer_days(spark, [bought("a", after(10), 10), bought("a", after(40), 10)])
    earlier = after(-15)
    both = scores(spark, [("a", 1)]).unionAll(scores(spark, [("a", 1)], earlier))
    rows = purchase_outcomes(both, days, [earlier, D], 30).collect()
    assert {row["as_of"]: row["actual_purchases"] for row in rows} == {earlier: 1, D: 1}


OUTCOMES = (
    "as_of date, horizon_days int, model_version string, churn_probability double, actual double"
)


def outcomes(spark, pairs):
    return table(spark, OUTCOMES, [(D, 30, "3", p, y) for p, y in pairs])


def deciles(spark, pairs) -> pd.DataFrame:
    made = performance_by_decile(outcomes(spark, pairs), "churn_probability", "actual")
    return made.toPandas().sort_values("decile", ignore_index=True)


def test_tenths_by_hand(spark):
    """Twenty customers at 0.05, 0.10 … 1.00: of the two in each tenth, the riskier one left."""
    rows = deciles(spark, [(n / 20, float(n % 2 == 0)) for n in range(1, 21)])
    assert list(rows["decile"]) == list(range(1, 11))
    assert set(rows["customers"]) == {2}
    assert list(rows["predicted"]) == pytest.approx([0.975 - 0.1 * n for n in range(10)])
    assert list(rows["actual"]) == [0.5] * 10
    assert rows.loc[0, "mean_absolute_error"] == pytest.approx((0.0 + 0.95) / 2)
    assert rows.loc[0, "mean_squared_error"] == pytest.approx(0.95**2 / 2)
    (figures,) = realised_figures(rows).to_dict("records")
    assert figures["customers"] == 20
    assert figures["predicted"] == pytest.approx(0.525)
    assert figures["actual"] == 0.5
    assert figures["calibration_error"] == pytest.approx(0.25)
    assert figures["roc_auc"] == pytest.approx(0.5)
    errors = [(n / 20 - (n % 2 == 0)) ** 2 for n in range(1, 21)]
    assert figures["mse"] == pytest.approx(sum(errors) / 20)


def test_equal_predictions_share_a_tenth_and_unknown_ones_have_none(spark):
    rows = deciles(spark, [(0.3, 0.0)] * 15 + [(0.9, 1.0)] * 5 + [(None, 1.0)] * 4)
    assert list(rows["customers"]) == [5, 15]
    assert list(rows["predicted"]) == pytest.approx([0.9, 0.3])


def test_the_ranking_figure_is_that_of_the_tenths(spark):
    pairs = [(tenth / 10, float(n < tenth)) for tenth in range(1, 11) for n in range(10)]
    (figures,) = realised_figures(deciles(spark, pairs)).to_dict("records")
    expected = roc_auc_score([y for _, y in pairs], [p for p, _ in pairs])
    assert figures["roc_auc"] == pytest.approx(expected)
    assert figures["calibration_error"] == pytest.approx(0)


def figures(prediction: str, customers: int, predicted: float, actual: float) -> pd.DataFrame:
    row = (D, prediction, 30, "3", 1, customers, predicted, actual, 0.4, 0.2)
    columns = ["as_of", "prediction", "horizon_days", "model_version", "decile", "customers"]
    columns += ["predicted", "actual", "mean_absolute_error", "mean_squared_error"]
    return realised_figures(pd.DataFrame([row], columns=columns))


@pytest.mark.parametrize(
    ("prediction", "customers", "predicted", "missed"),
    [
        ("churn_probability", 10_000, 0.59, False),
        ("churn_probability", 10_000, 0.62, True),
        # Ten customers may be off by so much without any fault of the model.
        ("churn_probability", 10, 0.62, False),
        # Of amounts the limit is a share of what came, 0.25 x 0.5.
        ("expected_revenue_90d", 10_000, 0.62, False),
        ("expected_revenue_90d", 10_000, 0.64, True),
    ],
)
def test_what_is_worse_than_its_limit_has_missed(prediction, customers, predicted, missed):
    (found,) = judge(figures(prediction, customers, predicted, 0.5), 0.1, 0.25)
    assert found.missed is missed
    said = in_english([found.came])
    assert said.startswith(f"{Language('en').named('column', prediction)} of ")
    assert "(v3, 30 days): predicted " in said


def test_nothing_judged_is_no_figure():
    nothing = realised_figures(figures("churn_probability", 1, 0, 0).iloc[:0])
    assert judge(nothing, 0.1, 0.25) == []
