"""Who gets which task: inputs in their order, as many at once as the engine takes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path

import gclf_live.errors
from gclf_live.archive.display import ArchiveDisplay
from gclf_live.archive.files import FileWork
from gclf_live.archive.history import History
from gclf_live.archive.journal import Journal
from gclf_live.archive.options import ArchiveReport, FileOutcome, State
from gclf_live.archive.tasks import Blame, Engine, Failure, Outcome, Progress, Setup, Task
from gclf_live.errors import GclfError, OutputError
from gclf_live.pipeline.jobs import Job

_LOOK_EVERY_S = 0.5

Say = Callable[[str], None]


class Coordinator:
    """Gives tasks to an engine, and what they came to to the inputs that they belong to.

    Attributes:
        outcomes: of the inputs that have ended, by their place among the jobs.
    """

    def __init__(
        self, jobs: Sequence[Job], setup: Setup, journal: Journal, *, say: Say, say_result: Say
    ) -> None:
        """Read what the journal holds; see ``run_archive`` for the arguments."""
        self.outcomes: dict[int, FileOutcome] = {}
        self._jobs, self._setup, self._journal = jobs, setup, journal
        self._say, self._say_result = say, say_result
        self._history = History.read(journal.events())
        self._waiting = deque(range(len(jobs)))
        self._active: dict[str, tuple[int, FileWork]] = {}
        self._sizes = [_size(job.source) for job in jobs]
        self._size_to_do, self._size_done = sum(self._sizes), 0
        self._parts = 0
        self._devices: set[str] = set()

    @property
    def history(self) -> History:
        """What all runs into the folder have left, this one included."""
        return self._history

    def work(self, engine: Engine, display: ArchiveDisplay) -> ArchiveReport:
        """Work until every input has ended; arguments and errors as in ``run_archive``."""
        options = self._setup.options
        self._record("run", inputs=len(self._jobs), engine=options.engine, jobs=options.jobs)
        while True:
            self._feed(engine, display)
            if not self._active:
                break
            for news in engine.news(_LOOK_EVERY_S):
                self._hear(news)
            self._let_go(display)
            self._show(display)
        return self.end("ended")

    def end(self, how: str) -> ArchiveReport:
        """Write the journal's last line and tell what failed."""
        files = tuple(outcome for _, outcome in sorted(self.outcomes.items()))
        counts = {state: sum(file.state is state for file in files) for state in State}
        for _, file in self._active.values():
            file.sweep()
        for outcome in files:
            if outcome.state is State.FAILED:
                self._say(f"{outcome.source}: {outcome.error}")
        if counts[State.KEPT]:
            self._say(f"{counts[State.KEPT]:,} of {len(self._jobs):,} inputs were up to date")
        if replaced := sum(file.replaced for file in files):
            self._say(f"outputs of {replaced:,} of {len(self._jobs):,} inputs were there and were replaced")
        self._record(
            "end", how=how, **{str(state): count for state, count in counts.items()}, parts=self._parts
        )
        return ArchiveReport(files, self._parts)

    def _feed(self, engine: Engine, display: ArchiveDisplay) -> None:
        while engine.free() > 0:
            task = self._next_task(display)
            if task is None:
                return
            engine.begin(task)

    def _next_task(self, display: ArchiveDisplay) -> Task | None:
        for _, file in self._active.values():
            if (task := file.next_task()) is not None:
                return task
        while self._waiting:
            index = self._waiting.popleft()
            file = FileWork(self._jobs[index], self._setup, self._history, self._record)
            file.start()
            self._active[file.name] = (index, file)
            if (task := file.next_task()) is not None:
                return task
            self._let_go(display)
        return None

    def _hear(self, news: Progress | Outcome) -> None:
        _, file = self._active[news.task.name]
        if isinstance(news, Progress):
            file.progress(news.task, news.share)
            return
        if news.device and news.device not in self._devices:  # the machines of a cluster may differ
            self._devices.add(news.device)
            self._say(news.device)
        if isinstance(news.value, Failure):
            self._hear_failure(file, news.task, news.value)
        else:
            self._parts += news.task.part is not None
            file.took(news.task, news.value, news.wall_s)

    def _hear_failure(self, file: FileWork, task: Task, failure: Failure) -> None:
        if failure.blame is Blame.SETUP:
            raise error_named(failure.kind, failure.error)
        if failure.blame is Blame.DISK:
            raise OutputError(
                f"{failure.error}; what is saved is kept, and the same command goes on from there"
            )
        file.fail(task, failure.error, failure.trace)

    def _let_go(self, display: ArchiveDisplay) -> None:
        """Note the outcome of the inputs that have ended."""
        for name, (index, file) in list(self._active.items()):
            if file.state is None or file.busy:
                continue
            del self._active[name]
            outcome = file.outcome()
            self.outcomes[index] = outcome
            display.one(name, 1.0)
            if outcome.state is State.KEPT:
                self._size_to_do -= self._sizes[index]
                continue
            self._size_done += self._sizes[index]
            if outcome.state is State.DONE:
                self._say_result(outcome.line())
            for note in outcome.notes:
                self._say(f"{outcome.source}: {note}")

    def _show(self, display: ArchiveDisplay) -> None:
        done = float(self._size_done)
        for index, file in self._active.values():
            done += file.share() * self._sizes[index]
            display.one(file.name, file.share())
        display.all(len(self.outcomes), len(self._jobs), done / max(1, self._size_to_do))

    def _record(self, event: str, **fields: object) -> None:
        self._journal.add(event, **fields)
        self._history.see({"event": event, **fields})


def error_named(kind: str, error: str) -> GclfError:
    """The error that a worker's line stands for."""
    found = getattr(gclf_live.errors, kind, GclfError)
    return found(error) if issubclass(found, GclfError) else GclfError(error)


def _size(path: Path) -> int:
    """Bytes of an input: what its share of the work is taken from before anything is known of it."""
    try:
        return max(1, path.stat().st_size)
    except OSError:
        return 1
