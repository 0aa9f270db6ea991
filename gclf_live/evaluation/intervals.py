"""A figure and how far chance may have moved it: 95 % intervals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gclf_live.model.calibration import wilson_interval
from gclf_live.records import F32, I64, Bool

F64: TypeAlias = npt.NDArray[np.float64]

LEVEL = 0.95
RESAMPLES = 2000
_SEED = 20_241
_AT_ONCE = 4_000_000  # resampled pictures held in memory at a time: 32 MB for each array of them
_NO_WIDTH = 1e-9
_PERCENTILES = (50 * (1 - LEVEL), 50 * (1 + LEVEL))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measured figure with its 95 % interval.

    Attributes:
        value: what was measured.
        low: lower end of the interval, at most ``value``.
        high: upper end, at least ``value``.
    """

    value: float
    low: float
    high: float


def share(successes: int, n: int) -> Estimate:
    """A proportion of ``n`` > 0 with Wilson's interval (1927, doi:10.2307/2276774)."""
    low, high = wilson_interval(successes, n, level=LEVEL)
    return Estimate(successes / n, low, high)


def mean_of_shares(successes: Sequence[int], counts: Sequence[int]) -> Estimate:
    """The mean of several proportions, such as of the recalls of all classes.

    Percentile bootstrap, each class resampled on its own: a resampled recall is then a binomial draw.
    Where a class was always or never right, resampling cannot vary it and the interval would be too
    narrow, in a small group a single point; there the shares' Wilson intervals are combined instead
    (Zou and Donner 2008, doi:10.1002/sim.3095).

    Args:
        successes: of each class.
        counts: pictures of each class, all above 0.
    """
    right, n = np.asarray(successes), np.asarray(counts)
    recalls = right / n
    mean = float(recalls.mean())
    if ((right > 0) & (right < n)).all():
        draws = np.random.default_rng(_SEED).binomial(n, recalls, size=(RESAMPLES, len(n))) / n
        low, high = np.percentile(draws.mean(axis=1), _PERCENTILES)
        return Estimate(mean, min(float(low), mean), max(float(high), mean))
    shares = [share(int(k), int(m)) for k, m in zip(right, n, strict=True)]
    below = math.hypot(*(s.value - s.low for s in shares)) / len(n)
    above = math.hypot(*(s.high - s.value for s in shares)) / len(n)
    return Estimate(mean, max(0.0, mean - below), min(1.0, mean + above))


def calibration_error(probabilities: F32, targets: I64, *, bins: int = 15) -> Estimate:
    """Expected calibration error, as ``expected_calibration_error``, with its interval.

    Reverse percentile bootstrap, widened to hold the figure itself. Chance alone makes the error larger
    than 0, and resampling adds as much again: simulated with 1,000 calibrated answers the plain
    percentile interval never held the true error, with a true error of 0.012 neither; this one does in
    58 and 91 of 100 cases, and in 87 to 95 from an error of 0.03 on.

    Where resampling varies nothing, as with a picture or two, or none answered wrongly at one confidence, the
    interval holds every error that the mean confidence can have within Wilson's interval of the accuracy.

    Args:
        probabilities: float32, shape (N, C), N > 0.
        targets: int64, shape (N,).
        bins: of equal width over (0, 1].
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    gaps = confidence - (probabilities.argmax(axis=1) == targets)
    place = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    by_bin = np.zeros((len(gaps), bins))
    by_bin[np.arange(len(gaps)), place] = gaps
    value = float(np.abs(by_bin.sum(axis=0)).sum() / len(gaps))
    draws = np.concatenate([np.abs(w @ by_bin).sum(axis=1) / len(gaps) for w in _resampled(targets)])
    low, high = np.percentile(draws, _PERCENTILES)
    if high - low < _NO_WIDTH:
        return _error_without_spread(value, float(confidence.mean()), targets, probabilities.argmax(axis=1))
    return Estimate(value, min(value, max(0.0, 2 * value - float(high))), max(value, 2 * value - float(low)))


def _error_without_spread(value: float, confidence: float, targets: I64, answers: I64) -> Estimate:
    accuracy = share(int((answers == targets).sum()), len(targets))
    gaps = [abs(confidence - end) for end in (accuracy.low, accuracy.high)]
    least = 0.0 if accuracy.low <= confidence <= accuracy.high else min(gaps)
    return Estimate(value, min(value, least), max(value, *gaps))


def area_under_risk(confidence: F32, wrong: Bool, targets: I64) -> Estimate:
    """Area under the curve of risk against coverage: the mean error over all coverages, lower is better.

    Geifman, Uziel, El-Yaniv 2019, arXiv:1805.08206. Pictures of equal confidence are labelled together.
    Percentile bootstrap; without a single mistake its upper end is that of the error of all, and where
    resampling varies nothing, both ends are.

    Args:
        confidence: float32, shape (N,), N > 0.
        wrong: bool, shape (N,).
        targets: int64, shape (N,): pictures are resampled within each class.
    """
    order = np.argsort(-confidence, kind="stable")
    starts = np.flatnonzero(np.diff(confidence[order], prepend=np.float32(2)))
    mistakes = wrong[order].astype(np.float64)

    def area(weights: F64) -> F64:
        """Of each row of weights, float64, shape (B, N) in order of falling confidence: (B,)."""
        labelled = np.add.reduceat(weights, starts, axis=1)
        errors = np.add.reduceat(weights * mistakes, starts, axis=1).cumsum(axis=1)
        risk = errors / np.maximum(labelled.cumsum(axis=1), 1)
        return np.asarray((labelled * risk).sum(axis=1) / labelled.sum(axis=1), np.float64)

    value = float(area(np.ones((1, len(order))))[0])
    if not wrong.any():
        return Estimate(value, 0.0, share(0, len(wrong)).high)
    draws = np.concatenate([area(weights) for weights in _resampled(targets[order])])
    low, high = np.percentile(draws, _PERCENTILES)
    if high - low < _NO_WIDTH:
        error = share(int(wrong.sum()), len(wrong))
        low, high = error.low, error.high
    return Estimate(value, min(value, float(low)), max(value, float(high)))


def _resampled(targets: I64) -> Iterator[F64]:
    """How often each picture was drawn, in ``RESAMPLES`` rows in all: float64, (B, N) at a time.

    Drawn with replacement within each class: the folders, not chance, say how many of each there are. Classes
    of one picture, which could not vary, are drawn as one class, a single one of them with the largest.
    """
    n = len(targets)
    members = _strata(targets)
    generator = np.random.default_rng(_SEED)
    step = max(1, _AT_ONCE // n)
    for start in range(0, RESAMPLES, step):
        rows = min(step, RESAMPLES - start)
        drawn = [own[generator.integers(len(own), size=(rows, len(own)))] for own in members]
        flat = np.concatenate(drawn, axis=1) + n * np.arange(rows)[:, None]
        yield np.bincount(flat.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)


def _strata(targets: I64) -> list[I64]:
    """Positions of the pictures that are drawn together."""
    members = sorted((np.flatnonzero(targets == index) for index in np.unique(targets)), key=len)
    alone = [own for own in members if len(own) == 1]
    others = members[len(alone) :]
    if len(alone) == 1 and others:
        return [*others[:-1], np.concatenate([others[-1], alone[0]])]
    return [*others, np.concatenate(alone)] if alone else others
