"""Clocks, rates and latency percentiles."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import TypeAlias

import numpy as np

Clock: TypeAlias = Callable[[], float]
"""Returns seconds that never run backwards, such as ``time.monotonic``."""


class LatencyRecorder:
    """Collects durations and answers percentiles; holds one float a sample."""

    def __init__(self) -> None:
        self._samples_s: list[float] = []

    def __len__(self) -> int:
        return len(self._samples_s)

    def add(self, seconds: float) -> None:
        """Add one duration in seconds."""
        self._samples_s.append(seconds)

    def percentile_ms(self, percent: float) -> float:
        """The duration in milliseconds that ``percent`` of the samples do not exceed; NaN without samples."""
        if not self._samples_s:
            return float("nan")
        return float(np.percentile(self._samples_s, percent)) * 1000


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
