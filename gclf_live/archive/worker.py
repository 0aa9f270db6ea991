"""Doing one task in a process of its own; whatever goes wrong comes back as one line."""

from __future__ import annotations

import time
import traceback
from functools import lru_cache
from pathlib import Path

import cv2

from gclf_live import __version__
from gclf_live.archive.disk import is_full
from gclf_live.archive.steps import perform
from gclf_live.archive.tasks import Advance, Blame, Failure, Outcome, Setup, Task, Value
from gclf_live.errors import CheckpointError, GclfError, UsageError
from gclf_live.model.checkpoint import default_weights_path
from gclf_live.model.classifier import Classifier
from gclf_live.pipeline.measured import file_sha256


def do_task(setup: Setup, task: Task, advance: Advance = lambda share: None) -> Outcome:
    """Do one task; no ``Exception`` leaves it. The first task of a process loads the classifier for all."""
    began_s = time.monotonic()
    try:
        classifier = prepare(setup)
    except GclfError as error:
        failure = Failure(Blame.SETUP, str(error), kind=type(error).__name__)
        return Outcome(task, failure, time.monotonic() - began_s)
    value: Value | Failure
    try:
        value = perform(setup, task, classifier, advance)
    except Exception as error:  # one bad file must not stop the rest
        value = _failure(task, error)
    return Outcome(task, value, time.monotonic() - began_s, classifier.plan.reason)


def prepare(setup: Setup) -> Classifier:
    """Load what tasks need; the second time it is there.

    Raises:
        CheckpointError: the weights cannot be used, or are not those of the run.
        DeviceError: the device is not there.
        UsageError: there is no such device, or this is another gclf-live than that of the run.
    """
    if setup.version != __version__:
        raise UsageError(
            f"a worker has gclf-live {__version__} and the run {setup.version}; install the same everywhere"
        )
    options = setup.options
    return _classifier(options.weights, options.device, setup.threads, setup.weights_sha256)


@lru_cache(maxsize=1)
def _classifier(weights: Path | None, device: str, threads: int, sha256: str) -> Classifier:
    cv2.setNumThreads(threads)
    classifier = Classifier.load(weights, device=device, threads=threads)
    if file_sha256(weights or default_weights_path()) != sha256:
        name = "those of the package" if weights is None else repr(str(weights))
        raise CheckpointError(
            f"a worker has other weights ({name}) than the run; give it the same file on every machine"
        )
    return classifier


def _failure(task: Task, error: Exception) -> Failure:
    if isinstance(error, GclfError):
        message, trace = str(error), ""
    else:
        what = " ".join(str(error).split())[:300]
        message = f"cannot {task.step} {str(task.source)!r}: {type(error).__name__}: {what}"
        trace = "".join(traceback.format_exception(error))
    return Failure(Blame.DISK, message) if is_full(error) else Failure(Blame.INPUT, message, trace)
