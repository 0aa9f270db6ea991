"""Helpers that start other programs: busy cores, peak memory; and what growth and startup print."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click
import numpy as np
import pytest

from benchmarks.busy import busy_cores
from benchmarks.growth import Table, draw, grow, peak_mib
from benchmarks.startup import is_coloured, lines

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_busy_programs_run_inside_the_block_only() -> None:
    with busy_cores(2) as pids:
        assert len(set(pids)) == 2
        assert all(map(is_running, pids))
    assert not any(map(is_running, pids))


def test_busy_programs_end_with_an_error_too() -> None:
    pids: list[int] = []

    def interrupted() -> None:
        with busy_cores(1) as started:
            pids.extend(started)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted()
    assert len(pids) == 1
    assert not any(map(is_running, pids))


@linux_only
def test_peak_memory_is_that_of_the_program_alone() -> None:
    held = bytearray(300 * 2**20)
    held[::4096] = b"x" * len(held[::4096])
    hold = "import time; held = b'x' * ({} * 2**20); time.sleep(1)"
    small, large = (peak_mib([sys.executable, "-c", hold.format(mib)]) for mib in (1, 100))
    assert small < 60
    assert 90 < large - small < 110
    assert len(held)


@linux_only
def test_program_that_fails_has_no_peak_memory() -> None:
    with pytest.raises(click.ClickException, match="ended with 1: no such video"):
        peak_mib([sys.executable, "-c", "raise SystemExit('no such video')"])


def test_growth_is_measured_for_every_size_and_told_against_the_first() -> None:
    clips = {float(size): Path(f"{size}.mp4") for size in (1, 6)}
    figures = grow(clips, lambda clip: 10.0 * int(clip.stem), rounds=3)
    assert figures == {1.0: [10.0] * 3, 6.0: [60.0] * 3}
    assert Table("ms a frame by faces", "faces", figures).lines()[1:] == [
        f"{'1':>12}  {'10.0 (10.0 to 10.0)':<32} 1.00",
        f"{'6':>12}  {'60.0 (60.0 to 60.0)':<32} 6.00",
    ]


def test_growth_is_drawn(tmp_path: Path) -> None:
    tables = [
        Table("ms a frame by faces, 720p", "faces", {0.0: [5.0, 6.0], 6.0: [9.0, 8.0]}),
        Table("MiB by length", "minutes", {1.0: [500.0]}),
    ]
    draw(tables, tmp_path / "growth.svg")
    text = (tmp_path / "growth.svg").read_text("utf-8")
    assert text.startswith("<?xml")
    assert len(text) > 5000


def test_picture_is_told_from_an_empty_window() -> None:
    screen = np.zeros((45, 80, 3), np.uint8)
    screen[:20, :40] = 239  # the window, before its picture
    assert not is_coloured(screen)
    screen[:20, :40] = (120, 90, 60)
    assert is_coloured(screen)


def test_start_times_are_told_by_case() -> None:
    assert lines({"--help": [0.1, 0.3, 0.2]})[1] == f"  {'--help':<40} 0.200 (0.100 to 0.300)"
