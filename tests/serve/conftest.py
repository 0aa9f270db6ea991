"""One server for all tests that do not change it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from face_makers import save_tiny_weights
from serve_makers import Serving, serving


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="session")
def server(weights: Path) -> Iterator[Serving]:
    """A server with the usual limits and two processes for pictures."""
    with serving(weights) as running:
        yield running
