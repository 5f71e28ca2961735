"""Trying the revenue model on one order, against the pipeline's own way."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from customer360.dashboard.first_order import FirstOrder, answer, known_values, load
from customer360.models.revenue.features import FEATURES, typed_features
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.prediction import predict_file
from customer360.models.sealed import write_sealed
from customer360_tests.models.test_revenue_prediction import model

BARE = FirstOrder(amount=80)
WHOLE = FirstOrder(
    amount=120.5,
    days_ago=40,
    items=3,
    freight=20.5,
    installments=6,
    delivery_days=12,
    review_score=4,
    category="Games",
    channel="web",
    payment_type="boleto",
    state="SP",
    country="BR",
)
UNDERWAY = FirstOrder(amount=60, days_ago=5, delivery_days=12, category="Books", country="BR")


def _row(number: int, order: FirstOrder, as_of: date) -> dict[str, object]:
    bought = pd.Timestamp(as_of) - pd.Timedelta(days=order.days_ago)
    delivered = (
        None if order.delivery_days is None else bought + pd.Timedelta(days=order.delivery_days)
    )
    return {
        "customer_id": f"c{number}",
        "ordered_at": f"{bought:%Y-%m-%d} 12:00:00",
        "amount": f"{order.amount:.2f}",
        "items": order.items,
        "freight": order.freight,
        "installments": order.installments,
        "delivered_on": None if delivered is None else f"{delivered:%Y-%m-%d}",
        "review_score": order.review_score,
        "reviewed_on": None if order.review_score is None else f"{as_of:%Y-%m-%d}",
        "category": order.category,
        "channel": order.channel,
        "payment_type": order.payment_type,
        "state": order.state,
        "country": order.country,
    }


def test_the_answer_is_what_the_pipeline_would_predict(tmp_path: Path) -> None:
    orders, as_of = (BARE, WHOLE, UNDERWAY), date(2025, 6, 30)
    rows = pd.DataFrame([_row(n, order, as_of) for n, order in enumerate(orders)])
    rows = rows.astype({"items": "Int64", "installments": "Int64", "review_score": "Int64"})
    # A delivery that is still to come is not in a file of that day.
    rows.loc[2, "delivered_on"] = None
    rows.to_csv(tmp_path / "orders.csv", index=False)
    predict_file(tmp_path / "orders.csv", tmp_path / "said.csv", model(), as_of=as_of)
    said = pd.read_csv(tmp_path / "said.csv").sort_values("customer_id")
    ours = [answer(model(), order) for order in orders]
    assert [each.expected_revenue for each in ours] == pytest.approx(
        said["expected_revenue"].tolist()
    )
    assert [each.purchase_probability for each in ours] == pytest.approx(
        said["purchase_probability"].tolist()
    )
    assert [each.reasons[0] for each in ours] == [
        *said[["reason_1", "reason_1_values"]].itertuples(index=False, name=None)
    ]


def test_features_are_those_of_one_order() -> None:
    row = typed_features(WHOLE.features()).iloc[0]
    assert list(row.index) == list(FEATURES)
    assert (row["frequency"], row["T"], row["orders"]) == (0, 40, 1)
    assert (row["purchase_days_30d"], row["purchase_days_90d"]) == (0, 1)
    assert (row["net_revenue_30d"], row["net_revenue_90d"]) == (0, 120.5)
    assert row["first_freight_share"] == pytest.approx(20.5 / 120.5)
    assert row["first_delivered"] == 1
    # What has not happened yet is not known.
    assert typed_features(UNDERWAY.features())["first_delivered"].iat[0] == 0


def test_the_form_offers_what_the_model_knows() -> None:
    known = known_values(model())
    assert known["first_category"] == ("Books", "Games", "Garden")
    assert set(known["state"]) == {"MG", "RJ", "SP"}
    alone = replace(model(), kind="blend", amount=None, parts=((1.0, model()),))
    assert known_values(alone) == known
    assert not any(known_values(RevenueModel("mean", 91)).values())


def test_models_that_cannot_answer(tmp_path: Path) -> None:
    with pytest.raises(RevenueModelError, match="learnt nothing"):
        answer(RevenueModel("none", 91), BARE)
    assert load(tmp_path / "none.pkl", b"secret") is None
    write_sealed(tmp_path / "broken.pkl", b"no pickle", b"secret")
    with pytest.raises(RevenueModelError, match="no readable revenue model"):
        load(tmp_path / "broken.pkl", b"secret")
