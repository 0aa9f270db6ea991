"""One step of the optimiser: network, loss, gradients, weights and their average."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from gclf_live.records import F32, I64
from gclf_train.config import Recipe
from gclf_train.objective import Objective
from gclf_train.order import check_shares
from gclf_train.processes import Processes
from gclf_train.schedule import make_optimiser, update_average
from gclf_train.shared_norm import share_statistics
from gclf_train.small_maps import use_small_map_gradients
from gclf_train.state import copy_state
from gclf_train.teacher import TeacherTargets


@dataclass(frozen=True, slots=True)
class Precision:
    """Where and how the network computes: ``dtype`` float32 means no mixed precision."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """The context in which the network runs."""
        return torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype != torch.float32)


class Stepper:
    """Everything that a step changes.

    Attributes:
        network: what is trained; its weights change in place.
        ema: the average of its state dict; that of the start while the recipe averages nothing.
        objective: the loss.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        targets: I64,
        *,
        precision: Precision,
        teacher: TeacherTargets | None,
        processes: Processes,
        weights: F32 | None = None,
    ) -> None:
        """Move ``network`` to the device; ``targets`` are the training pictures' labels, int64 (N,).

        ``weights``, float32 (N,), are what the pictures count in the loss.

        Raises:
            DatasetError: the teacher leaves nothing to train on.
            UsageError: a batch has fewer pictures than there are processes.
        """
        self._recipe, self._precision, self._processes = recipe, precision, processes
        device = precision.device
        network = network.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if processes.world > 1:
            network = share_statistics(network, device)
        if device.type == "cpu" and precision.dtype == torch.float32:
            use_small_map_gradients(network)
        # Few shapes of batches, each met thousands of times: worth a search for the fastest convolution.
        torch.backends.cudnn.benchmark = device.type == "cuda"
        self.network = network
        self.ema = {name: value.detach().clone() for name, value in network.state_dict().items()}
        self.objective = Objective(recipe, network, targets, teacher=teacher, device=device, weights=weights)
        check_shares(len(self.objective.rows()), recipe.batch_size, processes=processes.world)
        self._optimiser = make_optimiser(recipe, self._parameters())
        self._scaler = torch.amp.GradScaler(device.type, enabled=precision.dtype == torch.float16)
        if processes.world > 1:
            # A network that drops features at random must not drop the same ones in every share.
            torch.manual_seed(recipe.seed * processes.world + processes.rank)
        self._forward = self._spread(_Forward(network, self.objective, precision))

    def step(self, x: Tensor, rows: I64, *, batch: int, lr: float, steps: int) -> Tensor:
        """One optimiser step.

        Args:
            x: float32, shape (n, 3, size, size): this process's share of the batch.
            rows: int64, shape (n,): their positions among the training pictures.
            batch: pictures of the whole batch.
            lr: learning rate.
            steps: done before this one in the whole run.

        Returns:
            The share's mean loss, a tensor of no dimension that lies on the device.
        """
        for group in self._optimiser.param_groups:
            group["lr"] = lr
        logits, described = self._forward(x.contiguous(memory_format=torch.channels_last))
        loss = self.objective.loss(logits, described, rows)
        self._optimiser.zero_grad(set_to_none=True)
        # The processes' gradients are averaged: each weighs as much as it has of the pictures.
        weighted = loss * (len(rows) * self._processes.world / batch) if self._processes.world > 1 else loss
        self._scaler.scale(weighted).backward()  # type: ignore[no-untyped-call]
        self._scaler.step(self._optimiser)
        self._scaler.update()
        update_average(self.ema, self.network.state_dict(), decay=self._recipe.ema_decay, steps=steps)
        return loss.detach()

    def averaged(self) -> dict[str, Tensor]:
        """The state dict that is validated and kept: the average, or the network's own without one."""
        return self.ema if self._recipe.ema_decay > 0 else self.network.state_dict()

    def tensors(self) -> dict[str, Any]:
        """What ``RunState.tensors`` holds of all this."""
        state: dict[str, Any] = {
            "network": copy_state(self.network.state_dict()),
            "ema": copy_state(self.ema),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }
        if self.objective.descriptor_head is not None:
            state["descriptor_head"] = copy_state(self.objective.descriptor_head.state_dict())
        return state

    def load(self, state: dict[str, Any]) -> None:
        """Go on from what ``tensors`` gave."""
        self.network.load_state_dict(state["network"])
        self.ema = {name: value.to(self._precision.device) for name, value in state["ema"].items()}
        self._optimiser.load_state_dict(state["optimiser"])
        if state["scaler"]:  # empty where the run began without float16: it begins at its own start then
            self._scaler.load_state_dict(state["scaler"])
        if self.objective.descriptor_head is not None:
            self.objective.descriptor_head.load_state_dict(state["descriptor_head"])

    def _parameters(self) -> Iterator[nn.Parameter]:
        yield from self.network.parameters()
        if self.objective.descriptor_head is not None:
            yield from self.objective.descriptor_head.parameters()

    def _spread(self, forward: nn.Module) -> nn.Module:
        """``forward`` with gradients that are the mean over all processes."""
        if self._processes.world == 1:
            return forward
        devices = [self._precision.device] if self._precision.device.type == "cuda" else None
        # Buffers need no copying: every process computes the same statistics, of the whole batch.
        return DistributedDataParallel(forward, device_ids=devices, broadcast_buffers=False)


class _Forward(nn.Module):
    """Logits, float32 (N, C), and with a teacher the descriptors, float32 (N, D), of a batch."""

    def __init__(self, network: nn.Module, objective: Objective, precision: Precision) -> None:
        super().__init__()
        self.network, self.head = network, objective.descriptor_head
        self._objective, self._precision = objective, precision

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        with self._precision.autocast():
            logits = self.network(x)
        return logits.float(), self._objective.describe()
