"""What a run is asked to do besides its recipe, and who wants to hear of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gclf_train.material import Material
    from gclf_train.reports import StepReport


@dataclass(frozen=True, slots=True)
class TrainOptions:
    """Where a run reads and writes.

    Attributes:
        root: the dataset folder.
        out_dir: the run's folder.
        cache_dir: where face crops are kept between runs.
        teacher: a teacher's table, or None.
        balance: a table of groups within which the classes count the same, ``balance.CLASSES``, or None.
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
    balance: Path | None = None
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
    on_ready: Callable[[Material], None] = lambda material: None
    on_step: Callable[[StepReport], None] = lambda report: None
    on_epoch: Callable[[dict[str, Any]], None] = lambda row: None
    stop: Callable[[], bool] = lambda: False
