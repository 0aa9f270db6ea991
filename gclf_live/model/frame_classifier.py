"""Whole frames in, evidence of their faces out, with one exchange between processor and device each way."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from gclf_live.model.classifier import Classifier
from gclf_live.model.frame_faces import Cutting, FramePyramid, crop_geometry, sharpness_and_inside
from gclf_live.model.graphs import GraphedFunction
from gclf_live.records import F32, U8

BATCH_SIZES = (1, 2, 4, 8, 16, 32)
"""Numbers of crops for which there is a CUDA graph; others are filled up to the next, more are split."""


@dataclass(frozen=True, slots=True)
class Readings:
    """What the device says of N faces.

    Attributes:
        log_probabilities: float32, shape (N, C), as ``Classifier.log_probabilities``.
        sharpness: float32, shape (N,), as ``faces.quality.Measures``.
        inside: float32, shape (N,): the share of each crop that lies inside the frame.
    """

    log_probabilities: F32
    sharpness: F32
    inside: F32


class FrameClassifier:
    """Cuts faces out of frames and classifies them on the classifier's device. Not thread-safe.

    On CUDA the whole of it is recorded once for every size of frame and batch and replayed for each
    frame (CUDA graphs): a network of 20 small layers is otherwise limited by starting them. A graph is
    compared with the same work done step by step before it is used.
    """

    def __init__(
        self,
        classifier: Classifier,
        *,
        sharpness_side_px: int,
        sensor_variance: float,
        say: Callable[[str], None] = lambda line: None,
        graphs: bool = True,
    ) -> None:
        """Take a classifier; memory is allocated when the size of the frames is known.

        Args:
            classifier: what the crops go through, and whose device is used.
            sharpness_side_px, sensor_variance: see ``Cutting``.
            say: takes one line for the user, should graphs not be possible.
            graphs: use CUDA graphs on a CUDA device.
        """
        self._classifier, self._say = classifier, say
        self._device = classifier.plan.device
        self._cutting = Cutting(classifier.crop_spec.size_px, sharpness_side_px, sensor_variance)
        self._with_graphs = graphs and self._device.type == "cuda"
        self._pyramid: FramePyramid | None = None
        self._staging: Tensor | None = None
        self._graphs: dict[int, GraphedFunction] = {}

    def prepare(self, height_px: int, width_px: int) -> None:
        """Make ready for frames of one size; after this, ``read`` never waits for anything to be set up."""
        if self._pyramid is not None and self._pyramid.shape == (height_px, width_px):
            return
        self._graphs.clear()
        self._pyramid = FramePyramid(height_px, width_px, self._device)
        pinned = self._device.type == "cuda"
        self._staging = torch.empty((height_px, width_px, 3), dtype=torch.uint8, pin_memory=pinned)
        for size in BATCH_SIZES:
            blank = np.tile(np.array([[1, 0, 0], [0, 1, 0]], np.float32), (size, 1, 1))
            self.read(np.zeros((height_px, width_px, 3), np.uint8), blank)

    def read(self, image: U8, matrices: F32) -> Readings:
        """Classify faces of one frame.

        Args:
            image: uint8, shape (H, W, 3), BGR.
            matrices: float32, shape (N, 2, 3): ``geometry.crop_transform`` of each face. N may be 0.
        """
        count, classes = len(matrices), len(self._classifier.classes)
        if not count:
            return Readings(np.zeros((0, classes), np.float32), *(np.zeros(0, np.float32) for _ in range(2)))
        self.prepare(*image.shape[:2])
        assert self._pyramid is not None
        assert self._staging is not None
        with torch.inference_mode(), self._current_device():
            self._staging.numpy()[...] = image
            self._pyramid.level(0).copy_(self._staging, non_blocking=True)
            rows = self._upload(crop_geometry(matrices, levels=self._pyramid.levels))
            parts = torch.split(rows, BATCH_SIZES[-1])
            # Copied where there are several: a graph's next batch lands in the memory of the one before.
            found = (
                self._batch(parts[0])
                if len(parts) == 1
                else torch.cat([self._batch(part).clone() for part in parts])
            )
            table = found.cpu().numpy()  # the one place where the processor waits
        return Readings(
            np.ascontiguousarray(table[:, :classes]),
            np.ascontiguousarray(table[:, classes]),
            np.ascontiguousarray(table[:, classes + 1]),
        )

    def _current_device(self) -> AbstractContextManager[object]:
        # Streams and graphs belong to the current device, which need not be ours.
        return torch.cuda.device(self._device) if self._device.type == "cuda" else nullcontext()

    def _upload(self, geometry: F32) -> Tensor:
        rows = torch.from_numpy(geometry)
        return (rows.pin_memory() if self._device.type == "cuda" else rows).to(
            self._device, non_blocking=True
        )

    def _batch(self, geometry: Tensor) -> Tensor:
        """Readings of one batch, (N, C + 2), on the device."""
        count = len(geometry)
        size = next(size for size in BATCH_SIZES if size >= count)
        # Filled up with the last face: a batch of another size would be another graph.
        filled = torch.cat([geometry, geometry[-1:].expand(size - count, -1)])
        if not self._with_graphs:
            return self._compute(filled)[:count]
        if size not in self._graphs:
            self._graphs[size] = GraphedFunction(self._compute, filled)
            if (why := self._graphs[size].unusable) is not None:
                self._say(f"{self._device}: no CUDA graphs ({why}); going on without, more slowly")
                self._with_graphs = False
                return self._compute(filled)[:count]
        return self._graphs[size](filled)[:count]

    def _compute(self, geometry: Tensor) -> Tensor:
        """All of the work for the frame in the pyramid: (N, 7) in, (N, C + 2) out."""
        assert self._pyramid is not None
        self._pyramid.fill()
        crops, inside = self._pyramid.sample(geometry, self._cutting.size_px)
        sharpness, share = sharpness_and_inside(crops, inside, self._cutting)
        evidence = self._classifier.log_probabilities_on_device(crops)
        return torch.cat([evidence, sharpness[:, None], share[:, None]], dim=1)
