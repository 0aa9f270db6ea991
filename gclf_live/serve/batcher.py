"""One thread that runs the network for everybody: crops of many requests go through it together."""

from __future__ import annotations

import itertools
import logging
import queue
import threading
from collections.abc import Callable
from concurrent.futures import Future
from enum import IntEnum

import numpy as np

from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.records import F32, U8

_PIECE = 16
"""Crops of one request that are queued as one: a crowd must not keep a live picture waiting."""


class Urgency(IntEnum):
    """Whose crops come first when there are more than fit into a batch."""

    LIVE = 0
    PICTURE = 1
    VIDEO = 2
    STOP = 3


_Item = tuple[Urgency, int, U8, "Future[F32]"]


class Batcher:
    """Classifies crops of many threads in common batches, in order of urgency and arrival.

    Nobody waits for a batch to fill: what has come while one was run is the next one.
    """

    def __init__(
        self, classifier: Classifier, *, observe: Callable[[int], None] = lambda crops: None
    ) -> None:
        """Start the thread; ``observe`` is called with the size of every batch."""
        self._classifier = classifier
        self._observe = observe
        self._waiting: queue.PriorityQueue[_Item] = queue.PriorityQueue()
        self._numbers = itertools.count()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="batcher")
        self._thread.start()

    @property
    def waiting(self) -> int:
        """About how many pieces, of at most 16 crops, wait for the next batch."""
        return self._waiting.qsize()

    @property
    def stopped(self) -> bool:
        """Whether it takes nothing more."""
        return self._stopped.is_set()

    def log_probabilities(self, crops: U8, urgency: Urgency) -> F32:
        """Classify N crops, as ``Classifier.log_probabilities``; waits for the answer.

        Args:
            crops: uint8, shape (N, S, S, 3), BGR.
            urgency: before or behind whom.

        Raises:
            ValueError: the crops do not fit the classifier.
            RuntimeError: the batcher was stopped.
        """
        side = self._classifier.crop_spec.size_px
        if crops.dtype != np.uint8 or crops.ndim != 4 or crops.shape[1:] != (side, side, 3):
            raise ValueError(f"crops are {crops.dtype} {crops.shape}; they must be uint8 Nx{side}x{side}x3")
        if not len(crops):
            return np.zeros((0, len(self._classifier.classes)), np.float32)
        pieces = [self._put(crops[i : i + _PIECE], urgency) for i in range(0, len(crops), _PIECE)]
        return np.concatenate([piece.result() for piece in pieces])

    def stop(self) -> None:
        """End the thread; what still waits gets a RuntimeError."""
        self._stopped.set()
        self._waiting.put((Urgency.STOP, next(self._numbers), np.zeros((0, 0, 0, 3), np.uint8), Future()))
        self._thread.join()
        self._refuse_waiting()

    def _put(self, crops: U8, urgency: Urgency) -> Future[F32]:
        answer: Future[F32] = Future()
        self._waiting.put((urgency, next(self._numbers), crops, answer))
        if self._stopped.is_set():  # the thread may have ended before it saw this
            self._refuse_waiting()
        return answer

    def _refuse_waiting(self) -> None:
        while True:
            try:
                answer = self._waiting.get_nowait()[3]
            except queue.Empty:
                return
            answer.set_exception(RuntimeError("the server is being stopped"))

    def _run(self) -> None:
        while not self._stopped.is_set():
            batch = self._next_batch()
            if not batch:
                continue
            try:
                found = self._classifier.log_probabilities(np.concatenate([crops for crops, _ in batch]))
            except Exception as error:  # each of them is told, and the next batch may do
                logging.getLogger(__name__).exception("the network failed at a batch")
                for _, answer in batch:
                    answer.set_exception(error)
                continue
            self._observe(len(found))
            parts = np.split(found, np.cumsum([len(crops) for crops, _ in batch])[:-1])
            for (_, answer), part in zip(batch, parts, strict=True):
                answer.set_result(part)

    def _next_batch(self) -> list[tuple[U8, Future[F32]]]:
        """Wait for crops; they, and those that wait behind them, as far as they fit into one batch."""
        batch, count = [], 0
        item = self._waiting.get()
        while True:
            urgency, _, crops, answer = item
            if urgency is Urgency.STOP:
                answer.set_result(np.zeros((0, 0), np.float32))
            else:
                batch.append((crops, answer))
                count += len(crops)
            if count > MAX_BATCH - _PIECE:
                return batch
            try:
                item = self._waiting.get_nowait()
            except queue.Empty:
                return batch
