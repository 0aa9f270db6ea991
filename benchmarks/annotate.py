"""How fast a video is annotated: whole runs of ``annotate_video`` beside decoding and encoding alone.

python -m benchmarks.annotate [VIDEO] [--runs 5]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks import SAMPLE_CLIP
from benchmarks.interleaved import Spread, in_turn, ratios
from benchmarks.machine import describe
from gclf_live.media.ahead import ReadAhead
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.annotate import annotate_video


@click.command()
@click.argument("video", type=click.Path(path_type=Path), default=SAMPLE_CLIP)
@click.option("--runs", default=5, show_default=True)
@click.option("--device", default="auto", show_default=True)
def main(video: Path, runs: int, device: str) -> None:
    """Print frames per second, median of several runs, the two sides in turn."""
    classifier = Classifier.load(device=device)
    classifier.warm_up((1, 8))
    with VideoReader(video) as reader:
        frames = sum(1 for _ in reader.decoded())
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {
            "decode and encode only": frames_a_second(lambda: copy_video(video, folder / "copy.mp4")),
            "annotate": frames_a_second(lambda: annotate(video, folder / "annotated.mp4", classifier)),
        }
        rates = in_turn(sides, rounds=runs)
    click.echo(describe())
    click.echo(f"{video.name}, {frames} frames, {classifier.plan.reason}, {runs} runs in turn")
    click.echo("frames/s, median (lowest to highest)")
    for side, values in rates.items():
        click.echo(f"{side:<24} {Spread.of(values):.1f}")
    click.echo(f"{'ratio':<24} {ratios(rates['annotate'], rates['decode and encode only']):.2f}")


def frames_a_second(work: Callable[[], int]) -> Callable[[], float]:
    """A side of a comparison: does ``work``, which returns its number of frames, and says how fast."""

    def run() -> float:
        started_s = time.perf_counter()
        frames = work()
        return frames / (time.perf_counter() - started_s)

    return run


def annotate(video: Path, target: Path, classifier: Classifier) -> int:
    """Annotate a video as the command does; returns the number of frames."""
    return annotate_video(video, target, classifier, overwrite=True).stats.frames


def copy_video(video: Path, target: Path) -> int:
    """The second pass over a video without its drawing: the same reader and writer with nothing between."""
    count = 0
    with (
        VideoReader(video) as reader,
        VideoWriter.like(reader, target, overwrite=True) as writer,
        ReadAhead(reader.decoded(), name="decode, copy") as frames,
    ):
        for frame in frames:
            planes = frame.i420(reader.info.colours)
            writer.write(frame.image if planes is None else planes, frame.pts_s)
            count += 1
    return count


if __name__ == "__main__":
    main()
