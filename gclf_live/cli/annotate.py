"""``gclf-live annotate``: videos and pictures measured, and labelled copies of them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from gclf_live.cli.annotate_options import (
    archive_options,
    encoding_options,
    measuring_options,
    output_options,
)
from gclf_live.cli.annotate_outputs import VideoOutputs
from gclf_live.cli.annotate_stdin import STANDARD_INPUT, PipedVideo, piped_video
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
from gclf_live.errors import ExitCode, GclfError, UsageError

if TYPE_CHECKING:
    from gclf_live.archive.options import EngineName, TableKind
    from gclf_live.media.hardware import Hardware
    from gclf_live.media.writer import EncoderSettings, Preset
    from gclf_live.pipeline.settings import AnalysisSettings


@dataclass(frozen=True, slots=True)
class _Options:
    """The command line, by the names of the options."""

    output: str | None
    out_dir: Path | None
    no_video: bool
    tracks: Path | None
    faces: Path | None
    subtitles: Path | None
    report: Path | None
    result: Path | None
    privacy: bool
    overwrite: bool
    from_s: float | None
    to_s: float | None
    every: float | None
    min_face: float
    crf: int
    preset: Preset
    hwaccel: str
    tables: TableKind
    jobs: int
    engine: EngineName
    address: str | None
    weights: Path | None
    device: str
    threshold: float | None
    max_error: float | None
    profile: bool
    trace: Path | None
    as_json: bool

    def analysis(self, threshold: float) -> AnalysisSettings:
        """How videos are measured."""
        from gclf_live.pipeline.settings import AnalysisSettings

        settings = AnalysisSettings(
            threshold=threshold,
            min_face_px=self.min_face,
            from_s=self.from_s,
            to_s=self.to_s,
        )
        if self.every is None:
            return settings
        return replace(settings, detect_every_s=self.every, skip_calm=False)

    def encoder(self) -> EncoderSettings:
        """How copies are encoded."""
        from gclf_live.media.writer import EncoderSettings

        return EncoderSettings(crf=self.crf, preset=self.preset, hardware=self.hardware())

    def hardware(self) -> Hardware:
        """What decodes and encodes."""
        from gclf_live.media.hardware import Hardware

        return Hardware(self.hwaccel)

    def beside(self) -> VideoOutputs:
        """What is written of one video besides its copy."""
        return VideoOutputs(
            self.tracks, self.faces, self.subtitles, self.report, self.result, privacy=self.privacy
        )

    def say_result(self, line: str) -> None:
        """One line about what is done; not into the JSON document."""
        click.echo(line, err=self.as_json)


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="IN...")
@output_options
@measuring_options
@encoding_options
@archive_options
@model_options
@profile_options
@json_option
def annotate(inputs: tuple[str, ...], **given: Any) -> int:
    """Measure videos and write labelled copies of videos and pictures.

    IN is a video (anything that FFmpeg decodes, animated GIFs too), a picture, or a folder of them; - is
    a video on standard input. A video keeps its sound and its timing, and each face has one label for as
    long as it is followed. Several inputs, or a folder, are an archive: OUT is a folder, what is up to
    date there is kept, and a run that was ended goes on where it was.

    \b
    gclf-live annotate talk.mp4 -o labelled.mp4 --tracks tracks.csv
    gclf-live annotate film.mkv --no-video --report film.html --from 00:10:00
    gclf-live annotate recordings/ --out-dir measured/ --no-video --jobs 4
    """
    options = _Options(**given)
    _check_range(options)
    paths = [Path(text) for text in inputs]
    if options.out_dir is not None or len(paths) > 1 or paths[0].is_dir():
        if STANDARD_INPUT in inputs:
            raise UsageError(
                "- is one video on standard input, and a folder, several inputs or --out-dir was given; "
                "give -o OUT or --no-video, and no other input"
            )
        return _archive(paths, options)
    if inputs[0] == STANDARD_INPUT:
        with piped_video() as piped:
            return _single(piped.path, options, piped)
    return _single(paths[0], options)


def _check_range(options: _Options) -> None:
    if options.from_s is not None and options.to_s is not None and options.to_s <= options.from_s:
        raise UsageError(
            f"--from {options.from_s:g} --to {options.to_s:g} (seconds) holds nothing; --to must be later"
        )


def _archive(inputs: list[Path], options: _Options) -> int:
    """Hand several inputs over to ``archive.run``."""
    from gclf_live.archive.run import ArchiveOptions, run_archive
    from gclf_live.pipeline.jobs import plan_jobs, videos_passed_over
    from gclf_live.wording import number_of

    folder = _archive_folder(options)
    jobs = plan_jobs(inputs, folder, into_folder=options.out_dir is not None or _is_folder(options.output))
    if others := videos_passed_over(inputs, folder):
        endings = ", ".join(sorted({path.suffix or "none" for path in others}))
        what = number_of(len(others), "video")
        say(f"{what} with an ending that folders are not searched for ({endings}): name such files outright")
    report = run_archive(
        jobs,
        ArchiveOptions(
            output=folder,
            weights=options.weights,
            device=options.device,
            analysis=options.analysis(_archive_threshold(options)),
            encoder=options.encoder(),
            video=not options.no_video,
            tables=options.tables,
            privacy=options.privacy,
            track_ids=options.tables != "none" and not options.privacy,
            jobs=options.jobs,
            engine=options.engine,
            address=options.address,
            overwrite=options.overwrite,
        ),
        say=say,
        say_result=options.say_result,
    )
    say_failures(len(report.failed), len(report.files))
    if options.as_json:
        print_json(report.as_json())
    return report.exit_code


def _archive_folder(options: _Options) -> Path:
    """The folder that an archive goes into.

    Raises:
        UsageError: there is none, or an option goes with one video only.
    """
    one_video_only = {
        "--tracks": options.tracks,
        "--faces": options.faces,
        "--subtitles": options.subtitles,
        "--report": options.report,
        "--result": options.result,
        "--profile": options.profile or None,
        "--trace": options.trace,
        "--hwaccel": None if options.hwaccel == "none" else options.hwaccel,
    }
    for name, value in one_video_only.items():
        if value is not None:
            raise UsageError(
                f"{name} goes with one video, and a folder, several inputs or --out-dir was given; "
                "leave it out. Each video gets a result and a table of tracks there; gclf-live report reads "
                "the results"
            )
    if options.out_dir is not None and options.output is not None:
        raise UsageError("-o and --out-dir both say where the copies go; give one of them")
    folder = options.out_dir or (Path(options.output) if options.output is not None else None)
    if folder is None:
        raise UsageError("nothing says where it goes; add --out-dir DIR")
    return folder


def _refuse_archive_options() -> None:
    """Options of an archive that would do nothing for one file are a misunderstanding."""
    context = click.get_current_context()
    for name in ("tables", "jobs", "engine", "address"):
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name} goes with an archive, and one file was given; add --out-dir DIR")


def _is_folder(output: str | None) -> bool:
    return output is not None and output.endswith("/")


def _archive_threshold(options: _Options) -> float:
    """The threshold; the network is loaded for it only where its table of errors has to be asked."""
    from gclf_live.cli.options import DEFAULT_THRESHOLD

    if options.max_error is None:
        return DEFAULT_THRESHOLD if options.threshold is None else options.threshold
    return choose_threshold(load_classifier(options.weights, options.device), None, options.max_error)


def _single(source: Path, options: _Options, piped: PipedVideo | None = None) -> int:
    """Work on one file, or on standard input, which is read once all else is known to be right."""
    from gclf_live.cli.annotate_one import OneFile, plan_one

    _refuse_archive_options()
    beside = options.beside()
    one = plan_one(source, options.output, beside, no_video=options.no_video, as_json=options.as_json)
    if one.is_picture and (options.from_s is not None or options.to_s is not None):
        raise UsageError("--from and --to are times in a video, and a picture was given; leave them out")
    others = [path for path in (options.trace, one.target) if path is not None]
    beside.check(others, overwrite=options.overwrite)
    with Profiling(profile=options.profile, trace=options.trace, overwrite=options.overwrite) as profiling:
        with profiling.spans.span("load"):
            classifier = load_classifier(options.weights, options.device)
            threshold = choose_threshold(classifier, options.threshold, options.max_error)
        run = OneFile(
            one,
            beside,
            classifier,
            weights=options.weights,
            settings=options.analysis(threshold),
            encoder=options.encoder(),
            overwrite=options.overwrite,
            say_result=options.say_result,
            told=piped.told if piped else str,
            spans=profiling.spans,
        )
        documents, code = [], ExitCode.DONE
        try:
            if piped is not None:
                piped.receive()
            documents.append(run.work())
        except GclfError as error:
            for line in (str(error), *getattr(error, "__notes__", ())):
                say(piped.told(line) if piped else line)
            code = ExitCode.FAILED
        if options.as_json:
            print_json({"files": documents} | profiling.document())
    return code
