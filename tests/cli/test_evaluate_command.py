"""``evaluate``: what it prints, writes, and says of input that it cannot use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_answers import Answer, Command
from face_makers import Face, save_tiny_weights, scene

from gclf_live.media.pictures import write_picture
from gclf_live.model.checkpoint import load_checkpoint, save_checkpoint

Evaluate = Callable[..., Answer]


@pytest.fixture
def evaluate(command: Command, weights: Path) -> Evaluate:
    """Run ``evaluate`` with weights that mean nothing."""

    def call(*arguments: object) -> Answer:
        return command("evaluate", "--device", "cpu", "--weights", weights, *arguments)

    return call


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two faces a class, ``collins`` and ``obama``."""
    for label in ("female", "male"):
        (tmp_path / "data" / label).mkdir(parents=True)
        for name in ("collins", "obama"):
            write_picture(tmp_path / "data" / label / f"{name}.png", scene(Face(name, 160, 120, 100)))
    return tmp_path / "data"


def _plain(path: Path) -> None:
    write_picture(path, np.full((90, 90, 3), 120, np.uint8))


def _told(answer: Answer) -> list[str]:
    """Lines on standard error but for the one on the device."""
    return [line for line in answer.err.splitlines() if "cpu: " not in line]


def test_document_counts_every_picture(evaluate: Evaluate, data: Path) -> None:
    _plain(data / "male" / "plain.png")
    answer = evaluate("--json", data)
    assert answer.code == 0
    document = answer.document
    # The two folders hold the same pictures: one of the two labels is wrong for each.
    assert (document["count"], document["accuracy"], document["balanced_accuracy"]) == (4, 0.5, 0.5)
    assert np.array(document["confusion"]).sum() == 4
    assert document["missing"] == ["male/plain.png"]
    assert document["unreadable"] == []
    assert document["decided"]["threshold"] == 0.8
    assert _told(answer) == []


def test_lines_are_for_people(evaluate: Evaluate, data: Path) -> None:
    answer = evaluate("--threshold", "0", data)
    assert answer.code == 0
    assert answer.out.splitlines()[1].startswith("all ")
    assert "labelled            100.00 %" in answer.out


def test_whole_pictures_are_classified_without_a_face(evaluate: Evaluate, data: Path) -> None:
    _plain(data / "male" / "plain.png")
    document = evaluate("--json", "--faces", "whole", data).document
    assert (document["count"], document["missing"]) == (5, [])
    assert list(document["groups"]) == ["label"]


def test_unreadable_picture_is_listed_and_exit_code_3(evaluate: Evaluate, data: Path) -> None:
    (data / "female" / "broken.jpg").write_bytes(b"no picture")
    answer = evaluate("--json", data)
    assert answer.code == 3
    assert answer.document["count"] == 4
    (entry,) = answer.document["unreadable"]
    assert entry["file"] == "female/broken.jpg"
    assert "no picture in a known format" in entry["reason"]


def test_groups_come_from_the_table(evaluate: Evaluate, data: Path, tmp_path: Path) -> None:
    table = tmp_path / "groups.csv"
    table.write_text("file,age,source\ndata/male/obama.png,61,web\ndata/female/collins.png,9,scan\n")
    answer = evaluate("--json", "--groups", table, data)
    assert answer.code == 0
    groups = answer.document["groups"]
    assert (
        list(groups)
        == ["label", "age", "adults", "age x label", "source", "source (adults)", "face_height_px"][
            : len(groups)
        ]
    )
    assert {value: scores["count"] for value, scores in groups["age"].items()} == {"00-12": 1, "60+": 1}
    assert list(groups["adults"]) == ["18 and older", "under 18"]
    assert any("no row for 2 of 4 pictures" in line for line in _told(answer))


def test_table_is_read_before_the_pictures(evaluate: Evaluate, data: Path, tmp_path: Path) -> None:
    for path in data.rglob("*.png"):
        path.write_bytes(b"no picture")
    table = tmp_path / "groups.csv"
    table.write_text("name,age\n1,2\n")
    answer = evaluate("--groups", table, data)
    assert answer.code == 2
    assert "column" in _told(answer)[0]


def test_extra_folder_is_said_to_be_ignored(evaluate: Evaluate, data: Path) -> None:
    (data / "child").mkdir()
    answer = evaluate("--json", data)
    assert answer.code == 0
    (line,) = _told(answer)
    assert line.startswith("gclf-live: ignored")
    assert "child" in line


@pytest.mark.parametrize("wrong", ["none", "data/female", "empty class"])
def test_folder_that_does_not_fit_is_one_line(evaluate: Evaluate, data: Path, wrong: str) -> None:
    folder = {"none": data / "none", "data/female": data / "female"}.get(wrong, data)
    if wrong == "empty class":
        for path in (data / "male").iterdir():
            path.unlink()
    answer = evaluate(folder)
    assert (answer.code, answer.out) == (1, "")
    (line,) = _told(answer)
    assert line.startswith("gclf-live: ")
    assert str(folder) in line


def test_report_is_written_to_a_folder(evaluate: Evaluate, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    answer = evaluate("-o", out, data)
    assert answer.code == 0
    assert {path.name for path in out.iterdir()} == {
        *("index.html", "evaluation.json", "predictions.csv", "mistakes.jpg")
    }
    assert "tiny.safetensors on data" in (out / "index.html").read_text("utf-8")
    assert "index.html" in _told(answer)[0]


def test_folder_in_use_is_refused_before_any_work(evaluate: Evaluate, data: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "notes.txt").write_text("mine")
    answer = evaluate("-o", tmp_path / "out", tmp_path / "no such data", "--overwrite")
    assert answer.code == 1
    assert "notes.txt" in answer.error


def test_three_classes_are_measured(command: Command, tmp_path: Path) -> None:
    classes = ("cat", "dog", "owl")
    weights = save_tiny_weights(tmp_path / "three.safetensors", classes)
    for name in classes:
        (tmp_path / "data" / name).mkdir(parents=True)
        _plain(tmp_path / "data" / name / "1.png")
    answer = command(
        *("evaluate", "--device", "cpu", "--weights", weights, "--faces", "whole", "--json"),
        tmp_path / "data",
    )
    assert answer.code == 0
    document = answer.document
    assert document["classes"] == list(classes)
    assert document["accuracy"] == pytest.approx(1 / 3, abs=1e-4)
    assert np.array(document["confusion"]).sum(axis=1).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    ("recipe", "faces", "hinted"),
    [("readme", "detect", True), ("readme", "whole", False), ("live", "detect", False)],
)
def test_checkpoint_of_whole_pictures_gets_a_hint(
    command: Command, data: Path, tmp_path: Path, recipe: str, faces: str, hinted: bool
) -> None:
    weights = save_tiny_weights(tmp_path / "tiny.safetensors")
    checkpoint = load_checkpoint(weights)
    other = replace(checkpoint, meta=replace(checkpoint.meta, recipe=recipe))
    save_checkpoint(tmp_path / "other.safetensors", other)
    answer = command(
        *("evaluate", "--device", "cpu", "--weights", tmp_path / "other.safetensors", "--faces", faces), data
    )
    assert answer.code == 0
    assert ("--faces whole measures it" in answer.err) == hinted


def test_max_error_needs_a_table_in_the_checkpoint(evaluate: Evaluate, data: Path) -> None:
    answer = evaluate("--max-error", "0.02", data)
    assert answer.code == 1
    assert "table of errors" in _told(answer)[-1]
