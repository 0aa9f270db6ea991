"""Outputs of earlier runs into a folder that the run now neither makes nor changes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from gclf_live.archive.names import Places
from gclf_live.archive.options import ArchiveOptions, FileOutcome, State
from gclf_live.pipeline.jobs import Job
from gclf_live.wording import some

_MOST_NAMED = 3


def left_over(
    jobs: Iterable[Job], outcomes: Sequence[FileOutcome], options: ArchiveOptions, owned: Collection[str]
) -> Iterator[str]:
    """One line about them, if there are any; that of an input that was done again is told with that input.

    Args:
        jobs: all inputs, those that nothing is asked for of too.
        outcomes: of those that were worked through.
        options: of the run; its output is where the files lie.
        owned: every output that a run into the folder has written, relative to it.
    """
    told = {outcome.source for outcome in outcomes if outcome.state is State.DONE}
    names = [name for job in jobs if job.source not in told for name in _unasked(job, options)]
    found = [str(path) for name in names if name in owned and (path := options.output / name).exists()]
    if not found:
        return
    named = some([repr(path) for path in found], _MOST_NAMED)
    files, stay = ("file", "is left as it is") if len(found) == 1 else ("files", "are left as they are")
    yield f"{len(found):,} {files} of an earlier run with other options {stay}: {named}"


def _unasked(job: Job, options: ArchiveOptions) -> list[str]:
    places = Places.of(job, options)
    asked = [] if job.is_picture and not options.video else places.outputs(options)
    return [name for name in places.all_outputs() if name not in asked]
