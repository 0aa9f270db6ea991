"""Which tracks a person is asked about: a stratified sample, drawn in proportion to seconds on screen.

Tracks are put into strata by what the tool says of them, how sure it is, and the video they are from. In
each stratum a track is drawn with a chance in proportion to its seconds, as if one pointed at random moments
of it; tracks too long for that are taken for certain and form a stratum of their own. Shares of seconds in
the sample are then shares of seconds in the stratum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gclf_live.records import I64, UNSURE, Bool
from gclf_live.screentime.result import Result

F64 = npt.NDArray[np.float64]

EXCLUDED = "excluded"
"""The label of tracks that were left out for a reason, whatever the reason."""

_BANDS = ((0.98, "0.98 to 1"), (0.9, "0.9 to 0.98"), (0.0, "below 0.9"))
_NO_BAND = "not classified"
_LEAST_DRAWN = 2
_WORTH_A_STRATUM = 4  # drawn tracks below which a video shares its stratum with others
_LEAST_ERROR = 0.05  # a classifier that is surer than this may be wrong about it, which is why one audits
_UNKNOWN_ERROR = 0.5
_EXCLUDED_PART = 0.1  # of the sample at most: excluded tracks do not enter the share that is reported
_CERTAIN = 1 - 1e-9


@dataclass(frozen=True, slots=True)
class Candidate:
    """A track that can be drawn: it has a picture and was on screen.

    Attributes:
        result: position of its result among those that are audited.
        track_id: its number in that result.
        label: a class name, ``unsure`` or ``excluded``.
        confidence: of the classifier; NaN if nothing was classified.
        seconds: on screen, above 0.
    """

    result: int
    track_id: int
    label: str
    confidence: float
    seconds: float

    @property
    def band(self) -> str:
        """The band of its confidence, in words."""
        for least, name in _BANDS:
            if self.confidence >= least:
                return name
        return _NO_BAND


@dataclass(frozen=True, slots=True)
class Stratum:
    """Tracks of one kind, and how many of them are drawn.

    Attributes:
        label: what the tool says.
        band: band of the confidence; empty where the sample is too small to tell bands apart.
        result: position of their result; None where several videos share.
        certain: they are long enough to be all drawn.
        tracks: how many there are.
        seconds: how long they are together.
        drawn: how many of them are in the sample.
    """

    label: str
    band: str
    result: int | None
    certain: bool
    tracks: int
    seconds: float
    drawn: int


@dataclass(frozen=True, slots=True)
class DrawnTrack:
    """One track of the sample.

    Attributes:
        result, track_id, label, seconds: as of ``Candidate``.
        stratum: position of its stratum.
        chance: with which it was drawn, above 0 and at most 1.
    """

    result: int
    track_id: int
    label: str
    seconds: float
    stratum: int
    chance: float


@dataclass(frozen=True, slots=True)
class Sample:
    """A stratified sample.

    Attributes:
        strata: all strata; together they hold every candidate.
        drawn: the tracks in the order in which they are shown. The strata take turns, so those up to any
            place are a smaller sample of the same kind.
    """

    strata: tuple[Stratum, ...]
    drawn: tuple[DrawnTrack, ...]


def candidates(result: Result, position: int) -> list[Candidate]:
    """The tracks of a result that can be shown, with ``position`` as its place among the results."""
    return [
        Candidate(
            position,
            track.track_id,
            EXCLUDED if track.excluded else track.label,
            track.confidence,
            track.seconds,
        )
        for track in result.tracks
        if track.crop_jpeg and track.seconds > 0
    ]


def draw_sample(tracks: Sequence[Candidate], *, count: int, seed: int) -> Sample:
    """Draw ``count`` tracks, or all if there are no more.

    Strata get their numbers by Neyman's allocation for the seconds that may be labelled wrongly, in the form
    for whole numbers (Wright 2012, doi:10.1080/00031305.2012.733679), and at least two each. Within a stratum
    tracks are drawn systematically from a random order with chances in proportion to their seconds (Hartley
    and Rao 1962, Annals of Mathematical Statistics 33(2), 350-374).

    Args:
        tracks: at least one.
        count: at least 1.
        seed: the same tracks and seed give the same sample.
    """
    rng = np.random.default_rng(seed)
    cells = _cells(tracks, count)
    sizes = np.array([len(members) for members in cells.values()])
    numbers = _allocate(sizes, _scores(list(cells.values()), tracks), count)
    strata: list[Stratum] = []
    placed: list[tuple[float, DrawnTrack]] = []
    for (key, members), number in zip(cells.items(), numbers.tolist(), strict=True):
        own = [tracks[i] for i in members]
        seconds = np.array([track.seconds for track in own])
        certain = _certain(seconds, number)
        left = number - int(certain.sum())
        for sure, part in ((True, np.flatnonzero(certain)), (False, np.flatnonzero(~certain))):
            if len(part):
                lengths = seconds[part]
                picks, chances = _all(lengths) if sure else _draw(lengths, left, rng)
                placed += _in_turn([own[part[i]] for i in picks], chances, len(strata), rng)
                strata.append(Stratum(*key, sure, len(part), float(lengths.sum()), len(picks)))
    placed.sort(key=lambda each: each[0])
    return Sample(tuple(strata), tuple(track for _, track in placed))


_Key = tuple[str, str, int | None]


def _cells(tracks: Sequence[Candidate], count: int) -> dict[_Key, list[int]]:
    """Strata as positions of tracks: as fine as half of the sample, at two tracks each, can afford."""
    for cells in _ever_coarser(tracks, count):
        if sum(min(_LEAST_DRAWN, len(members)) for members in cells.values()) <= count / 2:
            return cells
    return cells


def _ever_coarser(tracks: Sequence[Candidate], count: int) -> Iterator[dict[_Key, list[int]]]:
    fine = _grouped(tracks, lambda track: (track.label, track.band, track.result))
    scores = _scores(list(fine.values()), tracks)
    worth = count * scores / scores.sum() >= _WORTH_A_STRATUM
    own = {key for key, enough in zip(fine, worth.tolist(), strict=True) if enough}

    def merged(track: Candidate) -> _Key:
        key = (track.label, track.band, track.result)
        return key if key in own else (track.label, track.band, None)

    yield _grouped(tracks, merged)
    yield _grouped(tracks, lambda track: (track.label, track.band, None))
    yield _grouped(tracks, lambda track: (track.label, "", None))


def _grouped(tracks: Sequence[Candidate], key: Callable[[Candidate], Any]) -> dict[_Key, list[int]]:
    cells: defaultdict[_Key, list[int]] = defaultdict(list)
    for position, track in enumerate(tracks):
        cells[key(track)].append(position)
    # Sorted, so that the sample does not depend on the order of the tracks in a file.
    return {
        each: cells[each] for each in sorted(cells, key=lambda k: (k[0], k[1], -1 if k[2] is None else k[2]))
    }


def _scores(cells: Sequence[Sequence[int]], tracks: Sequence[Candidate]) -> F64:
    """Seconds of each cell times the standard deviation to be expected of "the label is wrong"."""
    scores = np.array([_score([tracks[i] for i in members]) for members in cells])
    left_out = np.array([tracks[members[0]].label == EXCLUDED for members in cells])
    most = _EXCLUDED_PART / (1 - _EXCLUDED_PART) * scores[~left_out].sum()
    if 0 < most < scores[left_out].sum():
        scores[left_out] *= most / scores[left_out].sum()
    return scores


def _score(members: Sequence[Candidate]) -> float:
    seconds = np.array([track.seconds for track in members])
    errors = np.array([_expected_error(track) for track in members])
    error = float(np.clip(np.average(errors, weights=seconds), _LEAST_ERROR, _UNKNOWN_ERROR))
    return float(seconds.sum() * np.sqrt(error * (1 - error)))


def _expected_error(track: Candidate) -> float:
    known = track.label not in {UNSURE, EXCLUDED} and math.isfinite(track.confidence)
    return 1 - track.confidence if known else _UNKNOWN_ERROR


def _allocate(sizes: I64, scores: F64, count: int) -> I64:
    """How many to draw from each stratum: int64, shape (H,); all of them where that is no more."""
    numbers = np.minimum(sizes, _LEAST_DRAWN if 2 * len(sizes) <= count else 0)
    for _ in range(min(count, int(sizes.sum())) - int(numbers.sum())):
        # The priority of one more, out of how much the variance then falls; the first is always worth it.
        with np.errstate(divide="ignore"):
            priority = np.where(numbers < sizes, scores / np.sqrt(numbers * (numbers + 1.0)), -1.0)
        numbers[int(np.argmax(priority))] += 1
    return numbers


def _certain(seconds: F64, number: int) -> Bool:
    """Which of the tracks are so long that chances in proportion to their seconds would reach 1."""
    certain = np.zeros(len(seconds), np.bool_)
    while (left := number - int(certain.sum())) > 0 and not certain.all():
        more = ~certain & (left * seconds >= _CERTAIN * seconds[~certain].sum())
        if not more.any():
            break
        certain |= more
    return certain


def _all(seconds: F64) -> tuple[I64, F64]:
    """All positions, each with the chance of 1."""
    return np.arange(len(seconds)), np.ones(len(seconds))


def _draw(seconds: F64, number: int, rng: np.random.Generator) -> tuple[I64, F64]:
    """Positions of ``number`` different tracks, and the chance with which each of them was drawn."""
    order = rng.permutation(len(seconds))
    ends = np.cumsum(seconds[order])
    points = (rng.random() + np.arange(number)) * (ends[-1] / max(number, 1))
    picks = order[np.minimum(np.searchsorted(ends, points, side="right"), len(order) - 1)]
    return picks, number * seconds[picks] / ends[-1]


def _in_turn(
    tracks: Sequence[Candidate], chances: F64, stratum: int, rng: np.random.Generator
) -> Iterator[tuple[float, DrawnTrack]]:
    """The drawn tracks of a stratum, each with when its turn is, from 0 to 1: at random, evenly spread."""
    turns = (rng.permutation(len(tracks)) + rng.random(len(tracks))) / max(len(tracks), 1)
    for track, turn, chance in zip(tracks, turns.tolist(), chances.tolist(), strict=True):
        yield (
            turn,
            DrawnTrack(track.result, track.track_id, track.label, track.seconds, stratum, chance),
        )
