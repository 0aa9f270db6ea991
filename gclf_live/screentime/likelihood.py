"""Shares of largest likelihood: the mixture of classes that explains probabilities best."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from gclf_live.records import I64

F64 = npt.NDArray[np.float64]

_TOLERANCE = 1e-7
_ROUGH_TOLERANCE = 1e-5
"""For what only spreads: draws of the bootstrap, shares after a change of the calibration."""
_MOST_STEPS = 3000
_LOG_GRID = 0.05
"""Log probabilities are rounded to this before they are counted: a hundred thousand tracks become some
hundred kinds, at a cost to a share of a few hundredths of a point."""
_SMALLEST = 1e-6


def find_kinds(probabilities: F64) -> tuple[F64, I64]:
    """Rows of probabilities that are alike, float64 (K, C), and which of them each track has, int64 (N,)."""
    logs = np.log(np.clip(probabilities, _SMALLEST, 1))
    rounded, places = np.unique(np.rint(logs / _LOG_GRID), axis=0, return_inverse=True)
    rows = np.exp(rounded * _LOG_GRID)
    return rows / rows.sum(axis=1, keepdims=True), np.asarray(places.reshape(-1), np.int64)


def maximise(weights: F64, likelihoods: F64, start: F64 | None = None) -> F64:
    """Shares of largest likelihood for each row of weights.

    Args:
        weights: float64, shape (B, K): seconds of each kind in each draw.
        likelihoods: float64, shape (K, C): how likely each kind is in each class, up to a factor a row.
        start: float64, shape (C,): a guess; by default equal shares.

    Returns:
        float64, shape (B, C); NaN where a draw has no seconds.
    """
    totals = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = weights / totals
    classes = likelihoods.shape[1]
    # A share of 0 would stay 0 whatever the draw says.
    guess = np.full(classes, 1 / classes) if start is None else 0.98 * start + 0.02 / classes
    shares = np.tile(guess, (len(weights), 1))
    active = np.flatnonzero(totals[:, 0] > 0)
    shares[totals[:, 0] <= 0] = np.nan
    tolerance = _TOLERANCE if start is None else _ROUGH_TOLERANCE
    for _ in range(_MOST_STEPS):
        if not len(active):
            break
        before = shares[active]
        mixed = before @ likelihoods.T
        after = before * ((weights[active] / np.maximum(mixed, 1e-300)) @ likelihoods)
        shares[active] = after
        active = active[np.abs(after - before).max(axis=1) > tolerance]
    return shares
