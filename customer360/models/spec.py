"""What a model declares: one subclass of `ModelSpec` says all that the rest of the house must know.

Facts (names, tables, figures, words of the card) are attributes and cost nothing to import: the
command line's help and the lineage are made of them. What computes (training, scoring, explaining)
is behind methods, which import it when they are called.

A new model is its package with such a subclass, and a line in `customer360.models.registry`. Its
scores are a table in gold like any other, with a contract.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, ClassVar, Generic

from customer360.models.training import Model, Training
from customer360.table_names import CUSTOMER_DAYS, FEATURES

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from customer360.models.explanation import Explanation, ScoredCustomer
    from customer360.models.notes import Note
    from customer360.models.promotion import Gate
    from customer360.models.tracking.form import ModelForm, StoredModel
    from customer360.models.tracking.stored import Champion
    from customer360.settings import Settings

ReadTable = Callable[[str], "DataFrame"]
"""A table of the lakehouse by its name, ``layer/table``."""

AMOUNT_FIGURES = (
    "mae",
    "rmse",
    "bias",
    "spearman",
    "normalized_gini",
    "decile_mape",
    "top_decile_capture",
)
"""What a screen has room for, of a model that predicts an amount."""


@dataclass(frozen=True)
class Figure:
    """A model's figure beside the naive baselines', as a summary shows it.

    Attributes:
        label: What is measured, in words.
        metric: Metric of the model.
        baselines: Metrics of the baselines, by the baseline's name in words.
        better: Whether a lower or a higher figure is better.
    """

    label: str
    metric: str
    baselines: Mapping[str, str]
    better: str


@dataclass(frozen=True)
class History:
    """What a training learns from.

    Attributes:
        read: Tables of silver.
        as_of: Last day to learn from.
        settings: The deployment's: horizons, limits, costs.
        time_zone: Where the business's days begin and end.
    """

    read: ReadTable
    as_of: date
    settings: Settings
    time_zone: str


class ModelSpec(ABC, Generic[Model]):
    """A model, declared.

    Attributes:
        name: As tables and settings name it: ``lifetime_value``.
        description: What it says and how it is judged, for the lineage.
        kinds: Technologies that the lineage shows.
        learns_from: Tables of silver that a training reads.
        scored_from: Snapshots in gold that its features are made of.
        scores: The table in gold that it scores customers into, with ``model_version``.
        also_makes: Further tables in gold that are made with it.
        leaks_checked: Whether its training looks for features that know the label.
        purpose: What it is for, in a sentence.
        target: What it predicts; parameters of a training in braces.
        limits: What it does not know.
        compared: Figures that a screen has room for, by what they are of.
        own_prefix: What the names of its own figures begin with among the metrics.
        watched: Columns of its scores whose drift is watched.
        judged: Column of what came, by the column of the scores that predicted it.
        judged_days: What the judged columns look ahead; ``None``: the column ``horizon_days``.
        explained_by_champion: Whether explaining a score needs the model that scores today.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    kinds: ClassVar[frozenset[str]]
    learns_from: ClassVar[tuple[str, ...]] = (CUSTOMER_DAYS,)
    scored_from: ClassVar[tuple[str, ...]] = (FEATURES,)
    scores: ClassVar[str]
    also_makes: ClassVar[tuple[str, ...]] = ()
    leaks_checked: ClassVar[bool] = True
    purpose: ClassVar[str]
    target: ClassVar[str]
    limits: ClassVar[tuple[str, ...]]
    compared: ClassVar[Mapping[str, Sequence[str]]]
    own_prefix: ClassVar[str] = "test_"
    watched: ClassVar[tuple[str, ...]]
    judged: ClassVar[Mapping[str, str]]
    judged_days: ClassVar[int | None] = None
    explained_by_champion: ClassVar[bool] = False

    @property
    def asset(self) -> str:
        """The model in the lineage: ``models/lifetime_value``."""
        return f"models/{self.name}"

    @property
    def registered(self) -> str:
        """Its name in MLflow's registry, also written beside its scores."""
        return f"customer360_{self.name}"

    @property
    def title(self) -> str:
        """As people and the command line know it: ``lifetime-value``."""
        return self.name.replace("_", "-")

    @property
    def label(self) -> str:
        """In a sentence: ``lifetime value``."""
        return self.name.replace("_", " ")

    @property
    @abstractmethod
    def numeric_features(self) -> tuple[str, ...]:
        """Columns of its features that it reads as numbers."""

    @property
    @abstractmethod
    def categorical_features(self) -> tuple[str, ...]:
        """Columns of its features that it reads as categories."""

    @property
    def features(self) -> tuple[str, ...]:
        """All columns that it reads, in order."""
        return (*self.numeric_features, *self.categorical_features)

    def features_of(self, model: Model) -> tuple[str, ...]:
        """Columns that this very model reads: all `features`, where it says no other."""
        return self.features

    @property
    @abstractmethod
    def figures(self) -> Sequence[Figure]:
        """What a summary shows of it."""

    @property
    @abstractmethod
    def naive_rules(self) -> Sequence[str]:
        """The baselines that a new version must beat, as its metrics name them."""

    @abstractmethod
    def promotion_figure(self, settings: Settings) -> str:
        """The figure that decides which version scores."""

    def gate(self, figure: str, margin: float) -> Gate:
        """What a new version must beat to score.

        Args:
            figure: Which figure counts.
            margin: Share by which the champion must be beaten: 0.01 asks for one per cent.
        """
        from customer360.models.comparison import PAIRED
        from customer360.models.promotion import Gate

        return Gate(
            figure,
            f"{self.own_prefix}{figure}",
            f"champion_{figure}",
            {name: f"baseline_{name}_{figure}" for name in self.naive_rules},
            {name: f"{PAIRED}{name}_{figure}_low" for name in self.naive_rules},
            margin,
        )

    @abstractmethod
    def train(self, history: History, champion: Champion[Model] | None) -> Training[Model]:
        """Learn from the history, and judge beside naive rules and the champion.

        Never fails for want of data: a fallback takes the place of what cannot be learnt.
        """

    def compare(
        self, training: Training[Model], history: History
    ) -> tuple[Mapping[str, float], Sequence[Note]]:
        """Metrics and notes of a training, with those of others who are judged for people only."""
        return training.metrics, training.notes

    def feature_frame(self, read: ReadTable) -> DataFrame:
        """``as_of``, ``customer_key`` and `features` at least, made of the tables `scored_from`."""
        return read(FEATURES)

    @abstractmethod
    def score(
        self,
        features: DataFrame,
        model: Model,
        model_name: str,
        model_version: str,
        settings: Settings,
    ) -> DataFrame:
        """The rows of the table `scores`.

        Args:
            features: From `feature_frame`.
            model: What to score with.
            model_name: The registered name, written beside every score.
            model_version: Its version in the registry, written beside every score.
            settings: The deployment's.
        """

    def outcomes(
        self,
        scores: DataFrame,
        customer_days: DataFrame,
        as_of: Sequence[date],
        horizon_days: int,
    ) -> DataFrame:
        """Scores whose horizon has passed, with what came: the columns that `judged` names."""
        from customer360.models.monitoring import purchase_outcomes

        return purchase_outcomes(scores, customer_days, as_of, horizon_days)

    @abstractmethod
    def explain(self, about: ScoredCustomer) -> Explanation | None:
        """What the model says of a customer, and why; ``None`` when there is nothing to say."""

    @abstractmethod
    def identity(self, model: Model) -> bytes:
        """Equal for models that score alike."""

    @abstractmethod
    def form(self, training: Training[Model]) -> ModelForm:
        """What MLflow keeps of the training's model."""

    @abstractmethod
    def restored(self, stored: StoredModel) -> Model:
        """The model, from what MLflow kept."""

    def restored_judged(self, stored: StoredModel) -> tuple[Model, date] | None:
        """The model that was judged where another one is published, and the last day it saw."""
        return None

    def export(self, settings: Settings, champion: Callable[[], Champion[Model]]) -> None:
        """Bring what other programs read of the champion up to date; most models have nothing."""
