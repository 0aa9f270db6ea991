"""``--max-error``: the threshold out of the checkpoint's own table, in every command that labels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from command_answers import Answer, Command
from face_makers import PORTRAITS, Face, scene
from media_makers import make_video

from gclf_live.cli.options import choose_threshold
from gclf_live.model.checkpoint import ErrorAtThreshold, load_checkpoint, save_checkpoint
from gclf_live.model.classifier import Classifier

PICTURE = PORTRAITS / "collins.jpg"


def _with_table(weights: Path, path: Path, *rows: ErrorAtThreshold) -> Path:
    loaded = load_checkpoint(weights)
    save_checkpoint(path, replace(loaded, meta=replace(loaded.meta, error_table=rows)))
    return path


@pytest.fixture(scope="module")
def tabled(weights: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that is wrong in 20 % of all labels, and in 1 % of 400 and 0 % of 10 surer ones."""
    return _with_table(
        weights,
        tmp_path_factory.mktemp("tabled") / "tabled.safetensors",
        ErrorAtThreshold(0.5, 1.0, 0.2, 1000),
        ErrorAtThreshold(0.9999, 0.4, 0.01, 400),
        ErrorAtThreshold(1.0, 0.01, 0.0, 10),
    )


def _predict(command: Command, weights: Path, *options: object) -> Answer:
    return command("predict", "--device", "cpu", "--weights", weights, *options, PICTURE)


def test_threshold_comes_from_the_table_and_is_said(command: Command, tabled: Path) -> None:
    loose = _predict(command, tabled, "--max-error", "0.25")
    assert "gclf-live: threshold 0.5: at most 25 % of the labels wrong" in loose.err
    assert "with 95 % confidence" in loose.err
    strict = _predict(command, tabled, "--max-error", "0.05")
    assert "threshold 0.9999: at most 5 %" in strict.err


def test_chosen_threshold_decides_who_is_unsure(command: Command, tabled: Path) -> None:
    assert "unsure" not in _predict(command, tabled, "--max-error", "0.25").out
    assert "unsure" in _predict(command, tabled, "--max-error", "0.05").out


def test_table_without_counts_is_not_said_to_be_more_than_it_is(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    old = _with_table(weights, tmp_path / "old.safetensors", ErrorAtThreshold(0.6, 0.9, 0.02))
    answer = _predict(command, old, "--max-error", "0.02")
    assert "threshold 0.6: at most 2 %" in answer.err
    assert "confidence" not in answer.err


def test_video_and_live_take_it_too(command: Command, tabled: Path, tmp_path: Path) -> None:
    clip = make_video(tmp_path / "v.mp4", images=[scene(Face("collins", 160, 120, 90))] * 4, fps=16)
    options = ("--device", "cpu", "--weights", tabled, "--max-error", "0.05")
    annotated = command("annotate", clip, "-o", tmp_path / "o.mp4", *options)
    live = command("--source", clip, "--no-window", *options)
    assert (annotated.code, live.code) == (0, 0)
    assert "threshold 0.9999: " in annotated.err
    assert "threshold 0.9999: " in live.err


def test_error_that_no_threshold_reaches_names_the_smallest(command: Command, tabled: Path) -> None:
    refused = _predict(command, tabled, "--max-error", "0.001")
    assert refused.code == 1
    last = refused.err.splitlines()[-1]
    assert "no threshold of this checkpoint keeps the error at 0.001" in last
    smallest = last.split("vouch for is ")[1].split(". Ask")[0]
    assert _predict(command, tabled, "--max-error", smallest).code == 0


def test_checkpoint_without_a_table_points_to_the_threshold(command: Command, weights: Path) -> None:
    answer = _predict(command, weights, "--max-error", "0.05")
    assert answer.code == 1
    assert "no table" in answer.err
    assert "--threshold P" in answer.err
    assert answer.out == ""


def test_shipped_checkpoint_has_a_table(command: Command) -> None:
    answer = command("predict", "--device", "cpu", "--max-error", "0.03", PICTURE)
    assert answer.code == 0
    assert "threshold 0." in answer.err


@pytest.mark.parametrize(
    "options",
    [
        ("--max-error", "0.05", "--threshold", "0.9"),
        ("--threshold", "0.9", "--max-error", "0.05"),
        ("--max-error", "0.6"),
        ("--max-error", "-0.1"),
        ("--max-error", "nan"),
        ("--threshold", "nan"),
    ],
    ids=" ".join,
)
@pytest.mark.parametrize(
    "command_line", [("predict", "a.jpg"), ("annotate", "a.mp4", "-o", "b.mp4"), ("--source", "a.mp4")]
)
def test_both_options_or_a_share_out_of_range_is_wrong_usage(
    command: Command, options: tuple[str, ...], command_line: tuple[str, ...]
) -> None:
    answer = command(*command_line, *options)
    assert answer.code == 2
    assert "--max-error" in answer.error or "--threshold" in answer.error


def test_without_max_error_the_threshold_is_as_given_or_the_default(
    weights: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    classifier = Classifier.load(weights, device="cpu")
    assert choose_threshold(classifier, None, None) == 0.8
    assert choose_threshold(classifier, 0.0, None) == 0.0
    assert capsys.readouterr() == ("", "")
