"""What earlier runs into a folder have left, as its journal tells it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gclf_live.archive.identity import FileState


@dataclass(frozen=True, slots=True)
class Known:
    """The SHA-256 of an input, and what tells that it is still that of its content."""

    source: str
    state: FileState
    sha256: str


@dataclass(frozen=True, slots=True)
class Begun:
    """An input whose work has begun, and the number of the run that did so last."""

    source: str
    run: int


@dataclass(slots=True)
class History:
    """The journal, folded. Names of files are relative to the output folder.

    Attributes:
        known: SHA-256 of inputs by name of their target.
        outputs: what each finished output depends on, by its name.
        sizes: bytes of each finished output as it was given its place, by its name.
        owned: every output that a run began to put in its place: no user's file.
        seconds: of finished videos by name of their target, seconds by label.
        faces: of finished pictures likewise, number of faces by label.
        begun: inputs whose work has begun since they were last finished, by name of their target.
        failed: those of them whose last attempt ended with an error.
        runs: how many there have been.
        ended: whether the last one came to its end.
    """

    known: dict[str, Known] = field(default_factory=dict)
    outputs: dict[str, str] = field(default_factory=dict)
    sizes: dict[str, int] = field(default_factory=dict)
    owned: set[str] = field(default_factory=set)
    seconds: dict[str, Mapping[str, float]] = field(default_factory=dict)
    faces: dict[str, Mapping[str, int]] = field(default_factory=dict)
    begun: dict[str, Begun] = field(default_factory=dict)
    failed: set[str] = field(default_factory=set)
    runs: int = 0
    ended: bool = True

    @classmethod
    def read(cls, events: Iterable[Mapping[str, Any]]) -> History:
        """Fold all events of a journal, oldest first."""
        history = cls()
        for event in events:
            history.see(event)
        return history

    def see(self, event: Mapping[str, Any]) -> None:
        """Take the next event; those that say nothing about outputs are passed over."""
        match event:
            case {"event": "source", "file": name, "source": source, "size": size, "mtime_ns": mtime_ns}:
                self.known[name] = Known(source, FileState(size, mtime_ns), str(event.get("sha256")))
                self.begun[name] = Begun(source, self.runs)
            case {"event": "placing", "outputs": names}:
                self.owned.update(names)
                for name in names:
                    self.outputs.pop(name, None)
                    self.sizes.pop(name, None)
            case {"event": "done", "file": name, "outputs": outputs}:
                self.outputs.update(outputs)
                self.owned.update(outputs)
                self.sizes.update(event.get("sizes", {}))
                self.seconds[name] = event.get("seconds", {})
                self.faces[name] = event.get("faces", {})
                self._settle(name)
            case {"event": "current", "file": name}:
                self._settle(name)
            case {"event": "begun", "file": name}:
                source = self.known[name].source if name in self.known else name
                self.begun[name] = Begun(source, self.runs)
            case {"event": "failed", "file": name}:
                self.begun[name] = Begun(str(event.get("source", name)), self.runs)
                self.failed.add(name)
            case {"event": "run"}:
                self.runs += 1
                self.ended = False
            case {"event": "end", "how": how}:
                self.ended = how == "ended"
            case _:
                pass

    def source_sha256(self, name: str, source: Path, state: FileState) -> str:
        """That of an input which has not changed since it was read; else empty."""
        known = self.known.get(name)
        return known.sha256 if known and known.source == str(source) and known.state == state else ""

    def is_finished(self, folder: Path, outputs: Mapping[str, str]) -> bool:
        """Whether all ``outputs``, keys by name, are there as they would be made now."""
        return all(self.is_as_made(folder, name, key) for name, key in outputs.items())

    def is_as_made(self, folder: Path, name: str, key: str) -> bool:
        """Whether an output is there, was made for ``key``, and has the size that it was made with."""
        if self.outputs.get(name) != key:
            return False
        size = _size(folder / name)
        return size is not None and size == self.sizes.get(name, size)

    def is_altered(self, folder: Path, name: str) -> bool:
        """Whether something else than a run has changed an output: cut it short, or written into it."""
        size = _size(folder / name)
        return size is not None and size != self.sizes.get(name, size)

    def _settle(self, name: str) -> None:
        self.begun.pop(name, None)
        self.failed.discard(name)


def _size(path: Path) -> int | None:
    """Bytes of a file; None where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return None
