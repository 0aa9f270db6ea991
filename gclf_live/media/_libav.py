"""What reader, writer and stream share in talking to libav."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
from av.container import InputContainer
from av.error import FFmpegError
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from gclf_live.errors import DeviceError, SourceError
from gclf_live.media.hardware import Hardware, decoding_on
from gclf_live.media.missing import no_such_file

HIGHEST_FPS = 500
"""Browsers record webm whose header claims 1000 frames a second: the tick of its clock, not a rate."""
# Text and raw bytes "play" as a film of letters in these; nobody means that.
_NO_VIDEO_FORMATS = {"tty", "bin", "xbin", "adf", "idf"}
# A playlist must not make us fetch from the network: nothing leaves the machine.
_FILE_OPTIONS = {"protocol_whitelist": "file,crypto,data"}


def reason(error: BaseException) -> str:
    """The cause in a few words, without libav's number and without the file's name."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def is_short_of_memory(error: BaseException) -> bool:
    """Whether libav got no more memory, or no more threads, of which it says that a resource is not there."""
    return isinstance(error, FFmpegError) and isinstance(error, MemoryError | BlockingIOError)


def open_file(path: Path, hardware: Hardware = Hardware.NONE) -> InputContainer:
    """Open a local file for demuxing.

    Raises:
        SourceError: the file is missing, a folder, empty, unreadable or no media file.
        DeviceError: the hardware that is to decode it is not there, or cannot.
    """
    try:
        _check_file(path)
        # Absolute, or libav takes a name such as "data:x.mp4" for a protocol.
        container = av.open(
            path.absolute(),
            "r",
            container_options=_FILE_OPTIONS,
            metadata_errors="replace",
            hwaccel=decoding_on(hardware),
        )
    except SourceError:
        raise
    except (FFmpegError, OSError, NotImplementedError) as error:
        if hardware is Hardware.NONE:
            raise _unreadable(path, error) from error
        open_file(path).close()  # what is wrong with the file itself is told as it always is
        raise no_hardware(path, reason(error)) from error
    if container.format.name in _NO_VIDEO_FORMATS:
        container.close()
        raise SourceError(f"cannot read {str(path)!r} as a video: it is text or raw data. Give a video file")
    return container


def _unreadable(path: Path, error: Exception) -> SourceError:
    if isinstance(error, FFmpegError):
        return SourceError(
            f"cannot read {str(path)!r} as a video: {reason(error)}. Give an mp4, mkv, webm, avi or the like"
        )
    return SourceError(f"cannot open {str(path)!r}: {reason(error)}. Check path and permissions")


def no_hardware(path: Path, why: str) -> DeviceError:
    """The error for a file that the hardware cannot decode."""
    return DeviceError(
        f"--hwaccel cuda: no NVIDIA card here decodes {str(path)!r} ({why}). Leave out --hwaccel"
    )


def _check_file(path: Path) -> None:
    if path.is_dir():
        raise SourceError(f"cannot read {str(path)!r} as a video: it is a folder. Give a file")
    # A video is read several times over; and a pipe that nobody writes to would be waited for.
    if path.exists() and not path.is_file():
        raise SourceError(
            f"cannot read {str(path)!r} as a video: it is a pipe or a device. "
            "Give - for a video on standard input, or save it to a file first"
        )
    if not path.exists():
        raise no_such_file(path)
    if path.stat().st_size == 0:
        raise SourceError(f"cannot read {str(path)!r}: the file is empty. Copy or record it again")


def video_stream(container: InputContainer, name: str) -> VideoStream:
    """The stream with the moving picture, ready to decode on several threads; other streams are skipped.

    Raises:
        SourceError: there is none, or no decoder for it.
    """
    videos = [s for s in container.streams.video if not s.disposition & Disposition.attached_pic]
    if not videos:
        what = "only sound" if container.streams.audio else "no video"
        raise SourceError(f"cannot read {name!r}: it has {what}. Give a file with a picture track")
    usable = [s for s in videos if s.codec_context is not None]
    if not usable:
        raise SourceError(f"cannot decode {name!r}: its video codec is unknown. Convert it to H.264 first")
    chosen = next((s for s in usable if s.disposition & Disposition.default), usable[0])
    for stream in container.streams:
        if stream.index != chosen.index:
            stream.discard = Discard.all
    return chosen


def usable_fps(stream: VideoStream) -> Fraction | None:
    """The average rate of a stream; None where the file says nothing, or nonsense."""
    rate = stream.average_rate
    return rate if rate is not None and 0 < rate <= HIGHEST_FPS else None
