"""Steady labels while a video runs: each track's evidence gathered over time, looking back only.

A track keeps a weighted mean of its crops' log odds. A crop counts by its quality and by how new it is:
``1 - exp(-dt / same_moment_s)`` after the crop before, so that 60 crops a second tell no more than 10.
The mean is as certain as ``n / (1 + (n - 1) * correlation)`` independent crops (Kish 1965, as in
``labels.aggregate``), with n the sum of what was new and not yet forgotten.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gclf_live.records import F32, I64, UNSURE, Predictions

F64: TypeAlias = npt.NDArray[np.float64]

_MOST = 4.0
"""Bound of a crop's centred log probabilities (odds of e^8 to 1), so that one crop cannot outvote a track."""
_LEAST_WEIGHT = 1e-3


@dataclass(frozen=True, slots=True)
class SmoothingSettings:
    """How evidence is gathered and shown.

    Attributes:
        time_constant_s: how long evidence is remembered while new evidence comes in.
        threshold: probability from which a class is shown, in (0, 1).
        switch_margin: log odds by which a shown class must fall below the threshold before it is taken
            back, and by which another must exceed it to be shown in its stead.
        correlation: of the errors of two crops of one track that lie far apart, in [0, 1].
        same_moment_s: time constant with which a crop becomes news again. Also the longest time that one
            crop ages the evidence before it: a face that is looked at every five seconds keeps its past.
        refresh_s: time constant with which a settled track becomes due for another crop.
        forget_after_s: a track that is neither updated nor asked for is dropped after this time.
    """

    time_constant_s: float = 1.5
    threshold: float = 0.8
    switch_margin: float = 0.5
    correlation: float = 0.8
    same_moment_s: float = 0.5
    refresh_s: float = 3.0
    forget_after_s: float = 10.0

    def __post_init__(self) -> None:
        times = (self.time_constant_s, self.same_moment_s, self.refresh_s, self.forget_after_s)
        in_range = 0 < self.threshold < 1 and 0 <= self.correlation <= 1 and self.switch_margin >= 0
        if not in_range or not all(time > 0 for time in times):
            raise ValueError(
                f"{self}; allowed: times above 0, threshold between 0 and 1, correlation 0 to 1, margin >= 0"
            )


@dataclass(slots=True)
class _Evidence:
    """What is known of one track."""

    mean: F64
    """(C,), weighted mean of centred log probabilities."""
    weight: float
    views: float
    """How many independent crops would tell as much, were there no correlation."""
    updated_s: float
    shown: int | None = None
    """The class on display; None for unsure."""


class LiveSmoother:
    """Gathers the classifications of every track and says what to show. Not thread-safe."""

    def __init__(self, classes: tuple[str, ...], settings: SmoothingSettings | None = None) -> None:
        """Start without tracks.

        Args:
            classes: names of the C classes, at least two, in the order of the logits.
            settings: None for the defaults.

        Raises:
            ValueError: there are fewer than two classes.
        """
        if len(classes) < 2:
            raise ValueError(f"classes {classes}; there must be at least two")
        self.classes = classes
        self.settings = settings or SmoothingSettings()
        self._evidence: dict[int, _Evidence] = {}
        self._asked_s: dict[int, float] = {}

    def __len__(self) -> int:
        """Tracks that something is known of."""
        return len(self._evidence)

    def set_threshold(self, threshold: float) -> None:
        """Show from now on what reaches another threshold, in (0, 1).

        Every track is judged by its evidence alone: hysteresis is for what was shown under the same rule.

        Raises:
            ValueError: the threshold is out of range.
        """
        self.settings = replace(self.settings, threshold=threshold)
        for track, known in self._evidence.items():
            known.shown = self._next_shown(None, self._probabilities(track))

    def update(self, ids: I64, logits: F32, weights: F32, pts_s: float) -> None:
        """Take in the crops that were classified in one frame.

        Args:
            ids: int64, shape (N,), tracks.
            logits: float32, shape (N, C), calibrated log probabilities, or logits that differ from them by
                a constant. A row that is not finite is left out.
            weights: float32, shape (N,), quality in [0, 1].
            pts_s: time of the frame.

        Raises:
            ValueError: shapes do not fit.
        """
        if logits.shape != (len(ids), len(self.classes)) or weights.shape != (len(ids),):
            raise ValueError(
                f"{len(ids)} ids, logits {logits.shape}, weights {weights.shape}; "
                f"allowed: N, N x {len(self.classes)}, N"
            )
        self._touch(ids, pts_s)
        for track, row, weight in zip(ids.tolist(), logits.astype(np.float64), weights.tolist(), strict=True):
            if np.isfinite(row).all():
                self._add(track, np.clip(row - row.mean(), -_MOST, _MOST), max(weight, _LEAST_WEIGHT), pts_s)

    def predictions(self, ids: I64, pts_s: float) -> Predictions:
        """Class probabilities of the tracks ``ids`` (N,), uniform for one that was never classified."""
        self._touch(ids, pts_s)
        rows = [self._probabilities(track) for track in ids.tolist()]
        return Predictions(self.classes, np.array(rows, np.float32).reshape(-1, len(self.classes)))

    def labels(self, ids: I64, pts_s: float) -> tuple[str, ...]:
        """What to show for each of the tracks ``ids`` (N,): a class, or ``unsure``.

        A class stays up while its probability hovers around the threshold, so it may be shown with a
        confidence somewhat below.
        """
        self._touch(ids, pts_s)
        shown = (self._evidence[track].shown if track in self._evidence else None for track in ids.tolist())
        return tuple(UNSURE if index is None else self.classes[index] for index in shown)

    def needs_evidence(self, ids: I64, pts_s: float) -> F32:
        """How much another crop of each track would tell: float32, shape (N,).

        2 for a track never classified; up to 1 for an unsure one, the longer ago its last crop; always
        less for a settled one of the same age: 0.3 after 1.2 s by default, 0.9 at most.
        """
        self._touch(ids, pts_s)
        return np.array([self._priority(track, pts_s) for track in ids.tolist()], np.float32)

    def _add(self, track: int, scores: F64, weight: float, pts_s: float) -> None:
        """Add one crop's centred log probabilities to a track's mean."""
        known = self._evidence.get(track)
        if known is None:
            known = self._evidence[track] = _Evidence(scores, weight, 1.0, pts_s)
        else:
            since_s = max(pts_s - known.updated_s, 0.0)
            news = 1 - math.exp(-since_s / self.settings.same_moment_s)
            kept = math.exp(-min(since_s, self.settings.same_moment_s) / self.settings.time_constant_s)
            before, added = known.weight * kept, weight * news
            known.mean = (before * known.mean + added * scores) / (before + added)
            known.weight = before + added
            # A lone crop is worth one view however long ago it was.
            known.views = max(known.views * kept + news, 1.0)
            known.updated_s = max(pts_s, known.updated_s)
        known.shown = self._next_shown(known.shown, self._probabilities(track))

    def _probabilities(self, track: int) -> F64:
        """Shape (C,): the softmax of the mean, scaled by what its crops are worth together."""
        known = self._evidence.get(track)
        if known is None:
            return np.full(len(self.classes), 1 / len(self.classes))
        worth = known.views / (1 + (known.views - 1) * self.settings.correlation)
        scaled = worth * (known.mean - known.mean.max())
        exponentials = np.exp(scaled)
        return np.asarray(exponentials / exponentials.sum())

    def _next_shown(self, shown: int | None, probabilities: F64) -> int | None:
        """The class to show from now on, with hysteresis at the threshold and between classes."""
        limit = _log_odds(self.settings.threshold)
        best = int(probabilities.argmax())
        strength = _log_odds(float(probabilities[best]))
        if shown is None:
            return best if strength >= limit else None
        if best != shown and strength >= limit + self.settings.switch_margin:
            return best
        fallen = _log_odds(float(probabilities[shown])) < limit - self.settings.switch_margin
        return None if fallen else shown

    def _priority(self, track: int, pts_s: float) -> float:
        known = self._evidence.get(track)
        if known is None:
            return 2.0
        age_s = max(pts_s - known.updated_s, 0.0)
        settled = 0.9 * (1 - math.exp(-age_s / self.settings.refresh_s))
        if known.shown is not None:
            return settled
        return max(settled, 1 - math.exp(-age_s / self.settings.same_moment_s))

    def _touch(self, ids: I64, pts_s: float) -> None:
        """Note that ``ids`` are still there, and drop the tracks that have long not been."""
        self._asked_s.update(dict.fromkeys(ids.tolist(), pts_s))
        oldest_s = pts_s - self.settings.forget_after_s
        for track in [track for track, asked_s in self._asked_s.items() if asked_s < oldest_s]:
            del self._asked_s[track]
            self._evidence.pop(track, None)


def _log_odds(probability: float) -> float:
    bounded = min(max(probability, 1e-12), 1 - 1e-12)
    return math.log(bounded / (1 - bounded))
