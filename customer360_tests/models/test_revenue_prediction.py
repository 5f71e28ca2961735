"""From silver tables to rows, a training and scores; and from a user's file to predictions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest
from pyspark.sql import DataFrame, SparkSession

from customer360.gold.customer_features import customer_features
from customer360.gold.first_orders import first_orders
from customer360.models.examples import made_up_customers
from customer360.models.notes import in_english
from customer360.models.outcomes import outcomes
from customer360.models.reasons import REASON_COLUMNS
from customer360.models.revenue import prediction
from customer360.models.revenue.features import FEATURES, revenue_features
from customer360.models.revenue.model import RevenueModel, RevenueModelError
from customer360.models.revenue.order_file import OrderFileError
from customer360.models.revenue.prediction import OUTPUT, predict_file
from customer360.models.revenue.reasons import reasons
from customer360.models.revenue.rows import BuyingHistory
from customer360.models.revenue.scoring import score
from customer360.models.revenue.training import RevenueOptions, train, train_on_rows
from customer360.models.sampling import DatedRows
from customer360.silver import customer_days
from customer360_tests.gold.frames import bought, day, returned, rows_of, table
from customer360_tests.gold.frames import customer_days as days_frame
from customer360_tests.gold.test_first_orders import HISTORY, TRANSACTIONS, order
from customer360_tests.models.data import SHOP_END, shop_rows
from customer360_tests.models.revenue_rows import AS_OF, GRID, HORIZON_DAYS, dated


@cache
def model() -> RevenueModel:
    return train_on_rows(DatedRows.of(dated(400), GRID), HORIZON_DAYS, AS_OF, nthread=1).model


def test_outcomes_are_of_the_days_after_up_to_the_horizon(spark: SparkSession) -> None:
    days = days_frame(
        spark,
        [
            bought("ana", "2024-03-31", 99),
            bought("ana", "2024-04-01", 10),
            returned("ana", "2024-04-30", 4),
            bought("ana", "2024-05-01", 50),
            returned("ben", "2024-04-02", 7),
        ],
    )
    found = outcomes(days, [day("2024-03-31"), day("2024-04-30")], 30)
    assert rows_of(found, "as_of", "customer_key", "revenue", "bought") == [
        (day("2024-03-31"), "ana", 6.0, 1),
        (day("2024-03-31"), "ben", -7.0, 0),
        (day("2024-04-30"), "ana", 50.0, 1),
    ]


def shop(spark: SparkSession) -> tuple[DataFrame, DataFrame, DataFrame]:
    """The made-up shop: regulars who buy every 20 days, and rare buyers."""
    orders = [
        order(str(who), on, str(amount), channel=channel, order_id=f"{who}-{on}")
        for who, on, _, _, _, amount, _, _, channel, *_ in shop_rows(customers=300)
        if isinstance(on, date)
    ]
    bought_there = table(spark, TRANSACTIONS, orders)
    return (
        customer_days.customer_days(bought_there),
        bought_there,
        table(spark, HISTORY, [("c0", "SP", "BR", datetime(2024, 1, 1), None)]),
    )


def test_a_training_of_silver_tables_and_its_scores(spark: SparkSession) -> None:
    days, bought_there, history = shop(spark)
    found = train(
        BuyingHistory(days, bought_there, history),
        SHOP_END,
        RevenueOptions(horizon_days=60, nthread=1),
    )
    assert found.trained
    assert found.parameters["test_as_of"] == str(SHOP_END - timedelta(days=60))
    assert found.metrics["test_rmse"] < found.metrics["baseline_mean_rmse"]
    assert found.sample.equals(made_up_customers(FEATURES))  # and nobody's row

    features = revenue_features(
        customer_features(days, [SHOP_END]), first_orders(bought_there, history, [SHOP_END])
    )
    scores = score(features, found.model, "customer360_revenue", "3").toPandas()
    assert len(scores) == features.count() == 300
    assert set(scores["model_version"]) == {"3"}
    assert (scores["horizon_days"] == 60).all()
    assert scores["expected_revenue"].between(0, 2_000).all()
    by_hand = features.where("customer_key = 'c0'").toPandas()
    (c0,) = scores[scores["customer_key"] == "c0"].to_dict("records")
    assert c0["expected_revenue"] == pytest.approx(found.model.predict(by_hand)[0])
    untold = score(features, found.model, "m", "3", with_reasons=False).toPandas()
    assert untold[list(REASON_COLUMNS)].isna().all(axis=None)
    amounts, same = (
        each.set_index("customer_key")["expected_revenue"].sort_index() for each in (scores, untold)
    )
    pd.testing.assert_series_equal(amounts, same)
    assert score(features, RevenueModel("none", 60), "m", "1").count() == 0
    with pytest.raises(RevenueModelError, match="lack loyalty_tier"):
        score(features, replace(found.model, features=(*FEATURES, "loyalty_tier")), "m", "1")


def test_a_history_too_short_to_test_leaves_the_mean(spark: SparkSession) -> None:
    rows = [
        order("ana", "2024-01-01", "10.00"),
        order("ben", "2024-01-02", "10.00"),
        order("ana", "2024-01-10", "30.00"),
    ]
    bought_there = table(spark, TRANSACTIONS, rows)
    days = customer_days.customer_days(bought_there)
    history = table(spark, HISTORY, [])
    found = train(BuyingHistory(days, bought_there, history), date(2024, 1, 13))
    assert in_english(found.because) == (
        "12 days of history are too short for 4 horizons of 7 days; everybody's "
        "prediction is the mean"
    )
    assert "the horizon is 7 instead of 91 days" in in_english(found.notes)
    assert (found.model.kind, found.model.mean_revenue, found.model.purchase_rate) == (
        "mean", 15.0, 0.5,
    )  # fmt: skip
    nothing = train(BuyingHistory(days, bought_there, history), date(2023, 12, 31))
    assert nothing.model.kind == "none"


def test_a_file_is_predicted_by_the_features_of_training(
    spark: SparkSession, tmp_path: Path
) -> None:
    source, target = tmp_path / "orders.csv", tmp_path / "out" / "predictions.csv"
    source.write_text(
        "customer_id,ordered_at,amount,category,channel,payment_type,installments,freight,items,"
        "delivered_on,state,country,kind\n"
        "ana,2024-03-01,120.50,Games,Web,card,3,20.50,2,2024-03-08,SP,BR,\n"
        "ben,2024-02-01 10:00,ten,Books,web,card,1,1,1,,SP,BR,\n"
        "ben,2024-03-31 18:30,15,Books,web,card,1,5,1,,SP,BR,\n"
        "cy,yesterday,9,Books,web,card,1,1,1,,SP,BR,\n"
        "dan,2024-03-05,10,Books,web,card,1,1,1,,SP,BR,sale\n"
        "dan,2024-03-05,10,Books,web,card,,,1,,SP,BR,refund\n"
    )
    found = predict_file(source, target, model())
    assert (found.rows, found.rejected_rows, found.customers) == (6, 2, 2)
    assert (found.without_purchase, found.as_of) == (1, date(2024, 3, 31))
    assert found.rejected == tmp_path / "out" / "predictions.csv.rejected.csv"
    listed = pd.read_csv(found.rejected)
    assert listed[["row", "customer_id", "column", "value"]].to_numpy().tolist() == [
        [2, "ben", "amount", "ten"],
        [4, "cy", "ordered_at", "yesterday"],
    ]
    made = pd.read_csv(target)
    assert list(made.columns) == OUTPUT.names
    assert made["customer_id"].tolist() == ["ana", "ben"]
    assert made["rejected_rows"].tolist() == [0, 1]
    assert made["horizon_days"].tolist() == [HORIZON_DAYS] * 2

    # The same customer through the silver tables.
    rows = [
        order("ana", "2024-03-01", "120.50", category="Games", channel="web", installments=3,
              freight=Decimal("20.50"), items=2, delivered_on="2024-03-08"),
    ]  # fmt: skip
    bought_there = table(spark, TRANSACTIONS, rows)
    history = table(spark, HISTORY, [("ana", "SP", "BR", datetime(2024, 3, 1), None)])
    as_of = [date(2024, 3, 31)]
    features = revenue_features(
        customer_features(customer_days.customer_days(bought_there), as_of),
        first_orders(bought_there, history, as_of),
    ).toPandas()
    (expected,) = model().predict(features)
    assert made.loc[0, "expected_revenue"] == pytest.approx(expected)
    why = reasons(model(), features)
    assert [made[name].iat[0] for name in REASON_COLUMNS] == why.iloc[0].tolist()

    # From a later day the silence is longer; Parquet holds the same columns; no list, no file.
    source.write_text("customer_id,ordered_at,amount\nana,2024-03-01,10\n")
    again = predict_file(source, tmp_path / "later.parquet", model(), as_of=date(2024, 6, 30))
    assert again.rejected is None
    later = pq.read_table(tmp_path / "later.parquet")
    assert later.schema == OUTPUT
    assert later["as_of"].to_pylist() == [date(2024, 6, 30)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "later.parquet",
        "orders.csv",
        "out",
    ]


def test_a_review_without_its_day_is_counted_and_a_mistyped_year_is_not_the_newest_day(
    tmp_path: Path,
) -> None:
    source = tmp_path / "orders.csv"
    source.write_text(
        "customer_id,ordered_at,amount,review_score,reviewed_on\n"
        "ana,2024-03-01,10,5,\n"
        "ana,2204-03-01,10,5,\n"
        "ben,2024-03-02,10,1,2024-03-02\n"
        "ben,2024-03-02,10,,\n"
    )
    found = prediction._sorted_out(source, tmp_path, as_of=None, today=date(2024, 4, 1))
    assert (found.rows, found.bad, found.undated_reviews) == (4, 1, 1)
    assert found.newest == date(2024, 3, 2)


def test_predictions_are_made_once_and_written_in_order_as_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def predicted(frame: pd.DataFrame, _: RevenueModel) -> pd.DataFrame:
        """Keeps each customer that it is asked for."""
        asked.extend(frame["customer_key"])
        said = {"expected_revenue": 1.5, "purchase_probability": 0.5, "horizon_days": 91}
        why = dict.fromkeys(REASON_COLUMNS) | {"reason_1": "home", "reason_1_values": "a, b"}
        return pd.DataFrame(said | why, index=frame.index)

    monkeypatch.setattr(prediction, "predictions", predicted)
    source, target = tmp_path / "orders.csv", tmp_path / "predictions.csv"
    rows = "".join(f"{who},2024-03-01,10\n" for who in ("cy", "=ana", "ben", "cy"))
    source.write_text(f"customer_id,ordered_at,amount\n{rows}")
    assert predict_file(source, target, model(), as_of=date(2024, 3, 31)).customers == 3
    made = pd.read_csv(target)
    assert list(made.columns) == OUTPUT.names
    # Not even a formula is changed: who joins the ids to their own table finds them.
    assert made["customer_id"].tolist() == ["=ana", "ben", "cy"]
    assert made["reason_1_values"].tolist() == ["a, b"] * 3
    assert asked == ["=ana", "ben", "cy"]


@pytest.mark.parametrize(("trained_at", "expected"), [(100, 91.0), (365, 24.93)])
def test_a_business_is_as_old_as_the_oldest_order_of_a_file_or_as_it_was_at_training(
    tmp_path: Path, trained_at: int, expected: float
) -> None:
    """100.00 in the last 100 days are 91.00 in the next 91, unless the business is older.

    A file of new customers says nothing of how long there have been others.
    """
    source, target = tmp_path / "orders.csv", tmp_path / "said.csv"
    source.write_text("customer_id,ordered_at,amount\nana,2024-01-01,60\nana,2024-04-01,40\n")
    rule = RevenueModel("last_year", 91, year_days=trained_at)
    predict_file(source, target, rule, as_of=date(2024, 4, 1))
    (row,) = pd.read_csv(target).to_dict("records")
    assert row["expected_revenue"] == pytest.approx(expected, abs=0.01)
    # The file's own orders are older than the training knew.
    earlier = source.read_text() + "bob,2023-01-01,10\n"
    source.write_text(earlier)
    predict_file(source, target, rule, as_of=date(2024, 4, 1))
    ana = pd.read_csv(target).set_index("customer_id").loc["ana", "expected_revenue"]
    assert ana == pytest.approx(24.93, abs=0.01)


def test_the_input_is_not_overwritten(tmp_path: Path) -> None:
    source = tmp_path / "orders.csv.rejected.csv"
    source.write_text("customer_id,ordered_at,amount\nana,2024-03-01,10\n")
    (tmp_path / "link").symlink_to(tmp_path)
    for target in (source, tmp_path / "link" / source.name, tmp_path / "orders.csv"):
        with pytest.raises(OrderFileError, match="would be replaced by what is written") as error:
            predict_file(source, target, model())
        assert "\n" not in str(error.value)
        assert source.read_text().endswith("10\n")


def test_a_file_without_a_good_row_writes_the_list_only(tmp_path: Path) -> None:
    source, target = tmp_path / "orders.csv", tmp_path / "predictions.csv"
    source.write_text("customer_id,ordered_at,amount\nana,never,10\n")
    with pytest.raises(OrderFileError, match="none of its 1 rows can be used; what is wrong is in"):
        predict_file(source, target, model())
    assert not target.exists()
    assert (tmp_path / "predictions.csv.rejected.csv").exists()
    with pytest.raises(OrderFileError, match=r"a name that ends in \.csv or \.parquet"):
        predict_file(source, tmp_path / "predictions.txt", model())
    with pytest.raises(OrderFileError, match="has learnt nothing yet"):
        predict_file(source, target, RevenueModel("none", 91))
