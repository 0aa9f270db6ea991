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
from scipy import stats

from gclf_live.records import I64

F64 = npt.NDArray[np.float64]

_TOLERANCE = 1e-7
_MOST_STEPS = 3000
_LOG_GRID = 0.02
"""Log probabilities are rounded to this before they are counted: a hundred thousand tracks become some
hundred kinds, at a cost to a share of less than a hundredth of a point."""
_SMALLEST = 1e-6


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
        confidence: of the interval, such as 0.95.
        unit: what was drawn again: ``videos`` or ``tracks``.
        units: how many there are of them.
    """

    labelled: F64
    corrected: F64
    low: F64
    high: F64
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
    kinds, places = _kinds(sample)
    weights = np.asarray(np.bincount(places, sample.seconds, minlength=len(kinds)), np.float64)
    return np.asarray(_maximise(weights[None], kinds / _checked(prior, sample))[0])


def estimate_shares(
    sample: TrackSample, prior: F64, *, confidence: float = 0.95, draws: int = 2000, seed: int = 0
) -> Shares:
    """Corrected shares with a bootstrap interval.

    With several videos these are drawn again with all their tracks, for the tracks of one video are not
    independent (cluster bootstrap; Davison, Hinkley 1997, section 3.8); with one video, its tracks. The
    interval is the percentile one, widened as a t interval is for few units
    (Hesterberg 2015, doi:10.1080/00031305.2015.1089789, section 5.3).

    It says how the share would vary over other footage of the same kind. Two units or fewer give the
    interval 0 to 1.

    Args:
        sample: the tracks.
        prior: as for ``corrected_shares``.
        confidence: between 0 and 1.
        draws: number of bootstrap draws.
        seed: of the draws.

    Raises:
        ValueError: ``prior`` does not fit.
    """
    ratios_to = _checked(prior, sample)
    several = sample.video_count > 1
    units = np.unique(sample.videos, return_inverse=True)[1] if several else np.arange(len(sample.seconds))
    count = int(units.max()) + 1 if len(units) else 0
    corrected = corrected_shares(sample, prior)
    low, high = np.zeros_like(corrected), np.ones_like(corrected)
    if count > 2:
        kinds, places = _kinds(sample)
        table = np.zeros((count, len(kinds)))
        np.add.at(table, (units, places), sample.seconds)
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=draws)
        replicas = _maximise(drawn @ table, kinds / ratios_to)
        low, high = _bounds(corrected, replicas, confidence=confidence, count=count)
    return Shares(
        labelled=labelled_shares(sample),
        corrected=corrected,
        low=low,
        high=high,
        confidence=confidence,
        unit="videos" if several else "tracks",
        units=count,
    )


def _checked(prior: F64, sample: TrackSample) -> F64:
    if prior.shape != sample.probabilities.shape[1:] or not (prior > 0).all():
        raise ValueError(f"prior {prior}; it must have a share above 0 for each class")
    return np.asarray(prior / prior.sum())


def _kinds(sample: TrackSample) -> tuple[F64, I64]:
    """Rows of probabilities that are alike, float64 (K, C), and which of them each track has, int64 (N,)."""
    logs = np.log(np.clip(sample.probabilities, _SMALLEST, 1))
    rounded, places = np.unique(np.rint(logs / _LOG_GRID), axis=0, return_inverse=True)
    rows = np.exp(rounded * _LOG_GRID)
    return rows / rows.sum(axis=1, keepdims=True), np.asarray(places.reshape(-1), np.int64)


def _maximise(weights: F64, likelihoods: F64) -> F64:
    """Shares of largest likelihood for each row of weights.

    Args:
        weights: float64, shape (B, K): seconds of each kind in each draw.
        likelihoods: float64, shape (K, C): how likely each kind is in each class, up to a factor a row.

    Returns:
        float64, shape (B, C); NaN where a draw has no seconds.
    """
    totals = weights.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        weights = weights / totals
    shares = np.full((len(weights), likelihoods.shape[1]), 1 / likelihoods.shape[1])
    active = np.flatnonzero(totals[:, 0] > 0)
    shares[totals[:, 0] <= 0] = np.nan
    for _ in range(_MOST_STEPS):
        if not len(active):
            break
        before = shares[active]
        mixed = before @ likelihoods.T
        after = before * ((weights[active] / np.maximum(mixed, 1e-300)) @ likelihoods)
        shares[active] = after
        active = active[np.abs(after - before).max(axis=1) > _TOLERANCE]
    return shares


def _bounds(estimate: F64, replicas: F64, *, confidence: float, count: int) -> tuple[F64, F64]:
    """Bounds of each share from its replicas, float64 (B, C), over ``count`` units."""
    tail = (1 - confidence) / 2
    # What a normal quantile is to a t quantile with its narrower estimate of the spread.
    widened = stats.norm.cdf(np.sqrt(count / (count - 1)) * stats.t.ppf(tail, count - 1))
    low, high = np.nanquantile(replicas, [widened, 1 - widened], axis=0)
    return np.minimum(low, estimate), np.maximum(high, estimate)
