"""Making confidences mean what they say, and measuring how far they do."""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import betaincinv, log_softmax

from gclf_live.errors import CheckpointError
from gclf_live.model.meta import ErrorAtThreshold
from gclf_live.records import F32, I64

THRESHOLDS: tuple[float, ...] = tuple(
    permille / 1000 for permille in (*range(500, 900, 25), *range(900, 990, 5), *range(990, 1000))
)
"""The 44 confidence thresholds of a checkpoint's error table: closer together where errors are rare."""

# With which the error of a chosen threshold is at most its upper bound.
_SURENESS = 0.95

# A temperature outside of this says that the network, or its validation set, is broken.
_LOG_TEMPERATURE_BOUNDS = (math.log(0.05), math.log(20.0))


def fit_temperature(logits: F32, targets: I64) -> float:
    """The temperature under which the softmax of ``logits / temperature`` has the least log loss.

    Temperature scaling, Guo et al. 2017, arXiv:1706.04599. It changes no label, only confidences.

    Args:
        logits: float32, shape (N, C), of pictures that the network was not trained on.
        targets: int64, shape (N,), the true class of each.

    Returns:
        A number from 0.05 to 20; above 1 where the network is too sure of itself.

    Raises:
        ValueError: there are no rows, or shapes do not fit.
    """
    _check_rows(logits, targets)
    scores = logits.astype(np.float64)
    rows = np.arange(len(targets))

    def loss(log_temperature: float) -> float:
        return -float(log_softmax(scores / math.exp(log_temperature), axis=1)[rows, targets].mean())

    # The loss has one minimum in 1 / temperature, so also in the logarithm, where steps are relative.
    found = minimize_scalar(loss, bounds=_LOG_TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-5})
    return float(math.exp(found.x))


def expected_calibration_error(probabilities: F32, targets: I64, *, bins: int = 15) -> float:
    """How far confidence and accuracy lie apart, averaged over faces: 0 is perfect.

    Equal-width bins of the highest probability, as Guo et al. 2017, section 2.

    Args:
        probabilities: float32, shape (N, C), rows sum to 1.
        targets: int64, shape (N,).
        bins: number of bins over (0, 1].

    Raises:
        ValueError: there are no rows, or shapes do not fit.
    """
    _check_rows(probabilities, targets)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == targets
    index = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(index, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(targets))


def error_table(
    probabilities: F32, targets: I64, *, thresholds: Sequence[float] = THRESHOLDS
) -> tuple[ErrorAtThreshold, ...]:
    """Coverage and error when only confidences from a threshold on get a label, by threshold.

    Args:
        probabilities: float32, shape (N, C), calibrated.
        targets: int64, shape (N,).
        thresholds: each in [0, 1]; a confidence equal to it is labelled.

    Raises:
        ValueError: there are no rows, or shapes do not fit.
    """
    _check_rows(probabilities, targets)
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != targets
    rows = []
    for threshold in thresholds:
        shown = confidence >= threshold
        error = float(wrong[shown].mean()) if shown.any() else 0.0
        rows.append(ErrorAtThreshold(float(threshold), float(shown.mean()), error, int(shown.sum())))
    return tuple(rows)


def threshold_for_error(table: Sequence[ErrorAtThreshold], max_error: float) -> float:
    """The smallest threshold of an error table whose labels are wrong at most this often.

    Where the table counts its labels, "at most" is meant with 95 % confidence for each threshold alone:
    the one-sided upper bound of Clopper and Pearson 1934, doi:10.1093/biomet/26.4.404. An older table
    without counts is taken at its word. Either holds for pictures like those of the validation set.

    Args:
        table: in any order; thresholds at which no face was labelled say nothing.
        max_error: share of wrong labels, in [0, 1].

    Raises:
        CheckpointError: there is no table, or no threshold in it keeps the error that low; the message
            names the smallest error that can be asked for.
    """
    bounds = {row.threshold: _error_bound(row) for row in table if row.coverage > 0}
    if not bounds:
        raise CheckpointError(
            "the checkpoint has no table of errors by threshold, as bare weights have none; use "
            "--threshold P, or a checkpoint of gclf-live train"
        )
    good = [threshold for threshold, error in bounds.items() if error <= max_error]
    if not good:
        # Rounded up: what the message says must work when it is typed.
        least = math.ceil(min(bounds.values()) * 10_000) / 10_000
        raise CheckpointError(
            f"no threshold of this checkpoint keeps the error at {max_error:g}; the smallest that its "
            f"validation pictures vouch for is {least:g}. Ask for that or more, or use --threshold P"
        )
    return min(good)


def _error_bound(row: ErrorAtThreshold) -> float:
    """What the error of a row is at most, see ``threshold_for_error``."""
    wrong = round(row.error * row.labelled)
    if row.labelled == 0:
        return row.error
    return 1.0 if wrong == row.labelled else float(betaincinv(wrong + 1, row.labelled - wrong, _SURENESS))


def wilson_interval(successes: int, n: int, *, level: float = 0.95) -> tuple[float, float]:
    """Lower and upper end of the score interval of a proportion (Wilson 1927, doi:10.2307/2276774).

    Args:
        successes: from 0 to ``n``.
        n: number of independent trials; without any, nothing is known: (0, 1).
        level: confidence level in (0, 1).

    Raises:
        ValueError: the counts or the level are out of range.
    """
    if not 0 <= successes <= n or not 0 < level < 1:
        raise ValueError(f"{successes} of {n} at level {level}; counts must be 0..n, the level in (0, 1)")
    if n == 0:
        return 0.0, 1.0
    z = NormalDist().inv_cdf((1 + level) / 2)
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At the ends the formula gives 0 and 1 but for rounding.
    lower = 0.0 if successes == 0 else centre - half
    return lower, 1.0 if successes == n else centre + half


def _check_rows(scores: F32, targets: I64) -> None:
    """Raise ValueError unless there are N > 0 rows of scores with N targets that name their columns."""
    if scores.ndim != 2 or targets.shape != scores.shape[:1] or not len(targets):
        raise ValueError(f"scores {scores.shape} with targets {targets.shape}; they must be NxC and N, N > 0")
    if targets.min() < 0 or targets.max() >= scores.shape[1]:
        raise ValueError(
            f"targets from {targets.min()} to {targets.max()}; there are {scores.shape[1]} classes, from 0"
        )
