"""One input of an archive: which tasks it needs, which of them can begin, and what they came to."""

from __future__ import annotations

import shutil
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from gclf_live.archive.faults import failing
from gclf_live.archive.history import History
from gclf_live.archive.identity import FileState, Keys, short_name
from gclf_live.archive.names import Places
from gclf_live.archive.options import FileOutcome, State
from gclf_live.archive.placing import Placement
from gclf_live.archive.tasks import Inspected, Measured, Noted, Setup, Step, Task, Value
from gclf_live.errors import OutputError
from gclf_live.pipeline.jobs import Job
from gclf_live.pipeline.parts import PART_S, Part
from gclf_live.whole_file import remove_leftovers

_DRAW_UNITS = 1.0
"""What drawing and encoding a part costs, in analyses of one: for the time left."""
_MOST_REPAIRS = 3
_SHARED_WITHIN_S = 5.0
"""A network file system may take this long to show what another machine has written."""


class Record(Protocol):
    """Writes an event into the journal."""

    def __call__(self, event: str, **fields: object) -> None: ...


class FileWork:
    """The way of one input from untouched to finished: tasks are asked for, their values given back.

    Attributes:
        job: input and target.
        state: what became of it; None while there is work left.
    """

    def __init__(self, job: Job, setup: Setup, history: History, record: Record) -> None:
        self.job = job
        self.state: State | None = None
        self._setup, self._history, self._record = setup, history, record
        self._places = Places.of(job, setup.options)
        self._error = ""
        self._notes: list[str] = []
        self._seconds: Mapping[str, float] = {}
        self._faces: Mapping[str, int] = {}
        self._keys: Keys | None = None
        self._placement: Placement | None = None
        self._inspected = Inspected(FileState(0, 0), "")
        self._stages: deque[Step] = deque()
        self._waiting: deque[Task] = deque()
        self._running: dict[tuple[Step, int], float] = {}
        self._units, self._units_done = 0.0, 0.0
        self._repairs = 0
        self._replaced = False

    @property
    def name(self) -> str:
        """The target, relative to the output folder."""
        return self._places.name

    @property
    def busy(self) -> bool:
        """Whether a task of it is running."""
        return bool(self._running)

    def start(self) -> None:
        """Find out, without reading the input, whether anything is to be done, and begin with that."""
        with failing(self._fail):
            state = FileState.of(self.job.source)
            known = self._history.source_sha256(self._places.name, self.job.source, state)
            if known and self._is_finished(known):
                return
            # With the state that the SHA-256 is known for: the file may change before a worker looks at it.
            task = self._task(Step.INSPECT, source_sha256=known)
            self._waiting.append(replace(task, state=state if known else None))

    def next_task(self) -> Task | None:
        """The next task that can begin, or None. It counts as running from now on."""
        if not self._waiting:
            return None
        task = self._waiting.popleft()
        self._running[_place(task)] = 0.0
        if task.part is not None:
            self._record("begun", **self._part_fields(task))
        return task

    def progress(self, task: Task, share: float) -> None:
        """Note how far a running task is."""
        self._running[_place(task)] = share

    def share(self) -> float:
        """How much of this input is done, in [0, 1]."""
        if self.state is not None:
            return 1.0
        running = sum(share * _units(step) for (step, _), share in self._running.items())
        return min(1.0, (self._units_done + running) / self._units) if self._units else 0.0

    def took(self, task: Task, value: Value, wall_s: float) -> None:
        """Take what a task came to, and find out what can begin now."""
        self._running.pop(_place(task), None)
        self._units_done += _units(task.step)
        with failing(self._fail):
            self._take(task, value, wall_s)
            while self.state is None and not self._waiting and not self._running:
                self._next_stage()

    def fail(self, task: Task, error: str, trace: str) -> None:
        """Take that a task failed, and the input with it."""
        self._running.pop(_place(task), None)
        if self.state is None:
            self._fail(error, trace)
            if task.step is Step.JOIN:  # a drawn part may be at fault: the next run draws them again
                shutil.rmtree(task.drawn, ignore_errors=True)

    def outcome(self) -> FileOutcome:
        """What became of it, once it has."""
        assert self.state is not None
        paths = () if self.state is State.FAILED or self._placement is None else self._placement.paths
        return FileOutcome(
            self.job.source,
            self.state,
            paths,
            self._error,
            tuple(self._notes),
            self._seconds,
            self._faces,
            replaced=self._replaced and self.state is State.DONE,
        )

    def sweep(self) -> None:
        """Remove what an end in the middle has left half-written."""
        remove_leftovers(self._places.root, below=True)

    def _take(self, task: Task, value: Value, wall_s: float) -> None:
        if task.part is not None:
            self._check_shared(task.saved_path)
            self._record("saved", **self._part_fields(task), wall_s=round(wall_s, 3))
        elif isinstance(value, Inspected) and self.state is None:
            self._inspect(value)
        elif isinstance(value, Measured):
            self._measure(value)
        elif isinstance(value, Noted):
            self._notes += value.notes
            self._faces = value.faces

    def _inspect(self, found: Inspected) -> None:
        self._inspected = found
        if not self._history.source_sha256(self._places.name, self.job.source, found.state):
            self._record(
                "source",
                file=self._places.name,
                source=str(self.job.source),
                size=found.state.size,
                mtime_ns=found.state.mtime_ns,
                sha256=found.source_sha256,
            )
        if self._is_finished(found.source_sha256):
            return
        assert self._placement is not None
        self._placement.check_free()
        steps = [Step.PICTURE]
        if not self.job.is_picture:
            steps = [Step.ANALYSE, Step.MEASURE]
            steps += [Step.DRAW, Step.JOIN] if self._setup.options.video else []
        self._stages.extend(steps)
        self._units = len(found.parts) * sum(map(_units, steps)) or 1.0
        task = self._task(Step.INSPECT)
        for folder in (task.work, task.drawn, task.staged):
            folder.mkdir(parents=True, exist_ok=True)
        self.sweep()

    def _measure(self, found: Measured) -> None:
        self._seconds = found.seconds
        self._notes += found.notes
        if not found.damaged:
            return
        self._repairs += 1
        if self._repairs > _MOST_REPAIRS:
            raise OutputError(
                f"parts of {str(self.job.source)!r} cannot be read back from {str(self._places.root)!r}; "
                "check that disk, or choose another folder"
            )
        self._stages.extendleft([Step.MEASURE, Step.ANALYSE])

    def _next_stage(self) -> None:
        if not self._stages:
            self._finish()
            return
        step = self._stages.popleft()
        if step not in (Step.ANALYSE, Step.DRAW):
            self._waiting.append(self._task(step))
            return
        for part in self._inspected.parts:
            task = self._task(step, part=part)
            if task.saved_path.exists():  # whole, or it would not have its name
                self._units_done += _units(step)
                # Also where its worker lived on after the run: nobody then said that it was saved.
                self._record("kept", **self._part_fields(task))
            else:
                self._waiting.append(task)

    def _finish(self) -> None:
        """Give the outputs their places, then say so, then let the parts go."""
        placement, name = self._placement, self._places.name
        assert placement is not None
        placement.check_free()
        self._replaced = bool(placement.in_the_way())
        outputs = placement.to_place()
        # Said before it is done: after a kill in between, the next run knows that these files are ours.
        self._record("placing", file=name, outputs=outputs)
        placement.place(self._task(Step.JOIN).staged, outputs)
        self._notes += placement.stale()
        found = {"seconds": dict(self._seconds)} if self._seconds else {}
        faces = {"faces": dict(self._faces)} if self._faces else {}
        sizes = placement.sizes()
        self._record(
            "done", file=name, outputs=placement.keys, sizes=sizes, **found, **faces, notes=self._notes
        )
        shutil.rmtree(self._places.root, ignore_errors=True)
        self.state = State.DONE

    def _is_finished(self, source_sha256: str) -> bool:
        options = self._setup.options
        part_s = None if self.job.is_picture else options.part_s or PART_S
        self._keys = Keys.of(
            source_sha256=source_sha256,
            weights_sha256=self._setup.weights_sha256,
            options=options,
            part_s=part_s,
        )
        self._placement = Placement(self._places, self._keys, options, self._history)
        if not self._placement.is_finished():
            return False
        name = self._places.name
        self._seconds = self._history.seconds.get(name, {})
        self._faces = self._history.faces.get(name, {})
        if name in self._history.begun:  # it failed since it was finished, or its input was touched
            self._record("current", file=name)
        self.state = State.KEPT
        return True

    def _task(self, step: Step, *, source_sha256: str = "", part: Part | None = None) -> Task:
        found, keys = self._inspected, self._keys
        work = self._places.root / (short_name(keys.measured) if keys else "")
        return Task(
            step=step,
            name=self._places.name,
            source=self.job.source,
            is_picture=self.job.is_picture,
            state=found.state if found.source_sha256 else None,
            source_sha256=found.source_sha256 or source_sha256,
            work=work,
            drawn=work / f"drawn-{short_name(keys.drawn) if keys else ''}",
            staged=work / "staged",
            part=part,
            parts=found.parts,
            frames_per_second=found.frames_per_second,
        )

    def _part_fields(self, task: Task) -> dict[str, object]:
        assert task.part is not None
        key = (task.drawn if task.step is Step.DRAW else task.work).name
        return {"file": task.name, "step": str(task.step), "key": key, "part": task.part.index}

    def _check_shared(self, path: Path) -> None:
        end_s = time.monotonic() + _SHARED_WITHIN_S
        while not path.exists():
            if time.monotonic() > end_s:
                raise OutputError(
                    f"a worker wrote {str(path)!r}, and it is not there on this machine; inputs and output "
                    "must lie on storage that all machines share, under the same paths"
                )
            time.sleep(0.1)

    def _fail(self, error: str, trace: str = "") -> None:
        source = str(self.job.source)
        traced = {"trace": trace} if trace else {}
        self._record("failed", file=self._places.name, source=source, error=error, **traced)
        self.state, self._error = State.FAILED, error
        self._waiting.clear()
        self._stages.clear()


def _place(task: Task) -> tuple[Step, int]:
    return task.step, -1 if task.part is None else task.part.index


def _units(step: Step) -> float:
    return {Step.ANALYSE: 1.0, Step.DRAW: _DRAW_UNITS}.get(step, 0.0)
