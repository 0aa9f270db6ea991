"""What a process does that may have little memory."""

from __future__ import annotations

import mmap
import os
import resource

_GIB = 2**30
_ENOUGH_BYTES = 6 * _GIB
_LOADING_BYTES = _GIB
_WORDS = (
    *("an't allocate memory", "annot allocate memory", "Insufficient memory", "Failed to allocate"),
    *("out of memory", "failed to map segment", "can't start new thread", "std::bad_alloc"),
    "could not create a primitive",  # oneDNN
    "error return without exception set",  # Python itself, while it imports
)


def prepare_libraries() -> None:
    """Make the libraries fit into what memory this process may have; none of them may be loaded yet.

    Raises:
        MemoryError: there is not even enough to load them.
    """
    # We multiply nothing large, and each thread of OpenBLAS takes 32 MB.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    if _limit_bytes() is not None:
        _load_the_worst()


def _load_the_worst() -> None:
    """Load OpenBLAS and OpenCV while there is room.

    Short of memory the one waits for ever and the other crashes; torch, which takes most, raises an error.
    """
    try:
        mmap.mmap(-1, _LOADING_BYTES).close()
    except OSError as error:
        raise MemoryError("too little to load libraries") from error
    import cv2  # noqa: F401
    import numpy as np
    import scipy.linalg

    square = np.ones((64, 64))
    scipy.linalg.blas.dgemm(1.0, square @ square, square)  # they keep what they take for the first product


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
