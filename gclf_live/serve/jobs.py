"""Videos that wait, run and are kept: one child process at a time, and a folder for each."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

from gclf_live.serve.answers import BusyError
from gclf_live.serve.child import Child, ChildDied
from gclf_live.serve.video_work import FILES, SOURCE

_ID_BYTES = 16
_GUESS_FROM = 0.02
_USUAL_S = 30.0


class State(StrEnum):
    """How far a job has come."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INTERRUPTED = "interrupted"

    @property
    def is_final(self) -> bool:
        """Whether it will not change any more."""
        return self not in {State.QUEUED, State.RUNNING}


@dataclass(slots=True)
class Job:
    """One video.

    Attributes:
        id: unguessable: whoever knows it may see and remove the job.
        folder: where its files are.
        request: what its process is asked for, see ``video_work``.
        state: how far it has come.
        progress: share of the work that is done, or None.
        error: one line, of a job that failed.
        document: what the process said at the end.
        started_s, ended_s: by the monotonic clock, or None.
    """

    id: str
    folder: Path
    request: Mapping[str, Any]
    state: State = State.QUEUED
    progress: float | None = None
    error: str | None = None
    document: Mapping[str, Any] = field(default_factory=dict)
    started_s: float | None = None
    ended_s: float | None = None

    def seconds_left(self, now_s: float) -> float | None:
        """About how long it will still take, as far as anybody can tell."""
        if self.state is not State.RUNNING or self.started_s is None or not self.progress:
            return None
        if self.progress < _GUESS_FROM:
            return None
        return round((now_s - self.started_s) * (1 - self.progress) / self.progress, 1)


class Jobs:
    """All jobs of a server. Its methods may be called from any thread."""

    def __init__(
        self, root: Path, make_child: Callable[[], Child], *, most_unfinished: int, keep_s: float
    ) -> None:
        """Start the thread that runs one job after the other.

        Args:
            root: a private folder.
            make_child: starts a process for one video.
            most_unfinished: jobs that may wait or run.
            keep_s: seconds for which a job and its files are kept once it has ended.
        """
        self._root, self._make_child = root, make_child
        self._most_unfinished, self._keep_s = most_unfinished, keep_s
        self._jobs: dict[str, Job] = {}
        self._changed = threading.Condition()
        self._running: tuple[Job, Child] | None = None
        self._stopped = False
        self._uploading = 0
        self._seconds = _USUAL_S
        self._thread = threading.Thread(target=self._run, name="jobs")
        self._thread.start()

    def new_folder(self) -> Path:
        """A folder for an upload, under a name that nobody can guess: the job's id."""
        folder = self._root / secrets.token_urlsafe(_ID_BYTES)
        folder.mkdir(mode=0o700)
        return folder

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        """Keep a place for one more job, from before its video is sent until it was added.

        Raises:
            BusyError: all places are taken.
        """
        with self._changed:
            unfinished = self._uploading + sum(not job.state.is_final for job in self._jobs.values())
            if unfinished >= self._most_unfinished or self._stopped:
                raise BusyError(
                    f"videos that wait or run: {unfinished}; allowed are {self._most_unfinished}",
                    retry_after_s=self._seconds,
                )
            self._uploading += 1
        try:
            yield
        finally:
            with self._changed:
                self._uploading -= 1

    def add(self, folder: Path, request: Mapping[str, Any]) -> Job:
        """Queue the upload in ``folder``, which is the job's from now on."""
        job = Job(folder.name, folder, request)
        with self._changed:
            if self._stopped:
                self._end(job, State.INTERRUPTED)
            self._jobs[job.id] = job
            self._changed.notify_all()
        return job

    def find(self, job_id: str) -> Job | None:
        """The job, if it is still there."""
        with self._changed:
            return self._jobs.get(job_id)

    def describe(self, job: Job, *, tracks: bool) -> dict[str, object]:
        """The job as JSON; ``tracks``: with a row for each."""
        with self._changed:
            before = [other.state.is_final for other in self._jobs.values()]
            before = before[: list(self._jobs).index(job.id)] if job.id in self._jobs else []
            left_s = job.seconds_left(time.monotonic())
            described: dict[str, object] = {
                "id": job.id,
                "state": job.state.value,
                "progress": None if job.progress is None else round(job.progress, 4),
                "seconds_left": left_s,
                "queue_position": before.count(False) if job.state is State.QUEUED else None,
                "error": job.error,
                "summary": job.document.get("summary"),
                "files": {name: f"/v1/jobs/{job.id}/{FILES[name]}" for name in job.document.get("files", ())},
                "screen_time": job.document.get("screen_time"),
            }
            if tracks:
                described["tracks"] = job.document.get("tracks", [])
            return described

    def file(self, job: Job, name: str) -> Path | None:
        """The path of a file that the job left, by the last part of its address."""
        known = {FILES[kind] for kind in job.document.get("files", ())}
        return job.folder / name if name in known else None

    def remove(self, job: Job) -> bool:
        """Cancel a job that waits or runs; forget one that has ended, with its files.

        Returns:
            Whether it is still there, as cancelled.
        """
        with self._changed:
            if job.state.is_final:
                self._jobs.pop(job.id, None)
                shutil.rmtree(job.folder, ignore_errors=True)
                return False
            self._end(job, State.CANCELLED)
            if self._running is not None and self._running[0] is job:
                self._running[1].kill()
            else:
                shutil.rmtree(job.folder, ignore_errors=True)
            return True

    def expire(self) -> None:
        """Forget the jobs that ended longer ago than they are kept."""
        oldest_s = time.monotonic() - self._keep_s
        with self._changed:
            for job in list(self._jobs.values()):
                if job.ended_s is not None and job.ended_s <= oldest_s:
                    self.remove(job)

    def count(self) -> dict[str, int]:
        """Number of jobs by state."""
        with self._changed:
            found = Counter(job.state for job in self._jobs.values())
        return {state.value: found[state] for state in State}

    def interrupt(self) -> int:
        """Accept nothing more, mark what waits or runs as interrupted, and end its process.

        Returns:
            How many were interrupted by this call.
        """
        with self._changed:
            self._stopped = True
            unfinished = [job for job in self._jobs.values() if not job.state.is_final]
            for job in unfinished:
                self._end(job, State.INTERRUPTED)
            if self._running is not None:
                self._running[1].kill()
            self._changed.notify_all()
        return len(unfinished)

    def stop(self) -> None:
        """Interrupt, and wait for the thread and its process."""
        self.interrupt()
        self._thread.join()

    def _end(self, job: Job, state: State, *, error: str | None = None) -> None:
        if not job.state.is_final:
            job.state, job.error, job.ended_s = state, error, time.monotonic()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            began_s = time.monotonic()
            try:
                message = self._work(job)
            except Exception as error:  # the thread must go on for the next job
                message = {"error": f"the video cannot be worked on: {error}"}
            done = message.get("kind") == "done"
            self._tidy(job, keep=done)  # first: whoever is told the end finds what is to stay, and no more
            with self._changed:
                self._running = None
                if done and not job.state.is_final:
                    job.document, job.progress = message["document"], 1.0
                    self._end(job, State.DONE)
                else:
                    self._end(job, State.FAILED, error=str(message.get("error")))
                keep = job.state is State.DONE  # and not cancelled meanwhile
            self._tidy(job, keep=keep)
            self._seconds = time.monotonic() - began_s

    @staticmethod
    def _tidy(job: Job, *, keep: bool) -> None:
        """Remove the upload, and where nothing is to be kept the job's folder."""
        with contextlib.suppress(OSError):
            (job.folder / SOURCE).unlink(missing_ok=True)
        if not keep:
            shutil.rmtree(job.folder, ignore_errors=True)

    def _next(self) -> Job | None:
        """Wait for a job; None when the server is being stopped."""
        with self._changed:
            while not self._stopped:
                for job in self._jobs.values():
                    if job.state is State.QUEUED:
                        job.state, job.started_s = State.RUNNING, time.monotonic()
                        return job
                self._changed.wait()
        return None

    def _work(self, job: Job) -> Mapping[str, Any]:
        """Run its process; what that said at the end, or why it said nothing."""
        child = self._make_child()
        with self._changed:
            self._running = (job, child)
            if job.state.is_final:  # ended while the process started
                child.kill()
        try:
            message, _ = child.ask(dict(job.request), observe=lambda told: self._advance(job, told))
        except ChildDied as error:
            message = {"kind": "failed", "error": f"cannot work on {job.request['name']!r}: {error}"}
        finally:
            child.close()
        return message

    def _advance(self, job: Job, told: Mapping[str, Any]) -> None:
        with self._changed:
            if told.get("total"):
                job.progress = min(1.0, max(job.progress or 0.0, told["done"] / told["total"]))
