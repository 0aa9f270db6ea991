"""The ``gclf-live`` command: the live window itself, and the sub-commands."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import click

import gclf_live
from gclf_live.cli.annotate import annotate
from gclf_live.cli.audit import audit
from gclf_live.cli.doctor import doctor
from gclf_live.cli.evaluate import evaluate
from gclf_live.cli.export import export
from gclf_live.cli.options import finite, json_option, model_options, profile_options
from gclf_live.cli.predict import predict
from gclf_live.cli.report import report
from gclf_live.cli.serve import serve
from gclf_live.cli.train import train

_COMMAND_LINE = click.core.ParameterSource.COMMANDLINE


class _Commands(click.Group):
    """The sub-commands; who names a file where one belongs is told what takes it."""

    def resolve_command(
        self, context: click.Context, arguments: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        try:
            return super().resolve_command(context, arguments)
        except click.UsageError:
            hint = _takes(arguments[0])
            if hint is None:
                raise
            from gclf_live.media.source import without_password

            shown = without_password(arguments[0])
            raise click.UsageError(f"no such command: {shown!r}. {hint}", context) from None


def _takes(text: str) -> str | None:
    """What takes a file, a folder or an address of that name; None for anything else."""
    from gclf_live.media.pictures import PICTURE_SUFFIXES
    from gclf_live.pipeline.jobs import VIDEO_SUFFIXES

    suffix = Path(text).suffix.lower()
    if "://" in text:
        return "To watch a stream, add --source before it"
    with contextlib.suppress(OSError):  # too long for a name
        if Path(text).is_dir():
            return "For a folder: gclf-live annotate FOLDER --out-dir DIR, or gclf-live predict FOLDER"
    if suffix in VIDEO_SUFFIXES:
        return "To watch a video, add --source before it; for a copy: gclf-live annotate FILE -o OUT.mp4"
    if suffix in PICTURE_SUFFIXES:
        return "For the labels of a picture: gclf-live predict FILE"
    return None


@click.group(
    cls=_Commands,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(gclf_live.__version__, prog_name="gclf-live")
@click.option("--camera", metavar="N", help="Number of the webcam to watch, 0 for the first.")
@click.option(
    "--source", metavar="FILE|URL", help="Watch a video file in real time, or a stream (rtsp://, http://)."
)
@click.option(
    "--record", type=click.Path(path_type=Path), metavar="OUT.mp4", help="Write what is shown to a video."
)
@click.option("--overwrite", is_flag=True, help="Replace the recording and the trace if they exist.")
@click.option("--no-window", is_flag=True, help="Show nothing: for recording, or without a display.")
@click.option(
    "--max-latency",
    type=click.FloatRange(20, 2000),
    callback=finite,
    default=80,
    show_default=True,
    metavar="MS",
    help="Time from capture to display that the work for a frame is fitted to.",
)
@click.option(
    "--mirror/--no-mirror",
    default=None,
    help="Show the picture as in a mirror. Default: cameras yes, others no.",
)
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    callback=finite,
    metavar="S",
    help="End after this time.",
)
@click.option(
    "--reconnect",
    type=click.FloatRange(min=0),
    callback=finite,
    metavar="S",
    help="Seconds to look for a camera or stream that was lost; 0 ends at once.  [default: for ever]",
)
@model_options
@profile_options
@json_option
@click.pass_context
def app(context: click.Context, /, camera: str | None, source: str | None, **options: Any) -> None:
    """Label faces, live or in recorded video, as they are perceived: female, male or unsure.

    A label says how a face is perceived in a picture, never who or what a person is.

    \b
    gclf-live --camera 0                     a window with the first webcam
    gclf-live annotate talk.mp4 -o out.mp4   a copy with boxes and labels
    gclf-live report results/                screen time by class, with intervals
    gclf-live predict photo.jpg              the labels of a picture
    gclf-live serve --open                   the web page and the HTTP API
    gclf-live train dataset/                 a checkpoint of your own

    Keys in the window: q or Esc quits, space pauses, s takes a snapshot, h shows help.
    """
    if context.invoked_subcommand is not None:
        if camera is not None or source is not None:
            raise click.UsageError(
                f"--camera and --source go with the live window, not with {context.invoked_subcommand!r}",
                context,
            )
        return
    if camera is None and source is None:
        given = [name for name in context.params if context.get_parameter_source(name) is _COMMAND_LINE]
        if given:
            raise click.UsageError("options without a source; add --camera 0 or --source FILE|URL", context)
        click.echo(context.get_help())
        return
    if camera is not None and source is not None:
        raise click.UsageError("--camera and --source were both given; give one of them", context)
    from gclf_live.cli.live import run_live

    run_live(camera if camera is not None else str(source), from_camera=camera is not None, **options)


app.add_command(annotate)
app.add_command(audit)
app.add_command(doctor)
app.add_command(evaluate)
app.add_command(export)
app.add_command(predict)
app.add_command(report)
app.add_command(serve)
app.add_command(train)
