"""The table of a model's figures beside those of others."""

from __future__ import annotations

import pytest

from customer360.models.comparison import (
    as_markdown,
    by_model,
    comparison,
    differences,
    differences_by_other,
    higher_is_better,
    loss,
)

CHURN = {
    "test_roc_auc": 0.70,
    "test_roc_auc_low": 0.65,
    "test_roc_auc_high": 0.75,
    "test_brier": 0.20,
    "test_rows": 100.0,
    "baseline_hiatus_rule_roc_auc": 0.61,
    "baseline_logistic_regression_roc_auc": 0.72,
    "baseline_hiatus_rule_brier": 0.24,
    "champion_brier": 0.21,
    "profit_best": 12.0,
}


def test_figures_stand_beside_those_of_baselines_and_champion() -> None:
    table = comparison(CHURN).set_index("figure")
    assert list(table.index) == ["roc_auc", "brier"]
    auc = table.loc["roc_auc"]
    assert (auc["model"], auc["low"], auc["high"]) == (0.70, 0.65, 0.75)
    assert (auc["hiatus_rule"], auc["logistic_regression"]) == (0.61, 0.72)
    assert auc["best"] == "logistic_regression"
    brier = table.loc["brier"]
    assert brier[["low", "high"]].isna().all()
    assert brier["champion"] == 0.21
    assert brier["best"] == "model"


def test_a_longer_figure_is_not_taken_for_a_shorter_one() -> None:
    table = comparison(
        {
            "mae": 3.0,
            "revenue_mae": 1.0,
            "baseline_past_average_revenue_mae": 0.5,
            "candidate_mbg_nbd_mae": 2.0,
        }
    ).set_index("figure")
    assert table.loc["revenue_mae", "past_average"] == 0.5
    assert table.loc["mae", "mbg_nbd"] == 2.0
    assert list(table["best"]) == ["mbg_nbd", "past_average"]


@pytest.mark.parametrize(
    ("figure", "higher"),
    [
        ("roc_auc", True),
        ("lift_10", True),
        ("purchases_spearman", True),
        ("revenue_normalized_gini", True),
        ("revenue_top_decile_capture", True),
        ("brier", False),
        ("purchases_rmse", False),
        ("decile_mape", False),
    ],
)
def test_which_way_is_better(figure: str, higher: bool) -> None:
    assert higher_is_better(figure) is higher
    assert (loss(figure, 2.0) < loss(figure, 1.0)) is higher


def test_a_bias_is_better_the_nearer_to_zero() -> None:
    assert loss("purchases_bias", -0.1) < loss("purchases_bias", 0.5)


def test_a_ratio_of_totals_is_better_the_nearer_to_one() -> None:
    assert loss("revenue_total_ratio", 0.9) < loss("revenue_total_ratio", 1.5)


def test_markdown_shows_the_best_with_a_star_and_what_is_missing_as_empty() -> None:
    lines = as_markdown(comparison(CHURN)).splitlines()
    assert lines[0] == (
        "| Figure | Model | 90% interval | Hiatus rule | Logistic regression | Model in use |"
    )
    assert lines[2] == "| ROC AUC | 0.7 | 0.65 to 0.75 | 0.61 | 0.72* |  |"
    assert lines[3] == "| Brier score | 0.2* |  | 0.24 |  | 0.21 |"


def test_without_others_there_is_nothing_to_compare() -> None:
    assert comparison({"test_brier": 0.2}).empty
    assert as_markdown(comparison({})) == "Nothing was tested.\n"


def test_differences_say_which_way_and_whether_it_may_be_chance() -> None:
    """Losses are logged: of an area more loss is less area."""
    logged = {
        "paired_hiatus_rule_brier": -0.04,
        "paired_hiatus_rule_brier_low": -0.05,
        "paired_hiatus_rule_brier_high": -0.03,
        "paired_hiatus_rule_roc_auc": -0.09,
        "paired_hiatus_rule_roc_auc_low": -0.1,
        "paired_hiatus_rule_roc_auc_high": -0.08,
        "paired_logistic_regression_brier": 0.002,
        "paired_logistic_regression_brier_low": 0.001,
        "paired_logistic_regression_brier_high": 0.003,
        "paired_logistic_regression_roc_auc": 0.001,
        "paired_logistic_regression_roc_auc_low": -0.001,
        "paired_logistic_regression_roc_auc_high": 0.002,
    }
    table = differences(CHURN | logged)
    assert table.to_numpy().tolist() == [
        ["hiatus_rule", "brier", -0.04, -0.05, -0.03, "better"],
        ["hiatus_rule", "roc_auc", 0.09, 0.08, 0.1, "better"],
        ["logistic_regression", "brier", 0.002, 0.001, 0.003, "worse"],
        ["logistic_regression", "roc_auc", -0.001, -0.002, 0.001, ""],
    ]
    shown = differences_by_other(table)
    assert list(shown.columns) == ["Beside", "Brier score", "ROC AUC"]
    assert shown.to_numpy().tolist() == [
        ["Hiatus rule", "-0.04 (-0.05 to -0.03) better", "0.09 (0.08 to 0.1) better"],
        ["Logistic regression", "0.002 (0.001 to 0.003) worse", "-0.001 (-0.002 to 0.001)"],
    ]
    assert differences(CHURN).empty
    assert differences_by_other(differences(CHURN)).empty
    # They are no figures of the model's own.
    assert list(comparison(CHURN | logged)["figure"]) == ["roc_auc", "brier"]


def test_differences_of_two_amounts_are_told_apart() -> None:
    logged = {
        f"paired_last_year_{amount}_mae{end}": value + shift
        for amount, value in (("purchases", -0.5), ("revenue", 20.0))
        for end, shift in (("", 0.0), ("_low", -0.25), ("_high", 0.25))
    }
    assert differences(logged).to_numpy().tolist() == [
        ["last_year", "purchases_mae", -0.5, -0.75, -0.25, "better"],
        ["last_year", "revenue_mae", 20.0, 19.75, 20.25, "worse"],
    ]
    (shown,) = differences_by_other(differences(logged)).to_dict("records")
    assert shown == {
        "Beside": "Same as last year",
        "Mean absolute error (MAE), purchases": "-0.5 (-0.75 to -0.25) better",
        "Mean absolute error (MAE), revenue": "20 (19.75 to 20.25) worse",
    }


def test_by_model_has_a_row_a_model_and_its_interval() -> None:
    rows = by_model(comparison(CHURN), ["roc_auc", "brier"])
    assert list(rows.columns) == ["model", "roc auc", "brier"]
    assert rows.to_numpy().tolist() == [
        ["model", "0.7", "0.2*"],
        ["  90 % from", "0.65", ""],
        ["  90 % to", "0.75", ""],
        ["hiatus rule", "0.61", "0.24"],
        ["logistic regression", "0.72*", ""],
        ["champion", "", "0.21"],
    ]


def test_by_model_leaves_out_what_all_names_begin_with() -> None:
    table = comparison(
        {f"test_new_customers_{name}": 1.0 for name in ("mae", "rmse")}
        | {f"baseline_mean_new_customers_{name}": 1e-12 for name in ("mae", "rmse")}
    )
    rows = by_model(table, ["new_customers_mae", "new_customers_rmse"])
    assert list(rows.columns) == ["model", "mae", "rmse"]
    assert rows.to_numpy().tolist() == [["model", "1", "1"], ["mean", "0*", "0*"]]
    assert by_model(table, ["brier"]).empty
