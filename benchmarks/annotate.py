"""How fast a video is annotated: whole runs of ``annotate_video`` beside decoding and encoding alone.

python -m benchmarks.annotate [VIDEO] [--runs 5]
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path

import click

from benchmarks import SAMPLE_CLIP
from benchmarks.machine import describe
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
    copying, annotating = [], []
    frames = 0
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(runs):
            started_s = time.perf_counter()
            frames = _copy(video, Path(folder) / "copy.mp4")
            copying.append(frames / (time.perf_counter() - started_s))
            started_s = time.perf_counter()
            annotate_video(video, Path(folder) / "annotated.mp4", classifier, overwrite=True)
            annotating.append(frames / (time.perf_counter() - started_s))
    ratios = [a / c for a, c in zip(annotating, copying, strict=True)]
    click.echo(describe())
    click.echo(f"{video.name}, {frames} frames, {classifier.plan.reason}, {runs} runs in turn")
    click.echo("                       median    min    max   frames/s")
    click.echo(_row("decode and encode only", copying))
    click.echo(_row("annotate", annotating))
    click.echo(
        f"ratio                  {statistics.median(ratios):6.2f} {min(ratios):6.2f} {max(ratios):6.2f}"
    )


def _copy(video: Path, target: Path) -> int:
    """The same reader and writer with nothing between."""
    count = 0
    with VideoReader(video) as reader, VideoWriter.like(reader, target, overwrite=True) as writer:
        for frame in reader:
            writer.write(frame.image, frame.pts_s)
            count += 1
    return count


def _row(name: str, values: list[float]) -> str:
    return f"{name:<22} {statistics.median(values):6.1f} {min(values):6.1f} {max(values):6.1f}"


if __name__ == "__main__":
    main()
