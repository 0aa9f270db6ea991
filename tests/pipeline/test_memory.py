"""Free memory goes back to the system."""

from __future__ import annotations

import ctypes
import subprocess
import sys

import pytest

_PROGRAM = """
import sys, threading
from pathlib import Path
from gclf_live.pipeline.memory import give_back_memory

def resident_mib():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 / 2**20

def holes():
    pieces = [bytearray(50_000) for _ in range(4_000)]
    kept.append(pieces[::100])

kept = []
thread = threading.Thread(target=holes)
thread.start()
thread.join()
before = resident_mib()
give_back_memory()
print(before - resident_mib())
"""


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "malloc_trim"), reason="the C library is not glibc")
def test_memory_between_pieces_that_are_in_use_is_given_back() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, text=True, check=True)
    assert float(done.stdout) > 50
