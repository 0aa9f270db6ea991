"""``doctor``: what is found is said, what is broken is a line with a way out, and nothing crashes it."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors
import safetensors.torch
import torch
from command_answers import Command

from gclf_live.cli.doctor import report_lines
from gclf_live.errors import UsageError
from gclf_live.model.checkpoint import load_checkpoint, save_checkpoint
from gclf_live.pipeline.diagnosis import Diagnosis, Problem
from gclf_live.pipeline.doctor import Surroundings, examine

PARTS = {"versions", "ffmpeg", "devices", "codecs", "display", "cameras", "checkpoint", "frame"}

BARE = Surroundings(environ={}, cameras=list, nvidia_driver=Path("/nowhere"))
"""Neither display nor camera, wherever the tests run."""


@pytest.fixture(scope="module")
def healthy(weights: Path) -> Diagnosis:
    return examine(weights, device="cpu", surroundings=replace(BARE, cameras=lambda: [0, 2]))


def _without_weights(surroundings: Surroundings = BARE) -> Diagnosis:
    """An examination that ends before a picture is timed, which takes most of its time."""
    return examine(Path("none.safetensors"), device="cpu", surroundings=surroundings)


def _card(path: Path) -> Diagnosis:
    """An examination that reads the weights, but cannot time them: the device is not there."""
    return examine(path, device="cuda:99", surroundings=BARE)


def _of(diagnosis: Diagnosis, part: str) -> Iterator[Problem]:
    return (problem for problem in diagnosis.problems if problem.part == part)


def test_machine_without_display_is_usable(healthy: Diagnosis) -> None:
    assert set(healthy.facts) == PARTS
    assert healthy.usable
    (problem,) = healthy.problems
    assert (problem.part, problem.essential) == ("display", False)
    assert "--no-window" in problem.text


def test_drawn_face_is_found_and_timed(healthy: Diagnosis) -> None:
    frame = healthy.facts["frame"]
    assert (frame["width_px"], frame["height_px"], frame["faces"]) == (1280, 720, 1)
    assert frame["frame_ms"] > 0
    assert frame["classify_ms"] > 0


def test_versions_are_those_of_what_is_loaded(healthy: Diagnosis) -> None:
    versions = healthy.facts["versions"]
    assert versions["torch"] == torch.__version__
    assert all(versions[name] for name in ("gclf_live", "python", "torchvision", "opencv", "av"))
    assert "libavcodec" in healthy.facts["ffmpeg"]


def test_report_for_people_names_every_part(healthy: Diagnosis) -> None:
    lines = list(report_lines(healthy))
    assert {line.split(" ")[0] for line in lines} >= PARTS
    text = "\n".join(lines)
    assert "resnet18 for female, male; crops of 32 px by landmarks, margin 1.15" in text
    assert "A label is a perceived gender, how a face looks to a viewer; never an identity" in text
    assert "cameras     0, 2" in lines
    assert lines[-1].startswith("- display: ")


def test_command_prints_one_document(command: Command, weights: Path) -> None:
    answer = command("doctor", "--device", "cpu", "--weights", weights, "--json")
    assert answer.code == 0
    assert set(answer.document) == PARTS | {"usable", "problems"}
    assert answer.document["usable"] is True
    assert answer.document["checkpoint"]["file"] == str(weights)


def test_model_card_of_the_checkpoint_is_shown(weights: Path, tmp_path: Path) -> None:
    loaded = load_checkpoint(weights)
    meta = replace(
        loaded.meta,
        recipe="live",
        recipe_sha256="ab" * 32,
        data={
            "counts": {"train": {"female": 7, "male": 9}},
            "terms": "for research\nonly",
            "teacher": {"file": "teacher.csv", "known": 12},
            "init": {"file": "before.safetensors"},
        },
        validation={"accuracy": 0.91, "recall": {"female": 0.9}},
    )
    save_checkpoint(tmp_path / "m.safetensors", replace(loaded, meta=meta))
    text = "\n".join(report_lines(_card(tmp_path / "m.safetensors")))
    for words in (
        "recipe: live abababababab",
        "trained on: train (female 7, male 9)",
        "terms: for research only",
        "teacher: file teacher.csv, known 12",
        "started from: file before.safetensors",
        "validation: accuracy 0.91, recall (female 0.9)",
    ):
        assert words in text


def _cut(weights: Path, folder: Path) -> Path:
    (folder / "cut.safetensors").write_bytes(weights.read_bytes()[:100_000])
    return folder / "cut.safetensors"


def _text(weights: Path, folder: Path) -> Path:
    (folder / "text.safetensors").write_text("these are no weights")
    return folder / "text.safetensors"


def _missing(weights: Path, folder: Path) -> Path:
    return folder / "missing.safetensors"


@pytest.mark.parametrize("make", [_cut, _text, _missing, lambda weights, folder: folder])
def test_broken_checkpoint_is_an_essential_problem_among_facts(
    command: Command, weights: Path, tmp_path: Path, make: Callable[[Path, Path], Path]
) -> None:
    path = make(weights, tmp_path)
    answer = command("doctor", "--device", "cpu", "--weights", path, "--json")
    assert answer.code == 1
    assert answer.err == ""
    assert set(answer.document) == (PARTS - {"checkpoint", "frame"}) | {"usable", "problems"}
    (problem,) = (p for p in answer.document["problems"] if p["essential"])
    assert problem["part"] == "checkpoint"
    assert str(path) in problem["text"]
    assert "--weights FILE" in problem["text"]


def test_figures_that_json_cannot_say_become_null(weights: Path, tmp_path: Path) -> None:
    with safetensors.safe_open(str(weights), "pt") as file:
        document = json.loads(file.metadata()["gclf_live"])
    document |= {
        "validation": {"ece": float("nan")},
        "recipe_sha256": 5,
        "recipe": None,
        "data": {"counts": 5},
    }
    path = tmp_path / "m.safetensors"
    safetensors.torch.save_file(
        safetensors.torch.load_file(weights), path, {"gclf_live": json.dumps(document)}
    )
    diagnosis = _card(path)
    assert not list(_of(diagnosis, "checkpoint"))
    assert diagnosis.facts["checkpoint"]["validation"] == {"ece": None}
    assert any("trained on: 5" in line for line in report_lines(diagnosis))


def test_device_that_is_not_there_is_essential(command: Command, weights: Path) -> None:
    answer = command("doctor", "--device", "cuda:99", "--weights", weights)
    assert answer.code == 1
    assert "- devices: no device 'cuda:99'; there is cpu" in answer.out
    assert "[essential]" in answer.out


def test_device_of_no_kind_is_wrong_usage(command: Command) -> None:
    answer = command("doctor", "--device", "tpu")
    assert answer.code == 2
    assert "tpu" in answer.error
    with pytest.raises(UsageError):
        examine(device="tpu", surroundings=BARE)


def test_no_camera_points_to_files() -> None:
    (problem,) = _of(_without_weights(), "cameras")
    assert "--source" in problem.text
    assert not problem.essential


def test_camera_system_that_breaks_is_told_and_the_rest_goes_on() -> None:
    def broken() -> list[int]:
        raise RuntimeError("driver\nlost")

    diagnosis = _without_weights(replace(BARE, cameras=broken))
    (problem,) = _of(diagnosis, "cameras")
    assert problem.text.startswith("RuntimeError: driver lost; ")
    assert not problem.essential
    assert "cameras" not in diagnosis.facts
    assert "codecs" in diagnosis.facts
    assert list(report_lines(diagnosis))


@pytest.mark.parametrize(("missing", "essential"), [("libx264", True), ("aac", False)])
def test_missing_codec_matters_as_much_as_it_does(missing: str, essential: bool) -> None:
    diagnosis = _without_weights(replace(BARE, has_codec=lambda name, mode: name != missing or mode != "w"))
    (problem,) = _of(diagnosis, "codecs")
    assert problem.essential is essential
    assert "encoder" in problem.text
    assert "pip install" in problem.text
    assert any(" NO" in line for line in report_lines(diagnosis) if line.startswith("codecs"))


def test_this_machine_has_the_codecs_and_not_those_of_no_name() -> None:
    has = Surroundings().has_codec
    assert has("libx264", "w")
    assert not has("libx264", "r")
    assert not has("no-such-codec", "r")


def test_driver_that_torch_cannot_use_is_told(tmp_path: Path) -> None:
    (tmp_path / "version").touch()
    diagnosis = _without_weights(replace(BARE, nvidia_driver=tmp_path / "version"))
    told = [problem.text for problem in _of(diagnosis, "devices")]
    # Where there is a GPU that torch can use, all is well.
    assert ("torch finds no CUDA device" in "".join(told)) != torch.cuda.is_available()


@pytest.mark.parametrize(("module", "part"), [("av", "ffmpeg"), ("cv2", "versions"), ("torch", "devices")])
def test_package_that_does_not_load_is_a_problem_not_a_crash(
    monkeypatch: pytest.MonkeyPatch, module: str, part: str
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    diagnosis = _without_weights()
    assert not diagnosis.usable
    assert any(module in problem.text for problem in _of(diagnosis, part))
    assert list(report_lines(diagnosis))
