"""What was measured in one video, as a record."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from numbers import Real

from gclf_live.records import UNSURE
from gclf_live.screentime.tracks import Evidence, ResultTrack, group_tracks


@dataclass(frozen=True, slots=True)
class Result:
    """What was measured in one video.

    Attributes:
        name: file name of the source, without folder.
        source_sha256, weights_sha256: of the video and of the checkpoint, hexadecimal.
        settings: how it was measured, as plain JSON.
        classes: names in the order of the checkpoint.
        class_prior: shares of the classes in the pictures that the probabilities were calibrated on.
        from_s, to_s: what was measured, in presentation times of the source.
        frames: frames in that range; ``frames_with_face``: how many of them showed a face.
        width_px, height_px: size of the picture.
        cuts: shot cuts found.
        damaged: what could not be read, or empty.
        tracks: the faces; empty with ``privacy``.
        privacy: only sums were kept, see ``without_people``.
        evidence: what is kept instead of tracks; empty without ``privacy``.
        totals: seconds by label, ``unsure`` and ``excluded: REASON``; from the tracks if not given.
        counts: number of tracks under the same names, likewise.
    """

    name: str
    source_sha256: str
    weights_sha256: str
    settings: Mapping[str, object]
    classes: tuple[str, ...]
    class_prior: tuple[float, ...]
    from_s: float
    to_s: float
    frames: int
    frames_with_face: int
    width_px: int
    height_px: int
    cuts: int
    damaged: str
    tracks: tuple[ResultTrack, ...]
    privacy: bool = False
    evidence: tuple[Evidence, ...] = ()
    totals: Mapping[str, float] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.classes) < 2 or len(self.class_prior) != len(self.classes):
            raise ValueError(
                f"classes {self.classes} with the prior {self.class_prior}; 2 or more, a share for each"
            )
        if not all(0 < share <= 1 for share in self.class_prior):
            raise ValueError(f"class prior {self.class_prior}; allowed are shares above 0")
        if (
            not -math.inf < self.from_s <= self.to_s < math.inf
            or not 0 <= self.frames_with_face <= self.frames
        ):
            raise ValueError(
                f"{self.from_s} to {self.to_s} s, {self.frames_with_face} of {self.frames} frames; "
                "allowed is a finite range, and no more frames with a face than frames"
            )
        if self.tracks and self.privacy:
            raise ValueError(f"{len(self.tracks)} tracks in a result with privacy; it must have none")
        for track in self.tracks:
            self._check_classes(track)
        for group in self.evidence:
            self._check_classes(group)
        if not self.totals:
            object.__setattr__(self, "totals", _added(self.tracks))
        if not self.counts:
            object.__setattr__(self, "counts", _counted(self.tracks))
        self._check_sums()

    def _check_sums(self) -> None:
        """What is shown side by side must agree: in a file that was edited it may not."""
        for name, each in (*self.totals.items(), *self.counts.items()):
            _check_sum(name, each)
        added = _added(self.tracks) if self.tracks else self.totals
        for name in {*added, *self.totals}:
            told, found = float(self.totals.get(name, 0.0)), added.get(name, 0.0)
            if not math.isclose(told, found, rel_tol=1e-6, abs_tol=1e-3):
                raise ValueError(
                    f"its total of {name!r:.40} is {told:g} s, and its tracks add up to {found:g} s"
                )

    def _check_classes(self, each: ResultTrack | Evidence) -> None:
        if each.probabilities and set(each.probabilities) != set(self.classes):
            raise ValueError(f"probabilities of {sorted(each.probabilities)}; the classes are {self.classes}")
        values = each.probabilities.values()
        # Written so that NaN is refused too.
        if values and not (all(0 <= value <= 1 for value in values) and abs(sum(values) - 1) < 0.01):
            raise ValueError(f"probabilities {dict(each.probabilities)}; allowed is 0 to 1, adding up to 1")
        if isinstance(each, ResultTrack) and each.label not in {*self.classes, UNSURE}:
            raise ValueError(f"label {each.label!r}; the classes are {self.classes}")


def _check_sum(name: str, value: object) -> None:
    if not isinstance(value, Real) or not 0 <= float(value) < math.inf:
        raise ValueError(f"the sum of {name!r:.40} is {value!r:.40}; allowed are finite numbers from 0")


def without_people(result: Result) -> Result:
    """The result with ``privacy``: sums alone, no track, no time at which a face was seen, no picture.

    The tracks that count are grouped by what the classifier said, in steps of half a unit of log
    probability; the share and its interval can still be worked out from that.
    """
    evidence = group_tracks(result.tracks, result.classes) or result.evidence
    return replace(result, tracks=(), privacy=True, evidence=evidence)


def _added(tracks: Sequence[ResultTrack]) -> dict[str, float]:
    return {
        name: math.fsum(track.seconds for track in tracks if track.total == name)
        for name in sorted({track.total for track in tracks})
    }


def _counted(tracks: Sequence[ResultTrack]) -> dict[str, int]:
    names = [track.total for track in tracks]
    return {name: names.count(name) for name in sorted(set(names))}
