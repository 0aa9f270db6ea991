"""Pictures that wait for one of the child processes that decode them."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

from gclf_live.errors import DeviceError
from gclf_live.serve.answers import BusyError, RequestError
from gclf_live.serve.child import Child, ChildDied, NetworkFailed
from gclf_live.serve.limits import Limits

_Answer = tuple[dict[str, Any], bytes]
_USUAL_S = 0.1
_LONGEST_RETRY_S = 30.0
_START_S = 60.0
_START_AGAIN_S = 1.0
_MOST_FAILED_STARTS = 5


@dataclass(frozen=True, slots=True)
class _Task:
    header: dict[str, Any]
    payload: bytes | memoryview
    answer: Future[_Answer]


class Place:
    """What one request keeps of the queue.

    Attributes:
        pictures: places.
        held_bytes: size of what it has sent.
    """

    def __init__(self, pool: PicturePool) -> None:
        """Keep nothing yet."""
        self._pool = pool
        self.pictures = self.held_bytes = 0

    def add(self, pictures: int = 1) -> None:
        """Keep more places, or raise BusyError."""
        self._pool.take(pictures, 0)
        self.pictures += pictures

    def hold(self, count: int) -> None:
        """Hold more bytes, or raise BusyError."""
        self._pool.take(0, count)
        self.held_bytes += count


class PicturePool:
    """Hands pictures to child processes; one that dies hurts its own picture, and is replaced."""

    def __init__(
        self, make_child: Callable[[], Child], limits: Limits, *, observe: Callable[[int], None]
    ) -> None:
        """Start the processes.

        Args:
            make_child: starts one.
            limits: how many there are, how many pictures may wait, and how long one may take.
            observe: called with the number of pictures that wait or are worked on, whenever it changes.

        Raises:
            RuntimeError: the system gives no thread.
        """
        self._make_child, self._limits, self._observe = make_child, limits, observe
        self._tasks: queue.SimpleQueue[_Task | None] = queue.SimpleQueue()
        self._lock = threading.RLock()
        self._pictures = self._held_bytes = 0
        self._seconds = _USUAL_S
        self._stopped = threading.Event()
        self._children: dict[int, Child] = {}
        self._ready = threading.Semaphore(0)
        self._trouble, self._failed_starts = "it does not answer", 0
        self._threads: list[threading.Thread] = []
        try:
            for number in range(limits.workers):
                thread = threading.Thread(target=self._serve, args=(number,), name=f"pictures-{number}")
                thread.start()
                self._threads.append(thread)
        except BaseException:
            self.stop()
            raise

    @contextlib.contextmanager
    def place(self) -> Iterator[Place]:
        """Keep one place in the queue, from before an upload is read until its answer is there.

        Raises:
            BusyError: all places are taken.
        """
        place = Place(self)
        place.add()
        try:
            yield place
        finally:
            self._give(-place.pictures, -place.held_bytes)

    def take(self, pictures: int, held_bytes: int) -> None:
        """Count pictures and bytes that wait.

        Raises:
            BusyError: there is no room for them.
        """
        with self._lock:
            count, held = self._pictures + pictures, self._held_bytes + held_bytes
            if (
                count > self._limits.waiting_pictures
                or held > self._limits.held_bytes
                or self._stopped.is_set()
            ):
                raise BusyError(
                    f"{self._pictures} pictures are waiting already, and {self._limits.waiting_pictures} may",
                    retry_after_s=min(
                        self._pictures * self._seconds / self._limits.workers, _LONGEST_RETRY_S
                    ),
                )
            self._give(pictures, held_bytes)

    async def ask(self, header: dict[str, Any], payload: bytes | memoryview = b"") -> _Answer:
        """Have a child do a task; see ``picture_work``.

        Returns:
            Its document, and what it drew.

        Raises:
            RequestError: the picture was refused, or decoding it went wrong.
        """
        answer: Future[_Answer] = Future()
        self._tasks.put(_Task(header, payload, answer))
        message, data = await asyncio.wrap_future(answer)
        if message.get("kind") != "done":
            raise RequestError(int(message.get("status", 422)), str(message.get("error", "refused")))
        return dict(message["document"]), data

    def wait(self) -> None:
        """Wait until one process has loaded what it needs.

        Raises:
            DeviceError: none comes up.
        """
        until_s = time.monotonic() + _START_S
        while not self._ready.acquire(timeout=0.1):
            if self._failed_starts < _MOST_FAILED_STARTS and time.monotonic() < until_s:
                continue
            raise DeviceError(
                f"no process that decodes pictures can be started: {self._trouble}. Make memory free"
            )

    def stop(self) -> None:
        """End all processes; whoever waits gets an error."""
        self._stopped.set()
        for _ in self._threads:
            self._tasks.put(None)
        with self._lock:
            children = list(self._children.values())
        for child in children:
            child.kill("the server is being stopped")
        for thread in self._threads:
            thread.join()
        with contextlib.suppress(queue.Empty):
            while True:
                task = self._tasks.get_nowait()
                if task is not None and task.answer.set_running_or_notify_cancel():
                    task.answer.set_exception(_stopping())

    def _give(self, pictures: int, held_bytes: int) -> None:
        with self._lock:
            self._pictures += pictures
            self._held_bytes += held_bytes
            self._observe(self._pictures)

    def _serve(self, number: int) -> None:
        """One thread: a child of its own, and one task after the other for it."""
        child = self._start(number)
        while child is not None:
            task = self._tasks.get()
            if task is None:
                break
            if not task.answer.set_running_or_notify_cancel():
                continue
            if not child.is_alive:  # the system took it while it had nothing to do: nobody's fault
                child.close()
                child = self._start(number)
                if child is None:
                    task.answer.set_exception(_stopping())
                    return
            began_s = time.monotonic()
            try:
                answer = child.ask(task.header, task.payload, timeout_s=self._limits.picture_s)
            except ChildDied as error:
                child.close()
                self._fail(task, error)
                child = self._start(number)
                continue
            self._seconds += 0.1 * (time.monotonic() - began_s - self._seconds)
            task.answer.set_result(answer)
        if child is not None:
            child.close()

    def _start(self, number: int) -> Child | None:
        """Start a child, again and again until one answers; None when the server is being stopped."""
        while not self._stopped.is_set():
            try:
                child = self._greeted(number)
            except ChildDied as error:
                self._trouble = str(error)
                self._failed_starts += 1
                self._stopped.wait(_START_AGAIN_S)
            else:
                self._ready.release()
                return child
        return None

    def _greeted(self, number: int) -> Child:
        child = self._make_child()
        with self._lock:
            self._children[number] = child
        if self._stopped.is_set():  # it may not have been among those that were ended
            child.kill("the server is being stopped")
        try:
            child.ask({"task": "hello"}, timeout_s=_START_S)
        except ChildDied:
            child.close()
            raise
        return child

    def _fail(self, task: _Task, error: ChildDied) -> None:
        if self._stopped.is_set():
            task.answer.set_exception(_stopping())
            return
        if isinstance(error, NetworkFailed):
            task.answer.set_exception(RequestError(500, f"{error}; the server's log says more"))
            return
        name = task.header.get("name", "the video")
        line = f"cannot read {name!r}: {error}. Save it again, or scale it down"
        task.answer.set_exception(RequestError(422, line))


def _stopping() -> RequestError:
    return RequestError(503, "the server is being stopped. Try again later", headers={"Retry-After": "5"})
