"""Labels as subtitles: SubRip, WebVTT and Advanced SubStation Alpha (written by pysubs2)."""

from __future__ import annotations

import importlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from gclf_live.errors import UsageError
from gclf_live.output.rows import TrackSummary, whole_percent
from gclf_live.records import UNSURE, FrameResult
from gclf_live.whole_file import check_output, whole_file
from gclf_live.wording import tidy_text

F64 = npt.NDArray[np.float64]
Run: TypeAlias = tuple[int, int]
"""Frames without a gap: the first, and the one behind the last."""

_TICK_MS = {".srt": 1, ".vtt": 1, ".ass": 10}
"""Formats by ending, and the finest time that each can say in milliseconds."""
_USUAL_STEP_S = 0.04


@dataclass(frozen=True, slots=True)
class Cue:
    """One line of text, shown on the frames with ``start_ms <= time < end_ms``."""

    start_ms: int
    end_ms: int
    text: str


def check_subtitles(path: Path, *, overwrite: bool = False) -> None:
    """Make sure that ``write_subtitles`` can write here, before the work that fills them.

    Raises:
        UsageError: the name's ending is not that of subtitles.
        OutputError: the file exists and ``overwrite`` is not set, or is a folder.
    """
    if path.suffix.lower() not in _TICK_MS:
        allowed = ", ".join(_TICK_MS)
        raise UsageError(f"cannot write subtitles to {str(path)!r}: its name must end in one of {allowed}")
    check_output(path, overwrite=overwrite)


def shown_frames(results: Iterable[FrameResult]) -> dict[int, list[Run]]:
    """When each track's box is drawn.

    Args:
        results: of all frames, in order; taken one at a time.

    Returns:
        By track, the runs of frames ``[first, behind)`` with its box, counted from the first result.
    """
    runs: dict[int, list[Run]] = {}
    for index, result in enumerate(results):
        for track_id in result.tracks.ids.tolist():
            own = runs.setdefault(track_id, [])
            if own and own[-1][1] == index:
                own[-1] = (own[-1][0], index + 1)
            else:
                own.append((index, index + 1))
    return runs


def track_cues(
    tracks: Iterable[TrackSummary],
    shown: Mapping[int, Sequence[Run]],
    pts_s: F64,
    *,
    origin_s: float = 0.0,
    suffix: str = ".srt",
) -> list[Cue]:
    """Cues that are shown on exactly the frames with the track's box: one for each time it comes and goes.

    A time between two frames is not the same in every format: the cue begins and ends on ticks of the
    format that lie after the frame before and not after the frame itself, wherever there is one.

    Args:
        tracks: whose labels are shown.
        shown: by track, the runs of frames with its box, see ``shown_frames``.
        pts_s: float64, shape (F,), increasing: presentation times of these frames.
        origin_s: time of the source that is 0 in the video which the subtitles go with.
        suffix: ending of the file's name, which says how fine its times are.

    Returns:
        In the order of their start; none for a track without a frame.
    """
    tick_ms = _TICK_MS[suffix.lower()]
    times_ms = (pts_s - origin_s) * 1000
    cues = []
    for track in tracks:
        for first, behind in shown.get(track.track_id, ()):
            start = _boundary_ms(times_ms, first, tick_ms)
            end = max(_boundary_ms(times_ms, behind, tick_ms), start + tick_ms)
            cues.append(Cue(start, end, _text(track)))
    return sorted(cues, key=lambda cue: (cue.start_ms, cue.end_ms))


def write_subtitles(path: Path, cues: Sequence[Cue], *, overwrite: bool = False) -> None:
    """Write a file of subtitles: whole under its name, or not at all.

    Args:
        path: ends in .srt, .vtt or .ass.
        cues: what to show when. Cues may overlap; players show them one above the other.
        overwrite: replace a file that exists.

    Raises:
        UsageError, OutputError: see ``check_subtitles``; or the system does not let the file be written.
    """
    check_subtitles(path, overwrite=overwrite)
    # Imported here: only this needs it.
    pysubs2 = importlib.import_module("pysubs2")
    suffix = path.suffix.lower()
    file = pysubs2.SSAFile()
    for cue in cues:
        file.append(pysubs2.SSAEvent(start=cue.start_ms, end=cue.end_ms, text=_escaped(cue.text, suffix)))
    with whole_file(path, overwrite=overwrite, parents=True) as partial:
        partial.write_text(file.to_string(suffix[1:]), encoding="utf-8")


def _boundary_ms(times_ms: F64, index: int, tick_ms: int) -> int:
    """A time of the format at which frame ``index`` begins; that behind the last frame is its end."""
    if index < len(times_ms):
        here = float(times_ms[index])
    else:
        step_ms = float(np.median(np.diff(times_ms))) if len(times_ms) > 1 else 1000 * _USUAL_STEP_S
        here = float(times_ms[-1]) + step_ms
    # Seconds in floating point are off by less than a microsecond.
    tick = math.floor((here + 1e-3) / tick_ms)
    before = float(times_ms[index - 1]) if index else -math.inf
    if tick * tick_ms <= before:  # frames closer together than ticks
        tick = math.ceil(here / tick_ms)
    return max(0, tick * tick_ms)


def _text(track: TrackSummary) -> str:
    if track.label == UNSURE or not math.isfinite(track.confidence):
        return f"#{track.track_id} {track.label}"
    return f"#{track.track_id} {track.label} {whole_percent(track.confidence)} %"


def _escaped(text: str, suffix: str) -> str:
    """The text without what the format takes for its own: class names are folder names and may hold any."""
    # pysubs2 takes braces and backslashes for SubStation's codes, whatever it writes.
    plain = " ".join(tidy_text(text).split()).replace("{", "(").replace("}", ")").replace("\\", "/")
    if suffix == ".vtt":
        return plain.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    # SubRip has no way to escape what its players take for a tag.
    return plain.replace("<", "\u2039").replace(">", "\u203a") if suffix == ".srt" else plain
