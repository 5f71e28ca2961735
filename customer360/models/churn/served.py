"""The churn model as MLflow serves it: code here, the trees and all other numbers beside it.

MLflow copies this file into the model ("models from code"), so nothing is pickled, and what is
served is what is scored: the calibrated probability, not the trees' own. Input: the features of
``gold/customer_features`` that the model was trained on, or days_since_last_purchase alone for a
fallback; output: churn_probability.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customer360.models.churn.model import ChurnModel


class ServedChurn(PythonModel):
    """Loads the model once and predicts frames."""

    def load_context(self, context: Any) -> None:
        """Read what was logged with the model."""
        text = Path(context.artifacts["parameters"]).read_text(encoding="utf-8")
        trees = context.artifacts.get("trees")
        self.model = ChurnModel.from_json(text, Path(trees).read_bytes() if trees else b"")

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The churn probability of each row of ``model_input``."""
        return pd.DataFrame({"churn_probability": self.model.probabilities(model_input)})


mlflow.models.set_model(ServedChurn())
