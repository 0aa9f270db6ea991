"""The state of a run: it comes back as it was saved, and no kill can harm it."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from gclf_live.errors import CheckpointError, OutputError
from gclf_live.whole_file import remove_leftovers
from gclf_train.state import RunState, copy_state


@pytest.fixture
def small_files() -> Iterator[None]:
    """No file of this process may grow beyond 20 kB, as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_state_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    state = RunState("abc", epoch=3, step=7, loss_sum=1.5, history=[{"epoch": 1, "val_loss": 0.5}])
    state.tensors["network"] = {"w": torch.arange(3.0)}
    state.save(tmp_path / "last.pt")
    again = RunState.load(tmp_path / "last.pt")
    assert (again.recipe_sha256, again.epoch, again.step, again.history) == ("abc", 3, 7, state.history)
    assert torch.equal(again.tensors["network"]["w"], torch.arange(3.0))
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


def test_missing_state_says_that_there_is_nothing_to_resume(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="nothing to resume"):
        RunState.load(tmp_path / "last.pt")


@pytest.mark.parametrize("damage", ["cut", "empty", "text", "other"])
def test_damaged_state_is_refused_in_one_line(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "last.pt"
    RunState("abc", tensors={"w": torch.zeros(1000)}).save(path)
    whole = path.read_bytes()
    path.write_bytes({"cut": whole[: len(whole) // 2], "empty": b"", "text": b"hello"}.get(damage, whole))
    if damage == "other":
        torch.save({"weights": torch.zeros(1)}, path)
    with pytest.raises(CheckpointError, match="cannot resume") as caught:
        RunState.load(path)
    assert "\n" not in str(caught.value)


class _Bomb:
    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[object, tuple[Path]]:
        return Path.touch, (self._path,)


def test_code_in_a_state_is_not_run(tmp_path: Path) -> None:
    (tmp_path / "last.pt").write_bytes(pickle.dumps(_Bomb(tmp_path / "fired"), protocol=2))
    with pytest.raises(CheckpointError):
        RunState.load(tmp_path / "last.pt")
    assert not (tmp_path / "fired").exists()


def test_copied_state_does_not_change_with_the_network() -> None:
    weights = {"w": torch.zeros(2)}
    copy = copy_state(weights)
    weights["w"] += 1
    assert copy["w"].tolist() == [0, 0]


@pytest.mark.usefixtures("small_files")
def test_full_disk_leaves_the_old_state(tmp_path: Path) -> None:
    RunState("old").save(tmp_path / "last.pt")
    big = RunState("new", tensors={"w": torch.zeros(50_000)})
    with pytest.raises(OutputError, match=r"cannot write '.*last.pt'"):
        big.save(tmp_path / "last.pt")
    assert RunState.load(tmp_path / "last.pt").recipe_sha256 == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["last.pt"]


_WRITER = """
import resource, signal, sys
from pathlib import Path
import torch
from gclf_live.whole_file import remove_leftovers
from gclf_train.state import RunState

state = RunState("old", epoch=3)
state.save(Path(sys.argv[1]))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)  # the system kills who writes on, and nothing is tidied up
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
state.epoch, state.tensors = 4, {"w": torch.zeros(50_000)}
state.save(Path(sys.argv[1]))
"""


def test_kill_while_the_state_is_written_leaves_the_one_before(tmp_path: Path) -> None:
    path = tmp_path / "last.pt"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    ended = subprocess.run([sys.executable, "-c", _WRITER, path], env=environment, check=False)
    assert ended.returncode == -signal.SIGXFSZ
    assert RunState.load(path).epoch == 3
    (half,) = (other for other in tmp_path.iterdir() if other != path)
    assert half.name.startswith(".gclf-live-")
    remove_leftovers(tmp_path)
    assert list(tmp_path.iterdir()) == [path]
