"""One label for a whole track, from a few of its crops.

The crops of one track are not independent: a hair style, a pose or the light mislead the classifier in
each of them alike. Their log odds are averaged, which removes the noise that differs from crop to crop,
and the average is then made only as certain as the number of views it is worth:
``n / (1 + (n - 1) * rho)``, the design effect of Kish (1965, Survey Sampling, section 5.4) for the
correlation ``rho`` within a track. With 0.8, any number of crops is worth at most 1.25 views.
"""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gclf_live.records import F32, I64

F64: TypeAlias = npt.NDArray[np.float64]

_RHO = 0.8
_SAME_MOMENT_S = 0.5
"""Crops closer than a few of these show the same pose and light: their correlation rises towards 1."""
_OUTLIER = 2.0
"""How many median deviations from the median a crop's log odds may lie before its weight shrinks."""
_LEAST_DEVIATION = 1.0


def combine_track(
    logits: F32,
    weights: F32,
    pts_s: F64 | F32,
    *,
    correlation: float = _RHO,
    same_moment_s: float = _SAME_MOMENT_S,
) -> F32:
    """Class probabilities of a track from K classified crops.

    Args:
        logits: float32, shape (K, C), calibrated log probabilities, or logits off them by a constant.
        weights: float32, shape (K,), at least 0: quality of the crops. All 0 counts as all equal.
        pts_s: shape (K,), when each was seen.
        correlation: of the errors of two crops of one track that lie far apart, in [0, 1].
        same_moment_s: time constant with which that of neighbouring crops falls from 1 to ``correlation``.

    Returns:
        float32, shape (C,), sums to 1; uniform for K = 0.

    Raises:
        ValueError: lengths differ, fewer than two classes, or a value is out of range.
    """
    _check_track(logits, weights, pts_s, correlation)
    if not len(logits):
        return np.full(logits.shape[1], 1 / logits.shape[1], np.float32)
    scores = logits.astype(np.float64)
    scores -= scores.mean(axis=1, keepdims=True)
    share = weights.astype(np.float64) if weights.sum() > 0 else np.ones(len(weights))
    share = share * _trust(scores, share)
    share /= share.sum()
    views = _effective_views(share, pts_s.astype(np.float64), correlation, same_moment_s)
    combined = views * (share @ scores)
    probabilities = np.exp(combined - combined.max())
    return np.asarray(probabilities / probabilities.sum(), np.float32)


def pick_crops(quality: F32, pts_s: F64 | F32, *, count: int) -> I64:
    """The crops of a track to classify: the best of each of ``count`` equal parts of its time.

    Parts without a crop pass their turn to the best of the others.

    Args:
        quality: float32, shape (M,).
        pts_s: shape (M,), any order.
        count: how many to pick, at least 1.

    Returns:
        int64, shape (min(count, M),): positions, in order of time.

    Raises:
        ValueError: ``count`` is less than 1, or lengths differ.
    """
    if count < 1 or len(quality) != len(pts_s):
        raise ValueError(
            f"count={count}, {len(quality)} qualities, {len(pts_s)} times; allowed: 1 or more, equal"
        )
    if not len(quality):
        return np.zeros(0, np.int64)
    times = pts_s.astype(np.float64)
    span = float(np.ptp(times))
    part = np.minimum((times - times.min()) / max(span, 1e-9) * count, count - 1).astype(np.int64)
    best_first = np.argsort(-quality, kind="stable")
    _, first = np.unique(part[best_first], return_index=True)
    winners = np.zeros(len(quality), np.bool_)
    winners[best_first[first]] = True
    rest = best_first[~winners[best_first]]
    picked = np.concatenate([np.flatnonzero(winners), rest])[:count]
    return np.asarray(picked[np.argsort(times[picked], kind="stable")], np.int64)


def _check_track(logits: F32, weights: F32, pts_s: F64 | F32, correlation: float) -> None:
    """Raise ValueError unless the arguments of ``combine_track`` fit."""
    fits = logits.ndim == 2 and logits.shape[1] >= 2 and len(logits) == len(weights) == len(pts_s)
    if not fits or (weights < 0).any() or not 0 <= correlation <= 1:
        raise ValueError(
            f"logits {logits.shape}, weights {weights.shape}, pts_s {pts_s.shape}, "
            f"correlation {correlation}; allowed: K x C with C >= 2, K weights of 0 or more, K times, 0 to 1"
        )


def _trust(scores: F64, share: F64) -> F64:
    """How far each crop is in line with the weighted median: shape (K,), in (0, 1].

    Huber's weights (1964, doi:10.1214/aoms/1177703732) squared, so that the influence of a crop falls
    with its distance instead of staying at its bound.
    """
    median = np.array([_weighted_median(column, share) for column in scores.T])
    distance = np.abs(scores - median).max(axis=1)
    scale = max(_weighted_median(distance, share), _LEAST_DEVIATION)
    return np.asarray(np.minimum(1.0, (_OUTLIER * scale / np.maximum(distance, 1e-9)) ** 2))


def _weighted_median(values: F64, weights: F64) -> float:
    """The value that half of the weight lies at or below; between two, their mean."""
    order = np.argsort(values)
    below = np.cumsum(weights[order]) / weights.sum()
    low = order[min(int(np.searchsorted(below, 0.5 - 1e-9)), len(order) - 1)]
    high = order[min(int(np.searchsorted(below, 0.5 + 1e-9)), len(order) - 1)]
    return float(values[low] + values[high]) / 2


def _effective_views(share: F64, pts_s: F64, correlation: float, same_moment_s: float) -> float:
    """How many independent crops a weighted mean is worth; n / (1 + (n - 1) * correlation) for n equal ones
    that lie far apart, 1 for crops of the same moment."""
    apart_s = np.abs(pts_s[:, None] - pts_s[None])
    matrix = correlation + (1 - correlation) * np.exp(-apart_s / max(same_moment_s, 1e-9))
    return float(1 / (share @ matrix @ share))
