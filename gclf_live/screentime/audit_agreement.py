"""How far two people who labelled the same sample agree: Cohen's kappa."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from gclf_live.records import I64
from gclf_live.screentime.audit_estimates import LEVEL, Proportion, wilson


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two people's answers compared.

    Attributes:
        table: int64, shape (C + 1, C + 1): tracks by the first person's answer (rows) and the second's, in
            the order of the classes, with unclear last.
        same: share of the tracks on which they agree, with its 95 % interval.
        kappa: agreement beyond what chance gives, and its 95 % interval; None where both gave one and the
            same answer throughout, so that chance alone explains all of it. May be below 0.
        differing: numbers of the tracks on which they differ.
    """

    table: I64
    same: Proportion
    kappa: Proportion | None
    differing: tuple[int, ...]


def compare_answers(
    first: Mapping[int, str | None], second: Mapping[int, str | None], classes: Sequence[str]
) -> Agreement | None:
    """Compare the answers to the tracks that both have answered; None where there are none.

    Kappa as Cohen 1960, doi:10.1177/001316446002000104, which takes the agreement by chance for known in
    its interval; that of the observed agreement is Wilson's, so that it does not shrink to nothing where
    two people agree on everything.
    """
    both = sorted(first.keys() & second.keys())
    if not both:
        return None
    place = {name: position for position, name in enumerate(classes)} | {None: len(classes)}
    table = np.zeros((len(place), len(place)), np.int64)
    for number in both:
        table[place[first[number]], place[second[number]]] += 1
    count = len(both)
    observed = float(np.trace(table)) / count
    by_chance = float(table.sum(axis=1) @ table.sum(axis=0)) / count**2
    low, high = wilson(np.array([observed]), np.array([float(count)]), NormalDist().inv_cdf((1 + LEVEL) / 2))
    same = Proportion(observed, float(low[0]), float(high[0]))

    def beyond_chance(share: float) -> float:
        return (share - by_chance) / (1 - by_chance)

    kappa = Proportion(*map(beyond_chance, (same.value, same.low, same.high))) if by_chance < 1 else None
    return Agreement(table, same, kappa, tuple(n for n in both if first[n] != second[n]))
