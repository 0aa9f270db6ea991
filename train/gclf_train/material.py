"""What a run learns from: the pictures, a teacher's answers, and what each picture counts."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

import torch

from gclf_train.balance import Balance, read_balance
from gclf_train.config import Recipe
from gclf_train.data import Dataset, load_dataset
from gclf_train.options import TrainHooks, TrainOptions
from gclf_train.processes import Processes
from gclf_train.start import file_sha256
from gclf_train.teacher import TeacherTargets, read_teacher


@dataclass(frozen=True, slots=True)
class Material:
    """Everything that is read of a dataset before the first step.

    Attributes:
        dataset: both splits.
        teacher: a teacher's answers for the training pictures, or None.
        balance: what each training picture counts, or None where all count the same.
    """

    dataset: Dataset
    teacher: TeacherTargets | None = None
    balance: Balance | None = None

    def tables_sha256(self) -> str:
        """The hashes of the tables, one after the other."""
        return "".join(table.sha256 for table in (self.teacher, self.balance) if table is not None)

    def asked_for(self) -> dict[str, str]:
        """Each part, by hashes that are short enough to be told."""
        dataset = self.dataset
        count = len(dataset.train.targets) + len(dataset.val.targets)
        names = hashlib.sha256("\n".join(dataset.train_files).encode(errors="surrogateescape")).hexdigest()
        return {
            "other pictures": f"{count:,} ({names[:8]})",
            "--teacher": f"table {self.teacher.sha256[:8]}" if self.teacher else "none",
            "--balance": f"by {self.balance.sha256[:8]}" if self.balance else "none",
        }

    def facts(self, options: TrainOptions) -> dict[str, Any]:
        """What the checkpoint says of all this."""
        return {
            "counts": self.dataset.counts(),
            "left_out": len(self.dataset.left_out),
            "terms": options.terms,
            "teacher": self._teacher_facts(options),
            "balance": self._balance_facts(options),
            "init": {"file": options.init.name, "sha256": file_sha256(options.init)}
            if options.init
            else None,
        }

    def _teacher_facts(self, options: TrainOptions) -> dict[str, Any] | None:
        if options.teacher is None or self.teacher is None:
            return None
        return {
            "file": options.teacher.name,
            "sha256": self.teacher.sha256,
            "known": self.teacher.known,
            "contradicted_labels": int((~self.teacher.keep).sum()),
        }

    def _balance_facts(self, options: TrainOptions) -> dict[str, Any] | None:
        if options.balance is None or self.balance is None:
            return None
        facts = {"file": options.balance.name, "sha256": self.balance.sha256}
        return facts | {"groups": self.balance.groups, "known": self.balance.known}


def load_material(
    recipe: Recipe, options: TrainOptions, device: torch.device, hooks: TrainHooks, *, processes: Processes
) -> Material:
    """Read what ``options`` name, as ``recipe`` wants it.

    Raises:
        DatasetError: the dataset or the teacher's table cannot be used.
        UsageError: the table of groups cannot be used.
    """
    dataset = load_dataset(
        options.root,
        recipe,
        cache_dir=options.cache_dir,
        device=device,
        processes=processes,
        progress=hooks.on_data,
    )
    files, targets = dataset.train_files, dataset.train.targets
    teacher = balance = None
    if options.teacher is not None:
        teacher = read_teacher(
            options.teacher, files=files, targets=targets, classes=dataset.classes, mix=recipe.teacher
        )
    if options.balance is not None:
        balance = read_balance(options.balance, root=options.root, files=files, targets=targets)
    return Material(dataset, teacher, balance)
