"""What holds for every command: help, errors in one line, exit codes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click
import pytest
from command_answers import Command
from face_makers import save_tiny_weights

from gclf_live.cli.app import app

COMMANDS: dict[str, click.Command] = {"": app, **app.commands}


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_help_shows_every_option(command: Command, name: str) -> None:
    answer = command(*name.split(), "--help")
    assert answer.code == 0
    assert answer.err == ""
    options = [p for p in COMMANDS[name].params if isinstance(p, click.Option)]
    missing = [o for p in options for o in (*p.opts, *p.secondary_opts) if o not in answer.out]
    assert missing == []
    assert all(p.help for p in options if p.name != "help")


def test_bare_command_shows_help(command: Command) -> None:
    answer = command()
    assert answer.code == 0
    assert "gclf-live --camera 0" in answer.out


def test_version_is_said(command: Command) -> None:
    answer = command("--version")
    assert answer.code == 0
    assert answer.out.startswith("gclf-live, version ")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--no-such-option",),
        ("no-such-command",),
        ("annotate",),
        ("annotate", "a.mp4"),
        ("annotate", "a.mp4", "-o", "b.mp4", "--crf", "99"),
        ("annotate", "a.mp4", "-o", "b.mp4", "--preset", "sometimes"),
        ("annotate", "a.mp4", "b.mp4", "-o", "c.mp4"),
        ("annotate", "a.mp4", "b.mp4", "-o", "c/", "--tracks", "t.csv"),
        ("annotate", "a.jpg", "-o", "c.jpg", "--faces", "t.csv"),
        ("annotate", "a.mp4", "-o", "c.mp4", "--tracks", "t.xlsx"),
        ("annotate", "a.mp4", "-o", "c.mp4", "--tracks", "t.csv", "--faces", "./t.csv"),
        ("predict", "--threshold", "2", "a.jpg"),
        ("predict", "--device", "tpu", "a.jpg"),
        ("--camera", "0", "--source", "a.mp4"),
        ("--camera", "front"),
        ("--source", "gopher://x/y"),
        ("--source", ""),
        ("--max-latency", "1", "--camera", "0"),
        ("--record", "a.mp4"),
        ("--camera", "0", "predict", "a.jpg"),
    ],
    ids=" ".join,
)
def test_wrong_usage_is_one_line_and_exit_code_2(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    answer = command(*arguments)
    assert answer.code == 2
    assert answer.error
    assert answer.out == ""
    assert list(tmp_path.iterdir()) == []


def _no_file(folder: Path) -> Path:
    return folder / "none.safetensors"


def _text(folder: Path) -> Path:
    path = folder / "text.safetensors"
    path.write_text("these are no weights")
    return path


def _cut(folder: Path) -> Path:
    path = save_tiny_weights(folder / "cut.safetensors")
    path.write_bytes(path.read_bytes()[:100_000])
    return path


def _wrong_suffix(folder: Path) -> Path:
    path = folder / "weights.txt"
    path.write_text("")
    return path


@pytest.mark.parametrize("make", [_no_file, _text, _cut, _wrong_suffix])
def test_unusable_checkpoint_is_one_line(
    command: Command, tmp_path: Path, make: Callable[[Path], Path]
) -> None:
    weights = make(tmp_path)
    answer = command("predict", "--device", "cpu", "--weights", weights, "a.jpg")
    assert answer.code == 1
    assert weights.name in answer.error


def test_checkpoint_with_other_classes_names_them(command: Command, tmp_path: Path) -> None:
    weights = save_tiny_weights(tmp_path / "three.safetensors", ("cat", "dog", "owl"))
    answer = command(
        *("predict", "--device", "cpu", "--threshold", "0", "--json", "--weights", weights),
        Path(__file__).parents[2] / "samples" / "portraits" / "collins.jpg",
    )
    assert answer.code == 0
    (picture,) = answer.document["pictures"]
    (face,) = picture["faces"]
    assert face["label"] in {"cat", "dog", "owl"}
    assert face["p_cat"] + face["p_dog"] + face["p_owl"] == pytest.approx(1, abs=0.001)


def test_device_that_is_not_there_names_those_that_are(command: Command, weights: Path) -> None:
    answer = command("predict", "--device", "cuda:99", "--weights", weights, "a.jpg")
    assert answer.code == 1
    assert "there is cpu" in answer.error


def test_name_that_is_too_long_for_the_system_is_one_line(command: Command, weights: Path) -> None:
    long = "x" * 5000 + ".mp4"
    assert command("--source", long).code == 1
    answer = command("annotate", long, "-o", "out.mp4", "--device", "cpu", "--weights", weights)
    assert answer.code == 1
    assert "Traceback" not in answer.err


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        (
            "talk.mp4",
            "To watch a video, add --source before it; for a copy: gclf-live annotate FILE -o OUT.mp4",
        ),
        ("Photo.JPG", "For the labels of a picture: gclf-live predict FILE"),
        ("rtsp://camera/1", "To watch a stream, add --source before it"),
        ("/", "For a folder: gclf-live annotate FOLDER --out-dir DIR"),
    ],
)
def test_file_where_a_command_belongs_is_told_what_takes_it(command: Command, text: str, hint: str) -> None:
    answer = command(text)
    assert answer.code == 2
    assert f"no such command: {text!r}. {hint}" in answer.error


def test_password_of_a_stream_where_a_command_belongs_is_not_shown(command: Command) -> None:
    assert "secret" not in command("rtsp://me:secret@camera/1").err


def test_word_that_is_no_command_gets_no_such_hint(command: Command) -> None:
    answer = command("watch")
    assert answer.code == 2
    assert "'watch'" in answer.error
    assert "add --source" not in answer.error
