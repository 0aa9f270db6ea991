"""``annotate`` on one video or picture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from gclf_live.cli.annotate_outputs import VideoOutputs, make_folder
from gclf_live.cli.options import say
from gclf_live.errors import UsageError

if TYPE_CHECKING:
    from gclf_live.media.writer import EncoderSettings
    from gclf_live.model.classifier import Classifier
    from gclf_live.pipeline.annotate import Annotated
    from gclf_live.pipeline.settings import AnalysisSettings
    from gclf_live.profiling import Spans


@dataclass(frozen=True, slots=True)
class One:
    """One input, and its copy where there is to be one.

    Attributes:
        source: the file to read.
        target: the copy, or None.
        is_picture: whether it is a picture rather than a video.
        in_folder: the user named the folder of the copy, which may have to be made.
    """

    source: Path
    target: Path | None
    is_picture: bool
    in_folder: bool = False


def plan_one(
    source: Path, output: str | None, beside: VideoOutputs, *, no_video: bool, as_json: bool = False
) -> One:
    """What one input becomes. With ``as_json``, totals are printed, so that no file need be written.

    Raises:
        UsageError: the options do not say what to do, or contradict one another.
        OutputError: the copy would be the input itself.
    """
    from gclf_live.pipeline.jobs import plan_jobs

    if no_video and output is not None:
        raise UsageError("--no-video writes no copy, and -o names one; leave one of them out")
    if not no_video and output is None:
        raise UsageError(
            "nothing says where the copy goes; add -o OUT, or --no-video with a file for the numbers, "
            "such as --tracks FILE or --report FILE"
        )
    # Without a copy its name is never used.
    copy = Path(output) if output is not None else source.with_name(f"{source.name}.mp4")
    (job,) = plan_jobs([source], copy, into_folder=output is not None and output.endswith("/"))
    if job.is_picture and beside.asked():
        raise UsageError(
            "--tracks, --faces, --subtitles, --report and --result describe one video, and a picture was "
            "given; leave them out"
        )
    if not no_video:
        return One(source, job.target, job.is_picture, in_folder=job.target != copy)
    if job.is_picture:
        raise UsageError("--no-video measures videos; for the labels of a picture use gclf-live predict")
    if not (beside.asked() or as_json):
        raise UsageError(
            "--no-video writes no copy, and no file was asked for; add --tracks, --faces, --subtitles, "
            "--report or --result, each with a file, or --json for the totals, or --out-dir DIR"
        )
    return One(source, None, is_picture=False)


class OneFile:
    """Works on one input."""

    def __init__(
        self,
        one: One,
        beside: VideoOutputs,
        classifier: Classifier,
        *,
        weights: Path | None,
        settings: AnalysisSettings,
        encoder: EncoderSettings,
        overwrite: bool,
        say_result: Callable[[str], None],
        told: Callable[[str], str] = str,
        spans: Spans,
    ) -> None:
        """Take what the options said.

        ``say_result`` takes the lines about what is done; ``told`` calls the input what the user called it.
        """
        self._one, self._beside = one, beside
        self._classifier, self._weights = classifier, weights
        self._settings, self._encoder = settings, encoder
        self._overwrite, self._say_result, self._spans = overwrite, say_result, spans
        self._source_told, self._told = told(str(one.source)), told

    def work(self) -> dict[str, object]:
        """Do it; returns the JSON object about it.

        Raises:
            GclfError: the input cannot be read or an output not be written.
        """
        if self._one.target is not None and self._one.in_folder:
            make_folder(self._one.target.parent)
        return self._picture(self._one.target) if self._one.is_picture else self._video()

    def _video(self) -> dict[str, object]:
        from gclf_live.media.hardware import Hardware
        from gclf_live.output.progress import progress_bar
        from gclf_live.output.summary import annotate_summary
        from gclf_live.pipeline.annotate import annotate_video

        if self._encoder.hardware is not Hardware.NONE:
            say(f"video on {self._encoder.hardware}: decoded by NVDEC, encoded by NVENC")
        source = self._one.source
        name = source.name if self._source_told == str(source) else self._source_told
        with progress_bar(name) as advance:
            done = annotate_video(
                source,
                self._one.target,
                self._classifier,
                settings=self._settings,
                encoder=self._encoder,
                overwrite=self._overwrite,
                track_ids=bool(self._beside.of_tracks()),
                privacy=self._beside.privacy,
                advance=advance,
                spans=self._spans,
            )
        notes = [*done.notes, *_about_colours(done, self._one.target)]
        stats = replace(done.stats, path=self._told(done.stats.path))
        try:
            if self._beside.asked():
                with self._spans.span("tables"):
                    self._beside.write(
                        done,
                        self._classifier,
                        self._settings,
                        weights=self._weights,
                        overwrite=self._overwrite,
                    )
        finally:  # after the files: where nobody reads it any more, telling fails
            for note in notes:
                say(f"{self._source_told}: {note}")
            self._say_result(annotate_summary(stats))
        return {"source": self._source_told, **stats.as_json(), "notes": notes}

    def _picture(self, target: Path | None) -> dict[str, object]:
        from gclf_live.cli.predict import describe
        from gclf_live.media.pictures import read_picture, write_picture
        from gclf_live.output.overlay import Overlay
        from gclf_live.output.picture_json import picture_entry
        from gclf_live.pipeline.hiding import hide_faces
        from gclf_live.pipeline.pictures import PictureLabeller

        assert target is not None
        source, spans = str(self._one.source), self._spans
        labeller = PictureLabeller(self._classifier, threshold=self._settings.threshold)
        with spans.span("decode"):
            image = read_picture(self._one.source)
        with spans.span("label picture"):
            result = labeller.label(image)
        entry = picture_entry(source, width_px=image.shape[1], height_px=image.shape[0], result=result)
        with spans.span("draw"):
            if self._beside.privacy:
                hide_faces(image, result.tracks.faces)
            Overlay().draw(image, result)
        with spans.span("encode"):
            write_picture(target, image, overwrite=self._overwrite)
        if self._beside.privacy:
            counts = Counter(result.labels)
            entry = {**entry, "faces": len(result.tracks), "labels": dict(counts)}
            self._say_result(f"{target}: {_counted(counts)}")
        else:
            self._say_result(f"{target}: {describe(result)}")
        return {"source": source, **entry, "path": str(target)}


def _about_colours(done: Annotated, target: Path | None) -> list[str]:
    """What the user should know of a copy whose colours are others than those of its source."""
    curve = done.analysis.info.hdr
    if curve is None or target is None:
        return []
    return [
        f"is HDR ({curve}); the copy is in standard range (BT.709), without highlights brighter than white"
    ]


def _counted(counts: Counter[str]) -> str:
    """``2 female, 1 unsure``, or ``no face found``."""
    return ", ".join(f"{number} {label}" for label, number in sorted(counts.items())) or "no face found"
