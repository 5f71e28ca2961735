"""Whose topics explain a score, and what is said when there are none."""

from __future__ import annotations

import re
from dataclasses import replace

import pyarrow as pa
import pytest

from customer360.models.baselines import HiatusRule
from customer360.models.churn.explanation import topics_by
from customer360.models.churn.features import FEATURES
from customer360.models.churn.fitting import fit_xgboost
from customer360.models.churn.model import ChurnModel
from customer360.models.churn.spec import CHURN
from customer360.models.lineage import FeatureSchema
from customer360.models.tracking import Champion
from customer360_tests.models.churn_rows import customers, labelled


@pytest.fixture(scope="module")
def features() -> pa.Table:
    return pa.Table.from_pandas(customers(1), preserve_index=False)


@pytest.fixture(scope="module")
def champion(features: pa.Table) -> Champion[ChurnModel]:
    """Version 4, trained on the columns that are there."""
    fit = fit_xgboost(labelled(800, 1), labelled(400, 2), parameters={"max_depth": 2}, nthread=1)
    model = ChurnModel(
        "xgboost",
        91,
        182,
        categories=fit.categories,
        booster=bytes(fit.booster.save_raw("ubj")),
        calibrator=fit.calibrator,
    )
    return Champion(
        model,
        CHURN.registered,
        "4",
        "run",
        {},
        schema=FeatureSchema.of_arrow(features.schema, FEATURES),
    )


def test_the_champions_own_score_is_explained_without_a_note(
    features: pa.Table, champion: Champion[ChurnModel]
) -> None:
    topics, note = topics_by(champion, features, "4")
    assert note == ""
    expected = champion.model.explain(customers(1)).reset_index(drop=True)
    assert topics["topic"].tolist() == expected["topic"].tolist()
    assert topics["log_odds"].tolist() == pytest.approx(expected["log_odds"].tolist())


def test_topics_of_another_version_than_the_scores_are_said_to_be(
    features: pa.Table, champion: Champion[ChurnModel]
) -> None:
    topics, note = topics_by(champion, features, "3")
    assert len(topics) > 0
    assert note == (
        "The score is of v3, the topics are of the champion, v4: score the day again to have both "
        "of one"
    )


def test_a_fallback_and_other_columns_are_a_line_in_place_of_topics(
    features: pa.Table, champion: Champion[ChurnModel]
) -> None:
    rule = ChurnModel("hiatus_rule", 91, 182, 0.4, HiatusRule(20, 0.1, 0.8))
    position = features.schema.get_field_index("frequency")
    as_text = features["frequency"].cast(pa.string())
    retyped = features.set_column(position, "frequency", as_text)
    fewer = replace(champion.model, features=FEATURES[1:])
    for model, frame, said in (
        (replace(champion, model=rule), features, "v4 is the rule hiatus_rule"),
        (champion, retyped, "churn v4 was trained on other features: .* frequency as string in"),
        (replace(champion, model=fewer), features, "trained on other features: .* frequency"),
        (champion, features.slice(0, 0), "does not have the customer on that day"),
    ):
        topics, note = topics_by(model, frame, "4")
        assert topics.empty
        assert list(topics.columns) == ["topic", "log_odds", "code", "values"]
        assert "\n" not in note
        assert note.startswith("No topics: ")
        assert re.search(said, note), note
