"""What a training picture counts, so that the classes count the same."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from train_makers import changed, gclf_live, tiny_network

from gclf_live.errors import UsageError
from gclf_live.model.checkpoint import load_checkpoint
from gclf_train.balance import CLASSES, HEAVIEST, picture_weights, read_balance
from gclf_train.config import TeacherMix
from gclf_train.objective import Objective
from gclf_train.teacher import TeacherTargets

FILES = tuple(f"train/{name}" for name in ("female/a.jpg", "male/b.jpg", "male/c.jpg", "male/d.jpg"))
TARGETS = np.array([0, 1, 1, 1], np.int64)
QUICK = ("--epochs", 1, "--batch-size", 8, "--image-size", 32, "--device", "cpu", "--precision", "fp32")


def _table(path: Path, *rows: str, header: str = "file,group") -> Path:
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def test_classes_of_a_group_count_the_same_and_the_group_as_before() -> None:
    groups = ["old"] * 5 + ["young"] * 4 + ["child"]
    targets = np.array([0, 1, 1, 1, 1, 0, 0, 0, 1, 0], np.int64)
    weights = picture_weights(groups, targets)
    assert weights is not None
    sums: dict[tuple[str, int], float] = defaultdict(float)
    for weight, group, target in zip(weights.tolist(), groups, targets.tolist(), strict=True):
        sums[group, target] += weight
    assert sums["old", 0] == pytest.approx(sums["old", 1]) == pytest.approx(2.5)
    assert sums["young", 0] == pytest.approx(sums["young", 1]) == pytest.approx(2.0)
    assert weights[-1] == pytest.approx(1)  # of a class alone in its group
    assert weights.mean() == pytest.approx(1)


def test_no_picture_counts_for_more_than_some(tmp_path: Path) -> None:
    targets = np.array([0] + [1] * 999, np.int64)
    weights = read_balance(
        CLASSES, root=tmp_path, files=tuple(map(str, range(1000))), targets=targets
    ).weights
    assert weights[0] / weights[1] == pytest.approx(HEAVIEST / (1000 / 1998))


def test_table_names_the_groups(tmp_path: Path) -> None:
    table = _table(tmp_path / "groups.csv", "a.jpg,old", "b.jpg,old", "c.jpg,old")
    balance = read_balance(table, root=tmp_path, files=FILES, targets=TARGETS)
    # Three of the group "old", one that the table does not know and that is alone.
    np.testing.assert_allclose(balance.weights, np.array([1.5, 0.75, 0.75, 1.0]), rtol=1e-6)
    assert (balance.groups, balance.known) == (2, 3)
    assert balance.notes == ("the groups have no row for 1 of 4 pictures",)


@pytest.mark.parametrize(
    ("header", "rows", "complaint"),
    [
        ("file,age", ("a.jpg,30",), "--balance wants the columns 'file' and 'group'"),
        ("file,group", ("z.jpg,old",), "name none of the 4 pictures"),
        ("file,group", ("a.jpg,women", "b.jpg,men", "c.jpg,men", "d.jpg,men"), "nothing to balance"),
        ("group", ("old",), "wanted are 'file'"),
    ],
)
def test_table_that_cannot_be_used_is_refused(
    tmp_path: Path, header: str, rows: tuple[str, ...], complaint: str
) -> None:
    table = _table(tmp_path / "groups.csv", *rows, header=header)
    with pytest.raises(UsageError, match=complaint):
        read_balance(table, root=tmp_path, files=FILES, targets=TARGETS)


@pytest.mark.parametrize("taught", [False, True])
def test_loss_counts_each_picture_by_its_weight(taught: bool) -> None:
    teacher = _teacher() if taught else None
    weights = np.array([3.0, 0.5, 0.5, 0.0], np.float32)
    network = tiny_network()
    settings = {"label_smoothing": 0.0, "teacher": TeacherMix(descriptor_weight=0.0)}
    objective = Objective(
        changed(**settings), network, TARGETS, teacher=teacher, device=torch.device("cpu"), weights=weights
    )
    logits = network(torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    rows = np.array([2, 0], np.int64)
    loss = objective.loss(logits, objective.describe(), rows)
    wanted = teacher.probabilities[[2, 0]] if teacher else torch.tensor([1, 0])
    each = F.cross_entropy(logits, wanted, reduction="none")
    assert loss.item() == pytest.approx((0.5 * each[0] + 3 * each[1]).item() / 2, rel=1e-6)


def _teacher() -> TeacherTargets:
    probabilities = torch.tensor([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7], [0.1, 0.9]])
    return TeacherTargets(probabilities, torch.ones(4, 2), torch.ones(4, dtype=torch.bool), 4, "sha")


def test_command_says_what_pictures_count_and_keeps_it(colours: Path, tmp_path: Path) -> None:
    for path in sorted((colours / "train/male").iterdir())[3:]:
        path.unlink()
    outcome = gclf_live("train", colours, "-o", tmp_path / "run", *QUICK, "--balance", "classes")
    assert outcome.code == 0, outcome.err
    # 12 and 3 pictures: 15 / 24 and 15 / 6.
    assert "balance: the classes count the same; a picture for 0.62 to 2.50" in outcome.err
    facts = load_checkpoint(tmp_path / "run/checkpoint.safetensors").meta.data["balance"]
    assert facts == {"file": "classes", "sha256": "classes", "groups": 1, "known": 0}


def test_run_is_not_resumed_with_another_balance(colours: Path, tmp_path: Path) -> None:
    files = sorted((colours / "train").rglob("*.jpg"))
    rows = [f"{path.relative_to(colours).as_posix()},{'ab'[i % 2]}" for i, path in enumerate(files)]
    table = _table(tmp_path / "groups.csv", *rows)
    command = ("train", colours, "-o", tmp_path / "run", *QUICK)
    outcome = gclf_live(*command, "--balance", table)
    assert outcome.code == 0, outcome.err
    assert "balance: the classes count the same within each of 2 groups" in outcome.err
    refused = gclf_live(*command, "--resume")
    assert refused.code == 2
    assert "a run with --balance by " in refused.refusal()


def test_missing_table_is_one_line_before_anything_is_read(colours: Path, tmp_path: Path) -> None:
    outcome = gclf_live("train", colours, "-o", tmp_path / "run", *QUICK, "--balance", tmp_path / "no.csv")
    assert outcome.code == 1
    assert "cannot read the groups" in outcome.refusal()
    assert len(outcome.err.splitlines()) <= 2
