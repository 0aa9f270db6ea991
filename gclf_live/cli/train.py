"""``gclf-live train``: build a checkpoint from labelled folders."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gclf_live.cli.options import json_option, print_json, say

if TYPE_CHECKING:
    from collections.abc import Callable

    from gclf_train.build import TrainResult
    from gclf_train.data import Dataset
    from gclf_train.loop import StepReport
    from gclf_train.teacher import TeacherTargets


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
    help="Where to train; half precision where the device has it.",
)
@json_option
def train(data: Path, recipe: str, output: Path | None, as_json: bool, device: str, **options: Any) -> None:
    """Train a classifier on DATA/train/CLASS and DATA/val/CLASS.

    The class names are the folders' names; any two or more will do. The run's folder gets the
    checkpoint, metrics.csv, pictures of the curves and of the confusion matrix, and last.pt, from which
    --resume goes on after a kill.
    """
    from gclf_live.model.checkpoint import default_weights_path
    from gclf_live.model.device import choose_plan
    from gclf_train.build import TrainHooks, TrainOptions
    from gclf_train.build import train as build
    from gclf_train.config import load_recipe

    names = ("epochs", "patience", "batch_size", "lr", "image_size", "architecture", "seed", "pretrained")
    loaded = load_recipe(recipe, **{name: options[name] for name in names})
    plan = choose_plan(device)
    say(plan.reason)
    out_dir = output or Path("runs") / loaded.name
    init = default_weights_path() if options["init"] == Path("shipped") else options["init"]
    with contextlib.closing(_Display(epochs=loaded.epochs)) as display:
        result = build(
            loaded,
            TrainOptions(
                root=data,
                out_dir=out_dir,
                cache_dir=options["cache"] or out_dir / "crops",
                teacher=options["teacher"],
                init=init,
                resume=options["resume"],
                overwrite=options["overwrite"],
                pth=options["pth"],
                terms=options["terms"],
            ),
            plan,
            TrainHooks(
                on_data=display.on_data,
                on_ready=display.on_ready,
                on_step=display.on_step,
                on_epoch=display.on_epoch,
            ),
        )
    if as_json:
        print_json(_document(result))
    else:
        click.echo(_summary(result))


class _Display:
    """Shows how far a run is: a bar on a terminal, a line an epoch everywhere."""

    def __init__(self, *, epochs: int) -> None:
        self._epochs = epochs
        self._bar = contextlib.ExitStack()
        self._what = ""
        self._advance: Callable[[int, int], None] = lambda done, total: None

    def on_data(self, what: str, done: int, total: int) -> None:
        """Faces found or pictures checked; ``what`` says which."""
        self._show(what, "pictures", done, total)

    def on_ready(self, dataset: Dataset, teacher: TeacherTargets | None) -> None:
        """What the run will train on, and what it leaves out."""
        self.close()
        for split, counts in dataset.counts().items():
            say(f"{split}: " + ", ".join(f"{count:,} {name}" for name, count in counts.items()))
        if dataset.ignored:
            say(f"ignored: {_some(dataset.ignored)}")
        if dataset.left_out:
            say(f"left out, damaged or without a face: {_some(dataset.left_out)}; see left_out.txt")
        if teacher is not None:
            dropped = int((~teacher.keep).sum())
            say(f"teacher: knows {teacher.known:,} pictures; {dropped:,} left out whose label it contradicts")

    def on_step(self, report: StepReport) -> None:
        """One optimiser step; the bar's time left is that of the whole run."""
        self._show(f"epoch {report.epoch + 1} of {self._epochs}", "steps", report.done, report.total)

    def on_epoch(self, row: dict[str, Any]) -> None:
        """One epoch's results."""
        self.close()
        say(
            f"epoch {row['epoch']} of {self._epochs}: training loss {row['train_loss']:.4f}, "
            f"validation loss {row['val_loss']:.4f}, accuracy {100 * row['val_accuracy']:.2f} %, "
            f"balanced {100 * row['val_balanced_accuracy']:.2f} %, {row['seconds']:.0f} s"
        )

    def close(self) -> None:
        """Take the bar away."""
        self._bar.close()
        self._what = ""

    def _show(self, what: str, unit: str, done: int, total: int) -> None:
        from gclf_live.output.progress import progress_bar

        if what != self._what:
            self.close()
            self._what = what
            self._advance = self._bar.enter_context(progress_bar(what, total, unit=unit))
        self._advance(done, total)


def _some(names: tuple[str, ...], most: int = 5) -> str:
    """The first names and how many more there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def _summary(result: TrainResult) -> str:
    scores = result.scores
    recall = ", ".join(f"{n} {100 * r:.2f} %" for n, r in zip(result.classes, scores.recall, strict=True))
    files = str(result.checkpoint) + (f" and {result.pth}" if result.pth else "")
    return (
        f"{files}: validation accuracy {100 * scores.accuracy:.2f} %, "
        f"balanced {100 * scores.balanced_accuracy:.2f} % ({recall}), calibration error {result.ece:.3f}"
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
