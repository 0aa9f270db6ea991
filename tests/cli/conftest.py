"""Running the command: in this process for what it answers, in one of its own for signals."""

from __future__ import annotations

from pathlib import Path

import pytest
from face_makers import save_tiny_weights


@pytest.fixture(scope="session")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")
