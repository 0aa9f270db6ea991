"""Which file becomes which: inputs, folders and the output that the user named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from gclf_live.errors import OutputError, SourceError, UsageError
from gclf_live.media.content import HEAD_BYTES, is_video
from gclf_live.media.pictures import PICTURE_SUFFIXES

# What a folder is searched for; a file that is named outright may have any suffix.
VIDEO_SUFFIXES = frozenset(
    f".{name}"
    for name in (
        *("3g2", "3gp", "asf", "avi", "divx", "dv", "f4v", "flv", "gif", "m2t", "m2ts", "m2v", "m4v"),
        *("mkv", "mov", "mp4", "mpeg", "mpg", "mts", "mxf", "ogv", "qt", "rm", "rmvb", "ts", "vob"),
        *("webm", "wmv", "y4m"),
    )
)
_KNOWN = PICTURE_SUFFIXES | VIDEO_SUFFIXES
# Their containers are those of videos.
_SOUND = frozenset(f".{name}" for name in ("m4a", "m4b", "mka", "oga", "ogg", "opus", "spx", "weba", "wma"))


@dataclass(frozen=True, slots=True)
class Job:
    """One input and its output.

    Attributes:
        source: the file to read.
        target: the file to write.
        is_picture: whether it is a picture rather than a video.
    """

    source: Path
    target: Path
    is_picture: bool


def plan_jobs(inputs: Sequence[Path], output: Path, *, into_folder: bool) -> list[Job]:
    """Decide the output of every input.

    A single file becomes ``output`` itself, unless that is a folder. Several files, or a folder's
    pictures and videos with its sub-folders, go into the folder ``output`` under their own names,
    videos as ``.mp4``. A file that is named twice, or beside its folder, counts once.

    Args:
        inputs: files and folders.
        output: a file or a folder.
        into_folder: the user wrote ``output`` as a folder (``out/``).

    Raises:
        SourceError: a folder holds nothing that can be annotated.
        OutputError: an output would be its own input.
        UsageError: several inputs cannot go into one file.
    """
    jobs = _plan(inputs, output, into_folder=into_folder)
    sources = {job.source.resolve() for job in jobs}
    taken: dict[Path, Path] = {}
    for job in jobs:
        target = job.target.resolve()
        if target in sources:
            raise OutputError(
                f"{str(job.target)!r} is an input itself. Give another name or folder for the output"
            )
        if target in taken:
            raise UsageError(
                f"{str(taken[target])!r} and {str(job.source)!r} would both become {str(job.target)!r}; "
                "give each a folder of its own"
            )
        taken[target] = job.source
    return jobs


def videos_passed_over(inputs: Sequence[Path], output: Path) -> list[Path]:
    """Videos, by their content, in folders of ``inputs`` whose suffix is none that a folder is searched for.

    They can be named outright. Hidden files, outputs and files that cannot be read are none of them.
    """
    folders = [path for path in inputs if path.is_dir()]
    named, known = {path.absolute() for path in inputs}, _KNOWN | _SOUND
    return [
        path
        for folder in folders
        for path in _files(folder, output)
        if path.suffix.lower() not in known and path.absolute() not in named and _begins_as_video(path)
    ]


def _plan(inputs: Sequence[Path], output: Path, *, into_folder: bool) -> list[Job]:
    single_file = len(inputs) == 1 and not inputs[0].is_dir()
    if single_file and not into_folder and not output.is_dir():
        return [Job(inputs[0], output, _is_picture(inputs[0]))]
    # A new folder called talk.mp4 is not what anyone means.
    if output.is_file() or (not into_folder and not output.is_dir() and output.suffix.lower() in _KNOWN):
        raise UsageError(
            f"several inputs cannot go into one file, {str(output)!r}; give a folder, such as -o annotated/"
        )
    pairs: dict[Path, tuple[Path, Path]] = {}
    for path in inputs:
        for source, relative in _inside(path, output) if path.is_dir() else [(path, Path(path.name))]:
            pairs.setdefault(source.absolute(), (source, relative))
    named = Counter(_target_name(relative) for _, relative in pairs.values())
    return [
        _job(source, relative, output, alone=named[_target_name(relative)] == 1)
        for source, relative in pairs.values()
    ]


def _inside(folder: Path, output: Path) -> list[tuple[Path, Path]]:
    """The pictures and videos of a folder and where they lie in it, without hidden ones and outputs."""
    found = [
        (path, path.relative_to(folder)) for path in _files(folder, output) if path.suffix.lower() in _KNOWN
    ]
    if not found:
        raise SourceError(
            f"no pictures or videos in the folder {str(folder)!r}; give files or a folder with some"
        )
    return found


def _files(folder: Path, output: Path) -> Iterator[Path]:
    """Every file in a folder and below it, in order, without hidden ones and outputs."""
    same = output.resolve() == folder.resolve()
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if not hidden and path.is_file() and (same or output.resolve() not in path.resolve().parents):
            yield path


def _begins_as_video(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return is_video(file.read(HEAD_BYTES))
    except OSError:
        return False


def _job(source: Path, relative: Path, output: Path, *, alone: bool) -> Job:
    name = _target_name(relative)
    # a.mov and a.avi would both become a.mp4: they keep their suffix and get another.
    return Job(
        source,
        output / (name if alone else relative.with_name(relative.name + name.suffix)),
        _is_picture(source),
    )


def _target_name(relative: Path) -> Path:
    return relative if _is_picture(relative) else relative.with_suffix(".mp4")


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in PICTURE_SUFFIXES and path.suffix.lower() != ".gif"
