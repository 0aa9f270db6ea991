"""Working through an archive: what ``gclf-live annotate`` does with a folder."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TextIO

from gclf_live import __version__
from gclf_live.archive.coordinator import Coordinator
from gclf_live.archive.display import archive_display
from gclf_live.archive.journal import Journal
from gclf_live.archive.left_over import left_over
from gclf_live.archive.lock import FolderLock
from gclf_live.archive.names import FOLDER
from gclf_live.archive.options import ArchiveOptions, ArchiveReport, FileOutcome, State
from gclf_live.archive.other_results import other_results
from gclf_live.archive.tasks import Engine, Setup
from gclf_live.errors import OutputError, UsageError
from gclf_live.model.checkpoint import default_weights_path
from gclf_live.output.tables import check_parquet
from gclf_live.pipeline.jobs import Job
from gclf_live.pipeline.measured import weights_sha256

__all__ = ["ArchiveOptions", "ArchiveReport", "FileOutcome", "State", "run_archive"]

Say = Callable[[str], None]


def run_archive(
    jobs: Sequence[Job],
    options: ArchiveOptions,
    *,
    say: Say = lambda line: None,
    say_result: Say = lambda line: None,
) -> ArchiveReport:
    """Work through videos and pictures, and go on where an earlier run into the same folder ended.

    Args:
        jobs: inputs and the drawn copies they would become, from ``plan_jobs``; other outputs take their
            names from these.
        options: what is asked for.
        say: takes what the user should know (standard error): what failed, notes.
        say_result: takes one line for each input that is done (standard output).

    Returns:
        What became of every input. One that fails is told and the others are still done.

    Raises:
        UsageError: options that do not go together, or there is nothing to write of these inputs.
        OutputError: the folder cannot be written, the disk is full, another run is at work in it, or its
            journal is damaged or of another version.
        CheckpointError, DeviceError: the workers cannot load the weights, or lack the device.
        KeyboardInterrupt: passed on, workers ended; what is saved is kept for the next run.
    """
    options = replace(
        options, output=options.output.absolute(), weights=options.weights and options.weights.absolute()
    )
    every = [Job(job.source.absolute(), job.target.absolute(), job.is_picture) for job in jobs]
    jobs = _with_something_to_write(every, options, say)
    if options.tables == "parquet":
        check_parquet("--tables parquet", instead="--tables csv")
    setup = _setup(options)
    with contextlib.ExitStack() as stack:
        if options.engine == "ray":
            # Ray tells of lost nodes on standard output, which holds results, or one JSON document.
            say_result = _on(sys.stdout, say_result)
            stack.enter_context(contextlib.redirect_stdout(sys.stderr))
        folder = _folder(options.output)
        stack.enter_context(FolderLock(folder / "lock"))
        journal = stack.enter_context(Journal(folder / "journal.jsonl"))
        coordinator = Coordinator(jobs, setup, journal, say=say, say_result=say_result)
        engine = stack.enter_context(contextlib.closing(_engine(setup)))
        try:
            with archive_display() as display:
                report = coordinator.work(engine, display)
        except BaseException as error:
            engine.close()
            _tell_end(coordinator, error, len(jobs))
            raise
        history = coordinator.history
        for line in left_over(every, report.files, options, history.owned):
            say(line)
        for line in other_results(every, history, options.output):
            say(line)
        return report


def _on(stream: TextIO, say: Say) -> Say:
    """``say`` with ``stream`` as standard output while it speaks."""

    def say_there(line: str) -> None:
        with contextlib.redirect_stdout(stream):
            say(line)

    return say_there


def _tell_end(coordinator: Coordinator, error: BaseException, inputs: int) -> None:
    """Close the journal of a run that did not get to its end."""
    stopped = isinstance(error, KeyboardInterrupt)
    if stopped:
        error.add_note(
            f"{len(coordinator.outcomes):,} of {inputs:,} inputs are done; the same command goes on there"
        )
    with contextlib.suppress(OutputError):  # a full disk takes no line about it either
        coordinator.end("stopped" if stopped else type(error).__name__)


def _with_something_to_write(jobs: Sequence[Job], options: ArchiveOptions, say: Say) -> list[Job]:
    kept = [job for job in jobs if options.video or not job.is_picture]
    if jobs and not kept:
        raise UsageError(
            f"--no-video measures videos, and all inputs are pictures ({len(jobs):,}); for their labels use "
            "gclf-live predict"
        )
    if len(kept) < len(jobs):
        left_out = len(jobs) - len(kept)
        say(f"pictures are left out ({left_out:,}): without copies there is nothing to write of them")
    return kept


def _setup(options: ArchiveOptions) -> Setup:
    weights = options.weights or default_weights_path()
    return Setup(options, weights_sha256(weights), __version__, _threads(options))


def _threads(options: ArchiveOptions) -> int:
    """CPU threads for one task: under Ray, a task is given one core."""
    if options.engine == "ray":
        return 1
    return max(1, len(os.sched_getaffinity(0)) // options.jobs)


def _folder(output: Path) -> Path:
    """The folder for the journal, made where it is missing."""
    folder = output / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}. Choose another folder"
        ) from error
    return folder


def _engine(setup: Setup) -> Engine:
    # Imported here: neither needs what the other does.
    if setup.options.engine == "ray":
        from gclf_live.archive.cluster import RayEngine

        return RayEngine(setup)
    from gclf_live.archive.local import LocalEngine

    return LocalEngine(setup)
