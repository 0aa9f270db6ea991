"""What is printed at the end of a session or of a file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from gclf_live.output.rows import tidy_row
from gclf_live.timing import LatencyRecorder
from gclf_live.wording import duration, number_of

_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class LabelTotal:
    """How much was seen of one label.

    Attributes:
        tracks: faces followed without a break; one person can be several.
        seconds: how long they were on screen, added up.
    """

    tracks: int
    seconds: float


def total_by_label(tracks: Iterable[tuple[str, float]]) -> dict[str, LabelTotal]:
    """Add up tracks, each given by its label and its seconds on screen."""
    totals: dict[str, LabelTotal] = {}
    for label, seconds in tracks:
        before = totals.get(label, LabelTotal(0, 0.0))
        totals[label] = LabelTotal(before.tracks + 1, before.seconds + seconds)
    return totals


@dataclass(frozen=True, slots=True)
class LiveStats:
    """What a live session came to.

    Attributes:
        seconds: how long it ran.
        captured: frames that the source delivered.
        shown: frames that were labelled and shown.
        dropped: frames that were stale when their turn came.
        latency: from capture to the end of the frame's work, one sample a frame.
        labels: totals by label.
        paused_s: how long of ``seconds`` its user had paused it.
    """

    seconds: float
    captured: int
    shown: int
    dropped: int
    latency: LatencyRecorder = field(default_factory=LatencyRecorder)
    labels: Mapping[str, LabelTotal] = field(default_factory=dict)
    paused_s: float = 0.0

    @property
    def frames_per_second(self) -> float:
        """Frames shown per second that was not paused; 0 for a session without length."""
        return _rate(self.shown, self.seconds - self.paused_s)

    def as_json(self) -> dict[str, object]:
        """The figures under their names in JSON; a percentile without samples is None."""
        figures: dict[str, object] = {
            "seconds": self.seconds,
            "paused_s": self.paused_s,
            "captured": self.captured,
            "shown": self.shown,
            "dropped": self.dropped,
            "frames_per_second": self.frames_per_second,
        }
        figures |= {f"latency_p{p}_ms": self.latency.percentile_ms(p) for p in _PERCENTILES}
        return tidy_row(figures) | {"labels": _labels_json(self.labels)}


@dataclass(frozen=True, slots=True)
class AnnotateStats:
    """What the annotation of one video came to.

    Attributes:
        path: the file that was written; the source where it was measured only.
        frames: frames that were measured.
        video_s: length of the video.
        wall_s: time that the work took.
        faces: faces found, over all frames.
        labels: totals by label, of the tracks that count.
        excluded: number of tracks that do not count, by reason.
    """

    path: str
    frames: int
    video_s: float
    wall_s: float
    faces: int
    labels: Mapping[str, LabelTotal] = field(default_factory=dict)
    excluded: Mapping[str, int] = field(default_factory=dict)

    @property
    def frames_per_second(self) -> float:
        """Frames worked on per second."""
        return _rate(self.frames, self.wall_s)

    def as_json(self) -> dict[str, object]:
        """The figures under their names in JSON."""
        figures: dict[str, object] = {
            "path": self.path,
            "frames": self.frames,
            "video_s": self.video_s,
            "wall_s": self.wall_s,
            "frames_per_second": self.frames_per_second,
            "faces": self.faces,
        }
        return tidy_row(figures) | {"labels": _labels_json(self.labels), "excluded": dict(self.excluded)}


def live_summary(stats: LiveStats) -> str:
    """The end of a live session in a few lines, without a line break at the end."""
    share = f" ({stats.dropped / stats.captured:.1%})" if stats.captured else ""
    paused = f"; paused for {duration(stats.paused_s)}" if stats.paused_s else ""
    lines = [
        f"{duration(stats.seconds)}: {stats.captured:,} frames captured, {stats.shown:,} shown, "
        f"{stats.dropped:,} dropped{share}, {stats.frames_per_second:.1f} per second{paused}"
    ]
    if len(stats.latency):
        p50, p95, p99 = (stats.latency.percentile_ms(p) for p in _PERCENTILES)
        lines.append(f"latency: {p50:.0f} ms median, {p95:.0f} ms p95, {p99:.0f} ms p99")
    return "\n".join(lines + _label_lines(stats.labels))


def annotate_summary(stats: AnnotateStats) -> str:
    """The end of one annotated video in a few lines, without a line break at the end."""
    speed = _rate(stats.video_s, stats.wall_s)
    lines = [
        f"{stats.path}: {duration(stats.video_s)} of video, {stats.frames:,} frames in "
        f"{duration(stats.wall_s)} ({stats.frames_per_second:.1f} per second, {speed:.1f} x real time), "
        f"{number_of(stats.faces, 'face')} found"
    ]
    lines += _label_lines(stats.labels)
    if stats.excluded:
        reasons = ", ".join(f"{number:,} {reason}" for reason, number in sorted(stats.excluded.items()))
        lines.append(f"left out: {number_of(sum(stats.excluded.values()), 'track')} ({reasons})")
    return "\n".join(lines)


def _label_lines(labels: Mapping[str, LabelTotal]) -> list[str]:
    """One aligned line a label, the longest time on screen first."""
    if not labels:
        return ["no faces seen"]
    order = sorted(labels, key=lambda label: (-labels[label].seconds, label))
    name_width = max(len(label) for label in order)
    counts = [number_of(labels[label].tracks, "track") for label in order]
    times = [f"{labels[label].seconds:,.1f} s" for label in order]
    count_width, time_width = max(map(len, counts)), max(map(len, times))
    return [
        f"{label:<{name_width}}  {count:<{count_width}}  {time:>{time_width}}"
        for label, count, time in zip(order, counts, times, strict=True)
    ]


def _labels_json(labels: Mapping[str, LabelTotal]) -> dict[str, object]:
    return {
        label: tidy_row({"tracks": total.tracks, "seconds": total.seconds}) for label, total in labels.items()
    }


def _rate(number: float, seconds: float) -> float:
    return number / seconds if seconds > 0 else 0.0
