"""Running the command: in this process for what it answers, in one of its own for signals."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_answers import Answer, Command
from face_makers import save_tiny_weights

from gclf_live.cli import run


@pytest.fixture
def command(capfdbinary: pytest.CaptureFixture[bytes]) -> Command:
    """Run ``gclf-live`` with these arguments and take what it prints, as UTF-8."""

    def call(*arguments: object) -> Answer:
        capfdbinary.readouterr()
        code = run([str(argument) for argument in arguments])
        out, err = capfdbinary.readouterr()
        return Answer(code, out.decode(), err.decode())

    return call


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")
