"""The files that describe one video: checked before the work, written after it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gclf_live.errors import GclfError, OutputError, UsageError

if TYPE_CHECKING:
    from gclf_live.model.classifier import Classifier
    from gclf_live.pipeline.analysis import VideoAnalysis
    from gclf_live.pipeline.annotate import Annotated
    from gclf_live.pipeline.settings import AnalysisSettings
    from gclf_live.screentime.result import Result

_Write = Callable[[], None]


@dataclass(frozen=True, slots=True)
class VideoOutputs:
    """What was asked for of one video besides its copy, each None where it was not.

    Attributes:
        tracks, faces: tables.
        subtitles: the labels as subtitles.
        report: a page, or the same facts as JSON.
        result: everything that was measured.
        privacy: no row about a single face may be written.
    """

    tracks: Path | None
    faces: Path | None
    subtitles: Path | None
    report: Path | None
    result: Path | None
    privacy: bool = False

    def of_tracks(self) -> list[Path]:
        """Those that name tracks by their numbers, so that the copy has to show these."""
        return [path for path in (self.tracks, self.faces, self.subtitles) if path is not None]

    def asked(self) -> list[Path]:
        """All that were asked for."""
        return self.of_tracks() + [path for path in (self.report, self.result) if path is not None]

    def check(self, others: list[Path], *, overwrite: bool) -> None:
        """Refuse now, rather than after the work that fills them, what cannot be written.

        Args:
            others: further files of the command, which need names of their own.
            overwrite: files that exist are replaced.

        Raises:
            UsageError: names or options that do not go together.
            OutputError: a file exists or cannot be written.
        """
        from gclf_live.output.subtitles import check_subtitles
        from gclf_live.output.tables import check_table
        from gclf_live.whole_file import check_output

        if self.privacy and self.of_tracks():
            raise UsageError(
                "--tracks, --faces and --subtitles say where each face was, and --privacy keeps totals only; "
                "leave them out, or --privacy. --report and --result go with it"
            )
        names = [path.resolve() for path in (*self.asked(), *others)]
        for path in self.asked():
            if names.count(path.resolve()) > 1:
                raise UsageError(f"two options name {str(path)!r}; give each a file of its own")
        for table in (self.tracks, self.faces):
            if table is not None:
                check_table(table, overwrite=overwrite)
        if self.subtitles is not None:
            check_subtitles(self.subtitles, overwrite=overwrite)
        if self.report is not None:
            _check_suffix(self.report, "a report", (".html", ".json"))
            check_output(self.report, overwrite=overwrite)
        if self.result is not None:
            _check_suffix(self.result, "a result", (".json",))
            check_output(self.result, overwrite=overwrite)

    def write(
        self,
        done: Annotated,
        classifier: Classifier,
        settings: AnalysisSettings,
        *,
        weights: Path | None,
        overwrite: bool,
    ) -> None:
        """Write what was measured. Where one file cannot be written, the others still are.

        Raises:
            SourceError: the video cannot be read any more.
            OutputError: a file cannot be written; notes on it tell of further ones.
        """
        failures = _failures(self._of_tracks(done.analysis, done.origin_s, overwrite=overwrite))
        if self.report is not None or self.result is not None:
            try:
                result = self._measured(done.analysis, classifier, settings, weights)
            except GclfError as error:
                failures.append(error)
            else:
                failures += _failures(self._of_result(result, overwrite=overwrite))
        for other in failures[1:]:
            failures[0].add_note(str(other))
        if failures:
            raise failures[0]

    def _of_result(self, result: Result, *, overwrite: bool) -> list[_Write]:
        from gclf_live.screentime.page import write_report
        from gclf_live.screentime.result_file import write_result

        def report(path: Path) -> None:
            make_folder(path.parent)
            write_report(path, [result], overwrite=overwrite)

        def plain(path: Path) -> None:
            make_folder(path.parent)
            write_result(path, result, overwrite=overwrite)

        asked = ((self.result, plain), (self.report, report))
        return [partial(write, path) for path, write in asked if path is not None]

    def _measured(
        self,
        analysis: VideoAnalysis,
        classifier: Classifier,
        settings: AnalysisSettings,
        weights: Path | None,
    ) -> Result:
        from gclf_live.pipeline.measured import file_sha256, measure, weights_sha256
        from gclf_live.screentime.result import without_people

        result = measure(
            analysis,
            classifier,
            source_sha256=file_sha256(analysis.path),
            weights_sha256=weights_sha256(weights),
            settings=settings,
        )
        return without_people(result) if self.privacy else result

    def _of_tracks(self, analysis: VideoAnalysis, origin_s: float, *, overwrite: bool) -> list[_Write]:
        from gclf_live.output.rows import face_columns, face_rows, track_columns
        from gclf_live.output.subtitles import shown_frames, track_cues, write_subtitles
        from gclf_live.output.tables import write_rows

        def tracks(path: Path) -> None:
            rows = (track.as_row() for track in analysis.summaries())
            write_rows(path, rows, track_columns(analysis.classes), overwrite=overwrite)

        def faces(path: Path) -> None:
            write_rows(
                path, face_rows(analysis.results()), face_columns(analysis.classes), overwrite=overwrite
            )

        def subtitles(path: Path) -> None:
            shown, suffix = shown_frames(analysis.results()), path.suffix
            cues = track_cues(analysis.summaries(), shown, analysis.pts_s, origin_s=origin_s, suffix=suffix)
            write_subtitles(path, cues, overwrite=overwrite)

        asked = ((self.tracks, tracks), (self.faces, faces), (self.subtitles, subtitles))
        return [partial(write, path) for path, write in asked if path is not None]


def _failures(writers: list[_Write]) -> list[GclfError]:
    """Write all files, and say what went wrong with some."""
    failures: list[GclfError] = []
    for write in writers:
        try:
            write()
        except GclfError as error:  # what took an hour to measure is not lost over one of its files
            failures.append(error)
    return failures


def _check_suffix(path: Path, what: str, allowed: tuple[str, ...]) -> None:
    if path.suffix.lower() not in allowed:
        raise UsageError(f"cannot write {what} to {str(path)!r}: its name must end in {' or '.join(allowed)}")


def make_folder(folder: Path) -> None:
    """Make a folder and those that it lies in, where they are missing.

    Raises:
        OutputError: the system does not let it be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"cannot make the folder {str(folder)!r}: {error.strerror}. Choose another"
        ) from error
