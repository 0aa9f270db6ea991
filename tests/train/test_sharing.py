"""Two processes give what one gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from pairs import outcomes, start_pair
from sharing import STOP_AT, trainer
from torch import Tensor

from gclf_live.errors import UsageError
from gclf_train.loop import Trainer
from gclf_train.processes import Processes
from gclf_train.state import RunState


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which two processes have left what they saw."""
    folder = tmp_path_factory.mktemp("pair")
    codes, lines = outcomes(*start_pair(Path(__file__).with_name("sharing.py"), folder))
    assert codes == [0, 0], lines
    return folder


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    """The same run by this process alone."""
    run = trainer(tmp_path_factory.mktemp("alone"))
    run.run()
    return run


def _facts(folder: Path, rank: int) -> dict[str, Any]:
    facts: dict[str, Any] = torch.load(folder / f"rank{rank}.pt", weights_only=True)
    return facts


def _assert_close(a: dict[str, Tensor], b: dict[str, Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=1e-3, atol=1e-5, msg=name)


def _curve(state: RunState) -> list[list[float]]:
    return [[v for name, v in row.items() if name != "seconds"] for row in state.history]


def _assert_same_curve(a: RunState, b: RunState) -> None:
    for one, other in zip(_curve(a), _curve(b), strict=True):
        assert one == pytest.approx(other, rel=1e-4)


def test_two_processes_give_the_weights_and_the_curve_of_one(pair: Path, alone: Trainer) -> None:
    state = RunState.load(pair / "whole" / "last.pt")
    _assert_close(state.tensors["network"], alone.network.state_dict())
    _assert_close(state.tensors["ema"], alone.stepper.ema)
    assert alone.stepper.objective.descriptor_head is not None
    _assert_close(state.tensors["descriptor_head"], alone.stepper.objective.descriptor_head.state_dict())
    _assert_same_curve(state, alone.state)


def test_both_processes_hold_the_same_weights_to_the_last_bit(pair: Path) -> None:
    first, second = _facts(pair, 0), _facts(pair, 1)
    for name, tensor in first["network"].items():
        assert torch.equal(tensor, second["network"][name]), name
    for name, tensor in first["best"].items():
        assert torch.equal(tensor, second["best"][name]), name


def test_a_step_counts_the_pictures_of_both(pair: Path) -> None:
    for rank in range(2):
        counts = _facts(pair, rank)["pictures"]
        assert len(counts) == 9
        assert sum(counts[:3]) == 17


def test_both_stop_where_one_was_asked_and_one_alone_goes_on_to_the_same_end(
    pair: Path, alone: Trainer
) -> None:
    assert _facts(pair, 0)["stopped"]
    assert _facts(pair, 1)["stopped"]
    resumed = trainer(pair / "stopped")
    resumed.resume()
    assert resumed.state.epoch * resumed.steps_per_epoch + resumed.state.step == STOP_AT
    resumed.run()
    _assert_close(resumed.network.state_dict(), alone.network.state_dict())
    _assert_same_curve(resumed.state, alone.state)


def test_only_the_first_process_writes(pair: Path) -> None:
    assert {path.name for path in (pair / "whole").iterdir()} == {"last.pt"}


@pytest.mark.parametrize("world", [1, 2, 3, 7])
@pytest.mark.parametrize("count", [0, 1, 6, 7, 20])
def test_shares_are_equal_but_for_one_and_hold_everything_once(world: int, count: int) -> None:
    things = list(range(count))
    shares = [things[Processes(rank=rank, world=world).share(count)] for rank in range(world)]
    assert [thing for share in shares for thing in share] == things
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_more_processes_than_a_batch_has_pictures_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="6 processes share batches of 5 pictures; start fewer"):
        # No process group is needed to see this, and none is there.
        trainer(tmp_path, Processes(rank=0, world=6))
