"""The files that come with the package, each held against its SHA-256 whenever it is read."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from pathlib import Path

from gclf_live.errors import CheckpointError

DETECTOR = "face_detection_yunet_2023mar.onnx"
"""The weights of the face detector."""
WEIGHTS = "gclf_resnet18.safetensors"
"""The weights of the classifier."""

SHA256 = {
    DETECTOR: "8f2383e4dd3cfbb4553ea8718107fc0423210dc964f9f4280604804ed2552fa4",
    WEIGHTS: "2058a658d36e6c04c279deec472cd85e5da735752ad7b8400df3009f97d93d81",
}
"""What each file must have; whoever replaces one replaces this with it."""

_FOLDER = files(__name__)


def asset_path(name: str) -> Path:
    """Where a file of the package lies.

    Raises:
        CheckpointError: this installation lacks it.
    """
    path = Path(str(_FOLDER / name))
    if not path.is_file():
        raise CheckpointError(f"this installation lacks the file {str(path)!r}; install gclf-live again")
    return path


def read_asset(name: str) -> bytes:
    """The content of a file of the package.

    Raises:
        CheckpointError: it is missing, cannot be read, or is not what was shipped.
    """
    path = asset_path(name)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise CheckpointError(
            f"cannot open {str(path)!r}: {error.strerror}. Check who may read it"
        ) from error
    check_asset(path, content)
    return content


def check_asset(path: Path, content: bytes) -> bool:
    """Hold what was read from ``path`` against the SHA-256 of the package's file, if it is one.

    Returns:
        Whether ``path`` is a file of the package, whose content is then known to be the shipped one.

    Raises:
        CheckpointError: it is one, and its content differs.
    """
    wanted = SHA256.get(path.name)
    if wanted is None or path.parent != Path(str(_FOLDER)):
        return False
    found = hashlib.sha256(content).hexdigest()
    if found != wanted:
        raise CheckpointError(
            f"{str(path)!r} is not the file that gclf-live ships: its SHA-256 is {found[:12]}..., not "
            f"{wanted[:12]}...; install gclf-live again"
        )
    return True
