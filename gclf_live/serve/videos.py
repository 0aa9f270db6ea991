"""``/v1/jobs``: videos that are worked on while the client waits, reloads or goes away."""

from __future__ import annotations

import asyncio
import contextlib
import json
import shutil
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, BinaryIO

from fastapi import APIRouter, Request, Response
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse

from gclf_live.media.content import HEAD_BYTES, is_picture, is_video
from gclf_live.serve.answers import RequestError
from gclf_live.serve.downloads import NO_FILE, JobFile
from gclf_live.serve.engine import Engine
from gclf_live.serve.jobs import Job
from gclf_live.serve.openapi import VIDEO_BODY
from gclf_live.serve.parameters import Parameters
from gclf_live.serve.security import REPORT_POLICY
from gclf_live.serve.uploads import read_upload, too_large
from gclf_live.serve.video_work import SOURCE

_LOOK_EVERY_S = 0.2
_PING_EVERY_S = 15.0
_SPARE_BYTES = 256_000_000
_MEDIA_TYPES = {
    ".mp4": "video/mp4",
    ".csv": "text/csv; charset=utf-8",
    ".vtt": "text/vtt; charset=utf-8",
    ".json": "application/json",
    ".html": "text/html; charset=utf-8",
}


@dataclass(slots=True)
class _Video:
    """The file that is sent, as it comes; refused by its first bytes where it is no video."""

    file: BinaryIO
    most_bytes: int
    name: str = "video"
    count: int = 0
    head: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes, /) -> None:
        if len(self.head) < HEAD_BYTES:
            self.head += data[: HEAD_BYTES - len(self.head)]
            if len(self.head) == HEAD_BYTES:
                self.check()
        self.count += len(data)
        if self.count > self.most_bytes:
            raise too_large(self.most_bytes)
        self.file.write(data)

    def check(self) -> None:
        """Raise RequestError where this is no video."""
        if not self.count and not self.head:
            raise RequestError(422, f"{self.name!r} is empty. Send a video file")
        if is_picture(bytes(self.head)):
            raise RequestError(
                415, f"{self.name!r} is a picture. It belongs under Picture; programs send it to /v1/predict"
            )
        if not is_video(bytes(self.head)):
            raise RequestError(
                415,
                f"{self.name!r} is no video in a known format. Send an mp4, mov, mkv, webm, avi or the like",
            )


def video_routes(engine: Engine) -> APIRouter:
    """The routes of videos."""
    router = APIRouter(prefix="/v1/jobs", tags=["videos"])
    _add_changing(router, engine)
    _add_showing(router, engine)
    return router


def _find(engine: Engine, job_id: str) -> Job:
    job = engine.jobs.find(job_id)
    if job is None:
        raise RequestError(
            404, "there is no such job; it was removed, or kept long enough. Send the video again"
        )
    return job


def _add_changing(router: APIRouter, engine: Engine) -> None:

    @router.post("", status_code=HTTPStatus.ACCEPTED, openapi_extra=VIDEO_BODY)
    async def create(request: Request) -> JSONResponse:
        """Queue a video: measured, and drawn into a copy with boxes and labels."""
        with engine.jobs.place(), _upload_folder(engine) as folder:
            asked = await _receive(engine, request, folder)
            # Whoever cancels then is not told the job's id, and could never remove it.
            if await request.is_disconnected():
                raise RequestError(400, "the connection ended before the answer. Send the video again")
            job = engine.jobs.add(folder, asked)
        described = engine.jobs.describe(job, tracks=True)
        return JSONResponse(described, HTTPStatus.ACCEPTED, {"Location": f"/v1/jobs/{job.id}"})

    @router.delete("/{job_id}")
    async def remove(job_id: str) -> Response:
        """Cancel a job that waits or runs; remove the files of one that has ended."""
        job = _find(engine, job_id)
        if engine.jobs.remove(job):
            return JSONResponse(engine.jobs.describe(job, tracks=True))
        return Response(status_code=HTTPStatus.NO_CONTENT)


def _add_showing(router: APIRouter, engine: Engine) -> None:
    @router.get("/{job_id}")
    async def show(job_id: str) -> dict[str, Any]:
        """How far a job is, and what it came to."""
        return engine.jobs.describe(_find(engine, job_id), tracks=True)

    @router.get("/{job_id}/events", response_class=StreamingResponse)
    async def events(job_id: str) -> StreamingResponse:
        """The same, without tracks, as server-sent events whenever it changes; ends with the job."""
        return StreamingResponse(_events(engine, _find(engine, job_id)), media_type="text/event-stream")

    @router.head("/{job_id}/{name}", include_in_schema=False)
    @router.get("/{job_id}/{name}", response_class=FileResponse)
    async def download(job_id: str, name: str) -> FileResponse:
        """A file that a job left. The video answers range requests."""
        path = engine.jobs.file(_find(engine, job_id), name)
        if path is None or not path.is_file():
            raise RequestError(404, NO_FILE)
        headers = {"Content-Security-Policy": REPORT_POLICY} if path.suffix == ".html" else {}
        return JobFile(path, media_type=_MEDIA_TYPES[path.suffix], headers=headers)


@contextlib.contextmanager
def _upload_folder(engine: Engine) -> Iterator[Path]:
    """A folder for one upload; removed where the block fails, and what the disk refuses is 507."""
    try:
        folder = engine.jobs.new_folder()
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
    except OSError as error:
        raise _no_room() from error


async def _receive(engine: Engine, request: Request, folder: Path) -> dict[str, Any]:
    """Take the upload into ``folder``, look at it, and say what the job is to do."""
    limits = engine.options.limits
    parameters = Parameters(request, {"threshold", "privacy"})
    _check_disk(request, folder)
    videos: list[_Video] = []
    # The folder and its name are ours; the sender's name is only shown.
    with (folder / SOURCE).open("wb", buffering=1 << 20) as file:

        def add(name: str) -> _Video:
            if videos:
                raise RequestError(400, "more than one video was sent; send one at a time")
            videos.append(_Video(file, limits.video_bytes, name))
            return videos[0]

        fields = await read_upload(
            request, add, most_bytes=limits.video_bytes + 100_000, stalled_s=limits.stalled_upload_s
        )
    parameters.take_form(fields)
    if not videos:
        raise RequestError(400, "no video was sent; send one as the body, or in the form field 'file'")
    videos[0].check()
    threshold, privacy = parameters.threshold(engine.options.threshold), parameters.privacy()
    await _probe(engine, folder / SOURCE, videos[0].name)
    return {
        "folder": str(folder),
        "name": videos[0].name,
        "threshold": threshold,
        "privacy": privacy,
        "weights_sha256": engine.options.weights_sha256,
        "video_seconds": limits.video_seconds,
    }


async def _probe(engine: Engine, path: Path, name: str) -> None:
    """Refuse what cannot be decoded, is too long, or has too large a picture."""
    limits = engine.options.limits
    try:
        info, _ = await engine.pool.ask({"task": "probe", "path": str(path), "name": name})
    except RequestError as error:
        raise RequestError(error.status, str(error).replace(repr(str(path)), repr(name))) from error
    seconds, pixels = info["seconds"], info["width_px"] * info["height_px"]
    if seconds is not None and seconds > limits.video_seconds:
        raise RequestError(
            413,
            f"{name!r} lasts {seconds:,.0f} s; allowed are {limits.video_seconds:,.0f}. Send a part of it",
        )
    if pixels > limits.video_pixels:
        raise RequestError(
            413,
            f"{name!r} has {info['width_px']}x{info['height_px']} pixels; allowed are "
            f"{limits.video_pixels / 1e6:g} megapixels. Scale it down first",
        )


def _check_disk(request: Request, folder: Path) -> None:
    """Refuse an upload that would fill the disk: its copy needs about as much again."""
    declared = request.headers.get("content-length", "")
    needed = 2 * int(declared) if declared.isdigit() else 0
    if shutil.disk_usage(folder).free < needed + _SPARE_BYTES:
        raise _no_room()


def _no_room() -> RequestError:
    return RequestError(507, "there is not enough room on the disk for this video. Remove jobs, or make room")


async def _events(engine: Engine, job: Job) -> AsyncIterator[str]:
    told, quiet_s = "", 0.0
    while True:
        final = job.state.is_final
        text = json.dumps(engine.jobs.describe(job, tracks=False), ensure_ascii=False)
        if text != told:
            told, quiet_s = text, 0.0
            yield f"data: {text}\n\n"
        elif quiet_s >= _PING_EVERY_S:
            quiet_s = 0.0
            yield ": still there\n\n"
        if final:
            return
        await asyncio.sleep(_LOOK_EVERY_S)
        quiet_s += _LOOK_EVERY_S
