"""Worker processes of a Ray cluster. They read inputs and write parts by path, on storage that all share."""

from __future__ import annotations

import importlib
import os
import re
import signal
import socket
import threading
import time
from dataclasses import replace
from typing import Any

from gclf_live.archive.tasks import Blame, Failure, Outcome, Progress, Setup, Task
from gclf_live.archive.worker import do_task
from gclf_live.errors import UsageError
from gclf_live.wording import pip_install

LOST_TRIES = 5
"""How often Ray begins a task again whose worker or node was lost."""
_GPU_SHARE = 0.25
"""Of a GPU, for one task with ``--device cuda``: most of its time goes into decoding on the processor."""
_COUNT_EVERY_S = 5.0
_ANSWERS_WITHIN_S = 10.0


class RayEngine:
    """As many tasks at once as the cluster has cores, and a few that wait there for the next free one."""

    def __init__(self, setup: Setup) -> None:
        """Join the cluster, or start one on this machine where no address is given.

        Raises:
            UsageError: Ray is not installed, the cluster cannot be reached, or the device has a number.
        """
        self._ray = _import_ray()
        options = setup.options
        if options.device.startswith("cuda:"):
            raise UsageError(
                f"--device {options.device} with --engine ray: Ray hands out GPUs; give --device cuda"
            )
        # A node may have a GPU that another has not: results must not depend on where a part was worked on.
        device = "cpu" if options.device == "auto" else options.device
        self._connect(options.address)
        self._setup = self._ray.put(replace(setup, options=replace(options, device=device)))
        self._do = self._ray.remote(
            num_cpus=setup.threads, num_gpus=_GPU_SHARE if device == "cuda" else 0, max_retries=LOST_TRIES
        )(do_task)
        self._running: dict[Any, tuple[Task, float]] = {}
        self._cores, self._counted_s = 0, -_COUNT_EVERY_S

    def free(self) -> int:
        """How many more tasks it takes now; nodes may come and go."""
        if time.monotonic() - self._counted_s > _COUNT_EVERY_S:
            self._cores = int(self._ray.cluster_resources().get("CPU", 0))
            self._counted_s = time.monotonic()
        return self._cores + max(1, self._cores // 4) - len(self._running)

    def begin(self, task: Task) -> None:
        """Give a task to the cluster."""
        self._running[self._do.remote(self._setup, task)] = task, time.monotonic()

    def news(self, timeout_s: float) -> list[Progress | Outcome]:
        """As ``Engine.news``; how far a task is is not told."""
        running = list(self._running)
        ready, _ = self._ray.wait(running, num_returns=1, timeout=timeout_s)
        if ready:
            ready, _ = self._ray.wait(running, num_returns=len(running), timeout=0)
        return [self._outcome(one) for one in ready]

    def close(self) -> None:
        """Leave the cluster; what still runs there for this run is ended."""
        for one in self._running:
            self._ray.cancel(one, force=True)
        self._running.clear()
        self._ray.shutdown()

    def _outcome(self, one: Any) -> Outcome:
        task, began_s = self._running.pop(one)
        try:
            outcome = self._ray.get(one)
        except self._ray.exceptions.RayTaskError as error:
            # ``do_task`` lets nothing out: it could not even be loaded there.
            why = " ".join(str(error.cause or error).split()).partition(". ")[0][:200]
            failure = Failure(
                Blame.SETUP,
                f"a worker of the cluster cannot run gclf-live ({why}); install the same on every machine",
                kind=UsageError.__name__,
            )
            return Outcome(task, failure, time.monotonic() - began_s)
        except self._ray.exceptions.RayError as error:
            what = " ".join(str(error).split())[:300]
            failure = Failure(
                Blame.INPUT,
                f"cannot {task.step} {str(task.source)!r}: the workers of the cluster were lost over it, "
                f"{1 + LOST_TRIES} times ({type(error).__name__}). The others go on; try this one alone",
                trace=what,
            )
            return Outcome(task, failure, time.monotonic() - began_s)
        assert isinstance(outcome, Outcome)
        return outcome

    def _connect(self, address: str | None) -> None:
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing leaves the machine
        handler = signal.getsignal(signal.SIGTERM)
        started_here = address is None and "RAY_ADDRESS" not in os.environ
        try:
            _check_answers(address)
            self._ray.init(
                address=address,
                log_to_driver=False,
                logging_level="ERROR",
                **({"include_dashboard": False} if started_here else {}),
            )
        except (OSError, ValueError, RuntimeError) as error:
            why = " ".join(str(error).split())[:200].rstrip(".")
            raise UsageError(
                f"cannot reach a Ray cluster at {address!r}: {why}. Give the address of one that runs (ray "
                "start --head prints it), or leave --address out to start one on this machine"
            ) from error
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, handler)  # Ray's own would end the process without tidying up


def _check_answers(address: str | None) -> None:
    """Try a plain HOST:PORT first: Ray itself goes on trying for minutes.

    Raises:
        OSError: nothing answers there.
    """
    match = re.fullmatch(r"([^:/]+):(\d{1,5})", address or "")
    if match is not None:
        socket.create_connection((match[1], int(match[2])), timeout=_ANSWERS_WITHIN_S).close()


def _import_ray() -> Any:
    # Imported here, and without its types: it is large, and an extra.
    try:
        return importlib.import_module("ray")
    except ImportError as error:
        run = pip_install("'.[ray]'")
        raise UsageError(
            f"--engine ray needs Ray, which is not installed. Run {run} in gclf-live's source folder"
        ) from error
