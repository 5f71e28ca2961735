"""The churn model itself: what scoring needs, readable as JSON, safe to send to workers."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Self

import numpy as np
import pandas as pd
import xgboost as xgb
from numpy.typing import NDArray
from scipy.special import expit, logit

from customer360.errors import Customer360Error
from customer360.models.baselines import HiatusRule
from customer360.models.calibration import Calibrator
from customer360.models.churn.features import FEATURES, design_matrix
from customer360.models.churn.line import Line
from customer360.models.churn.reasons import (
    by_topic,
    contributions,
    silence,
    strongest_reasons,
    topics_of,
)
from customer360.models.evaluation import SMALLEST_PROBABILITY
from customer360.models.lineage import column_difference
from customer360.models.reasons import REASON_COLUMNS, no_reasons, stated

Floats = NDArray[np.float64]

RISK_MEDIUM = 0.4
RISK_HIGH = 0.7
"""Risk is "high" from this churn probability on, "medium" from `RISK_MEDIUM` on, else "low"."""


LEARNT_KINDS = ("logistic_regression", "xgboost", "blend")
"""What weighs all features, the simplest first."""


class ChurnModelError(Customer360Error):
    """A stored model cannot be used."""


def blended(probabilities: Sequence[Floats]) -> Floats:
    """The probabilities whose log-odds are the mean of the others'."""
    if len(probabilities) == 1:
        return probabilities[0]
    least, most = SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY
    odds = [logit(np.clip(each, least, most)) for each in probabilities]
    return np.asarray(expit(np.mean(odds, axis=0)))


@dataclass(frozen=True)
class ChurnModel:
    """Everything that scoring needs; readable as JSON but for the trees, safe to send to workers.

    Attributes:
        kind: One of `LEARNT_KINDS`, of which "blend" is the mean of the other two's log-odds; or
            "hiatus_rule", "base_rate", or "none" when not even one horizon has passed and nothing
            can be said; "none" scores nobody.
        horizon_days: Horizon of the definition.
        activity_days: Activity window of the definition.
        base_rate: Churn rate of the training rows.
        hiatus: The rule fitted on the training rows, if both classes were there.
        categories: The values of each categorical feature that have a column of their own.
        booster: XGBoost's model in UBJSON; empty where no trees are asked.
        calibrator: Turns the trees' scores into probabilities.
        line: The logistic regression; ``None`` where it is not asked.
        risk_medium: Churn probability from which the risk is "medium".
        risk_high: Churn probability from which it is "high".
        features: Columns of ``gold/customer_features`` it was trained on, in order.
    """

    kind: str
    horizon_days: int
    activity_days: int
    base_rate: float = 0.5
    hiatus: HiatusRule | None = None
    categories: dict[str, tuple[str, ...]] = field(default_factory=dict)
    booster: bytes = b""
    calibrator: Calibrator = field(default_factory=Calibrator)
    line: Line | None = None
    risk_medium: float = RISK_MEDIUM
    risk_high: float = RISK_HIGH
    features: tuple[str, ...] = FEATURES

    @property
    def learnt(self) -> bool:
        """Whether it weighs all features; a rule looks at the silence alone, or at nothing."""
        return self.kind in LEARNT_KINDS

    def check_features(self) -> None:
        """See that today's features are those that the model was trained on.

        Raises:
            ChurnModelError: They differ; the message names the difference.
        """
        difference = column_difference(self.features, FEATURES)
        if difference:
            raise ChurnModelError(
                "the churn model was trained on other features: gold/customer_features is now "
                f"{difference}; train it again"
            )

    def load_booster(self, nthread: int = 1) -> xgb.Booster:
        """The trees, ready to predict.

        Raises:
            ChurnModelError: There are none.
        """
        if not self.booster:
            raise ChurnModelError(
                f"the churn model is {self.kind}: it has no trees; train it on more history"
            )
        booster = xgb.Booster({"nthread": nthread})
        booster.load_model(bytearray(self.booster))
        return booster

    def probabilities(self, features: pd.DataFrame, booster: xgb.Booster | None = None) -> Floats:
        """Churn probability of each row of ``gold/customer_features``.

        Args:
            features: At least the columns of `NUMERIC_FEATURES` and `CATEGORICAL_FEATURES`.
            booster: From `load_booster`, to load it once for many batches.
        """
        if not len(features):
            return np.empty(0)
        if self.learnt:
            seen = design_matrix(features, self.categories)
            found = []
            if trees := booster or self._trees():
                found.append(self.calibrator.apply(trees.predict(xgb.DMatrix(seen))))
            if self.line:
                found.append(self.line.probabilities(seen))
            return blended(found)
        if self.kind == "hiatus_rule" and self.hiatus:
            return self.hiatus.probabilities(features["days_since_last_purchase"])
        return np.full(len(features), self.base_rate)

    def reasons(
        self, features: pd.DataFrame, probabilities: Floats, booster: xgb.Booster | None = None
    ) -> pd.DataFrame:
        """Why each customer is likely to leave: `REASON_COLUMNS`, ``None`` when there are fewer.

        Only customers above the average churn rate, or of more than low risk, have reasons: the
        others have no leaving to explain, and exact explanations cost fifty times the score or
        more. The hiatus rule has the one reason that it knows; the base rate has none.

        Args:
            features: As for `probabilities`.
            probabilities: Their churn probabilities, from `probabilities`.
            booster: As for `probabilities`.
        """
        reasons = no_reasons(features)
        if self.kind == "hiatus_rule" and self.hiatus:
            silent = self.hiatus.flags(features["days_since_last_purchase"])
            rows = features[silent]
            reasons.loc[silent, list(REASON_COLUMNS[:2])] = stated(rows, silence(rows)).to_numpy()
        if self.learnt:
            likely = probabilities >= min(self.base_rate, self.risk_medium)
            if likely.any():
                rows = features[likely]
                reasons[likely] = strongest_reasons(rows, self._topics(rows, booster)).to_numpy()
        return reasons

    def explain(self, features: pd.DataFrame) -> pd.DataFrame:
        """What speaks for and against leaving, by topic: see `reasons.topics_of`.

        Raises:
            ChurnModelError: The model is a rule, which has nothing to explain by.
        """
        if not self.learnt:
            raise ChurnModelError(
                f"the churn model is the rule {self.kind}: it weighs no features; train it on more "
                "history"
            )
        return topics_of(features, self._topics(features))

    def contributions(self, seen: pd.DataFrame, booster: xgb.Booster | None = None) -> Floats:
        """Log-odds towards leaving against the average customer, by column of the design matrix.

        Args:
            seen: From `design_matrix`.
            booster: As for `probabilities`.
        """
        found = []
        if trees := booster or self._trees():
            found.append(contributions(trees, seen))
        if self.line:
            found.append(self.line.contributions(seen))
        return np.asarray(np.mean(found, axis=0))

    def _trees(self) -> xgb.Booster | None:
        return self.load_booster() if self.booster else None

    def _topics(self, features: pd.DataFrame, booster: xgb.Booster | None = None) -> Floats:
        seen = design_matrix(features, self.categories)
        return by_topic(self.contributions(seen, booster), list(seen.columns))

    def risks(self, probabilities: Floats) -> NDArray[np.object_]:
        """The risk by the two thresholds: high, medium or low."""
        return np.where(
            probabilities >= self.risk_high,
            "high",
            np.where(probabilities >= self.risk_medium, "medium", "low"),
        ).astype(object)

    def to_json(self) -> str:
        """As JSON text, without the trees."""
        given = asdict(self)
        given.pop("booster")
        return json.dumps(given, indent=2, sort_keys=True)

    @classmethod
    def from_json(cls, text: str, booster: bytes = b"") -> Self:
        """From `to_json`'s text and, for XGBoost, the trees.

        Raises:
            ChurnModelError: The trees are missing.
        """
        given = json.loads(text)
        hiatus = given.pop("hiatus")
        categories = given.pop("categories")
        calibrator = Calibrator.from_dict(given.pop("calibrator", None))
        if given["kind"] in ("xgboost", "blend") and not booster:
            raise ChurnModelError("the stored churn model has no trees; train it again")
        return cls(
            hiatus=HiatusRule(**hiatus) if hiatus else None,
            categories={name: tuple(values) for name, values in categories.items()},
            features=tuple(given.pop("features", FEATURES)),
            booster=booster,
            calibrator=calibrator,
            line=Line.from_dict(given.pop("line", None)),
            **given,
        )
