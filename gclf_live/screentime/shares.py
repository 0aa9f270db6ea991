"""Shares of screen time from tracks with calibrated probabilities, and how far they can be trusted.

Adding up labels is biased: of 100 seconds, 10 of them women's, a classifier that is right in 96 % calls
13 women's. The correction here needs no labels of the footage. It looks for the shares that explain the
classifier's probabilities best (maximum likelihood by expectation-maximisation; Saerens, Latinne,
Decaestecker 2002, doi:10.1162/089976602753284446), weighing each track by its seconds. It assumes that
faces of one class look to the classifier as those did that it was calibrated on; only the mixture differs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse, stats

from gclf_live.records import I64
from gclf_live.screentime.likelihood import find_kinds, maximise
from gclf_live.screentime.uncertainty import (
    CalibrationDoubt,
    add_errors,
    calibration_error,
    interval,
    sampling_error,
)

F64 = npt.NDArray[np.float64]

_WORTH_OF_VIDEO = 10
"""Independent tracks that a video is worth at most where there are several: the same people come back in it.
Few videos that happen to be alike would otherwise seem to be sure of what they cannot know."""


@dataclass(frozen=True, slots=True)
class TrackSample:
    """The tracks of one or many videos that count towards screen time.

    Attributes:
        seconds: float64, shape (N,): time on screen, above 0.
        probabilities: float64, shape (N, C): calibrated, rows sum to 1.
        videos: int64, shape (N,): 0 to V - 1, the video of each track.
    """

    seconds: F64
    probabilities: F64
    videos: I64

    def __post_init__(self) -> None:
        count = len(self.seconds)
        if self.seconds.shape != (count,) or self.probabilities.ndim != 2 or self.videos.shape != (count,):
            raise ValueError(
                f"seconds {self.seconds.shape}, probabilities {self.probabilities.shape}, videos "
                f"{self.videos.shape}; they must be (N,), (N, C) and (N,)"
            )
        if len(self.probabilities) != count or (self.seconds <= 0).any():
            raise ValueError("each track needs seconds above 0 and one row of probabilities")

    @property
    def video_count(self) -> int:
        """Number of videos that have tracks."""
        return len(np.unique(self.videos))


@dataclass(frozen=True, slots=True)
class Shares:
    """Shares of screen time with their uncertainty.

    Attributes:
        labelled: float64, shape (C,): what adding up the labels gives, each track its likeliest class.
        corrected: float64, shape (C,): corrected for the classifier's errors.
        low, high: float64, shape (C,): bounds of the corrected share.
        standard_error: float64, shape (C,): of the corrected share; NaN if it is not known.
        calibration_error: float64, shape (C,): the part of it that more footage would not make smaller.
        confidence: of the interval, such as 0.95.
        unit: what was drawn again: ``videos`` or ``tracks``.
        units: how many there are of them.
    """

    labelled: F64
    corrected: F64
    low: F64
    high: F64
    standard_error: F64
    calibration_error: F64
    confidence: float
    unit: str
    units: int


def labelled_shares(sample: TrackSample) -> F64:
    """Share of the seconds by likeliest class: float64 (C,); NaN without tracks."""
    classes = sample.probabilities.shape[1]
    if not len(sample.seconds):
        return np.full(classes, np.nan)
    totals = np.bincount(sample.probabilities.argmax(axis=1), sample.seconds, minlength=classes)
    return np.asarray(totals / totals.sum())


def corrected_shares(sample: TrackSample, prior: F64) -> F64:
    """Share of the seconds by class after the correction: float64 (C,); NaN without tracks.

    Args:
        sample: the tracks.
        prior: float64, shape (C,): shares of the classes in the pictures that the probabilities were
            calibrated on.

    Raises:
        ValueError: ``prior`` has another length, or a class without a share.
    """
    return _fit(sample, prior)[0]


def estimate_shares(
    sample: TrackSample,
    prior: F64,
    *,
    confidence: float = 0.95,
    draws: int = 1000,
    seed: int = 0,
    doubt: CalibrationDoubt | None = None,
) -> Shares:
    """Corrected shares with an interval.

    Its standard error comes from a bootstrap: with several videos these are drawn again with all their
    tracks, for the tracks of one video are not independent (cluster bootstrap; Davison, Hinkley 1997,
    section 3.8); with one video, its tracks. What the classifier's calibration may be off by is added to it.
    The interval is Wilson's with the effective number of tracks and a quantile of Student's t, as is advised
    for shares in clustered surveys (Dean, Pagano 2015, doi:10.1093/jssam/smv024): percentiles of the draws
    are too narrow for few videos, and lopsided near 0 and 1.

    It says how the share would vary over other footage of the same kind. Two units or fewer give the
    interval 0 to 1.

    Args:
        sample: the tracks.
        prior: as for ``corrected_shares``.
        confidence: between 0 and 1.
        draws: number of bootstrap draws.
        seed: of the draws.
        doubt: how far the classifier's calibration may be off; by default ``CalibrationDoubt()``.

    Raises:
        ValueError: ``prior`` does not fit.
    """
    several = sample.video_count > 1
    units = np.unique(sample.videos, return_inverse=True)[1] if several else np.arange(len(sample.seconds))
    count = int(units.max()) + 1 if len(units) else 0
    corrected, likelihoods, places = _fit(sample, prior)
    nothing = np.full_like(corrected, np.nan)
    error, off = nothing, nothing
    low, high = np.zeros_like(corrected), np.ones_like(corrected)
    if count > 2:
        table = sparse.csr_array((sample.seconds, (units, places)), shape=(count, len(likelihoods)))
        drawn = sampling_error(table, likelihoods, corrected, draws=draws, seed=seed)
        off = calibration_error(table.sum(axis=0), likelihoods, corrected, doubt or CalibrationDoubt())
        tracks = _effective_tracks(sample, videos=count if several else None)
        least = np.sqrt(corrected * (1 - corrected) / tracks) * several
        error, freedom = add_errors(corrected, drawn, least, off, units=count)
        low, high = interval(corrected, error, stats.t.ppf((1 + confidence) / 2, freedom), tracks)
    return Shares(
        labelled=labelled_shares(sample),
        corrected=corrected,
        low=low,
        high=high,
        standard_error=error,
        calibration_error=off,
        confidence=confidence,
        unit="videos" if several else "tracks",
        units=count,
    )


def _effective_tracks(sample: TrackSample, *, videos: int | None) -> float:
    """How many independent tracks of equal length the sample is worth at most (Kish 1965, section 11.7)."""
    tracks = float(sample.seconds.sum() ** 2 / (sample.seconds**2).sum())
    return tracks if videos is None else min(tracks, float(_WORTH_OF_VIDEO * videos))


def _fit(sample: TrackSample, prior: F64) -> tuple[F64, F64, I64]:
    """Corrected shares, float64 (C,); likelihoods of K kinds, float64 (K, C); the kind of each track."""
    if prior.shape != sample.probabilities.shape[1:] or not (prior > 0).all():
        raise ValueError(f"prior {prior}; it must have a share above 0 for each class")
    kinds, places = find_kinds(sample.probabilities)
    weights = np.asarray(np.bincount(places, sample.seconds, minlength=len(kinds)), np.float64)
    likelihoods = kinds / (prior / prior.sum())
    return np.asarray(maximise(weights[None], likelihoods)[0]), likelihoods, places
