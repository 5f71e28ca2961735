"""One customer, explained: what the newest snapshot says of them, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd
from pyspark.sql import DataFrame
from pyspark.sql import functions as F

from customer360.errors import Customer360Error, listed
from customer360.models.churn import FEATURES as CHURN_FEATURES
from customer360.models.churn.reasons import REASONS
from customer360.models.lifetime_value import FIGURES
from customer360.models.tracking import NoChampionError, load_churn_champion
from customer360.pipeline.make_gold import (
    AS_OF,
    CHURN_SCORES,
    CUSTOMER_360,
    FEATURES,
    LIFETIME_VALUE,
)
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.workspace import Workspace
from customer360.silver.keys import customer_key_of

_KEY = re.compile("[0-9a-f]{64}")


class UnknownCustomerError(Customer360Error):
    """There is no such customer in the snapshot; the message says what was looked for."""


@dataclass(frozen=True)
class Explanation:
    """What is known of one customer at the end of a day.

    Attributes:
        customer_key: Their pseudonym.
        as_of: Day of the snapshot.
        summary: Row of ``gold/customer_360``.
        churn: Row of ``gold/churn_scores``; ``None`` for who is not active any more.
        topics: What speaks for (positive ``log_odds``) and against leaving: ``topic``,
            ``log_odds``, ``words``; empty without a churn score or with a fallback.
        value: Row of ``gold/lifetime_value`` as ``figure``, ``value``, ``low``, ``high`` (90 %
            interval); empty without a score.
    """

    customer_key: str
    as_of: date
    summary: dict[str, Any]
    churn: dict[str, Any] | None
    topics: pd.DataFrame
    value: pd.DataFrame


def explain_customer(
    work: Workspace, customer: str, *, source: str | None = None, as_of: date | None = None
) -> Explanation:
    """Explain the scores of one customer.

    Args:
        work: The deployment.
        customer: Their key, or their id in a source.
        source: That source; needed only where several are active.
        as_of: Day of the snapshot; the newest when not given.

    Raises:
        UnknownCustomerError: The snapshot does not have them.
        TableNotFoundError: There is no snapshot at all.
    """
    snapshot = work.lakehouse.read(CUSTOMER_360)
    if as_of is None:
        newest = snapshot.agg(F.max(AS_OF)).first()
        as_of = newest[0] if newest else None
    if as_of is None:
        raise UnknownCustomerError(f"{CUSTOMER_360} has no rows: run `customer360 run` first")
    key = _key(work, customer, source)
    summary = _row(snapshot, key, as_of)
    if summary is None:
        raise UnknownCustomerError(
            f"no customer {customer!r} in {CUSTOMER_360} of {as_of}: give a customer_key of that "
            "table, or an id as its source states it; who has not bought by then is not in it"
        )
    churn = _row(work.lakehouse.read(CHURN_SCORES), key, as_of)
    value = _row(work.lakehouse.read(LIFETIME_VALUE), key, as_of)
    return Explanation(
        key,
        as_of,
        summary,
        churn,
        _topics(work, key, as_of) if churn else _no_topics(),
        _figures(value) if value else pd.DataFrame(columns=["figure", "value", "low", "high"]),
    )


def _key(work: Workspace, customer: str, source: str | None) -> str:
    if _KEY.fullmatch(customer):
        return customer
    names = [each.name for each in work.deployment.sources]
    if source is None and len(names) > 1:
        raise UnknownCustomerError(
            f"customer {customer!r}: several sources are active, {listed(names)}; say which one "
            "by --source"
        )
    if source is not None and source not in names:
        raise UnknownCustomerError(f"--source {source}: the active sources are {listed(names)}")
    return customer_key_of(source or names[0], customer, work.deployment.secret)


def _row(frame: DataFrame, key: str, as_of: date) -> dict[str, Any] | None:
    found = frame.where((F.col(AS_OF) == F.lit(as_of)) & (F.col("customer_key") == key)).first()
    return found.asDict() if found else None


def _no_topics() -> pd.DataFrame:
    return pd.DataFrame(columns=["topic", "log_odds", "words"])


def _topics(work: Workspace, key: str, as_of: date) -> pd.DataFrame:
    try:
        champion = load_churn_champion(tracking_of(work.deployment.settings))
    except NoChampionError:
        return _no_topics()
    if champion.model.kind != "xgboost":
        return _no_topics()
    features = _row(work.lakehouse.read(FEATURES), key, as_of)
    if features is None:
        return _no_topics()
    row = pd.DataFrame([{name: features[name] for name in CHURN_FEATURES}])
    return champion.model.explain(row).reset_index(drop=True)


def _figures(row: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "figure": name,
                "value": row[name],
                "low": row[f"{name}_low"],
                "high": row[f"{name}_high"],
            }
            for name in FIGURES
            if f"{name}_low" in row
        ]
    )


def reasons_of(explanation: Explanation) -> list[str]:
    """The reasons that ``gold/churn_scores`` states, the strongest first."""
    churn = explanation.churn or {}
    return [churn[name] for name in REASONS if churn.get(name)]
