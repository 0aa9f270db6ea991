"""Whether results of several videos may be taken together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from gclf_live.errors import UsageError
from gclf_live.screentime.result import Result

_RANGE = frozenset({"from_s", "to_s"})
"""Settings that say what was measured, not how."""


@dataclass(frozen=True, slots=True)
class Measurement:
    """What was measured, and how: a result without what was found.

    Attributes:
        path: file of the result.
        name, source_sha256: of the video.
        weights_sha256, settings, classes: as of ``Result``.
        from_s, to_s: range that was measured, in presentation times.
    """

    path: Path
    name: str
    source_sha256: str
    weights_sha256: str
    settings: Mapping[str, object]
    classes: tuple[str, ...]
    from_s: float
    to_s: float

    @classmethod
    def of(cls, path: Path, result: Result) -> Self:
        """That of the result in a file."""
        return cls(
            path,
            result.name,
            result.source_sha256,
            result.weights_sha256,
            result.settings,
            result.classes,
            result.from_s,
            result.to_s,
        )


def check_alike(first: Measurement, other: Measurement, *, allow_mixed: bool) -> None:
    """Make sure that two results are of the same classes, weights and settings.

    Args:
        first, other: the two.
        allow_mixed: only the classes matter.

    Raises:
        UsageError: they are not; it says in what they differ.
    """
    pair = f"{str(first.path)!r} and {str(other.path)!r}"
    if first.classes != other.classes:
        raise UsageError(
            f"{pair} have the classes {', '.join(first.classes)} and {', '.join(other.classes)}. "
            "Give results of the same classes"
        )
    if allow_mixed:
        return
    if first.weights_sha256 != other.weights_sha256:
        raise UsageError(
            f"{pair} come from different weights ({first.weights_sha256[:12]} and "
            f"{other.weights_sha256[:12]}). Measure them with the same, or add --allow-mixed"
        )
    names = sorted((set(first.settings) | set(other.settings)) - _RANGE)
    differing = [name for name in names if first.settings.get(name) != other.settings.get(name)]
    if differing:
        what = ", ".join(
            f"{name} {first.settings.get(name)} and {other.settings.get(name)}" for name in differing
        )
        raise UsageError(
            f"{pair} were measured differently ({what}). Measure them alike, or add --allow-mixed"
        )


def doubles(measurements: Sequence[Measurement]) -> dict[int, int]:
    """Results that hold seconds of a video which an earlier one holds too.

    Parts of one video that do not overlap may stand together.

    Returns:
        The place of each among ``measurements``, and that of the earlier one, which is none of these itself.
    """
    kept: defaultdict[str, list[int]] = defaultdict(list)
    found: dict[int, int] = {}
    for number, each in enumerate(measurements):
        for earlier in kept[each.source_sha256]:
            other = measurements[earlier]
            if max(each.from_s, other.from_s) < min(each.to_s, other.to_s):
                found[number] = earlier
                break
        else:
            kept[each.source_sha256].append(number)
    return found


def check_once(measurements: Sequence[Measurement], *, hint: str = "") -> None:
    """Make sure that nothing counts twice.

    Args:
        measurements: what is to be added up.
        hint: what else than leaving some out can be done, as the end of a sentence.

    Raises:
        UsageError: two results hold the same seconds of a video, see ``doubles``.
    """
    found = doubles(measurements)
    if not found:
        return
    later, earlier = next(iter(found.items()))
    each, other = measurements[later], measurements[earlier]
    more = len(found) - 1
    further = f", and {more:,} more results are of videos that are there already" if more else ""
    which = "all but one of each" if more else "one"
    raise UsageError(
        f"{str(other.path)!r} and {str(each.path)!r} are of the same video ({each.name!r}), "
        f"whose seconds would count twice{further}. Leave {which} out{hint}"
    )
