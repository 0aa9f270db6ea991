"""Crops of many threads go through the network together, and each thread gets its own answers."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from face_makers import BLUE, RED, ColourClassifier

from gclf_live.model.classifier import MAX_BATCH, Classifier
from gclf_live.records import F32, U8
from gclf_live.serve.batcher import Batcher, Urgency


class Gated(ColourClassifier):
    """Answers when it is let; says what came first."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.entered = threading.Event()
        self.first: list[int] = []

    def log_probabilities(self, crops: U8) -> F32:
        self.entered.set()
        assert self.gate.wait(60)
        self.first.append(int(crops[0, 0, 0, 0]))
        return super().log_probabilities(crops)


def crops(count: int, tint: tuple[float, float, float] = RED) -> U8:
    return np.broadcast_to(np.array(tint) * 200, (count, 32, 32, 3)).astype(np.uint8)


def batcher_of(classifier: ColourClassifier) -> Batcher:
    return Batcher(cast("Classifier", classifier))


def test_what_waits_together_goes_through_together() -> None:
    network = Gated()
    batcher = batcher_of(network)
    with ThreadPoolExecutor(12) as threads:
        first = threads.submit(batcher.log_probabilities, crops(1), Urgency.PICTURE)
        assert network.entered.wait(60)
        answers = [
            threads.submit(batcher.log_probabilities, crops(2, tint), Urgency.PICTURE)
            for tint in (RED, BLUE, BLUE, RED, BLUE)
        ]
        while batcher.waiting < 5:
            pass
        network.gate.set()
        found = [answer.result().argmax(axis=1).tolist() for answer in answers]
        assert first.result().shape == (1, 2)
    batcher.stop()
    assert network.batches == [1, 10]
    assert found == [[0, 0], [1, 1], [1, 1], [0, 0], [1, 1]]


def test_live_crops_come_before_pictures_and_pictures_before_videos() -> None:
    network = Gated()
    batcher = batcher_of(network)
    marks = {Urgency.VIDEO: 30, Urgency.PICTURE: 20, Urgency.LIVE: 10}
    with ThreadPoolExecutor(4) as threads:
        threads.submit(batcher.log_probabilities, crops(1), Urgency.VIDEO)
        assert network.entered.wait(60)
        for urgency, mark in marks.items():
            marked = np.full((MAX_BATCH, 32, 32, 3), mark, np.uint8)
            threads.submit(batcher.log_probabilities, marked, urgency)
        while batcher.waiting < 12:
            pass
        network.gate.set()
    batcher.stop()
    assert network.first[1:] == [10, 20, 30]


def test_crowd_is_split_into_batches_that_the_network_takes() -> None:
    network = ColourClassifier()
    batcher = batcher_of(network)
    assert batcher.log_probabilities(crops(500, BLUE), Urgency.PICTURE).argmax(axis=1).tolist() == [1] * 500
    batcher.stop()
    assert max(network.batches) <= MAX_BATCH
    assert sum(network.batches) == 500


def test_no_crops_need_no_network() -> None:
    batcher = batcher_of(ColourClassifier())
    assert batcher.log_probabilities(crops(0), Urgency.LIVE).shape == (0, 2)
    batcher.stop()


def test_crops_of_another_size_are_refused_and_spoil_no_batch(weights: Path) -> None:
    batcher = Batcher(Classifier.load(weights, device="cpu"))
    with pytest.raises(ValueError, match="Nx32x32x3"):
        batcher.log_probabilities(np.zeros((1, 40, 40, 3), np.uint8), Urgency.PICTURE)
    assert batcher.log_probabilities(crops(3), Urgency.PICTURE).shape == (3, 2)
    batcher.stop()


def test_who_waits_when_it_is_stopped_is_told() -> None:
    network = Gated()
    batcher = batcher_of(network)
    with ThreadPoolExecutor(3) as threads:
        running = threads.submit(batcher.log_probabilities, crops(1), Urgency.PICTURE)
        assert network.entered.wait(60)
        waiting = threads.submit(batcher.log_probabilities, crops(1), Urgency.PICTURE)
        while batcher.waiting < 1:
            pass
        stopping = threads.submit(batcher.stop)
        while not batcher.stopped:
            pass
        network.gate.set()
        stopping.result()
        assert running.result().shape == (1, 2)
        with pytest.raises(RuntimeError, match="stopped"):
            waiting.result()
        with pytest.raises(RuntimeError, match="stopped"):
            batcher.log_probabilities(crops(1), Urgency.LIVE)
