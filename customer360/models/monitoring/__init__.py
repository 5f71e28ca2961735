"""Monitoring: do the models still see what they were trained on, and did they turn out right?

Here belong the comparison of a snapshot with the champion's training data (`drift`) and of past
scores with what has happened since (`performance`). Both count in Spark and judge on the driver,
where only counts arrive; neither knows a table's place, MLflow or Dagster.
"""

from customer360.models.monitoring.drift import (
    MODERATE_SHIFT,
    SHIFTED,
    CategoricalProfile,
    NumericProfile,
    Profile,
    population_stability_index,
    psi,
    reference_profile,
)
from customer360.models.monitoring.performance import (
    Judgement,
    churn_outcomes,
    judge,
    performance_by_decile,
    purchase_outcomes,
    realised_figures,
)

__all__ = [
    "MODERATE_SHIFT",
    "SHIFTED",
    "CategoricalProfile",
    "Judgement",
    "NumericProfile",
    "Profile",
    "churn_outcomes",
    "judge",
    "performance_by_decile",
    "population_stability_index",
    "psi",
    "purchase_outcomes",
    "realised_figures",
    "reference_profile",
]
