"""Learning from larger models' answers (knowledge distillation, Hinton et al. 2015, arXiv:1503.02531)."""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
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
    """

    probabilities: Tensor
    descriptors: Tensor
    keep: Tensor
    known: int


def read_teacher(
    path: Path, *, files: tuple[str, ...], targets: I64, classes: tuple[str, ...], mix: TeacherMix
) -> TeacherTargets:
    """Read a table: ``files`` (M,), ``p_female`` (M,), ``descriptor`` (M, D) and ``scale`` (D,).

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
        raise DatasetError(f"the teacher {str(path)!r} knows none of the {len(files)} training pictures")
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
        torch.from_numpy(mixed), torch.from_numpy(descriptors), torch.from_numpy(keep), int(known.sum())
    )


def _load(path: Path) -> dict[str, np.ndarray]:
    """The four arrays, or a DatasetError that says what is wrong with the file."""
    try:
        with np.load(path, allow_pickle=False) as table:
            missing = sorted(_ARRAYS - set(table.files))
            if missing:
                raise DatasetError(f"the teacher {str(path)!r} lacks the arrays {', '.join(missing)}")
            return {name: table[name] for name in _ARRAYS}
    except (OSError, ValueError, zipfile.BadZipFile) as error:
        if isinstance(error, DatasetError):
            raise
        raise DatasetError(
            f"cannot read the teacher {str(path)!r}: {error}; wanted is an .npz table"
        ) from error
