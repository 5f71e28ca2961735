"""The lifetime-value model beside the ``lifetimes`` package, on the same holdout."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from customer360.gold.customer_features import customer_features
from customer360.models.evaluation import prefixed
from customer360.models.lifetime_value.lifetimes_as_is import NAME, lifetimes_as_is
from customer360.models.lifetime_value.scoring import LifetimeValueModel
from customer360.models.lifetime_value.validation import HOLDOUT_FEATURES, drawn, holdout_rows
from customer360.models.notes import Note
from customer360.models.spec import History
from customer360.models.training import Training
from customer360.table_names import CUSTOMER_DAYS


def beside_lifetimes(
    training: Training[LifetimeValueModel], history: History
) -> tuple[Mapping[str, float], Sequence[Note]]:
    """Metrics and notes of a training, with those of ``lifetimes`` as a candidate.

    Args:
        training: Of the same history.
        history: ``silver/customer_days``, and the time unit among the settings.
    """
    if training.judged is None:
        return training.metrics, training.notes
    _, calibration_as_of = training.judged
    holdout_days = (history.as_of - calibration_as_of).days
    customer_days = history.read(CUSTOMER_DAYS)
    features = customer_features(customer_days, [calibration_as_of])
    rows = holdout_rows(
        features.select("as_of", "customer_key", *HOLDOUT_FEATURES),
        customer_days,
        calibration_as_of,
        holdout_days,
    ).persist()
    try:
        drawn_rows = rows.where(drawn(rows.count())).toArrow().to_pandas()
    finally:
        rows.unpersist()
    # In an order of their own: whether its search converges depends on the order of the rows.
    result = lifetimes_as_is(
        drawn_rows.sort_values(list(drawn_rows.columns)),
        holdout_days,
        history.settings.lifetime_value_time_unit_days,
    )
    notes = [result.failure] if result.failure else []
    if result.metrics:
        notes.append(
            Note(
                "lifetimes_fitted",
                {"customers": result.customers, "seconds": result.seconds},
            )
        )
    metrics = training.metrics | prefixed(f"candidate_{NAME}", result.metrics)
    return metrics, [*training.notes, *notes]
