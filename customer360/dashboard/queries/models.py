"""The models: figures, plots, cards, drift, and what they said beside what came."""

from __future__ import annotations

from datetime import date

import pandas as pd

from customer360.dashboard.connection import Reading


def versions(reading: Reading) -> pd.DataFrame:
    """Registered versions: ``model``, ``version``, ``is_champion``, …, the champion first."""
    return reading.frame(
        """
        SELECT model, version, is_champion, trained_at, as_of, status,
               -- A warehouse that an older release published has no such column.
               to_jsonb(m) ->> 'because' AS because, card
        FROM serving.models m ORDER BY model, is_champion DESC, trained_at DESC
        """
    )


def champion(reading: Reading, model: str) -> str | None:
    """The version of ``model`` that scores; None where none is published."""
    rows = reading.frame_if(
        "serving.models",
        "SELECT version FROM serving.models WHERE model = %(model)s AND is_champion",
        {"model": model},
    )
    return str(rows["version"].iat[0]) if len(rows) else None


def figures(reading: Reading, model: str, version: str) -> dict[str, float]:
    """Metrics of a version by name, bounds as ``<name>_low`` and ``<name>_high``."""
    rows = reading.frame_if(
        "serving.model_figures",
        """
        SELECT figure, value, low, high FROM serving.model_figures
        WHERE model = %(model)s AND version = %(version)s ORDER BY figure
        """,
        {"model": model, "version": version},
    )
    by_name: dict[str, float] = {}
    for ending, column in (("", "value"), ("_low", "low"), ("_high", "high")):
        known = rows.dropna(subset=[column]) if len(rows) else rows
        for row in known.to_dict("records"):
            by_name[f"{row['figure']}{ending}"] = float(row[column])
    return by_name


def plots(reading: Reading, model: str, version: str) -> pd.DataFrame:
    """``name`` and ``png`` of a version's plots."""
    return reading.frame_if(
        "serving.model_plots",
        """
        SELECT name, png FROM serving.model_plots
        WHERE model = %(model)s AND version = %(version)s ORDER BY name
        """,
        {"model": model, "version": version},
    )


def performance(reading: Reading, model: str, as_of: date) -> pd.DataFrame:
    """What the model said by tenths beside what came, of the newest date that is over by now."""
    return reading.frame_if(
        "gold.model_performance",
        """
        SELECT as_of, prediction, horizon_days, model_version, decile, customers, predicted, actual
        FROM gold.model_performance
        WHERE model = %(model)s AND as_of = (
            SELECT max(as_of) FROM gold.model_performance
            WHERE model = %(model)s AND as_of <= %(as_of)s
        )
        ORDER BY prediction, horizon_days, model_version, decile
        """,
        {"model": model, "as_of": as_of},
    )


def drift(reading: Reading, model: str, as_of: date) -> pd.DataFrame:
    """``feature``, ``kind``, ``psi``, ``psi_by_chance`` and ``shift`` at the as-of date."""
    return reading.frame_if(
        "gold.model_drift",
        """
        SELECT feature, kind, psi, psi_by_chance, shift, reference_as_of
        FROM gold.model_drift WHERE model = %(model)s AND as_of = %(as_of)s
        ORDER BY psi DESC, feature
        """,
        {"model": model, "as_of": as_of},
    )
