"""What a command that was stopped has left: whether it is whole, recognisable as a part, or wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

from safetensors.numpy import load_file

from benchmarks.kills import contents, frame_times
from benchmarks.stop_commands import hidden_files

_PARTIAL = re.compile(r"\.partial(-\d+)?\.mp4$")
_ARCHIVE = ".gclf-live"


def visible_files(folder: Path) -> list[Path]:
    """All files that a user sees."""
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    ]


def faults(folder: Path, expected: set[str], *, may_hide: bool) -> list[str]:
    """What is wrong with what was left.

    Args:
        folder: of the outputs.
        expected: names that an unbroken run leaves.
        may_hide: half-written files may be there, hidden.
    """
    found = []
    for path in visible_files(folder):
        name = str(path.relative_to(folder))
        if name not in expected and not _PARTIAL.search(name):
            found.append(f"{name} is no output")
        elif damage := _damage(path):
            found.append(f"{name} is damaged: {damage}")
    if not may_hide:
        found += [f"{path.name} was left" for path in hidden_files(folder)]
    return found


def _damage(path: Path) -> str:
    """Why a file cannot be used; empty for one that is whole. A part of a video is a whole video."""
    try:
        if path.suffix == ".mp4":
            return "" if frame_times(path) else "no frames"
        data = path.read_bytes()
        if path.suffix == ".json":
            json.loads(data)
        elif path.suffix == ".csv" and not data.endswith(b"\n"):
            return "its last row is torn"
        elif path.suffix == ".safetensors":
            load_file(path)
    except Exception as error:  # whatever a reader says of it
        return f"{type(error).__name__}: {error}"
    return "" if data or path.name == "left_out.txt" else "empty"


def left_behind(folder: Path) -> str:
    """What was left, in a few words."""
    visible, hidden = visible_files(folder), hidden_files(folder)
    partial = sum(bool(_PARTIAL.search(path.name)) for path in visible)
    counts = (("whole", len(visible) - partial), ("partial", partial), ("hidden", len(hidden)))
    words = [f"{count} {what}" for what, count in counts if count]
    if (folder / _ARCHIVE).is_dir():
        words.append("journal")
    return ", ".join(words) or "nothing"


def outputs(folder: Path) -> dict[str, object]:
    """What two runs must agree in: bytes, of a video its times, of a checkpoint its tensors."""
    found = contents(folder)
    if (folder / "checkpoint.safetensors").exists():  # a training notes what it took, beside what it gave
        tensors = load_file(folder / "checkpoint.safetensors")
        return {name: value.tobytes() for name, value in tensors.items()}
    return {name: value for name, value in found.items() if not _PARTIAL.search(name)}
