"""A fourth model, declared as the others are: the share of one-time buyers, for everybody."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from customer360.models.explanation import Explanation, ScoredCustomer
from customer360.models.spec import Figure, History, ModelSpec
from customer360.models.training import Training
from customer360.table_names import CUSTOMER_DAYS

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from customer360.models.tracking import Champion
    from customer360.models.tracking.form import ModelForm, StoredModel
    from customer360.settings import Settings


@dataclass(frozen=True)
class Toy:
    """What it has learnt: the share of customers who bought on one day only."""

    share: float


@dataclass(frozen=True, kw_only=True)
class ToyTraining(Training[Toy]):
    """One training of it."""

    @property
    def definition(self) -> str:
        return f"who comes back, as of {self.as_of}"


class ToySpec(ModelSpec[Toy]):
    """Who bought once and never again."""

    name = "one_time_buyers"
    description = "The share of customers who bought once, for everybody."
    kinds = frozenset({"python"})
    scores = "gold/one_time_buyers"
    purpose = "Who bought once and never again."
    target = "1 when a customer of the {customers} has bought on one day only."
    limits = ("Knows one number.",)
    naive_rules = ("nobody",)
    figures = (Figure("Brier score", "test_brier", {"nobody": "baseline_nobody_brier"}, "lower"),)
    compared: ClassVar[Mapping[str, Sequence[str]]] = {"probabilities": ("brier",)}
    leaks_checked = False
    watched = ("churn_probability",)
    judged: ClassVar[Mapping[str, str]] = {"churn_probability": "actual_purchases"}
    numeric_features = ("frequency",)
    categorical_features = ()

    def promotion_figure(self, settings: Settings) -> str:
        return "brier"

    def train(self, history: History, champion: Champion[Toy] | None) -> ToyTraining:
        import pandas as pd

        days = history.read(CUSTOMER_DAYS).groupBy("customer_key").count().toPandas()["count"]
        once = (days == 1).astype(float)
        share = float(once.mean())
        metrics = {
            "test_brier": float(((once - share) ** 2).mean()),
            "baseline_nobody_brier": float(once.mean()),
        }
        if champion:
            metrics["champion_brier"] = float(((once - champion.model.share) ** 2).mean())
        return ToyTraining(
            model=Toy(share),
            parameters={"customers": len(days)},
            metrics=metrics,
            plots={},
            sample=pd.DataFrame({"frequency": [0.0, 1.0]}),
            as_of=history.as_of,
        )

    def score(
        self,
        features: DataFrame,
        model: Toy,
        model_name: str,
        model_version: str,
        settings: Settings,
    ) -> DataFrame:
        from pyspark.sql import functions as F

        from customer360.models.reasons import REASON_COLUMNS

        none = F.lit(None).cast("string")
        return features.select(
            "as_of",
            "customer_key",
            F.lit(model.share).alias("churn_probability"),
            F.lit("low").alias("risk"),
            *(none.alias(name) for name in REASON_COLUMNS),
            F.lit(14).alias("horizon_days"),
            F.lit(28).alias("activity_window_days"),
            F.lit(model_name).alias("model_name"),
            F.lit(model_version).alias("model_version"),
        )

    def explain(self, about: ScoredCustomer) -> Explanation | None:
        if about.scores is None:
            return None
        return Explanation(about.scores, f"{about.scores['churn_probability']:.0%} buy once")

    def identity(self, model: Toy) -> bytes:
        return repr(model.share).encode()

    def form(self, training: Training[Toy]) -> ModelForm:
        from customer360.models.tracking.form import ModelForm, declared_signature

        example: Any = training.sample
        return ModelForm(
            Path(__file__).with_name("toy_served.py"),
            repr(training.model.share),
            example,
            declared_signature(example, (), ["churn_probability"]),
        )

    def restored(self, stored: StoredModel) -> Toy:
        return Toy(float(stored.parameters))


TOY = ToySpec()
