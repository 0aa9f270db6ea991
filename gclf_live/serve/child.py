"""Child processes that decode what somebody sent: started, spoken to, and ended by the server."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Any

import numpy as np

from gclf_live.model.meta import CheckpointMeta
from gclf_live.serve.batcher import Batcher, Urgency
from gclf_live.serve.forking import context
from gclf_live.serve.limits import KernelLimits
from gclf_live.serve.wire import receive, send

Work = Callable[[Connection, CheckpointMeta, KernelLimits, dict[str, Any]], None]
Observe = Callable[[dict[str, Any]], None]

_LARGEST_ANSWER = 1 << 28


class ChildDied(Exception):  # noqa: N818 - it is what happened, and the caller makes it an error for somebody
    """A child process ended, or was ended, before it had answered; the message says why."""


class NetworkFailed(ChildDied):
    """The network of the server failed at what a child had sent: no fault of the child, nor of its file."""


class Child:
    """One child process and the pipe to it. Not thread-safe but for ``kill``."""

    def __init__(
        self,
        work: Work,
        batcher: Batcher,
        meta: CheckpointMeta,
        limits: KernelLimits,
        *,
        urgency: Urgency,
        setup: dict[str, Any],
    ) -> None:
        """Start the process.

        Args:
            work: what it runs; a function of a module.
            batcher: classifies the crops that it sends.
            meta: of the checkpoint.
            limits: what the kernel allows it.
            urgency: of its crops.
            setup: further arguments, plain JSON.

        Raises:
            ChildDied: the system gives no process.
        """
        self._batcher, self._meta, self._urgency = batcher, meta, urgency
        self._killed = ""
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=work, args=(theirs, meta, limits, setup), daemon=True)
        try:
            self._process.start()
        except (OSError, EOFError) as error:  # or the process that they are forked from has been ended
            self._connection.close()
            raise ChildDied(f"no process can be started: {error}") from error
        finally:
            theirs.close()

    def ask(
        self,
        header: dict[str, Any],
        payload: bytes | memoryview = b"",
        *,
        timeout_s: float | None = None,
        observe: Observe = lambda message: None,
    ) -> tuple[dict[str, Any], bytes]:
        """Send a request, classify the crops that it asks for, and wait for its answer.

        Args:
            header, payload: the request.
            timeout_s: the child is ended when it has not answered by then; None waits.
            observe: called with every message of the kind ``progress``.

        Raises:
            ChildDied: there will be no answer; ``NetworkFailed`` where the server is to blame.
        """
        ends_s = None if timeout_s is None else time.monotonic() + timeout_s
        try:
            send(self._connection, header, payload)
            while True:
                if ends_s is not None and not self._connection.poll(max(0.0, ends_s - time.monotonic())):
                    self.kill(f"it took more than {timeout_s:g} s")
                    raise ChildDied(self._killed)
                message, data = receive(self._connection, largest=_LARGEST_ANSWER)
                if message.get("kind") == "classify":
                    self._classify(message, data)
                elif message.get("kind") == "progress":
                    observe(message)
                else:
                    return message, data
        except (EOFError, OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
            raise ChildDied(self._reason(error)) from error

    @property
    def is_alive(self) -> bool:
        """Whether the process is there."""
        return self._process.is_alive()

    def kill(self, reason: str = "it was ended") -> None:
        """End the process at once, from any thread."""
        self._killed = self._killed or reason
        self._process.kill()

    def close(self) -> None:
        """End the process and wait until it has gone."""
        self.kill()
        self._process.join()
        self._connection.close()

    def _classify(self, message: dict[str, Any], data: bytes) -> None:
        side = self._meta.crop.size_px
        crops = np.frombuffer(data, np.uint8).reshape(int(message["count"]), side, side, 3)
        try:
            found = self._batcher.log_probabilities(crops, self._urgency)
        except (RuntimeError, MemoryError) as error:  # no memory on its device, most likely
            raise NetworkFailed("the network failed") from error
        send(self._connection, {}, np.ascontiguousarray(found, np.float32).tobytes())

    def _reason(self, error: BaseException) -> str:
        if self._killed:
            return self._killed
        if not isinstance(error, EOFError | ConnectionError):
            self.kill("it sent nonsense")
        self._process.join(5)
        code = self._process.exitcode
        if code == -signal.SIGXCPU:
            return "it took too much processor time"
        if code in {-signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS}:
            return "it took too much memory, or made the decoder crash"
        return f"the decoder ended ({code})"
