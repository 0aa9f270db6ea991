"""``gclf-live annotate``: labelled copies of videos and pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gclf_live.cli.options import (
    choose_threshold,
    json_option,
    load_classifier,
    model_options,
    print_json,
    profile_options,
    say,
    say_failures,
)
from gclf_live.cli.profile import Profiling
from gclf_live.errors import ExitCode, GclfError, OutputError, UsageError

if TYPE_CHECKING:
    from gclf_live.media.writer import EncoderSettings, Preset
    from gclf_live.model.classifier import Classifier
    from gclf_live.pipeline.annotate import Annotated
    from gclf_live.pipeline.first_pass import AnalysisSettings
    from gclf_live.pipeline.jobs import Job
    from gclf_live.pipeline.pictures import PictureLabeller
    from gclf_live.profiling import Spans

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@click.option("-o", "--output", required=True, metavar="OUT", help="An .mp4 or picture file, or a folder.")
@click.option(
    "--tracks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="One video only: write one row a track to a .csv, .json, .jsonl or .parquet file. The copy then "
    "shows the tracks' numbers.",
)
@click.option(
    "--faces",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="One video only: write one row a face and frame, likewise.",
)
@click.option(
    "--subtitles",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="One video only: write the labels as subtitles for the copy, to an .srt, .vtt or .ass file.",
)
@click.option("--overwrite", is_flag=True, help="Replace outputs that exist.")
@click.option(
    "--crf",
    type=click.IntRange(0, 51),
    default=20,
    show_default=True,
    help="Quality of the video: 0 is lossless, 51 the worst.",
)
@click.option(
    "--preset",
    type=click.Choice(_PRESETS),
    default="veryfast",
    show_default=True,
    help="Encoding time spent for a smaller file.",
)
@model_options
@profile_options
@json_option
def annotate(
    inputs: tuple[str, ...],
    output: str,
    tracks: Path | None,
    faces: Path | None,
    subtitles: Path | None,
    overwrite: bool,
    crf: int,
    preset: Preset,
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
    profile: bool,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Write copies of videos and pictures with boxes and labels.

    IN is a video (anything that FFmpeg decodes, animated GIFs too), a picture, or a folder of them. A
    video keeps its sound and its timing, and each face has one label for as long as it is followed.
    With several inputs, or a folder, OUT is a folder, and what is there already is skipped, so that a run
    that was interrupted can be started again.
    """
    from gclf_live.pipeline.jobs import plan_jobs

    jobs = plan_jobs([Path(text) for text in inputs], Path(output), into_folder=output.endswith("/"))
    beside = _Beside(tracks, faces, subtitles)
    beside.check(jobs, trace, overwrite=overwrite)
    with Profiling(profile=profile, trace=trace, overwrite=overwrite) as profiling:
        with profiling.spans.span("load"):
            from gclf_live.media.writer import EncoderSettings
            from gclf_live.pipeline.first_pass import AnalysisSettings

            classifier = load_classifier(weights, device)
            chosen = choose_threshold(classifier, threshold, max_error)
        run = _Run(
            output=Path(output),
            classifier=classifier,
            settings=AnalysisSettings(threshold=chosen),
            encoder=EncoderSettings(crf=crf, preset=preset),
            overwrite=overwrite,
            skip_done=len(jobs) > 1 or Path(inputs[0]).is_dir(),
            say_result=(lambda line: click.echo(line, err=as_json)),
            spans=profiling.spans,
        )
        documents = run.all(jobs, beside)
        say_failures(run.failed, len(jobs))
        if as_json:
            print_json({"files": documents} | profiling.document())
    if run.failed:
        return ExitCode.SOME_FAILED if run.failed < len(jobs) else ExitCode.FAILED
    return ExitCode.DONE


@dataclass(frozen=True, slots=True)
class _Beside:
    """The files that go beside the copy of one video, each None where it was not asked for."""

    tracks: Path | None
    faces: Path | None
    subtitles: Path | None

    def asked(self) -> list[Path]:
        """Those that were asked for."""
        return [path for path in (self.tracks, self.faces, self.subtitles) if path is not None]

    def check(self, jobs: list[Job], trace: Path | None, *, overwrite: bool) -> None:
        """Raise UsageError or OutputError now rather than after the work that fills them."""
        from gclf_live.output.subtitles import check_subtitles
        from gclf_live.output.tables import check_table

        asked = self.asked()
        if asked and (len(jobs) > 1 or jobs[0].is_picture):
            what = f"{len(jobs)} inputs were" if len(jobs) > 1 else "a picture was"
            raise UsageError(
                f"--tracks, --faces and --subtitles describe one video, and {what} given; leave them out"
            )
        names = [path.resolve() for path in (*asked, trace) if path is not None]
        for path in asked:
            if names.count(path.resolve()) > 1:
                raise UsageError(f"two options name {str(path)!r}; give each a file of its own")
        for table in (self.tracks, self.faces):
            if table is not None:
                check_table(table, overwrite=overwrite)
        if self.subtitles is not None:
            check_subtitles(self.subtitles, overwrite=overwrite)

    def write(self, done: Annotated, *, overwrite: bool) -> None:
        """Write what the analysis found."""
        from gclf_live.output.rows import face_columns, face_rows, track_columns
        from gclf_live.output.subtitles import track_cues, write_subtitles
        from gclf_live.output.tables import write_rows

        analysis = done.analysis
        if self.tracks is not None:
            rows = (track.as_row() for track in analysis.summaries())
            write_rows(self.tracks, rows, track_columns(analysis.classes), overwrite=overwrite)
        if self.faces is not None:
            columns = face_columns(analysis.classes)
            write_rows(self.faces, face_rows(analysis.results()), columns, overwrite=overwrite)
        if self.subtitles is not None:
            suffix, origin_s = self.subtitles.suffix, done.origin_s
            cues = track_cues(analysis.summaries(), analysis.pts_s, origin_s=origin_s, suffix=suffix)
            write_subtitles(self.subtitles, cues, overwrite=overwrite)


class _Run:
    """Works through the jobs of one command; what fails is told, and the others are still done."""

    def __init__(
        self,
        *,
        output: Path,
        classifier: Classifier,
        settings: AnalysisSettings,
        encoder: EncoderSettings,
        overwrite: bool,
        skip_done: bool,
        say_result: Callable[[str], None],
        spans: Spans,
    ) -> None:
        self.failed = 0
        self._output = output
        self._classifier, self._settings, self._encoder = classifier, settings, encoder
        self._overwrite, self._skip_done, self._say_result = overwrite, skip_done, say_result
        self._spans = spans

    def all(self, jobs: list[Job], beside: _Beside) -> list[dict[str, object]]:
        """Do every job; returns one JSON object for each that worked."""
        documents = []
        for job in jobs:
            if self._skip_done and job.target.exists() and not self._overwrite:
                say(f"{str(job.target)!r} is there already: skipped. Use --overwrite to do it again")
                continue
            try:
                if job.target != self._output:  # the user named a folder, not the file in it
                    self._make_folder(job.target.parent)
                documents.append(self._picture(job) if job.is_picture else self._video(job, beside))
            except GclfError as error:
                say(str(error))
                self.failed += 1
        return documents

    def _make_folder(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OutputError(
                f"cannot make the folder {str(folder)!r}: {error.strerror}. Choose another"
            ) from error

    def _video(self, job: Job, beside: _Beside) -> dict[str, object]:
        from gclf_live.output.progress import progress_bar
        from gclf_live.output.summary import annotate_summary
        from gclf_live.pipeline.annotate import annotate_video

        with progress_bar(job.source.name) as advance:
            done = annotate_video(
                job.source,
                job.target,
                self._classifier,
                settings=self._settings,
                encoder=self._encoder,
                overwrite=self._overwrite,
                track_ids=bool(beside.asked()),
                advance=advance,
                spans=self._spans,
            )
        if beside.asked():
            with self._spans.span("tables"):
                beside.write(done, overwrite=self._overwrite)
        for note in done.notes:
            say(f"{job.source}: {note}")
        self._say_result(annotate_summary(done.stats))
        return {"source": str(job.source), **done.stats.as_json(), "notes": list(done.notes)}

    @cached_property
    def _labeller(self) -> PictureLabeller:
        from gclf_live.pipeline.pictures import PictureLabeller

        return PictureLabeller(self._classifier, threshold=self._settings.threshold)

    def _picture(self, job: Job) -> dict[str, object]:
        from gclf_live.cli.predict import describe
        from gclf_live.media.pictures import read_picture, write_picture
        from gclf_live.output.overlay import Overlay
        from gclf_live.output.picture_json import picture_entry

        spans = self._spans
        with spans.span("decode"):
            image = read_picture(job.source)
        with spans.span("label picture"):
            result = self._labeller.label(image)
        entry = picture_entry(
            str(job.source), width_px=image.shape[1], height_px=image.shape[0], result=result
        )
        with spans.span("draw"):
            Overlay().draw(image, result)
        with spans.span("encode"):
            write_picture(job.target, image, overwrite=self._overwrite)
        self._say_result(f"{job.target}: {describe(result)}")
        return {"source": str(job.source), **entry, "path": str(job.target)}
