"""Labelled pictures in folders named after their class."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gclf_live.errors import DatasetError
from gclf_live.media.pictures import PICTURE_SUFFIXES
from gclf_live.records import I64
from gclf_live.wording import some

_MOST_NAMED = 5
_SPLITS = ("test", "val", "valid", "validation", "train")


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """The pictures of ``folder/CLASS/``.

    Attributes:
        folder: where they lie.
        files: N paths below ``folder`` with forward slashes, sorted within a class.
        targets: int64, shape (N,): index of each picture's class.
        notes: one line for each kind of thing that was passed over, for the user.
    """

    folder: Path
    files: tuple[str, ...]
    targets: I64
    notes: tuple[str, ...] = ()


def list_pictures(folder: Path, classes: Sequence[str]) -> LabelledPictures:
    """List the pictures below each class's folder, in sub-folders too; hidden files and folders are not.

    Args:
        folder: has one folder for each class.
        classes: the checkpoint's classes; the position is the class index.

    Raises:
        DatasetError: ``folder`` or a class's folder is missing, or has no pictures.
    """
    present = _subfolders(folder)
    _check_classes(folder, classes, present)
    files: list[str] = []
    targets: list[int] = []
    others: list[str] = []
    for index, name in enumerate(classes):
        found = list(_visible_files(folder / name))
        pictures = [path for path in found if path.suffix.lower() in PICTURE_SUFFIXES]
        if not pictures:
            raise DatasetError(
                f"no pictures in {str(folder / name)!r}; each of the checkpoint's classes "
                f"({', '.join(classes)}) needs some. Put JPEG, PNG or WebP files there"
            )
        files += [path.relative_to(folder).as_posix() for path in pictures]
        targets += [index] * len(pictures)
        others += [
            path.relative_to(folder).as_posix()
            for path in found
            if path.suffix.lower() not in PICTURE_SUFFIXES
        ]
    notes = _notes([name for name in present if name not in classes], others)
    return LabelledPictures(folder, tuple(files), np.array(targets, np.int64), notes)


def _subfolders(folder: Path) -> list[str]:
    """Names of the folders in it, hidden ones too: one of those may be a class by mistake."""
    if not folder.is_dir():
        raise DatasetError(
            f"no folder {str(folder)!r}; wanted is a folder with one folder of pictures for each class"
        )
    return sorted(entry.name for entry in folder.iterdir() if entry.is_dir())


def _check_classes(folder: Path, classes: Sequence[str], present: Sequence[str]) -> None:
    missing = [name for name in classes if name not in present]
    if not missing:
        return
    inside = next((name for name in _SPLITS if all((folder / name / c).is_dir() for c in classes)), None)
    hint = f"give {str(folder / inside)!r}" if inside else "name the folders as the checkpoint's classes"
    raise DatasetError(
        f"{str(folder)!r} lacks the class folder(s) {some(missing, _MOST_NAMED)}; it has "
        f"{some(present, _MOST_NAMED) or 'none'}, and "
        f"the checkpoint's classes are {', '.join(classes)}: {hint}"
    )


def _visible_files(folder: Path) -> Iterator[Path]:
    """Every file below ``folder`` in order of path; linked folders are entered, each folder once."""
    seen: set[str] = set()
    found: list[Path] = []
    for top, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(top)
        if real in seen:  # a link to a folder above it
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        found += [Path(top, name) for name in names if not name.startswith(".")]
    yield from sorted(found)


def _notes(folders: Sequence[str], files: Sequence[str]) -> tuple[str, ...]:
    notes = []
    if folders:
        notes.append(f"ignored, not a class of the checkpoint: folder(s) {some(folders, _MOST_NAMED)}")
    if files:
        notes.append(f"ignored, no picture by its name: {some(files, _MOST_NAMED)}")
    return tuple(notes)
