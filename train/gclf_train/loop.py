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
from torch import Tensor, nn

from gclf_live.errors import GclfError, UsageError
from gclf_live.records import I64
from gclf_train.augment import BatchAugmenter
from gclf_train.config import Recipe
from gclf_train.metrics import Scores, score
from gclf_train.objective import Objective
from gclf_train.schedule import learning_rate, make_optimiser, update_average
from gclf_train.small_maps import use_small_map_gradients
from gclf_train.sources import PictureSource
from gclf_train.state import STATE_NAME, RunState, copy_state
from gclf_train.teacher import TeacherTargets

SAVE_EVERY_S = 240.0
"""How much work a kill may cost; writing the state of a ResNet18 takes about a second."""


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
        save_every_s: float = SAVE_EVERY_S,
        on_step: Callable[[StepReport], None] = lambda report: None,
        on_epoch: Callable[[dict[str, Any]], None] = lambda row: None,
    ) -> None:
        """Prepare a run.

        Args:
            recipe: how to train.
            network: what to train; moved to the device and trained in place.
            train, val: the pictures.
            augmenter: turns stored pictures into the network's input.
            precision: where and how to compute.
            run_dir: an existing folder; ``last.pt`` is kept there.
            run_sha256: what this is a run of; a state that is resumed must agree with it.
            teacher: a teacher's answers for the training pictures.
            save_every_s: seconds between two states saved within an epoch; one is saved after each.
            on_step, on_epoch: called after every step, and with the new row of the history after
                every epoch, when its state has been saved.

        Raises:
            DatasetError: the teacher leaves nothing to train on.
        """
        # Denormal weights late in a training halve a processor's speed.
        torch.set_flush_denormal(True)
        self.recipe, self.train, self.val, self.augmenter = recipe, train, val, augmenter
        self.precision, self.run_dir, self.save_every_s = precision, run_dir, save_every_s
        self.on_step, self.on_epoch = on_step, on_epoch
        self.network = network.to(precision.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if precision.device.type == "cpu" and precision.dtype == torch.float32:
            use_small_map_gradients(self.network)
        self.ema = {name: value.detach().clone() for name, value in self.network.state_dict().items()}
        self.objective = Objective(
            recipe, self.network, train.targets, teacher=teacher, device=precision.device
        )
        self.optimiser = make_optimiser(recipe, self._parameters())
        self.scaler = torch.amp.GradScaler(precision.device.type, enabled=precision.dtype == torch.float16)
        self.rows = self.objective.rows()
        self.steps_per_epoch = _step_count(len(self.rows), recipe.batch_size)
        self.state = RunState(recipe_sha256=run_sha256)

    def resume(self) -> None:
        """Go on where ``run_dir/last.pt`` stands.

        Raises:
            CheckpointError: it is missing or damaged.
            UsageError: it is the state of another run.
        """
        state = RunState.load(self.run_dir / STATE_NAME)
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
        if self.objective.descriptor_head is not None:
            self.objective.descriptor_head.load_state_dict(state.tensors["descriptor_head"])

    def run(self) -> dict[str, Tensor]:
        """Train to the end or until patience runs out.

        Returns:
            The state dict of the epoch with the best balanced accuracy on the validation split.

        Raises:
            GclfError: the weights have become infinite or NaN.
            OutputError: the run's folder cannot be written.
        """
        while self.state.epoch < self.recipe.epochs and not self._out_of_patience():
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
            if now_s - saved_s >= self.save_every_s:
                self.save()
                saved_s = now_s
            total = recipe.epochs * self.steps_per_epoch
            self.on_step(StepReport(state.epoch, self._steps_done(), total, state.loss_sum / state.seen))

    def _step(self, x: Tensor, rows: I64) -> float:
        """One optimiser step on the training pictures ``rows``; returns the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = self._learning_rate()
        device, dtype = self.precision.device, self.precision.dtype
        with torch.autocast(device.type, dtype=dtype, enabled=dtype != torch.float32):
            logits = self.network(x.contiguous(memory_format=torch.channels_last))
        loss = self.objective.loss(logits.float(), rows)
        self.optimiser.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        update_average(
            self.ema, self.network.state_dict(), decay=self.recipe.ema_decay, steps=self._steps_done()
        )
        return float(loss.detach())

    def evaluate(self) -> Scores:
        """Score the averaged network on the validation pictures at this epoch's input size."""
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
        if not math.isfinite(scores.loss):
            raise GclfError(
                f"the loss is no longer finite in epoch {state.epoch + 1}: the steps are too large; "
                f"start again with --overwrite and --lr below {self.recipe.lr:g}"
            )
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
        if self.objective.descriptor_head is not None:
            self.state.tensors["descriptor_head"] = copy_state(self.objective.descriptor_head.state_dict())
        self.state.save(self.run_dir / STATE_NAME)

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

    def _parameters(self) -> Iterator[nn.Parameter]:
        yield from self.network.parameters()
        if self.objective.descriptor_head is not None:
            yield from self.objective.descriptor_head.parameters()

    def _learning_rate(self) -> float:
        """Of the step that comes next."""
        state = self.state
        return learning_rate(
            self.recipe, epoch=state.epoch, step=state.step, steps_per_epoch=self.steps_per_epoch
        )

    def _steps_done(self) -> int:
        """Optimiser steps since the start of the run."""
        return self.state.epoch * self.steps_per_epoch + self.state.step

    def _out_of_patience(self) -> bool:
        """Whether too many epochs were no better, at the input size that the checkpoint is used with."""
        history = self.state.history
        at_last_size = bool(history) and history[-1]["image_size_px"] == self.recipe.final_size_px
        return at_last_size and self.state.bad_epochs >= self.recipe.patience


def _step_count(rows: int, batch_size: int) -> int:
    """Batches an epoch; none of one picture alone, which batch normalisation cannot take."""
    return max(1, min(math.ceil(rows / batch_size), rows // 2))
