"""Reading `train/ val/ [test/]` by class from a dataset folder, and saying what was left out."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from gclf_live.errors import DatasetError
from gclf_live.records import UNSURE

PICTURE_SUFFIXES = frozenset(
    {".jpg", ".jpeg", ".jfif", ".png", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"}
)
"""Of what both Pillow and the oldest OpenCV read: which one does depends on the recipe."""


@dataclass(frozen=True, slots=True)
class LabelledFiles:
    """The pictures of one split.

    Attributes:
        root: the dataset folder.
        split: name of the split's folder.
        classes: folder names in alphabetical order; the position is the class index.
        files: paths below ``root`` with forward slashes, sorted within a class.
        targets: class index of each file.
        ignored: hidden folders and files that are no pictures, paths below ``root``.
    """

    root: Path
    split: str
    classes: tuple[str, ...]
    files: tuple[str, ...]
    targets: tuple[int, ...]
    ignored: tuple[str, ...]


def read_split(root: Path, split: str, *, classes: tuple[str, ...] | None = None) -> LabelledFiles:
    """List the pictures of ``root/split/CLASS/``.

    Args:
        root: the dataset folder.
        split: ``train``, ``val`` or ``test``.
        classes: what the classes must be, when another split has already said.

    Raises:
        DatasetError: no such folder, fewer than two classes, an empty class, other classes than wanted,
            or one whose name means something else.
    """
    base = split_folder(root, split)
    entries = sorted(base.iterdir())
    folders = [entry for entry in entries if entry.is_dir() and not entry.name.startswith(".")]
    ignored = [entry.relative_to(root).as_posix() for entry in entries if entry not in folders]
    names = tuple(folder.name for folder in folders)
    if classes is not None and names != classes:
        raise DatasetError(
            f"{str(base)!r} has the classes {', '.join(names) or 'none'}; "
            f"the other split has {', '.join(classes)}: name the folders alike in both"
        )
    if len(names) < 2:
        raise DatasetError(
            f"{str(base)!r} has {len(names)} class folder(s); wanted are two or more, such as female and male"
        )
    if UNSURE in names:
        raise DatasetError(
            f"{str(base / UNSURE)!r} cannot be a class: {UNSURE!r} marks faces without a label; "
            "rename the folder in every split"
        )
    files: list[str] = []
    targets: list[int] = []
    for index, folder in enumerate(folders):
        pictures, others = _pictures(folder)
        if not pictures:
            raise DatasetError(f"no pictures in {str(folder)!r}; put .jpg, .png or .webp files there")
        files += [path.relative_to(root).as_posix() for path in pictures]
        targets += [index] * len(pictures)
        ignored += [path.relative_to(root).as_posix() for path in others]
    return LabelledFiles(root, split, names, tuple(files), tuple(targets), tuple(ignored))


def split_folder(root: Path, split: str) -> Path:
    """The folder of a split.

    Raises:
        DatasetError: there is none.
    """
    base = root / split
    if not base.is_dir():
        raise DatasetError(
            f"no folder {str(base)!r}; wanted is DATA/train/CLASS and DATA/val/CLASS with pictures, "
            f"for example {root.name or 'dataset'}/{split}/female/1.jpg"
        )
    return base


def _pictures(folder: Path, above: frozenset[str] = frozenset()) -> tuple[list[Path], list[Path]]:
    """The pictures below a class folder, and what was passed over; nothing hidden or ``above`` is entered."""
    pictures: list[Path] = []
    others: list[Path] = []
    above |= {os.path.realpath(folder)}
    for entry in sorted(folder.iterdir()):
        if entry.name.startswith(".") or (entry.is_dir() and os.path.realpath(entry) in above):
            others.append(entry)
        elif entry.is_dir():
            deeper, passed = _pictures(entry, above)
            pictures += deeper
            others += passed
        elif entry.suffix.lower() in PICTURE_SUFFIXES:
            pictures.append(entry)
        else:
            others.append(entry)
    return pictures, others
