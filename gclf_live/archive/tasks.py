"""The pieces of work that an archive is cut into, and what comes back from whoever does them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Protocol, TypeAlias

from gclf_live.archive.identity import FileState
from gclf_live.archive.names import part_path
from gclf_live.archive.options import ArchiveOptions
from gclf_live.media.segments import segment_path
from gclf_live.pipeline.parts import Part

Advance: TypeAlias = Callable[[float], None]
"""Takes the share of a task that is done, in [0, 1]."""


class Step(StrEnum):
    """What is done to an input. A video goes through all but the last, in this order."""

    INSPECT = "inspect"  # SHA-256, and how it is cut into parts
    ANALYSE = "analyse"  # one part: find, follow and classify
    MEASURE = "measure"  # join the parts, write result and table
    DRAW = "draw"  # one part: draw and encode
    JOIN = "join"  # the drawn parts become one video, with its sound
    PICTURE = "picture"  # label, draw and write


@dataclass(frozen=True, slots=True)
class Setup:
    """What every task of a run has in common.

    Attributes:
        options: of the run; its paths are absolute.
        weights_sha256: of the checkpoint, as ``pipeline.measured`` gives it and results carry it.
        version: of gclf-live.
        threads: CPU threads for each of decoder, classifier and encoder of one task.
    """

    options: ArchiveOptions
    weights_sha256: str
    version: str
    threads: int


@dataclass(frozen=True, slots=True)
class Task:
    """One piece of work. It writes files into its folder, whole or not at all, and can be done again.

    Attributes:
        step: what is to be done.
        name: the target, relative to the output folder.
        source: the input.
        is_picture: whether it is a picture.
        state: what it was like when its SHA-256 was taken; None before that.
        source_sha256: of the input; empty where it is not known yet.
        work: folder of the analysed parts.
        drawn: folder of the drawn parts.
        staged: folder of the outputs before they get their place.
        part: which part, for ``ANALYSE`` and ``DRAW``.
        parts: all of them.
        frames_per_second: of the input; 0 where unknown.
    """

    step: Step
    name: str
    source: Path
    is_picture: bool = False
    state: FileState | None = None
    source_sha256: str = ""
    work: Path = field(default_factory=Path)
    drawn: Path = field(default_factory=Path)
    staged: Path = field(default_factory=Path)
    part: Part | None = None
    parts: tuple[Part, ...] = ()
    frames_per_second: float = 0.0

    @property
    def saved_path(self) -> Path:
        """The file that an analysed or drawn part leaves."""
        assert self.part is not None
        if self.step is Step.DRAW:
            return segment_path(self.drawn, self.part.index)
        return part_path(self.work, self.part.index)


@dataclass(frozen=True, slots=True)
class Inspected:
    """What ``INSPECT`` gives.

    Attributes:
        state: of the input when it was read.
        source_sha256: of its content.
        parts: of a video, in order; empty for a picture.
        frames_per_second: 0 where unknown.
    """

    state: FileState
    source_sha256: str
    parts: tuple[Part, ...] = ()
    frames_per_second: float = 0.0


@dataclass(frozen=True, slots=True)
class Measured:
    """What ``MEASURE`` gives.

    Attributes:
        seconds: on screen by label, ``unsure`` and ``excluded: REASON``.
        notes: lines for the user.
        damaged: the file of a part could not be read and was removed; then nothing was written.
    """

    seconds: Mapping[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    damaged: bool = False


@dataclass(frozen=True, slots=True)
class Noted:
    """What ``JOIN`` and ``PICTURE`` give.

    Attributes:
        notes: lines for the user.
        faces: of a picture, number of faces by label.
    """

    notes: tuple[str, ...] = ()
    faces: Mapping[str, int] = field(default_factory=dict)


Value: TypeAlias = Inspected | Measured | Noted | None


class Blame(StrEnum):
    """What a failure is due to."""

    INPUT = "input"  # the others go on
    DISK = "disk"  # it is full: no other would fare better
    SETUP = "setup"  # weights, device or version of a worker


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a task has no value.

    Attributes:
        blame: what it is due to.
        error: one line for the user.
        trace: where it happened, if nobody foresaw it.
        kind: for ``SETUP``, name of the class in ``errors``.
    """

    blame: Blame
    error: str
    trace: str = ""
    kind: str = ""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a task is: ``share`` of it in [0, 1]."""

    task: Task
    share: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a task came to.

    Attributes:
        task: what was to be done.
        value: what it gave, or why it gave nothing.
        wall_s: the seconds that it took.
        device: where the network runs in the process that did it, and in which precision.
    """

    task: Task
    value: Value | Failure
    wall_s: float
    device: str = ""


class Engine(Protocol):
    """Who does the work: processes of this machine, or those of a cluster."""

    def free(self) -> int:
        """How many more tasks it takes now."""

    def begin(self, task: Task) -> None:
        """Take one task. Only where ``free`` is above 0."""

    def news(self, timeout_s: float) -> list[Progress | Outcome]:
        """What has happened since the last call; waits for something up to ``timeout_s``."""

    def close(self) -> None:
        """End every worker, whatever it is doing."""
