"""Two processes that train together, started by hand as ``torchrun`` would start them."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

TIMEOUT_S = 300.0


def start_pair(*arguments: object) -> tuple[subprocess.Popen[str], subprocess.Popen[str]]:
    """Start ``python *arguments`` twice; both processes' streams can be read."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    first, second = (_start(rank, port, arguments) for rank in range(2))
    return first, second


def _start(rank: int, port: int, arguments: tuple[object, ...]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, *map(str, arguments)],
        env=environment() | {
            "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
            "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )  # fmt: skip


def environment() -> dict[str, str]:
    """One thread a process, and the packages of this one."""
    path = os.pathsep.join([*filter(None, sys.path), str(Path(__file__).parent)])
    return os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path}


def outcomes(*processes: subprocess.Popen[str]) -> tuple[list[int], list[str]]:
    """Wait for both: their exit codes, and all lines that they left on standard error."""
    lines: list[str] = []
    for process in processes:
        lines += process.communicate(timeout=TIMEOUT_S)[1].splitlines()
    return [process.returncode for process in processes], lines
