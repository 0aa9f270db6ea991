"""``/v1/predict`` and ``/v1/annotate``."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request, Response

from gclf_live.media.content import HEAD_BYTES, is_no_picture
from gclf_live.output.picture_json import pictures_document
from gclf_live.serve.answers import RequestError
from gclf_live.serve.engine import Engine
from gclf_live.serve.openapi import PICTURE_BODY
from gclf_live.serve.parameters import Parameters
from gclf_live.serve.pool import Place
from gclf_live.serve.uploads import read_upload, too_large
from gclf_live.serve.video_probe import video_belongs_elsewhere

_GLANCE_BYTES = 65_536
"""Enough for the head of a form and of its first file."""


@dataclass(slots=True)
class _Picture:
    """One file, as it comes."""

    name: str
    most_bytes: int
    place: Place
    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes, /) -> None:
        self.place.hold(len(data))
        self.data += data
        if len(self.data) > self.most_bytes:
            raise too_large(self.most_bytes)

    def is_video(self) -> bool:
        """Whether it begins as one; most are larger than a picture may be."""
        return is_no_picture(bytes(self.data[:HEAD_BYTES]))


def picture_routes(engine: Engine) -> APIRouter:
    """The routes of pictures."""
    router = APIRouter(tags=["pictures"])

    @router.post("/v1/predict", openapi_extra=PICTURE_BODY)
    async def predict(request: Request) -> dict[str, Any]:
        """Label the faces of one or many pictures: the document of ``gclf-live predict --json``."""
        with engine.pool.place() as place:
            pictures, threshold = await _read(request, place, engine)
            place.add(len(pictures) - 1)
            found = await asyncio.gather(
                *(_label(engine, picture, "predict", threshold) for picture in pictures),
                return_exceptions=True,
            )
        return pictures_document(_entries(pictures, found))

    @router.post(
        "/v1/annotate",
        openapi_extra=PICTURE_BODY,
        response_class=Response,
        responses={200: {"content": {"image/jpeg": {}}, "description": "The picture with boxes and labels."}},
    )
    async def annotate(request: Request) -> Response:
        """Draw boxes and labels on one picture."""
        with engine.pool.place() as place:
            pictures, threshold = await _read(request, place, engine)
            if len(pictures) > 1:
                raise RequestError(400, f"{len(pictures)} pictures were sent; send one at a time")
            _, drawn = await _label(engine, pictures[0], "annotate", threshold)
        return Response(drawn, media_type="image/jpeg")

    return router


async def _read(request: Request, place: Place, engine: Engine) -> tuple[list[_Picture], float]:
    """The pictures of a request, and the threshold for them."""
    limits = engine.options.limits
    parameters = Parameters(request, {"threshold"})
    pictures: list[_Picture] = []

    def add(name: str) -> _Picture:
        if len(pictures) == limits.pictures_per_request:
            raise RequestError(
                413, f"more than {limits.pictures_per_request} pictures in a request. Send fewer at once"
            )
        pictures.append(_Picture(name, limits.picture_bytes, place))
        return pictures[-1]

    try:
        fields = await read_upload(
            request,
            add,
            most_bytes=limits.request_bytes,
            stalled_s=limits.stalled_upload_s,
            longest_s=limits.picture_upload_s,
            glance_bytes=_GLANCE_BYTES,
        )
    except RequestError as error:
        if error.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE and pictures and pictures[-1].is_video():
            raise RequestError(415, video_belongs_elsewhere(pictures[-1].name)) from error
        raise
    parameters.take_form(fields)
    if not pictures:
        raise RequestError(
            400, "no picture was sent; send one as the body, or files in the form field 'file'"
        )
    return pictures, parameters.threshold(engine.options.threshold)


async def _label(
    engine: Engine, picture: _Picture, task: str, threshold: float
) -> tuple[dict[str, Any], bytes]:
    header = {"task": task, "name": picture.name, "threshold": threshold}
    entry, drawn = await engine.pool.ask(header, memoryview(picture.data))
    engine.metrics.faces.labels("picture").inc(len(entry["faces"]))
    return entry, drawn


def _entries(
    pictures: list[_Picture], found: list[tuple[dict[str, Any], bytes] | BaseException]
) -> list[dict[str, Any]]:
    """An entry for each picture; one that stands alone and cannot be read is the answer to the request."""
    entries: list[dict[str, Any]] = []
    for picture, answer in zip(pictures, found, strict=True):
        if isinstance(answer, RequestError) and len(pictures) > 1 and answer.status != 503:
            entries.append({"path": picture.name, "error": str(answer)})
        elif isinstance(answer, BaseException):
            raise answer
        else:
            entries.append(answer[0])
    return entries
