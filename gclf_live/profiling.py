"""Where the time goes: spans of work by stage and thread, as figures and as a trace for Perfetto."""

from __future__ import annotations

import contextlib
import math
import threading
import time
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Protocol, TypeVar

from gclf_live.trace_events import TraceEvents

MAX_EVENTS = 200_000
"""Spans that a trace keeps: 12 minutes of live video; Perfetto opens their 20 MB in a few seconds."""
_BIN_RATIO = 1.02
_BINS = 1_100
"""Durations from 1 microsecond to 48 minutes, to within 1 %, in 9 kB a stage however long it runs."""

_Item = TypeVar("_Item")
_END = object()


class Spans(Protocol):
    """Takes the time of stages: a ``Profiler``, or ``NO_PROFILER`` where nobody asked."""

    def span(self, stage: str) -> contextlib.AbstractContextManager[None]:
        """A block whose time counts for ``stage``, on the thread that runs it. Spans may nest."""

    def around_next(self, stage: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """The same items; what it takes to come by each counts, not what the caller then does with it."""


class _NoProfiler:
    """Takes no time of anything; a span costs about 0.13 microseconds."""

    def __init__(self) -> None:
        self._nothing = contextlib.nullcontext()

    def span(self, stage: str) -> contextlib.AbstractContextManager[None]:
        return self._nothing

    def around_next(self, stage: str, items: Iterator[_Item]) -> Iterator[_Item]:
        return items


NO_PROFILER: Spans = _NoProfiler()


@dataclass(frozen=True, slots=True)
class StageTime:
    """What one stage came to on one thread, or on several threads of the same name one after another.

    Attributes:
        stage: its name.
        thread: name of the thread; the one that made the profiler is ``main``.
        calls: spans that have ended.
        total_s: their seconds, added up. Time in a span within a span counts for both.
        share: of the wall time, in [0, 1]; those of several threads add up to more than 1.
        p50_ms, p95_ms: percentiles of the spans, to within 1 %.
    """

    stage: str
    thread: str
    calls: int
    total_s: float
    share: float
    p50_ms: float
    p95_ms: float


@dataclass(frozen=True, slots=True)
class Profile:
    """Where the time went.

    Attributes:
        wall_s: seconds since the profiler was made.
        unaccounted_s: seconds that the main thread spent in no span.
        stages: by stage and thread, the longest total first.
    """

    wall_s: float
    unaccounted_s: float
    stages: tuple[StageTime, ...]


class _Durations:
    """Counts durations in bins of equal width on a logarithmic scale."""

    def __init__(self) -> None:
        self.calls = 0
        self.total_ns = 0
        self._bins = array("Q", bytes(8 * _BINS))

    def add(self, ns: int) -> None:
        self.calls += 1
        self.total_ns += ns
        place = int(math.log(ns / 1000) / math.log(_BIN_RATIO)) if ns > 1000 else 0
        self._bins[min(place, _BINS - 1)] += 1

    def merge(self, other: _Durations) -> None:
        self.calls += other.calls
        self.total_ns += other.total_ns
        for place, count in enumerate(other._bins):
            self._bins[place] += count

    def percentile_ms(self, percent: float) -> float:
        """Interpolated between the two nearest durations, as ``numpy.percentile`` does."""
        rank = (self.calls - 1) * percent / 100
        low = self._ranked_ms(math.floor(rank))
        return low + (rank - math.floor(rank)) * (self._ranked_ms(math.ceil(rank)) - low)

    def _ranked_ms(self, rank: int) -> float:
        """The duration with ``rank`` shorter ones: the middle of its bin."""
        seen = 0
        for place, count in enumerate(self._bins):
            seen += count
            if seen > rank:
                return float(_BIN_RATIO ** (place + 0.5)) / 1000
        return float("nan")


@dataclass(slots=True)
class _Lane:
    """One row of the trace. Only its own thread writes to it, so it needs no lock.

    A thread that starts after another one of its name has ended goes on in that one's lane: a thousand
    videos make three lanes, not three thousand.
    """

    thread: threading.Thread
    name: str
    number: int
    depth: int = 0
    outermost_ns: int = 0
    stages: dict[str, _Durations] = field(default_factory=dict)


class _Span:
    """A block that is timed. Made anew for each block: threads and nested blocks do not share it."""

    __slots__ = ("_depth", "_lane", "_profiler", "_stage", "_start_ns")

    def __init__(self, profiler: Profiler, stage: str) -> None:
        self._profiler, self._stage = profiler, stage

    def __enter__(self) -> None:
        self._lane = self._profiler._lane()
        self._depth = self._lane.depth
        self._lane.depth = self._depth + 1
        self._start_ns = self._profiler._clock_ns()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        took_ns = self._profiler._clock_ns() - self._start_ns
        self._lane.depth = self._depth
        self._profiler._note(self._lane, self._stage, self._start_ns, took_ns)


class Profiler:
    """Takes the time of stages, from any number of threads, in bounded memory."""

    def __init__(
        self,
        *,
        keep_events: bool = False,
        max_events: int = MAX_EVENTS,
        clock_ns: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        """Start the wall time; the calling thread is the main one.

        Args:
            keep_events: keep single spans too, for ``write_trace``.
            max_events: how many of them, the first ones; later ones are only counted.
            clock_ns: nanoseconds, monotonic, the same for all threads.
        """
        self._clock_ns = clock_ns
        self._events = TraceEvents(max_events) if keep_events else None
        self._lock = threading.Lock()
        self._local = threading.local()
        self._lanes: list[_Lane] = []
        self._main = self._open_lane("main")
        self._local.lane = self._main
        self._start_ns = clock_ns()

    def span(self, stage: str) -> contextlib.AbstractContextManager[None]:
        """A block whose time counts for ``stage``, however it ends. Spans of one thread may nest."""
        return _Span(self, stage)

    def around_next(self, stage: str, items: Iterator[_Item]) -> Iterator[_Item]:
        """The same items; what it takes to come by each counts, not what the caller then does with it.

        Closing the iterator closes ``items`` where that can be closed.
        """
        try:
            while True:
                with self.span(stage):
                    item = next(items, _END)
                if item is _END:
                    return
                yield item  # type: ignore[misc]  # mypy cannot tell the mark at the end from an item
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()

    def profile(self) -> Profile:
        """What the spans that have ended so far came to; call it from any thread."""
        wall_ns = max(self._clock_ns() - self._start_ns, 1)
        with self._lock:
            lanes = list(self._lanes)
        merged: dict[tuple[str, str], _Durations] = {}
        for lane in lanes:
            for stage, durations in list(lane.stages.items()):
                merged.setdefault((stage, lane.name), _Durations()).merge(durations)
        times = [
            StageTime(
                stage=stage,
                thread=thread,
                calls=durations.calls,
                total_s=durations.total_ns / 1e9,
                share=durations.total_ns / wall_ns,
                p50_ms=durations.percentile_ms(50),
                p95_ms=durations.percentile_ms(95),
            )
            for (stage, thread), durations in merged.items()
        ]
        return Profile(
            wall_s=wall_ns / 1e9,
            unaccounted_s=max(wall_ns - self._main.outermost_ns, 0) / 1e9,
            stages=tuple(sorted(times, key=lambda row: -row.total_s)),
        )

    def write_trace(self, path: Path, *, overwrite: bool = False) -> None:
        """Write the kept spans for Perfetto; their times count from when the profiler was made.

        Args:
            path: ``.json`` or ``.json.gz``; whole under its name, or not at all.
            overwrite: replace a file that exists.

        Raises:
            ValueError: the profiler keeps no spans.
            UsageError, OutputError: as ``trace_events.TraceEvents.write``.
        """
        if self._events is None:
            raise ValueError("this profiler keeps no spans; make it with keep_events=True")
        self._events.write(path, {lane.number: lane.name for lane in self._lanes}, overwrite=overwrite)

    def _lane(self) -> _Lane:
        lane: _Lane | None = getattr(self._local, "lane", None)
        if lane is None:
            lane = self._local.lane = self._open_lane(threading.current_thread().name)
        return lane

    def _open_lane(self, name: str) -> _Lane:
        thread = threading.current_thread()
        with self._lock:
            for lane in self._lanes:
                if lane.name == name and not lane.thread.is_alive():
                    lane.thread, lane.depth = thread, 0
                    return lane
            lane = _Lane(thread, name, len(self._lanes) + 1)
            self._lanes.append(lane)
            return lane

    def _note(self, lane: _Lane, stage: str, start_ns: int, took_ns: int) -> None:
        durations = lane.stages.get(stage)
        if durations is None:
            durations = lane.stages[stage] = _Durations()
        durations.add(took_ns)
        if lane.depth == 0:
            lane.outermost_ns += took_ns
        if self._events is not None:
            start_ns -= self._start_ns
            self._events.add(stage, lane=lane.number, start_ns=start_ns, took_ns=took_ns)
