"""How far a share may be off: by the footage that was chanced upon, and by the classifier's calibration."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from gclf_live.screentime.likelihood import maximise

F64 = npt.NDArray[np.float64]

_AT_ONCE = 4_000_000
"""Draws times units that are held in memory at a time: 32 MB."""


@dataclass(frozen=True, slots=True)
class CalibrationDoubt:
    """How far the classifier's calibration on new footage may be off, as standard deviations.

    The defaults are about how far the sources of the test pictures lie apart (MODEL_CARD.md): errors of 1.5
    to 4.3 % where 3 % are expected, and recalls of the two classes that differ by -1.8 to 1.1 points.

    Attributes:
        scale: of the logarithm of the factor by which log odds are too large or too small.
        shift: of what is added to the log odds of one class against another.
    """

    scale: float = 0.2
    shift: float = 0.4


def sampling_error(table: sparse.csr_array, likelihoods: F64, estimate: F64, *, draws: int, seed: int) -> F64:
    """Standard error of each share, float64 (C,), over other units than those of the table, (U, K)."""
    generator, count = np.random.default_rng(seed), table.shape[0]
    replicas, step = [], max(1, _AT_ONCE // count)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        drawn = generator.multinomial(count, np.full(count, 1 / count), size=size)
        replicas.append(maximise(np.asarray(drawn @ table, np.float64), likelihoods, estimate))
    # A bootstrap's spread is that of a mean with n where n - 1 is due (Hesterberg 2015, section 5.3).
    return np.asarray(np.nanstd(np.concatenate(replicas), axis=0) * np.sqrt(count / (count - 1)))


def calibration_error(seconds: F64, likelihoods: F64, estimate: F64, doubt: CalibrationDoubt) -> F64:
    """Standard error of each share, float64 (C,), that comes from the calibration, by central differences."""
    logs = np.log(likelihoods)
    classes = logs.shape[1]
    # The difference of two classes that are shifted on their own is to have the spread ``shift``.
    shifts = np.eye(classes) * doubt.shift / np.sqrt(2)
    changed = [logs * np.exp(doubt.scale), logs * np.exp(-doubt.scale)]
    for shift in shifts:
        changed += [logs + shift, logs - shift]
    moved = np.array([maximise(seconds[None], _scaled(each), estimate)[0] for each in changed])
    return np.asarray(np.sqrt((((moved[::2] - moved[1::2]) / 2) ** 2).sum(axis=0)))


def _scaled(logs: F64) -> F64:
    """Likelihoods whose largest in each row is 1."""
    return np.asarray(np.exp(logs - logs.max(axis=1, keepdims=True)))


def add_errors(estimate: F64, drawn: F64, least: F64, off: F64, *, units: int) -> tuple[F64, F64]:
    """Standard error of each share, and its degrees of freedom: float64 (C,) each.

    Args:
        estimate: float64, shape (C,): the shares.
        drawn: float64, shape (C,): see ``sampling_error``.
        least: float64, shape (C,): what ``drawn`` is taken for at least.
        off: float64, shape (C,): see ``calibration_error``.
        units: how many there were to draw from.
    """
    sampling = np.maximum(drawn, least)
    error = np.hypot(sampling, off)
    # Only what was drawn is as uncertain as few units make it (Satterthwaite 1946, doi:10.2307/3002019).
    # Near 0 and 1 the least value stands for what few units cannot show, and is as uncertain.
    drawn = np.where(error < estimate * (1 - estimate), drawn, sampling)
    # What is drawn is a part of the error; where both are next to nothing their quotient is rounding.
    return error, (units - 1) * np.maximum(error / np.maximum(drawn, 1e-12), 1.0) ** 4


def interval(estimate: F64, error: F64, quantile: F64, tracks: float) -> tuple[F64, F64]:
    """Bounds of each share, float64 (C,) each: Wilson's interval for as many tracks as the error stands for.

    Args:
        estimate: float64, shape (C,): the shares.
        error: float64, shape (C,): their standard errors.
        quantile: float64, shape (C,): of Student's t, such as 2.2.
        tracks: how many independent tracks they are worth at most.
    """
    spread = estimate * (1 - estimate)
    # At 0 and 1 nothing varies, and the error says nothing.
    worth = np.minimum(spread / np.maximum(error, 1e-12) ** 2, tracks)
    worth = np.where(spread > 0, worth, tracks)
    shrunk = 1 + quantile**2 / worth
    middle = (estimate + quantile**2 / (2 * worth)) / shrunk
    around = quantile / shrunk * np.sqrt(spread / worth + (quantile / (2 * worth)) ** 2)
    low, high = np.minimum(middle - around, estimate), np.maximum(middle + around, estimate)
    return np.clip(low, 0, 1), np.clip(high, 0, 1)
