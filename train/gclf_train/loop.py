"""The training loop: read it from top to bottom.

Every step's pictures and their changes come from (seed, epoch, step) alone, so a run that is resumed
in the middle of an epoch, or by another number of processes, goes on to the same curve, unless the network
itself drops features at random.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from gclf_live.errors import GclfError, UsageError
from gclf_live.records import F32, I64
from gclf_train.asked import differences
from gclf_train.augment import BatchAugmenter
from gclf_train.config import Recipe
from gclf_train.losses import LossSum
from gclf_train.memory import does_not_fit, is_out_of_memory
from gclf_train.metrics import Scores, score
from gclf_train.order import epoch_batches, step_count, step_generators
from gclf_train.processes import Processes
from gclf_train.reports import RunStopped, StepReport
from gclf_train.schedule import learning_rate
from gclf_train.sources import PictureSource, Split
from gclf_train.state import STATE_NAME, RunState, copy_state
from gclf_train.stepper import Precision, Stepper
from gclf_train.teacher import TeacherTargets
from gclf_train.transfer import to_device
from gclf_train.validation import answer

SAVE_EVERY_S = 240.0
"""How much work a kill may cost; writing the state of a ResNet18 takes about a second."""


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
        asked: Mapping[str, str] | None = None,
        teacher: TeacherTargets | None = None,
        weights: F32 | None = None,
        processes: Processes = Processes(),  # noqa: B008 - frozen
        save_every_s: float = SAVE_EVERY_S,
        stop: Callable[[], bool] = lambda: False,
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
            asked: the same in words, see ``asked.asked_for``, to say what does not agree.
            teacher: a teacher's answers for the N training pictures.
            weights: float32, shape (N,): what each of them counts in the loss; the same without it.
            processes: those that share each batch; the first one keeps ``last.pt``.
            save_every_s: seconds between two states saved within an epoch; one is saved after each.
            stop: asked after every step; once it says yes, the run is saved and ends.
            on_step, on_epoch: called after every step, and with the new row of the history after
                every epoch, when its state has been saved.

        Raises:
            DatasetError: the teacher leaves nothing to train on.
            UsageError: a batch has fewer pictures than there are processes.
        """
        self.recipe, self.train, self.val, self.augmenter = recipe, train, val, augmenter
        self.precision, self.run_dir, self.save_every_s = precision, run_dir, save_every_s
        self.processes, self.stop, self.on_step, self.on_epoch = processes, stop, on_step, on_epoch
        self.stepper = Stepper(
            recipe,
            network,
            train.targets,
            precision=precision,
            teacher=teacher,
            processes=processes,
            weights=weights,
        )
        self.network = self.stepper.network
        self.rows = self.stepper.objective.rows()
        self.steps_per_epoch = step_count(len(self.rows), recipe.batch_size)
        self.state = RunState(recipe_sha256=run_sha256, asked=dict(asked or {}))
        self._losses = LossSum(precision.device, processes)

    def resume(self) -> None:
        """Go on where ``run_dir/last.pt`` stands.

        Raises:
            CheckpointError: it is missing or damaged.
            UsageError: it is the state of another run.
        """
        state = RunState.load(self.run_dir / STATE_NAME)
        if state.recipe_sha256 != self.state.recipe_sha256:
            unlike = differences(state.asked, self.state.asked) or "another recipe or other pictures"
            raise UsageError(
                f"{str(self.run_dir)!r} holds a run with {unlike}: "
                "resume with the options it was started with, or choose another folder with -o"
            )
        self.state = state
        self.stepper.load(state.tensors)

    def run(self) -> dict[str, Tensor]:
        """Train to the end or until patience runs out.

        Returns:
            The state dict of the epoch with the best balanced accuracy on the validation split.

        Raises:
            RunStopped: ``stop`` said so; the state is saved.
            GclfError: the weights have become infinite or NaN, or a batch does not fit in memory.
            OutputError: the run's folder cannot be written.
        """
        # Denormal weights late in a training halve a processor's speed. It is a setting of the whole process.
        torch.set_flush_denormal(True)
        try:
            while self.state.epoch < self.recipe.epochs and not self._out_of_patience():
                self._train_epoch()
                self._finish_epoch(self.evaluate())
        except RunStopped:
            if self.processes.world == 1:
                self._losses.read_into(self.state, now=True)
            self.save()
            raise
        except (RuntimeError, MemoryError) as error:
            if is_out_of_memory(error):
                device, done = self.precision.device, len(self.state.history)
                raise GclfError(does_not_fit(self.recipe, self.state.epoch, device, done)) from error
            raise
        finally:
            torch.set_flush_denormal(False)
        best: dict[str, Tensor] = self.state.tensors["best"]
        return best

    def _train_epoch(self) -> None:
        """The steps of this epoch that are still to do."""
        state = self.state
        self.network.train()
        started_s = saved_s = time.monotonic()
        spent_before_s = state.seconds
        todo = self._order()[state.step :]
        shares = [rows[self.processes.share(len(rows))] for rows in todo]
        for rows, mine, pictures in zip(todo, shares, self._read(shares), strict=True):
            self._losses.add(self._step(pictures, rows, mine), len(mine))
            state.step += 1
            now_s = time.monotonic()
            state.seconds = spent_before_s + now_s - started_s
            stop, save = self.processes.any(self.stop(), now_s - saved_s >= self.save_every_s)
            self._losses.read_into(state, now=stop or save or state.step == self.steps_per_epoch)
            if stop:
                raise RunStopped(self._where())
            if save:
                self.save()
                saved_s = now_s
            self._report(len(rows))

    def _read(self, shares: Sequence[I64]) -> Iterator[Tensor]:
        """The shares' pictures, one share after the other."""
        try:
            yield from self.train.source.batches(shares)
        except RuntimeError:
            # A signal to a whole process group ends the processes that read pictures as well.
            if self.stop():
                raise RunStopped(self._where()) from None
            raise

    def _step(self, pictures: Tensor, rows: I64, mine: I64) -> Tensor:
        """One optimiser step on the batch ``rows``, of which ``mine`` are here; returns their mean loss."""
        state, device = self.state, self.precision.device
        size_px = self.recipe.size_at(state.epoch)
        generators = step_generators(device, seed=self.recipe.seed, epoch=state.epoch, step=state.step)
        changes = self.augmenter.draw(len(rows), size_px, *generators)
        here = changes.part(self.processes.share(len(rows)))
        x = self.augmenter.changed(to_device(pictures, device), size_px, here)
        return self.stepper.step(x, mine, batch=len(rows), lr=self._learning_rate(), steps=self._steps_done())

    def _report(self, pictures: int) -> None:
        state, total = self.state, self.recipe.epochs * self.steps_per_epoch
        mean = state.loss_sum / max(state.seen, 1)
        self.on_step(StepReport(state.epoch, self._steps_done(), total, mean, pictures))

    def evaluate(self) -> Scores:
        """Score the averaged network on the validation pictures at this epoch's input size."""
        live = copy_state(self.network.state_dict())
        if self.recipe.ema_decay > 0:
            self.network.load_state_dict(self.stepper.ema)
        try:
            logits = self.logits(self.val.source, self.recipe.size_at(self.state.epoch))
        finally:
            self.network.load_state_dict(live)
        return score(logits, torch.from_numpy(self.val.targets))

    def logits(self, source: PictureSource, size_px: int) -> Tensor:
        """Logits of every picture of ``source``: float32 (N, C), on the processor.

        Raises:
            RunStopped: ``stop`` said so.
        """
        return answer(
            self.network,
            source,
            size_px=size_px,
            batch_size=self.recipe.batch_size,
            augmenter=self.augmenter,
            precision=self.precision,
            processes=self.processes,
            after_batch=self._end_if_stopped,
        )

    def _end_if_stopped(self) -> None:
        if self.processes.any(self.stop())[0]:
            raise RunStopped(self._where())

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
            state.tensors["best"] = copy_state(self.stepper.averaged())
        else:
            state.bad_epochs += 1
        state.epoch, state.step, state.loss_sum, state.seen, state.seconds = state.epoch + 1, 0, 0.0, 0, 0.0
        self.save()
        self.on_epoch(row)

    def save(self) -> None:
        """Write the run's whole state to ``run_dir/last.pt``."""
        if self.processes.first:
            self.state.tensors |= self.stepper.tensors()
            self.state.save(self.run_dir / STATE_NAME)

    def _order(self) -> Sequence[I64]:
        """The batches of this epoch."""
        return epoch_batches(self.rows, self.steps_per_epoch, seed=self.recipe.seed, epoch=self.state.epoch)

    def _learning_rate(self) -> float:
        """Of the step that comes next."""
        state = self.state
        return learning_rate(
            self.recipe, epoch=state.epoch, step=state.step, steps_per_epoch=self.steps_per_epoch
        )

    def _steps_done(self) -> int:
        """Optimiser steps since the start of the run."""
        return self.state.epoch * self.steps_per_epoch + self.state.step

    def _where(self) -> str:
        """How far the run is, for whoever stops it."""
        total = self.recipe.epochs * self.steps_per_epoch
        return f"step {self._steps_done():,} of {total:,} is saved in {str(self.run_dir / STATE_NAME)!r}"

    def _out_of_patience(self) -> bool:
        """Whether too many epochs were no better, at the input size that the checkpoint is used with."""
        history = self.state.history
        at_last_size = bool(history) and history[-1]["image_size_px"] == self.recipe.final_size_px
        return at_last_size and self.state.bad_epochs >= self.recipe.patience
