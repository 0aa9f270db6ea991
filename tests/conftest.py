"""Rules that hold for every test."""

from __future__ import annotations

import os
from collections.abc import Generator
from pathlib import Path

import pytest
from command_answers import Answer, Command
from taking_turns import turn

from gclf_live.cli.running import run
from gclf_live.cpu_threads import wait_briefly

# As in every command. Two workers that each wait for torch's threads would keep one another from working.
wait_briefly()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """A test marked ``alone``, which asks how fast something is, has the machine to itself."""
    if not hasattr(item.config, "workerinput"):  # not one of several workers: one test after the other
        return (yield)
    folder = Path(item.config.getoption("basetemp")).parent  # xdist gives each worker one in it
    with turn(folder, alone=item.get_closest_marker("alone") is not None):
        return (yield)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """A test marked ``gpu`` cannot be skipped unnoticed where a GPU is expected (GCLF_REQUIRE_GPU=1)."""
    if item.get_closest_marker("gpu") is None:
        return
    # Only here: torch is slow to import, and most tests do without it.
    import torch

    if torch.cuda.is_available():
        return
    if os.environ.get("GCLF_REQUIRE_GPU") == "1":
        pytest.fail("GCLF_REQUIRE_GPU=1 is set and torch finds no CUDA device", pytrace=False)
    pytest.skip("torch finds no CUDA device")


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run ``gclf-live`` with these arguments and take what it prints, as UTF-8."""

    def call(*arguments: object) -> Answer:
        capfdbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Answer(code, out.decode(), err.decode())

    return call
