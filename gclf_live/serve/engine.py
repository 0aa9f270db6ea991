"""What is behind the addresses: the network, the processes that decode, the jobs, and their folder."""

from __future__ import annotations

import contextlib
import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from gclf_live.model.classifier import Classifier
from gclf_live.serve.batcher import Batcher, Urgency
from gclf_live.serve.child import Child
from gclf_live.serve.facts import model_facts
from gclf_live.serve.forking import socket_folder, start_fork_server
from gclf_live.serve.jobs import Jobs
from gclf_live.serve.leftovers import private_folder, remove_leftovers
from gclf_live.serve.limits import Limits
from gclf_live.serve.metrics import Metrics
from gclf_live.serve.pool import PicturePool
from gclf_live.serve.work import live_work, picture_work, video_work

KEEP_S = 3600.0


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """How a server is to work.

    Attributes:
        threshold: confidence below which a face is ``unsure``, unless a request names another.
        weights_name: file name of the checkpoint.
        weights_sha256: see ``measured.weights_sha256``.
        keep_s: seconds for which results are kept.
        limits: what is accepted.
    """

    threshold: float = 0.8
    weights_name: str = ""
    weights_sha256: str = ""
    keep_s: float = KEEP_S
    limits: Limits = field(default_factory=Limits)


class Engine:
    """Everything that has to be started and stopped.

    Attributes:
        options: as they were given.
        meta: of the checkpoint.
        folder: private, removed by ``stop``.
        metrics, batcher, pool, jobs: the parts.
        stopping: no more work is accepted.
    """

    def __init__(self, classifier: Classifier, options: EngineOptions) -> None:
        """Start threads and processes; ``stop`` has to be called whatever happens after that.

        Raises:
            DeviceError: no process can be started.
        """
        self.options, self.meta, self.stopping = options, classifier.meta, False
        self._device = classifier.plan.reason
        with contextlib.ExitStack() as parts:  # what was started goes if something else does not start
            self._start(classifier, parts)
            self.pool.wait()
            self._parts = parts.pop_all()

    def _start(self, classifier: Classifier, parts: contextlib.ExitStack) -> None:
        limits = self.options.limits
        start_fork_server()
        classifier.warm_up((1, 4))
        remove_leftovers(Path(tempfile.gettempdir()), socket_folder().parent)
        self.folder = parts.enter_context(private_folder())
        self.metrics = Metrics(count_jobs=self._count_jobs)
        self.batcher = Batcher(classifier, observe=self.metrics.batch.observe)
        parts.callback(self.batcher.stop)
        child = partial(Child, batcher=self.batcher, meta=classifier.meta)
        self.pool = PicturePool(
            partial(
                child,
                picture_work,
                limits=limits.picture,
                urgency=Urgency.PICTURE,
                setup={"picture_pixels": limits.picture_pixels},
            ),
            limits,
            observe=self.metrics.queue.set,
        )
        parts.callback(self.pool.stop)
        self.jobs = Jobs(
            self.folder,
            partial(child, video_work, limits=limits.video, urgency=Urgency.VIDEO, setup={}),
            most_unfinished=limits.unfinished_jobs,
            keep_s=self.options.keep_s,
        )
        parts.callback(self.jobs.stop)
        self._live_child = partial(
            child,
            live_work,
            limits=limits.live,
            urgency=Urgency.LIVE,
            setup={"frame_pixels": limits.live_frame_pixels},
        )

    def _count_jobs(self) -> dict[str, int]:
        return self.jobs.count()

    def live_child(self) -> Child:
        """Start a process for one live connection."""
        return self._live_child()

    def facts(self) -> dict[str, object]:
        """The document of ``/v1/model``."""
        return model_facts(
            self.meta,
            name=self.options.weights_name,
            sha256=self.options.weights_sha256,
            threshold=self.options.threshold,
            device=self._device,
            limits=self.options.limits,
        )

    def interrupt(self) -> int:
        """Accept nothing more and mark unfinished jobs as interrupted; their number."""
        self.stopping = True
        return self.jobs.interrupt()

    def stop(self) -> None:
        """End all threads and processes and remove all files."""
        self.interrupt()
        self._parts.close()
