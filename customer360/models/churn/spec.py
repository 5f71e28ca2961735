"""The churn model, declared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from customer360.models.spec import Figure, History, ModelSpec
from customer360.models.training import Training
from customer360.table_names import CHURN_SCORES, CUSTOMER_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from customer360.models.churn.model import ChurnModel
    from customer360.models.churn.training import ChurnTraining
    from customer360.models.explanation import Explanation, ScoredCustomer
    from customer360.models.tracking.form import ModelForm, StoredModel
    from customer360.models.tracking.stored import Champion
    from customer360.settings import Settings

_TREES = "model.ubj"
"""File with XGBoost's trees among the files that MLflow keeps with the model."""


class ChurnSpec(ModelSpec["ChurnModel"]):
    """Which active customers will buy nothing for a while."""

    name = "churn"
    description = (
        "XGBoost and logistic regression: who of the active customers will buy nothing in the "
        "horizon. Trained on earlier as-of dates, tested on a later one, beside the hiatus rule."
    )
    kinds = frozenset({"xgboost", "mlflow"})
    scores = CHURN_SCORES

    purpose = "Which active customers will buy nothing for a while, for deciding whom to contact."
    target = (
        "1 when a customer with a purchase in the {activity_window_days} days up to the as-of date "
        "buys nothing in the {horizon_days} days after it."
    )
    limits = (
        "Who was silent for longer than the activity window has no score.",
        "A churn probability is not the effect of a campaign: some would stay without it.",
    )

    naive_rules = ("hiatus_rule", "base_rate")
    figures = (
        Figure(
            "ROC AUC",
            "test_roc_auc",
            {
                "hiatus rule": "baseline_hiatus_rule_roc_auc",
                "longest silence first": "baseline_recency_ranking_roc_auc",
                "logistic regression": "baseline_logistic_regression_roc_auc",
            },
            "higher",
        ),
        Figure(
            "Brier score",
            "test_brier",
            {
                "hiatus rule": "baseline_hiatus_rule_brier",
                "base rate": "baseline_base_rate_brier",
                "logistic regression": "baseline_logistic_regression_brier",
            },
            "lower",
        ),
        Figure(
            "Lift in the riskiest tenth",
            "test_lift_10",
            {
                "hiatus rule": "baseline_hiatus_rule_lift_10",
                "longest silence first": "baseline_recency_ranking_lift_10",
            },
            "higher",
        ),
    )
    compared: ClassVar[Mapping[str, Sequence[str]]] = {
        "ranking": ("roc_auc", "pr_auc", "lift_5", "lift_10", "lift_20"),
        "probabilities": ("brier", "log_loss", "calibration_error"),
    }

    watched = ("churn_probability",)
    judged: ClassVar[Mapping[str, str]] = {"churn_probability": "actual"}
    explained_by_champion = True

    @property
    def numeric_features(self) -> tuple[str, ...]:
        """What was bought so far, in numbers."""
        from customer360.models.churn.features import NUMERIC_FEATURES

        return NUMERIC_FEATURES

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """What and where was bought last."""
        from customer360.models.churn.features import CATEGORICAL_FEATURES

        return CATEGORICAL_FEATURES

    def promotion_figure(self, settings: Settings) -> str:
        """As set; a figure of probabilities or of a ranking."""
        return settings.churn_promotion_figure

    def train(self, history: History, champion: Champion[ChurnModel] | None) -> ChurnTraining:
        """On labels that are complete; windows, limits and the campaign's costs as set."""
        from customer360.models.campaign import Campaign
        from customer360.models.churn.training import ChurnOptions, train

        settings = history.settings
        options = ChurnOptions(
            horizon_days=settings.churn_horizon_days,
            activity_days=settings.churn_activity_days,
            max_training_rows=settings.churn_max_training_rows,
            smallest_group=settings.published_group_min,
            trainer=settings.churn_trainer,
            campaign=Campaign.of(settings),
        )
        return train(
            history.read(CUSTOMER_DAYS),
            history.as_of,
            options,
            champion=champion.model if champion else None,
        )

    def score(
        self,
        features: DataFrame,
        model: ChurnModel,
        model_name: str,
        model_version: str,
        settings: Settings,
    ) -> DataFrame:
        """The customers who are active on the day."""
        from customer360.models.churn.scoring import score

        return score(
            features, model, model_name, model_version, with_reasons=settings.score_reasons
        )

    def outcomes(
        self,
        scores: DataFrame,
        customer_days: DataFrame,
        as_of: Sequence[date],
        horizon_days: int,
    ) -> DataFrame:
        """Who has bought nothing in the horizon."""
        from customer360.models.monitoring import churn_outcomes

        return churn_outcomes(scores, customer_days, as_of, horizon_days)

    def explain(self, about: ScoredCustomer) -> Explanation:
        """The probability, and what speaks for and against leaving by the version of today."""
        from customer360.models.churn.explanation import explanation

        return explanation(about)

    def identity(self, model: ChurnModel) -> bytes:
        """Its JSON and the trees."""
        return model.to_json().encode() + model.booster

    def form(self, training: Training[ChurnModel]) -> ModelForm:
        """The calibrated model on features as they are in gold; a fallback needs the silence."""
        import pandas as pd

        from customer360.models.tracking.form import ModelForm, declared_signature

        model, example = training.model, training.sample
        if not model.learnt:
            example = pd.DataFrame({"days_since_last_purchase": [10.0, 100.0]})
        return ModelForm(
            Path(__file__).with_name("served.py"),
            model.to_json(),
            example,
            declared_signature(example, self.categorical_features, ["churn_probability"]),
            {"trees": (_TREES, model.booster)} if model.booster else {},
        )

    def restored(self, stored: StoredModel) -> ChurnModel:
        """From its JSON and the trees."""
        from customer360.models.churn.model import ChurnModel

        return ChurnModel.from_json(stored.parameters, stored.file(_TREES))


CHURN = ChurnSpec()
