"""What each task does. Every file that one leaves is whole or not there, so that it can be done again."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from gclf_live.archive.identity import FileState
from gclf_live.archive.names import part_path, result_name, table_name
from gclf_live.archive.tasks import Advance, Inspected, Measured, Noted, Setup, Step, Task, Value
from gclf_live.errors import SourceError
from gclf_live.media.pictures import read_picture, write_picture
from gclf_live.media.reader import VideoReader
from gclf_live.media.segments import SegmentWriter, join_segments, segment_path
from gclf_live.model.classifier import Classifier
from gclf_live.output.overlay import Overlay
from gclf_live.output.rows import track_columns
from gclf_live.output.tables import write_rows
from gclf_live.pipeline.analysis import VideoAnalysis
from gclf_live.pipeline.drawing import draw_part
from gclf_live.pipeline.hiding import hide_faces
from gclf_live.pipeline.measured import file_sha256, measure
from gclf_live.pipeline.parts import PART_S, Part, PartAnalysis, analyse_part, join_parts, plan_parts
from gclf_live.pipeline.pictures import PictureLabeller
from gclf_live.pipeline.settings import AnalysisSettings
from gclf_live.screentime.result import without_people
from gclf_live.screentime.result_file import write_result


def perform(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> Value:
    """Do one task.

    Raises:
        SourceError: the input cannot be read, or is not what it was when its SHA-256 was taken.
        OutputError: what it gives cannot be written.
    """
    if task.state is not None and FileState.of(task.source) != task.state:
        raise SourceError(
            f"{str(task.source)!r} was changed while it was worked on; run the same command again"
        )
    return _STEPS[task.step](setup, task, classifier, advance)


def _inspect(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> Inspected:
    """Take the input's SHA-256, unless it is known, and plan its parts."""
    state = FileState.of(task.source)
    parts: tuple[Part, ...] = ()
    rate = 0.0
    if not task.is_picture:
        with VideoReader(task.source) as reader:  # first: what is no video need not be read to its end
            info = reader.info
        settings, rate = setup.options.analysis, float(info.average_fps or 0)
        part_s = setup.options.part_s or PART_S
        parts = tuple(plan_parts(info, from_s=settings.from_s, to_s=settings.to_s, part_s=part_s))
    sha256 = task.source_sha256 or file_sha256(task.source)
    if FileState.of(task.source) != state:
        raise SourceError(f"{str(task.source)!r} is still being written; run the same command again later")
    return Inspected(state, sha256, parts, rate)


def _analyse(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> None:
    assert task.part is not None
    analysis = analyse_part(
        task.source,
        task.part,
        classifier,
        setup.options.analysis,
        threads=setup.threads,
        advance=_frames(setup, task, advance),
    )
    if setup.options.privacy:
        analysis = _without_crops(analysis)
    analysis.save(task.saved_path)


def _measure(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> Measured:
    """Write result and table where they wait for the copy; parts that cannot be read are removed."""
    options = setup.options
    try:
        analysis = _joined(task.work, task.source, task.parts, options.analysis)
    except _DamagedPartError as error:
        error.path.unlink(missing_ok=True)
        return Measured(damaged=True)
    result = measure(
        analysis,
        classifier,
        source_sha256=task.source_sha256,
        weights_sha256=setup.weights_sha256,
        settings=options.analysis,
    )
    if options.privacy:
        result = without_people(result)
    name = Path(task.name).name
    write_result(task.staged / result_name(name), result, overwrite=True)
    if options.tables != "none" and not options.privacy:
        rows = (track.as_row() for track in analysis.summaries())
        path = task.staged / table_name(name, options.tables)
        write_rows(path, rows, track_columns(analysis.classes), overwrite=True)
    return Measured(dict(result.totals), (result.damaged,) if result.damaged else ())


def _draw(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> None:
    assert task.part is not None
    options = setup.options
    analysis = _joined(task.work, task.source, task.parts, options.analysis)
    encoder = replace(options.encoder, threads=setup.threads)
    with (
        VideoReader(task.source) as reader,
        SegmentWriter(reader, task.saved_path, settings=encoder, overwrite=True) as writer,
    ):
        draw_part(
            task.source,
            task.part,
            analysis,
            writer,
            Overlay(track_ids=options.track_ids),
            privacy=options.privacy,
            threads=setup.threads,
            advance=_frames(setup, task, advance),
        )


def _join(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> Noted:
    segments = [segment_path(task.drawn, part.index) for part in task.parts]
    target = task.staged / Path(task.name).name
    settings = setup.options.analysis
    excerpt_to_s = None
    if settings.from_s is not None or settings.to_s is not None:
        excerpt_to_s = math.inf if settings.to_s is None else settings.to_s
    notes = join_segments(task.source, segments, target, overwrite=True, excerpt_to_s=excerpt_to_s)
    return Noted(notes)


def _picture(setup: Setup, task: Task, classifier: Classifier, advance: Advance) -> Noted:
    image = read_picture(task.source)
    found = PictureLabeller(classifier, threshold=setup.options.analysis.threshold).label(image)
    if setup.options.privacy:
        hide_faces(image, found.tracks.faces)
    Overlay().draw(image, found)
    write_picture(task.staged / Path(task.name).name, image, overwrite=True)
    return Noted(faces=Counter(sorted(found.labels)))


_STEPS: dict[Step, Callable[[Setup, Task, Classifier, Advance], Value]] = {
    Step.INSPECT: _inspect,
    Step.ANALYSE: _analyse,
    Step.MEASURE: _measure,
    Step.DRAW: _draw,
    Step.JOIN: _join,
    Step.PICTURE: _picture,
}


class _DamagedPartError(SourceError):
    """The analysis of a part cannot be read back."""

    def __init__(self, path: Path, why: SourceError) -> None:
        super().__init__(str(why))
        self.path = path


@lru_cache(maxsize=1)  # a process draws one part of a video after another
def _joined(work: Path, source: Path, parts: tuple[Part, ...], settings: AnalysisSettings) -> VideoAnalysis:
    """What was found in all parts. The name of ``work`` tells videos, weights and settings apart."""
    analyses = []
    for part in parts:
        path = part_path(work, part.index)
        try:
            analyses.append(PartAnalysis.load(path))
        except SourceError as error:
            raise _DamagedPartError(path, error) from error
    with VideoReader(source) as reader:
        return join_parts(analyses, path=source, info=reader.info, settings=settings)


def _without_crops(analysis: PartAnalysis) -> PartAnalysis:
    """The same without pictures of faces: a run that is killed leaves its parts on the disk."""
    tracks = (replace(track, path=replace(track.path, crop_jpeg=b"")) for track in analysis.tracks)
    return replace(analysis, tracks=tuple(tracks))


def _frames(setup: Setup, task: Task, advance: Advance) -> Callable[[int], None]:
    """Turns frames done into the share of the part that is done, as far as its length is known."""
    assert task.part is not None
    seconds = min(task.part.to_s - task.part.from_s, setup.options.part_s or PART_S)
    expected = max(1.0, seconds * task.frames_per_second)
    return lambda done: advance(min(1.0, done / expected))
