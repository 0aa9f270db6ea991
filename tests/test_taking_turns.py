"""A test that runs alone waits for the others, and they wait for it."""

from __future__ import annotations

import multiprocessing
import time
from pathlib import Path

import pytest
from taking_turns import turn


def _take_turn(folder: Path, name: str, alone: bool) -> None:
    with turn(folder, alone=alone):
        with (folder / "log").open("a") as log:
            log.write(f"{name} begins\n")
        time.sleep(0.3)
        with (folder / "log").open("a") as log:
            log.write(f"{name} ends\n")


@pytest.mark.parametrize("others", [1, 3])
def test_nobody_runs_beside_a_test_that_runs_alone(tmp_path: Path, others: int) -> None:
    turns = [(f"beside-{i}", False) for i in range(others)] + [("alone", True)] + [("after", False)]
    spawn = multiprocessing.get_context("spawn")
    processes = [spawn.Process(target=_take_turn, args=(tmp_path, *each)) for each in turns]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)
        assert process.exitcode == 0
    lines = (tmp_path / "log").read_text().splitlines()
    assert len(lines) == 2 * len(turns)
    at = lines.index("alone begins")
    assert lines[at + 1] == "alone ends"
    began, ended = (
        {line.split()[-2] for line in lines[:at] if line.endswith(end)} for end in ("begins", "ends")
    )
    assert began == ended
