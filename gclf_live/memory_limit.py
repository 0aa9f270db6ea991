"""What a process does that may have little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

_GIB = 2**30
_ENOUGH_BYTES = 6 * _GIB
_LOADING_S = 120.0
# One that is not there is told by who needs it. What is free afterwards is for the work itself.
_LOAD = """
import mmap, sys
try:
    import av, cv2, scipy.optimize, torch
except ImportError as error:
    absent = isinstance(error, ModuleNotFoundError) or "cannot open shared object file" in str(error)
    sys.exit(0 if absent else 1)
mmap.mmap(-1, 256 * 2**20)
"""
_WORDS = (
    *("an't allocate memory", "annot allocate memory", "Insufficient memory", "Failed to allocate"),
    *("out of memory", "failed to map segment", "can't start new thread", "std::bad_alloc"),
    "could not create a primitive",  # oneDNN
    "error return without exception set",  # Python itself, while it imports
)


def use_one_blas_thread() -> None:
    """Before NumPy is loaded: we multiply nothing large, and each thread of OpenBLAS takes 32 MB."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def check_room() -> None:
    """Make sure that the libraries can be loaded under the kernel's limit, if there is one.

    Short of address space OpenBLAS waits for ever, OpenCV and torch crash, each at a moment of its own: it is
    tried in a process that may.

    Raises:
        MemoryError: they cannot.
    """
    if _limit_bytes() is None:
        return
    try:
        tried = subprocess.run(
            [sys.executable, "-c", _LOAD],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_LOADING_S,
            check=False,
        )
    except (subprocess.TimeoutExpired, OSError) as error:
        raise MemoryError("too little to load libraries") from error
    if tried.returncode:
        raise MemoryError("too little to load libraries")


def _limit_bytes() -> int | None:
    """The address space that the kernel gives this process; None where that is enough."""
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY or limit >= _ENOUGH_BYTES else limit


def is_short_of_memory(error: BaseException) -> bool:
    """Whether the system gave no more memory: torch and OpenCV have no class of their own for that."""
    # FFmpeg says so, too, when it gets no more threads.
    from_ffmpeg = type(error).__module__.startswith("av.") and isinstance(error, BlockingIOError)
    return from_ffmpeg or isinstance(error, MemoryError) or any(text in str(error) for text in _WORDS)


def what_to_do() -> str:
    """What helps one whose memory ran out."""
    advice = "Close other programs, or work on smaller pictures or fewer --jobs"
    limit = _limit_bytes()
    if limit is None:
        return advice
    given = f"This process may have {limit / _GIB:.1f} GiB of address space"
    return f"{advice}. {given}, {_ENOUGH_BYTES // _GIB} are enough: raise the limit (ulimit -v)"
