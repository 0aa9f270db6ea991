"""Results in the output folder that ``report`` adds up, or refuses to, and nobody may have thought of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from pathlib import Path

from gclf_live.archive.history import History
from gclf_live.archive.names import result_name
from gclf_live.pipeline.jobs import Job
from gclf_live.wording import some

_MOST_NAMED = 3


def other_results(jobs: Iterable[Job], history: History, output: Path) -> Iterator[str]:
    """A line about results of inputs that were not given, and one about videos that are there twice.

    Args:
        jobs: all inputs of the run.
        history: of the output folder.
        output: the output folder.
    """
    there = [
        name
        for name in sorted(history.known)
        if name.endswith(".mp4")
        and result_name(name) in history.outputs
        and (output / result_name(name)).exists()
    ]
    given = {job.target.relative_to(output).as_posix() for job in jobs}
    others = [result_name(name) for name in there if name not in given]
    if others:
        of = "1 result is of an input" if len(others) == 1 else f"{len(others):,} results are of inputs"
        named = some([repr(name) for name in others], _MOST_NAMED)
        were = "was" if len(others) == 1 else "were"
        yield f"{of} that {were} not given now, and report adds up all that is there: {named}"
    same: defaultdict[str, list[str]] = defaultdict(list)
    for name in there:
        same[history.known[name].sha256].append(name)
    doubles = [names for names in same.values() if len(names) > 1]
    if doubles:
        first = " and ".join(repr(result_name(name)) for name in doubles[0])
        more = f", and so are those of {len(doubles) - 1:,} more videos" if len(doubles) > 1 else ""
        yield f"{first} are of the same video{more}; report --once counts each once, else it refuses them"
