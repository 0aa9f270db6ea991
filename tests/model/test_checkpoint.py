"""The checkpoint file: what goes in comes out, and what is wrong with a file is said in one line."""

from __future__ import annotations

import hashlib
import json
import math
import resource
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import safetensors
import safetensors.torch
import torch

from gclf_live.errors import CheckpointError, OutputError
from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.checkpoint import (
    Checkpoint,
    load_checkpoint,
    save_checkpoint,
    save_pth,
)
from gclf_live.model.networks import build_network


def _rewritten(source: Path, target: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    """A copy of a checkpoint file whose JSON document went through ``edit``."""
    with safetensors.safe_open(str(source), "pt") as file:
        document = json.loads(file.metadata()["gclf_live"])
    edit(document)
    tensors = safetensors.torch.load_file(source)
    safetensors.torch.save_file(tensors, target, {"gclf_live": json.dumps(document)})
    return target


def _refusal(path: Path, **options: Any) -> str:
    """The message with which a file is refused: one line that names the file."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert str(path) in message
    return message


def test_description_survives_the_round_trip(checkpoint: Checkpoint, weights: Path) -> None:
    loaded = load_checkpoint(weights)
    assert loaded.meta == checkpoint.meta
    assert len(loaded.tensors_sha256) == 64


def test_loaded_tensors_are_float32_and_within_half_precision(checkpoint: Checkpoint, weights: Path) -> None:
    loaded = load_checkpoint(weights).state
    assert loaded.keys() == checkpoint.state.keys()
    for name, tensor in checkpoint.state.items():
        assert loaded[name].dtype == (torch.float32 if tensor.is_floating_point() else tensor.dtype)
        torch.testing.assert_close(loaded[name], tensor, rtol=1e-3, atol=1e-7)


def test_vectors_are_stored_exactly(checkpoint: Checkpoint, weights: Path) -> None:
    loaded = load_checkpoint(weights).state
    vectors = [name for name, tensor in checkpoint.state.items() if tensor.ndim < 2]
    assert "bn1.running_var" in vectors
    assert "bn1.num_batches_tracked" in vectors
    assert all(torch.equal(loaded[name], checkpoint.state[name]) for name in vectors)


def test_file_is_half_the_size_of_its_parameters_in_float32(checkpoint: Checkpoint, weights: Path) -> None:
    full = sum(tensor.nbytes for tensor in checkpoint.state.values())
    assert weights.stat().st_size < 0.51 * full


def test_saving_twice_gives_the_same_hash(weights: Path, tmp_path: Path) -> None:
    first = load_checkpoint(weights)
    save_checkpoint(tmp_path / "again.safetensors", first)
    assert load_checkpoint(tmp_path / "again.safetensors").tensors_sha256 == first.tensors_sha256


def test_hash_can_be_computed_from_its_documentation(weights: Path) -> None:
    digest = hashlib.sha256()
    for name, tensor in sorted(safetensors.torch.load_file(weights).items()):
        dtype = {torch.float16: "float16", torch.float32: "float32", torch.int64: "int64"}[tensor.dtype]
        digest.update(f"{name} {dtype} {','.join(map(str, tensor.shape))}\n".encode())
        digest.update(tensor.numpy().tobytes())
    assert load_checkpoint(weights).tensors_sha256 == digest.hexdigest()


def test_memory_format_does_not_change_the_file(
    checkpoint: Checkpoint, weights: Path, tmp_path: Path
) -> None:
    network = build_network("resnet18", 2)
    network.load_state_dict(checkpoint.state)
    network.to(memory_format=torch.channels_last)
    save_checkpoint(tmp_path / "cl.safetensors", replace(checkpoint, state=network.state_dict()))
    assert (tmp_path / "cl.safetensors").read_bytes() == weights.read_bytes()


def test_full_disk_leaves_the_old_file_and_nothing_else(checkpoint: Checkpoint, tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, limits[1]))
    try:
        with pytest.raises(OutputError, match=r"model\.safetensors"):
            save_checkpoint(path, checkpoint)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_missing_output_folder_is_an_output_error(checkpoint: Checkpoint, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="no folder"):
        save_checkpoint(tmp_path / "none" / "model.safetensors", checkpoint)


def test_saved_file_has_ordinary_permissions(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "plain").write_bytes(b"")
    assert weights.stat().st_mode == (tmp_path / "plain").stat().st_mode


def test_value_that_half_precision_cannot_hold_is_not_saved(checkpoint: Checkpoint, tmp_path: Path) -> None:
    state = dict(checkpoint.state)
    state["conv1.weight"] = state["conv1.weight"] * 1e6
    with pytest.raises(CheckpointError, match=r"conv1\.weight"):
        save_checkpoint(tmp_path / "m.safetensors", replace(checkpoint, state=state))
    assert not list(tmp_path.iterdir())


def test_nan_in_the_description_is_not_saved(checkpoint: Checkpoint, tmp_path: Path) -> None:
    meta = replace(checkpoint.meta, validation={"ece": math.nan})
    with pytest.raises(CheckpointError, match="JSON"):
        save_checkpoint(tmp_path / "m.safetensors", replace(checkpoint, meta=meta))


def test_missing_file_is_said_to_be_missing(tmp_path: Path) -> None:
    assert "no such file" in _refusal(tmp_path / "none.safetensors")


def test_folder_is_refused(tmp_path: Path) -> None:
    assert "directory" in _refusal(tmp_path)


def test_empty_file_is_said_to_be_empty(tmp_path: Path) -> None:
    (tmp_path / "m.pth").touch()
    assert "empty" in _refusal(tmp_path / "m.pth")


@pytest.mark.parametrize(
    "content", [b"\xff\xd8\xff\xe0" + bytes(64), b"<html>not found</html>", b"x", bytes(64)]
)
def test_something_else_is_no_checkpoint(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    assert "no checkpoint" in _refusal(tmp_path / "m.safetensors")


@pytest.mark.parametrize("share", [0.0001, 0.5, 0.999999])
def test_truncated_safetensors_is_damaged(share: float, weights: Path, tmp_path: Path) -> None:
    content = weights.read_bytes()
    (tmp_path / "m.safetensors").write_bytes(content[: int(len(content) * share)])
    assert "damaged or cut short" in _refusal(tmp_path / "m.safetensors")


@pytest.mark.parametrize("is_zip", [True, False])
def test_pth_cut_anywhere_is_refused(is_zip: bool, tmp_path: Path) -> None:
    path = tmp_path / "m.pth"
    torch.save({"fc.weight": torch.ones(2, 4)}, path, _use_new_zipfile_serialization=is_zip)
    content = path.read_bytes()
    for length in range(1, len(content), max(1, len(content) // 60)):
        path.write_bytes(content[:length])
        _refusal(path)


def test_altered_tensor_does_not_pass_the_hash(weights: Path, tmp_path: Path) -> None:
    content = bytearray(weights.read_bytes())
    content[-1000] ^= 1
    (tmp_path / "m.safetensors").write_bytes(content)
    assert "SHA-256" in _refusal(tmp_path / "m.safetensors")


def test_newer_format_asks_for_an_update(weights: Path, tmp_path: Path) -> None:
    path = _rewritten(weights, tmp_path / "m.safetensors", lambda d: d.update(format_version=2))
    assert "Update gclf-live" in _refusal(path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "vgg16"}, "unknown architecture 'vgg16'; allowed are resnet18"),
        ({"architecture": "resnet34"}, "resnet34"),
        ({"architecture": None}, "unknown architecture"),
        ({"classes": ["a", "b", "c"]}, "2 outputs for 3 classes"),
        ({"classes": ["a", "a"]}, "different names"),
        ({"classes": ["female", "unsure"]}, "'unsure'"),
        ({"classes": 5}, "damaged"),
        ({"temperature": 0}, "temperature 0"),
        ({"temperature": "hot"}, "damaged"),
        ({"temperature": math.nan}, "temperature nan"),
        ({"crop": {"size_px": math.inf, "margin": 1, "alignment": "box"}}, "damaged"),
        ({"std": [0.2, 0.2, 0]}, "std"),
        ({"mean": [0.2]}, "damaged"),
        ({"crop": {"size_px": 4, "margin": 1, "alignment": "box"}}, "crop of 4 px"),
        ({"crop": {"size_px": 64, "margin": 1, "alignment": "diagonal"}}, "diagonal"),
        ({"error_table": [{"limit": 1}]}, "damaged"),
    ],
)
def test_bad_description_is_refused(
    change: dict[str, Any], words: str, weights: Path, tmp_path: Path
) -> None:
    path = _rewritten(weights, tmp_path / "m.safetensors", lambda d: d.update(change))
    assert words in _refusal(path)


def test_description_without_a_field_is_refused(weights: Path, tmp_path: Path) -> None:
    path = _rewritten(weights, tmp_path / "m.safetensors", lambda d: d.pop("classes"))
    assert "'classes'" in _refusal(path)


def test_other_class_names_than_stored_are_refused(weights: Path) -> None:
    assert "female, male" in _refusal(weights, classes=["male", "female"])


def test_pth_is_read_exactly_as_female_and_male_at_224_px(checkpoint: Checkpoint, tmp_path: Path) -> None:
    save_pth(tmp_path / "m.pth", checkpoint)
    loaded = load_checkpoint(tmp_path / "m.pth")
    assert all(torch.equal(loaded.state[name], tensor) for name, tensor in checkpoint.state.items())
    assert loaded.meta.classes == ("female", "male")
    assert loaded.meta.crop == CropSpec(224, 1.4, Alignment.BOX)
    assert loaded.meta.mean == (0.485, 0.456, 0.406)
    assert loaded.meta.temperature == 1


def test_saved_pth_is_a_plain_float32_state_dict(checkpoint: Checkpoint, tmp_path: Path) -> None:
    halved = {name: t.half() if t.is_floating_point() else t for name, t in checkpoint.state.items()}
    save_pth(tmp_path / "m.pth", replace(checkpoint, state=halved))
    state = torch.load(tmp_path / "m.pth", weights_only=True)
    build_network("resnet18", 2).load_state_dict(state)
    assert state["conv1.weight"].dtype == torch.float32
