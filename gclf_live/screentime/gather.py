"""Results from files and folders, and whether they may be added up."""

from __future__ import annotations

import contextlib
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gclf_live.errors import SourceError
from gclf_live.screentime.comparable import Measurement, check_alike, check_once, doubles
from gclf_live.screentime.result import Result
from gclf_live.screentime.result_file import RESULT_SUFFIX, read_result, says_result
from gclf_live.screentime.timeline import lane, lanes
from gclf_live.screentime.tracks import ResultTrack

SHEET = 48
"""Faces on the contact sheet at most."""


class NoResultsError(SourceError):
    """A folder that holds no result."""


def find_results(paths: Sequence[Path]) -> list[Path]:
    """The result files that are meant: files as they are, folders with all the results below them, in order.

    Raises:
        SourceError: a path does not exist; ``NoResultsError`` where a folder holds no result.
    """
    found: list[Path] = []
    for path in paths:
        try:
            found += _inside(path) if path.is_dir() else [_existing(path)]
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(
                f"cannot read {str(path)!r}: {error.strerror or error}. Check path and permissions"
            ) from error
    return list(dict.fromkeys(found))


def read_results(
    paths: Sequence[Path],
    *,
    allow_mixed: bool = False,
    once: Callable[[Sequence[Path]], object] | None = None,
    advance: Callable[[int, int], object] | None = None,
) -> list[Result]:
    """Read results that are to be added up; of the faces' pictures only those that a page may show are kept.

    Different videos of one name get the folder of their result before it, as far as the folders differ.

    Args:
        paths: the files, see ``find_results``.
        allow_mixed: take results of different weights and settings too.
        once: leave out what holds seconds of a video that an earlier one holds too; called with their
            files, if there are any.
        advance: called with how many are read, of how many.

    Raises:
        SourceError: a file cannot be used, see ``read_result``.
        UsageError: weights, settings or classes differ, or a video is there twice and not ``once``.
    """
    results: list[Result] = []
    measurements: list[Measurement] = []
    for number, path in enumerate(paths, start=1):
        result = read_result(path)
        measurements.append(Measurement.of(path, result))
        check_alike(measurements[0], measurements[-1], allow_mixed=allow_mixed)
        results.append(_with_few_pictures(result, most=_most_pictures(len(paths))))
        if advance is not None:
            advance(number, len(paths))
    if once is None:
        check_once(measurements, hint=", or add --once")
    elif left_out := doubles(measurements):
        once([paths[number] for number in left_out])
        results = [each for number, each in enumerate(results) if number not in left_out]
        paths = [each for number, each in enumerate(paths) if number not in left_out]
    return _told_apart(results, [path.absolute().parent for path in paths])


def sheet_tracks(results: Sequence[Result], most: int = SHEET) -> list[tuple[Result, ResultTrack]]:
    """The faces of a contact sheet: of each label and of the excluded ones, those that were seen longest.

    Grouped in the order of the classes, ``unsure``, excluded; as many of each as there is room for.
    """
    if not results:
        return []
    groups: defaultdict[str, list[tuple[Result, ResultTrack]]] = defaultdict(list)
    for result in results:
        for track in result.tracks:
            if track.crop_jpeg:
                groups[lane(track)].append((result, track))
    order = [name for name in lanes(results[0].classes) if name in groups]
    room, chosen = most, []
    for number, name in enumerate(order):
        # What one group does not fill is left to those after it.
        take = room // (len(order) - number)
        chosen += sorted(groups[name], key=lambda pair: -pair[1].seconds)[:take]
        room -= min(take, len(groups[name]))
    return chosen


def _told_apart(results: Sequence[Result], folders: Sequence[Path]) -> list[Result]:
    # Parts of one video may well have one name.
    videos = Counter(name for name, _ in {(result.name, result.source_sha256) for result in results})
    below = os.path.commonpath(folders) if folders else ""
    return [
        replace(result, name=str(folder.relative_to(below) / result.name))
        if videos[result.name] > 1
        else result
        for result, folder in zip(results, folders, strict=True)
    ]


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SourceError(
            f"no such file or folder: {str(path)!r}. "
            "Give files of annotate --result, or the folder of --out-dir"
        )
    return path


def _inside(folder: Path) -> list[Path]:
    found = sorted(each for each in folder.rglob("*.json") if _is_result(each, folder))
    if not found:
        raise NoResultsError(
            f"no results in {str(folder)!r}: annotate writes NAME{RESULT_SUFFIX}. Give the folder that it "
            "wrote to, or the files themselves"
        )
    return found


def _is_result(path: Path, folder: Path) -> bool:
    """Whether a file in a folder is meant: by its name, or because it says of itself that it is one."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
        return False
    if path.name.endswith(RESULT_SUFFIX):
        return True
    with contextlib.suppress(OSError), path.open("rb") as file:
        return says_result(file.read(200))
    return False


def _most_pictures(videos: int) -> int:
    return max(2, -(-2 * SHEET // max(videos, 1)))


def _with_few_pictures(result: Result, *, most: int) -> Result:
    """Without the pictures that no contact sheet shows: of a thousand videos they would fill the memory."""
    if len(result.tracks) <= most:
        return result
    kept = {id(track) for _, track in sheet_tracks([result], most)}
    tracks = (each if id(each) in kept else replace(each, crop_jpeg=b"") for each in result.tracks)
    return replace(result, tracks=tuple(tracks))
