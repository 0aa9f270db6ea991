"""Learning from a teacher's answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from train_makers import changed, tiny_network

from gclf_live.errors import DatasetError
from gclf_train.config import TeacherMix
from gclf_train.objective import Objective
from gclf_train.teacher import TeacherTargets, read_teacher

FILES = ("train/female/a.jpg", "train/female/b.jpg", "train/male/c.jpg", "train/male/new.jpg")
TARGETS = np.array([0, 0, 1, 1], np.int64)
MIX = TeacherMix(weight=0.6, reject=0.97)


def _write(path: Path, **arrays: Any) -> Path:
    table = {
        "files": np.array(["other.jpg", "train/male/c.jpg", "train/female/b.jpg", "train/female/a.jpg"]),
        "p_female": np.array([0.5, 0.3, 0.02, 0.9], np.float16),
        "descriptor": np.array([[1, 1], [0, 2], [3, 4], [6, -8]], np.int8),
        "scale": np.array([0.5, 0.5], np.float32),
    }
    table |= arrays
    np.savez(path, **{name: array for name, array in table.items() if array is not None})
    return path


def _read(path: Path, classes: tuple[str, ...] = ("female", "male"), mix: TeacherMix = MIX) -> TeacherTargets:
    return read_teacher(path, files=FILES, targets=TARGETS, classes=classes, mix=mix)


def test_target_mixes_label_and_teacher(tmp_path: Path) -> None:
    targets = _read(_write(tmp_path / "t.npz"))
    wanted = [[0.4 + 0.6 * 0.9, 0.6 * 0.1], [0.4 + 0.6 * 0.02, 0.6 * 0.98], [0.6 * 0.3, 0.4 + 0.6 * 0.7]]
    np.testing.assert_allclose(targets.probabilities[:3].numpy(), wanted, atol=1e-3)


def test_picture_unknown_to_the_teacher_keeps_its_label(tmp_path: Path) -> None:
    targets = _read(_write(tmp_path / "t.npz"))
    assert targets.probabilities[3].tolist() == pytest.approx([0, 1])
    assert targets.descriptors[3].tolist() == [0, 0]
    assert bool(targets.keep[3])
    assert targets.known == 3


def test_picture_whose_label_the_teacher_contradicts_is_left_out(tmp_path: Path) -> None:
    targets = _read(_write(tmp_path / "t.npz"))
    assert targets.keep.tolist() == [True, False, True, True]


def test_descriptors_are_scaled_and_have_unit_length(tmp_path: Path) -> None:
    targets = _read(_write(tmp_path / "t.npz", scale=np.array([1.0, 0.75], np.float32)))
    np.testing.assert_allclose(targets.descriptors[0].numpy(), [6 / 72**0.5, -6 / 72**0.5], atol=1e-6)
    np.testing.assert_allclose(targets.descriptors[:3].norm(dim=1).numpy(), 1, atol=1e-6)


def test_female_may_be_any_column(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.npz")
    targets = read_teacher(
        path, files=FILES[:1], targets=np.array([1], np.int64), classes=("Mann", "female"), mix=MIX
    )
    np.testing.assert_allclose(targets.probabilities[0].numpy(), [0.06, 0.94], atol=1e-3)


@pytest.mark.parametrize("classes", [("cat", "dog"), ("female", "male", "other")])
def test_other_classes_are_refused(tmp_path: Path, classes: tuple[str, ...]) -> None:
    with pytest.raises(DatasetError, match="leave --teacher out"):
        _read(_write(tmp_path / "t.npz"), classes=classes)


def test_table_of_other_pictures_is_refused_with_an_example_of_each(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.npz", files=np.array(["w", "x", "y", "z"]))
    with pytest.raises(DatasetError, match=r"knows none of the 4 .* 'train/female/a.jpg'; its first is 'w'"):
        _read(path)


@pytest.mark.parametrize(
    ("arrays", "complaint"),
    [
        ({"scale": None}, "lacks the arrays scale"),
        ({"p_female": np.array([0.5])}, "wanted are"),
        ({"descriptor": np.zeros(4)}, "wanted are"),
        ({"descriptor": np.zeros((3, 2))}, "wanted are"),
        ({"scale": np.ones(3)}, "wanted are"),
        ({"p_female": np.array([0.5, 0.5, 1.5, 0.5])}, "outside of 0 to 1"),
        ({"p_female": np.array([0.5, 0.5, np.nan, 0.5])}, "outside of 0 to 1"),
        ({"p_female": np.array(["0.5"] * 4)}, "holds text"),
        ({"files": np.array(["a", None], object)}, "cannot read"),
    ],
)
def test_table_with_a_mistake_is_refused(tmp_path: Path, arrays: dict[str, Any], complaint: str) -> None:
    with pytest.raises(DatasetError, match=complaint):
        _read(_write(tmp_path / "t.npz", **arrays))


@pytest.mark.parametrize("kind", ["missing", "empty", "text", "npy", "cut"])
def test_file_that_is_no_table_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "t.npz"
    if kind in {"empty", "text"}:
        path.write_text({"empty": "", "text": "hello"}[kind])
    elif kind == "npy":
        with path.open("wb") as handle:
            np.save(handle, np.zeros(3))
    elif kind == "cut":
        content = _write(path).read_bytes()
        path.write_bytes(content[: len(content) // 2])
    with pytest.raises(DatasetError, match="cannot read the teacher") as caught:
        _read(path)
    assert "\n" not in str(caught.value)


def test_damaged_table_is_refused_or_read(tmp_path: Path) -> None:
    content = bytearray(_packed(tmp_path / "whole.npz").read_bytes())
    path = tmp_path / "t.npz"
    refused: list[str] = []
    for place in range(len(content)):
        content[place] ^= 0xFF
        path.write_bytes(content)
        content[place] ^= 0xFF
        try:
            _read(path)
        except DatasetError as error:
            refused.append(str(error))
    assert len(refused) > len(content) / 2
    assert not [line for line in refused if "\n" in line]


def _packed(path: Path) -> Path:
    """The table, compressed: what is damaged within it is met by the unpacking."""
    with np.load(_write(path)) as table:
        arrays = dict(table)
    np.savez_compressed(path, **arrays)
    return path


def _objective(answers: TeacherTargets | None, **settings: Any) -> tuple[torch.nn.Module, Objective]:
    network = tiny_network()
    objective = Objective(changed(**settings), network, TARGETS, teacher=answers, device=torch.device("cpu"))
    return network, objective


def test_loss_with_a_teacher_is_cross_entropy_plus_descriptor_distance(tmp_path: Path) -> None:
    targets = _read(_write(tmp_path / "t.npz"))
    network, objective = _objective(targets, teacher=TeacherMix(descriptor_weight=2.0))
    x = torch.randn(3, 3, 32, 32)
    rows = np.array([2, 0, 3])
    logits = network(x)
    assert objective.descriptor_head is not None
    described = objective.descriptor_head(network[:-1](x))  # type: ignore[index]
    distance = 1 - F.cosine_similarity(described[:2], targets.descriptors[[2, 0]])
    wanted = F.cross_entropy(logits, targets.probabilities[[2, 0, 3]]) + 2 * distance.sum() / 3
    torch.testing.assert_close(objective.loss(logits, objective.describe(), rows), wanted)


def test_loss_without_a_teacher_is_cross_entropy_against_the_labels() -> None:
    network, objective = _objective(None, label_smoothing=0.1)
    logits = network(torch.randn(2, 3, 32, 32))
    wanted = F.cross_entropy(logits, torch.tensor([1, 0]), label_smoothing=0.1)
    torch.testing.assert_close(objective.loss(logits, objective.describe(), np.array([3, 1])), wanted)
    assert objective.rows().tolist() == [0, 1, 2, 3]
    assert objective.descriptor_head is None


def test_contradicted_pictures_take_no_part(tmp_path: Path) -> None:
    _, objective = _objective(_read(_write(tmp_path / "t.npz")))
    assert objective.rows().tolist() == [0, 2, 3]


def test_teacher_that_contradicts_nearly_every_label_is_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "t.npz", p_female=np.array([0.5, 0.99, 0.0, 0.0]))
    _, objective = _objective(_read(path))
    with pytest.raises(DatasetError, match="contradicts the labels of 3 of 4"):
        objective.rows()
