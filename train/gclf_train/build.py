"""From a dataset folder to a checkpoint: what ``gclf-live train`` runs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from scipy.special import softmax
from torch import Tensor

from gclf_live.errors import CheckpointError, DatasetError, OutputError, UsageError
from gclf_live.model.calibration import error_table, expected_calibration_error, fit_temperature
from gclf_live.model.checkpoint import Checkpoint, load_checkpoint
from gclf_live.model.device import ComputePlan
from gclf_live.model.meta import CheckpointMeta
from gclf_live.whole_file import remove_leftovers, whole_file
from gclf_train.asked import asked_for
from gclf_train.augment import BatchAugmenter
from gclf_train.balance import CLASSES
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Pictures, Recipe
from gclf_train.folders import split_folder
from gclf_train.loop import Trainer
from gclf_train.material import Material, load_material
from gclf_train.metrics import score
from gclf_train.options import TrainHooks, TrainOptions
from gclf_train.processes import Processes
from gclf_train.results import CHECKPOINT_NAME, TrainResult, write_metrics, write_result
from gclf_train.start import starting_network
from gclf_train.state import STATE_NAME
from gclf_train.stepper import Precision


def train(
    recipe: Recipe,
    options: TrainOptions,
    plan: ComputePlan,
    hooks: TrainHooks | None = None,
    *,
    processes: Processes = Processes(),  # noqa: B008 - frozen
) -> TrainResult:
    """Train by ``recipe`` and write the run's folder: checkpoint, ``metrics.csv``, plots, ``left_out.txt``.

    Each of ``processes`` calls this with the same arguments, but for the plan's device; the first one writes.

    Raises:
        RunStopped: ``hooks.stop`` said so; the state is saved.
        DatasetError: the dataset or the teacher's table cannot be used.
        OutputError: the run's folder cannot be written or holds another run.
        CheckpointError, UsageError: there is nothing, or something else, to resume or to start from.
        GclfError: the training has diverged, or ImageNet's weights cannot be fetched.
    """
    hooks = hooks or TrainHooks()
    _check_options(recipe, options)
    processes.from_first(lambda: _prepare_folder(options))
    material = load_material(recipe, options, plan.device, hooks, processes=processes)
    hooks.on_ready(material)
    trainer = _make_trainer(recipe, options, plan, material, hooks, processes)
    if options.resume:
        trainer.resume()
    # Only now: what is refused until here leaves the run that is in the folder as it was.
    processes.from_first(lambda: _begin(options, material.dataset.left_out))
    best = trainer.run()
    return _finish(trainer, best, options, material)


def _check_options(recipe: Recipe, options: TrainOptions) -> None:
    """Refuse at once what would otherwise show only after the pictures have been read."""
    if options.resume and options.overwrite:
        raise UsageError("--resume goes on with a run and --overwrite starts it again; give one of them")
    if options.teacher is not None and recipe.pictures is Pictures.WHOLE:
        raise UsageError(
            f"--teacher goes with a recipe for face crops, such as --recipe live; {recipe.name!r} shows "
            "the network whole pictures"
        )
    if options.init is not None and recipe.pretrained:
        raise UsageError("--init and --pretrained both say what to start from; give one of them")
    for split in ("train", "val"):
        split_folder(options.root, split)
    if options.init is not None and not options.resume:
        load_checkpoint(options.init)
    if options.teacher is not None and not options.teacher.is_file():
        raise DatasetError(f"cannot read the teacher {str(options.teacher)!r}: no such file")
    if options.balance not in (None, CLASSES) and not options.balance.is_file():
        raise DatasetError(f"cannot read the groups {str(options.balance)!r}: no such file")


def _prepare_folder(options: TrainOptions) -> None:
    """Make the run's folder, and refuse to write over a run that is in it."""
    last = options.out_dir / STATE_NAME
    if options.resume and not last.exists():
        raise CheckpointError(f"nothing to resume: {str(last)!r} is not there; start without --resume")
    held = last.exists() or (options.out_dir / CHECKPOINT_NAME).exists()
    if held and not (options.resume or options.overwrite):
        raise OutputError(
            f"{str(options.out_dir)!r} holds a run already. Add --resume to go on with it, "
            "--overwrite to start again, or choose another folder with -o"
        )
    try:
        options.out_dir.mkdir(parents=True, exist_ok=True)
        remove_leftovers(options.out_dir)
        probe = options.out_dir / ".gclf-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write to {str(options.out_dir)!r}: {error.strerror}. Choose another folder with -o"
        ) from error


def _begin(options: TrainOptions, left_out: Sequence[str]) -> None:
    """Let go of the run that is to be overwritten, and say which pictures this one is without."""
    if options.overwrite:
        (options.out_dir / STATE_NAME).unlink(missing_ok=True)
    with whole_file(options.out_dir / "left_out.txt", overwrite=True) as part:
        lines = "".join(f"{file}\n" for file in left_out)
        part.write_text(lines, encoding="utf-8", errors="surrogateescape")


def _make_trainer(
    recipe: Recipe,
    options: TrainOptions,
    plan: ComputePlan,
    material: Material,
    hooks: TrainHooks,
    processes: Processes,
) -> Trainer:
    dataset, teacher, balance = material.dataset, material.teacher, material.balance
    network, origin = processes.after_first(
        lambda: starting_network(recipe, dataset.classes, init=options.init)
    )
    parts = recipe.sha256() + dataset.sha256 + origin + material.tables_sha256()
    read = material.asked_for() | {"--init": f"weights {origin[:8]}" if origin else "none"}

    def note_epoch(row: dict[str, Any]) -> None:
        if processes.first:
            write_metrics(options.out_dir / "metrics.csv", trainer.state.history)
        hooks.on_epoch(row)

    trainer = Trainer(
        recipe,
        network,
        train=dataset.train,
        val=dataset.val,
        augmenter=BatchAugmenter(
            recipe.augmentation, zoom=dataset.zoom, mean=IMAGENET_MEAN, std=IMAGENET_STD
        ),
        precision=Precision(plan.device, plan.dtype),
        run_dir=options.out_dir,
        run_sha256=hashlib.sha256(parts.encode()).hexdigest(),
        asked=asked_for(recipe, read),
        teacher=teacher,
        weights=balance.weights if balance else None,
        processes=processes,
        stop=hooks.stop,
        on_step=hooks.on_step,
        on_epoch=note_epoch,
    )
    return trainer


def _finish(
    trainer: Trainer,
    best: dict[str, Tensor],
    options: TrainOptions,
    material: Material,
) -> TrainResult:
    """Score and calibrate the best weights and write everything that a run leaves."""
    recipe, dataset, out_dir = trainer.recipe, material.dataset, options.out_dir
    trainer.network.load_state_dict(best)
    logits = trainer.logits(dataset.val.source, recipe.final_size_px)
    scores = score(logits, torch.from_numpy(dataset.val.targets))
    values = logits.numpy().astype(np.float32)
    temperature = fit_temperature(values, dataset.val.targets)
    probabilities = softmax(values / temperature, axis=1).astype(np.float32)
    ece = expected_calibration_error(probabilities, dataset.val.targets)
    meta = CheckpointMeta(
        architecture=recipe.architecture,
        classes=dataset.classes,
        crop=recipe.crop,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        temperature=temperature,
        error_table=error_table(probabilities, dataset.val.targets),
        recipe=recipe.name,
        recipe_sha256=recipe.sha256(),
        data=material.facts(options),
        validation={
            "balanced_accuracy": round(scores.balanced_accuracy, 4),
            "accuracy": round(scores.accuracy, 4),
            "recall": {name: round(r, 4) for name, r in zip(dataset.classes, scores.recall, strict=True)},
            "ece": round(ece, 4),
            "epochs": len(trainer.state.history),
        },
    )
    pth = out_dir / f"{recipe.architecture}_gender_classification.pth" if options.pth else None
    result = TrainResult(out_dir / CHECKPOINT_NAME, pth, scores, ece, dataset.classes)
    if trainer.processes.first:
        write_result(result, Checkpoint(meta, best), trainer.state.history)
    return result
