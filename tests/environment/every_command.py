"""Every command once, on files with difficult names: ``python every_command.py SAMPLES FOLDER``.

Needs nothing but gclf-live, so that it runs in whatever environment is to be tried: another Python, the
oldest packages, a bare locale, a user who may write nowhere but FOLDER. It prints one line of JSON a
command, and ends with 1 if one did not do what it should.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import traceback
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any


def _name(text: str) -> str:
    """A name whose bytes on the disk are UTF-8, as Python sees it here: with surrogates in locale C."""
    return os.fsdecode(text.encode())


FOLDERS = tuple(
    map(_name, ("a b", 'it\'s "quoted"', "two\nlines", "Übung 你好 🎬", "%s {0} $HOME ; *?[x] #1 & ~", "-o"))
)
"""One folder inside the other: every file lies below all of them."""
STEM = _name("é 'x' \"y\"\nz")
"""How files are called."""
COMMANDS = (
    *("help", "doctor", "predict", "annotate", "archive", "report", "audit"),
    *("train", "evaluate", "export"),
)
WOMEN, MEN = ("collins", "hopper"), ("obama", "biden")


class Commands:
    """The commands, run in this process on files below ``folder``."""

    def __init__(self, samples: Path, folder: Path) -> None:
        self.failed = 0
        self._samples = samples
        real = folder / "real"
        self._folder = real.joinpath(*FOLDERS)
        self._folder.mkdir(parents=True)
        # Relative, and through a link.
        (folder / "link").symlink_to(real, target_is_directory=True)
        os.chdir(folder)
        self._given = Path("link").joinpath(*FOLDERS)

    def all(self, *, skip: Sequence[str] = ()) -> None:
        """Run them all but ``skip``, each on what those before it have left."""
        for name in COMMANDS:
            if name in skip:
                continue
            try:
                getattr(self, f"_{name}")()
                told = {"command": name, "ok": True}
            except Exception:
                self.failed += 1
                told = {"command": name, "ok": False, "why": traceback.format_exc()[-2000:]}
            print(json.dumps(told), flush=True)

    def _help(self) -> None:
        from gclf_live.cli.app import app

        for name in app.commands:
            assert f"gclf-live {name} [OPTIONS]" in self._run(name, "--help", is_json=False)

    def _doctor(self) -> None:
        found = self._run("doctor", "--json")
        assert found["usable"], found["problems"]
        assert self._run("doctor", is_json=False)

    def _predict(self) -> None:
        picture = self._put(f"{STEM}.jpg", "portraits/obama.jpg")
        answer = self._run("predict", picture, "--json")["pictures"][0]
        assert answer["faces"][0]["label"] == "male", answer
        # A name that is no UTF-8 here must still be told in UTF-8.
        assert answer["path"] == os.fsencode(picture).decode(), answer
        assert "Male" in self._run("predict", picture, is_json=False)
        assert len(self._run("predict", picture.parent, "--json")["pictures"]) == 1

    def _annotate(self) -> None:
        clip = self._put(f"{STEM}.mp4", "clip.mp4")
        outputs = {
            "-o": f"out {STEM}.mp4",
            "--tracks": f"{STEM}.csv",
            "--faces": f"{STEM}.jsonl",
            "--subtitles": f"{STEM}.srt",
            "--report": f"{STEM}.html",
            "--result": f"{STEM}.result.json",
        }
        options = [part for name, file in outputs.items() for part in (name, self._given / file)]
        self._run("annotate", clip, *options, "--to", "1", "--every", "0.2", "--json")
        for file in outputs.values():
            assert (self._folder / file).stat().st_size > 0, file
        (self._folder / f"{STEM}.html").read_text("utf-8")

    def _archive(self) -> None:
        videos = self._given / _name("videos 视频")
        videos.mkdir()
        shutil.copy(self._samples / "clip.mp4", videos / f"{STEM}.mp4")
        arguments = ("annotate", videos, "--out-dir", self._given / "measured", "--no-video", "--to", "1")
        self._run(*arguments, is_json=False)
        assert list((self._folder / "measured").rglob("*.result.json"))

    def _report(self) -> None:
        self._run(
            "report", self._given / f"{STEM}.result.json", "-o", self._given / _name("all é.html"), "--json"
        )
        assert "<html" in (self._folder / _name("all é.html")).read_text("utf-8")

    def _audit(self) -> None:
        answers = self._given / f"{STEM} answers.jsonl"
        arguments = (
            "audit",
            self._given / f"{STEM}.result.json",
            "-n",
            "2",
            "--answers",
            answers,
            "--no-window",
        )
        with _typed("f\nm\n"):
            self._run(*arguments, is_json=False)
        assert self._run(*arguments, "--summary", "--json")["answered"] == 2

    def _train(self) -> None:
        data = self._given / "data"
        for split in ("train", "val"):
            for name, people in (("female", WOMEN), ("male", MEN)):
                for person in people:
                    self._put(f"data/{split}/{name}/{person} {STEM}.jpg", f"portraits/{person}.jpg")
        small = ("--epochs", "1", "--batch-size", "4", "--image-size", "32", "--device", "cpu")
        self._run("train", data, "-o", self._given / "run", *small, "--pth", "--json")
        assert (self._folder / "run" / "checkpoint.safetensors").stat().st_size > 0

    def _evaluate(self) -> None:
        arguments = (
            "--weights",
            self._given / "run" / "checkpoint.safetensors",
            "--faces",
            "whole",
            "--json",
        )
        found = self._run(
            "evaluate", self._given / "data/val", "-o", self._given / _name("page é"), *arguments
        )
        assert found["count"] == 4, found

    def _export(self) -> None:
        weights = self._given / "run" / "checkpoint.safetensors"
        self._run("export", "--weights", weights, "-o", self._given / f"{STEM}.onnx", is_json=False)
        assert (self._folder / f"{STEM}.onnx").stat().st_size > 0

    def _put(self, name: str, sample: str) -> Path:
        """A copy of a sample; the path as it is given to a command."""
        target = self._given / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(self._samples / sample, target)
        return target

    def _run(self, *arguments: object, is_json: bool = True) -> Any:
        """What a command prints on standard output, read as JSON unless told otherwise."""
        from gclf_live.cli.running import run

        errors = sys.stderr = _errors_like(sys.__stderr__)
        output = sys.stdout = _errors_like(sys.__stdout__)
        try:
            code = run([str(argument) for argument in arguments])
        finally:
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
        told = _text(errors)
        assert code == 0, f"{arguments}: {code}\n{told}"
        assert "Traceback" not in told, told
        # Nor a library's complaint about what a user need not know.
        assert "Warning" not in told, told
        assert "MPLCONFIGDIR" not in told, told
        return json.loads(_text(output)) if is_json else _text(output)


def _errors_like(stream: Any) -> io.TextIOWrapper:
    """A stream in memory with the encoding and the error handling of a real one."""
    return io.TextIOWrapper(io.BytesIO(), stream.encoding, stream.errors, write_through=True)


def _text(stream: io.TextIOWrapper) -> str:
    buffer = stream.buffer
    assert isinstance(buffer, io.BytesIO)
    return buffer.getvalue().decode("utf-8")


@contextlib.contextmanager
def _typed(text: str) -> Iterator[None]:
    sys.stdin = io.StringIO(text)
    try:
        yield
    finally:
        sys.stdin = sys.__stdin__


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("samples", type=Path)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--skip", action="append", default=[])
    given = parser.parse_args()
    commands = Commands(given.samples.resolve(), given.folder.resolve())
    commands.all(skip=given.skip)
    sys.exit(1 if commands.failed else 0)


if __name__ == "__main__":
    main()
