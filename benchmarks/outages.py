"""How soon a stream is seen again once its server is back: ``python -m benchmarks.outages [--rounds 5]``.

The cameras are those of the tests, on the loopback. Each is made to fail for some seconds, again and again,
over one capture thread. Open files and threads are counted before the first round and after the last.
"""

from __future__ import annotations

import statistics
import threading
import time
from pathlib import Path

import click
import numpy as np

from benchmarks.machine import describe
from benchmarks.stream_servers import NetworkCamera, RtspCamera
from gclf_live.media.capture import CaptureThread
from gclf_live.media.source import parse_source
from gclf_live.media.stream import open_stream, reconnection

_PATIENCE_S = 60.0
_SIZE_PX = (360, 640)
_CAMERAS = (("MJPEG over HTTP", NetworkCamera), ("H.264 over RTSP", RtspCamera))


def _held() -> tuple[int, int]:
    """Open files (0 where the system does not list them), and threads of this process."""
    files = Path("/proc/self/fd")
    return len(list(files.iterdir())) if files.is_dir() else 0, threading.active_count()


def _back_after(capture: CaptureThread) -> float:
    """Seconds until a picture comes."""
    while capture.newest(0.0) is not None:
        pass
    began_s = time.monotonic()
    while capture.newest(0.05) is None:
        if time.monotonic() - began_s > _PATIENCE_S:
            raise click.ClickException("the stream did not come back")
    return time.monotonic() - began_s


def measure(kind: type[NetworkCamera], *, rounds: int, away_s: float, silent: bool) -> list[float]:
    """Seconds from the return of the source to the next picture, for each round.

    Args:
        kind: the camera.
        rounds: how often it fails.
        away_s: for how long.
        silent: whether it stays connected and sends nothing, rather than being cut off.
    """
    took_s = []
    with kind(np.full((*_SIZE_PX, 3), 128, np.uint8)) as camera:
        source = parse_source(camera.url)
        stream = open_stream(source)
        with CaptureThread(stream, reconnection=reconnection(source, stream)) as capture:
            for _ in range(rounds):
                end_s = time.monotonic() + 1
                while time.monotonic() < end_s:
                    capture.newest(0.1)
                camera.silent = silent
                if not silent:
                    camera.stop()
                time.sleep(away_s)
                if silent:
                    camera.silent = False
                    took_s.append(_back_after(capture))
                else:
                    camera.start()
                    took_s.append(_back_after(capture))
    return took_s


@click.command()
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Failures of each kind.")
@click.option("--away", type=click.FloatRange(0.5), default=4.0, show_default=True, help="Seconds of each.")
def main(rounds: int, away: float) -> None:
    """Print a table of the times until a stream is seen again."""
    click.echo(f"{describe()}\n{rounds} failures of {away:g} s each\n")
    click.echo("| camera | failure | median | longest | open files, threads before | after |")
    click.echo("|---|---|---|---|---|---|")
    for name, kind in _CAMERAS:
        for failure, silent in (("cut off", False), ("silent", True)):
            before = _held()
            took_s = measure(kind, rounds=rounds, away_s=away, silent=silent)
            time.sleep(2)  # attempts that were under way end
            figures = f"{statistics.median(took_s):.2f} s | {max(took_s):.2f} s"
            click.echo(f"| {name} | {failure} | {figures} | {before} | {_held()} |")


if __name__ == "__main__":
    main()
