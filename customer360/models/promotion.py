"""Whether a new model becomes the champion: only if it beats the champion and the naive baseline.

Both are judged on the same customers of the same newest holdout, which neither has learned from.
What does not win stays a challenger, with the reason in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from customer360.models.comparison import higher_is_better


@dataclass(frozen=True)
class Gate:
    """What decides, by the names of a training's metrics.

    Attributes:
        figure: For people: ``brier``, ``purchases_mae``.
        candidate: The new model's.
        champion: The champion's, on the same holdout.
        baselines: Those of the naive baselines, by name.
        margin: Share by which the champion must be beaten: 0.01 asks for one per cent.
    """

    figure: str
    candidate: str
    champion: str
    baselines: Mapping[str, str]
    margin: float = 0.0


@dataclass(frozen=True)
class Verdict:
    """Whether the new model is the champion now, and why.

    Attributes:
        promoted: It is.
        beats_baseline: It beats every naive baseline; ``None`` when it was not tested.
        reason: One line for people.
    """

    promoted: bool
    beats_baseline: bool | None
    reason: str


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
    naive = {name: metrics[key] for name, key in gate.baselines.items() if key in metrics}
    if own is None:
        why = "was not tested on a holdout"
        if champion is None:
            return Verdict(True, None, f"first model; it {why}")
        if not champion_tested:
            return Verdict(True, None, f"it {why}, nor was the champion v{champion}: newer counts")
        return Verdict(False, None, f"it {why}; the champion v{champion} stays")

    lost_to = [
        f"{name.replace('_', ' ')} {value:.4g}"
        for name, value in naive.items()
        if not _better(own, value, gate.figure)
    ]
    if lost_to:
        why = f"{gate.figure} {own:.4g} does not beat the naive {', '.join(lost_to)}"
        if champion is None:
            return Verdict(True, False, f"first model, for want of another; its {why}")
        return Verdict(False, False, f"its {why}; the champion v{champion} stays")
    if champion is None:
        return Verdict(True, True, f"first model; its {gate.figure} {own:.4g} beats the naive ones")
    other = metrics.get(gate.champion)
    if other is None:
        return Verdict(
            True,
            True,
            f"its {gate.figure} {own:.4g} beats the naive ones; the champion v{champion} cannot be "
            "judged on this holdout",
        )
    if not _better(own, other, gate.figure, gate.margin):
        margin = f" by the {gate.margin:.1%} asked for" if gate.margin else ""
        return Verdict(
            False,
            True,
            f"its {gate.figure} {own:.4g} does not beat the champion's {other:.4g}{margin}; "
            f"v{champion} stays",
        )
    return Verdict(
        True, True, f"its {gate.figure} {own:.4g} beats the champion v{champion}'s {other:.4g}"
    )


def _better(own: float, other: float, figure: str, margin: float = 0.0) -> bool:
    if higher_is_better(figure):
        return own > other + margin * abs(other)
    return own < other - margin * abs(other)
