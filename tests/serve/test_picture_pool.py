"""Pictures that wait for a child process, where the network fails or the server is stopped."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from serve_makers import jpeg, two_faces, until

from gclf_live.model.classifier import Classifier
from gclf_live.records import F32, U8
from gclf_live.serve.answers import RequestError
from gclf_live.serve.child import Child, ChildDied
from gclf_live.serve.engine import Engine, EngineOptions
from gclf_live.serve.limits import Limits
from gclf_live.serve.pool import PicturePool

PREDICT = {"task": "predict", "name": "a.jpg", "threshold": 0.5}


class Exhausted(Classifier):
    """A network whose device has no memory left, for as long as the test says so."""

    fails = False

    def log_probabilities(self, crops: U8) -> F32:
        if self.fails:
            raise RuntimeError("CUDA out of memory")
        return super().log_probabilities(crops)


Started = tuple[Engine, Exhausted, int]


@pytest.fixture
def started(weights: Path) -> Iterator[Callable[[], Started]]:
    """Start an engine with one process for pictures, whose number comes with it."""
    engines: list[Engine] = []

    def start() -> Started:
        classifier = Exhausted.load(weights, device="cpu")
        assert isinstance(classifier, Exhausted)
        engines.append(Engine(classifier, EngineOptions(limits=Limits(workers=1))))
        (child,) = engines[-1].pool._children.values()
        return engines[-1], classifier, child._process.pid or 0

    yield start
    for engine in engines:
        engine.stop()


def test_network_that_fails_is_not_blamed_on_the_picture(
    started: Callable[[], Started], caplog: pytest.LogCaptureFixture
) -> None:
    engine, classifier, _ = started()
    data = jpeg(two_faces())
    classifier.fails = True
    with pytest.raises(RequestError, match="the network failed; the server's log says more") as failed:
        asyncio.run(engine.pool.ask(PREDICT, data))
    assert failed.value.status == 500
    assert "CUDA out of memory" in caplog.text
    classifier.fails = False
    found, _ = asyncio.run(engine.pool.ask(PREDICT, data))
    assert len(found["faces"]) == 2


def test_thread_that_the_system_does_not_give_leaves_none_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    begin, before = threading.Thread.start, set(threading.enumerate())

    def start(thread: threading.Thread) -> None:
        if thread.name == "pictures-2":
            raise RuntimeError("can't start new thread")
        begin(thread)

    def make_child() -> Child:
        raise ChildDied("no process can be started")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(RuntimeError, match="can't start new thread"):
        PicturePool(make_child, Limits(workers=3), observe=lambda count: None)
    assert not [thread.name for thread in threading.enumerate() if thread not in before]


def test_server_stops_although_a_request_that_waited_was_given_up(started: Callable[[], Started]) -> None:
    engine, _, child = started()
    os.kill(child, signal.SIGSTOP)  # so that the second picture waits

    async def ask_twice() -> None:
        first = asyncio.create_task(engine.pool.ask(PREDICT, jpeg(np.zeros((64, 64, 3), np.uint8))))
        second = asyncio.create_task(engine.pool.ask(PREDICT, jpeg(two_faces())))
        await asyncio.to_thread(until, lambda: engine.pool._tasks.qsize() == 1)
        second.cancel()
        await asyncio.gather(second, return_exceptions=True)
        await asyncio.to_thread(engine.stop)
        with pytest.raises(RequestError, match="is being stopped"):
            await first

    asyncio.run(ask_twice())
    assert not engine.folder.exists()
