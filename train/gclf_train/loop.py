"""The training loop: read it from top to bottom.

Every step's pictures and their changes come from (seed, epoch, step) alone, so a run that is resumed
in the middle of an epoch goes on to the same curve.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from gclf_live.errors import UsageError
from gclf_live.records import I64
from gclf_train.augment import BatchAugmenter
from gclf_train.config import Optimiser, Recipe
from gclf_train.metrics import Scores, score
from gclf_train.sources import PictureSource
from gclf_train.state import RunState, copy_state
from gclf_train.teacher import TeacherTargets

SAVE_EVERY_S = 240.0


@dataclass(frozen=True, slots=True)
class Split:
    """One labelled split: its stored pictures and, int64 (N,), their class indices."""

    source: PictureSource
    targets: I64


@dataclass(frozen=True, slots=True)
class StepReport:
    """What a progress display needs: steps done and in all of the whole run, and the epoch's mean loss."""

    epoch: int
    done: int
    total: int
    loss: float


@dataclass(frozen=True, slots=True)
class Precision:
    """Where and how the network computes: ``dtype`` float32 means no mixed precision."""

    device: torch.device
    dtype: torch.dtype


class Trainer:
    """Trains one network by one recipe."""

    def __init__(
        self,
        recipe: Recipe,
        network: nn.Module,
        *,
        train: Split,
        val: Split,
        augmenter: BatchAugmenter,
        precision: Precision,
        run_dir: Path,
        run_sha256: str,
        teacher: TeacherTargets | None = None,
        on_step: Callable[[StepReport], None] = lambda report: None,
        on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    ) -> None:
        """Prepare a run; ``run_sha256`` says what it is a run of, and a resumed state must agree with it."""
        torch.set_flush_denormal(True)  # denormal weights late in training halve a processor's speed
        self.recipe, self.train, self.val, self.augmenter = recipe, train, val, augmenter
        self.precision, self.run_dir, self.teacher = precision, run_dir, teacher
        self.on_step, self.on_epoch = on_step, on_epoch
        self.network = network.to(precision.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.ema = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.features = _FeatureTap(self.network)
        width = teacher.descriptors.shape[1] if teacher is not None else 0
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(recipe.seed + 1)
            self.descriptor_head = (
                nn.Linear(self.features.width, width).to(precision.device) if width else None
            )
        self.optimiser = _make_optimiser(recipe, self._parameters())
        self.scaler = torch.amp.GradScaler(precision.device.type, enabled=precision.dtype == torch.float16)
        self.rows = _kept_rows(len(train.targets), teacher)
        self.steps_per_epoch = math.ceil(len(self.rows) / recipe.batch_size)
        self.state = RunState(recipe_sha256=run_sha256)

    def resume(self) -> None:
        """Go on where ``run_dir/last.pt`` stands."""
        state = RunState.load(self.run_dir / "last.pt")
        if state.recipe_sha256 != self.state.recipe_sha256:
            raise UsageError(
                f"{str(self.run_dir)!r} holds a run with another recipe or other pictures; "
                "resume with the options it was started with, or choose another folder with -o"
            )
        self.state = state
        self.network.load_state_dict(state.tensors["network"])
        self.ema = {name: value.to(self.precision.device) for name, value in state.tensors["ema"].items()}
        self.optimiser.load_state_dict(state.tensors["optimiser"])
        self.scaler.load_state_dict(state.tensors["scaler"])
        if self.descriptor_head is not None:
            self.descriptor_head.load_state_dict(state.tensors["descriptor_head"])

    def run(self) -> dict[str, Tensor]:
        """Train to the end or until patience runs out; returns the best epoch's state dict."""
        while self.state.epoch < self.recipe.epochs and self.state.bad_epochs < self.recipe.patience:
            self._train_epoch()
            self._finish_epoch(self.evaluate())
        best: dict[str, Tensor] = self.state.tensors["best"]
        return best

    def _train_epoch(self) -> None:
        """The steps of this epoch that are still to do."""
        state, recipe = self.state, self.recipe
        self.network.train()
        size_px = recipe.size_at(state.epoch)
        order = self._order(state.epoch)
        started_s = saved_s = time.monotonic()
        spent_before_s = state.seconds
        todo = order[state.step :]
        for rows, pictures in zip(todo, self.train.source.batches(todo), strict=True):
            generator = self._generator(state.epoch, state.step)
            x = self.augmenter.augmented(pictures.to(self.precision.device), size_px, generator)
            loss = self._step(x, rows)
            state.step += 1
            state.loss_sum += loss * len(rows)
            state.seen += len(rows)
            now_s = time.monotonic()
            state.seconds = spent_before_s + now_s - started_s
            if now_s - saved_s > SAVE_EVERY_S:
                self.save()
                saved_s = now_s
            done = state.epoch * self.steps_per_epoch + state.step
            self.on_step(
                StepReport(
                    state.epoch, done, recipe.epochs * self.steps_per_epoch, state.loss_sum / state.seen
                )
            )

    def _step(self, x: Tensor, rows: I64) -> float:
        """One optimiser step on the training pictures ``rows``; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        device, dtype = self.precision.device, self.precision.dtype
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = self.network(x.contiguous(memory_format=torch.channels_last))
        loss = self._loss(logits.float(), rows)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._average()
        return float(loss.detach())

    def _loss(self, logits: Tensor, rows: I64) -> Tensor:
        """Cross-entropy against the labels, or against labels and teacher, plus the descriptors' distance."""
        smoothing = self.recipe.label_smoothing
        if self.teacher is None or self.descriptor_head is None:
            targets = torch.from_numpy(self.train.targets[rows]).to(logits.device)
            return F.cross_entropy(logits, targets, label_smoothing=smoothing)
        index = torch.from_numpy(rows)
        mixed = self.teacher.probabilities[index].to(logits.device)
        wanted = self.teacher.descriptors[index].to(logits.device)
        described = self.descriptor_head(self.features.value.float())
        distance = 1 - F.cosine_similarity(described, wanted, dim=1)
        distance = distance * (wanted.abs().sum(1) > 0)
        return F.cross_entropy(logits, mixed) + self.recipe.teacher.descriptor_weight * distance.mean()

    def _learning_rate(self) -> float:
        """Linear warm-up, then constant or half a cosine down to 1 % (Loshchilov & Hutter 2017)."""
        recipe, state = self.recipe, self.state
        at = state.epoch + state.step / self.steps_per_epoch
        if at < recipe.warmup_epochs:
            return recipe.lr * (at + 1 / self.steps_per_epoch) / recipe.warmup_epochs
        if not recipe.cosine:
            return recipe.lr
        progress = (at - recipe.warmup_epochs) / max(recipe.epochs - recipe.warmup_epochs, 1e-9)
        return recipe.lr * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0))))

    @torch.no_grad()
    def _average(self) -> None:
        """Exponential moving average of the weights, with a shorter memory at the start."""
        decay = self.recipe.ema_decay
        if decay <= 0:
            return
        done = self.state.epoch * self.steps_per_epoch + self.state.step
        decay = min(decay, (1 + done) / (10 + done))
        for name, value in self.network.state_dict().items():
            if value.dtype.is_floating_point:
                self.ema[name].lerp_(value, 1 - decay)
            else:
                self.ema[name].copy_(value)

    def evaluate(self) -> Scores:
        """Score the averaged network on the validation pictures at the last epoch's input size."""
        live = copy_state(self.network.state_dict())
        if self.recipe.ema_decay > 0:
            self.network.load_state_dict(self.ema)
        logits = self.logits(self.val.source, self.recipe.size_at(self.state.epoch))
        self.network.load_state_dict(live)
        return score(logits, torch.from_numpy(self.val.targets))

    @torch.inference_mode()
    def logits(self, source: PictureSource, size_px: int) -> Tensor:
        """Logits of every picture of ``source``: float32 (N, C), on the processor."""
        self.network.eval()
        device, dtype = self.precision.device, self.precision.dtype
        order = np.array_split(
            np.arange(len(source)), max(1, math.ceil(len(source) / self.recipe.batch_size))
        )
        rows = []
        for pictures in source.batches(order):
            x = self.augmenter.plain(pictures.to(device), size_px).contiguous(
                memory_format=torch.channels_last
            )
            with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
                rows.append(self.network(x).float().cpu())
        return torch.cat(rows)

    def _finish_epoch(self, scores: Scores) -> None:
        """Note the epoch's results, keep the best weights, save."""
        state = self.state
        row = {
            "epoch": state.epoch + 1,
            "image_size_px": self.recipe.size_at(state.epoch),
            "lr": self._learning_rate(),
            "train_loss": state.loss_sum / max(state.seen, 1),
            "val_loss": scores.loss,
            "val_accuracy": scores.accuracy,
            "val_balanced_accuracy": scores.balanced_accuracy,
            "seconds": state.seconds,
        }
        state.history.append(row)
        better = (scores.balanced_accuracy, -scores.loss) > (state.best_accuracy, -state.best_loss)
        # Input sizes differ in what they can reach: the best of a smaller one must not win over the last.
        new_size = len(state.history) > 1 and row["image_size_px"] != state.history[-2]["image_size_px"]
        if better or new_size:
            state.best_accuracy, state.best_loss, state.bad_epochs = scores.balanced_accuracy, scores.loss, 0
            weights = self.ema if self.recipe.ema_decay > 0 else self.network.state_dict()
            state.tensors["best"] = copy_state(weights)
        else:
            state.bad_epochs += 1
        state.epoch, state.step, state.loss_sum, state.seen, state.seconds = state.epoch + 1, 0, 0.0, 0, 0.0
        self.save()
        self.on_epoch(row)

    def save(self) -> None:
        """Write the run's whole state to ``run_dir/last.pt``."""
        self.state.tensors |= {
            "network": copy_state(self.network.state_dict()),
            "ema": copy_state(self.ema),
            "optimiser": self.optimiser.state_dict(),
            "scaler": self.scaler.state_dict(),
        }
        if self.descriptor_head is not None:
            self.state.tensors["descriptor_head"] = copy_state(self.descriptor_head.state_dict())
        self.state.save(self.run_dir / "last.pt")

    def _order(self, epoch: int) -> Sequence[I64]:
        """The epoch's batches: index arrays into the training split, shuffled by (seed, epoch)."""
        shuffled = np.random.default_rng([self.recipe.seed, epoch]).permutation(self.rows)
        return np.array_split(shuffled, self.steps_per_epoch)

    def _generator(self, epoch: int, step: int) -> torch.Generator:
        """The random numbers of one step."""
        seed = int(
            np.random.SeedSequence([self.recipe.seed, epoch, step]).generate_state(1, np.uint64)[0] >> 1
        )
        return torch.Generator(self.precision.device).manual_seed(seed)

    def _parameters(self) -> Iterator[tuple[str, nn.Parameter]]:
        yield from self.network.named_parameters()
        if self.descriptor_head is not None:
            yield from self.descriptor_head.named_parameters(prefix="descriptor_head")


class _FeatureTap:
    """Holds what last went into the network's final linear layer: float (N, ``width``)."""

    def __init__(self, network: nn.Module) -> None:
        last = [module for module in network.modules() if isinstance(module, nn.Linear)][-1]
        self.width = last.in_features
        self.value: Tensor = torch.empty(0)
        last.register_forward_pre_hook(self._keep)

    def _keep(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self.value = inputs[0]


def _kept_rows(count: int, teacher: TeacherTargets | None) -> I64:
    """The training pictures that take part."""
    if teacher is None:
        return np.arange(count, dtype=np.int64)
    return np.flatnonzero(teacher.keep.numpy()).astype(np.int64)


def _make_optimiser(recipe: Recipe, parameters: Iterator[tuple[str, nn.Parameter]]) -> torch.optim.Optimizer:
    """The recipe's optimiser; biases and normalisation are not decayed."""
    decayed: list[nn.Parameter] = []
    plain: list[nn.Parameter] = []
    for _, parameter in parameters:
        (decayed if parameter.ndim > 1 else plain).append(parameter)
    groups = [
        {"params": decayed, "weight_decay": recipe.weight_decay},
        {"params": plain, "weight_decay": 0.0},
    ]
    kind = torch.optim.AdamW if recipe.optimiser is Optimiser.ADAMW else torch.optim.Adam
    return kind(groups, lr=recipe.lr, fused=True)
