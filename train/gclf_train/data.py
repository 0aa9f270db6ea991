"""From a dataset folder to the two splits that a recipe trains and validates on."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from gclf_live.errors import DatasetError
from gclf_live.geometry import CropSpec
from gclf_live.records import I64
from gclf_train.config import Pictures, Recipe
from gclf_train.crops import CropSet, load_crops
from gclf_train.folders import LabelledFiles, read_split
from gclf_train.processes import Processes
from gclf_train.sources import PICTURE_ERRORS, FileSource, MemorySource, Split, read_square
from gclf_train.workers import in_processes

# Crops are cached with this much more around them than the network sees, so that shifts, turns and
# larger scales show real pixels.
_CONTEXT = 1.3

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Dataset:
    """Both splits, ready to train on.

    Attributes:
        classes: class names in the order of the network's outputs.
        train, val: pictures and class indices.
        train_files: paths of the training pictures below the dataset folder.
        zoom: side of the network's view relative to a stored picture's side.
        left_out: pictures that are damaged or, for face crops, show no face.
        ignored: files and folders in the dataset that are no pictures.
        sha256: hash of the files' names and the settings that decide what is stored of them.
    """

    classes: tuple[str, ...]
    train: Split
    val: Split
    train_files: tuple[str, ...]
    zoom: float
    sha256: str
    left_out: tuple[str, ...] = ()
    ignored: tuple[str, ...] = field(default=())

    def counts(self) -> dict[str, dict[str, int]]:
        """Pictures by split and class."""
        return {
            name: {c: int((split.targets == i).sum()) for i, c in enumerate(self.classes)}
            for name, split in (("train", self.train), ("val", self.val))
        }


def cache_spec(crop: CropSpec) -> CropSpec:
    """The larger crop that is kept in the cache for a network that sees ``crop``."""
    margin = min(round(crop.margin * _CONTEXT, 1), 4.0)  # 4 is what a CropSpec allows
    return CropSpec(8 * round(crop.size_px * margin / crop.margin / 8), margin, crop.alignment)


def load_dataset(
    root: Path,
    recipe: Recipe,
    *,
    cache_dir: Path,
    device: torch.device,
    workers: int | None = None,
    processes: Processes = Processes(),  # noqa: B008 - frozen
    progress: Progress = lambda what, done, total: None,
) -> Dataset:
    """Read ``root/{train,val}/CLASS/`` as ``recipe`` wants it.

    Args:
        root: the dataset folder.
        recipe: what is stored of a picture.
        cache_dir: where face crops are kept.
        device: where the pictures will be needed.
        workers: processes that look for faces or check pictures; by default one a core.
        processes: those that train together; the first one looks and checks for all.
        progress: called with what is being done, pictures done, and in all.

    Raises:
        DatasetError: folders are missing, empty or inconsistent, or nothing usable is left of a class.
    """
    train = read_split(root, "train")
    val = read_split(root, "val", classes=train.classes)
    workers = workers or len(os.sched_getaffinity(0))
    if recipe.pictures is Pictures.CROPS:
        return _crops(
            train,
            val,
            recipe,
            cache_dir=cache_dir,
            device=device,
            workers=workers,
            processes=processes,
            progress=progress,
        )
    return _whole(train, val, recipe, device=device, workers=workers, processes=processes, progress=progress)


def _crops(
    train: LabelledFiles,
    val: LabelledFiles,
    recipe: Recipe,
    *,
    cache_dir: Path,
    device: torch.device,
    workers: int,
    processes: Processes,
    progress: Progress,
) -> Dataset:
    """Face crops from the cache, which is filled first where it is not there yet."""
    spec = cache_spec(recipe.crop)
    splits: list[Split] = []
    files: list[tuple[str, ...]] = []
    left_out: list[str] = []
    for split in (train, val):

        def report(done: int, total: int, name: str = split.split) -> None:
            progress(f"finding faces: {name}", done, total)

        def load(split: LabelledFiles = split, report: Callable[[int, int], None] = report) -> CropSet:
            return load_crops(split, spec, cache_dir=cache_dir, workers=workers, progress=report)

        crops = processes.after_first(load)
        _require_all_classes(split, crops.targets)
        splits.append(Split(MemorySource(crops.crops[: len(crops)], device=device), crops.targets))
        files.append(crops.files)
        left_out += crops.missing
    return Dataset(
        classes=train.classes,
        train=splits[0],
        val=splits[1],
        train_files=files[0],
        zoom=recipe.margin / spec.margin,
        left_out=tuple(left_out),
        ignored=train.ignored + val.ignored,
        sha256=_sha256(files[0] + files[1], f"{spec}"),
    )


def _whole(
    train: LabelledFiles,
    val: LabelledFiles,
    recipe: Recipe,
    *,
    device: torch.device,
    workers: int,
    processes: Processes,
    progress: Progress,
) -> Dataset:
    """Whole pictures, each of them opened once beforehand so that a damaged one cannot end a long run."""
    size_px = recipe.final_size_px
    readers = max(1, workers // processes.local_world)
    if device.type == "cpu":  # which trains more slowly than four of them read
        readers = min(readers, 4)
    splits: list[Split] = []
    files: list[tuple[str, ...]] = []
    left_out: list[str] = []
    for split in (train, val):

        def check(split: LabelledFiles = split) -> list[bool]:
            return _readable(split, size_px, workers=workers, progress=progress)

        good = processes.from_first(check)
        kept = tuple(file for file, ok in zip(split.files, good, strict=True) if ok)
        targets = np.asarray(split.targets, np.int64)[np.array(good)]
        _require_all_classes(split, targets)
        source = FileSource(split.root, kept, size_px=size_px, workers=readers)
        splits.append(Split(source, targets))
        files.append(kept)
        left_out += [file for file, ok in zip(split.files, good, strict=True) if not ok]
    return Dataset(
        classes=train.classes,
        train=splits[0],
        val=splits[1],
        train_files=files[0],
        zoom=1.0,
        left_out=tuple(left_out),
        ignored=train.ignored + val.ignored,
        sha256=_sha256(files[0] + files[1], f"whole {size_px}"),
    )


def _readable(split: LabelledFiles, size_px: int, *, workers: int, progress: Progress) -> list[bool]:
    """Whether each picture decodes to its last row."""
    jobs = [(split.root / file, size_px) for file in split.files]
    if len(jobs) < 200:  # starting processes takes longer than reading so few pictures
        return [_decodes(job) for job in jobs]
    good = []
    for ok in in_processes(_decodes, jobs, workers=workers, chunk=32):
        good.append(ok)
        progress(f"checking pictures: {split.split}", len(good), len(jobs))
    return good


def _decodes(job: tuple[Path, int]) -> bool:
    path, size_px = job
    try:
        read_square(path, size_px)
    except PICTURE_ERRORS:
        return False
    return True


def _require_all_classes(split: LabelledFiles, targets: I64) -> None:
    for index, name in enumerate(split.classes):
        if not (targets == index).any():
            raise DatasetError(
                f"no usable picture in {str(split.root / split.split / name)!r}: each is damaged or shows no "
                "face; put pictures of one face each there, or use --recipe readme for things without faces"
            )


def _sha256(files: tuple[str, ...], stored: str) -> str:
    return hashlib.sha256(json.dumps([files, stored]).encode()).hexdigest()
