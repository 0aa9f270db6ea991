"""Delay from capture to display, replaying a clip as a camera would deliver it.

python -m benchmarks.live [VIDEO | --faces 6 --faces 20] [--busy]

The clip is decoded beforehand and handed out by a stand-in for ``cv2.VideoCapture`` at a steady rate. The
window's place is taken by one that shows nothing, so the screen's own delay is not part of the figure.
With ``--faces`` the clip is made: so many faces stay in view, and one more comes for 1.5 s every 3 s.
"""

from __future__ import annotations

import os
import statistics
import tempfile
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import click
import numpy as np

from benchmarks import SAMPLE_CLIP
from benchmarks.busy import busy_cores
from benchmarks.crowd import SIZES, Crowd, CrowdStage, make_clips
from benchmarks.entries import Entry, entries
from benchmarks.interleaved import Spread
from benchmarks.machine import describe
from benchmarks.replay import ReplayedCamera, WatchedLabeller, WatchedScreen
from gclf_live.media.camera import open_camera
from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveSettings
from gclf_live.pipeline.session import LiveSession, SessionOptions
from gclf_live.records import U8

_VISITS_S = (1.5,)
_CLIP_S = 10.0
_PERCENTILES = (50, 95, 99)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the clip is played and labelled."""

    fps: float
    seconds: float
    max_latency_s: float


@dataclass(frozen=True, slots=True)
class Played:
    """What one session came to.

    Attributes:
        latency_ms: 50th, 95th and 99th percentile from the camera to the screen.
        fps: frames shown a second.
        kept: share of the frames shown that kept to the allowed delay.
        dropped: share of the camera's pictures that were not shown.
        crops: classified a second.
        entries: of the faces that came into view.
    """

    latency_ms: tuple[float, ...]
    fps: float
    kept: float
    dropped: float
    crops: float
    entries: list[Entry]


@click.command()
@click.argument("video", type=click.Path(path_type=Path), default=SAMPLE_CLIP)
@click.option("--faces", multiple=True, type=click.IntRange(min=0), help="Make clips with so many faces.")
@click.option("--size", type=click.Choice(list(SIZES)), default="720p", show_default=True, help="Of those.")
@click.option("--fps", default=30.0, show_default=True)
@click.option("--seconds", default=10.0, show_default=True, help="Of one session.")
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--max-latency", default=80.0, show_default=True)
@click.option("--busy", is_flag=True, help="Also while other processes keep every core busy, in turn.")
@click.option("--device", default="auto", show_default=True)
@click.option("--keep", type=click.Path(file_okay=False, path_type=Path), help="Keep the clips here.")
def main(
    video: Path,
    faces: tuple[int, ...],
    size: str,
    fps: float,
    seconds: float,
    rounds: int,
    max_latency: float,
    busy: bool,
    device: str,
    keep: Path | None,
) -> None:
    """Print delay, frames shown, what was given up, and how long new faces waited for their label."""
    classifier = Classifier.load(device=device)
    settings = Settings(fps, seconds, max_latency / 1000)
    click.echo(describe())
    with nullcontext(str(keep)) if keep else tempfile.TemporaryDirectory() as folder:
        clips: dict[Path, CrowdStage | None] = {video: None}
        if faces:
            crowds = [Crowd(n, _CLIP_S, *SIZES[size], _VISITS_S) for n in faces]
            clips = {clip: CrowdStage(crowd) for crowd, clip in make_clips(Path(folder), crowds).items()}
        for clip, stage in clips.items():
            frames = _decode(clip)
            click.echo(
                f"\n{clip.name}, {frames[0].shape[1]}x{frames[0].shape[0]} at {fps:.0f} frames/s, "
                f"{classifier.plan.reason}, --max-latency {max_latency:.0f}; "
                f"{rounds} sessions of {seconds:g} s"
            )
            found: dict[bool, list[Played]] = {state: [] for state in ((False, True) if busy else (False,))}
            for _ in range(rounds):
                for state, played in found.items():
                    with busy_cores() if state else nullcontext():
                        played.append(play(frames, classifier, settings, stage))
            for state, played in found.items():
                name = f"beside {os.cpu_count()} processes that never rest" if state else "alone"
                click.echo("\n".join(lines(name, played)))


def play(frames: list[U8], classifier: Classifier, settings: Settings, stage: CrowdStage | None) -> Played:
    """Run one live session on frames, uint8, shape (H, W, 3), BGR, that ``stage`` has drawn, if any has."""
    labeller = WatchedLabeller(classifier, LiveSettings(max_latency_s=settings.max_latency_s))
    camera = ReplayedCamera(frames, fps=settings.fps)
    screen = WatchedScreen(camera)
    labeller.screen = screen
    session = LiveSession(
        open_camera(0, factory=lambda index: camera),
        labeller,
        window=LiveWindow(backend=screen, check=lambda: None),
        options=SessionOptions(max_duration_s=settings.seconds),
    )
    session.run()
    shown = screen.shown
    if not shown:
        raise click.ClickException("not one frame was shown; give more --seconds")
    delays_s = np.array([frame.at_s - frame.due_s for frame in shown])
    pictures = shown[-1].number - shown[0].number + 1
    return Played(
        latency_ms=tuple(float(np.percentile(delays_s, p)) * 1000 for p in _PERCENTILES),
        fps=session.stats().frames_per_second,
        kept=float((delays_s <= settings.max_latency_s).mean()),
        dropped=1 - len(shown) / pictures,
        crops=labeller.crops_classified / session.stats().seconds,
        entries=entries(shown, stage, camera.due_s) if stage else [],
    )


def lines(name: str, played: Sequence[Played]) -> list[str]:
    """The sessions of one kind as text; medians over them, with the lowest and the highest."""
    texts = [f"{name}: median of {len(played)} (lowest to highest)"]
    for i, percent in enumerate(_PERCENTILES):
        spread = Spread.of([session.latency_ms[i] for session in played])
        texts.append(f"  {f'capture to display, p{percent}':<32} {spread:.0f} ms")
    rows = (
        ("frames shown a second", [session.fps for session in played]),
        ("delay kept, % of frames", [100 * session.kept for session in played]),
        ("pictures dropped, %", [100 * session.dropped for session in played]),
        ("crops classified a second", [session.crops for session in played]),
    )
    texts += [f"  {title:<32} {Spread.of(values):.1f}" for title, values in rows]
    return texts + _entry_lines([entry for session in played for entry in session.entries])


def _entry_lines(came: list[Entry]) -> list[str]:
    if not came:
        return []
    texts = [
        f"  {len(came)} faces came into view for {statistics.median(e.stayed_s for e in came):.1f} s each"
    ]
    for name, waits in (("box", [e.box_s for e in came]), ("label", [e.label_s for e in came])):
        known = [wait for wait in waits if wait is not None]
        never = f"; {len(waits) - len(known)} left without one" if len(known) < len(waits) else ""
        wait = f"{statistics.median(known):.2f} s median, {max(known):.2f} s at most" if known else "never"
        texts.append(f"  {f'until the first {name}':<32} {wait}{never}")
    return texts


def _decode(video: Path) -> list[U8]:
    with VideoReader(video) as reader:
        return [frame.image for frame in reader]


if __name__ == "__main__":
    main()
