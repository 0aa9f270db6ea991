"""How full the device is: ``python -m benchmarks.gpu [--device cuda] [--size 112] [--largest 512]``.

First the classifier alone, by input size and batch, step by step and as a CUDA graph: crops a second, and the
share of the roofline (Williams, Waterman, Patterson 2009): the time that the layers would take if each ran at
the speed of a large matrix product or of a large copy, whichever is slower, both measured here. Then the live
path for faces of one frame: everything from the frame in the processor's memory to the table of results.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click
import numpy as np
import torch
from torch import Tensor, nn

from benchmarks.machine import describe
from gclf_live.faces.quality import SENSOR_VARIANCE, SHARPNESS_SIDE_PX
from gclf_live.model.checkpoint import default_weights_path, load_checkpoint
from gclf_live.model.classifier import Classifier
from gclf_live.model.device import ComputePlan, choose_plan
from gclf_live.model.frame_classifier import FrameClassifier
from gclf_live.model.graphs import GraphedFunction

_SIZES_PX = (112, 128, 224)
_FACES = (1, 6, 20, 32)


@dataclass(frozen=True, slots=True)
class Limits:
    """What the device reaches at best.

    Attributes:
        operations_s: floating-point operations a second of a large matrix product.
        bytes_s: bytes read and written a second of a large copy.
    """

    operations_s: float
    bytes_s: float


@click.command()
@click.option("--device", default="auto", show_default=True)
@click.option(
    "--size", "sizes", multiple=True, type=click.IntRange(32, 512), default=_SIZES_PX, show_default=True
)
@click.option("--largest", type=click.IntRange(min=1), default=512, show_default=True, help="Batch.")
@click.option("--rounds", type=click.IntRange(min=1), default=20, show_default=True)
def main(device: str, sizes: tuple[int, ...], largest: int, rounds: int) -> None:
    """Print both tables."""
    plan = choose_plan(device)
    click.echo(f"{describe()}\n{plan.reason}")
    limits = _measure_limits(plan, rounds)
    click.echo(
        f"a large matrix product: {limits.operations_s / 1e12:.1f} TFLOP/s; "
        f"a large copy: {limits.bytes_s / 1e9:.0f} GB/s\n"
    )
    click.echo(f"{'input':>6} {'batch':>6} {'way':>6} {'ms':>9} {'crops/s':>10} {'of the roofline':>16}")
    for size in sizes:
        _throughput(plan, limits, size, largest, rounds)
    click.echo(f"\n{'frame':>10} {'faces':>6} {'way':>6} {'p50 ms':>9} {'p95 ms':>9}")
    for height, width in ((720, 1280), (1080, 1920)):
        _whole_frames(plan, height, width, rounds)


def _throughput(plan: ComputePlan, limits: Limits, size: int, largest: int, rounds: int) -> None:
    """The classifier alone, at one input size."""
    checkpoint = load_checkpoint(default_weights_path())
    crop = replace(checkpoint.meta.crop, size_px=size)
    classifier = Classifier(replace(checkpoint, meta=replace(checkpoint.meta, crop=crop)), plan)
    batch = 1
    while batch <= largest:
        crops = torch.zeros((batch, size, size, 3), dtype=torch.uint8, device=plan.device)
        with torch.inference_mode():
            ideal_s = _roofline_s(classifier, crops, limits)
            ways: dict[str, Callable[[Tensor], Tensor]] = {"steps": classifier.log_probabilities_on_device}
            if plan.device.type == "cuda":
                graph = GraphedFunction(classifier.log_probabilities_on_device, crops)
                ways["graph"] = graph
                if graph.unusable:
                    click.echo(f"no graph for {batch} crops of {size} px: {graph.unusable}", err=True)
                    del ways["graph"]
            for name, way in ways.items():
                took_s = statistics.median(_times(partial(way, crops), plan, rounds))
                click.echo(
                    f"{size:>6} {batch:>6} {name:>6} {1000 * took_s:>9.3f} {batch / took_s:>10,.0f} "
                    f"{100 * ideal_s / took_s:>14.0f} %"
                )
        batch *= 2


def _whole_frames(plan: ComputePlan, height: int, width: int, rounds: int) -> None:
    """The live path for the faces of one frame."""
    classifier = Classifier(load_checkpoint(default_weights_path()), plan)
    image = np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8)
    for graphs in (False, True) if plan.device.type == "cuda" else (False,):
        frames = FrameClassifier(
            classifier,
            sharpness_side_px=SHARPNESS_SIDE_PX,
            sensor_variance=SENSOR_VARIANCE,
            say=lambda line: click.echo(line, err=True),
            graphs=graphs,
        )
        frames.prepare(height, width)
        for count in _FACES:
            shifts = [[[0.6, 0, -20.0 * i], [0, 0.6, -10.0 * i]] for i in range(count)]
            matrices = np.array(shifts, np.float32)
            times = [_timed(partial(frames.read, image, matrices)) for _ in range(5 * rounds)]
            p50_ms, p95_ms = (1000 * float(np.percentile(times, percent)) for percent in (50, 95))
            way = "graph" if graphs else "steps"
            click.echo(f"{width:>5}x{height:<4} {count:>6} {way:>6} {p50_ms:>9.2f} {p95_ms:>9.2f}")


def _measure_limits(plan: ComputePlan, rounds: int) -> Limits:
    side = 8192 if plan.device.type == "cuda" else 1024
    left = torch.ones((side, side), dtype=plan.dtype, device=plan.device)
    product_s = min(_times(lambda: left @ left, plan, rounds))
    source = torch.zeros(
        2**28 if plan.device.type == "cuda" else 2**26, dtype=torch.uint8, device=plan.device
    )
    target = torch.empty_like(source)
    copy_s = min(_times(lambda: target.copy_(source), plan, rounds))
    return Limits(2 * side**3 / product_s, 2 * source.numel() / copy_s)


def _roofline_s(classifier: Classifier, crops: Tensor, limits: Limits) -> float:
    """Seconds that the convolutions and the last layer take at least, each read and written once."""
    total_s = 0.0

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        nonlocal total_s
        weight = module.weight
        assert isinstance(weight, Tensor)
        # Every value of the output takes as many products and sums as one output channel has weights.
        operations = 2 * output.numel() * weight[0].numel()
        moved = sum(t.numel() * t.element_size() for t in (inputs[0], weight, output))
        total_s += max(operations / limits.operations_s, moved / limits.bytes_s)

    layers = [m for m in classifier.network.modules() if isinstance(m, nn.Conv2d | nn.Linear)]
    hooks = [layer.register_forward_hook(note) for layer in layers]
    classifier.log_probabilities_on_device(crops)
    for hook in hooks:
        hook.remove()
    return total_s


def _times(work: Callable[[], object], plan: ComputePlan, rounds: int) -> list[float]:
    """Seconds of each run; on CUDA by the device's own clock."""
    for _ in range(3):
        work()
    if plan.device.type != "cuda":
        return [_timed(work) for _ in range(rounds)]
    found: list[float] = []
    for _ in range(rounds):
        begin = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        end = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]
        begin.record()
        work()
        end.record()
        end.synchronize()
        found.append(begin.elapsed_time(end) / 1000)
    return found


def _timed(work: Callable[[], object]) -> float:
    began_s = time.perf_counter()
    work()
    return time.perf_counter() - began_s


if __name__ == "__main__":
    main()
