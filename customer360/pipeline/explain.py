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
from customer360.models.churn import ChurnModel, ChurnModelError
from customer360.models.churn.reasons import REASONS
from customer360.models.lifetime_value import FIGURES
from customer360.models.lineage import FeatureSchemaError
from customer360.models.tracking import Champion, NoChampionError, load_churn_champion
from customer360.pipeline.run_models import tracking_of
from customer360.pipeline.workspace import Workspace
from customer360.silver.keys import customer_key_of
from customer360.table_names import (
    AS_OF,
    CHURN_SCORES,
    CUSTOMER_360,
    FEATURES,
    LIFETIME_VALUE,
    REVENUE_PREDICTIONS,
)

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
            ``log_odds``, ``words``; empty without a churn score, or for what ``topics_note`` says.
        topics_note: Why there are no topics, or that another version than the champion, whose
            topics they are, made the score; "" when there is nothing to say.
        value: Row of ``gold/lifetime_value`` as ``figure``, ``value``, ``low``, ``high`` (90 %
            interval); empty without a score.
        revenue: Row of ``gold/revenue_predictions``; ``None`` when there is none.
    """

    customer_key: str
    as_of: date
    summary: dict[str, Any]
    churn: dict[str, Any] | None
    topics: pd.DataFrame
    topics_note: str
    value: pd.DataFrame
    revenue: dict[str, Any] | None

    @property
    def revenue_reasons(self) -> list[str]:
        """Why the expected revenue is more or less than the average, the strongest first."""
        revenue = self.revenue or {}
        return [revenue[name] for name in REASONS if revenue.get(name)]


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
    topics, note = (
        _topics(work, key, as_of, churn["model_version"]) if churn else (_no_topics(), "")
    )
    return Explanation(
        customer_key=key,
        as_of=as_of,
        summary=summary,
        churn=churn,
        topics=topics,
        topics_note=note,
        value=_figures(value)
        if value
        else pd.DataFrame(columns=["figure", "value", "low", "high"]),
        revenue=_row(work.lakehouse.read(REVENUE_PREDICTIONS), key, as_of)
        if work.lakehouse.exists(REVENUE_PREDICTIONS)
        else None,
    )


def topics_by(
    champion: Champion[ChurnModel], features: DataFrame, scored_by: str
) -> tuple[pd.DataFrame, str]:
    """What speaks for and against one customer's leaving, by the model that scores today.

    Args:
        champion: That model.
        features: The customer's row of ``gold/customer_features``.
        scored_by: Version of the model that made the score which is explained.

    Returns:
        `Explanation.topics` and `Explanation.topics_note`.
    """
    model = champion.model
    if model.kind != "xgboost":
        return _no_topics(), (
            f"No topics: the champion v{champion.version} is the fallback {model.kind}, which "
            "looks at no more than the silence"
        )
    try:
        champion.check_schema(features, CHURN_FEATURES)
        model.check_features()
    except (FeatureSchemaError, ChurnModelError) as error:
        return _no_topics(), f"No topics: {error}"
    row = features.select(*CHURN_FEATURES).first()
    if row is None:
        return _no_topics(), f"No topics: {FEATURES} does not have the customer on that day"
    note = (
        ""
        if scored_by == champion.version
        else f"The score is of v{scored_by}, the topics are of the champion, v{champion.version}: "
        "score the day again to have both of one"
    )
    found = model.explain(pd.DataFrame([row.asDict()]))
    return found.reset_index(drop=True), note


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


def _of(frame: DataFrame, key: str, as_of: date) -> DataFrame:
    return frame.where((F.col(AS_OF) == F.lit(as_of)) & (F.col("customer_key") == key))


def _row(frame: DataFrame, key: str, as_of: date) -> dict[str, Any] | None:
    found = _of(frame, key, as_of).first()
    return found.asDict() if found else None


def _no_topics() -> pd.DataFrame:
    return pd.DataFrame(columns=["topic", "log_odds", "words"])


def _topics(work: Workspace, key: str, as_of: date, scored_by: str) -> tuple[pd.DataFrame, str]:
    try:
        champion = load_churn_champion(tracking_of(work.deployment.settings))
    except NoChampionError as error:
        return _no_topics(), f"No topics: {error}"
    return topics_by(champion, _of(work.lakehouse.read(FEATURES), key, as_of), scored_by)


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
