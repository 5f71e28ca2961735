"""MLflow: every training with its parameters, figures, plots and data versions, and its champion.

By default a SQLite file and a folder of artifacts, both in the deployment's home; any tracking
server by its URI. The registry's alias ``champion`` names the version that scores.

``connection`` says where; ``log`` puts a training there, ``stored`` its model and back, ``card``
describes a version for people, ``versions`` says which there are and which one scores, and
``exhibit`` gathers what people look at.
"""

from customer360.models.tracking.connection import CHAMPION, Tracking, TrackingError
from customer360.models.tracking.exhibit import ExhibitedModel, exhibited_models
from customer360.models.tracking.log import LoggedTraining, log_training
from customer360.models.tracking.stored import (
    CHURN,
    LIFETIME_VALUE,
    REVENUE,
    Champion,
    Model,
    NoChampionError,
    Training,
    load_churn_champion,
    load_lifetime_value_champion,
    load_revenue_champion,
    noted_churn_champion,
)
from customer360.models.tracking.versions import (
    ChampionFigures,
    PromotionError,
    RegisteredVersion,
    champion_figures,
    promote,
    registered_versions,
    rollback,
)

__all__ = [
    "CHAMPION",
    "CHURN",
    "LIFETIME_VALUE",
    "REVENUE",
    "Champion",
    "ChampionFigures",
    "ExhibitedModel",
    "LoggedTraining",
    "Model",
    "NoChampionError",
    "PromotionError",
    "RegisteredVersion",
    "Tracking",
    "TrackingError",
    "Training",
    "champion_figures",
    "exhibited_models",
    "load_churn_champion",
    "load_lifetime_value_champion",
    "load_revenue_champion",
    "log_training",
    "noted_churn_champion",
    "promote",
    "registered_versions",
    "rollback",
]
