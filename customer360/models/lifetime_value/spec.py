"""The lifetime-value model, declared."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from customer360 import table_names
from customer360.models.spec import AMOUNT_FIGURES, Figure, History, ModelSpec
from customer360.models.training import Training
from customer360.table_names import CUSTOMER_DAYS, CUSTOMER_EQUITY, REVENUE_FORECAST

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from customer360.models.explanation import Explanation, ScoredCustomer
    from customer360.models.lifetime_value.scoring import LifetimeValueModel
    from customer360.models.lifetime_value.training import LifetimeValueTraining
    from customer360.models.notes import Note
    from customer360.models.tracking.form import ModelForm, StoredModel
    from customer360.models.tracking.stored import Champion
    from customer360.settings import Settings


class LifetimeValueSpec(ModelSpec["LifetimeValueModel"]):
    """How often customers come back, and what they are worth."""

    name = "lifetime_value"
    description = (
        "BG/NBD, MBG/NBD or Pareto/NBD, and Gamma-Gamma, with rules of thumb beside where these "
        "come nearer: who is still a customer, how often each will buy and what each is worth. "
        "Judged on a holdout period, beside naive rules."
    )
    kinds = frozenset({"python", "mlflow"})
    scores = table_names.LIFETIME_VALUE
    also_makes = (REVENUE_FORECAST, CUSTOMER_EQUITY)
    leaks_checked = False

    purpose = (
        "How probably each customer is still one, how often they will buy and what they are worth."
    )
    target = (
        "Repeat purchase days and net revenue (refunds deducted) of the {holdout_days} days after "
        "the calibration period, by customers who had bought in it. A purchase is a customer and a "
        "business date."
    )
    limits = (
        "Knows neither seasons nor campaigns of a customer, who buys at a steady rate until "
        "leaving for good; the forecast of all together knows months where they told later weeks "
        "better.",
        "Order values are taken as independent of how often a customer buys.",
        "New customers are in no score before their first purchase.",
    )

    own_prefix = ""
    compared: ClassVar[Mapping[str, Sequence[str]]] = {
        f"{amount} a customer": tuple(f"{amount}_{figure}" for figure in AMOUNT_FIGURES)
        for amount in ("purchases", "revenue")
    } | {"who comes back": ("returned_brier", "returned_log_loss")}

    watched = ("probability_alive", "expected_purchases_90d", "expected_revenue_90d")
    judged: ClassVar[Mapping[str, str]] = {
        "expected_purchases_90d": "actual_purchases",
        "expected_revenue_90d": "actual_revenue",
    }
    judged_days = 90

    @property
    def numeric_features(self) -> tuple[str, ...]:
        """The history of purchases in four numbers, and what rules of thumb carry on."""
        from customer360.models.lifetime_value.validation import HOLDOUT_FEATURES

        return HOLDOUT_FEATURES

    @property
    def categorical_features(self) -> tuple[str, ...]:
        """None: the models of purchases and spend know numbers alone."""
        return ()

    @property
    def naive_rules(self) -> tuple[str, ...]:
        """Every naive rule: each predicts purchases and revenue."""
        from customer360.models.baselines import NAIVE_RULES

        return NAIVE_RULES

    @property
    def figures(self) -> tuple[Figure, ...]:
        """Errors of purchases and of revenue."""
        return tuple(
            Figure(
                label,
                figure,
                {name.replace("_", " "): f"baseline_{name}_{figure}" for name in self.naive_rules},
                "lower",
            )
            for label, figure in (
                ("Purchases a customer, mean absolute error", "purchases_mae"),
                ("Purchases a customer, root mean squared error", "purchases_rmse"),
                ("Revenue a customer, mean absolute error", "revenue_mae"),
            )
        )

    def features_of(self, model: LifetimeValueModel) -> tuple[str, ...]:
        """Without those of rules of thumb where they have no say."""
        return model.features

    def promotion_figure(self, settings: Settings) -> str:
        """As set; an error of purchases or of revenue."""
        return settings.lifetime_value_promotion_figure

    def train(
        self, history: History, champion: Champion[LifetimeValueModel] | None
    ) -> LifetimeValueTraining:
        """On everything up to the day, judged on a holdout; purchase model and time unit as set."""
        from customer360.models.lifetime_value.candidates import Terms
        from customer360.models.lifetime_value.training import train

        settings = history.settings
        return train(
            history.read(CUSTOMER_DAYS),
            history.as_of,
            model=settings.lifetime_value_model,
            holdout_days=settings.lifetime_value_holdout_days,
            terms=Terms(settings.lifetime_value_time_unit_days, settings.discount_rate_annual),
            champion=champion.judged if champion else None,
        )

    def compare(
        self, training: Training[LifetimeValueModel], history: History
    ) -> tuple[Mapping[str, float], Sequence[Note]]:
        """Beside the `lifetimes` package too, on the same holdout."""
        from customer360.models.lifetime_value.beside_lifetimes import beside_lifetimes

        return beside_lifetimes(training, history)

    def score(
        self,
        features: DataFrame,
        model: LifetimeValueModel,
        model_name: str,
        model_version: str,
        settings: Settings,
    ) -> DataFrame:
        """Every customer."""
        from customer360.models.lifetime_value.scores_table import score

        return score(
            features,
            model,
            model_name,
            model_version,
            intervals=settings.lifetime_value_intervals,
        )

    def explain(self, about: ScoredCustomer) -> Explanation | None:
        """All figures with their intervals."""
        from customer360.models.lifetime_value.explanation import explanation

        return explanation(about.scores) if about.scores else None

    def identity(self, model: LifetimeValueModel) -> bytes:
        """Its JSON, which is all of it."""
        return model.to_json().encode()

    def form(self, training: Training[LifetimeValueModel]) -> ModelForm:
        """Its parameters alone; the judged model's beside them."""
        from mlflow.models import infer_signature

        from customer360.models.tracking.form import ModelForm

        model, example = training.model, training.sample.astype("float64")
        judged = ""
        if training.judged:
            other, saw_until = training.judged
            judged = json.dumps({"as_of": saw_until.isoformat(), "model": other.to_json()})
        return ModelForm(
            Path(__file__).with_name("served.py"),
            model.to_json(),
            example,
            infer_signature(example, model.predict(example)),
            judged=judged,
        )

    def restored(self, stored: StoredModel) -> LifetimeValueModel:
        """From its JSON."""
        from customer360.models.lifetime_value.scoring import LifetimeValueModel

        return LifetimeValueModel.from_json(stored.parameters)

    def restored_judged(self, stored: StoredModel) -> tuple[LifetimeValueModel, date] | None:
        """From the JSON of the calibration's model."""
        from customer360.models.lifetime_value.scoring import LifetimeValueModel

        if not stored.judged:
            return None
        given = json.loads(stored.judged)
        saw_until = date.fromisoformat(given["as_of"])
        return LifetimeValueModel.from_json(given["model"]), saw_until


LIFETIME_VALUE = LifetimeValueSpec()
