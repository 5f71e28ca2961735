"""MLflow: every training with its parameters, figures, plots and data versions, and its champion.

By default a SQLite file and a folder of artifacts, both in the deployment's home; any tracking
server by its URI. The registry's alias ``champion`` names the version that scores.

``connection`` says where; ``log`` puts a training there, ``stored`` its model and back, in the
``form`` that the model's declaration gives it; ``card`` describes a version for people,
``versions`` says which there are and which one scores, and ``exhibit`` gathers what people look at.
"""

from customer360.models.tracking.connection import (
    CHAMPION,
    Tracking,
    TrackingError,
    TrackingUnavailableError,
)
from customer360.models.tracking.exhibit import ExhibitedModel, exhibited_models
from customer360.models.tracking.log import LoggedTraining, log_training
from customer360.models.tracking.stored import (
    Champion,
    NoChampionError,
    load_champion,
    noted_champion,
    scoring_champion,
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
    "Champion",
    "ChampionFigures",
    "ExhibitedModel",
    "LoggedTraining",
    "NoChampionError",
    "PromotionError",
    "RegisteredVersion",
    "Tracking",
    "TrackingError",
    "TrackingUnavailableError",
    "champion_figures",
    "exhibited_models",
    "load_champion",
    "log_training",
    "noted_champion",
    "promote",
    "registered_versions",
    "rollback",
    "scoring_champion",
]
