"""One customer, explained: what the newest snapshot says of them, and why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from customer360.errors import Customer360Error, listed
from customer360.lakehouse.reading import Tables, plain_rows
from customer360.settings import Settings
from customer360.table_names import (
    AS_OF,
    CHURN_SCORES,
    CUSTOMER_360,
    FEATURES,
    LIFETIME_VALUE,
    REVENUE_PREDICTIONS,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from customer360.models.churn.model import ChurnModel
    from customer360.models.tracking import Champion

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
        from customer360.models.churn.reasons import REASONS

        revenue = self.revenue or {}
        return [revenue[name] for name in REASONS if revenue.get(name)]


def explain_customer(
    settings: Settings, customer: str, *, source: str | None = None, as_of: date | None = None
) -> Explanation:
    """Explain the scores of one customer.

    Args:
        settings: The deployment's.
        customer: Their key, or their id in a source.
        source: That source; needed only where several are active.
        as_of: Day of the snapshot; the newest when not given.

    Raises:
        UnknownCustomerError: The snapshot does not have them.
        TableNotFoundError: There is no snapshot at all.
    """
    tables = Tables(settings.lakehouse_dir)
    tables.require(CUSTOMER_360)
    key = _key(settings, customer, source)
    if as_of is None:
        as_of = tables.newest(CUSTOMER_360, AS_OF)
    if as_of is None:
        raise UnknownCustomerError(f"{CUSTOMER_360} has no rows: run `customer360 run` first")
    summary = _row(tables, CUSTOMER_360, key, as_of)
    if summary is None:
        raise UnknownCustomerError(
            f"no customer {customer!r} in {CUSTOMER_360} of {as_of}: give a customer_key of that "
            "table, or an id as its source states it; who has not bought by then is not in it"
        )
    churn = _row(tables, CHURN_SCORES, key, as_of)
    value = _row(tables, LIFETIME_VALUE, key, as_of)
    revenue = None
    if tables.exists(REVENUE_PREDICTIONS):
        revenue = _row(tables, REVENUE_PREDICTIONS, key, as_of)
    topics, note = (
        _topics(settings, tables, key, as_of, churn["model_version"])
        if churn
        else (_no_topics(), "")
    )
    return Explanation(
        customer_key=key,
        as_of=as_of,
        summary=summary,
        churn=churn,
        topics=topics,
        topics_note=note,
        value=_figures(value),
        revenue=revenue,
    )


def topics_by(
    champion: Champion[ChurnModel], features: pa.Table, scored_by: str
) -> tuple[pd.DataFrame, str]:
    """What speaks for and against one customer's leaving, by the model that scores today.

    Args:
        champion: That model.
        features: The customer's row of ``gold/customer_features``, or none.
        scored_by: Version of the model that made the score which is explained.

    Returns:
        `Explanation.topics` and `Explanation.topics_note`.
    """
    from customer360.models.churn.features import FEATURES as CHURN_FEATURES
    from customer360.models.churn.model import ChurnModelError
    from customer360.models.lineage import FeatureSchema, FeatureSchemaError

    model = champion.model
    if model.kind != "xgboost":
        return _no_topics(), (
            f"No topics: the champion v{champion.version} is the fallback {model.kind}, which "
            "looks at no more than the silence"
        )
    try:
        champion.check(FeatureSchema.of_arrow(features.schema, CHURN_FEATURES))
        model.check_features()
    except (FeatureSchemaError, ChurnModelError) as error:
        return _no_topics(), f"No topics: {error}"
    if not features.num_rows:
        return _no_topics(), f"No topics: {FEATURES} does not have the customer on that day"
    note = (
        ""
        if scored_by == champion.version
        else f"The score is of v{scored_by}, the topics are of the champion, v{champion.version}: "
        "score the day again to have both of one"
    )
    found = model.explain(features.select(CHURN_FEATURES).to_pandas())
    return found.reset_index(drop=True), note


def _key(settings: Settings, customer: str, source: str | None) -> str:
    if _KEY.fullmatch(customer):
        return customer
    from customer360.deployment import Deployment
    from customer360.silver.keys import customer_key_of

    deployment = Deployment.of(settings)
    names = [each.name for each in deployment.sources]
    if source is None and len(names) > 1:
        raise UnknownCustomerError(
            f"customer {customer!r}: several sources are active, {listed(names)}; say which one "
            "by --source"
        )
    if source is not None and source not in names:
        raise UnknownCustomerError(f"--source {source}: the active sources are {listed(names)}")
    return customer_key_of(source or names[0], customer, deployment.secret)


def _row(tables: Tables, table: str, key: str, as_of: date) -> dict[str, Any] | None:
    found = plain_rows(tables.find(table, {AS_OF: as_of, "customer_key": key}))
    return found[0] if found else None


def _no_topics() -> pd.DataFrame:
    import pandas as pd

    return pd.DataFrame(columns=["topic", "log_odds", "words"])


def _topics(
    settings: Settings, tables: Tables, key: str, as_of: date, scored_by: str
) -> tuple[pd.DataFrame, str]:
    from customer360.models.tracking import NoChampionError, noted_churn_champion
    from customer360.pipeline.run_models import tracking_of

    try:
        champion = noted_churn_champion(tracking_of(settings))
    except NoChampionError as error:
        return _no_topics(), f"No topics: {error}"
    features = tables.find(FEATURES, {AS_OF: as_of, "customer_key": key})
    return topics_by(champion, features, scored_by)


def _figures(row: dict[str, Any] | None) -> pd.DataFrame:
    import pandas as pd

    from customer360.models.lifetime_value.scoring import FIGURES

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
        if row
        else (),
        columns=["figure", "value", "low", "high"],
    )
