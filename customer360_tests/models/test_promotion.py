from __future__ import annotations

import pytest

from customer360.models.churn.spec import CHURN
from customer360.models.lifetime_value.spec import LIFETIME_VALUE
from customer360.models.notes import Note, in_english
from customer360.models.promotion import decide

BRIER = CHURN.gate("brier", margin=0.0)
NAIVE = {"baseline_hiatus_rule_brier": 0.24, "baseline_base_rate_brier": 0.25}


def test_the_first_model_is_the_champion_and_says_what_it_beats() -> None:
    good = decide({"test_brier": 0.20, **NAIVE}, BRIER, None)
    assert (good.promoted, good.beats_baseline) == (True, True)
    bad = decide({"test_brier": 0.245, **NAIVE}, BRIER, None)
    assert (bad.promoted, bad.beats_baseline) == (True, False)
    assert in_english([bad.reason]) == (
        "first model, for want of another: Brier score 0.245 does not beat the naive rules "
        "(Hiatus rule 0.24)"
    )
    untested = decide({}, BRIER, None)
    assert (untested.promoted, untested.beats_baseline) == (True, None)


def test_a_better_model_is_promoted_and_a_worse_or_equal_one_is_not() -> None:
    better = decide({"test_brier": 0.19, "champion_brier": 0.20, **NAIVE}, BRIER, "3")
    assert better.promoted
    assert better.reason == Note(
        "beats_champion", {"figure": "brier", "own": 0.19, "champion": "3", "other": 0.20}
    )
    assert in_english([better.reason]) == "Brier score 0.19 beats the champion v3's 0.2"
    for own in (0.20, 0.21):
        worse = decide({"test_brier": own, "champion_brier": 0.20, **NAIVE}, BRIER, "3")
        assert not worse.promoted
        assert worse.reason.code == "loses_to_champion"


def test_within_noise_of_a_naive_rule_is_no_loss() -> None:
    """A rule's lead counts where the interval of the difference says that it is no chance."""
    metrics = {"test_brier": 0.241, "champion_brier": 0.30, **NAIVE}
    for at_least, beats in ((-0.002, True), (0.0005, False)):
        paired = {"paired_hiatus_rule_brier": 0.001, "paired_hiatus_rule_brier_low": at_least}
        assert decide(metrics | paired, BRIER, "3").beats_baseline is beats
    equal = metrics | {"test_brier": 0.24}
    assert decide(equal, BRIER, "3").promoted  # it may be that very rule


def test_the_naive_baseline_must_not_be_better() -> None:
    for champion in ({"champion_brier": 0.2402}, {"champion_brier": 0.2399}, {}):
        found = decide({"test_brier": 0.241, **champion, **NAIVE}, BRIER, "3")
        assert not found.promoted
        assert in_english([found.reason]).endswith(
            "does not beat the naive rules (Hiatus rule 0.24); the champion v3 stays"
        )


def test_a_champion_that_loses_to_the_same_rule_gives_way_to_what_loses_less() -> None:
    found = decide({"test_brier": 0.241, "champion_brier": 0.30, **NAIVE}, BRIER, "3")
    assert (found.promoted, found.beats_baseline) == (True, False)
    assert in_english([found.reason]) == (
        "Brier score 0.241 beats the champion v3's 0.3; naive rules are better than both "
        "(Hiatus rule 0.24)"
    )
    # Whoever loses to a rule that the champion does not lose to is no progress.
    beside = {"test_brier": 0.26, "champion_brier": 0.245, **NAIVE}
    assert not decide(beside, BRIER, "3").promoted


@pytest.mark.parametrize(("own", "promoted"), [(0.197, False), (0.195, True)])
def test_the_margin_is_a_share_of_the_champions_figure(own: float, promoted: bool) -> None:
    found = decide(
        {"test_brier": own, "champion_brier": 0.20, **NAIVE}, CHURN.gate("brier", 0.02), "3"
    )
    assert found.promoted is promoted
    assert promoted or found.reason.code == "no_margin"


def test_of_a_ranking_more_is_better() -> None:
    gate = CHURN.gate("roc_auc", 0.0)
    metrics = {"champion_roc_auc": 0.70, "baseline_hiatus_rule_roc_auc": 0.61}
    assert decide({"test_roc_auc": 0.71, **metrics}, gate, "1").promoted
    assert not decide({"test_roc_auc": 0.69, **metrics}, gate, "1").promoted


def test_what_was_not_tested_replaces_nobody() -> None:
    gate = LIFETIME_VALUE.gate("purchases_mae", 0.0)
    found = decide({}, gate, "2")
    assert not found.promoted
    assert found.reason == Note("untested", {"champion": "2"})
    # Unless the champion was not tested either: then the newer history counts.
    assert decide({}, gate, "2", champion_tested=False).promoted


def test_a_champion_that_cannot_be_judged_gives_way_to_one_that_beats_the_baselines() -> None:
    gate = LIFETIME_VALUE.gate("purchases_mae", 0.0)
    naive = {
        "baseline_past_average_purchases_mae": 3.0,
        "baseline_population_average_purchases_mae": 4.0,
    }
    assert decide({"purchases_mae": 2.0, **naive}, gate, "1").promoted
    assert not decide({"purchases_mae": 3.5, **naive}, gate, "1").promoted


@pytest.mark.parametrize("rule", ["last_year", "hiatus_rule"])
def test_lifetime_value_must_beat_every_naive_rule(rule: str) -> None:
    metrics = {
        "purchases_mae": 2.0,
        "baseline_past_average_purchases_mae": 3.0,
        f"baseline_{rule}_purchases_mae": 1.9,
    }
    found = decide(metrics, LIFETIME_VALUE.gate("purchases_mae", 0.0), None)
    assert found.beats_baseline is False
    lost_to = Note("figure_of_rival", {"rival": rule, "value": 1.9})
    assert found.reason.code == "first_loses_to_naive"
    assert found.reason.values["rivals"] == [lost_to]
