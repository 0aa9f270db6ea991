"""Hours of a live session in accelerated time: some minutes of them; what is said where something grows."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.hours import annotate_hours, ends_of
from benchmarks.hours_live import LiveHours
from benchmarks.hours_state import State, flat_faults

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
FPS = 15


def test_minutes_of_a_live_session_are_flat_and_count_everybody(tmp_path: Path) -> None:
    live = LiveHours(seconds=120, fps=FPS, record=tmp_path / "r.mp4")
    live.run()
    assert len(live.states) == 10
    assert (live.tracks, live.people) == (14, 14)
    assert flat_faults(live.states[2:], allowed_mib=8.0) == []
    ends = ends_of(tmp_path / "r.mp4")
    assert abs(ends.picture_s - (120 - 1 / FPS)) * FPS < 0.01


@pytest.mark.slow
def test_sound_and_picture_of_a_repeated_clip_stay_together(tmp_path: Path) -> None:
    # A minute of video is over while the process still loads: what its memory does says nothing here.
    faults = [fault for fault in annotate_hours(tmp_path, 60 / 3600) if "grown" not in fault]
    assert faults == []
    source, copy = ends_of(tmp_path / "long.mp4"), ends_of(tmp_path / "out.mp4")
    assert source.sound_s > 55
    assert copy.picture_s == pytest.approx(source.picture_s, abs=0.5 * source.frame_s)
    assert copy.sound_s == pytest.approx(source.sound_s, abs=source.frame_s)


def test_what_grows_is_named() -> None:
    state = State(memory_mib=100.0, files=8, threads=4)
    assert flat_faults([state, replace(state, memory_mib=102.0)], allowed_mib=3.0) == []
    grown = flat_faults([state, State(memory_mib=104.0, files=9, threads=6)], allowed_mib=3.0)
    assert grown == [
        "memory has grown by 4.0 MiB, allowed are 3.0",
        "open files have grown from 8 to 9",
        "threads have grown from 4 to 6",
    ]
