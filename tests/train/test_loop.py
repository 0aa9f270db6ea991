"""The training loop, on a tiny network."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from train_makers import CPU, TINY, changed, colour_split, stop_at, tiny_network, tiny_trainer

from gclf_live.errors import CheckpointError, GclfError, UsageError
from gclf_train.config import Recipe, TeacherMix, load_recipe
from gclf_train.loop import Trainer
from gclf_train.reports import RunStopped, StepReport
from gclf_train.sources import MemorySource, Split
from gclf_train.stepper import Precision
from gclf_train.teacher import TeacherTargets

AVERAGED = replace(TINY, ema_decay=0.9, warmup_epochs=0.5, cosine=True, weight_decay=0.05)


def _teacher() -> TeacherTargets:
    """Answers for the 20 training pictures; two of them take no part."""
    generator = torch.Generator().manual_seed(1)
    p = torch.rand(20, 1, generator=generator)
    descriptors = torch.nn.functional.normalize(torch.randn(20, 5, generator=generator), dim=1)
    keep = torch.ones(20, dtype=torch.bool)
    keep[[3, 12]] = False
    return TeacherTargets(torch.cat([p, 1 - p], dim=1), descriptors, keep, 20, "table")


def _curve(trainer: Trainer) -> list[dict[str, Any]]:
    """The history without the time it took."""
    return [{name: v for name, v in row.items() if name != "seconds"} for row in trainer.state.history]


def _assert_equal(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_network_learns_to_tell_the_colours_apart(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, recipe=changed(epochs=8))
    trainer.run()
    history = trainer.state.history
    assert [row["epoch"] for row in history] == list(range(1, 9))
    assert history[-1]["train_loss"] < 0.6 * history[0]["train_loss"]
    assert trainer.state.best_accuracy == 1.0


def test_same_seed_gives_the_same_curve_and_another_seed_another(tmp_path: Path) -> None:
    runs = []
    for seed in (0, 0, 1):
        trainer = tiny_trainer(tmp_path, recipe=changed(seed=seed))
        runs.append((trainer.run(), _curve(trainer)))
    _assert_equal(runs[0][0], runs[1][0])
    assert runs[0][1] == runs[1][1]
    assert runs[0][1] != runs[2][1]


@pytest.mark.parametrize("stopped_at", [1, 2, 3, 5, 9])
@pytest.mark.parametrize("with_teacher", [False, True])
def test_killed_run_goes_on_to_the_same_curve_and_weights(
    tmp_path: Path, stopped_at: int, with_teacher: bool
) -> None:
    options: dict[str, Any] = {"recipe": AVERAGED, "teacher": _teacher() if with_teacher else None}
    (tmp_path / "whole").mkdir()
    whole = tiny_trainer(tmp_path / "whole", **options)
    wanted = whole.run()
    broken = tiny_trainer(tmp_path, save_every_s=0.0, on_step=stop_at(stopped_at), **options)
    with pytest.raises(KeyboardInterrupt):
        broken.run()

    resumed = tiny_trainer(tmp_path, **options)
    torch.manual_seed(99)  # what else draws random numbers must not matter
    resumed.resume()
    assert resumed.state.epoch * resumed.steps_per_epoch + resumed.state.step == stopped_at
    _assert_equal(resumed.run(), wanted)
    _assert_equal(resumed.network.state_dict(), whole.network.state_dict())
    assert _curve(resumed) == _curve(whole)


def test_kill_costs_only_what_was_done_since_the_last_saved_state(tmp_path: Path) -> None:
    broken = tiny_trainer(tmp_path, save_every_s=math.inf, on_step=stop_at(5))
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    resumed = tiny_trainer(tmp_path)
    resumed.resume()
    assert (resumed.state.epoch, resumed.state.step) == (1, 0)
    whole = tiny_trainer(tmp_path)
    _assert_equal(resumed.run(), whole.run())


def test_finished_run_resumes_to_its_result_without_a_step(tmp_path: Path) -> None:
    wanted = tiny_trainer(tmp_path).run()
    steps: list[StepReport] = []
    again = tiny_trainer(tmp_path, on_step=steps.append)
    again.resume()
    _assert_equal(again.run(), wanted)
    assert steps == []


def test_state_of_another_run_is_not_resumed(tmp_path: Path) -> None:
    tiny_trainer(tmp_path, sha="one").run()
    with pytest.raises(UsageError, match="another recipe or other pictures"):
        tiny_trainer(tmp_path, sha="two", asked={"--epochs": "3"}).resume()


def test_nothing_to_resume_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        tiny_trainer(tmp_path).resume()


@pytest.mark.parametrize("asked", [1, 4, 5, 9, 13])
def test_run_that_is_asked_to_stop_is_saved_at_once_and_goes_on_to_the_same_curve(
    tmp_path: Path, asked: int
) -> None:
    # It is asked after each of three steps and of two batches of validation pictures an epoch.
    (tmp_path / "whole").mkdir()
    wanted = tiny_trainer(tmp_path / "whole", recipe=AVERAGED)
    wanted.run()
    asks = iter(range(1, 100))
    broken = tiny_trainer(tmp_path, recipe=AVERAGED, save_every_s=math.inf, stop=lambda: next(asks) == asked)
    steps = 3 * (asked // 5) + min(asked % 5, 3)
    with pytest.raises(RunStopped, match=rf"step {steps} of 9 is saved in '.*last.pt'"):
        broken.run()
    resumed = tiny_trainer(tmp_path, recipe=AVERAGED)
    resumed.resume()
    assert resumed.state.epoch * 3 + resumed.state.step == steps
    resumed.run()
    _assert_equal(resumed.network.state_dict(), wanted.network.state_dict())
    assert _curve(resumed) == _curve(wanted)


class _Greedy(nn.Module):
    """Has no memory for pictures of more than 32 px."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error, self.network = error, tiny_network()

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-1] > 32:
            raise self.error
        logits: Tensor = self.network(x)
        return logits


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: not enough memory: you tried"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
        MemoryError(),
    ],
)
def test_batch_that_does_not_fit_names_the_batch_size_and_costs_no_finished_epoch(
    tmp_path: Path, error: Exception
) -> None:
    recipe = changed(image_sizes={0: 32, 50: 48}, epochs=4)
    with pytest.raises(GclfError, match=r"2 finished epoch.* --resume, .* --batch-size below 8") as caught:
        tiny_trainer(tmp_path, recipe=recipe, network=_Greedy(error)).run()
    assert "8 pictures of 48 px" in str(caught.value)
    assert "\n" not in str(caught.value)
    elsewhere = tiny_trainer(tmp_path, recipe=recipe, network=_Greedy(error))
    elsewhere.resume()
    assert [row["epoch"] for row in elsewhere.state.history] == [1, 2]


def test_error_of_another_kind_is_not_taken_for_a_lack_of_memory(tmp_path: Path) -> None:
    network = _Greedy(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
    with pytest.raises(RuntimeError, match="cannot be multiplied"):
        tiny_trainer(tmp_path, recipe=changed(image_sizes={0: 48}), network=network).run()


def test_progress_counts_steps_of_the_whole_run(tmp_path: Path) -> None:
    steps: list[StepReport] = []
    tiny_trainer(tmp_path, on_step=steps.append).run()
    assert [step.done for step in steps] == list(range(1, 10))
    assert {step.total for step in steps} == {9}
    assert [step.epoch for step in steps] == [0] * 3 + [1] * 3 + [2] * 3


def test_state_is_saved_before_the_epoch_is_told(tmp_path: Path) -> None:
    saved: list[bool] = []
    tiny_trainer(tmp_path, on_epoch=lambda row: saved.append((tmp_path / "last.pt").exists())).run()
    assert saved == [True] * 3


def test_run_stops_when_patience_runs_out(tmp_path: Path) -> None:
    # Steps this small change no answer: no epoch is better than the first but by chance of its loss.
    trainer = tiny_trainer(tmp_path, recipe=changed(epochs=50, patience=2, lr=1e-30))
    trainer.run()
    history = trainer.state.history
    assert 3 <= len(history) < 50
    best = max(
        range(len(history)), key=lambda i: (history[i]["val_balanced_accuracy"], -history[i]["val_loss"], -i)
    )
    assert len(history) == best + 1 + 2


def test_best_epoch_is_kept_when_later_ones_are_worse(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, recipe=changed(epochs=4, patience=4))
    best = trainer.run()
    scores = [(row["val_balanced_accuracy"], -row["val_loss"]) for row in trainer.state.history]
    trainer.network.load_state_dict(best)
    logits = trainer.logits(trainer.val.source, 32)
    loss = torch.nn.functional.cross_entropy(logits, torch.from_numpy(trainer.val.targets))
    assert float(loss) == pytest.approx(-max(scores)[1], rel=1e-5)


def _sizes(tmp_path: Path, **settings: Any) -> list[int]:
    trainer = tiny_trainer(tmp_path, recipe=changed(**settings))
    trainer.run()
    return [row["image_size_px"] for row in trainer.state.history]


def test_input_size_follows_the_recipe(tmp_path: Path) -> None:
    assert _sizes(tmp_path, image_sizes={0: 32, 50: 48}, epochs=4) == [32, 32, 48, 48]


def test_patience_does_not_end_a_run_before_its_last_input_size(tmp_path: Path) -> None:
    sizes = _sizes(tmp_path, image_sizes={0: 32, 75: 48}, epochs=8, patience=1, lr=1e-30)
    assert sizes[:7] == [32] * 6 + [48]


def test_averaged_weights_are_what_is_validated_and_kept(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, recipe=replace(AVERAGED, epochs=1))
    best = trainer.run()
    _assert_equal(best, trainer.stepper.ema)
    assert not torch.equal(best["0.weight"], trainer.network.state_dict()["0.weight"])


def test_batches_are_of_equal_size_and_hold_every_picture_once(tmp_path: Path) -> None:
    seen: list[list[int]] = []
    split = colour_split(10)
    source = split.source

    class Noting:
        def __len__(self) -> int:
            return len(source)

        def batches(self, order: Any) -> Any:
            seen.extend(index.tolist() for index in order)
            return source.batches(order)

    tiny_trainer(tmp_path, train=replace(split, source=Noting()), recipe=changed(epochs=2)).run()
    assert sorted(len(batch) for batch in seen[:3]) == [6, 7, 7]
    first, second = list(chain(*seen[:3])), list(chain(*seen[3:]))
    assert sorted(first) == sorted(second) == list(range(20))
    assert first != second


@pytest.mark.parametrize(("count", "batch_size"), [(1, 2), (1, 64), (5, 3), (4, 7)])
def test_no_batch_is_a_single_picture(tmp_path: Path, count: int, batch_size: int) -> None:
    # Batch normalisation refuses one value a channel, which a single picture has where the map is 1x1.
    recipe = changed(epochs=1, batch_size=batch_size)
    trainer = tiny_trainer(tmp_path, train=colour_split(count), recipe=recipe)
    assert all(len(batch) >= 2 for batch in trainer._order())
    trainer.run()


def test_diverged_run_ends_in_one_line_that_names_the_learning_rate(tmp_path: Path) -> None:
    with pytest.raises(GclfError, match=r"no longer finite in epoch 1: .* --lr below 1e\+30"):
        tiny_trainer(tmp_path, recipe=changed(lr=1e30)).run()


def test_teachers_pictures_that_are_left_out_are_not_trained_on(tmp_path: Path) -> None:
    trainer = tiny_trainer(tmp_path, teacher=_teacher(), recipe=changed(teacher=TeacherMix()))
    assert len(trainer.rows) == 18
    assert not {3, 12} & set(np.concatenate(trainer._order()).tolist())


def _trained(tmp_path: Path, recipe: Recipe, precision: Precision) -> Trainer:
    trainer = tiny_trainer(tmp_path, recipe=recipe, precision=precision)
    trainer.run()
    return trainer


def test_bfloat16_trains_like_float32(tmp_path: Path) -> None:
    full = _trained(tmp_path, TINY, Precision(CPU, torch.float32))
    mixed = _trained(tmp_path, TINY, Precision(CPU, torch.bfloat16))
    assert mixed.network.state_dict()["0.weight"].dtype == torch.float32
    for a, b in zip(_curve(full), _curve(mixed), strict=True):
        assert b["train_loss"] == pytest.approx(a["train_loss"], abs=0.1)


@pytest.mark.parametrize(("begun", "resumed"), [("float32", "float16"), ("float16", "bfloat16")])
def test_run_can_be_resumed_in_another_precision(tmp_path: Path, begun: str, resumed: str) -> None:
    # As on another machine: float16 is what CUDA devices take, and the only one whose losses are scaled.
    first, second = (Precision(CPU, getattr(torch, name)) for name in (begun, resumed))
    broken = tiny_trainer(tmp_path, precision=first, save_every_s=0.0, on_step=stop_at(4))
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    trainer = tiny_trainer(tmp_path, precision=second)
    trainer.resume()
    trainer.run()
    assert len(trainer.state.history) == TINY.epochs
    assert trainer.state.best_accuracy > 0.8


@pytest.mark.gpu
def test_steps_on_cuda_do_not_wait_for_the_device(tmp_path: Path) -> None:
    device = torch.device("cuda:0")
    recipe = replace(AVERAGED, epochs=1, batch_size=10, augmentation=load_recipe("live").augmentation)
    split = colour_split(60)
    pictures = np.concatenate([batch.numpy() for batch in split.source.batches([np.arange(120)])])

    def watch(report: StepReport) -> None:
        torch.cuda.set_sync_debug_mode("warn" if report.done < 11 else "default")

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tiny_trainer(
            tmp_path,
            recipe=recipe,
            train=Split(MemorySource(pictures, device=device), split.targets),
            precision=Precision(device, torch.float16),
            on_step=watch,
        ).run()
    torch.cuda.set_sync_debug_mode("default")
    waits = [f"{w.filename}:{w.lineno}" for w in caught if "synchroniz" in str(w.message)]
    assert [wait for wait in waits if "gclf_train" in wait] == []


@pytest.mark.gpu
def test_float16_on_cuda_trains_and_resumes(tmp_path: Path) -> None:
    precision = Precision(torch.device("cuda:0"), torch.float16)
    (tmp_path / "whole").mkdir()
    whole = tiny_trainer(tmp_path / "whole", recipe=AVERAGED, precision=precision)
    whole.run()
    broken = tiny_trainer(
        tmp_path, recipe=AVERAGED, precision=precision, save_every_s=0.0, on_step=stop_at(4)
    )
    with pytest.raises(KeyboardInterrupt):
        broken.run()
    resumed = tiny_trainer(tmp_path, recipe=AVERAGED, precision=precision)
    resumed.resume()
    resumed.run()
    for a, b in zip(_curve(whole), _curve(resumed), strict=True):
        assert b["val_loss"] == pytest.approx(a["val_loss"], abs=0.02)
