"""``gclf-live serve`` under load: ``python -m benchmarks.serve_load [--seconds 60] [--clients 50]``."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import cv2
import httpx
import numpy as np
from websockets.asyncio.client import connect

from benchmarks.interleaved import Spread, in_turn, ratios
from benchmarks.machine import describe
from gclf_live.media.pictures import write_picture
from gclf_live.media.reader import VideoReader

ROOT = Path(__file__).parent.parent
PORTRAITS = ROOT / "samples" / "portraits"
CLIP = ROOT / "samples" / "clip.mp4"
_CAMERA_FPS = 30
_CLIP_FRAMES = 60
_EVERY = 37


@dataclass(slots=True)
class Load:
    """What came of the requests of all clients.

    Attributes:
        codes: answers by status; 0 counts broken connections.
        latencies_s: of the answers with 200.
        seconds: how long it went on.
    """

    codes: Counter[int] = field(default_factory=Counter)
    latencies_s: list[float] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Labelled pictures a second."""
        return self.codes[200] / self.seconds

    @property
    def errors(self) -> int:
        """Answers that are neither 200 nor 503."""
        return sum(count for code, count in self.codes.items() if code not in {200, 503})

    def percentile_ms(self, percent: float) -> float:
        """Latency that ``percent`` of the labelled pictures do not exceed."""
        return float(np.percentile(self.latencies_s, percent)) * 1000 if self.latencies_s else float("nan")


@contextlib.contextmanager
def server() -> Iterator[str]:
    """Run ``gclf-live serve`` on a free port; yields its address."""
    process = subprocess.Popen(
        [sys.executable, "-m", "gclf_live", "serve", "--port", "0"],
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            if "serving on " in line:
                yield line.split("serving on ")[1].split()[0].rstrip("/")
                return
        raise click.ClickException("gclf-live serve did not start")
    finally:
        process.send_signal(signal.SIGINT)
        process.wait()


def make_pictures(folder: Path, count: int) -> list[Path]:
    """Pictures of the sizes that people send: the sample portraits, and frames of the sample clip."""
    files = sorted(PORTRAITS.glob("*.jpg"))
    with VideoReader(CLIP) as reader:
        for frame in itertools.islice(reader, 0, None, _EVERY):
            path = folder / f"frame{frame.index:03}.jpg"
            write_picture(path, frame.image)
            files.append(path)
    return [files[i % len(files)] for i in range(count)]


def through_predict(pictures: list[Path]) -> float:
    """Pictures a second through ``gclf-live predict``: start-up taken off by a run of one picture."""

    def took_s(paths: list[Path]) -> float:
        began_s = time.perf_counter()
        command = [sys.executable, "-m", "gclf_live", "predict", "--json", *map(str, paths)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return time.perf_counter() - began_s

    alone_s = took_s(pictures[:1])
    return (len(pictures) - 1) / max(took_s(pictures) - alone_s, 1e-9)


async def send_pictures(url: str, pictures: list[bytes], *, clients: int, seconds: float) -> Load:
    """Let clients send one picture after the other; who is told to try again later does so."""
    load, began_s = Load(), time.perf_counter()

    async def client(number: int) -> None:
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            turn = number
            while time.perf_counter() - began_s < seconds:
                turn += 1
                sent_s = time.perf_counter()
                try:
                    answer = await http.post("/v1/predict", content=pictures[turn % len(pictures)])
                except httpx.HTTPError:
                    load.codes[0] += 1
                    continue
                load.codes[answer.status_code] += 1
                if answer.status_code == 200:
                    load.latencies_s.append(time.perf_counter() - sent_s)
                elif answer.status_code == 503:
                    await asyncio.sleep(float(answer.headers["retry-after"]))

    await asyncio.gather(*(client(number) for number in range(clients)))
    load.seconds = time.perf_counter() - began_s
    return load


@dataclass(slots=True)
class Live:
    """What one live connection came to: answers, their latency as the client sees it, and frames dropped."""

    answers: int = 0
    latencies_s: list[float] = field(default_factory=list)
    dropped: int = 0
    seconds: float = 0.0


async def watch(url: str, frames: list[bytes], *, seconds: float) -> Live:
    """Send frames as a camera does, and take the answers."""
    live, sent_s = Live(), dict[int, float]()
    async with connect(url.replace("http", "ws") + "/v1/live", max_size=None) as socket:

        async def send() -> None:
            began_s = time.perf_counter()
            number = 0
            while (now_s := time.perf_counter()) - began_s < seconds:
                sent_s[number] = now_s
                await socket.send(frames[number % len(frames)])
                number += 1
                await asyncio.sleep(max(0.0, began_s + number / _CAMERA_FPS - time.perf_counter()))
            live.seconds = time.perf_counter() - began_s

        sending = asyncio.create_task(send())
        while not sending.done():
            with contextlib.suppress(TimeoutError):
                answer = json.loads(await asyncio.wait_for(socket.recv(), 1.0))
                live.answers += 1
                live.latencies_s.append(time.perf_counter() - sent_s[answer["frame"]])
                live.dropped = answer["dropped"]
        await sending
    return live


async def watch_all(url: str, frames: list[bytes], *, connections: int, seconds: float) -> list[Live]:
    """Several connections at once."""
    return await asyncio.gather(*(watch(url, frames, seconds=seconds) for _ in range(connections)))


def camera_frames() -> list[bytes]:
    """Frames of the sample clip as a browser sends them: 640 px wide JPEGs."""
    frames = []
    with VideoReader(CLIP) as reader:
        for frame in itertools.islice(reader, _CLIP_FRAMES):
            size = (640, round(640 * frame.height_px / frame.width_px))
            small = cv2.resize(frame.image, size, interpolation=cv2.INTER_AREA)
            frames.append(cv2.imencode(".jpg", small)[1].tobytes())
    return frames


@click.command()
@click.option("--seconds", default=60.0, show_default=True, help="How long the clients send.")
@click.option("--clients", default=50, show_default=True, help="Clients that send pictures.")
@click.option("--rounds", default=3, show_default=True, help="How often serve and predict take turns.")
@click.option("--pictures", default=120, show_default=True, help="Pictures that predict is given.")
@click.option("--connections", default=4, show_default=True, help="Live connections at once.")
def main(seconds: float, clients: int, rounds: int, pictures: int, connections: int) -> None:
    """Pictures from many clients beside the same through predict, and live connections side by side."""
    click.echo(describe())
    with tempfile.TemporaryDirectory() as folder:
        files = make_pictures(Path(folder), pictures)
        data = [path.read_bytes() for path in files]
        loads: list[Load] = []

        def serve() -> float:
            with server() as url:
                loads.append(asyncio.run(send_pictures(url, data, clients=clients, seconds=seconds / rounds)))
            return loads[-1].rate

        sides: dict[str, Callable[[], float]] = {"serve": serve, "predict": lambda: through_predict(files)}
        figures = in_turn(sides, rounds=rounds, say=lambda line: click.echo(line, err=True))
    _print_pictures(loads, figures, clients)
    with server() as url:
        lives = asyncio.run(
            watch_all(url, camera_frames(), connections=connections, seconds=seconds / rounds)
        )
    _print_live(lives)


def _print_pictures(loads: list[Load], figures: dict[str, list[float]], clients: int) -> None:
    click.echo(f"\n{clients} clients, pictures of 512 to 1280 px; {os.cpu_count()} cores; by round")
    click.echo(f"{'':10} {'pictures/s':>11} {'200':>7} {'503':>7} {'other':>6} {'p50 ms':>8} {'p95 ms':>8}")
    for load in loads:
        click.echo(
            f"{'serve':10} {load.rate:11.1f} {load.codes[200]:7} {load.codes[503]:7} {load.errors:6} "
            f"{load.percentile_ms(50):8.0f} {load.percentile_ms(95):8.0f}"
        )
    for rate in figures["predict"]:
        click.echo(f"{'predict':10} {rate:11.1f}")
    click.echo(f"serve : predict, by round: {ratios(figures['serve'], figures['predict']):.2f}")


def _print_live(lives: list[Live]) -> None:
    click.echo(f"\n{len(lives)} live connections, {_CAMERA_FPS} frames a second each, 640 px")
    click.echo(f"{'connection':>10} {'labelled/s':>11} {'dropped':>8} {'p50 ms':>8} {'p95 ms':>8}")
    for number, live in enumerate(lives, start=1):
        p50, p95 = (np.percentile(live.latencies_s or [float("nan")], p) * 1000 for p in (50, 95))
        rate = live.answers / live.seconds
        click.echo(f"{number:10} {rate:11.1f} {live.dropped:8} {p50:8.0f} {p95:8.0f}")
    rates = Spread.of([live.answers / live.seconds for live in lives])
    click.echo(f"labelled frames a second and connection: {rates:.1f}")


if __name__ == "__main__":
    main()
