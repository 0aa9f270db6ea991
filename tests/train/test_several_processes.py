"""``gclf-live train`` as several processes: under torchrun, and what is said when something goes wrong."""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import pytest
from pairs import TIMEOUT_S, environment, outcomes, start_pair
from train_makers import COMMAND, FinishedRun

from gclf_live.errors import UsageError
from gclf_live.model.checkpoint import load_checkpoint
from gclf_train.processes import Processes, joined_processes
from gclf_train.state import RunState

LAUNCH = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", 2)


def _own(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("gclf-live: ")]


def _curve(folder: Path) -> list[float]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as handle:
        return [float(row["train_loss"]) for row in csv.DictReader(handle)]


@pytest.mark.slow
def test_run_under_torchrun_leaves_what_one_process_leaves(finished: FinishedRun, out: Path) -> None:
    command = [sys.executable, *LAUNCH, "-m", "gclf_live", "train", finished.data, "-o", out, *COMMAND]
    ended = subprocess.run(
        [str(part) for part in command], env=environment(), capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    assert {path.name for path in out.iterdir()} == {path.name for path in finished.folder.iterdir()}
    assert ended.stdout.count("validation accuracy") == 1
    said = _own(ended.stderr.splitlines())
    assert said[0].endswith("; 2 processes")
    # Device, counts of train and val, a warning that each of them is small, two epochs.
    assert len(said) == len(set(said)) == 7
    assert _curve(out) == pytest.approx(_curve(finished.folder), abs=0.05)
    here, alone = (
        load_checkpoint(folder / "checkpoint.safetensors").meta for folder in (out, finished.folder)
    )
    assert (here.classes, here.data["counts"], here.crop) == (alone.classes, alone.data["counts"], alone.crop)


@pytest.mark.slow
def test_what_is_wrong_is_said_once(tmp_path: Path) -> None:
    codes, lines = outcomes(
        *start_pair("-m", "gclf_live", "train", tmp_path / "nowhere", "-o", tmp_path / "run")
    )
    assert codes == [1, 1]
    said = [line for line in _own(lines) if "processes" not in line]
    assert len(said) == 1, lines
    assert "nowhere/train'; wanted is DATA/train/CLASS" in said[0]
    assert not any("Traceback" in line for line in lines)


@pytest.mark.slow
def test_process_that_is_killed_ends_the_run_with_one_line_and_no_lost_epoch(
    finished: FinishedRun, out: Path
) -> None:
    first, second = start_pair(
        "-m", "gclf_live", "train", finished.data, "-o", out, *COMMAND, "--epochs", 500
    )
    assert first.stderr is not None
    said = ""
    while "epoch 1 of" not in said:
        said = first.stderr.readline()
        assert said, "ended before the first epoch"
    second.kill()
    codes, lines = outcomes(first, second)
    assert codes[0] == 1
    ends = [line for line in _own(lines) if ": epoch " not in line]
    assert ends == [
        "gclf-live: one of the 2 processes of this run has ended; start them again with --resume"
    ], lines
    assert not any("Traceback" in line for line in lines)
    assert len(RunState.load(out / "last.pt").history) >= 1


def test_without_a_launcher_this_process_is_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with joined_processes() as processes:
        assert processes == Processes(rank=0, world=1)
        assert processes.first
        assert processes.any(True, False) == (True, False)
        assert processes.from_first(lambda: 3) == processes.after_first(lambda: 3) == 3
        assert processes.gather("x") == ["x"]


def test_half_an_environment_is_refused_with_the_way_to_start(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(UsageError, match=r"MASTER_ADDR.*torchrun --nproc-per-node N -m gclf_live train"):
        joined_processes().__enter__()
