"""Results from files and folders, and whether they may be added up."""

from __future__ import annotations

import contextlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from gclf_live.errors import SourceError, UsageError
from gclf_live.screentime.result import Result, read_result, says_result
from gclf_live.screentime.timeline import lane, lanes
from gclf_live.screentime.tracks import ResultTrack

SUFFIX = ".result.json"
"""How results are called in the folder of an archive."""
SHEET = 48
"""Faces on the contact sheet at most."""
_RANGE = frozenset({"from_s", "to_s"})
"""Settings that say what was measured, not how."""


def find_results(paths: Sequence[Path]) -> list[Path]:
    """The result files that are meant: files as they are, folders with all the results below them, in order.

    Raises:
        SourceError: a path does not exist, or a folder holds no result.
    """
    found: list[Path] = []
    for path in paths:
        try:
            found += _inside(path) if path.is_dir() else [_existing(path)]
        except SourceError:
            raise
        except OSError as error:
            raise SourceError(f"cannot read {str(path)!r}: {error.strerror or error}") from error
    return list(dict.fromkeys(found))


def read_results(
    paths: Sequence[Path], *, allow_mixed: bool = False, advance: Callable[[int, int], object] | None = None
) -> list[Result]:
    """Read results that are to be added up; of the faces' pictures only those that a page may show are kept.

    Args:
        paths: the files, see ``find_results``.
        allow_mixed: take results of different weights and settings too.
        advance: called with how many are read, of how many.

    Raises:
        SourceError: a file cannot be used, see ``read_result``.
        UsageError: weights, settings or classes differ, or a video is there twice.
    """
    results: list[Result] = []
    for number, path in enumerate(paths, start=1):
        result = read_result(path)
        if results:
            _check_alike(paths[0], results[0], path, result, allow_mixed=allow_mixed)
        results.append(_with_few_pictures(result, most=_most_pictures(len(paths))))
        if advance is not None:
            advance(number, len(paths))
    _check_once(paths, results)
    return results


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


def _existing(path: Path) -> Path:
    if not path.exists():
        raise SourceError(f"no such file or folder: {str(path)!r}. Give files of annotate --result")
    return path


def _inside(folder: Path) -> list[Path]:
    found = sorted(each for each in folder.rglob("*.json") if _is_result(each, folder))
    if not found:
        raise SourceError(
            f"no results in {str(folder)!r}: annotate writes NAME{SUFFIX}. Give the folder that it wrote to, "
            "or the files themselves"
        )
    return found


def _is_result(path: Path, folder: Path) -> bool:
    """Whether a file in a folder is meant: by its name, or because it says of itself that it is one."""
    if any(part.startswith(".") for part in path.relative_to(folder).parts) or not path.is_file():
        return False
    if path.name.endswith(SUFFIX):
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


def _check_alike(first_path: Path, first: Result, path: Path, result: Result, *, allow_mixed: bool) -> None:
    pair = f"{str(first_path)!r} and {str(path)!r}"
    if first.classes != result.classes:
        raise UsageError(f"{pair} have the classes {first.classes} and {result.classes}; report them apart")
    if allow_mixed:
        return
    if first.weights_sha256 != result.weights_sha256:
        raise UsageError(
            f"{pair} come from different weights ({first.weights_sha256[:12]} and "
            f"{result.weights_sha256[:12]}). Measure them with the same, or add --allow-mixed"
        )
    names = sorted((set(first.settings) | set(result.settings)) - _RANGE)
    differing = [name for name in names if first.settings.get(name) != result.settings.get(name)]
    if differing:
        what = ", ".join(
            f"{name} {first.settings.get(name)} and {result.settings.get(name)}" for name in differing
        )
        raise UsageError(
            f"{pair} were measured differently ({what}). Measure them alike, or add --allow-mixed"
        )


def _check_once(paths: Sequence[Path], results: Sequence[Result]) -> None:
    """Parts of one video that do not overlap may stand together; the same seconds must not count twice."""
    seen: defaultdict[str, list[tuple[float, float, Path]]] = defaultdict(list)
    for path, result in zip(paths, results, strict=True):
        for from_s, to_s, other in seen[result.source_sha256]:
            if max(from_s, result.from_s) < min(to_s, result.to_s):
                raise UsageError(
                    f"{str(other)!r} and {str(path)!r} are of the same video ({result.name!r}), whose "
                    "seconds would count twice. Leave one out"
                )
        seen[result.source_sha256].append((result.from_s, result.to_s, path))
