"""How fast a video is measured without a copy: ``annotate --no-video``, in multiples of real time.

python -m benchmarks.measuring [--faces 6] [--size 720p]
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import click

from benchmarks.crowd import SIZES, Crowd, make_clips
from benchmarks.interleaved import Spread, in_turn
from benchmarks.machine import describe
from gclf_live.media.reader import VideoReader
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.first_pass import analyse_video


@click.command()
@click.option("--faces", multiple=True, type=click.IntRange(min=0), default=(6,), show_default=True)
@click.option("--size", "sizes", multiple=True, type=click.Choice(list(SIZES)), default=("720p",))
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
@click.option(
    "--seconds", type=click.FloatRange(min=1), default=20.0, show_default=True, help="Of each clip."
)
@click.option("--device", default="auto", show_default=True)
def main(faces: tuple[int, ...], sizes: tuple[str, ...], rounds: int, seconds: float, device: str) -> None:
    """Print the speed of measuring, and of decoding alone, as multiples of real time."""
    classifier = Classifier.load(device=device)
    classifier.warm_up((1, 8))
    click.echo(describe())
    crowds = [Crowd(number, seconds, *SIZES[size]) for size in sizes for number in faces]
    with tempfile.TemporaryDirectory() as folder:
        for crowd, clip in make_clips(Path(folder), crowds).items():
            sides = {
                "decode only": _times_real_time(lambda clip=clip: _decode(clip), seconds),  # type: ignore[misc]
                "measure": _times_real_time(
                    lambda clip=clip: _measure(clip, classifier),  # type: ignore[misc]
                    seconds,
                ),
            }
            click.echo(
                f"\n{crowd.width_px}x{crowd.height_px}, 30 frames/s, {seconds:g} s, {crowd.faces} faces; "
                f"{classifier.plan.reason}; {rounds} rounds"
            )
            click.echo("times real time, median (lowest to highest)")
            for name, values in in_turn(sides, rounds=rounds).items():
                click.echo(f"  {name:<14} {Spread.of(values):.1f}")


def _times_real_time(work: Callable[[], None], seconds: float) -> Callable[[], float]:
    def run() -> float:
        started_s = time.perf_counter()
        work()
        return seconds / (time.perf_counter() - started_s)

    return run


def _decode(clip: Path) -> None:
    with VideoReader(clip) as reader:
        for _ in reader.decoded():
            pass


def _measure(clip: Path, classifier: Classifier) -> None:
    with VideoReader(clip) as reader:
        analyse_video(reader, classifier)


if __name__ == "__main__":
    main()
