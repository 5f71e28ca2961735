"""Lifetime value: how often customers come back, what they spend, and how well we know it.

Here belong the purchase models (BG/NBD, MBG/NBD, Pareto/NBD), the Gamma-Gamma model of spend,
their fitting to counted cells, intervals, forecasts of the whole customer base, the tables of a
validation (`diagnostics`), and training, validation, scoring and counting for a forecast through
Spark (`training`, `validation` and `forecast_tables`, the only modules here that know Spark).
Modules that compile are imported where a fit happens, so that importing this package stays light.
"""

from customer360.models.lifetime_value.beta_geometric import BgNbd, MbgNbd
from customer360.models.lifetime_value.customer_base import Forecast, forecast
from customer360.models.lifetime_value.fitting import (
    Fit,
    fit_bg_nbd,
    fit_gamma_gamma,
    fit_mbg_nbd,
    fit_pareto_nbd,
    frequency_value_correlation,
)
from customer360.models.lifetime_value.gamma_gamma import GammaGamma
from customer360.models.lifetime_value.maximise import NotFittedError
from customer360.models.lifetime_value.pareto_nbd import ParetoNbd
from customer360.models.lifetime_value.scoring import (
    FIGURES,
    HORIZONS,
    KnownExpectations,
    KnownScores,
    LifetimeValueModel,
    month_ends,
    predictive_intervals,
)
from customer360.models.lifetime_value.training import (
    SCORE_SCHEMA,
    LifetimeValueTraining,
    purchase_cells,
    score,
    train,
    value_cells,
)
from customer360.models.lifetime_value.validation import MODEL_FEATURES, evaluate

__all__ = [
    "FIGURES",
    "HORIZONS",
    "MODEL_FEATURES",
    "SCORE_SCHEMA",
    "BgNbd",
    "Fit",
    "Forecast",
    "GammaGamma",
    "KnownExpectations",
    "KnownScores",
    "LifetimeValueModel",
    "LifetimeValueTraining",
    "MbgNbd",
    "NotFittedError",
    "ParetoNbd",
    "evaluate",
    "fit_bg_nbd",
    "fit_gamma_gamma",
    "fit_mbg_nbd",
    "fit_pareto_nbd",
    "forecast",
    "frequency_value_correlation",
    "month_ends",
    "predictive_intervals",
    "purchase_cells",
    "score",
    "train",
    "value_cells",
]
