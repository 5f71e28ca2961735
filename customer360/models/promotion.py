"""Whether a new model becomes the champion: if it beats the champion and loses to no naive rule.

Both are judged on the same customers of the same newest holdout, which neither has learned from.
What does not win stays a challenger, and the verdict says why. A champion that loses to the same
rules, and to the new model, gives way all the same: keeping the worst of all helps nobody.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from customer360.models.comparison import higher_is_better
from customer360.models.notes import Note


@dataclass(frozen=True)
class Gate:
    """What decides, by the names of a training's metrics.

    Attributes:
        figure: What it measures: ``brier``, ``purchases_mae``.
        candidate: The new model's.
        champion: The champion's, on the same holdout.
        baselines: Those of the naive baselines, by name.
        paired: What the new model loses more than each of them at least, by name: the lower end of
            an interval; see `customer360.models.paired.Losses.metrics`.
        margin: Share by which the champion must be beaten: 0.01 asks for one per cent.
    """

    figure: str
    candidate: str
    champion: str
    baselines: Mapping[str, str]
    paired: Mapping[str, str] = field(default_factory=dict)
    margin: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Whether the new model is the champion now, and why.

    Attributes:
        promoted: It is.
        beats_baseline: It loses to no naive baseline; ``None`` when it was not tested.
        reason: Why.
    """

    promoted: bool
    beats_baseline: bool | None
    reason: Note


def decide(
    metrics: Mapping[str, float],
    gate: Gate,
    champion: str | None,
    *,
    champion_tested: bool = True,
) -> Verdict:
    """Judge a new model by its training's metrics.

    The first model of all is the champion even if it beats nobody, for without one nothing could
    be scored; the verdict says so.

    Args:
        metrics: The training's, with the champion's and the baselines' figures where they exist.
        gate: Which figures count.
        champion: Version of the champion; ``None`` when there is none.
        champion_tested: Whether the champion's own training was tested on a holdout.
    """
    own = metrics.get(gate.candidate)
    beside: dict[str, Any] = {"champion": champion}
    if own is None:
        if champion is None:
            return Verdict(True, None, Note("first_untested"))
        if champion_tested:
            return Verdict(False, None, Note("untested", beside))
        return Verdict(True, None, Note("newer_of_untested", beside))

    figure: dict[str, Any] = {"figure": gate.figure, "own": own}
    naive = {name: metrics[key] for name, key in gate.baselines.items() if key in metrics}
    lost_to = {
        name: value
        for name, value in naive.items()
        if _loses(metrics.get(gate.paired.get(name, "")), own, value, gate.figure)
    }
    other = metrics.get(gate.champion)
    beats_champion = other is not None and _better(own, other, gate.figure, gate.margin)
    if lost_to:
        rivals = [
            Note("figure_of_rival", {"rival": name, "value": value})
            for name, value in lost_to.items()
        ]
        lost = figure | {"rivals": rivals}
        if champion is None:
            return Verdict(True, False, Note("first_loses_to_naive", lost))
        if (
            other is not None
            and beats_champion
            and all(_better(rule, other, gate.figure) for rule in lost_to.values())
        ):
            return Verdict(True, False, Note("least_bad", lost | beside | {"other": other}))
        return Verdict(False, False, Note("loses_to_naive", lost | beside))
    if champion is None:
        return Verdict(True, True, Note("first_beats_naive", figure))
    beside = figure | beside
    if other is None:
        return Verdict(True, True, Note("champion_not_judged", beside))
    beside |= {"other": other}
    if beats_champion:
        return Verdict(True, True, Note("beats_champion", beside))
    if gate.margin:
        return Verdict(False, True, Note("no_margin", beside | {"margin": gate.margin}))
    return Verdict(False, True, Note("loses_to_champion", beside))


def _loses(at_least: float | None, own: float, naive: float, figure: str) -> bool:
    """Whether a naive rule is better: beyond the interval of the difference, where there is one."""
    return _better(naive, own, figure) if at_least is None else at_least > 0


def _better(own: float, other: float, figure: str, margin: float = 0.0) -> bool:
    if higher_is_better(figure):
        return own > other + margin * abs(other)
    return own < other - margin * abs(other)
