"""``gclf-live predict``: label pictures."""

from __future__ import annotations

import io
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click

from gclf_live.cli.options import (
    choose_threshold,
    json_option,
    load_classifier,
    model_options,
    print_json,
    say,
    say_failures,
)
from gclf_live.errors import ExitCode, GclfError, SourceError

if TYPE_CHECKING:
    from gclf_live.pipeline.pictures import PictureLabeller
    from gclf_live.records import FrameResult

_PROMPT = "Picture (empty line to end): "


@click.command()
@click.argument("pictures", nargs=-1, metavar="[PICTURE]...")
@model_options
@json_option
def predict(
    pictures: tuple[str, ...],
    weights: Path | None,
    device: str,
    threshold: float | None,
    max_error: float | None,
    as_json: bool,
) -> int:
    """Say how the faces of pictures are perceived.

    PICTURE is a picture file or a folder of them. Without any, asks for one path after another until
    an empty line; quotes, ~ and paths dropped onto the terminal are understood.
    """
    from gclf_live.pipeline.pictures import PictureLabeller

    classifier = load_classifier(weights, device)
    labeller = PictureLabeller(classifier, threshold=choose_threshold(classifier, threshold, max_error))
    if not pictures:
        return _ask(labeller, as_json=as_json)
    entries, failed = _label_all(labeller, pictures, as_json=as_json)
    if as_json:
        _print_document(entries)
    say_failures(failed, failed + len(entries))
    if failed:
        return ExitCode.SOME_FAILED if entries else ExitCode.FAILED
    return ExitCode.DONE


def _ask(labeller: PictureLabeller, *, as_json: bool) -> int:
    """The original notebook's loop: a path, an answer, until an empty line or the end of input."""
    if isinstance(sys.stdin, io.TextIOWrapper):
        sys.stdin.reconfigure(errors="surrogateescape")  # as names of files are held
    entries: list[dict[str, object]] = []
    while text := _read_line():
        entries += _label_all(labeller, (str(typed_path(text)),), as_json=as_json)[0]
    if as_json:
        _print_document(entries)
    return ExitCode.DONE


def _label_all(
    labeller: PictureLabeller, texts: tuple[str, ...], *, as_json: bool
) -> tuple[list[dict[str, object]], int]:
    """Label pictures and folders of them, telling each answer; the JSON entries, and how many failed."""
    entries: list[dict[str, object]] = []
    failed = 0
    for path, shown in _expand(texts):
        try:
            entry, line = _label(labeller, path, shown)
        except GclfError as error:
            say(str(error))
            failed += 1
            continue
        entries.append(entry)
        if not as_json:
            click.echo(line)
    return entries, failed


def _read_line() -> str:
    """One line without its white space; empty at the end of input, and where it is closed.

    The prompt goes to standard error.
    """
    click.echo(_PROMPT, nl=False, err=True)
    line = sys.stdin.readline() if sys.stdin is not None else ""
    if not line.endswith("\n"):  # nobody pressed Enter: what comes next would stand behind the prompt
        click.echo(err=True)
    return line.strip()


def typed_path(text: str) -> Path:
    """The path that a person meant who typed it, pasted it, or dropped a file onto the terminal.

    Understands quotes around it, ``\\ `` for a space, ``file://`` and ``~``. A path that exists as it
    stands is taken as it stands.
    """
    if _exists(text):
        return Path(text)
    try:
        parts = shlex.split(text)
    except ValueError:  # an apostrophe in a name
        parts = []
    plain = parts[0] if len(parts) == 1 else text.strip("'\"")
    if plain.startswith("file://"):
        return Path(unquote(urlsplit(plain).path))
    try:
        return Path(plain).expanduser()
    except RuntimeError:  # ~name of somebody who is not there
        return Path(plain)


def _exists(text: str) -> bool:
    try:
        return Path(text).exists()
    except OSError:  # too long for a name
        return False


def _expand(texts: tuple[str, ...]) -> Iterator[tuple[Path, str]]:
    """Every picture that was asked for, and how to call it; a folder stands for the pictures in it."""
    for text in texts:
        inside = _inside(Path(text)) if _exists(text) else []
        if inside:
            yield from ((entry, str(entry)) for entry in inside)
        else:
            yield Path(text), text


def _inside(folder: Path) -> list[Path]:
    """The pictures of a folder, by name; none where it is no folder, or cannot be looked into."""
    from gclf_live.media.pictures import PICTURE_SUFFIXES

    try:
        return sorted(p for p in folder.iterdir() if p.suffix.lower() in PICTURE_SUFFIXES and p.is_file())
    except OSError:
        return []


def _label(labeller: PictureLabeller, path: Path, shown: str) -> tuple[dict[str, object], str]:
    """The JSON entry of one picture, and its line for a person."""
    from gclf_live.media.pictures import read_picture
    from gclf_live.output.picture_json import picture_entry
    from gclf_live.pipeline.jobs import VIDEO_SUFFIXES

    if _exists(shown) and path.is_dir():
        raise SourceError(f"no pictures in the folder {shown!r}; give picture files or a folder with some")
    try:
        image = read_picture(path)
    except SourceError as error:
        if path.suffix.lower() in VIDEO_SUFFIXES and path.is_file():
            raise SourceError(f"{error}; for a video there is gclf-live annotate") from error
        raise
    result = labeller.label(image)
    entry = picture_entry(shown, width_px=image.shape[1], height_px=image.shape[0], result=result)
    return entry, f"{shown}: {describe(result)}"


def describe(result: FrameResult) -> str:
    """``Female (97 %)``, several faces from left to right, or ``no face found``."""
    if not len(result.tracks):
        return "no face found"
    from gclf_live.output.rows import whole_percent

    classes = result.predictions.classes
    answers = [
        f"{label.capitalize() if label in classes else label} ({whole_percent(confidence)} %)"
        for label, confidence in zip(result.labels, result.predictions.confidences.tolist(), strict=True)
    ]
    order = result.tracks.faces.boxes[:, 0].argsort().tolist()
    listed = ", ".join(answers[i] for i in order)
    return listed if len(answers) == 1 else f"{len(answers)} faces, from the left: {listed}"


def _print_document(entries: list[dict[str, object]]) -> None:
    from gclf_live.output.picture_json import pictures_document

    print_json(pictures_document(entries))
