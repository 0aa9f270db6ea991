"""How much each training picture weighs in the loss: as much as any, or so that the classes count the same.

Where nine of ten pictures are of one class, a network is right nine times in ten by saying nothing else. The
same holds within groups of pictures: where most of the old faces are men's, it learns that old is male.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from gclf_live.errors import UsageError
from gclf_live.groups_table import read_groups_table
from gclf_live.records import F32, I64

CLASSES = Path("classes")
"""What ``--balance`` is given instead of a table: all pictures are one group."""

HEAVIEST = 4.0
"""A picture counts for this many at most before the mean is made 1: no face is to be learned by heart."""


@dataclass(frozen=True, slots=True)
class Balance:
    """The weights of a split's pictures.

    Attributes:
        weights: float32, shape (N,): mean 1 over all of them.
        groups: how many groups of pictures there are.
        known: how many of the N pictures the table puts into a group.
        sha256: of the table's file, hexadecimal; ``classes`` without a table.
        notes: lines for the user.
    """

    weights: F32
    groups: int
    known: int
    sha256: str
    notes: tuple[str, ...] = ()


def read_balance(path: Path, *, root: Path, files: tuple[str, ...], targets: I64) -> Balance:
    """The weights that a table of groups, or ``CLASSES``, asks for.

    Args:
        path: a CSV with the columns ``file``, the end of a picture's path, and ``group``; or ``CLASSES``.
            Pictures that it does not name, or gives no group, are a group together.
        root: the dataset folder.
        files: N paths below it.
        targets: int64, shape (N,): class indices by the labels.

    Raises:
        UsageError: the table cannot be read, lacks a column, names none of the ``files``, or has no group
            with pictures of two classes.
    """
    notes: tuple[str, ...] = ()
    if path == CLASSES:
        groups, sha256 = [""] * len(files), CLASSES.name
    else:
        table = read_groups_table(path, root, files)
        if "group" not in table.columns:
            raise UsageError(
                f"the groups {str(path)!r} have the columns file, {', '.join(table.columns)}; "
                "--balance wants the columns 'file' and 'group'"
            )
        groups, notes = table.values("group", files), table.notes
        sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    weights = picture_weights(groups, targets)
    if weights is None:
        raise UsageError(
            f"no group of {str(path)!r} has pictures of two classes, so there is nothing to balance; a group "
            "is what pictures of several classes have in common, such as an age"
        )
    return Balance(weights, len(set(groups)), sum(map(bool, groups)), sha256, notes)


def picture_weights(groups: Sequence[str], targets: I64) -> F32 | None:
    """Weights with which every class of a group counts as much as the others, and the group as before.

    Args:
        groups: N names.
        targets: int64, shape (N,): class indices.

    Returns:
        float32, shape (N,), mean 1: in a group of n pictures and k classes, n / (k * pictures of the class),
        at most ``HEAVIEST``. None where no group has two classes.
    """
    _, group = np.unique(np.asarray(groups, dtype=object).astype(str), return_inverse=True)
    counts = np.zeros((group.max() + 1, int(targets.max()) + 1))
    np.add.at(counts, (group, targets), 1)
    classes = (counts > 0).sum(axis=1)
    if classes.max() < 2:
        return None
    shares = counts.sum(axis=1, keepdims=True) / (classes[:, None] * np.maximum(counts, 1))
    weights = np.minimum(shares, HEAVIEST)[group, targets]
    mean_1: F32 = (weights / weights.mean()).astype(np.float32)
    return mean_1
