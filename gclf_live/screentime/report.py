"""What one or many results come to: screen time by class, as one record and as one JSON document."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from gclf_live.errors import UsageError
from gclf_live.screentime.result import Result
from gclf_live.screentime.shares import Shares, TrackSample, estimate_shares
from gclf_live.screentime.timeline import HEIGHT_EDGES_PX, Heights, Timeline, make_heights, make_timeline
from gclf_live.screentime.tracks import Evidence
from gclf_live.wording import tidy_text

METHOD = (
    "maximum likelihood from the calibrated probabilities of the tracks, weighed by their seconds "
    "(Saerens, Latinne, Decaestecker 2002, doi:10.1162/089976602753284446)"
)
INTERVAL = (
    "Wilson's with Student's t (Dean, Pagano 2015, doi:10.1093/jssam/smv024) from the standard error of a "
    "bootstrap (Davison, Hinkley 1997), widened by what the classifier's calibration may be off by"
)
MOST_TIMELINES = 12
"""Videos whose course is shown, the first ones: a page with more could not be read."""
_REPORT_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Report:
    """Screen time in one or several videos.

    Attributes:
        results: what it is worked out from.
        classes: names in order.
        seconds: by class, ``unsure`` and ``excluded: REASON``.
        counts: number of tracks under the same names.
        labelled: each class's part of the seconds that got a label; empty where none did.
        shares: the corrected shares with their interval, in the order of the classes.
        timelines: the course of the first videos.
        heights: seconds by height of the face, or None.
        not_done: inputs that belong to the others and failed or are not finished, a line each.
    """

    results: tuple[Result, ...]
    classes: tuple[str, ...]
    seconds: Mapping[str, float]
    counts: Mapping[str, int]
    labelled: Mapping[str, float]
    shares: Shares
    timelines: tuple[Timeline, ...]
    heights: Heights | None
    not_done: tuple[str, ...] = ()

    @property
    def measured_s(self) -> float:
        """Length of what was measured."""
        return math.fsum(result.to_s - result.from_s for result in self.results)

    @property
    def frames(self) -> int:
        """Frames in it."""
        return sum(result.frames for result in self.results)

    @property
    def frames_with_face(self) -> int:
        """How many of them showed at least one face."""
        return sum(result.frames_with_face for result in self.results)

    @property
    def excluded(self) -> dict[str, float]:
        """Seconds that do not count, by reason."""
        return {
            name.removeprefix("excluded: "): seconds
            for name, seconds in self.seconds.items()
            if name.startswith("excluded: ")
        }

    def as_json(self) -> dict[str, Any]:
        """The facts of the page; the names are described in ``docs/screen-time.md``.

        Seconds have 3 decimals, shares 4; what is not known is null.
        """
        shares = self.shares
        frames = self.frames
        return {
            "format": _REPORT_FORMAT,
            "kind": "gclf-live report",
            "classes": [tidy_text(name) for name in self.classes],
            "measured_s": round(self.measured_s, 3),
            "seconds": _rounded(self.seconds, 3),
            "tracks": {tidy_text(name): count for name, count in self.counts.items()},
            "frames": frames,
            "frames_with_face": self.frames_with_face,
            "frames_with_face_share": round(self.frames_with_face / frames, 4) if frames else None,
            "labelled_share": _rounded(self.labelled, 4) or None,
            "likeliest_share": self._by_class(shares.labelled),
            "corrected_share": self._by_class(shares.corrected),
            "corrected_share_interval": {
                tidy_text(name): [_round(shares.low[i], 4), _round(shares.high[i], 4)]
                for i, name in enumerate(self.classes)
            },
            "standard_error": self._by_class(shares.standard_error),
            "calibration_error": self._by_class(shares.calibration_error),
            "interval": {"confidence": shares.confidence, "unit": shares.unit, "units": shares.units},
            "method": {"share": METHOD, "interval": INTERVAL},
            "timelines": [_timeline(each) for each in self.timelines],
            "face_heights": _heights(self.heights),
            "videos": [_video(result) for result in self.results],
            "not_done": [tidy_text(line) for line in self.not_done],
        }

    def _by_class(self, values: npt.NDArray[np.float64]) -> dict[str, float | None]:
        return {tidy_text(name): _round(value, 4) for name, value in zip(self.classes, values, strict=True)}


def make_report(results: Sequence[Result], *, not_done: Sequence[str] = (), seed: int = 0) -> Report:
    """Work out the figures.

    Args:
        results: one or more, of the same classes.
        not_done: as of ``Report``.
        seed: of the bootstrap.

    Raises:
        UsageError: there is no result, or their classes differ.
    """
    if not results:
        raise UsageError("no results to report; give files of annotate --result, or folders that hold some")
    classes = results[0].classes
    if any(result.classes != classes for result in results):
        raise UsageError("results of different classes cannot be added up; report them apart")
    seconds, counts = _added([result.totals for result in results]), _added([r.counts for r in results])
    labelled = {name: seconds.get(name, 0.0) for name in classes}
    total = math.fsum(labelled.values())
    timelines = (make_timeline(result) for result in results[:MOST_TIMELINES])
    return Report(
        results=tuple(results),
        classes=classes,
        seconds=seconds,
        counts={name: int(count) for name, count in counts.items()},
        labelled={name: value / total for name, value in labelled.items()} if total else {},
        shares=estimate_shares(collect_sample(results), np.full(len(classes), 1 / len(classes)), seed=seed),
        timelines=tuple(each for each in timelines if each is not None),
        heights=make_heights(results),
        not_done=tuple(not_done),
    )


def collect_sample(results: Sequence[Result]) -> TrackSample:
    """The tracks that count, for ``estimate_shares`` with equal priors.

    Each result's own prior is taken out of its probabilities, so that results of several checkpoints fit
    together. Results of one video, such as its two halves, count as one video. Evidence without tracks
    stands for as many tracks of equal length as its seconds are worth (Kish 1965, section 11.7).

    Args:
        results: of the same classes.
    """
    classes = results[0].classes
    seconds: list[float] = []
    rows: list[list[float]] = []
    videos: list[int] = []
    numbers: dict[str, int] = {}
    for result in results:
        video = numbers.setdefault(result.source_sha256, len(numbers))
        for length_s, probabilities in _evidence(result):
            seconds.append(length_s)
            rows.append([probabilities[name] / result.class_prior[i] for i, name in enumerate(classes)])
            videos.append(video)
    table = np.array(rows, np.float64).reshape(-1, len(classes))
    table /= table.sum(axis=1, keepdims=True)
    return TrackSample(np.array(seconds, np.float64), table, np.array(videos, np.int64))


def _evidence(result: Result) -> list[tuple[float, Mapping[str, float]]]:
    """Seconds and probabilities of each track that counts."""
    found = [(track.seconds, track.probabilities) for track in result.tracks if track.counts]
    for group in result.evidence:
        worth = _worth(group)
        found += [(group.seconds / worth, group.probabilities)] * worth
    return found


def _worth(group: Evidence) -> int:
    """How many tracks of equal length say as much as those of the group."""
    if group.squared_seconds <= 0:
        return group.tracks
    return min(max(1, round(group.seconds**2 / group.squared_seconds)), group.tracks)


def _added(tables: Sequence[Mapping[str, float]]) -> dict[str, float]:
    total: Counter[str] = Counter()
    for table in tables:
        for name, value in table.items():
            total[name] += value  # type: ignore[assignment]
    return {name: total[name] for name in sorted(total)}


def _timeline(each: Timeline) -> dict[str, Any]:
    faces = {tidy_text(name): [round(value, 2) for value in row.tolist()] for name, row in each.faces.items()}
    return {
        "name": tidy_text(each.name),
        "from_s": round(each.from_s, 3),
        "step_s": each.step_s,
        "faces": faces,
    }


def _heights(heights: Heights | None) -> dict[str, Any] | None:
    if heights is None:
        return None
    seconds = {
        tidy_text(name): [round(value, 3) for value in row.tolist()] for name, row in heights.seconds.items()
    }
    return {"from_px": list(HEIGHT_EDGES_PX), "seconds": seconds}


def _video(result: Result) -> dict[str, Any]:
    return {
        "name": tidy_text(result.name),
        "source_sha256": result.source_sha256,
        "weights_sha256": result.weights_sha256,
        "settings": dict(result.settings),
        "from_s": round(result.from_s, 3),
        "to_s": round(result.to_s, 3),
        "frames": result.frames,
        "frames_with_face": result.frames_with_face,
        "cuts": result.cuts,
        "damaged": tidy_text(result.damaged),
        "privacy": result.privacy,
        "seconds": _rounded(result.totals, 3),
        "tracks": {tidy_text(name): count for name, count in result.counts.items()},
    }


def _rounded(values: Mapping[str, float], decimals: int) -> dict[str, float | None]:
    return {tidy_text(name): _round(value, decimals) for name, value in values.items()}


def _round(value: float, decimals: int) -> float | None:
    return round(float(value), decimals) if math.isfinite(value) else None
