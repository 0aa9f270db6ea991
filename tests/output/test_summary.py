from __future__ import annotations

import json

import pytest

from gclf_live.output.summary import AnnotateStats, LabelTotal, LiveStats, annotate_summary, live_summary
from gclf_live.timing import LatencyRecorder


def _latency(*milliseconds: float) -> LatencyRecorder:
    recorder = LatencyRecorder()
    for value in milliseconds:
        recorder.add(value / 1000)
    return recorder


LABELS = {"male": LabelTotal(1, 9.5), "unsure": LabelTotal(12, 1.25), "female": LabelTotal(3, 1061.24)}


def test_live_summary_says_what_happened() -> None:
    stats = LiveStats(40.0, 1250, 1200, 50, _latency(*range(101)), LABELS)
    assert live_summary(stats).split("\n") == [
        "40.0 s: 1,250 frames captured, 1,200 shown, 50 dropped (4.0%), 30.0 per second",
        "latency: 50 ms median, 95 ms p95, 99 ms p99",
        "female  3 tracks   1,061.2 s",
        "male    1 track        9.5 s",
        "unsure  12 tracks      1.2 s",
    ]


def test_pause_is_told_and_is_no_time_without_frames() -> None:
    stats = LiveStats(60.0, 1250, 1200, 50, paused_s=20.0)
    assert live_summary(stats).startswith(
        "1:00 min: 1,250 frames captured, 1,200 shown, 50 dropped (4.0%), 30.0"
    )
    assert live_summary(stats).split("\n")[0].endswith("per second; paused for 20.0 s")


def test_session_that_ended_at_once_has_a_summary() -> None:
    stats = LiveStats(0.0, 0, 0, 0)
    assert live_summary(stats).split("\n") == [
        "0.0 s: 0 frames captured, 0 shown, 0 dropped, 0.0 per second",
        "no faces seen",
    ]
    document = stats.as_json()
    assert document["latency_p95_ms"] is None
    json.dumps(document, allow_nan=False)


def test_live_json_has_plain_figures() -> None:
    document = LiveStats(40.0, 1250, 1200, 50, _latency(10, 20, 30), LABELS).as_json()
    assert document == {
        "seconds": 40.0,
        "paused_s": 0.0,
        "captured": 1250,
        "shown": 1200,
        "dropped": 50,
        "frames_per_second": 30.0,
        "latency_p50_ms": 20.0,
        "latency_p95_ms": 29.0,
        "latency_p99_ms": 29.8,
        "labels": {name: {"tracks": t.tracks, "seconds": t.seconds} for name, t in LABELS.items()},
    }


def test_annotate_summary_says_what_was_found_and_left_out() -> None:
    stats = AnnotateStats("out é.mp4", 9000, 300.0, 100.0, 1, LABELS, {"too small": 1, "too short": 4})
    lines = annotate_summary(stats).split("\n")
    assert lines[0] == (
        "out é.mp4: 5:00 min of video, 9,000 frames in 1:40 min (90.0 per second, 3.0 x real time), "
        "1 face found"
    )
    assert lines[1].startswith("female")
    assert lines[-1] == "left out: 5 tracks (4 too short, 1 too small)"
    document = stats.as_json()
    assert document["excluded"] == {"too small": 1, "too short": 4}
    assert document["frames_per_second"] == 90.0
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [(59.4, "59.4 s"), (59.6, "1:00 min"), (185, "3:05 min"), (3599.7, "1:00:00 h"), (7385, "2:03:05 h")],
)
def test_durations_are_readable(seconds: float, shown: str) -> None:
    assert live_summary(LiveStats(seconds, 0, 0, 0)).startswith(f"{shown}: ")
