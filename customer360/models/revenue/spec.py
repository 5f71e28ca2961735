"""The revenue model, declared."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from customer360.models.sealed import SECRET, write_sealed
from customer360.models.spec import AMOUNT_FIGURES, Figure, History, ModelSpec, ReadTable
from customer360.models.training import Training
from customer360.table_names import (
    CUSTOMER_DAYS,
    FEATURES,
    FIRST_ORDERS,
    HISTORY,
    REVENUE_PREDICTIONS,
    TRANSACTIONS,
)

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from customer360.models.explanation import Explanation, ScoredCustomer
    from customer360.models.revenue.model import RevenueModel
    from customer360.models.revenue.training import RevenueTraining
    from customer360.models.tracking.form import ModelForm, StoredModel
    from customer360.models.tracking.stored import Champion
    from customer360.settings import Settings

_PICKLE = "revenue.pkl"
"""File with the model among those that MLflow keeps; scikit-learn has no other form for it."""


class RevenueSpec(ModelSpec["RevenueModel"]):
    """What each customer will bring in the days ahead."""

    name = "revenue"
    description = (
        "scikit-learn and XGBoost: what each customer will bring in the days ahead, from the "
        "first order and the buying since. Tested on a later date, beside the mean and rules "
        "of thumb."
    )
    kinds = frozenset({"scikitlearn", "xgboost", "mlflow"})
    learns_from = (CUSTOMER_DAYS, TRANSACTIONS, HISTORY)
    scored_from = (FEATURES, FIRST_ORDERS)
    scores = REVENUE_PREDICTIONS

    purpose = (
        "How much each customer will bring in the days ahead, from the first order and the buying "
        "since; for new customers too."
    )
    target = (
        "Net revenue (refunds deducted) of a customer in the {horizon_days} days after the as-of "
        "date, of all who had bought by then."
    )
    limits = (
        "Learnt from what there was to buy and from the season of the training dates.",
        "Written in scikit-learn's pickles: read them only from where you trust.",
    )

    naive_rules = ("mean", "past_average", "last_year")
    figures = tuple(
        Figure(
            label,
            f"test_{figure}",
            {
                name.replace("_", " "): f"baseline_{name}_{figure}"
                for name in ("mean", "linear", "past_average", "last_year")
            },
            better,
        )
        for label, figure, better in (
            ("Revenue a customer, root mean squared error", "rmse", "lower"),
            ("Revenue a customer, rank correlation", "spearman", "higher"),
        )
    )
    compared: ClassVar[Mapping[str, Sequence[str]]] = {
        "revenue a customer": AMOUNT_FIGURES,
        "of new customers": tuple(f"new_customers_{figure}" for figure in AMOUNT_FIGURES),
    }

    watched = ("expected_revenue", "purchase_probability")
    judged: ClassVar[Mapping[str, str]] = {"expected_revenue": "actual_revenue"}

    @property
    def numeric_features(self) -> tuple[str, ...]:
        """The buying so far and the first order, in numbers."""
        from customer360.models.revenue.features import NUMERIC_FEATURES

        return NUMERIC_FEATURES

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """Texts of both, and where the customer lives."""
        from customer360.models.revenue.features import CATEGORICAL_FEATURES

        return CATEGORICAL_FEATURES

    def promotion_figure(self, settings: Settings) -> str:
        """As set; an error of amounts or a figure of their order."""
        return settings.revenue_promotion_figure

    def train(self, history: History, champion: Champion[RevenueModel] | None) -> RevenueTraining:
        """On labels that are complete; horizon and limits as set."""
        from customer360.models.revenue.rows import BuyingHistory
        from customer360.models.revenue.training import RevenueOptions, train

        settings = history.settings
        options = RevenueOptions(
            horizon_days=settings.revenue_horizon_days,
            max_training_rows=settings.revenue_max_training_rows,
            smallest_group=settings.published_group_min,
        )
        return train(
            BuyingHistory(
                history.read(CUSTOMER_DAYS),
                history.read(TRANSACTIONS),
                history.read(HISTORY),
                history.time_zone,
            ),
            history.as_of,
            options,
            champion=champion.model if champion else None,
        )

    def feature_frame(self, read: ReadTable) -> DataFrame:
        """The buying so far and the first order."""
        from customer360.models.revenue.features import revenue_features

        return revenue_features(read(FEATURES), read(FIRST_ORDERS))

    def score(
        self,
        features: DataFrame,
        model: RevenueModel,
        model_name: str,
        model_version: str,
        settings: Settings,
    ) -> DataFrame:
        """Every customer."""
        from customer360.models.revenue.scoring import score

        return score(
            features, model, model_name, model_version, with_reasons=settings.score_reasons
        )

    def explain(self, about: ScoredCustomer) -> Explanation | None:
        """What is expected, and why it is more or less than of the average customer."""
        from customer360.models.revenue.explanation import explanation

        return explanation(about.scores) if about.scores else None

    def identity(self, model: RevenueModel) -> bytes:
        """What its pipelines have learnt: pickles of the same model are not the same."""
        return model.fingerprint().encode()

    def form(self, training: Training[RevenueModel]) -> ModelForm:
        """The model as a pickle, and what it is in JSON for people."""
        from customer360.models.tracking.form import ModelForm, declared_signature

        model, example = training.model, training.sample
        described = {
            "kind": model.kind,
            "horizon_days": model.horizon_days,
            "features": model.features,
            "versions": model.versions,
        }
        outputs = ["expected_revenue", "purchase_probability"]
        return ModelForm(
            Path(__file__).with_name("served.py"),
            json.dumps(described, indent=2),
            example,
            declared_signature(example, self.categorical_features, outputs),
            {"pipelines": (_PICKLE, model.dumps())},
        )

    def restored(self, stored: StoredModel) -> RevenueModel:
        """Raises `RevenueModelError` where other versions of its libraries made it."""
        from customer360.models.revenue.model import RevenueModel

        return RevenueModel.loads(stored.file(_PICKLE))

    def export(self, settings: Settings, champion: Callable[[], Champion[RevenueModel]]) -> None:
        """The champion as a plain pickle, for `customer360 predict` and other programs."""
        contents = champion().model.dumps()
        write_sealed(settings.revenue_pickle, contents, settings.kept_secret(SECRET))


REVENUE = RevenueSpec()
