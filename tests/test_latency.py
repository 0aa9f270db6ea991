"""Latency percentiles: exact for short sessions, right to 1 % and in bounded memory for long ones."""

from __future__ import annotations

import math
import tracemalloc

import numpy as np
import pytest

from gclf_live.timing import LatencyRecorder


def _recorded(samples_s: list[float]) -> LatencyRecorder:
    recorder = LatencyRecorder()
    for sample_s in samples_s:
        recorder.add(sample_s)
    return recorder


@pytest.mark.parametrize("count", [1, 2, 101, 4096])
@pytest.mark.parametrize("percent", [0, 50, 95, 100])
def test_percentiles_of_a_short_session_are_exact(count: int, percent: float) -> None:
    samples_s = np.random.default_rng(count).lognormal(-3, 1, count).tolist()
    expected = np.percentile(samples_s, percent) * 1000
    assert _recorded(samples_s).percentile_ms(percent) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("percent", [0, 1, 50, 95, 99, 100])
def test_percentiles_of_a_long_session_are_right_to_one_percent(percent: float) -> None:
    samples_s = np.random.default_rng(5).lognormal(-3, 1, 60_000).tolist()
    recorder = _recorded(samples_s)
    assert len(recorder) == 60_000
    expected = np.percentile(samples_s, percent) * 1000
    assert recorder.percentile_ms(percent) == pytest.approx(expected, rel=0.0102)


def test_durations_outside_of_the_scale_are_counted() -> None:
    recorder = _recorded([0.0] * 5000 + [-0.5] + [9000.0] * 5000)
    assert recorder.percentile_ms(25) <= 0.0011
    assert recorder.percentile_ms(100) == pytest.approx(2_884_000, rel=0.02)


def test_equal_durations_are_what_they_are_however_many() -> None:
    assert _recorded([0.0333] * 10_000).percentile_ms(95) == pytest.approx(33.3, rel=1e-12)


def test_recorder_without_samples_has_no_percentile() -> None:
    assert math.isnan(LatencyRecorder().percentile_ms(50))


def test_memory_does_not_grow_with_the_session() -> None:
    recorder = _recorded([0.01 + 1e-6 * i for i in range(5000)])
    tracemalloc.start()
    try:
        for i in range(50_000):
            recorder.add(0.01 + 1e-6 * (i % 999))
        grown, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert grown < 2_000
