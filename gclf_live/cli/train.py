"""``gclf-live train``: build a checkpoint from labelled folders."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gclf_live.cli.options import json_option, print_json, say

if TYPE_CHECKING:
    from gclf_live.model.device import ComputePlan
    from gclf_train.config import Recipe
    from gclf_train.material import Material
    from gclf_train.options import TrainOptions
    from gclf_train.processes import Processes
    from gclf_train.results import TrainResult


_LUCK = 0.05
"""By how much a balanced accuracy may be above that of guessing without saying anything."""


@click.command()
@click.argument("data", type=click.Path(path_type=Path), metavar="DATA")
@click.option(
    "--recipe",
    default="readme",
    show_default=True,
    metavar="NAME",
    help="readme: the original notebook's, on whole pictures; live: the shipped weights', on face crops; "
    "or a .toml file.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Folder of the run. Default: runs/RECIPE.",
)
@click.option("--epochs", type=click.IntRange(1), metavar="N", help="Epochs at most. readme: 30.")
@click.option(
    "--patience",
    type=click.IntRange(1),
    metavar="N",
    help="Epochs without a better validation result until the run stops. readme: 5.",
)
@click.option("--batch-size", type=click.IntRange(2), metavar="N", help="Pictures a step. readme: 64.")
@click.option(
    "--lr", type=click.FloatRange(0, min_open=True), metavar="LR", help="Learning rate. readme: 0.001."
)
@click.option(
    "--image-size",
    type=click.IntRange(32, 512),
    metavar="PX",
    help="Side of the network's input. readme: 224.",
)
@click.option(
    "--arch",
    "architecture",
    metavar="NAME",
    help="resnet18 (default), resnet34, resnet50, efficientnet_b0 or another that gclf-live knows.",
)
@click.option("--seed", type=click.IntRange(0), metavar="N", help="Same seed, data and options: same curve.")
@click.option(
    "--pretrained",
    is_flag=True,
    default=None,
    help="Start from ImageNet weights, fetched once by torchvision.",
)
@click.option(
    "--teacher",
    type=click.Path(path_type=Path),
    metavar="TABLE.npz",
    help="Learn from a larger model's answers too (recipe live).",
)
@click.option(
    "--balance",
    type=click.Path(path_type=Path),
    metavar="classes|TABLE.csv",
    help="Let every class count the same, however many pictures it has; with a table that has the columns "
    "file and group, within each group.",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    metavar="FILE|shipped",
    help="Start from a checkpoint's weights: fine-tune it. shipped: the one that comes with gclf-live.",
)
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--overwrite", is_flag=True, help="Start again in an output folder that holds a run.")
@click.option(
    "--pth",
    is_flag=True,
    help="Write resnet18_gender_classification.pth as well (ARCH_gender_classification.pth): a plain "
    "float32 state dict, without the class names and the crop.",
)
@click.option(
    "--cache",
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Where recipe live keeps the faces it found, for later runs. Default: the run's folder/crops.",
)
@click.option(
    "--terms", default="", metavar="TEXT", help="What the pictures may be used for; kept in the checkpoint."
)
@click.option(
    "--device",
    default="auto",
    show_default=True,
    metavar="auto|cpu|cuda[:N]",
    help="Where to train. What was chosen is said on standard error.",
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "fp16", "bf16", "fp32"]),
    default="auto",
    show_default=True,
    help="Number format while it learns. auto: the half precision that the device has, else fp32.",
)
@json_option
def train(
    data: Path,
    recipe: str,
    output: Path | None,
    as_json: bool,
    device: str,
    precision: str,
    **options: Any,
) -> None:
    """Train a classifier on DATA/train/CLASS and DATA/val/CLASS.

    The class names are the folders' names; any two or more will do. The run's folder gets the
    checkpoint, metrics.csv, pictures of the curves and of the confusion matrix, and last.pt, from which
    --resume goes on after a kill. Ctrl-C and SIGTERM save it at the end of a step.

    Several processes, one for each GPU: torchrun --nproc-per-node N -m gclf_live train DATA ...
    """
    from gclf_train.config import load_recipe
    from gclf_train.processes import joined_processes

    names = ("epochs", "patience", "batch_size", "lr", "image_size", "architecture", "seed", "pretrained")
    with joined_processes() as processes:
        loaded = load_recipe(recipe, **{name: options.pop(name) for name in names})
        plan = _plan(device, precision, processes)
        if processes.first:
            several = f"; {processes.world} processes" if processes.world > 1 else ""
            say(plan.reason + several)
        result = _train(
            loaded, _run_options(data, output or Path("runs") / loaded.name, **options), plan, processes
        )
        if processes.first and as_json:
            print_json(_document(result))
        elif processes.first:
            click.echo(_summary(result))
        if processes.first and (line := _no_better_than_guessing(result)):
            say(line)


def _run_options(
    data: Path, out_dir: Path, *, cache: Path | None, init: Path | None, **options: Any
) -> TrainOptions:
    from gclf_live.model.checkpoint import default_weights_path
    from gclf_train.options import TrainOptions

    return TrainOptions(
        root=data,
        out_dir=out_dir,
        cache_dir=cache or out_dir / "crops",
        init=default_weights_path() if init == Path("shipped") else init,
        **options,
    )


def _plan(device: str, precision: str, processes: Processes) -> ComputePlan:
    """Where this process computes: of several on a machine, each has the CUDA device of its number."""
    import torch

    from gclf_live.errors import UsageError
    from gclf_live.model.device import Precision, choose_plan

    asked = None if precision == "auto" else Precision(precision)
    count = torch.cuda.device_count()
    if processes.world == 1 or device == "cpu" or (device == "auto" and count == 0):
        return choose_plan(device, asked)
    if device not in ("auto", "cuda"):
        raise UsageError(
            f"--device {device} and {processes.world} processes: each takes a CUDA device of its own; "
            "give --device cuda, or cpu"
        )
    if processes.local_world > count:
        raise UsageError(
            f"{processes.local_world} processes and {count} CUDA device(s) on this machine; give torchrun "
            f"--nproc-per-node {max(count, 1)}, or --device cpu"
        )
    plan = choose_plan(f"cuda:{processes.local_rank}", asked)
    torch.cuda.set_device(plan.device)
    return plan


def _train(recipe: Recipe, options: TrainOptions, plan: ComputePlan, processes: Processes) -> TrainResult:
    """Train; what is asked of a run under way by Ctrl-C or SIGTERM is done at the end of a step."""
    from gclf_live.cli.stopping import StopRequest
    from gclf_live.cli.train_display import TrainDisplay
    from gclf_train.build import train as build
    from gclf_train.options import TrainHooks
    from gclf_train.reports import RunStopped

    with contextlib.ExitStack() as stack:
        stop = StopRequest(insist=processes.world == 1)

        def on_ready(material: Material) -> None:
            stack.enter_context(stop)
            if processes.first:
                display.on_ready(material)

        if not processes.first:
            hooks = TrainHooks(on_ready=on_ready, stop=stop)
        else:
            display = stack.enter_context(contextlib.closing(TrainDisplay(epochs=recipe.epochs)))
            hooks = TrainHooks(
                on_data=display.on_data,
                on_ready=on_ready,
                on_step=display.on_step,
                on_epoch=display.on_epoch,
                stop=stop,
            )
        try:
            return build(recipe, options, plan, hooks, processes=processes)
        except RunStopped as stopped:
            stop.pass_on(f"{stopped}; the same command line with --resume goes on from there")


def _summary(result: TrainResult) -> str:
    scores = result.scores
    recall = ", ".join(f"{n} {100 * r:.2f} %" for n, r in zip(result.classes, scores.recall, strict=True))
    files = str(result.checkpoint) + (f" and {result.pth}" if result.pth else "")
    return (
        f"{files}: validation accuracy {100 * scores.accuracy:.2f} %, "
        f"balanced {100 * scores.balanced_accuracy:.2f} % ({recall}), calibration error {result.ece:.3f}"
    )


def _no_better_than_guessing(result: TrainResult) -> str | None:
    """A line where the labels of the validation pictures might as well have been drawn; else None."""
    classes = len(result.classes)
    if result.scores.balanced_accuracy > 1 / classes + _LUCK:
        return None
    return (
        f"that is no better than guessing among {classes} classes. Look whether the folders hold what their "
        "names say and each picture shows one face; a lower --lr, more pictures or more epochs may help too"
    )


def _document(result: TrainResult) -> dict[str, Any]:
    scores = result.scores
    return {
        "checkpoint": str(result.checkpoint),
        "pth": str(result.pth) if result.pth else None,
        "accuracy": round(scores.accuracy, 4),
        "balanced_accuracy": round(scores.balanced_accuracy, 4),
        "recall": {n: round(r, 4) for n, r in zip(result.classes, scores.recall, strict=True)},
        "confusion": scores.confusion.tolist(),
        "ece": round(result.ece, 4),
    }
