"""The server that ``benchmarks.fuzz_api`` sends to: started as users do, and looked at from outside."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from benchmarks.serve_load import PORTRAITS, ROOT

SECRET = "holiday-of-a-user"
"""Part of the name of every file that is sent: no log may hold it."""
_JOBS = "gclf-live-serve-*/jobs/*"
_BUSY = r'queue_length|live_connections|jobs\{state="(?:queued|running)"\}'
_START_S = 180.0
_SOON_S = 60.0
_GOOD = PORTRAITS / "collins.jpg"


@dataclass(frozen=True, slots=True)
class Rest:
    """What is there while nobody asks for anything.

    Attributes:
        processes: of the server and its children.
        strays: files and folders in the folder for temporary files, without those of jobs that are kept.
        answer: to a good picture.
        busy: pictures and jobs that wait or run, and live connections that are open, as /metrics tells.
    """

    processes: int
    strays: int
    answer: dict[str, Any]
    busy: float


@dataclass(frozen=True, slots=True)
class Served:
    """One running server.

    Attributes:
        url: its address, with a slash at the end.
        process: it.
        temporary: its folder for temporary files.
        log: what it has written to standard error.
    """

    url: str
    process: subprocess.Popen[bytes]
    temporary: Path
    log: Path

    @property
    def address(self) -> tuple[str, int]:
        """Host and port."""
        url = httpx.URL(self.url)
        return url.host, url.port or 80

    def client(self) -> httpx.Client:
        """A client of it."""
        return httpx.Client(base_url=self.url, timeout=2 * _SOON_S)

    def rest(self) -> Rest:
        """Ask for what is there now."""
        with self.client() as client:
            data = _GOOD.read_bytes()
            answer = client.post("v1/predict", files={"file": (f"{SECRET}.jpg", data)}).json()
            metrics = client.get("metrics").text
        busy = re.findall(rf"^gclf_live_(?:{_BUSY}) (\S+)", metrics, re.M)
        (kept,) = re.findall(r'^gclf_live_jobs\{state="done"\} (\S+)', metrics, re.M)
        of_jobs = {path for folder in self.temporary.glob(_JOBS) for path in (folder, *folder.rglob("*"))}
        strays = len(set(self.temporary.rglob("*")) - of_jobs)
        strays += len(list(self.temporary.glob(_JOBS))) - round(float(kept))
        return Rest(len(_family(self.process.pid)), strays, answer, sum(map(float, busy)))

    def faults_against(self, before: Rest) -> list[str]:
        """What is not as it was, once that has had a while to become so again."""
        until_s = time.monotonic() + _SOON_S
        while (now := self.rest()) != before and time.monotonic() < until_s:
            time.sleep(0.5)
        faults = [
            f"rest: {name} {getattr(now, name)!r}, before {getattr(before, name)!r}"
            for name in ("processes", "strays", "answer", "busy")
            if getattr(now, name) != getattr(before, name)
        ]
        text = self.log.read_text("utf-8", "replace")
        lines = [line for line in text.splitlines() if not line.startswith("gclf-live: ")]
        if lines:
            faults.append(f"log: {len(lines)} lines, such as {lines[:3]!r}")
        if SECRET in text:
            faults.append("log: the name of a file that was sent")
        return faults


@contextlib.contextmanager
def served(folder: Path, weights: Path, *options: str) -> Iterator[Served]:
    """Run ``gclf-live serve`` with its temporary files and its log in ``folder``.

    Args:
        folder: private, with a short path: sockets lie in it.
        weights: of the network.
        options: further ones.

    Raises:
        RuntimeError: it does not start.
    """
    temporary, log = folder / "tmp", folder / "log.txt"
    temporary.mkdir()
    command = [sys.executable, "-m", "gclf_live", "serve", "--port", "0", "--device", "cpu"]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [*command, "--weights", str(weights), *options],
            cwd=ROOT,
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        yield Served(_address(process, log), process, temporary, log)
    finally:
        process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(_SOON_S)
        process.kill()
        process.wait()


def short_folder() -> tempfile.TemporaryDirectory[str]:
    """A folder whose path leaves room for the name of a socket."""
    return tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True)


def wait_for(condition: Callable[[], bool], what: str, *, soon_s: float = _SOON_S) -> None:
    """Wait for something that is to happen.

    Raises:
        TimeoutError: it did not; ``what`` says what.
    """
    until_s = time.monotonic() + soon_s
    while not condition():
        if time.monotonic() > until_s:
            raise TimeoutError(f"{what}: not within {soon_s:g} s")
        time.sleep(0.1)


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    until_s = time.monotonic() + _START_S
    while time.monotonic() < until_s and process.poll() is None:
        found = re.search(r"serving on (http://\S+)", log.read_text("utf-8"))
        if found is not None:
            return found[1]
        time.sleep(0.1)
    raise RuntimeError(f"gclf-live serve did not start: {log.read_text('utf-8')}")


def _family(ancestor: int) -> set[int]:
    """The processes that are there of ``ancestor`` and all that it or they started."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError, ValueError):
            fields = (entry / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found = {ancestor}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found
