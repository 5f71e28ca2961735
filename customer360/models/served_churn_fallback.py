"""The churn fallback as MLflow serves it: the hiatus rule or the base rate, from a JSON file.

MLflow copies this file into the model ("models from code"). Input: days_since_last_purchase;
output: churn_probability.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customer360.models.churn import ChurnModel


class ServedChurnFallback(PythonModel):
    """Loads the rule once and predicts frames."""

    def load_context(self, context: Any) -> None:
        """Read the rule that was logged with the model."""
        text = Path(context.artifacts["parameters"]).read_text(encoding="utf-8")
        self.model = ChurnModel.from_json(text)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """The churn probability of each row of ``model_input``."""
        return pd.DataFrame({"churn_probability": self.model.probabilities(model_input)})


mlflow.models.set_model(ServedChurnFallback())
