"""What the corpus and the fuzzing look for is seen."""

from __future__ import annotations

import os
import signal
import time

from benchmarks.confined import Confined


def misbehave(how: str) -> str:
    """What a reader must not do."""
    if how == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if how == "hang":
        until_s = time.process_time() + 60
        while time.process_time() < until_s:
            pass
    if how == "memory":
        return str(len(bytearray(2**40)))
    if how == "traceback":
        raise KeyError("no such thing")
    return "well"


def test_crash_hang_and_traceback_are_seen_and_the_next_call_works() -> None:
    with Confined(misbehave, limit_s=1.0) as confined:
        found = {how: confined.call(how) for how in ("crash", "traceback", "memory", "hang", "well")}
    assert found["crash"].fault == "crash: SIGSEGV"
    assert found["hang"].fault.startswith("hang: ")
    assert "KeyError: 'no such thing'" in found["traceback"].fault
    assert "MemoryError" in found["memory"].fault
    assert (found["well"].value, found["well"].fault) == ("well", "")
