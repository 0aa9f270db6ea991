"""Commands of ``gclf-live`` that are stopped while they work, and what each leaves when nobody stops it."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import click
from PIL import Image

from benchmarks.crowd import Crowd, CrowdStage, write_crowd
from benchmarks.kills import journal
from benchmarks.memory import repeat_clip
from benchmarks.stop_running import Running

_PORTRAITS = Path(__file__).parent.parent / "samples" / "portraits"
_PEOPLE = {"female": ("collins", "hopper"), "male": ("biden", "obama")}
_HIDDEN = ".gclf-live-*"


@dataclass(frozen=True, slots=True)
class Scene:
    """What the commands work on.

    Attributes:
        folder: where it all is.
        clip: a video with faces and sound.
        long: the same, several times in a row.
        clips: a folder with it and a shorter one.
        data: pictures to train on.
        result: what was measured of a video.
    """

    folder: Path
    clip: Path
    long: Path
    clips: Path
    data: Path
    result: Path


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: in the table.
        arguments: its command line, given what there is to work on and the folder for its outputs.
        at_work: whether a run into this folder, with what it has said so far, is in the middle of its work.
        again: further options with which the next run may go on, or begin again.
        repeats: two runs give the same.
        writes: it writes files.
    """

    name: str
    arguments: Callable[[Scene, Path], list[object]]
    at_work: Callable[[Path, str], bool]
    again: tuple[str, ...] = ("--overwrite",)
    repeats: bool = True
    writes: bool = True


def hidden_files(folder: Path) -> list[Path]:
    """What is not whole yet, or was left so; work of an archive, which the next run takes up, is none."""
    return [path for path in folder.rglob(_HIDDEN) if path.is_file()]


def _hidden_bytes(folder: Path) -> int:
    sizes = [0]
    for path in hidden_files(folder):
        with contextlib.suppress(OSError):
            sizes.append(path.stat().st_size)
    return max(sizes)


_ANNOTATE = Command(
    "annotate",
    lambda scene, out: [
        *("annotate", scene.clip, "-o", out / "out.mp4", "--tracks", out / "tracks.csv"),
        *("--result", out / "result.json", "--device", "cpu"),
    ],
    lambda out, said: _hidden_bytes(out) > 20_000,
)
_ARCHIVE = Command(
    "archive",
    lambda scene, out: ["annotate", scene.clips, "--out-dir", out, "--device", "cpu"],
    lambda out, said: any(event.get("event") == "saved" for event in journal(out)),
    again=(),
)
_LIVE = Command(
    "live --record",
    lambda scene, out: [
        *("--source", scene.long, "--no-window", "--record", out / "live.mp4", "--device", "cpu"),
        *("--seconds", 10),
    ],
    lambda out, said: _hidden_bytes(out) > 1_000,  # the encoder looks 40 pictures ahead before it writes
    repeats=False,
)
_PREDICT = Command(
    "predict",
    lambda scene, out: ["predict", *[_PORTRAITS] * 40, "--device", "cpu"],
    lambda out, said: ".jpg: " in said,
    again=(),
    writes=False,
)
_TRAIN = Command(
    "train",
    lambda scene, out: [
        *("train", scene.data, "-o", out, "--epochs", 4, "--batch-size", 8, "--image-size", 32),
        *("--device", "cpu", "--precision", "fp32"),
    ],
    lambda out, said: (out / "last.pt").is_file(),
    again=("--resume",),
)
_EVALUATE = Command(
    "evaluate",
    lambda scene, out: ["evaluate", scene.data / "val", "-o", out, "--device", "cpu"],
    lambda out, said: "cpu: " in said,
)
_EXPORT = Command(
    "export",
    lambda scene, out: ["export", "-o", out / "model.onnx"],
    lambda out, said: True,
    repeats=False,
)
_REPORT = Command(
    "report",
    lambda scene, out: ["report", scene.result, "-o", out / "report.html"],
    lambda out, said: True,
    repeats=False,
)
_SERVE = Command(
    "serve",
    lambda scene, out: ["serve", "--port", 0, "--device", "cpu"],
    lambda out, said: "serving on" in said,
    again=(),
    writes=False,
)
COMMANDS = {
    each.name.split()[0]: each
    for each in (_ANNOTATE, _ARCHIVE, _LIVE, _PREDICT, _TRAIN, _EVALUATE, _EXPORT, _REPORT, _SERVE)
}


def make_scene(folder: Path, *, measured: bool) -> Scene:
    """Make what the commands work on; ``measured`` adds the result that a report is made of."""
    clips = folder / "clips"
    clips.mkdir()
    for name, seconds in (("a", 6.0), ("b", 2.0)):
        crowd = Crowd(2, seconds=seconds, width_px=640, height_px=360)
        write_crowd(clips / f"{name}.mp4", CrowdStage(crowd))
    repeat_clip(clips / "a.mp4", folder / "long.mp4", times=5)
    scene = Scene(
        folder,
        clips / "a.mp4",
        folder / "long.mp4",
        clips,
        _pictures(folder / "data"),
        folder / "result.json",
    )
    if measured:
        _measure(scene)
    return scene


def _measure(scene: Scene) -> None:
    """Measure the clip."""
    with Running(
        [*("annotate", scene.clip, "--no-video", "--result", scene.result, "--device", "cpu")],
        scene.folder / "log",
    ) as running:
        if running.wait():
            raise click.ClickException(running.said())


def _pictures(root: Path) -> Path:
    """A few pictures of each class to train on and to evaluate with."""
    for split in ("train", "val"):
        for label, people in _PEOPLE.items():
            (root / split / label).mkdir(parents=True)
            for person in people:
                with Image.open(_PORTRAITS / f"{person}.jpg") as picture:
                    picture.thumbnail((160, 160))
                    for i in range(6):
                        part = picture.crop((i, i, picture.width - i, picture.height - i)).convert("RGB")
                        part.save(root / split / label / f"{person}-{i}.png")
    return root
