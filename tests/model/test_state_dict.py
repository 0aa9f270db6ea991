"""Bare weights of other tools."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch

from gclf_live.errors import CheckpointError
from gclf_live.model.checkpoint import Checkpoint, load_checkpoint
from gclf_live.model.networks import ARCHITECTURES, build_network, network_from_state
from gclf_live.model.state_dict import infer_architecture


class _Touch:
    """Unpickles by writing a file: what a hostile checkpoint would do."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def _saved(value: object, folder: Path, *, is_zip: bool = True) -> Path:
    path = folder / "model.pth"
    torch.save(value, path, _use_new_zipfile_serialization=is_zip)
    return path


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_architecture_is_told_from_names_and_shapes(architecture: str) -> None:
    state = network_from_state(architecture, 5).state_dict()
    assert infer_architecture(state) == (architecture, 5)


@pytest.mark.parametrize("key", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.module."])
def test_wrapped_state_is_found(checkpoint: Checkpoint, key: str, prefix: str, tmp_path: Path) -> None:
    state = {prefix + name: tensor for name, tensor in checkpoint.state.items()}
    loaded = load_checkpoint(_saved({"epoch": 3, key: state}, tmp_path))
    assert loaded.meta.architecture == "resnet18"
    assert torch.equal(loaded.state["fc.bias"], checkpoint.state["fc.bias"])


def test_file_of_the_format_before_torch_1_6_is_read(checkpoint: Checkpoint, tmp_path: Path) -> None:
    loaded = load_checkpoint(_saved(checkpoint.state, tmp_path, is_zip=False))
    assert torch.equal(loaded.state["conv1.weight"], checkpoint.state["conv1.weight"])


def test_batch_counters_may_be_missing(checkpoint: Checkpoint, tmp_path: Path) -> None:
    state = {name: t for name, t in checkpoint.state.items() if not name.endswith("num_batches_tracked")}
    loaded = load_checkpoint(_saved(state, tmp_path))
    assert loaded.state.keys() == checkpoint.state.keys()


def test_safetensors_without_our_description_are_bare_weights(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "bare.safetensors"
    safetensors.torch.save_file(checkpoint.state, path)
    assert load_checkpoint(path).meta.classes == ("female", "male")


def test_three_outputs_need_class_names(tmp_path: Path) -> None:
    path = _saved(build_network("resnet18", 3).state_dict(), tmp_path)
    with pytest.raises(CheckpointError, match="3 outputs"):
        load_checkpoint(path)
    assert load_checkpoint(path, classes=["a", "b", "c"]).meta.classes == ("a", "b", "c")
    with pytest.raises(CheckpointError, match="3 outputs for 2 classes"):
        load_checkpoint(path, classes=["a", "b"])


@pytest.mark.parametrize("is_zip", [True, False])
def test_code_in_a_pickle_is_refused_and_not_run(is_zip: bool, tmp_path: Path) -> None:
    path = _saved({"state_dict": _Touch(tmp_path / "touched")}, tmp_path, is_zip=is_zip)
    with pytest.raises(CheckpointError, match="could run code"):
        load_checkpoint(path)
    assert not (tmp_path / "touched").exists()


def test_whole_pickled_model_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"torch\.save\(model\.state_dict\(\), path\)"):
        load_checkpoint(_saved(torch.nn.Linear(2, 2), tmp_path))


@pytest.mark.parametrize("value", [{}, {"epoch": 3}, [1, 2], torch.ones(2), {"state_dict": {"lr": 0.1}}])
def test_file_without_a_state_dict_is_refused(value: object, tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="no state dict"):
        load_checkpoint(_saved(value, tmp_path))


def test_unknown_network_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none of the architectures resnet18, resnet34"):
        load_checkpoint(_saved({"fc.weight": torch.ones(2, 4), "fc.bias": torch.ones(2)}, tmp_path))


def test_network_of_other_width_is_refused(checkpoint: Checkpoint, tmp_path: Path) -> None:
    state = {**checkpoint.state, "layer4.1.conv2.weight": torch.ones(512, 256, 3, 3)}
    with pytest.raises(CheckpointError, match=r"layer4\.1\.conv2\.weight.* \(512, 256, 3, 3\)"):
        load_checkpoint(_saved(state, tmp_path))
