"""Learning from larger models' answers (knowledge distillation, Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

import hashlib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from gclf_live.errors import DatasetError
from gclf_live.records import I64
from gclf_train.config import TeacherMix

_ARRAYS = {"files", "p_female", "descriptor", "scale"}


@dataclass(frozen=True, slots=True)
class TeacherTargets:
    """A teacher's answers in the order of a split's pictures.

    Attributes:
        probabilities: float32, shape (N, C): the target's class probabilities, label and teacher mixed.
        descriptors: float32, shape (N, D): unit length; zeros where the teacher says nothing.
        keep: bool, shape (N,): False for pictures whose label the teacher contradicts too strongly.
        known: how many of the N pictures the teacher knows.
        sha256: of the table's file, hexadecimal.
    """

    probabilities: Tensor
    descriptors: Tensor
    keep: Tensor
    known: int
    sha256: str


def read_teacher(
    path: Path, *, files: tuple[str, ...], targets: I64, classes: tuple[str, ...], mix: TeacherMix
) -> TeacherTargets:
    """Read a table of a teacher's answers for M pictures.

    Its arrays are ``files``, str (M,), paths below the dataset folder such as ``train/female/1.jpg``;
    ``p_female``, float (M,), probabilities; ``descriptor`` (M, D), numbers that say what the teacher sees;
    and ``scale``, float (D,) or (), what they are multiplied by. Rows of other pictures do no harm.

    Args:
        path: the ``.npz`` file.
        files: N paths below the dataset folder.
        targets: int64, shape (N,): class indices by the labels.
        classes: the two class names; ``female`` must be one of them.
        mix: how label and teacher are mixed.

    Raises:
        DatasetError: not such a table, other classes, or no picture in common with ``files``.
    """
    table = _load(path)
    if len(classes) != 2 or "female" not in classes:
        raise DatasetError(
            f"the teacher {str(path)!r} answers for female against another class; the dataset has "
            f"{', '.join(classes)}: leave --teacher out"
        )
    position = {name: row for row, name in enumerate(table["files"].astype(str).tolist())}
    rows = np.array([position.get(name, -1) for name in files])
    known = rows >= 0
    if not known.any():
        raise DatasetError(
            f"the teacher {str(path)!r} knows none of the {len(files)} training pictures, such as "
            f"{files[0]!r}; its first is {next(iter(position), 'missing')!r}. Paths must be alike"
        )
    female = classes.index("female")
    hard = np.eye(2, dtype=np.float32)[targets]
    soft = hard.copy()
    soft[known, female] = table["p_female"][rows[known]].astype(np.float32)
    soft[:, 1 - female] = 1 - soft[:, female]
    keep = soft[np.arange(len(targets)), targets] > 1 - mix.reject
    descriptors = np.zeros((len(files), table["descriptor"].shape[1]), np.float32)
    descriptors[known] = table["descriptor"][rows[known]].astype(np.float32) * table["scale"]
    descriptors /= np.maximum(np.linalg.norm(descriptors, axis=1, keepdims=True), 1e-6)
    mixed = (1 - mix.weight) * hard + mix.weight * soft
    return TeacherTargets(
        torch.from_numpy(mixed),
        torch.from_numpy(descriptors),
        torch.from_numpy(keep),
        int(known.sum()),
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )


_UNREADABLE = (
    *(OSError, ValueError, TypeError, EOFError, zipfile.BadZipFile, zlib.error),
    *(NotImplementedError, RuntimeError),  # a damaged header that asks for encryption or another packing
)


def _load(path: Path) -> dict[str, npt.NDArray[Any]]:
    """The four arrays, or a DatasetError that says what is wrong with the file."""
    try:
        with np.load(path, allow_pickle=False) as table:
            arrays = {name: np.asarray(table[name]) for name in _ARRAYS & set(table.files)}
    # An .npy file opens as an array, which is no context manager: that is a TypeError.
    except _UNREADABLE as error:
        why = str(error).partition("\n")[0]
        raise DatasetError(
            f"cannot read the teacher {str(path)!r}: {why}; wanted is an .npz table"
        ) from error
    _check(arrays, path)
    return arrays


def _check(arrays: dict[str, npt.NDArray[Any]], path: Path) -> None:
    """Raise DatasetError unless the arrays fit one another and the numbers make sense."""
    missing = sorted(_ARRAYS - set(arrays))
    if missing:
        raise DatasetError(f"the teacher {str(path)!r} lacks the arrays {', '.join(missing)}")
    count, p_female, descriptor = len(arrays["files"]), arrays["p_female"], arrays["descriptor"]
    width = descriptor.shape[1] if descriptor.ndim == 2 else 0
    shapes = p_female.shape == (count,) and len(descriptor) == count and width > 0
    if not shapes or arrays["scale"].shape not in {(), (width,)}:
        got = ", ".join(f"{name} {arrays[name].shape}" for name in sorted(_ARRAYS))
        raise DatasetError(
            f"the teacher {str(path)!r} has {got}; wanted are descriptor (M, D), files (M,), "
            "p_female (M,), scale (D,)"
        )
    if not all(arrays[name].dtype.kind in "biuf" for name in ("p_female", "descriptor", "scale")):
        raise DatasetError(f"the teacher {str(path)!r} holds text; wanted are numbers")
    if not ((p_female >= 0) & (p_female <= 1)).all() or not np.isfinite(descriptor).all():
        raise DatasetError(
            f"the teacher {str(path)!r} holds a p_female outside of 0 to 1 or an infinite descriptor; "
            "make the table again"
        )
