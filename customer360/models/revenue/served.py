"""The revenue model as MLflow serves it: code here, scikit-learn's pipelines in a pickle beside it.

MLflow copies this file into the model ("models from code"). Input: the features of
`customer360.models.revenue.FEATURES`; output: expected_revenue and purchase_probability.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customer360.models.revenue.model import RevenueModel


class ServedRevenue(PythonModel):
    """Loads the model once and predicts frames."""

    def load_context(self, context: Any) -> None:
        """Read the pickle that was logged with the model."""
        self.model = RevenueModel.loads(Path(context.artifacts["pipelines"]).read_bytes())

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """Expected revenue and purchase probability of each row of ``model_input``."""
        return pd.DataFrame(
            {
                "expected_revenue": self.model.predict(model_input),
                "purchase_probability": self.model.purchase_probability(model_input),
            }
        )


mlflow.models.set_model(ServedRevenue())
