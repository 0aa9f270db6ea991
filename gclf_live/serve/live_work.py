"""One live connection, in a child process: frames in, tracked and labelled faces out."""

from __future__ import annotations

import io
import time
import warnings
from multiprocessing.connection import Connection
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image

from gclf_live.errors import SourceError
from gclf_live.model.classifier import Classifier
from gclf_live.model.meta import CheckpointMeta
from gclf_live.output.rows import face_rows
from gclf_live.pipeline.live import LiveLabeller, LiveSettings
from gclf_live.records import U8, Frame
from gclf_live.serve.confine import allow_cpu, confine
from gclf_live.serve.limits import KernelLimits
from gclf_live.serve.remote import RemoteClassifier
from gclf_live.serve.wire import receive, send

_OF_FRAME = frozenset({"frame", "pts_s"})


def live_work(
    connection: Connection, meta: CheckpointMeta, limits: KernelLimits, setup: dict[str, Any]
) -> None:
    """Label one frame after the other until the server ends the process.

    Requests are ``{"frame", "arrived_s", "threshold"}`` with the frame as bytes; answers are
    ``{"kind": "done", "document"}`` or ``{"kind": "failed", "error"}``.

    Args:
        connection: to the server.
        meta: of its checkpoint.
        limits: of the kernel.
        setup: ``frame_pixels``, the largest frame that is decoded.
    """
    confine(limits)
    # The labeller needs of a classifier what the remote one has.
    classifier = cast("Classifier", RemoteClassifier(connection, meta))
    labeller: LiveLabeller | None = None
    while True:
        try:
            request, data = receive(connection)
        except (EOFError, OSError):
            return
        allow_cpu(limits)
        threshold, arrived_s = float(request["threshold"]), float(request["arrived_s"])
        if labeller is None:
            labeller = LiveLabeller(classifier, LiveSettings(threshold=threshold))
        elif labeller.settings.threshold != threshold:
            labeller.set_threshold(threshold)
        try:
            image = decode_frame(data, most_pixels=int(setup["frame_pixels"]))
            frame = Frame(image, arrived_s, int(request["frame"]))
            result = labeller.label(frame, age_s=max(0.0, time.monotonic() - arrived_s))
        except (SourceError, MemoryError, cv2.error) as error:
            line = (
                str(error) if isinstance(error, SourceError) else "a frame needs too much memory; scale down"
            )
            send(connection, {"kind": "failed", "error": line})
            continue
        faces = [{k: v for k, v in row.items() if k not in _OF_FRAME} for row in face_rows([result])]
        document = {"width_px": frame.width_px, "height_px": frame.height_px, "faces": faces}
        send(connection, {"kind": "done", "document": document})


def decode_frame(data: bytes, *, most_pixels: int) -> U8:
    """A JPEG (or PNG or WebP) frame, upright: uint8, shape (H, W, 3), BGR.

    Raises:
        SourceError: it is none, is broken, or has more than ``most_pixels``.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=("JPEG", "PNG", "WEBP")) as picture:
                width, height = picture.size
    except Exception as error:  # Pillow's parsers raise whatever they stumble over
        raise SourceError("a frame is no JPEG; send each frame as one binary JPEG") from error
    if width * height > most_pixels:
        raise SourceError(
            f"a frame has {width}x{height} pixels; allowed are {most_pixels / 1e6:g} megapixels. Scale down"
        )
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # of sizes that OpenCV refuses, and where there is not enough memory
        image = None
    if image is None:
        raise SourceError("a frame is broken; send each frame as one whole binary JPEG")
    return np.asarray(image, np.uint8)
