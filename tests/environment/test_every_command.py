"""Every command where there is next to nothing: locale C, no home folder, no display, and difficult names."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from every_command import COMMANDS

from benchmarks.environments import ENVIRONMENTS, Outcome, try_out

HERE = Path(__file__).parent


@pytest.mark.slow
def test_every_command_works_in_a_bare_environment(tmp_path: Path) -> None:
    outcome = try_out(Path(sys.executable), ENVIRONMENTS["bare"], tmp_path)
    assert outcome == Outcome(COMMANDS, {})
    # Nothing of theirs is left beside what was asked for.
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["link", "real"]
    assert [path for path in tmp_path.rglob(".gclf-live-*") if path.is_file()] == []


def test_command_that_does_not_do_what_it_should_is_told(tmp_path: Path) -> None:
    (tmp_path / "samples").mkdir()
    driver = str(HERE / "every_command.py")
    skipped = [part for name in COMMANDS if name != "predict" for part in ("--skip", name)]
    done = subprocess.run(
        [sys.executable, driver, *skipped, str(tmp_path / "samples"), str(tmp_path / "files")],
        env=os.environ | {"PYTHONPATH": ""},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["command"], told["ok"]) == ("predict", False)
    assert "FileNotFoundError" in told["why"]
