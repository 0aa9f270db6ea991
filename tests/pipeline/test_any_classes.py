"""Classes of a user's own, by the way that ``docs/any-classes.md`` describes, from a table to labels."""

from __future__ import annotations

import csv
import json
import re
import runpy
import shlex
from collections.abc import Iterator
from pathlib import Path

import av
import click
import cv2
import numpy as np
import pytest
from command_answers import Command
from face_makers import Face, scene
from media_makers import make_video

from gclf_live.cli.app import app
from gclf_live.cli.running import run
from gclf_live.model.checkpoint import load_checkpoint
from gclf_live.output.overlay import label_colour

GUIDE = Path(__file__).parents[2] / "docs" / "any-classes.md"
CLASSES = ("adult", "child", "senior")
TINTS = {"child": (0.5, 0.7, 1.0), "adult": (1.0, 0.7, 0.5), "senior": (0.6, 1.0, 0.6)}
AGES = {"child": "9", "adult": "40", "senior": "71.5"}
PEOPLE = ("biden", "collins", "hopper", "obama")
COLUMNS = {f"p_{name}" for name in CLASSES}


def _blocks(language: str) -> list[str]:
    """The guide's code blocks of one language, "" for those that name none."""
    fenced = re.split(r"^```", GUIDE.read_text("utf-8"), flags=re.MULTILINE)[1::2]
    return [block.partition("\n")[2] for block in fenced if block.partition("\n")[0] == language]


def _picture(band: str, number: int) -> np.ndarray:
    return scene(Face(PEOPLE[number % 4], 150 + number, 120, height_px=110, tint=TINTS[band]))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A user's folder: ``photos/``, ``people.csv``, and what the guide's script makes of them."""
    base = tmp_path_factory.mktemp("user")
    (base / "photos").mkdir()
    with (base / "people.csv").open("w", newline="", encoding="utf-8") as handle:
        table = csv.writer(handle)
        table.writerow(("file", "age", "remark"))
        for i in range(33):
            band = ("child", "adult", "senior")[i % 3]
            cv2.imwrite(str(base / "photos" / f"{i}.png"), _picture(band, i))
            table.writerow((f"{i}.png", AGES[band], "x, y"))
    (script,) = _blocks("python")
    (base / "folders.py").write_text(script, encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(base)
        runpy.run_path("folders.py")
    return base


@pytest.fixture(scope="module")
def weights(folder: Path) -> Iterator[Path]:
    """The checkpoint of a short run on these folders."""
    code = run(
        [
            *("train", str(folder / "ages"), "--recipe", "live", "-o", str(folder / "run")),
            *("--epochs", "1", "--image-size", "32", "--batch-size", "8", "--device", "cpu"),
        ]
    )
    assert code == 0
    (folder / "run" / "last.pt").unlink()
    yield folder / "run" / "checkpoint.safetensors"
    (folder / "run" / "checkpoint.safetensors").unlink()


def _clip(path: Path) -> Path:
    """One second of one face that stands still."""
    return make_video(path, images=[_picture("senior", 2)] * 10, fps=10)


def test_script_of_the_guide_links_each_picture_into_one_class(folder: Path) -> None:
    links = sorted((folder / "ages").rglob("*.png"))
    assert len(links) == 33
    assert {path.resolve() for path in links} == set((folder / "photos").iterdir())
    assert {path.parent.name for path in links} == set(CLASSES)
    assert len(list((folder / "ages" / "val").rglob("*.png"))) == 4


def test_checkpoint_carries_the_folders_names(weights: Path) -> None:
    meta = load_checkpoint(weights).meta
    assert meta.classes == CLASSES
    assert meta.data["counts"]["train"] == {"adult": 10, "child": 9, "senior": 10}


def test_predict_answers_in_the_folders_names(command: Command, folder: Path, weights: Path) -> None:
    answer = command(
        "predict",
        folder / "photos" / "4.png",
        "--weights",
        weights,
        "--device",
        "cpu",
        "--threshold",
        0,
        "--json",
    )
    assert answer.code == 0, answer.err
    (face,) = answer.document["pictures"][0]["faces"]
    assert {name for name in face if name.startswith("p_")} == COLUMNS
    assert sum(face[name] for name in COLUMNS) == pytest.approx(1, abs=2e-3)
    assert face["label"] == max(CLASSES, key=lambda name: face[f"p_{name}"])


def test_annotate_draws_and_writes_the_folders_names(command: Command, tmp_path: Path, weights: Path) -> None:
    answer = command(
        *("annotate", _clip(tmp_path / "in.mp4"), "-o", tmp_path / "out.mp4", "--tracks", tmp_path / "t.csv"),
        *("--weights", weights, "--device", "cpu", "--threshold", 0),
    )
    assert answer.code == 0, answer.err
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as handle:
        (track,) = csv.DictReader(handle)
    assert {name for name in track if name.startswith("p_")} == COLUMNS
    assert track["label"] in CLASSES
    with av.open(tmp_path / "out.mp4") as film, av.open(tmp_path / "in.mp4") as source:
        after = next(film.decode(video=0)).to_ndarray(format="bgr24").astype(int)
        before = next(source.decode(video=0)).to_ndarray(format="bgr24").astype(int)
    drawn = np.abs(after - before).max(axis=2) > 60
    near = np.abs(after - label_colour(track["label"], CLASSES)).max(axis=2) < 60
    assert (drawn & near).sum() > 300
    for other in set(CLASSES) - {track["label"]}:
        wrong = np.abs(after - label_colour(other, CLASSES)).max(axis=2) < 60
        assert (drawn & wrong).sum() < 0.2 * (drawn & near).sum()


def test_classes_have_colours_of_their_own() -> None:
    colours = {label_colour(name, CLASSES) for name in (*CLASSES, "unsure", "female", "male")}
    assert len(colours) == 6


def test_evaluate_measures_the_folders_classes(command: Command, folder: Path, weights: Path) -> None:
    answer = command("evaluate", folder / "ages/val", "--weights", weights, "--device", "cpu", "--json")
    assert answer.code == 0, answer.err
    document = json.loads(answer.out)
    assert document["recall"].keys() == set(CLASSES)
    assert np.shape(document["confusion"]) == (3, 3)
    assert np.sum(document["confusion"]) == 4


def test_live_view_counts_the_folders_classes(command: Command, tmp_path: Path, weights: Path) -> None:
    answer = command(
        *("--source", _clip(tmp_path / "in.mp4"), "--no-window", "--weights", weights, "--device", "cpu"),
        *("--threshold", 0, "--json"),
    )
    assert answer.code == 0, answer.err
    assert set(CLASSES) & set(re.findall(r"\w+", answer.out))
    assert not {"female", "male"} & set(re.findall(r"\w+", answer.out))


def test_every_line_of_the_guide_is_a_command_that_exists() -> None:
    lines = [line for block in _blocks("") for line in block.splitlines() if line.startswith("gclf-live")]
    assert len(lines) == 8
    for line in lines:
        words = shlex.split(line)[1:]
        inner = app.commands.get(words[0], app) if isinstance(app, click.Group) else app
        known = {name for parameter in inner.params for name in parameter.opts}
        assert {word for word in words if word.startswith("-")} <= known, line
