"""The lifetime-value model as MLflow serves it: code here, parameters in a JSON file beside it.

MLflow copies this file into the model ("models from code"), so nothing is pickled and the
parameters stay readable. Input: frequency, recency and T in days, monetary_value; output: the
figures of `LifetimeValueModel.predict` with their bounds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel

from customer360.models.lifetime_value.scoring import LifetimeValueModel


class ServedLifetimeValue(PythonModel):
    """Loads the parameters once and predicts frames."""

    def load_context(self, context: Any) -> None:
        """Read the parameters that were logged with the model."""
        text = Path(context.artifacts["parameters"]).read_text(encoding="utf-8")
        self.model = LifetimeValueModel.from_json(text)

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        """All figures for each row of ``model_input``."""
        return self.model.predict(model_input)


mlflow.models.set_model(ServedLifetimeValue())
