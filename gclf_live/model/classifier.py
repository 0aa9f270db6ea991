"""The classifier: face crops in, calibrated class probabilities out, many at a time."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from gclf_live.errors import UsageError
from gclf_live.geometry import CropSpec
from gclf_live.model.checkpoint import Checkpoint, CheckpointMeta, default_weights_path, load_checkpoint
from gclf_live.model.device import ComputePlan, Precision, choose_plan
from gclf_live.model.fold import fold_batch_norm
from gclf_live.model.networks import network_from_state
from gclf_live.model.preprocess import normalise
from gclf_live.records import F32, U8, AnyPath, Predictions

MAX_BATCH = 64
"""Crops that go through the network at once; more are split."""
CPU_BATCH = 32
"""The same on a processor: what lies between two layers should stay in its caches.

``python -m benchmarks.gpu --device cpu`` compares the sizes.
"""


class Classifier:
    """Says what each of N face crops looks like. Its methods may be called from several threads.

    The network runs as it is, in ``channels_last`` memory format with BatchNorm folded away. On a CPU
    (ResNet18, 112 px, batches of 1 to 8, float32) a traced and frozen copy was 3 to 7 % faster, which
    does not pay for the 0.4 to 1.4 s that making it adds to every start.
    """

    def __init__(self, checkpoint: Checkpoint, plan: ComputePlan) -> None:
        """Put the network of ``checkpoint`` where ``plan`` says.

        Raises:
            RuntimeError: the tensors do not fit the architecture; those of ``load_checkpoint`` do.
        """
        meta = checkpoint.meta
        network = network_from_state(meta.architecture, len(meta.classes), checkpoint.state).eval()
        network = fold_batch_norm(network).requires_grad_(False)
        self._network: nn.Module = network.to(plan.device, plan.dtype, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._meta = meta
        self._plan = plan

    @classmethod
    def load(
        cls,
        weights: AnyPath | None = None,
        *,
        device: str = "auto",
        precision: Precision | None = None,
        threads: int | None = None,
    ) -> Classifier:
        """Load a checkpoint file.

        Args:
            weights: the file; by default the one that comes with the package.
            device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``, see ``choose_plan``.
            precision: by default what is fastest on the device, see ``choose_plan``.
            threads: CPU threads that torch uses from now on, in the whole process; by default as it is.

        Raises:
            CheckpointError: the file cannot be used.
            DeviceError: ``device`` is not there.
            UsageError: ``device`` is none of these, or ``threads`` is below 1.
        """
        if threads is not None and threads < 1:
            raise UsageError(f"{threads} threads; allowed are 1 and more")
        plan = choose_plan(device, precision)
        if threads is not None:
            torch.set_num_threads(threads)
        path = default_weights_path() if weights is None else Path(weights)
        return cls(load_checkpoint(path), plan)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C classes, in the order of the columns."""
        return self._meta.classes

    @property
    def crop_spec(self) -> CropSpec:
        """How crops for this classifier are cut."""
        return self._meta.crop

    @property
    def meta(self) -> CheckpointMeta:
        """Everything that the checkpoint says of itself."""
        return self._meta

    @property
    def plan(self) -> ComputePlan:
        """Where and how the network runs."""
        return self._plan

    @property
    def network(self) -> nn.Module:
        """The network as it runs: on its device, in its number format, BatchNorm folded away."""
        return self._network

    def log_probabilities(self, crops: U8) -> F32:
        """Logarithm of the calibrated class probabilities: what evidence over time is summed from.

        Args:
            crops: uint8, shape (N, S, S, 3), BGR, cut as ``crop_spec`` says. N may be 0.

        Returns:
            float32, shape (N, C): ``log_softmax(logits / temperature)``.

        Raises:
            ValueError: ``crops`` have another type or size.
        """
        self._check(crops)
        if not len(crops):
            return np.zeros((0, len(self.classes)), np.float32)
        with torch.inference_mode():
            size = CPU_BATCH if self._plan.device.type == "cpu" else MAX_BATCH
            batches = [self._logits(crops[i : i + size]) for i in range(0, len(crops), size)]
            log_probabilities = self._calibrated(torch.cat(batches)).cpu().numpy()
        return np.asarray(log_probabilities, np.float32)

    def log_probabilities_on_device(self, crops: Tensor) -> Tensor:
        """As ``log_probabilities``, for crops that lie on the device already; nothing is waited for.

        Args:
            crops: uint8, shape (N, S, S, 3), BGR, on the device of ``plan``; one batch, not split.

        Returns:
            float32, shape (N, C), on that device.
        """
        return self._calibrated(self._logits(crops))

    def predict(self, crops: U8) -> Predictions:
        """Calibrated class probabilities of N crops; arguments and errors as ``log_probabilities``."""
        return Predictions(self.classes, np.exp(self.log_probabilities(crops)))

    def warm_up(self, batch_sizes: Iterable[int] = (1,)) -> None:
        """Run blank crops, so that the first real ones do not wait for kernels to be chosen."""
        side = self.crop_spec.size_px
        for size in batch_sizes:
            self.log_probabilities(np.zeros((size, side, side, 3), np.uint8))

    def _calibrated(self, logits: Tensor) -> Tensor:
        # float32 on every device: half precision cannot tell a confidence of 0.9998 from 1.
        return torch.log_softmax(logits.float() / self._meta.temperature, dim=1)

    def _logits(self, crops: U8 | Tensor) -> Tensor:
        """Uncalibrated scores of one batch, (N, C), on the device."""
        inputs = normalise(
            crops,
            mean=self._meta.mean,
            std=self._meta.std,
            dtype=self._plan.dtype,
            device=self._plan.device,
        )
        logits: Tensor = self._network(inputs)
        return logits

    def _check(self, crops: U8) -> None:
        side = self.crop_spec.size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            raise ValueError(f"crops are {crops.dtype} {crops.shape}; they must be uint8 Nx{side}x{side}x3")
