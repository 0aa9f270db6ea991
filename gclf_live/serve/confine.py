"""What a child process does before it touches what somebody sent."""

from __future__ import annotations

import ctypes
import math
import os
import resource
import signal
import warnings
from pathlib import Path

import cv2
from PIL import Image

from gclf_live.serve.limits import KernelLimits

_PR_SET_PDEATHSIG = 1
# Not those that start other programs (EPS runs Ghostscript) or that nobody photographs in.
_PICTURE_FORMATS = frozenset(
    {"AVIF", "BMP", "DIB", "GIF", "JPEG", "JPEG2000", "MPO", "PNG", "PPM", "TIFF", "WEBP"}
)


def confine(limits: KernelLimits) -> None:
    """Put this process under the kernel's limits for good; it ends when the process that forked it does."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    cv2.setNumThreads(1)  # there are as many processes as processors
    Image.init()
    warnings.simplefilter("ignore")  # of broken files; the log is for what the server has to say
    Image.ID[:] = [name for name in Image.ID if name in _PICTURE_FORMATS]
    # Where the machine itself runs out of memory, this process goes, not the server.
    Path("/proc/self/oom_score_adj").write_text("1000", "ascii")
    _limit_for_good(resource.RLIMIT_AS, _mapped_bytes() + limits.memory_bytes)
    _limit_for_good(resource.RLIMIT_FSIZE, limits.file_bytes)
    _limit_for_good(resource.RLIMIT_CORE, 0)
    allow_cpu(limits)


def allow_cpu(limits: KernelLimits) -> None:
    """Count ``cpu_s`` from now on."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    until = math.ceil(used.ru_utime + used.ru_stime) + limits.cpu_s
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (_lower(until, most), most))


def _limit_for_good(what: int, value: int) -> None:
    value = _lower(value, resource.getrlimit(what)[1])
    resource.setrlimit(what, (value, value))


def _lower(value: int, most: int) -> int:
    """``value``, or what the user's own ``ulimit`` leaves of it: nobody may go beyond that again."""
    return value if most == resource.RLIM_INFINITY else min(value, most)


def _mapped_bytes() -> int:
    """Address space of this process: the libraries alone map some gigabytes."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
