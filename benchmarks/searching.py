"""What a search for faces costs, by picture size and threads: ``python -m benchmarks.searching``.

Wall and processor time of one search of a frame of the sample clip: threads that wait for each other by
spinning show as processor time. Beside OpenCV's, where they are installed (``pip install '.[export]'``), the
same network in onnxruntime, which shows how much of it is the engine. It is not what ``gclf-live`` uses.
"""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable

import click
import cv2
import numpy as np

from benchmarks import SAMPLE_CLIP
from benchmarks.interleaved import Spread, in_turn
from benchmarks.machine import describe
from gclf_live.assets import DETECTOR, read_asset
from gclf_live.faces.detector import FaceDetector
from gclf_live.media.reader import VideoReader
from gclf_live.records import U8

_SIDES_PX = (320, 480, 640, 1280)
_THREADS = (1, 2)
_REPEATS = 20
_STEP_PX = 32
"""The network wants pictures whose sides are multiples of this; OpenCV pads them."""


@click.command()
@click.option("--rounds", type=click.IntRange(min=1), default=5, show_default=True)
def main(rounds: int) -> None:
    """Print milliseconds a search."""
    click.echo(describe())
    with VideoReader(SAMPLE_CLIP) as reader:
        image = next(iter(reader)).image
    click.echo(
        f"a frame of {SAMPLE_CLIP.name}, {image.shape[1]}x{image.shape[0]}; ms a search, median of {rounds} "
        f"(lowest to highest)\n{'longer side':>11} {'threads':>8} {'engine':>12} {'wall':>22} "
        f"{'processor':>22}"
    )
    for side in _SIDES_PX:
        spent = {(threads, "OpenCV"): _Spent(_by_opencv(image, side, threads)) for threads in _THREADS}
        if all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime")):
            for threads in _THREADS:
                spent[threads, "onnxruntime"] = _Spent(_by_onnxruntime(image, side, threads))
        walls = in_turn({str(key): each.run for key, each in spent.items()}, rounds=rounds)
        for key, each in spent.items():
            wall, processor = Spread.of(walls[str(key)]), Spread.of(each.processor_ms)
            threads, engine = key
            click.echo(f"{side:>8} px {threads:>8} {engine:>12} {f'{wall:.1f}':>22} {f'{processor:.1f}':>22}")


class _Spent:
    """One kind of search, and the processor time of each of its runs."""

    def __init__(self, search: Callable[[], object]) -> None:
        self._search = search
        self.processor_ms: list[float] = []

    def run(self) -> float:
        """Milliseconds a search, on the clock."""
        self._search()
        wall_s, processor_s = time.perf_counter(), time.process_time()
        for _ in range(_REPEATS):
            self._search()
        self.processor_ms.append(1000 * (time.process_time() - processor_s) / _REPEATS)
        return 1000 * (time.perf_counter() - wall_s) / _REPEATS


def _by_opencv(image: U8, side: int, threads: int) -> Callable[[], object]:
    """The search of ``gclf-live``: reduced picture, network, and what it says made into faces."""
    detector = FaceDetector(max_side_px=side)

    def search() -> None:
        before = cv2.getNumThreads()
        cv2.setNumThreads(threads)
        try:
            detector.detect(image)
        finally:
            cv2.setNumThreads(before)

    return search


def _by_onnxruntime(image: U8, side: int, threads: int) -> Callable[[], object]:
    """The network alone, on a picture of the size that OpenCV gives it."""
    import onnx
    import onnxruntime  # type: ignore[import-untyped]

    model = onnx.load_from_string(bytes(read_asset(DETECTOR)))
    height, width = (_padded(round(length * side / max(image.shape))) for length in image.shape[:2])
    # The file states one size for what goes in and all that comes of it; the network itself has none.
    for axis, length in ((2, height), (3, width)):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = length
    for output in model.graph.output:
        output.type.tensor_type.ClearField("shape")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 4  # it would tell of each shape that is not the stated one
    session = onnxruntime.InferenceSession(model.SerializeToString(), options)
    seen = cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA).transpose(2, 0, 1)
    fed = {session.get_inputs()[0].name: np.ascontiguousarray(seen[None], np.float32)}
    return lambda: session.run(None, fed)


def _padded(length_px: int) -> int:
    return -(-length_px // _STEP_PX) * _STEP_PX


if __name__ == "__main__":
    main()
