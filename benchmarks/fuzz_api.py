"""Hostile requests against ``gclf-live serve``: ``python -m benchmarks.fuzz_api [--kind K] [--count N]``.

A server as users start it is sent mutated pictures and videos, mutated HTTP and live connections, each made
from its number. It may label, or refuse with one line; an answer of 500 and above (but for 503), no answer, a
traceback, a line of another kind or a path of its own is a fault. At the end it must be as it was before:
the same answer to a good picture, all processes, no file too many, nothing that waits, and a clean log.
"""

from __future__ import annotations

import contextlib
import json
import random
import re
import socket
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import httpx

from benchmarks.fuzz import mutate
from benchmarks.fuzz_live import Unmannerly, live_attack
from benchmarks.fuzz_requests import Attack, Ending, Good, make_attack
from benchmarks.fuzz_seeds import KINDS, Seed, make_seeds, odd_picture
from benchmarks.fuzz_server import SECRET, Served, served, short_folder
from benchmarks.machine import describe
from benchmarks.serve_load import PORTRAITS

COUNTS = {"pictures": 2000, "videos": 500, "requests": 2000, "live": 500}
"""What is sent, and how many of each where nobody says."""
_JOB_S = 300.0
_ANSWER_S = 60.0
_PERHAPS_S = 1.0
_CLIENTS = {"live": 2}
_USUAL_CLIENTS = 4
_LONGEST_LINE = 2000


@dataclass(slots=True)
class Sent:
    """What came of what was sent of one kind."""

    runs: int = 0
    ends: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def row(self, name: str) -> str:
        """A line of the table."""
        kinds = Counter(fault.split(": ")[1] for fault in self.faults)
        ends = ", ".join(f"{count} {end}" for end, count in self.ends.most_common())
        cells = (name, f"{self.runs:,}", ends, *(str(kinds[kind]) for kind in ("500", "hang", "manners")))
        return f"| {' | '.join(cells)} |"


class Fuzz:
    """A server with a job that is kept, and what is sent to it."""

    def __init__(self, server: Served, pictures: Sequence[Seed], videos: Sequence[Seed]) -> None:
        """Have the server work on a good video; its job is there until ``close``.

        Args:
            server: a running one.
            pictures, videos: whole files to mutate.
        """
        self.server, self._pictures, self._videos = server, pictures, videos
        with server.client() as client:
            self._job = self._finished(client, client.post("v1/jobs", content=videos[0].content))
        contents = ([seed.content for seed in seeds] for seeds in (pictures, videos))
        frames = [path.read_bytes() for path in sorted(PORTRAITS.glob("*.jpg"))[:1]]
        self._good = Good([*frames, *next(contents)], next(contents), self._job)
        self.before = server.rest()

    def send(self, kind: str, numbers: range, *, say: Callable[[str], None]) -> Sent:
        """Send what has these numbers, a few at a time."""
        sent = Sent()
        with ThreadPoolExecutor(_CLIENTS.get(kind, _USUAL_CLIENTS)) as clients:
            for number, (end, wrong) in zip(
                numbers, clients.map(lambda number: self._one(kind, number), numbers), strict=True
            ):
                sent.runs += 1
                sent.ends[end] += 1
                if wrong:
                    sent.faults.append(f"{kind} {number}: {wrong}")
                    say(sent.faults[-1])
        return sent

    def faults_left(self) -> list[str]:
        """What is not as it was before anything was sent."""
        return self.server.faults_against(self.before)

    def _one(self, kind: str, number: int) -> tuple[str, str]:
        """How it ended, and what was wrong, or empty."""
        draw = random.Random(f"{kind} {number}")
        try:
            if kind == "live":
                return live_attack(self.server, self._good, draw), ""
            if kind == "requests":
                return self._request(make_attack(self._good, draw))
            return self._picture(draw, number) if kind == "pictures" else self._video(draw, number)
        except Unmannerly as wrong:
            return "at fault", f"manners: {wrong}"
        except (TimeoutError, httpx.TimeoutException) as error:
            return "at fault", f"hang: {error}"
        except (OSError, httpx.TransportError) as error:
            return "at fault", f"manners: the connection broke: {error!r}"

    def _picture(self, draw: random.Random, number: int) -> tuple[str, str]:
        """Half of them as a form, half as the body; one in four is drawn on."""
        seed, other = draw.choice(self._pictures), draw.choice(self._pictures)
        content = mutate(seed.content, other.content, draw) if number % 20 else odd_picture(draw)
        path = draw.choice(("v1/predict", "v1/predict", "v1/predict", "v1/annotate"))
        with self.server.client() as client:
            if number % 2:
                name = f"{SECRET}{seed.suffix}"
                answer = client.post(path, files={"file": (name, content)}, params={"threshold": "0.7"})
            else:
                answer = client.post(path, content=content)
        return self._judged(answer)

    def _video(self, draw: random.Random, number: int) -> tuple[str, str]:
        seed, other = draw.choice(self._videos), draw.choice(self._videos)
        content = mutate(seed.content, other.content, draw)
        privacy = draw.choice(("true", "false"))
        with self.server.client() as client:
            if number % 2:
                form = {"file": (f"{SECRET}{seed.suffix}", content)}
                answer = client.post("v1/jobs", files=form, data={"privacy": privacy})
            else:
                answer = client.post("v1/jobs", content=content)
            if answer.status_code != 202:
                return self._judged(answer)
            job = self._finished(client, answer)
            document = client.get(f"v1/jobs/{job}")
            wrong = self._judged(document)[1] or self._wrong_line(str(document.json()["error"]))
            for address in document.json()["files"].values():
                wrong = wrong or self._judged(client.get(address))[1]
            client.delete(f"v1/jobs/{job}")
        return str(document.json()["state"]), wrong

    def _request(self, attack: Attack) -> tuple[str, str]:
        received = exchange(self.server.address, attack)
        for job in {each.decode() for each in re.findall(rb'"id":"([\w-]{20,})"', received)} - {self._job}:
            with self.server.client() as client:
                if client.get(f"v1/jobs/{job}").status_code == 200:
                    self._finished(client, client.get(f"v1/jobs/{job}"))
                    client.delete(f"v1/jobs/{job}")
        codes = [int(code) for code in re.findall(rb"^HTTP/1\.1 (\d{3})", received, re.M)]
        if attack.ending is Ending.CLOSE:
            return "went away", ""
        if not codes:
            is_due = attack.ending is Ending.WAIT
            return "no answer", "manners: the connection ended without an answer" if is_due else ""
        if any(code >= 500 and code not in {503, 507} for code in codes):
            return str(max(codes)), f"500: {received[:300]!r}"
        return str(codes[-1]), self._leak(received)

    def _judged(self, answer: httpx.Response) -> tuple[str, str]:
        """The end of an answer, and what is wrong with it."""
        code, is_json = answer.status_code, answer.headers["content-type"] == "application/json"
        if code >= 500 and code not in {503, 507}:
            return str(code), f"500: {answer.text[:300]!r}"
        if code < 400:
            if is_json:
                json.loads(answer.text, parse_constant=_refuse_constant)
            return "labelled", self._leak(answer.content)
        if not is_json or set(answer.json()) != {"error"}:
            return str(code), f"manners: the answer is {answer.text[:300]!r}"
        return str(code), self._wrong_line(answer.json()["error"])

    def _wrong_line(self, line: str) -> str:
        if "\n" in line or "/proc/" in line or len(line) > _LONGEST_LINE:
            return f"manners: the error is {line[:300]!r}"
        return self._leak(line.encode())

    def _leak(self, text: bytes) -> str:
        """Words that no answer may hold."""
        for word in (str(self.server.temporary).encode(), b"Traceback", b"gclf-live-serve-"):
            if word in text:
                return f"manners: an answer holds {word!r}: {text[:300]!r}"
        return ""

    def _finished(self, client: httpx.Client, answer: httpx.Response) -> str:
        """Wait for a job's end; its id."""
        job, until_s = str(answer.json()["id"]), time.monotonic() + _JOB_S
        while client.get(f"v1/jobs/{job}").json()["state"] in {"queued", "running"}:
            if time.monotonic() > until_s:
                raise TimeoutError(f"the job takes over {_JOB_S:g} s")
            time.sleep(0.1)
        return job


def exchange(address: tuple[str, int], attack: Attack) -> bytes:
    """Send what an attack says, byte by byte, and take what comes.

    Raises:
        TimeoutError: the server neither answers nor ends the connection.
    """
    received = bytearray()
    with socket.create_connection(address, timeout=_ANSWER_S) as connection:
        with contextlib.suppress(ConnectionError):  # the server may have heard enough
            for piece in attack.pieces:
                connection.sendall(piece)
            if attack.ending is Ending.CLOSE:
                return b""
            if attack.ending is Ending.HALF:
                received += _take(connection, _PERHAPS_S)
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_WR)
        received += _take(connection, _PERHAPS_S if received else _ANSWER_S)
    return bytes(received)


def _take(connection: socket.socket, patience_s: float) -> bytes:
    """What comes until the end, or until nothing came for a while after something had."""
    received = bytearray()
    connection.settimeout(patience_s)
    try:
        while data := connection.recv(1 << 16):
            received += data
            connection.settimeout(_PERHAPS_S)
    except ConnectionError:
        pass
    except TimeoutError:
        if not received and patience_s == _ANSWER_S:
            raise
    return bytes(received)


def _refuse_constant(word: str) -> Any:
    raise Unmannerly(f"an answer has {word}")


@contextlib.contextmanager
def fuzzing() -> Iterator[Fuzz]:
    """A server of random weights, and the files to mutate."""
    with short_folder() as name, tempfile.TemporaryDirectory() as work:
        pictures, videos = (make_seeds(KINDS[kind], Path(work)) for kind in ("pictures", "videos"))
        with served(Path(name), Path(work) / "weights.safetensors") as server:
            yield Fuzz(server, pictures, videos)


@click.command()
@click.option("--kind", type=click.Choice(list(COUNTS)), multiple=True, help="Default: all.")
@click.option("--first", default=0, show_default=True, help="Begin with this number.")
@click.option("--count", type=int, help="So many of each kind.  [default: 2000, and 500 videos and live]")
def main(kind: tuple[str, ...], first: int, count: int | None) -> None:
    """Print what came of everything, and whether the server is as it was."""
    click.echo(describe())
    with fuzzing() as fuzz:
        click.echo("\n| sent | | ends | 500 | hangs | other faults |\n|---|---|---|---|---|---|")
        faults: list[str] = []
        for name in kind or COUNTS:
            numbers = range(first, first + (COUNTS[name] if count is None else count))
            sent = fuzz.send(name, numbers, say=lambda line: click.echo(line, err=True))
            click.echo(sent.row(name))
            faults += sent.faults
        left = fuzz.faults_left()
    click.echo(f"\nThe server afterwards: {'; '.join(left) or 'as before'}")
    if faults or left:
        raise click.ClickException(f"{len(faults) + len(left)} faults")


if __name__ == "__main__":
    main()
