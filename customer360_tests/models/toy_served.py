"""The toy model as MLflow serves it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import mlflow
import pandas as pd
from mlflow.pyfunc.model import PythonModel


class ServedToy(PythonModel):
    """One probability for everybody."""

    def load_context(self, context: Any) -> None:
        self.share = float(Path(context.artifacts["parameters"]).read_text(encoding="utf-8"))

    def predict(
        self, context: Any, model_input: pd.DataFrame, params: dict[str, Any] | None = None
    ) -> pd.DataFrame:
        return pd.DataFrame({"churn_probability": [self.share] * len(model_input)})


mlflow.models.set_model(ServedToy())
