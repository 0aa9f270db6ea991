"""From a dataset folder to a checkpoint: what ``gclf-live train`` runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
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
from gclf_train.config import IMAGENET_MEAN, IMAGENET_STD, Pictures, Recipe
from gclf_train.data import Dataset, load_dataset
from gclf_train.folders import split_folder
from gclf_train.loop import Trainer
from gclf_train.metrics import score
from gclf_train.processes import Processes
from gclf_train.reports import StepReport
from gclf_train.results import CHECKPOINT_NAME, TrainResult, write_metrics, write_result
from gclf_train.start import file_sha256, starting_network
from gclf_train.state import STATE_NAME
from gclf_train.stepper import Precision
from gclf_train.teacher import TeacherTargets, read_teacher


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Where a run reads and writes.

    Attributes:
        root: the dataset folder.
        out_dir: the run's folder.
        cache_dir: where face crops are kept between runs.
        teacher: a teacher's table, or None.
        init: a checkpoint to start from instead of random or ImageNet weights, or None.
        resume: go on with the run in ``out_dir``.
        overwrite: start again in an ``out_dir`` that holds a run.
        pth: write the plain state dict as well, as ``ARCHITECTURE_gender_classification.pth``.
        terms: what the data may be used for, in words, stored in the checkpoint.
    """

    root: Path
    out_dir: Path
    cache_dir: Path
    teacher: Path | None = None
    init: Path | None = None
    resume: bool = False
    overwrite: bool = False
    pth: bool = False
    terms: str = ""


@dataclass(frozen=True, slots=True)
class TrainHooks:
    """What a display wants to know. ``on_data`` gets what is being done, pictures done, and in all.

    ``stop`` is asked after every step whether the run is to be saved and to end.
    """

    on_data: Callable[[str, int, int], None] = lambda what, done, total: None
    on_ready: Callable[[Dataset, TeacherTargets | None], None] = lambda dataset, teacher: None
    on_step: Callable[[StepReport], None] = lambda report: None
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None
    stop: Callable[[], bool] = lambda: False


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
    dataset = load_dataset(
        options.root,
        recipe,
        cache_dir=options.cache_dir,
        device=plan.device,
        processes=processes,
        progress=hooks.on_data,
    )
    if processes.first:
        with whole_file(options.out_dir / "left_out.txt", overwrite=True) as part:
            lines = "".join(f"{file}\n" for file in dataset.left_out)
            part.write_text(lines, encoding="utf-8", errors="surrogateescape")
    teacher = _teacher(recipe, options, dataset)
    hooks.on_ready(dataset, teacher)
    trainer = _make_trainer(recipe, options, plan, dataset, teacher, hooks, processes)
    if options.resume:
        trainer.resume()
    best = trainer.run()
    return _finish(trainer, best, options, dataset, teacher)


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
        if options.overwrite:
            last.unlink(missing_ok=True)
        remove_leftovers(options.out_dir)
        probe = options.out_dir / ".gclf-probe"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise OutputError(
            f"cannot write to {str(options.out_dir)!r}: {error.strerror}. Choose another folder with -o"
        ) from error


def _teacher(recipe: Recipe, options: TrainOptions, dataset: Dataset) -> TeacherTargets | None:
    if options.teacher is None:
        return None
    return read_teacher(
        options.teacher,
        files=dataset.train_files,
        targets=dataset.train.targets,
        classes=dataset.classes,
        mix=recipe.teacher,
    )


def _make_trainer(
    recipe: Recipe,
    options: TrainOptions,
    plan: ComputePlan,
    dataset: Dataset,
    teacher: TeacherTargets | None,
    hooks: TrainHooks,
    processes: Processes,
) -> Trainer:
    network, origin = processes.after_first(
        lambda: starting_network(recipe, dataset.classes, init=options.init)
    )
    taught = teacher.sha256 if teacher else ""
    parts = recipe.sha256() + dataset.sha256 + origin + taught

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
        asked=asked_for(recipe, _files_asked_for(dataset, init=origin, teacher=taught)),
        teacher=teacher,
        processes=processes,
        stop=hooks.stop,
        on_step=hooks.on_step,
        on_epoch=note_epoch,
    )
    return trainer


def _files_asked_for(dataset: Dataset, *, init: str, teacher: str) -> dict[str, str]:
    """What a run reads besides its recipe, by hashes that are short enough to be told."""
    count = len(dataset.train.targets) + len(dataset.val.targets)
    names = hashlib.sha256("\n".join(dataset.train_files).encode(errors="surrogateescape")).hexdigest()
    return {
        "other pictures": f"{count:,} ({names[:8]})",
        "--init": f"weights {init[:8]}" if init else "none",
        "--teacher": f"table {teacher[:8]}" if teacher else "none",
    }


def _finish(
    trainer: Trainer,
    best: dict[str, Tensor],
    options: TrainOptions,
    dataset: Dataset,
    teacher: TeacherTargets | None,
) -> TrainResult:
    """Score and calibrate the best weights and write everything that a run leaves."""
    recipe, out_dir = trainer.recipe, options.out_dir
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
        data={
            "counts": dataset.counts(),
            "left_out": len(dataset.left_out),
            "terms": options.terms,
            "teacher": _teacher_facts(options, teacher),
            "init": {"file": options.init.name, "sha256": file_sha256(options.init)}
            if options.init
            else None,
        },
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


def _teacher_facts(options: TrainOptions, teacher: TeacherTargets | None) -> dict[str, Any] | None:
    if options.teacher is None or teacher is None:
        return None
    dropped = int((~teacher.keep).sum())
    return {
        "file": options.teacher.name,
        "sha256": teacher.sha256,
        "known": teacher.known,
        "contradicted_labels": dropped,
    }
