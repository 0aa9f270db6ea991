"""One command of ``gclf-live`` in a process of its own, with what can be taken from it while it works."""

from __future__ import annotations

import contextlib
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Self

import click

_PATIENCE_S = 170.0


@dataclass(slots=True)
class Surroundings:
    """Where a command runs.

    Attributes:
        limits: of the kernel, by ``resource.RLIMIT_*``.
        terminal: it shows what it says on a terminal of its own, which can be closed.
        closed: streams (1, 2) whose reader goes when the command is at work.
        ignored: signals that it is started to ignore, as under ``nohup``.
    """

    limits: Mapping[int, int] = field(default_factory=dict)
    terminal: bool = False
    closed: tuple[int, ...] = ()
    ignored: tuple[signal.Signals, ...] = ()


class Running:
    """One command in a process group of its own.

    Attributes:
        process: it.
    """

    def __init__(self, arguments: list[object], log: Path, surroundings: Surroundings | None = None) -> None:
        """Start it; what it says goes to ``log`` but for streams that are to be closed."""
        self._around = surroundings or Surroundings()
        self._log_path, self._master = log, -1
        self._log: IO[bytes] = log.open("wb")
        self._readers: list[int] = []
        limits = dict(self._around.limits)

        def prepare() -> None:
            signal.signal(signal.SIGINT, signal.SIG_DFL)  # a shell's background leaves it ignored
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            for number in self._around.ignored:
                signal.signal(number, signal.SIG_IGN)
            if self._around.terminal:
                os.close(os.open(os.ttyname(1), os.O_RDWR))  # becomes the terminal of this session
            for limit, value in limits.items():
                resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))

        streams = self._streams()
        self.process = subprocess.Popen(
            [sys.executable, "-m", "gclf_live", *map(str, arguments)],
            env={name: value for name, value in os.environ.items() if "DISPLAY" not in name},
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            start_new_session=True,
            preexec_fn=prepare,  # noqa: PLW1509 - no threads here
        )
        for stream in set(streams) - {self._log.fileno()}:
            os.close(stream)

    def _streams(self) -> tuple[int, int]:
        if self._around.terminal:
            self._master, slave = pty.openpty()
            os.set_blocking(self._master, False)
            return slave, slave
        found = []
        for number in (1, 2):
            if number in self._around.closed:
                reader, writer = os.pipe()
                os.set_blocking(reader, False)
                self._readers.append(reader)
                found.append(writer)
            else:
                found.append(self._log.fileno())
        return found[0], found[1]

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()
        self.go_away()
        self._log.close()

    def said(self) -> str:
        """What it has said so far, on both streams."""
        for reader in (*self._readers, *([self._master] if self._master >= 0 else [])):
            with contextlib.suppress(OSError):  # nothing is there, or it has ended
                while data := os.read(reader, 65_536):
                    self._log.write(data)
        self._log.flush()
        return self._log_path.read_text(encoding="utf-8", errors="replace")

    def hears_signals(self) -> bool:
        """Whether the interpreter has started and the command with it: SIGTERM no longer just ends it."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text("ascii", "replace")
        except FileNotFoundError:  # it has ended
            return False
        caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
        return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)

    def until(self, condition: Callable[[], bool]) -> bool:
        """Wait for something; False where the command has ended before."""
        end_s = time.monotonic() + _PATIENCE_S
        while not condition():
            if self.process.poll() is not None:
                return condition()
            if time.monotonic() > end_s:
                raise click.ClickException(f"a command did not begin its work: {self.said()}")
            time.sleep(0.005)
        return True

    def go_away(self) -> None:
        """Close what others read of it: the terminal, or the pipes."""
        for reader in (*self._readers, *([self._master] if self._master >= 0 else [])):
            os.close(reader)
        self._readers, self._master = [], -1

    def kill(self) -> None:
        """End all its processes, with no chance to tidy up."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def wait(self) -> int:
        """Its exit code; negative for the signal that ended it."""
        return self.process.wait(_PATIENCE_S)
