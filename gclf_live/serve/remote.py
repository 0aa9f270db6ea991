"""The classifier as a child process sees it: crops go to the server, whose network answers."""

from __future__ import annotations

from collections.abc import Iterable
from multiprocessing.connection import Connection

import numpy as np

from gclf_live.geometry import CropSpec
from gclf_live.model.meta import CheckpointMeta
from gclf_live.records import F32, U8, Predictions
from gclf_live.serve.wire import receive, send


class RemoteClassifier:
    """Does what ``Classifier`` does, with the network of another process. Not thread-safe."""

    def __init__(self, connection: Connection, meta: CheckpointMeta) -> None:
        """Take the pipe to the server, and what its checkpoint says of itself."""
        self._connection = connection
        self.meta = meta

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the C classes, in the order of the columns."""
        return self.meta.classes

    @property
    def crop_spec(self) -> CropSpec:
        """How crops for this classifier are cut."""
        return self.meta.crop

    def log_probabilities(self, crops: U8) -> F32:
        """As ``Classifier.log_probabilities``.

        Raises:
            EOFError, OSError: the server has gone.
        """
        if not len(crops):
            return np.zeros((0, len(self.classes)), np.float32)
        send(
            self._connection,
            {"kind": "classify", "count": len(crops)},
            np.ascontiguousarray(crops).data.cast("B"),
        )
        _, found = receive(self._connection)
        return np.frombuffer(found, np.float32).reshape(len(crops), len(self.classes)).copy()

    def predict(self, crops: U8) -> Predictions:
        """As ``Classifier.predict``."""
        return Predictions(self.classes, np.exp(self.log_probabilities(crops)))

    def warm_up(self, batch_sizes: Iterable[int] = (1,)) -> None:
        """Nothing: the server's network is warm."""
