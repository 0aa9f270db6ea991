"""Datasets and runs that several tests look at."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from train_makers import COMMAND, FinishedRun, gclf_live, make_colours, make_faces


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A dataset of noisy pictures in two colours, 12 and 8 a class, that a test may change."""
    return make_colours(tmp_path / "colours")


@pytest.fixture
def out(tmp_path: Path) -> Iterator[Path]:
    """Where a run goes. Taken away afterwards: the state of a ResNet18 has 130 MB and more."""
    yield tmp_path / "run"
    shutil.rmtree(tmp_path / "run", ignore_errors=True)


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    """Recipe readme on the colours; not to be written to."""
    base = tmp_path_factory.mktemp("finished")
    data = make_colours(base / "colours")
    outcome = gclf_live("train", data, "-o", base / "run", "--json", *COMMAND)
    assert outcome.code == 0, outcome.err
    yield FinishedRun(data, base / "run", outcome)
    shutil.rmtree(base)


@pytest.fixture(scope="session")
def faces(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A dataset of real faces, 4 a class in each split; not to be written to."""
    return make_faces(tmp_path_factory.mktemp("faces") / "data")
