"""Memory, open files and threads of a process over a long run."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE_MIB = os.sysconf("SC_PAGE_SIZE") / 2**20


@dataclass(frozen=True, slots=True)
class State:
    """A process at one moment.

    Attributes:
        memory_mib: resident.
        files: open.
        threads: that run.
        delay_ms: 95th percentile since the state before; NaN where nobody took it.
    """

    memory_mib: float
    files: int
    threads: int
    delay_ms: float = float("nan")


def state_of(pid: int | str = "self", delay_ms: float = float("nan")) -> State | None:
    """The state of a process now; None where it has ended. Linux only."""
    folder = Path("/proc") / str(pid)
    try:
        pages = int((folder / "statm").read_text("ascii").split()[1])
        files, threads = len(list((folder / "fd").iterdir())), len(list((folder / "task").iterdir()))
    except (OSError, IndexError):
        return None
    return State(pages * _PAGE_MIB, files, threads, delay_ms) if pages else None


def state_table(states: Sequence[State]) -> str:
    """Aligned columns, one line for each state."""
    lines = ["   part   memory  files  threads   delay p95"]
    for i, state in enumerate(states, 1):
        delay = "          -" if math.isnan(state.delay_ms) else f"{state.delay_ms:8.2f} ms"
        lines.append(
            f"  {i:>2}/{len(states):<2} {state.memory_mib:6.0f} MiB {state.files:>5} {state.threads:>7}  "
            f"{delay}"
        )
    return "\n".join(lines)


def flat_faults(states: Sequence[State], *, allowed_mib: float, files: int = 0) -> list[str]:
    """What has grown from the first to the last of these states.

    Args:
        states: after the start, when everything is loaded.
        allowed_mib: by which memory may grow.
        files: by which the number of open files, and of threads, may differ.
    """
    first, last = states[0], states[-1]
    grown_mib = last.memory_mib - first.memory_mib
    found = []
    if grown_mib > allowed_mib:
        found.append(f"memory has grown by {grown_mib:.1f} MiB, allowed are {allowed_mib:.1f}")
    if last.files > first.files + files:
        found.append(f"open files have grown from {first.files} to {last.files}")
    if last.threads > first.threads + files:
        found.append(f"threads have grown from {first.threads} to {last.threads}")
    return found
