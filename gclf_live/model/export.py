"""The classifier as an ONNX file, for programs without torch: normalisation, network, softmax in one graph.

The graph takes pixels from 0 to 255 as any picture library gives them and normalises them itself: a caller
cannot divide twice, use another mean or forget the temperature. What is left to get wrong, the order of the
colours and the crop, is said in the file's metadata, one JSON document under the key ``gclf_live``.
"""

from __future__ import annotations

import importlib
import io
import json
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from gclf_live.errors import CheckpointError, GclfError
from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta
from gclf_live.model.fold import fold_batch_norm
from gclf_live.model.networks import network_from_state
from gclf_live.model.preprocess import normalise
from gclf_live.records import F32, U8
from gclf_live.wording import pip_install

METADATA_KEY = "gclf_live"
TOLERANCE = 1e-3
"""How far a float32 file may be from torch: absolute, and relative for logits above 1."""
HALF_TOLERANCE = 1e-2
"""Likewise for half precision, whose products are off by 1 in 2048 each."""

_OPSET = 17  # read by ONNX Runtime since 1.12 and TensorRT since 8.5; nothing newer is needed
_MEANING = "how a face is perceived in a picture, never who or what a person is"

OnnxRunner = Callable[[bytes, F32], tuple[F32, F32]]
"""Runs a model file on inputs (N, 3, S, S) and gives logits (N, C) and probabilities (N, C)."""


@dataclass(frozen=True, slots=True)
class OnnxModel:
    """An ONNX file that agrees with torch.

    Attributes:
        content: the whole file.
        difference: largest difference of a probability from torch's, on the pictures of the check.
        tolerance: what would have been allowed.
    """

    content: bytes
    difference: float
    tolerance: float


def run_onnx(content: bytes, inputs: F32) -> tuple[F32, F32]:
    """Logits and probabilities from ONNX Runtime on the CPU; see ``OnnxRunner``."""
    session = _require("onnxruntime").InferenceSession(content, providers=["CPUExecutionProvider"])
    logits, probabilities = session.run(["logits", "probabilities"], {"input": inputs})
    return np.asarray(logits, np.float32), np.asarray(probabilities, np.float32)


def export_onnx(checkpoint: Checkpoint, *, half: bool = False, run: OnnxRunner = run_onnx) -> OnnxModel:
    """Turn a checkpoint into an ONNX file and hold it against torch.

    Its input ``input`` is float32, shape (N, 3, S, S), RGB, 0 to 255, with any N. Its outputs are
    ``logits`` and ``probabilities``, float32, shape (N, C); the latter are ``softmax(logits / temperature)``.

    Args:
        checkpoint: of any architecture and number of classes.
        half: weights and arithmetic of the network in float16, for half the bytes; input and outputs stay
            float32, and so do normalisation and softmax.
        run: runs the file for the check.

    Raises:
        GclfError: the packages of the extra ``export`` are missing.
        CheckpointError: the file's answers are further from torch's than ``TOLERANCE`` or
            ``HALF_TOLERANCE``, as with weights that half precision cannot hold.
    """
    onnx = _require("onnx")
    _require("onnxruntime")
    model = onnx.load_from_string(_trace(checkpoint, half=half))
    onnx.helper.set_model_props(model, {METADATA_KEY: _describe(checkpoint, half=half)})
    model.producer_name = "gclf-live"
    model.doc_string = f"Labels say {_MEANING}."
    onnx.checker.check_model(model, full_check=True)
    content: bytes = model.SerializeToString()
    tolerance = HALF_TOLERANCE if half else TOLERANCE
    return OnnxModel(content, _compare(checkpoint, content, run, tolerance), tolerance)


class _Graph(nn.Module):
    """What goes into the file: normalisation, network, softmax."""

    scale: Tensor
    offset: Tensor
    temperature: Tensor

    def __init__(self, checkpoint: Checkpoint, *, half: bool) -> None:
        super().__init__()
        meta = checkpoint.meta
        network = network_from_state(meta.architecture, len(meta.classes), checkpoint.state).eval()
        self.network = fold_batch_norm(network).requires_grad_(False).to(torch.float16 if half else None)
        mean, std = (torch.tensor(values).view(3, 1, 1) for values in (meta.mean, meta.std))
        self.register_buffer("scale", 1 / (255 * std))
        self.register_buffer("offset", -mean / std)
        self.register_buffer("temperature", torch.tensor(meta.temperature))
        self._dtype = torch.float16 if half else torch.float32

    def forward(self, pixels: Tensor) -> tuple[Tensor, Tensor]:
        """Logits and probabilities of pixels (N, 3, S, S), RGB, 0 to 255."""
        logits = self.network((pixels * self.scale + self.offset).to(self._dtype)).float()
        return logits, torch.softmax(logits / self.temperature, dim=1)


def _trace(checkpoint: Checkpoint, *, half: bool) -> bytes:
    """The graph without its metadata.

    By tracing: these networks take no decisions, and torch's newer exporter gives the same graph in 18 s
    instead of 1 s, fills it with notes about its own source code and needs one package more.
    """
    side = checkpoint.meta.crop.size_px
    buffer = io.BytesIO()
    names = ("logits", "probabilities")
    with warnings.catch_warnings(), torch.inference_mode():
        warnings.simplefilter("ignore")  # about the choice of the exporter, and onnx about itself
        torch.onnx.export(
            _Graph(checkpoint, half=half).eval(),
            (torch.zeros(2, 3, side, side),),
            buffer,  # type: ignore[arg-type]  # taken by tracing, unlike by the newer exporter
            dynamo=False,
            opset_version=_OPSET,
            input_names=["input"],
            output_names=list(names),
            dynamic_axes={name: {0: "batch"} for name in ("input", *names)},
        )
    return buffer.getvalue()


def _describe(checkpoint: Checkpoint, *, half: bool) -> str:
    """The JSON document of the metadata: how to use the file, and where it came from."""
    meta = checkpoint.meta
    document = {
        "format_version": 1,
        "meaning": _MEANING,
        **asdict(meta),
        "terms": meta.data.get("terms", ""),
        "input": _input_facts(meta),
        "outputs": {"logits": "scores", "probabilities": "softmax(logits / temperature)"},
        "precision": "float16" if half else "float32",
        "tensors_sha256": checkpoint.tensors_sha256,
    }
    return json.dumps(document, ensure_ascii=False, sort_keys=True)


def _input_facts(meta: CheckpointMeta) -> dict[str, Any]:
    side = meta.crop.size_px
    return {
        "name": "input",
        "dtype": "float32",
        "layout": "NCHW",
        "shape": ["batch", 3, side, side],
        "colour_order": "RGB",
        "value_range": [0, 255],
        "normalised_inside": True,
    }


def _compare(checkpoint: Checkpoint, content: bytes, run: OnnxRunner, tolerance: float) -> float:
    """The largest difference of a probability, for one picture alone and for several at once."""
    crops = _pictures(checkpoint.meta.crop.size_px)
    wanted_logits, wanted = _answers_of_torch(checkpoint, crops)
    inputs = np.ascontiguousarray(crops[..., ::-1].transpose(0, 3, 1, 2), np.float32)
    differences = []
    for count in (1, len(crops)):
        logits, probabilities = run(content, inputs[:count])
        differences.append(float(np.abs(probabilities - wanted[:count]).max()))
        scale = np.maximum(np.abs(wanted_logits[:count]), 1)
        of_logits = float((np.abs(logits - wanted_logits[:count]) / scale).max())
        # Written so that NaN is refused too.
        if not (differences[-1] <= tolerance and of_logits <= tolerance):
            raise CheckpointError(
                f"the ONNX model does not agree with torch: probabilities differ by {differences[-1]:.2g}, "
                f"logits by {of_logits:.2g} of their size; allowed is {tolerance:g}. Nothing was written. "
                "Export without --half, or other weights"
            )
    return max(differences)


def _answers_of_torch(checkpoint: Checkpoint, crops: U8) -> tuple[F32, F32]:
    """Logits and probabilities by the way that labelling goes: BGR crops, BatchNorm not yet folded."""
    meta = checkpoint.meta
    network = network_from_state(meta.architecture, len(meta.classes), checkpoint.state).eval()
    with torch.inference_mode():
        logits = network(normalise(crops, mean=meta.mean, std=meta.std))
        probabilities = torch.softmax(logits / meta.temperature, dim=1)
    return logits.numpy(), probabilities.numpy()


def _pictures(side_px: int) -> U8:
    """Crops that use the whole range: coloured patches, noise, black and white; uint8 (6, S, S, 3)."""
    rng = np.random.default_rng(11)
    patches = rng.integers(0, 256, (3, 4, 4, 3), np.uint8)
    patches = patches.repeat(-(-side_px // 4), axis=1).repeat(-(-side_px // 4), axis=2)
    flat = np.zeros((2, side_px, side_px, 3), np.uint8)
    flat[1] = 255
    noise = rng.integers(0, 256, (1, side_px, side_px, 3), np.uint8)
    return np.concatenate([patches[:, :side_px, :side_px], noise, flat])


def _require(package: str) -> Any:
    """A package of the extra ``export``, imported on first use."""
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise GclfError(
            f"export needs the package {package!r}, which cannot be imported ({error}); "
            + pip_install("onnx onnxruntime")
        ) from error
