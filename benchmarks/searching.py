"""What a search for faces costs, by picture size and threads: ``python -m benchmarks.searching``.

Wall and processor time of one search of a frame of the sample clip: threads that wait for each other by
spinning show as processor time.
"""

from __future__ import annotations

import time

import click
import cv2

from benchmarks import SAMPLE_CLIP
from benchmarks.interleaved import Spread, in_turn
from benchmarks.machine import describe
from gclf_live.faces.detector import FaceDetector
from gclf_live.media.reader import VideoReader
from gclf_live.records import U8

_SIDES_PX = (320, 480, 640, 1280)
_REPEATS = 20


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(rounds: int) -> None:
    """Print milliseconds a search."""
    click.echo(describe())
    with VideoReader(SAMPLE_CLIP) as reader:
        image = next(iter(reader)).image
    click.echo(
        f"a frame of {SAMPLE_CLIP.name}, {image.shape[1]}x{image.shape[0]}; ms a search, median of {rounds} "
        f"(lowest to highest)\n{'longer side':>11} {'threads':>8} {'wall':>22} {'processor':>22}"
    )
    for side in _SIDES_PX:
        spent = {threads: _Spent(image, side, threads) for threads in (1, 2)}
        walls = in_turn({str(threads): each.run for threads, each in spent.items()}, rounds=rounds)
        for threads, each in spent.items():
            wall, processor = Spread.of(walls[str(threads)]), Spread.of(each.processor_ms)
            click.echo(f"{side:>8} px {threads:>8} {f'{wall:.1f}':>22} {f'{processor:.1f}':>22}")


class _Spent:
    """One kind of search, and the processor time of each of its runs."""

    def __init__(self, image: U8, side: int, threads: int) -> None:
        self._image, self._threads = image, threads
        self._detector = FaceDetector(max_side_px=side)
        self.processor_ms: list[float] = []

    def run(self) -> float:
        """Milliseconds a search, on the clock."""
        before = cv2.getNumThreads()
        cv2.setNumThreads(self._threads)
        try:
            self._detector.detect(self._image)
            wall_s, processor_s = time.perf_counter(), time.process_time()
            for _ in range(_REPEATS):
                self._detector.detect(self._image)
            self.processor_ms.append(1000 * (time.process_time() - processor_s) / _REPEATS)
            return 1000 * (time.perf_counter() - wall_s) / _REPEATS
        finally:
            cv2.setNumThreads(before)


if __name__ == "__main__":
    main()
