"""The options of ``annotate``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from gclf_live.cli.options import finite

_Command = TypeVar("_Command", bound=Callable[..., Any])

_PRESETS = ("ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow")
_LONGEST_EVERY_S = 10
"""Searches that are this far apart follow nobody: nearly every sighting is a track of its own."""


def output_options(command: _Command) -> _Command:
    """Add the options that say what is written where."""
    return _all_of(
        click.option("-o", "--output", metavar="OUT", help="An .mp4 or picture file, or a folder."),
        click.option(
            "--out-dir",
            type=click.Path(path_type=Path),
            metavar="DIR",
            help="Folder for an archive: copies, results and tables; a run that was ended goes on there.",
        ),
        click.option("--no-video", is_flag=True, help="Measure only: no copies, so no -o either."),
        _file_option(
            "--tracks", "One row a track: .csv, .json, .jsonl or .parquet. The copy shows its number."
        ),
        _file_option("--faces", "One row a face and frame, likewise."),
        _file_option("--subtitles", "The labels as .srt, .vtt or .ass subtitles for the copy."),
        _file_option("--report", "Screen time with error bars: an .html page, or .json."),
        _file_option("--result", "Everything that was measured, as .json, for report and audit."),
        click.option(
            "--privacy", is_flag=True, help="Make faces unrecognisable in the copies, and write only totals."
        ),
        click.option("--overwrite", is_flag=True, help="Replace outputs that exist."),
    )(command)


def measuring_options(command: _Command) -> _Command:
    """Add the options that say what is measured."""
    return _all_of(
        click.option(
            "--from",
            "from_s",
            callback=_seconds,
            metavar="T",
            help="Begin here: seconds or HH:MM:SS.mmm, as in the tables.",
        ),
        click.option("--to", "to_s", callback=_seconds, metavar="T", help="End before this time."),
        click.option(
            "--every",
            type=click.FloatRange(0, _LONGEST_EVERY_S),
            callback=finite,
            metavar="S",
            help="Seconds between two searches for faces; 0 searches each frame.  [default: 0.1, or 0.2 "
            "while all stays as it is]",
        ),
        click.option(
            "--min-face",
            type=click.FloatRange(min=0),
            callback=finite,
            default=0,
            metavar="PX",
            help="Faces that are lower than this get no verdict.",
        ),
    )(command)


def encoding_options(command: _Command) -> _Command:
    """Add the options of the encoder."""
    return _all_of(
        click.option(
            "--crf",
            type=click.IntRange(0, 51),
            default=20,
            show_default=True,
            help="Quality of the video: 0 is lossless, 51 the worst.",
        ),
        click.option(
            "--preset",
            type=click.Choice(_PRESETS),
            default="veryfast",
            show_default=True,
            help="Encoding time spent for a smaller file.",
        ),
        click.option(
            "--hwaccel",
            type=click.Choice(("none", "cuda")),
            default="none",
            show_default=True,
            help="cuda: one video is decoded and encoded by an NVIDIA card (NVDEC, NVENC).",
        ),
    )(command)


def archive_options(command: _Command) -> _Command:
    """Add the options of a run over several inputs."""
    return _all_of(
        click.option(
            "--tables",
            type=click.Choice(("csv", "parquet", "jsonl", "none")),
            default="csv",
            show_default=True,
            help="Several inputs: format of each video's table of tracks.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(min=1),
            default=1,
            show_default=True,
            metavar="N",
            help="Several inputs: worker processes.",
        ),
        click.option(
            "--engine",
            type=click.Choice(("local", "ray")),
            default="local",
            show_default=True,
            help="Several inputs: work on this machine or on a Ray cluster.",
        ),
        click.option("--address", metavar="A", help="Of the Ray cluster; without it, Ray is started here."),
    )(command)


def _file_option(name: str, text: str) -> Callable[[_Command], _Command]:
    """An option for a file that describes one video."""
    return click.option(name, type=click.Path(path_type=Path), metavar="FILE", help=f"One video only. {text}")


def _all_of(*options: Callable[[Any], Any]) -> Callable[[_Command], _Command]:
    """One decorator for several options, shown in this order."""

    def add(command: _Command) -> _Command:
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _seconds(context: click.Context, option: click.Parameter, value: str | None) -> float | None:
    """The time that ``value`` says: seconds, ``MM:SS`` or ``HH:MM:SS``, with decimals."""
    if value is None:
        return None
    match = re.fullmatch(r"(?:(?:(\d+):)?(\d+):)?(\d+(?:\.\d*)?|\.\d+)", value.strip())
    if match is not None:
        hours, minutes, seconds = (float(part or 0) for part in match.groups())
        # Only the first number may be larger than a clock would show it.
        if (match[2] is None or seconds < 60) and (match[1] is None or minutes < 60):
            return 3600 * hours + 60 * minutes + seconds
    raise click.BadParameter(
        f"{value!r} is not a time; give seconds, such as 90.5, or 1:30.5 or 00:01:30.5", context, option
    )
