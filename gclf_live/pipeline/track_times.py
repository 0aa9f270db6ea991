"""How long the people of a live session were on screen, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass

from gclf_live.output.summary import LabelTotal, total_by_label
from gclf_live.records import FrameResult

_LONGEST_STEP_S = 1.0
"""Between two results of one track; longer, the session was paused and nobody was seen meanwhile."""
_GONE_S = 10.0
"""A track that was not seen for so long is over: the tracker ends it after a second, and gives its number to
nobody else. It is added to the totals then, so that a session of days holds those in view only."""


@dataclass(slots=True)
class _TrackTime:
    """How long a track has been on screen, and its last label."""

    label: str
    seconds: float = 0.0
    last_pts_s: float = 0.0


class TrackTimes:
    """Adds up each track's time on screen under its latest label."""

    def __init__(self) -> None:
        self._tracks: dict[int, _TrackTime] = {}
        self._over: dict[str, LabelTotal] = {}

    def __len__(self) -> int:
        """Tracks that are held one by one."""
        return len(self._tracks)

    def add(self, result: FrameResult) -> None:
        """Take in the tracks of the next frame."""
        for track_id, label in zip(result.tracks.ids.tolist(), result.labels, strict=True):
            track = self._tracks.setdefault(track_id, _TrackTime(label, last_pts_s=result.pts_s))
            track.label = label
            step_s = result.pts_s - track.last_pts_s
            track.seconds += step_s if step_s <= _LONGEST_STEP_S else 0.0
            track.last_pts_s = result.pts_s
        # Either way: a source that was opened again may begin at 0 again.
        over = [i for i, track in self._tracks.items() if abs(result.pts_s - track.last_pts_s) > _GONE_S]
        if over:
            ended = [self._tracks.pop(i) for i in over]
            self._over = _added(self._over, total_by_label((track.label, track.seconds) for track in ended))

    def totals(self) -> dict[str, LabelTotal]:
        """All tracks so far, by label."""
        held = total_by_label((track.label, track.seconds) for track in self._tracks.values())
        return _added(self._over, held)


def _added(one: dict[str, LabelTotal], other: dict[str, LabelTotal]) -> dict[str, LabelTotal]:
    """Two sets of totals added up."""
    total = dict(one)
    for label, more in other.items():
        before = total.get(label, LabelTotal(0, 0.0))
        total[label] = LabelTotal(before.tracks + more.tracks, before.seconds + more.seconds)
    return total
