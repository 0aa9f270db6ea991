"""Commands and readers that get too little memory from the kernel say so, and end."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from gclf_live.archive.child import Refused, work
from gclf_live.memory_limit import is_short_of_memory

SAMPLES = Path(__file__).parent.parent.parent / "samples"
_MIB = 2**20
_PREDICT = [
    *(sys.executable, "-m", "gclf_live", "predict", str(SAMPLES / "portraits" / "obama.jpg")),
    *("--device", "cpu"),
]
_SHORT_OF_ROOM = """
import resource, sys
from fractions import Fraction
from pathlib import Path
import numpy as np
from gclf_live.errors import GclfError
from gclf_live.media.reader import VideoReader
from gclf_live.media.writer import VideoWriter
from gclf_live.model.checkpoint import load_checkpoint

path = Path(sys.argv[2])
pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
limit = pages * resource.getpagesize() + int(sys.argv[3]) * 2**20
resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
try:
    if sys.argv[1] == "read":
        VideoReader(path, threads=64)
    elif sys.argv[1] == "write":
        image = np.zeros((1080, 1920, 3), np.uint8)
        with VideoWriter(
            path, width_px=1920, height_px=1080, time_base=Fraction(1, 30), average_fps=Fraction(30)
        ) as writer:
            for i in range(60):
                writer.write(image, i / 30)
    else:
        load_checkpoint(path)
except (GclfError, MemoryError) as error:
    print(type(error).__name__, error)
"""


def _run(code: str, *arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *map(str, arguments)],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )


@pytest.mark.parametrize("mib", [64, 256, 1024])
def test_limit_that_is_too_low_is_told_with_what_is_enough(mib: int) -> None:
    done = subprocess.run(
        _PREDICT,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (mib * _MIB, mib * _MIB)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr == (
        "gclf-live: memory ran out. Close other programs, or work on smaller pictures or fewer --jobs. "
        f"This process may have {mib / 1024:.1f} GiB of address space, 6 are enough: "
        "raise the limit (ulimit -v)\n"
    )


@pytest.mark.parametrize("arguments", [("annotate", "--help"), ("report", "missing.json")])
def test_what_needs_no_network_does_not_ask_for_its_memory(arguments: tuple[str, ...]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gclf_live", *arguments],
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (1024 * _MIB, 1024 * _MIB)),
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )

    assert "memory" not in done.stderr
    assert (done.returncode, "--tracks" in done.stdout) in ((0, True), (1, False))


def test_nothing_is_told_of_a_limit_where_there_is_none() -> None:
    done = subprocess.run(
        _PREDICT,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert "address space" not in done.stderr


@pytest.mark.parametrize(("given", "threads"), [({}, "1"), ({"OPENBLAS_NUM_THREADS": "2"}, "2")])
def test_openblas_gets_one_thread_unless_the_user_says_otherwise(given: dict[str, str], threads: str) -> None:
    code = "import os; from gclf_live.cli.running import run; run(['report', 'none.json'])"
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, "-c", f"{code}; print(os.environ['OPENBLAS_NUM_THREADS'])"],
        env=environment | given,
        capture_output=True,
        text=True,
        timeout=100,
        check=True,
    )

    assert done.stdout.splitlines()[-1] == threads


def test_decoder_without_threads_says_nothing_of_the_file() -> None:
    done = _run(_SHORT_OF_ROOM, "read", SAMPLES / "clip.mp4", 60)

    assert done.stdout.startswith("SourceError cannot read"), done.stderr
    assert "there is not enough memory for it. Close other programs" in done.stdout


def test_encoder_without_memory_is_not_taken_for_a_full_disk(tmp_path: Path) -> None:
    done = _run(_SHORT_OF_ROOM, "write", tmp_path / "a.mp4", 60)

    assert done.stdout.startswith("OutputError cannot write"), done.stderr
    assert "most likely for want of memory. Close other programs" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_weights_without_room_for_them_are_a_memory_error(weights: Path) -> None:
    size_mib = weights.stat().st_size / _MIB
    done = _run(_SHORT_OF_ROOM, "weights", weights, round(1.6 * size_mib) + 4, RUST_BACKTRACE="0")

    assert done.stdout.startswith("MemoryError"), done.stderr
    assert "panicked" not in done.stderr


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("could not create a primitive"),
        RuntimeError("can't start new thread"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
        ValueError("std::bad_alloc"),
    ],
)
def test_what_libraries_say_when_memory_runs_out_is_known(error: Exception) -> None:
    assert is_short_of_memory(error)


def test_other_errors_are_not_taken_for_it() -> None:
    assert not is_short_of_memory(ValueError("no such class"))
    assert not is_short_of_memory(BlockingIOError(11, "Resource temporarily unavailable"))


class Failing:
    """What a worker cannot take."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __reduce__(self) -> tuple[object, ...]:
        return fail, (self.error,)


def fail(error: Exception) -> None:
    """Raise it."""
    raise error


def test_worker_without_memory_tells_the_run() -> None:
    ours, theirs = multiprocessing.Pipe()

    work(theirs, pickle.dumps(Failing(RuntimeError("can't start new thread"))))

    told = ours.recv()
    assert isinstance(told, Refused)
    assert told.error.startswith("a worker process got too little memory. Close other programs")


def test_fault_of_a_worker_is_not_taken_for_want_of_memory() -> None:
    with pytest.raises(KeyError):
        work(multiprocessing.Pipe()[1], pickle.dumps(Failing(KeyError("no such step"))))
