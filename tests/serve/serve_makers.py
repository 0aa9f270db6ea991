"""Servers of a test's own, pictures and videos to send, and clients that send them."""

from __future__ import annotations

import contextlib
import io
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
import uvicorn
from face_makers import Face, scene
from media_makers import make_video
from PIL import Image

from gclf_live.model.classifier import Classifier
from gclf_live.records import U8
from gclf_live.serve.engine import Engine, EngineOptions
from gclf_live.serve.limits import Limits
from gclf_live.serve.listening import address_of, listen
from gclf_live.serve.security import Access
from gclf_live.serve.server import run_server

ROOT = Path(__file__).parent.parent.parent
SOON_S = 60.0


@dataclass(frozen=True)
class Serving:
    """A server in a thread of the test's process."""

    url: str
    engine: Engine
    client: httpx.Client
    workers: tuple[BaseProcess, ...]

    @property
    def live_url(self) -> str:
        return self.url.replace("http", "ws") + "v1/live"

    def send(
        self, data: bytes, name: str = "a.jpg", *, to: str = "v1/predict", **fields: str
    ) -> httpx.Response:
        """Post one file as a form does."""
        return self.client.post(to, files={"file": (name, data)}, data=fields)

    def job(self, data: bytes, name: str = "clip.mp4", **fields: str) -> dict[str, Any]:
        """Post a video that is accepted; the job's document."""
        answer = self.send(data, name, to="v1/jobs", **fields)
        assert answer.status_code == 202, answer.text
        return dict(answer.json())

    def ended(self, job: dict[str, Any]) -> dict[str, Any]:
        """Wait for a job's end; its document."""
        found: dict[str, Any] = {}

        def is_final() -> bool:
            found.update(self.client.get(f"v1/jobs/{job['id']}").json())
            return found["state"] not in {"queued", "running"}

        until(is_final)
        return found


@contextlib.contextmanager
def serving(
    weights: Path,
    *,
    limits: Limits | None = None,
    access: Access | None = None,
    keep_s: float = 3600,
) -> Iterator[Serving]:
    """A server with these weights, limits and rules, until the block ends."""
    others = set(multiprocessing.active_children())
    engine = Engine(
        Classifier.load(weights, device="cpu"),
        EngineOptions(
            threshold=0.0,
            weights_name="tiny",
            weights_sha256="0" * 64,
            keep_s=keep_s,
            limits=limits or Limits(workers=2),
        ),
    )
    listener = listen("127.0.0.1", 0)
    url = address_of(listener, "127.0.0.1")
    servers: list[uvicorn.Server] = []
    ready = threading.Event()
    thread = threading.Thread(
        target=run_server,
        args=(engine, access or Access(), listener),
        kwargs={"ready": ready.set, "made": servers.append},
    )
    thread.start()
    try:
        assert ready.wait(SOON_S)
        with httpx.Client(base_url=url, timeout=SOON_S) as client:
            until(
                lambda: len(set(multiprocessing.active_children()) - others) == engine.options.limits.workers
            )
            yield Serving(url, engine, client, tuple(set(multiprocessing.active_children()) - others))
    finally:
        for server in servers:
            server.should_exit = True
        thread.join()


class Command:
    """``gclf-live serve`` as a user starts it, with a folder of its own for temporary files."""

    def __init__(self, temporary: Path, *arguments: object, in_background: bool = False) -> None:
        """``in_background``: with Ctrl-C ignored, as a shell without job control starts it with ``&``."""
        self.temporary = temporary
        on_interrupt = signal.SIG_IGN if in_background else signal.SIG_DFL
        self.process = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gclf_live",
                "serve",
                "--port",
                "0",
                "--device",
                "cpu",
                *map(str, arguments),
            ],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stderr=subprocess.PIPE,
            text=True,
            bufsize=1,
            start_new_session=True,
            # Children inherit what is ignored, and a shell may have started the tests in its background.
            preexec_fn=lambda: signal.signal(signal.SIGINT, on_interrupt),  # noqa: PLW1509 - no threads here
        )
        self.lines: list[str] = []

    def address(self) -> str:
        """Wait until it says where it listens."""
        assert self.process.stderr is not None
        while True:
            line = self.process.stderr.readline()
            assert line, self.lines
            self.lines.append(line.strip())
            if "serving on " in line:
                return line.split("serving on ")[1].split()[0]

    def family(self) -> set[int]:
        """The process, and all that it started or that they did."""
        parents: dict[int, int] = {}
        for entry in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
        found = {self.process.pid}
        while True:
            more = {pid for pid, parent in parents.items() if parent in found} - found
            if not more:
                return found
            found |= more

    def end(self, number: signal.Signals, *, group: bool = False) -> float:
        """Send a signal, as a terminal does to the whole group where asked; seconds until the end."""
        began_s = time.monotonic()
        if group:
            os.killpg(self.process.pid, number)
        else:
            self.process.send_signal(number)
        _, rest = self.process.communicate(timeout=SOON_S)
        took_s = time.monotonic() - began_s
        self.lines += rest.splitlines()
        return took_s

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.communicate()


def is_running(pid: int) -> bool:
    """Whether a process is there and no zombie that waits to be counted."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that is to happen."""
    end_s = time.monotonic() + SOON_S
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.02)


def events(client: httpx.Client, job: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The documents that a job's events tell, until they end."""
    with client.stream("GET", f"v1/jobs/{job['id']}/events") as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        for line in answer.iter_lines():
            if line.startswith("data: "):
                yield json.loads(line.removeprefix("data: "))


def jpeg(image: U8) -> bytes:
    """A BGR picture as a JPEG file."""
    return encoded(image, "JPEG", quality=95)


def encoded(image: U8, kind: str, **options: Any) -> bytes:
    """A BGR picture as a file of that kind."""
    file = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(image[:, :, ::-1])).save(file, kind, **options)
    return file.getvalue()


def two_faces() -> U8:
    """A picture with two faces."""
    return scene(Face("collins", 90, 120), Face("obama", 230, 120))


def bomb(side_px: int = 50_000) -> bytes:
    """A PNG of one colour, black or white, of that many pixels each way: small to send, huge to decode."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    packer, row, packed = zlib.compressobj(1), bytes(1 + side_px // 8), bytearray()
    for _ in range(side_px // 1000):
        packed += packer.compress(row * 1000)
    packed += packer.flush()
    head = side_px.to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", bytes(packed)) + chunk(b"IEND", b"")


def video_file(folder: Path, *, frames: int = 24, still: bool = True) -> bytes:
    """An mp4 with a face; where it is not ``still``, over noise that takes a while to encode."""
    image = scene(Face("collins", 160, 120))
    if still:
        images = [image] * frames
    else:
        random = np.random.default_rng(5)
        images = [random.integers(0, 255, (240, 320, 3), np.uint8) for _ in range(frames)]
    return make_video(folder / f"{frames}-{still}.mp4", images=images).read_bytes()


def long_video(folder: Path) -> bytes:
    """An mp4 with one frame that is shown for ten hours."""
    path = folder / "long.mp4"
    with av.open(path, "w") as output:
        stream = output.add_stream("libx264", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
        packets = [*stream.encode(frame), *stream.encode(None)]
        for packet in packets:
            packet.duration = round(36_000 / packet.time_base)
            output.mux(packet)
    return path.read_bytes()
