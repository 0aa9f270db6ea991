"""Pictures, in a child process: decode, find faces, ask for their labels, draw."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from gclf_live.errors import GclfError, SourceError
from gclf_live.media.content import HEAD_BYTES, is_no_picture
from gclf_live.media.pictures import read_picture
from gclf_live.model.classifier import Classifier
from gclf_live.model.meta import CheckpointMeta
from gclf_live.output.overlay import Overlay
from gclf_live.output.picture_json import picture_entry
from gclf_live.pipeline.pictures import PictureLabeller
from gclf_live.records import U8, FrameResult
from gclf_live.serve.confine import allow_cpu, confine
from gclf_live.serve.limits import KernelLimits
from gclf_live.serve.remote import RemoteClassifier
from gclf_live.serve.video_probe import probe_video, video_belongs_elsewhere
from gclf_live.serve.wire import receive, send

_JPEG_QUALITY = 95
TOO_LARGE, NOT_SUPPORTED, UNREADABLE = 413, 415, 422
"""HTTP statuses of a picture or video that is refused."""


def picture_work(
    connection: Connection, meta: CheckpointMeta, limits: KernelLimits, setup: dict[str, Any]
) -> None:
    """Answer one request after the other until the server ends the process.

    Requests are ``{"task": "predict" | "annotate", "name", "threshold"}`` with the file as bytes, and
    ``{"task": "probe", "path", "name"}``, and ``{"task": "hello"}``, which is answered once all is loaded.
    Answers are ``{"kind": "done", "document"}``, with the JPEG as bytes where one was drawn, or
    ``{"kind": "failed", "error", "status"}``.

    Args:
        connection: to the server.
        meta: of its checkpoint.
        limits: of the kernel.
        setup: ``picture_pixels``, the largest picture that is decoded.
    """
    confine(limits)
    # PictureLabeller needs of a classifier what the remote one has.
    labeller = PictureLabeller(cast("Classifier", RemoteClassifier(connection, meta)), threshold=0.0)
    while True:
        try:
            request, data = receive(connection)
        except (EOFError, OSError):
            return
        allow_cpu(limits)
        try:
            document, drawn = _answer(labeller, request, data, most_pixels=int(setup["picture_pixels"]))
        except (GclfError, MemoryError, cv2.error) as error:
            send(connection, _refusal(request, error))
            continue
        send(connection, {"kind": "done", "document": document}, drawn)


class _RefusedError(SourceError):
    """A picture that is not decoded at all."""

    def __init__(self, line: str, status: int) -> None:
        super().__init__(line)
        self.status = status


def _answer(
    labeller: PictureLabeller, request: dict[str, Any], data: bytes, *, most_pixels: int
) -> tuple[dict[str, object], bytes]:
    if request["task"] == "hello":
        return {}, b""
    if request["task"] == "probe":
        return probe_video(Path(request["path"])), b""
    labeller.threshold = float(request["threshold"])
    with _in_memory(data) as path:
        try:
            _check(path, most_pixels=most_pixels)
            image = read_picture(path)
        except SourceError as error:
            raise _RefusedError(
                str(error).replace(repr(str(path)), repr(request["name"])),
                getattr(error, "status", UNREADABLE),
            ) from error
    result = labeller.label(image)
    entry = picture_entry(request["name"], width_px=image.shape[1], height_px=image.shape[0], result=result)
    return entry, _draw(image, result) if request["task"] == "annotate" else b""


@contextmanager
def _in_memory(data: bytes) -> Iterator[Path]:
    """A path for those that want one, without a file on a disk."""
    descriptor = os.memfd_create("picture")
    try:
        with os.fdopen(os.dup(descriptor), "wb") as file:
            file.write(data)
        yield Path(f"/proc/self/fd/{descriptor}")
    finally:
        os.close(descriptor)


def _check(path: Path, *, most_pixels: int) -> None:
    """Refuse by its header what is no picture, or too large to be decoded."""
    if path.stat().st_size == 0:
        raise SourceError(f"cannot read {str(path)!r} as a picture: the file is empty. Send a JPEG or PNG")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                pixels = picture.width * picture.height
    except Image.DecompressionBombError:
        pixels = most_pixels + 1
    except UnidentifiedImageError as error:
        with path.open("rb") as file:
            found_video = is_no_picture(file.read(HEAD_BYTES))
        if found_video:
            raise _RefusedError(video_belongs_elsewhere(str(path)), NOT_SUPPORTED) from error
        raise _RefusedError(
            f"cannot read {str(path)!r} as a picture: it is none in a known format. "
            "Send a JPEG, PNG, WebP or the like",
            NOT_SUPPORTED,
        ) from error
    except Exception:  # Pillow raises whatever it stumbles over, and read_picture puts it into words
        return
    if pixels > most_pixels:
        raise _RefusedError(
            f"cannot read {str(path)!r}: it has over {most_pixels / 1e6:g} megapixels. Scale it down first",
            TOO_LARGE,
        )


def _draw(image: U8, result: FrameResult) -> bytes:
    Overlay().draw(image, result)
    file = io.BytesIO()
    # As write_picture does.
    picture = Image.fromarray(np.ascontiguousarray(image[:, :, ::-1]))
    picture.save(file, "JPEG", quality=_JPEG_QUALITY, subsampling=0)
    return file.getvalue()


def _refusal(request: dict[str, Any], error: Exception) -> dict[str, object]:
    if not isinstance(error, GclfError):  # OpenCV's own error is nearly always that as well
        name = request.get("name")
        line = f"cannot read {name!r}: there is not enough memory for it. Scale it down"
        return {"kind": "failed", "error": line, "status": TOO_LARGE}
    return {"kind": "failed", "error": str(error), "status": getattr(error, "status", UNREADABLE)}
