"""The revenue model itself: fitted scikit-learn pipelines, and what their figures mean."""

from __future__ import annotations

import hashlib
import pickle
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.pipeline import Pipeline

from customer360.errors import Customer360Error, listed
from customer360.models.baselines import LAST_YEAR, YEAR_DAYS
from customer360.models.revenue.features import FEATURES, typed_features
from customer360.models.revenue.rules import RULES
from customer360.models.sealed import is_sealed

Floats = NDArray[np.float64]

LIBRARIES = ("scikit-learn", "xgboost")
"""Libraries whose objects are pickled with a model: another version may not read them."""


class RevenueModelError(Customer360Error):
    """A stored model, or what it is asked to predict, cannot be used."""


def library_versions() -> dict[str, str]:
    """Versions of `LIBRARIES` here, of which the first two numbers must agree."""
    return {name: version(name) for name in LIBRARIES}


@dataclass(frozen=True)
class RevenueModel:
    """Everything that prediction needs; a plain pickle, safe to send to workers.

    Attributes:
        kind: "two_stage" (probability of a purchase x revenue of a buyer), "tweedie", "linear",
            a rule of `customer360.models.revenue.rules.RULES`, "blend" (a weighted mean of the
            others), "mean", or "none" when not even one horizon has passed; "none" scores nobody.
        horizon_days: Days ahead that are predicted.
        mean_revenue: Mean revenue of the teaching rows in these days; what "mean" predicts.
        purchase_rate: Share of them with a purchase; the probability where no classifier learnt.
        unit: The amounts that ``amount`` predicts are multiples of it, in currency.
        purchase: Preprocessing and classifier: who buys.
        amount: Preprocessing and regressor: for "two_stage" the revenue of a buyer, else of
            anybody.
        parts: Of a blend: the weight of each model, and the model; the weights add up to 1.
        year_days: Days of the last 365 that the business has a history of.
        features: Columns it was trained on, in order.
        versions: Versions of the libraries that made it.
    """

    kind: str
    horizon_days: int
    mean_revenue: float = 0.0
    purchase_rate: float = 0.0
    unit: float = 1.0
    purchase: Pipeline | None = None
    amount: Pipeline | None = None
    parts: tuple[tuple[float, RevenueModel], ...] = ()
    year_days: int = YEAR_DAYS
    features: tuple[str, ...] = FEATURES
    versions: dict[str, str] = field(default_factory=library_versions)

    def check_features(self, columns: Any = FEATURES) -> None:
        """See that a frame has the features that the model was trained on.

        Args:
            columns: Names of the frame's columns; today's features when not given. Further
                columns do no harm, but a feature that today's code makes must be known.

        Raises:
            RevenueModelError: They differ; the message names the difference.
        """
        offered = list(columns)
        gone = [name for name in self.features if name not in offered]
        new = [name for name in offered if name in FEATURES and name not in self.features]
        if gone or new:
            differences = [
                f"{what} {listed(names)}"
                for what, names in (("lack", gone), ("have the new", new))
                if names
            ]
            raise RevenueModelError(
                "the revenue model was trained on other features: these "
                f"{' and '.join(differences)}; train it again"
            )

    @property
    def looks(self) -> bool:
        """Whether it looks at customers at all, and does not say the same of everybody."""
        return self.kind not in ("mean", "none")

    @property
    def carries_last_year_on(self) -> bool:
        """Whether last year's spend has a say, which is read by the age of the business."""
        parts = any(part.carries_last_year_on for _, part in self.parts)
        return self.kind == LAST_YEAR or parts

    def at(self, days: int) -> RevenueModel:
        """The same, where the business has a history of so many of the last 365 days."""
        parts = tuple((weight, part.at(days)) for weight, part in self.parts)
        return replace(self, year_days=days, parts=parts)

    def predict(self, frame: pd.DataFrame) -> Floats:
        """Expected net revenue of each row in the ``horizon_days`` ahead, never below 0.

        Args:
            frame: At least `features`: see `revenue_features`.

        Raises:
            RevenueModelError: The frame's features differ from the model's.
        """
        self.check_features(frame.columns)
        if self.kind in RULES:
            return RULES[self.kind](frame, self.horizon_days, self.year_days)
        if self.parts:
            return np.asarray(sum(weight * part.predict(frame) for weight, part in self.parts))
        if self.amount is None or not len(frame):
            return np.full(len(frame), max(self.mean_revenue, 0.0))
        rows = typed_features(frame)
        amounts = np.asarray(self.amount.predict(rows), dtype=float) * self.unit
        if self.kind == "two_stage":
            amounts = amounts * self._probability(rows)
        return np.maximum(amounts, 0.0)

    def purchase_probability(self, frame: pd.DataFrame) -> Floats:
        """Probability of at least one purchase in the ``horizon_days`` ahead, of each row.

        Args:
            frame: As for `predict`.

        Raises:
            RevenueModelError: The frame's features differ from the model's.
        """
        self.check_features(frame.columns)
        if self.purchase is None or not len(frame):
            return np.full(len(frame), self.purchase_rate)
        return self._probability(typed_features(frame))

    def dumps(self) -> bytes:
        """As a plain pickle, which `loads` and ``pickle.loads`` read."""
        return pickle.dumps(self, protocol=5)

    @classmethod
    def load(cls, file: Path, secret: bytes | None, *, trusted: bool = False) -> RevenueModel:
        """From a file that this deployment wrote, as its seal says.

        Args:
            file: The pickle.
            secret: The deployment's, of `customer360.models.sealed.SECRET`.
            trusted: Somebody said so of a file without a seal.

        Raises:
            RevenueModelError: It has no seal of this deployment; or see `loads`.
        """
        contents = file.read_bytes()
        if not trusted and not is_sealed(file, contents, secret):
            raise RevenueModelError(
                f"{file} was not written by this deployment, and reading a pickle runs what is in "
                "it: `customer360 train revenue` writes the deployment's own again; a file of "
                "somebody whom you trust is read by `customer360 predict --trust-pickle`"
            )
        return cls.loads(contents, str(file))

    @classmethod
    def loads(cls, data: bytes, name: str = "this") -> RevenueModel:
        """From `dumps`. A pickle runs code when it is read: read only what you trust.

        Args:
            data: The pickle.
            name: Of where it came from, for messages.

        Raises:
            RevenueModelError: It is no revenue model, or one of other library versions.
        """
        try:
            with warnings.catch_warnings():
                # What differs is told below, with what to do.
                warnings.simplefilter("ignore", InconsistentVersionWarning)
                model = pickle.loads(data)  # noqa: S301 - the docstring warns
        except Exception as error:  # a pickle can raise anything
            raise RevenueModelError(
                f"{name} is no readable revenue model ({type(error).__name__}); give a .pkl "
                "that this version of customer360 has made"
            ) from error
        if not isinstance(model, cls):
            raise RevenueModelError(
                f"{name} is a pickled {type(model).__name__}, not a revenue model; give a .pkl "
                "that customer360 has made"
            )
        for name, installed in library_versions().items():
            made_with = model.versions.get(name, "none")
            if made_with.split(".")[:2] != installed.split(".")[:2]:
                raise RevenueModelError(
                    f"the revenue model was made with {name} {made_with}, here is {installed}: "
                    "train it again"
                )
        return model

    def fingerprint(self) -> str:
        """SHA-256 of what the model has learnt: equal for models that predict alike."""
        digest = hashlib.sha256()
        stated = (
            self.kind,
            self.horizon_days,
            self.mean_revenue,
            self.purchase_rate,
            self.unit,
            self.features,
            self.year_days,
            [(weight, part.fingerprint()) for weight, part in self.parts],
        )
        digest.update(repr(stated).encode())
        for pipeline in (self.purchase, self.amount):
            for learnt in _learnt(pipeline):
                digest.update(learnt)
        return digest.hexdigest()

    def _probability(self, rows: pd.DataFrame) -> Floats:
        if self.purchase is None:
            return np.full(len(rows), self.purchase_rate)
        return np.asarray(self.purchase.predict_proba(rows)[:, 1], dtype=float)


def _learnt(pipeline: Pipeline | None) -> Iterator[bytes]:
    """What a pipeline learnt, as bytes: the pickle of an object is not the same every time."""
    if pipeline is None:
        yield b"none"
        return
    prepare, estimator = pipeline[0], pipeline[-1]
    yield ",".join(prepare.get_feature_names_out()).encode()
    numbers, categories = (prepare.named_transformers_[name] for name in ("numbers", "categories"))
    for values in (numbers[0].statistics_, numbers[1].mean_, numbers[1].scale_):
        yield np.asarray(values, dtype=float).tobytes()
    yield repr([list(known) for known in categories[-1].categories_]).encode()
    if hasattr(estimator, "get_booster"):
        yield bytes(estimator.get_booster().save_raw("ubj"))
    else:
        yield np.asarray([*estimator.coef_, estimator.intercept_], dtype=float).tobytes()
