"""Delay from capture to display, replaying a clip as a camera would deliver it.

python -m benchmarks.live [VIDEO] [--fps 30] [--seconds 30]

The clip is decoded beforehand and handed out by a stand-in for ``cv2.VideoCapture`` at a steady rate. The
window's place is taken by one that shows nothing, so the screen's own delay is not part of the figure.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click

from benchmarks import SAMPLE_CLIP
from benchmarks.machine import describe
from gclf_live.media.camera import open_camera
from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.output.summary import live_summary
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveLabeller, LiveSettings
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import U8


class ReplayedCamera:
    """Hands out decoded frames at a steady rate, in the place of ``cv2.VideoCapture``."""

    def __init__(self, frames: list[U8], *, fps: float) -> None:
        self._frames, self._step_s = frames, 1 / fps
        self._next = 0
        self._due_s = time.monotonic()

    def isOpened(self) -> bool:  # noqa: N802
        """OpenCV's own name."""
        return True

    def read(self) -> tuple[bool, Any]:
        """Wait for the next frame to be due; one that nobody fetched in time is gone, as with a camera."""
        self._due_s += self._step_s
        now_s = time.monotonic()
        while self._due_s < now_s - self._step_s:
            self._due_s += self._step_s
            self._next += 1
        time.sleep(max(0.0, self._due_s - now_s))
        frame = self._frames[self._next % len(self._frames)]
        self._next += 1
        return True, frame.copy()

    def set(self, propId: int, value: float) -> bool:  # noqa: N803
        """Nothing can be set."""
        return False

    def release(self) -> None:
        """Nothing to give back."""


class CountingScreen:
    """A window backend that shows nothing."""

    def open(self, title: str, *, width_px: int, height_px: int) -> None:
        """Nothing to open."""

    def show(self, title: str, image: U8) -> None:
        """Nothing to show."""

    def wait_key(self, wait_ms: int) -> int:
        """No key."""
        return -1

    def is_visible(self, title: str) -> bool:
        """Never closed."""
        return True

    def close(self, title: str) -> None:
        """Nothing to close."""


@click.command()
@click.argument("video", type=click.Path(path_type=Path), default=SAMPLE_CLIP)
@click.option("--fps", default=30.0, show_default=True)
@click.option("--seconds", default=30.0, show_default=True)
@click.option("--max-latency", default=80.0, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(video: Path, fps: float, seconds: float, max_latency: float, device: str) -> None:
    """Print the summary of a live session on the clip."""
    with VideoReader(video) as reader:
        frames = [frame.image for frame in reader]
    camera = ReplayedCamera(frames, fps=fps)
    classifier = Classifier.load(device=device)
    labeller = LiveLabeller(classifier, LiveSettings(max_latency_s=max_latency / 1000))
    stream = open_camera(0, factory=lambda index: camera)
    window = LiveWindow(backend=CountingScreen(), check=lambda: None)
    session = LiveSession(stream, labeller, window=window, options=SessionOptions(max_duration_s=seconds))
    session.run()
    click.echo(describe())
    click.echo(
        f"{video.name} at {fps:.0f} frames/s, {classifier.plan.reason}, --max-latency {max_latency:.0f}"
    )
    click.echo(live_summary(session.stats()))


if __name__ == "__main__":
    main()
