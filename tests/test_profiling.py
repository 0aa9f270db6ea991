"""Taking the time of stages: figures, threads, bounds, and the trace that is written."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from gclf_live.errors import OutputError, UsageError
from gclf_live.output.profile_text import profile_json, profile_table
from gclf_live.profiling import NO_PROFILER, Profile, Profiler, StageTime
from gclf_live.trace_events import check_trace

Event = dict[str, Any]
MS = 1_000_000


class Clock:
    """Nanoseconds that pass only when the test says so."""

    def __init__(self) -> None:
        self.now_ns = 5_000

    def __call__(self) -> int:
        return self.now_ns

    def pass_ms(self, ms: float) -> None:
        self.now_ns += round(ms * MS)


def _by_name(profile: Profile) -> dict[tuple[str, str], StageTime]:
    return {(row.stage, row.thread): row for row in profile.stages}


def _in_thread(work: Any, name: str) -> None:
    thread = threading.Thread(target=work, name=name)
    thread.start()
    thread.join()


def _events(path: Path) -> tuple[list[Event], dict[int, str], Event]:
    """The spans of a trace, its threads' names by number, and what else it says."""
    text = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    document = json.loads(text)
    events = document["traceEvents"]
    names = {e["tid"]: e["args"]["name"] for e in events if (e["ph"], e["name"]) == ("M", "thread_name")}
    return [e for e in events if e["ph"] == "X"], names, document["otherData"]


def _assert_nested(events: list[Event]) -> None:
    """Two spans of one thread have no time in common, or one lies within the other."""
    for tid in {event["tid"] for event in events}:
        open_ends: list[int] = []
        spans = [(round(e["ts"] * 1000), round(e["dur"] * 1000)) for e in events if e["tid"] == tid]
        for start, took in sorted(spans, key=lambda span: (span[0], -span[1])):
            while open_ends and open_ends[-1] <= start:
                open_ends.pop()
            assert not open_ends or start + took <= open_ends[-1]
            open_ends.append(start + took)


def test_stage_has_its_calls_total_and_share_and_the_rest_is_told() -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)
    for _ in range(3):
        with profiler.span("detect"):
            clock.pass_ms(20)
        clock.pass_ms(5)
    profile = profiler.profile()
    (row,) = profile.stages
    assert (row.stage, row.thread, row.calls) == ("detect", "main", 3)
    assert row.total_s == pytest.approx(0.060)
    assert row.share == pytest.approx(60 / 75)
    assert profile.wall_s == pytest.approx(0.075)
    assert profile.unaccounted_s == pytest.approx(0.015)


def test_span_within_a_span_counts_for_both_and_once_for_the_thread() -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)
    with profiler.span("outer"):
        clock.pass_ms(1)
        with profiler.span("inner"):
            clock.pass_ms(2)
    clock.pass_ms(4)
    profile = profiler.profile()
    totals = {row.stage: row.total_s for row in profile.stages}
    assert totals == {"outer": pytest.approx(0.003), "inner": pytest.approx(0.002)}
    assert profile.unaccounted_s == pytest.approx(0.004)


def test_span_that_ends_with_an_error_counts_and_lets_it_pass() -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)

    def fail() -> None:
        with profiler.span("encode"):
            clock.pass_ms(7)
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        fail()
    with profiler.span("after"):
        clock.pass_ms(1)
    profile = profiler.profile()
    assert _by_name(profile)["encode", "main"].total_s == pytest.approx(0.007)
    assert profile.unaccounted_s == pytest.approx(0)


def test_threads_have_rows_of_their_own_and_leave_the_main_thread_alone() -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)

    def decode() -> None:
        with profiler.span("decode"):
            clock.pass_ms(8)

    _in_thread(decode, "reader")
    _in_thread(decode, "reader")
    with profiler.span("decode"):
        clock.pass_ms(2)
    profile = profiler.profile()
    rows = _by_name(profile)
    assert rows["decode", "reader"].calls == 2
    assert rows["decode", "reader"].total_s == pytest.approx(0.016)
    assert rows["decode", "main"].calls == 1
    assert profile.unaccounted_s == pytest.approx(0.016), "other threads' work is no work of the main one"


def test_no_span_is_lost_where_many_threads_work_at_once() -> None:
    profiler = Profiler(keep_events=True, max_events=100_000)
    start = threading.Barrier(8)

    def work() -> None:
        start.wait()
        for _ in range(500):
            with profiler.span("outer"), profiler.span("inner"):
                pass

    threads = [threading.Thread(target=work, name=f"worker {i % 2}") for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts = {name: row.calls for name, row in _by_name(profiler.profile()).items()}
    assert counts == {(stage, f"worker {i}"): 2000 for stage in ("outer", "inner") for i in (0, 1)}


@pytest.mark.parametrize("count", [1, 2, 7, 5000])
def test_percentiles_are_those_of_numpy_to_within_one_percent(count: int) -> None:
    durations_ms = np.random.default_rng(count).lognormal(mean=1.0, sigma=1.5, size=count)
    clock = Clock()
    profiler = Profiler(clock_ns=clock)
    for ms in durations_ms:
        with profiler.span("detect"):
            clock.pass_ms(ms)
    (row,) = profiler.profile().stages
    assert row.p50_ms == pytest.approx(np.percentile(durations_ms, 50), rel=0.0101)
    assert row.p95_ms == pytest.approx(np.percentile(durations_ms, 95), rel=0.0101)


@pytest.mark.parametrize("ms", [0, 1e-4, 1e9])
def test_durations_beyond_the_scale_are_counted(ms: float) -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)
    with profiler.span("x"):
        clock.pass_ms(ms)
    (row,) = profiler.profile().stages
    assert row.calls == 1
    assert row.total_s == pytest.approx(ms / 1000, abs=1e-9)
    assert 0 < row.p50_ms < 1e7


def test_iterator_is_timed_while_it_works_and_not_while_its_items_are_used() -> None:
    clock = Clock()
    profiler = Profiler(clock_ns=clock)
    closed = []

    def frames() -> Iterator[int]:
        try:
            for i in range(3):
                clock.pass_ms(10)
                yield i
        finally:
            closed.append(True)

    taken = []
    for frame in profiler.around_next("decode", frames()):
        taken.append(frame)
        clock.pass_ms(100)
    (row,) = profiler.profile().stages
    assert taken == [0, 1, 2]
    assert row.total_s == pytest.approx(0.030)
    assert row.p95_ms == pytest.approx(10, rel=0.0101)
    assert closed == [True]


def test_closing_the_timed_iterator_closes_the_one_within() -> None:
    closed = []

    def frames() -> Iterator[int]:
        try:
            yield 0
        finally:
            closed.append(True)

    timed = Profiler().around_next("decode", frames())
    assert next(timed) == 0
    timed.close()  # type: ignore[attr-defined]  # it is a generator, as ReadAhead finds out too
    assert closed == [True]


def test_nothing_is_wrapped_where_nobody_asked() -> None:
    items = iter([1, 2])
    assert NO_PROFILER.around_next("decode", items) is items
    first, second = NO_PROFILER.span("a"), NO_PROFILER.span("b")
    assert first is second, "no object is made for a span"
    with first, second:
        pass


@pytest.mark.parametrize("name", ["t.json", "t.json.gz"])
def test_trace_names_its_threads_and_its_spans_nest(tmp_path: Path, name: str) -> None:
    profiler = Profiler(keep_events=True)

    def decode() -> None:
        for _ in range(5):
            with profiler.span("decode"), profiler.span("convert"):
                pass

    for _ in range(2):  # the second thread goes on in the lane of the first
        _in_thread(decode, "reader")
    with profiler.span("detect"):
        pass
    profiler.write_trace(tmp_path / name)
    events, names, other = _events(tmp_path / name)
    assert sorted(names.values()) == ["main", "reader"]
    assert other == {"spans_left_out": 0}
    assert len(events) == 21
    for event in events:
        assert {"name", "ph", "ts", "dur", "pid", "tid"} <= event.keys()
        assert event["ts"] >= 0
        assert event["dur"] >= 0
    assert {(e["name"], names[e["tid"]]) for e in events} == {
        *(("decode", "reader"), ("convert", "reader"), ("detect", "main"))
    }
    _assert_nested(events)


def test_trace_has_microseconds_since_the_start(tmp_path: Path) -> None:
    clock = Clock()
    profiler = Profiler(keep_events=True, clock_ns=clock)
    clock.pass_ms(3)
    with profiler.span("detect"):
        clock.pass_ms(1.5)
    profiler.write_trace(tmp_path / "t.json")
    ((event,), _, _) = _events(tmp_path / "t.json")
    assert (event["ts"], event["dur"]) == (3000.0, 1500.0)


def test_trace_keeps_a_limited_number_of_spans_and_says_how_many_are_missing(tmp_path: Path) -> None:
    profiler = Profiler(keep_events=True, max_events=10)
    for _ in range(25):
        with profiler.span("detect"):
            pass
    profiler.write_trace(tmp_path / "t.json")
    events, _, other = _events(tmp_path / "t.json")
    assert (len(events), other) == (10, {"spans_left_out": 15})
    assert _by_name(profiler.profile())["detect", "main"].calls == 25, "the figures know all of them"


def test_profiler_that_keeps_no_spans_has_no_trace(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="keep_events"):
        Profiler().write_trace(tmp_path / "t.json")


def test_trace_is_refused_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "t.json").write_text("precious")
    with pytest.raises(OutputError, match="--overwrite"):
        check_trace(tmp_path / "t.json")
    with pytest.raises(UsageError, match=r"\.json or \.json\.gz"):
        check_trace(tmp_path / "t.txt")
    with pytest.raises(OutputError, match="no folder"):
        check_trace(tmp_path / "gone" / "t.json")
    check_trace(tmp_path / "t.json", overwrite=True)
    check_trace(tmp_path / "new.json")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"t.json": "precious"}


def test_table_and_json_have_the_same_figures() -> None:
    rows = (
        StageTime("detect", "main", 1200, 2.5, 0.25, 2.0, 3.456),
        StageTime("capture", "capture " + "x" * 60, 3, 0.001, 0.0001, 0.3, 0.4),
    )
    profile = Profile(wall_s=10.0, unaccounted_s=7.5, stages=rows)
    header, first, second, last = profile_table(profile).splitlines()
    assert header.split() == ["stage", "calls", "total", "s", "share", "p50", "ms", "p95", "ms", "thread"]
    assert first.split() == ["detect", "1,200", "2.50", "25.0%", "2.00", "3.46", "main"]
    assert second.endswith("xxx…")
    assert first.index("main") == header.index("thread")
    assert last == "wall time 10.00 s; main thread in no stage: 7.50 s (75.0%)"
    document = profile_json(profile)
    assert (document["wall_s"], document["unaccounted_s"]) == (10.0, 7.5)
    stages = document["stages"]
    assert isinstance(stages, list)
    assert stages[0] == {
        "stage": "detect",
        "thread": "main",
        "calls": 1200,
        "total_s": 2.5,
        "share": 0.25,
        "p50_ms": 2.0,
        "p95_ms": 3.456,
    }
