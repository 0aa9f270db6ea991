"""How much anybody may send, and how much of the machine a process that decodes it may take."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


def usual_workers() -> int:
    """Processes that decode pictures: one more than processors, for one mostly waits for the network."""
    return len(os.sched_getaffinity(0)) + 1


def network_threads() -> int:
    """Threads of the network on processors that decode pictures as well.

    Threads that wait for one another lose more than they gain where others take the processors from them: on
    2 cores with 50 clients, 2 threads gave 6 pictures a second and 1 gave 19.
    """
    return max(1, len(os.sched_getaffinity(0)) // 4)


@dataclass(frozen=True, slots=True)
class KernelLimits:
    """What the kernel allows a process that decodes what somebody sent.

    Attributes:
        memory_bytes: address space on top of what the process has mapped when it starts.
        cpu_s: seconds of processor time for one picture, live frame or video.
        file_bytes: the largest file that it may write.
    """

    memory_bytes: int
    cpu_s: int
    file_bytes: int


def _video_limits() -> KernelLimits:
    """Decoder and encoder start threads by the number of processors, each with address space of its own."""
    return KernelLimits((4 << 30) + (96 << 20) * (os.cpu_count() or 1), 8 * 3600, 8 << 30)


@dataclass(frozen=True, slots=True)
class Limits:
    """What is accepted.

    Attributes:
        picture_bytes: size of one picture file.
        picture_pixels: its width times its height.
        pictures_per_request: number of pictures.
        request_bytes: size of all pictures of a request together.
        held_bytes: size of all pictures of all requests that have no answer yet; past it 503.
        waiting_pictures: pictures that were accepted and have no answer yet; past them 503.
        picture_s: seconds after which a picture that has no answer is given up.
        video_bytes: size of a video file.
        video_seconds: its length.
        video_pixels: width times height of its frames.
        unfinished_jobs: videos that wait or run; past them 503.
        live_connections: at once.
        live_frame_bytes: size of one frame.
        live_frame_pixels: its width times its height.
        request_head_s: a connection on which no head of a request was complete by then is closed.
        stalled_upload_s: an upload of which nothing came for so long is given up.
        picture_upload_s: one of pictures that takes longer in all, too.
        workers: processes that decode pictures.
        picture, live, video: what the kernel allows the processes.
    """

    picture_bytes: int = 30_000_000
    picture_pixels: int = 50_000_000
    pictures_per_request: int = 16
    request_bytes: int = 100_000_000
    held_bytes: int = 400_000_000
    waiting_pictures: int = 32
    picture_s: float = 60.0
    video_bytes: int = 2_000_000_000
    video_seconds: float = 7200.0
    video_pixels: int = 10_000_000
    unfinished_jobs: int = 8
    live_connections: int = 8
    live_frame_bytes: int = 4_000_000
    live_frame_pixels: int = 10_000_000
    request_head_s: float = 30.0
    stalled_upload_s: float = 30.0
    picture_upload_s: float = 120.0
    workers: int = field(default_factory=usual_workers)
    picture: KernelLimits = KernelLimits(2 << 30, 30, 1 << 28)
    live: KernelLimits = KernelLimits(1 << 30, 20, 0)
    video: KernelLimits = field(default_factory=_video_limits)

    def as_json(self) -> dict[str, float]:
        """Those that a client has to know."""
        return {
            "picture_bytes": self.picture_bytes,
            "picture_pixels": self.picture_pixels,
            "pictures_per_request": self.pictures_per_request,
            "request_bytes": self.request_bytes,
            "video_bytes": self.video_bytes,
            "video_seconds": self.video_seconds,
            "video_pixels": self.video_pixels,
            "live_connections": self.live_connections,
            "live_frame_bytes": self.live_frame_bytes,
        }
