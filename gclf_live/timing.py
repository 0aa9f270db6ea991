"""Clocks, rates and latency percentiles."""

from __future__ import annotations

import math
from array import array
from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Clock: TypeAlias = Callable[[], float]
"""Returns seconds that never run backwards, such as ``time.monotonic``."""

_EXACT = 4096
"""Samples that are kept as they are: two minutes of live video."""
_SHORTEST_S = 1e-6
_BIN_RATIO = 1.02
_BINS = 1_100
"""Beyond that they are counted in bins from 1 microsecond to 48 minutes, each 2 % wide."""


class LatencyRecorder:
    """Collects durations and answers percentiles, in 42 kB however many there are.

    The first 4,096 give exact percentiles; with more, they are right to within 1 %, as in ``profiling``.
    """

    def __init__(self) -> None:
        self._samples_s: array[float] | None = array("d")
        self._bins = array("Q", bytes(8 * _BINS))
        self._count = 0
        self._lowest_s, self._highest_s = math.inf, -math.inf

    def __len__(self) -> int:
        return self._count

    def add(self, seconds: float) -> None:
        """Add one duration in seconds."""
        self._count += 1
        self._lowest_s, self._highest_s = min(self._lowest_s, seconds), max(self._highest_s, seconds)
        if self._samples_s is None:
            self._count_in_bin(seconds)
            return
        self._samples_s.append(seconds)
        if self._count > _EXACT:
            for sample_s in self._samples_s:
                self._count_in_bin(sample_s)
            self._samples_s = None

    def percentile_ms(self, percent: float) -> float:
        """The duration in milliseconds that ``percent`` of the samples do not exceed; NaN without samples."""
        if not self._count:
            return float("nan")
        if self._samples_s is not None:
            return float(np.percentile(self._samples_s, percent)) * 1000
        rank = (self._count - 1) * percent / 100
        low, high = self._ranked_s(math.floor(rank)), self._ranked_s(math.ceil(rank))
        return (low + (rank - math.floor(rank)) * (high - low)) * 1000

    def _count_in_bin(self, seconds: float) -> None:
        place = int(math.log(seconds / _SHORTEST_S, _BIN_RATIO)) if seconds > _SHORTEST_S else 0
        self._bins[min(place, _BINS - 1)] += 1

    def _ranked_s(self, rank: int) -> float:
        """The duration with ``rank`` shorter ones: the middle of its bin, never outside of what there was."""
        seen = np.cumsum(np.frombuffer(self._bins, np.uint64))
        place = int(np.searchsorted(seen, rank, side="right"))
        middle_s = float(_SHORTEST_S * _BIN_RATIO ** (place + 0.5))
        return min(max(middle_s, self._lowest_s), self._highest_s)


class RateMeter:
    """Events per second over the last ``window_s`` seconds."""

    def __init__(self, window_s: float = 1.0) -> None:
        self._window_s = window_s
        self._times: deque[float] = deque()

    def tick(self, now_s: float) -> None:
        """Count an event at ``now_s``."""
        self._times.append(now_s)
        while self._times[0] < now_s - self._window_s:
            self._times.popleft()

    def rate(self) -> float:
        """Events per second, 0 until there are two."""
        span = self._times[-1] - self._times[0] if self._times else 0.0
        return (len(self._times) - 1) / span if span > 0 else 0.0
