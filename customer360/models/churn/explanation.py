"""How likely a customer is to leave, and what speaks for and against it, at a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from customer360.language import Language
from customer360.models.churn.features import FEATURES
from customer360.models.churn.model import ChurnModel, ChurnModelError
from customer360.models.explanation import Explanation, ScoredCustomer
from customer360.models.lineage import FeatureSchema, FeatureSchemaError
from customer360.models.tracking.stored import Champion, NoChampionError
from customer360.table_names import FEATURES as CUSTOMER_FEATURES

if TYPE_CHECKING:
    import pyarrow as pa


def explanation(about: ScoredCustomer) -> Explanation:
    """A row of ``gold/churn_scores``, and the topics of the champion."""
    scores = about.scores
    if scores is None:
        return Explanation(
            None, "No churn score: the customer was not active on that day any more."
        )
    try:
        topics, note = topics_by(
            about.champion(), about.find(CUSTOMER_FEATURES), scores["model_version"]
        )
    except NoChampionError as error:
        topics, note = _no_topics(), f"No topics: {error}"
    english = Language("en")
    return Explanation(
        scores,
        f"{scores['churn_probability']:.1%} buy nothing in the next {scores['horizon_days']} days "
        f"({scores['risk']} risk; model v{scores['model_version']})",
        [
            {
                "speaks for leaving (+) or staying (-)": english.named("topic", row["topic"]),
                "log-odds": f"{row['log_odds']:+.2f}",
                "the customer's own figures": english.reason(row["code"], row["values"]),
            }
            for row in topics.to_dict("records")
        ],
        [note] if note else [],
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
        ``topic``, ``log_odds`` (positive speaks for leaving), ``code`` and ``values`` of a reason;
        no rows where there is nothing to explain by. And why there are none, or that another
        version than the champion made the score; "" when there is nothing to say.
    """
    model = champion.model
    if not model.learnt:
        return _no_topics(), (
            f"No topics: the champion v{champion.version} is the rule {model.kind}, which "
            "looks at no more than the silence"
        )
    try:
        champion.check(FeatureSchema.of_arrow(features.schema, FEATURES))
        model.check_features()
    except (FeatureSchemaError, ChurnModelError) as error:
        return _no_topics(), f"No topics: {error}"
    if not features.num_rows:
        return (
            _no_topics(),
            f"No topics: {CUSTOMER_FEATURES} does not have the customer on that day",
        )
    note = (
        ""
        if scored_by == champion.version
        else f"The score is of v{scored_by}, the topics are of the champion, v{champion.version}: "
        "score the day again to have both of one"
    )
    topics = model.explain(features.select(FEATURES).to_pandas())
    return topics.reset_index(drop=True), note


def _no_topics() -> pd.DataFrame:
    return pd.DataFrame(columns=["topic", "log_odds", "code", "values"])
