"""Ways in which a command can be stopped, and how it has to end."""

from __future__ import annotations

import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.kills import journal
from benchmarks.stop_commands import COMMANDS
from benchmarks.stop_running import Running, Surroundings
from gclf_train.state import STATE_NAME, RunState

_GIB = 2**30
_ALL = tuple(COMMANDS)
_SPREAD_S = 0.8
"""Within this time after a command has begun its work it is stopped."""

Act = Callable[[Running, Path, random.Random], None]


@dataclass(frozen=True, slots=True)
class Kind:
    """One way to stop a command.

    Attributes:
        name: in the table.
        act: makes it happen to a command that is at work.
        codes: exit codes that are right.
        word: what a line of the command has to say.
        commands: those that it can happen to.
        around: what the command runs in.
        disk: it has this share of the bytes of its largest file, see ``small_disk``.
        shares: of memory, each tried once.
        may_end_well: exit code 0 is right, too.
        may_hide: half-written files may be left, hidden.
        at_once: it happens by itself.
    """

    name: str
    act: Act
    codes: frozenset[int]
    word: str = ""
    commands: tuple[str, ...] = _ALL
    around: Surroundings = field(default_factory=Surroundings)
    disk: bool = False
    memory: bool = False
    shares: tuple[float, ...] = (1.0,)
    may_end_well: bool = False
    may_hide: bool = False
    at_once: bool = False


def _signals(*numbers: signal.Signals) -> Act:
    def act(running: Running, folder: Path, moments: random.Random) -> None:
        time.sleep(moments.uniform(0, _SPREAD_S))
        for number in numbers:
            with contextlib.suppress(ProcessLookupError):
                os.kill(running.process.pid, number)
            time.sleep(0.1)

    return act


def _close(running: Running, folder: Path, moments: random.Random) -> None:
    time.sleep(moments.uniform(0, _SPREAD_S))
    running.go_away()


def _go_away(running: Running, folder: Path, moments: random.Random) -> None:
    running.go_away()


def _remove(running: Running, folder: Path, moments: random.Random) -> None:
    time.sleep(moments.uniform(0, 0.2))
    while folder.exists():  # what is written meanwhile makes it fail
        shutil.rmtree(folder, ignore_errors=True)


def _nothing(running: Running, folder: Path, moments: random.Random) -> None:
    """It happens by itself."""


_WRITING = ("annotate", "archive", "live", "train")
KINDS = {
    "interrupt": Kind("Ctrl-C", _signals(signal.SIGINT), frozenset({130}), "interrupted"),
    "twice": Kind("Ctrl-C twice", _signals(signal.SIGINT, signal.SIGINT), frozenset({130}), may_hide=True),
    "term": Kind("SIGTERM", _signals(signal.SIGTERM), frozenset({143}), "terminated"),
    "hangup": Kind("SIGHUP", _signals(signal.SIGHUP), frozenset({129}), "hung up"),
    "window": Kind("terminal closed", _close, frozenset({129}), around=Surroundings(terminal=True)),
    "reader": Kind(
        "standard output's reader gone",
        _go_away,
        frozenset({1}),
        around=Surroundings(closed=(1,)),
        may_end_well=True,
        commands=tuple(name for name in _ALL if name != "serve"),
    ),
    "errors": Kind(
        "standard error's reader gone",
        _go_away,
        frozenset({1}),
        around=Surroundings(closed=(2,)),
        may_end_well=True,
        commands=tuple(name for name in _ALL if name != "serve"),
    ),
    "disk": Kind(
        "disk full",
        _nothing,
        frozenset({1}),
        "cannot write",
        commands=(*_WRITING, "export", "report"),
        disk=True,
        at_once=True,
    ),
    "folder": Kind(
        "output folder removed", _remove, frozenset({1, 3}), commands=_WRITING, may_end_well=False
    ),
    "memory": Kind(
        "memory limit",
        _nothing,
        frozenset({1, 3, 127, -6}),  # the last two where the C library itself gives up
        memory=True,
        shares=tuple(gib * _GIB for gib in (1.5, 2.5, 3.0, 3.2, 3.4, 3.5, 3.6, 3.7, 3.8, 3.9, 4.0, 4.2)),
        commands=("annotate", "archive", "predict", "live"),
        may_end_well=True,
        may_hide=True,  # where the C library gives up, as after kill -9
        at_once=True,
    ),
}


class KILLS:
    """``kill -9`` at random moments."""

    name = "kill -9 at random moments"
    commands = ("annotate", "archive", "live --record", "train")
    at_a_time = 5

    @staticmethod
    def pause(running: Running, seconds: float) -> bool:
        """Wait; False where the command has ended meanwhile."""
        with contextlib.suppress(subprocess.TimeoutExpired):
            running.process.wait(seconds)
            return False
        return True

    @staticmethod
    def saved(folder: Path) -> int:
        """Steps of a training, or parts of an archive, that are saved in its folder."""
        if (folder / STATE_NAME).exists():
            state = RunState.load(folder / STATE_NAME)
            return 1000 * state.epoch + state.step
        return sum(event.get("event") == "saved" for event in journal(folder))


@contextlib.contextmanager
def small_disk(
    folder: Path, kind: Kind, size: int
) -> Iterator[tuple[Path, Surroundings, Callable[[], None]]]:
    """The folder on a disk, and the command in surroundings, as ``kind`` has them.

    Args:
        folder: that exists.
        kind: of stop.
        size: bytes that the disk has, or that a file may have where only root may make file systems.

    Yields:
        The folder, what the command runs in, and a function that makes room.
    """
    if kind.memory:
        yield folder, Surroundings(limits={resource.RLIMIT_AS: size}), lambda: None
    elif not kind.disk:
        yield folder, kind.around, lambda: None
    elif os.geteuid() != 0:
        yield folder, Surroundings(limits={resource.RLIMIT_FSIZE: size}), lambda: None
    else:
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={max(4096, size)}", "tmpfs", folder], check=True)
        try:
            yield (
                folder,
                kind.around,
                lambda: _run("mount", "-o", f"remount,size={_GIB}", str(folder)),
            )
        finally:
            _run("umount", str(folder))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
