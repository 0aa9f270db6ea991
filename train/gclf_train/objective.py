"""What the network is trained for: the labels, or the labels and a teacher's answers."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclf_live.errors import DatasetError
from gclf_live.records import F32, I64
from gclf_train.config import Recipe
from gclf_train.teacher import TeacherTargets
from gclf_train.transfer import to_device


class Objective:
    """The loss of a batch, and which training pictures take part.

    With a teacher a second linear layer, the descriptor head, learns to say the teacher's descriptors
    from the same features as the network's last layer. It trains the features and is then left behind.

    Attributes:
        descriptor_head: that layer, or None without a teacher.
    """

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        targets: I64,
        *,
        teacher: TeacherTargets | None,
        device: torch.device,
        weights: F32 | None = None,
    ) -> None:
        """Prepare the loss of ``network``.

        Args:
            recipe: how to train.
            network: what is trained.
            targets: int64, shape (N,): the labels.
            teacher: a teacher's answers for the N pictures.
            device: where the network is.
            weights: float32, shape (N,): what each picture's cross-entropy is multiplied by.
        """
        self._recipe, self._teacher, self._device = recipe, teacher, device
        # On the device as a whole: a step then carries nothing there but its pictures' positions.
        self._targets = torch.from_numpy(targets).to(device)
        self._weights = None if weights is None else torch.from_numpy(weights).to(device)
        if teacher is not None:
            self._probabilities = teacher.probabilities.to(device)
            self._descriptors = teacher.descriptors.to(device)
        self._features = _FeatureTap(network)
        self.descriptor_head: nn.Linear | None = None
        if teacher is not None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(recipe.seed + 1)
                head = nn.Linear(self._features.width, teacher.descriptors.shape[1])
            self.descriptor_head = head.to(device)

    def rows(self) -> I64:
        """The training pictures that take part: int64 (M,), positions.

        Raises:
            DatasetError: the teacher contradicts the labels of so many that fewer than two are left.
        """
        count = len(self._targets)
        keep = torch.ones(count, dtype=torch.bool) if self._teacher is None else self._teacher.keep
        rows = torch.nonzero(keep)[:, 0].numpy()
        if len(rows) < 2:
            raise DatasetError(
                f"the teacher contradicts the labels of {count - len(rows)} of {count} training pictures; "
                "check that its table belongs to this dataset, or leave --teacher out"
            )
        return rows

    def describe(self) -> Tensor | None:
        """The descriptors, float32 (B, D), of the batch that has just been through the network."""
        if self.descriptor_head is None:
            return None
        described: Tensor = self.descriptor_head(self._features.value.float())
        return described

    def loss(self, logits: Tensor, described: Tensor | None, rows: I64) -> Tensor:
        """Cross-entropy against the labels, or against labels and teacher, plus the descriptors' distance.

        Args:
            logits: float32, shape (B, C).
            described: float32, shape (B, D), from ``describe``, or None without a teacher.
            rows: int64, shape (B,): the batch's pictures.
        """
        index = to_device(torch.from_numpy(rows), self._device)
        if described is None:
            smoothing = self._recipe.label_smoothing
            each = F.cross_entropy(logits, self._targets[index], label_smoothing=smoothing, reduction="none")
            return self._weighed(each, index)
        wanted = self._descriptors[index]
        distance = 1 - F.cosine_similarity(described, wanted, dim=1)
        distance = distance * (wanted.abs().sum(1) > 0)
        each = F.cross_entropy(logits, self._probabilities[index], reduction="none")
        return self._weighed(each, index) + self._recipe.teacher.descriptor_weight * distance.mean()

    def _weighed(self, each: Tensor, index: Tensor) -> Tensor:
        """The mean of the pictures' losses, each with its weight: their weights' mean is 1, not a batch's."""
        return each.mean() if self._weights is None else (self._weights[index] * each).mean()


class _FeatureTap:
    """Holds what last went into the network's final linear layer: float (N, ``width``)."""

    def __init__(self, network: nn.Module) -> None:
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        self.width = last.in_features
        self.value: Tensor = torch.empty(0)
        last.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.value = inputs[0]
