"""How long the command takes to answer: ``python -m benchmarks.startup [--rounds 7]``.

Beside it what no answer can come before: torch's own import.
The first live frame is the moment at which a picture is on a virtual screen (Xvfb); without Xvfb it is left
out, and only a session without a window is timed, from the command to its end after one frame.
"""

from __future__ import annotations

import contextlib
import mmap
import os
import shutil
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import click
import numpy as np

from benchmarks.crowd import Crowd, CrowdStage, write_crowd
from benchmarks.interleaved import Side, Spread, in_turn
from benchmarks.machine import describe
from gclf_live.records import U8
from samples.clip_cast import HERE

_COMMAND = (sys.executable, "-m", "gclf_live")
_PICTURE = HERE / "portraits" / "collins.jpg"
_PATIENCE_S = 120.0
_SIZE_PX = (1600, 900)
_NO_XVFB = "Xvfb is not installed: the time to the first frame in a window is left out (apt-get install xvfb)"


class Screen:
    """A virtual X screen, and what is on it."""

    def __init__(self, folder: Path) -> None:
        """Start Xvfb; its picture lies in ``folder``.

        Raises:
            click.ClickException: it does not start.
        """
        reading, writing = os.pipe()
        size = f"{_SIZE_PX[0]}x{_SIZE_PX[1]}x24"
        command = ["Xvfb", "-displayfd", str(writing), "-screen", "0", size, "-fbdir", str(folder)]
        self._server = subprocess.Popen(
            [*command, "-noreset", "-nolisten", "tcp"], pass_fds=[writing], stderr=subprocess.DEVNULL
        )
        os.close(writing)
        with os.fdopen(reading) as pipe:
            number = pipe.readline().strip()
        if not number:
            self._server.wait()
            raise click.ClickException("Xvfb does not start; run it by hand to see why")
        self.display = f":{number}"
        with (folder / "Xvfb_screen0").open("rb") as file:
            self._memory = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)

    def close(self) -> None:
        """End it."""
        self._server.terminate()
        self._server.wait()

    def pixels(self) -> U8:
        """Every 20th row and column: uint8, shape (H, W, 3), BGR."""
        # The memory is an XWD file: X11/XWDFile.h.
        header = struct.unpack(">25I", self._memory[:100])
        width, height, line_bytes, colours = header[4], header[5], header[12], header[19]
        start = header[0] + 12 * colours
        flat = np.frombuffer(self._memory[start : start + height * line_bytes], np.uint8)
        return flat.reshape(height, -1, 4)[::20, :width:20, :3]


def is_coloured(pixels: U8) -> bool:
    """Whether a picture is there: windows without one are grey. The clip's backdrop is blue."""
    spread = pixels.max(axis=2).astype(np.int16) - pixels.min(axis=2)
    return float((spread > 30).mean()) > 0.05


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=7, show_default=True)
def main(rounds: int) -> None:
    """Print seconds from the command to its answer, in turn, after one round that is not counted."""
    click.echo(describe())
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        sides = make_sides(folder)
        if shutil.which("Xvfb") is None:
            click.echo(_NO_XVFB)
        else:
            screen = stack.enter_context(_screen(folder))
            sides["first frame in a window"] = lambda: first_frame_s(folder / "clip.mp4", screen)
        in_turn(sides, rounds=1)  # from here on the disk's cache is warm
        click.echo(
            "\n".join(lines(in_turn(sides, rounds=rounds, say=lambda line: click.echo(line, err=True))))
        )


def make_sides(folder: Path) -> dict[str, Side]:
    """What needs no screen; makes the clips that the sides play."""
    write_crowd(folder / "clip.mp4", CrowdStage(Crowd(1, seconds=2.0)))
    write_crowd(folder / "frame.mp4", CrowdStage(Crowd(1, seconds=1 / 30)))
    return {
        "--help": lambda: run_s(*_COMMAND, "--help"),
        "python -c 'import torch'": lambda: run_s(sys.executable, "-c", "import torch"),
        "predict, one picture": lambda: run_s(*_COMMAND, "predict", str(_PICTURE)),
        "one live frame, no window, to the end": lambda: run_s(
            *_COMMAND, "--source", str(folder / "frame.mp4"), "--no-window"
        ),
    }


def run_s(*command: str) -> float:
    """Run ``command`` to its end; returns seconds.

    Raises:
        click.ClickException: it failed.
    """
    started_s = time.perf_counter()
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    took_s = time.perf_counter() - started_s
    if done.returncode:
        raise click.ClickException(f"{' '.join(command)} failed: {done.stderr.strip()}")
    return took_s


def first_frame_s(clip: Path, screen: Screen) -> float:
    """Seconds from the command to the first picture of ``clip`` on ``screen``.

    Raises:
        click.ClickException: the command ended before, or nothing came in two minutes.
    """
    _wait(screen, coloured=False)
    started_s = time.perf_counter()
    process = subprocess.Popen(
        [*_COMMAND, "--source", str(clip)],
        env=os.environ | {"DISPLAY": screen.display},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _wait(screen, coloured=True, process=process)
        return time.perf_counter() - started_s
    finally:
        process.terminate()
        process.communicate()


def lines(figures: Mapping[str, list[float]]) -> list[str]:
    """One line for each case."""
    heads = ["seconds from the command, median (lowest to highest)"]
    return heads + [f"  {name:<40} {Spread.of(values):.3f}" for name, values in figures.items()]


def _wait(screen: Screen, *, coloured: bool, process: subprocess.Popen[str] | None = None) -> None:
    """Wait until there is a picture on the screen, or none."""
    end_s = time.monotonic() + _PATIENCE_S
    while is_coloured(screen.pixels()) is not coloured:
        if process is not None and process.poll() is not None:
            assert process.stderr is not None
            raise click.ClickException(f"no frame was shown: {process.stderr.read().strip()}")
        if time.monotonic() > end_s:
            raise click.ClickException(f"nothing came to the screen in {_PATIENCE_S:.0f} s")
        time.sleep(0.005)


@contextlib.contextmanager
def _screen(folder: Path) -> Iterator[Screen]:
    screen = Screen(folder)
    try:
        yield screen
    finally:
        screen.close()


if __name__ == "__main__":
    main()
