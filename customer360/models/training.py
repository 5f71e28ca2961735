"""What every training comes to, whatever the model: what is tracked, judged and put on a card."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import pandas as pd

    from customer360.models.leakage import LeakReport
    from customer360.models.notes import Note

Model = TypeVar("Model")


@dataclass(frozen=True, kw_only=True)
class Training(ABC, Generic[Model]):
    """All that came out of one training; a model's own class adds what only it has.

    Attributes:
        model: The one to publish.
        because: Why a fallback stands in for the model or for a part of it, and which; empty when
            none does.
        notes: What else a reader must know.
        parameters: Flat, to log.
        metrics: Flat: the model's figures, and those of others on the same rows; see
            `customer360.models.comparison.comparison` for their names.
        plots: PNG images by name.
        sample: Features of customers that nobody is, as an input example.
        as_of: Day the training was made for.
        leaks: What the leak check found in the labelled rows; not passed is no failure here, but
            is in the notes and for an asset check to judge. ``None`` where nothing is labelled.
    """

    model: Model
    because: tuple[Note, ...] = ()
    notes: tuple[Note, ...] = ()
    parameters: dict[str, float | int | str]
    metrics: dict[str, float]
    plots: dict[str, bytes]
    sample: pd.DataFrame
    as_of: date
    leaks: LeakReport | None = None

    @property
    def trained(self) -> bool:
        """False when a fallback stands in for the model or for a part of it."""
        return not self.because

    @property
    def status(self) -> str:
        """``trained`` or ``fallback``."""
        return "trained" if self.trained else "fallback"

    @property
    def judged(self) -> tuple[Model, date] | None:
        """The model that was judged, where another one is published, and the last day it saw."""
        return None

    @property
    @abstractmethod
    def definition(self) -> str:
        """What was predicted over which days, and how it was tested, in a sentence."""
