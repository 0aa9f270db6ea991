"""The sides of a comparison measured in turn: a machine that slows down slows all of them down."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

Side = Callable[[], float]
"""Runs once and says how it went, such as frames a second."""


@dataclass(frozen=True, slots=True)
class Spread:
    """The middle and the ends of some figures."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one figure."""
        return cls(statistics.median(values), min(values), max(values))

    def __format__(self, spec: str) -> str:
        """Median, lowest and highest, each as ``spec`` says: ``1.50 (1.20 to 1.80)``."""
        return f"{self.median:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def in_turn(
    sides: Mapping[str, Side], *, rounds: int, say: Callable[[str], None] = lambda line: None
) -> dict[str, list[float]]:
    """Run every side once a round.

    Args:
        sides: by name.
        rounds: how often; each begins with another side, so that none always follows the same one.
        say: takes one line a round, for the user who waits.

    Returns:
        The figures of each side, one a round, in the order of the rounds.
    """
    names = list(sides)
    figures: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(rounds):
        start = turn % max(1, len(names))
        for name in names[start:] + names[:start]:
            figures[name].append(sides[name]())
        say(
            f"round {turn + 1} of {rounds}: " + ", ".join(f"{name} {figures[name][-1]:.4g}" for name in names)
        )
    return figures


def ratios(values: Sequence[float], against: Sequence[float]) -> Spread:
    """The ratio of two sides in each round, and its spread. ValueError where the rounds differ in number."""
    return Spread.of([value / other for value, other in zip(values, against, strict=True)])
