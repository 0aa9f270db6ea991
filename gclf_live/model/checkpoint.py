"""The checkpoint file: half-precision safetensors that say how they are to be used.

The file is safetensors with one JSON document under the metadata key ``gclf_live``: the fields of
``CheckpointMeta``, ``format_version`` and ``tensors_sha256``. That SHA-256 runs over the tensors in the
order of their names, each as the line ``name dtype shape`` in UTF-8 (``conv1.weight float16 64,3,7,7``)
followed by its values, row by row, little-endian; so it does not depend on the order in the file.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors
import safetensors.torch
import torch
from torch import Tensor

from gclf_live.assets import WEIGHTS, asset_path, check_asset
from gclf_live.errors import CheckpointError
from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.meta import CheckpointMeta, ErrorAtThreshold, meta_from_json, meta_to_json
from gclf_live.model.state_dict import (
    DAMAGED,
    check_state,
    fill_counters,
    infer_architecture,
    plain_names,
    read_pickled_state,
)
from gclf_live.whole_file import whole_file

__all__ = [
    "Checkpoint",
    "CheckpointMeta",
    "ErrorAtThreshold",
    "default_weights_path",
    "load_checkpoint",
    "save_checkpoint",
    "save_pth",
]

_METADATA_KEY = "gclf_live"
_BARE_CLASSES = ("female", "male")
# Bare weights come from whole head-and-shoulders pictures shrunk to ImageNet's 224 px, without landmarks.
_BARE_CROP = CropSpec(224, 1.4, Alignment.BOX)
_IMAGENET_MEAN = (0.485, 0.456, 0.406)
_IMAGENET_STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A trained classifier: what it is, and its tensors.

    Attributes:
        meta: how to use it.
        state: every parameter and buffer by name, as ``nn.Module.state_dict``. Loaded ones are float32
            (batch counters int64) on the CPU.
        tensors_sha256: of the tensors as stored, hexadecimal; empty for one that was not loaded from
            a file of ours.
    """

    meta: CheckpointMeta
    state: dict[str, Tensor]
    tensors_sha256: str = ""


def save_checkpoint(path: Path, checkpoint: Checkpoint, *, dtype: torch.dtype = torch.float16) -> None:
    """Write a checkpoint file, whole or not at all.

    Args:
        path: the file; one that is there is replaced.
        checkpoint: tensors on any device, in any memory format.
        dtype: of the stored kernels and matrices. Biases and BatchNorm's vectors stay float32: they are
            0.1 % of the bytes, and half precision cannot hold every running variance.

    Raises:
        CheckpointError: tensors do not fit the description, or do not fit into ``dtype``.
        OutputError: the file cannot be written.
    """
    state = {name: _as_stored(name, tensor, dtype) for name, tensor in checkpoint.state.items()}
    check_state(state, architecture=checkpoint.meta.architecture, classes=checkpoint.meta.classes)
    document = meta_to_json(checkpoint.meta, tensors_sha256=_digest(state))
    with whole_file(path, overwrite=True) as part:
        part.write_bytes(safetensors.torch.save(state, {_METADATA_KEY: document}))


def save_pth(path: Path, checkpoint: Checkpoint) -> None:
    """Write the tensors alone as a float32 state dict that plain ``torch.load`` reads, whole or not at all.

    Raises:
        OutputError: the file cannot be written.
    """
    # Not straight into the file: where the disk is full, torch's own writer raises no OSError.
    buffer = io.BytesIO()
    torch.save(_as_loaded(checkpoint.state), buffer)
    with whole_file(path, overwrite=True) as part:
        part.write_bytes(buffer.getvalue())


def load_checkpoint(path: Path, *, classes: Sequence[str] | None = None) -> Checkpoint:
    """Read a checkpoint file, or the bare weights of one of the architectures; runs no code from it.

    Bare weights (a ``.pth`` state dict, or safetensors without our description) are taken to be trained
    on 224 px box crops with ImageNet's statistics, at temperature 1.

    Args:
        path: the file. Its content decides what it is, not its name.
        classes: class names for bare weights, in the order of their outputs; by default ``female`` and
            ``male``. For a file that names its own they must be the same.

    Raises:
        CheckpointError: the file is missing, damaged, from a newer version, altered since it was
            written, or does not fit its architecture or classes.
    """
    content = _read(path)
    # Covers the description too. Both digests of the shipped file would cost a start twice the time.
    is_shipped = check_asset(path, content)
    names = None if classes is None else tuple(classes)
    try:
        if _is_safetensors(content):
            return _from_safetensors(content, names, is_checked=is_shipped)
        return _from_bare(read_pickled_state(content), names)
    except CheckpointError as error:
        raise CheckpointError(f"cannot use the weights {str(path)!r}: {error}") from error.__cause__


def default_weights_path() -> Path:
    """The checkpoint that comes with the package.

    Raises:
        CheckpointError: this installation lacks it.
    """
    return asset_path(WEIGHTS)


def _from_bare(state: dict[str, Tensor], classes: tuple[str, ...] | None) -> Checkpoint:
    """A checkpoint of tensors that come without a description."""
    architecture, count = infer_architecture(state)
    if classes is None and count != len(_BARE_CLASSES):
        raise CheckpointError(
            f"its last layer has {count} outputs and it does not name its classes; "
            f"without names there must be 2 ({' and '.join(_BARE_CLASSES)})"
        )
    meta = CheckpointMeta(
        architecture=architecture,
        classes=classes or _BARE_CLASSES,
        crop=_BARE_CROP,
        mean=_IMAGENET_MEAN,
        std=_IMAGENET_STD,
    )
    state = fill_counters(state)
    check_state(state, architecture=architecture, classes=meta.classes)
    return Checkpoint(meta, _as_loaded(state))


def _from_safetensors(content: bytes, classes: tuple[str, ...] | None, *, is_checked: bool) -> Checkpoint:
    document = _read_document(content)
    try:
        bytearray(2 * len(content))  # MemoryError here; the library panics, which is no Exception
        state = safetensors.torch.load(content)
    except (safetensors.SafetensorError, ValueError, KeyError) as error:
        raise CheckpointError(DAMAGED) from error
    if document is None:
        return _from_bare(plain_names(state), classes)
    meta, wanted = meta_from_json(document)
    if classes is not None and classes != meta.classes:
        raise CheckpointError(f"its classes are {', '.join(meta.classes)}, not {', '.join(classes)}")
    check_state(state, architecture=meta.architecture, classes=meta.classes)
    if not is_checked and _digest(state) != wanted:
        raise CheckpointError("its tensors do not have the SHA-256 that they were saved with; fetch it again")
    return Checkpoint(meta, _as_loaded(state), wanted)


def _read(path: Path) -> bytes:
    """The whole file: the mapped pages of one that is replaced while in use would take the process down."""
    if path.is_char_device():  # it would be read until the memory is full
        raise CheckpointError(f"cannot use the weights {str(path)!r}: it is a device, not a file")
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        raise CheckpointError(f"cannot open the weights {str(path)!r}: no such file") from None
    except OSError as error:
        raise CheckpointError(f"cannot open the weights {str(path)!r}: {error.strerror}") from error
    if not content:
        raise CheckpointError(
            f"cannot use the weights {str(path)!r}: the file is empty; fetch or save it again"
        )
    return content


def _is_safetensors(content: bytes) -> bool:
    """True for safetensors, False for a pickle. A header's length may begin like a pickle: look past it."""
    if content[8:9] == b"{":
        return True
    if not content.startswith((b"PK\x03\x04", b"\x80")):
        raise CheckpointError("it is no checkpoint; allowed are safetensors and PyTorch state dicts")
    return False


def _read_document(content: bytes) -> str | None:
    """The JSON document in a safetensors header; None where it has none."""
    length = int.from_bytes(content[:8], "little")
    try:
        header = json.loads(content[8 : 8 + length])
        document = header.get("__metadata__", {}).get(_METADATA_KEY)
    except (ValueError, AttributeError, RecursionError) as error:
        raise CheckpointError(DAMAGED) from error
    return None if document is None else str(document)


def _as_stored(name: str, tensor: Tensor, dtype: torch.dtype) -> Tensor:
    """A tensor as it goes into the file: on the CPU, contiguous, in its own memory."""
    wanted = dtype if tensor.ndim > 1 else torch.float32
    if not tensor.is_floating_point():
        wanted = tensor.dtype
    stored = tensor.detach().to("cpu", wanted, copy=True).contiguous()
    if stored.is_floating_point() and not bool(stored.isfinite().all()):
        raise CheckpointError(
            f"tensor {name!r} holds values that are not finite as {wanted}; it cannot be saved"
        )
    return stored


def _as_loaded(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.detach()
        .to("cpu", torch.float32 if tensor.is_floating_point() else tensor.dtype)
        .contiguous()
        for name, tensor in state.items()
    }


def _digest(state: Mapping[str, Tensor]) -> str:
    """The SHA-256 that the head of this module describes."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].contiguous()
        shape = ",".join(str(side) for side in tensor.shape)
        digest.update(f"{name} {str(tensor.dtype).removeprefix('torch.')} {shape}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
