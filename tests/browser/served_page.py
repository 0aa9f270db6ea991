"""``gclf-live serve`` in a process of its own."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_READY_S = 120.0


@contextmanager
def serving(log: Path, *options: str) -> Iterator[str]:
    """Run ``gclf-live serve`` with these options, and end it as Ctrl-C in another terminal would."""
    command = [sys.executable, "-m", "gclf_live", "serve", "--port", "0", *options]
    with log.open("w", encoding="utf-8") as file:
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT)
    try:
        yield _address(process, log)
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            raise


def _address(process: subprocess.Popen[bytes], log: Path) -> str:
    for _ in range(round(_READY_S / 0.1)):
        found = re.search(r"http://\S+", log.read_text("utf-8"))
        if found is not None:
            return found[0]
        assert process.poll() is None, log.read_text("utf-8")
        time.sleep(0.1)
    raise AssertionError(f"not ready after {_READY_S:.0f} s: {log.read_text('utf-8')}")
