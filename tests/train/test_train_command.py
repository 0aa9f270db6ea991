"""``gclf-live train`` from its arguments to the files that it leaves."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from train_makers import COMMAND, FinishedRun, gclf_live, make_colours

from gclf_live.geometry import Alignment, CropSpec
from gclf_live.model.checkpoint import load_checkpoint
from gclf_live.model.classifier import Classifier
from gclf_live.model.device import Precision
from gclf_train.sources import read_square

QUICK = ("--epochs", 1, "--batch-size", 8, "--image-size", 32, "--device", "cpu")
PTH = "resnet18_gender_classification.pth"


def _metrics(folder: Path) -> list[dict[str, str]]:
    with (folder / "metrics.csv").open(newline="", encoding="utf-8") as handle:
        return list(csv.DictReader(handle))


def _curve(folder: Path) -> list[dict[str, str]]:
    return [{k: v for k, v in row.items() if k != "seconds"} for row in _metrics(folder)]


def _validation_pictures(data: Path) -> np.ndarray:
    files = sorted((data / "val").glob("female/*.jpg")) + sorted((data / "val").glob("male/*.jpg"))
    return np.stack([read_square(file, 32) for file in files])


def test_run_leaves_checkpoint_curve_plots_and_state(finished: FinishedRun) -> None:
    names = {path.name for path in finished.folder.iterdir()}
    assert names == {
        PTH,
        "checkpoint.safetensors",
        "confusion.png",
        "curves.png",
        "last.pt",
        "left_out.txt",
        "metrics.csv",
    }
    for name in ("curves.png", "confusion.png"):
        with Image.open(finished.folder / name) as picture:
            assert min(picture.size) > 200


def test_metrics_have_one_row_an_epoch(finished: FinishedRun) -> None:
    rows = _metrics(finished.folder)
    assert [row["epoch"] for row in rows] == ["1", "2"]
    assert [float(row["lr"]) for row in rows] == [0.0005, 0.0005]
    assert all(0 < float(row["train_loss"]) < 5 for row in rows)


def test_standard_output_is_one_json_document(finished: FinishedRun) -> None:
    document = json.loads(finished.outcome.out)
    assert set(document) == {
        "accuracy", "balanced_accuracy", "checkpoint", "confusion", "ece", "pth", "recall",
    }  # fmt: skip
    assert np.sum(document["confusion"]) == 16
    assert document["recall"].keys() == {"female", "male"}
    assert document["checkpoint"] == str(finished.folder / "checkpoint.safetensors")


def test_counts_and_every_epoch_are_told_on_standard_error(finished: FinishedRun) -> None:
    lines = finished.outcome.err.splitlines()
    assert "gclf-live: train: 12 female, 12 male" in lines
    assert "gclf-live: val: 8 female, 8 male" in lines
    assert any(line.startswith("gclf-live: epoch 2 of 2: training loss") for line in lines)


def test_few_pictures_are_told_with_what_the_figures_are_worth(finished: FinishedRun) -> None:
    lines = finished.outcome.err.splitlines()
    assert any(line.startswith("gclf-live: few pictures to learn from: 12 of the smallest") for line in lines)
    (line,) = [line for line in lines if "few pictures to validate on: 8 of the smallest class" in line]
    assert "One answer moves its recall by 12 points" in line


def test_run_that_learned_nothing_is_told(finished: FinishedRun, tmp_path: Path, out: Path) -> None:
    assert "no better than guessing" not in finished.outcome.err
    data = make_colours(tmp_path / "data", train=4, val=4)
    shutil.rmtree(data / "val" / "male")
    shutil.copytree(data / "val" / "female", data / "val" / "male")  # whatever is answered, half is wrong
    outcome = gclf_live("train", data, "-o", out, *QUICK)
    assert outcome.code == 0, outcome.err
    assert "gclf-live: that is no better than guessing among 2 classes." in outcome.err.splitlines()[-1]


def test_checkpoint_describes_itself(finished: FinishedRun) -> None:
    meta = load_checkpoint(finished.folder / "checkpoint.safetensors").meta
    assert (meta.architecture, meta.classes, meta.recipe) == ("resnet18", ("female", "male"), "readme")
    assert meta.crop == CropSpec(32, 1.4, Alignment.BOX)
    assert meta.data["counts"]["train"] == {"female": 12, "male": 12}
    assert meta.validation["epochs"] == 2
    document = json.loads(finished.outcome.out)
    assert meta.validation["balanced_accuracy"] == document["balanced_accuracy"]
    assert len(meta.recipe_sha256) == 64


def test_classifier_answers_with_the_checkpoint_what_the_run_measured(finished: FinishedRun) -> None:
    path = finished.folder / "checkpoint.safetensors"
    classifier = Classifier.load(path, device="cpu", precision=Precision.FP32)
    answers = classifier.predict(_validation_pictures(finished.data)).probabilities.argmax(1)
    labels = np.repeat([0, 1], 8)
    confusion = np.array([[np.sum((labels == i) & (answers == j)) for j in (0, 1)] for i in (0, 1)])
    assert confusion.tolist() == json.loads(finished.outcome.out)["confusion"]


def test_pth_is_a_plain_state_dict_of_45_mb_with_the_same_answers(finished: FinishedRun) -> None:
    path = finished.folder / PTH
    assert 44e6 < path.stat().st_size < 46e6
    plain = torch.load(path, weights_only=True)
    assert plain["fc.weight"].shape == (2, 512)
    described = load_checkpoint(finished.folder / "checkpoint.safetensors")
    assert load_checkpoint(path).meta.classes == ("female", "male")
    for name, tensor in described.state.items():
        torch.testing.assert_close(tensor, plain[name].to(tensor.dtype), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["checkpoint.safetensors", PTH])
def test_predict_takes_what_a_run_leaves(finished: FinishedRun, name: str) -> None:
    picture = Path(__file__).parents[2] / "samples" / "portraits" / "hopper.jpg"
    outcome = gclf_live("predict", picture, "--weights", finished.folder / name, "--device", "cpu", "--json")
    assert outcome.code == 0, outcome.err
    (face,) = json.loads(outcome.out)["pictures"][0]["faces"]
    assert face["p_female"] + face["p_male"] == pytest.approx(1, abs=1e-3)


def _start(data: Path, out: Path, *options: object) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "gclf_live", "train", data, "-o", out, *COMMAND, *options]
    # The same number of threads adds in the same order.
    threads = str(torch.get_num_threads())
    path = os.pathsep.join(filter(None, sys.path))
    environment = os.environ | {"OMP_NUM_THREADS": threads, "PYTHONPATH": path}
    return subprocess.Popen(
        [str(part) for part in command], stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True,
        env=environment,
    )  # fmt: skip


def test_run_that_was_killed_goes_on_to_the_curve_of_an_unbroken_one(
    finished: FinishedRun, out: Path
) -> None:
    with _start(finished.data, out) as process:
        assert process.stderr is not None
        for line in process.stderr:
            if line.startswith("gclf-live: epoch 1 of 2"):
                os.kill(process.pid, signal.SIGKILL)
                break
    assert process.returncode == -signal.SIGKILL
    assert not (out / "checkpoint.safetensors").exists()
    assert len(_metrics(out)) == 1

    outcome = gclf_live("train", finished.data, "-o", out, *COMMAND, "--resume")
    assert outcome.code == 0, outcome.err
    assert _curve(out) == _curve(finished.folder)
    whole = load_checkpoint(finished.folder / "checkpoint.safetensors")
    assert load_checkpoint(out / "checkpoint.safetensors").tensors_sha256 == whole.tensors_sha256


def _state_of(folder: Path) -> dict[Path, int]:
    """When each file in it was written."""
    return {path: path.stat().st_mtime_ns for path in folder.iterdir()}


def test_finished_run_is_refused_without_overwrite(finished: FinishedRun) -> None:
    before = _state_of(finished.folder)
    outcome = gclf_live("train", finished.data, "-o", finished.folder, *COMMAND)
    assert outcome.code == 1
    assert "holds a run already. Add --resume" in outcome.refusal()
    assert _state_of(finished.folder) == before


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (("--lr", 0.1), "a run with --lr 0.0005, not 0.1: resume"),
        (("--epochs", 3), "a run with --epochs 2, not 3: resume"),
        (("--arch", "mobilenet_v3_large"), "a run with --arch resnet18, not mobilenet_v3_large: resume"),
        (("--image-size", 40), "a run with --image-size 32, not 40: resume"),
        (("--seed", 4, "--batch-size", 4), "a run with --batch-size 8, not 4; --seed 0, not 4: resume"),
    ],
)
def test_run_that_is_resumed_with_other_options_names_them(
    finished: FinishedRun, change: tuple[object, ...], told: str
) -> None:
    outcome = gclf_live("train", finished.data, "-o", finished.folder, *COMMAND, "--resume", *change)
    assert outcome.code == 2
    assert told in outcome.refusal()
    assert "resume with the options it was started with" in outcome.refusal()


def test_run_is_not_resumed_with_other_pictures(finished: FinishedRun, colours: Path) -> None:
    (colours / "train/male/3.jpg").unlink()
    before = _state_of(finished.folder)
    outcome = gclf_live("train", colours, "-o", finished.folder, *COMMAND, "--resume")
    assert outcome.code == 2
    assert "a run with other pictures 40 (" in outcome.refusal()
    assert ", not 39 (" in outcome.refusal()
    assert _state_of(finished.folder) == before


def test_run_is_not_overwritten_by_one_that_cannot_begin(finished: FinishedRun, colours: Path) -> None:
    (colours / "val/male").rename(colours / "val/man")
    before = _state_of(finished.folder)
    outcome = gclf_live("train", colours, "-o", finished.folder, *COMMAND, "--overwrite")
    assert outcome.code == 1
    assert "name the folders alike in both" in outcome.refusal()
    assert _state_of(finished.folder) == before


@pytest.mark.parametrize("missing", ["", "val"])
def test_missing_pictures_are_told_before_a_run_that_is_in_the_way(
    finished: FinishedRun, colours: Path, missing: str
) -> None:
    shutil.rmtree(colours / missing)
    outcome = gclf_live("train", colours, "-o", finished.folder, *COMMAND)
    assert outcome.code == 1
    assert "no folder" in outcome.refusal()
    assert "wanted is DATA/train/CLASS" in outcome.refusal()


def test_nothing_to_resume_leaves_no_folder(colours: Path, out: Path) -> None:
    outcome = gclf_live("train", colours, "-o", out, "--resume")
    assert outcome.code == 1
    assert "nothing to resume" in outcome.refusal()
    assert not out.exists()


@pytest.fixture(scope="module")
def messy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FinishedRun]:
    """A run on a dataset with strangers and truncated pictures in it, over the remains of another run."""
    base = tmp_path_factory.mktemp("messy")
    data, folder = make_colours(base / "colours"), base / "run"
    shutil.copytree(data / "train/male", data / "train/.ipynb_checkpoints")
    for name in ("female", "male"):
        (data / "train" / name / ".DS_Store").write_bytes(b"\0")
        (data / "val" / name / "Thumbs.db").write_bytes(b"\0")
    for name, cut in (("male/3.jpg", 400), ("female/4.jpg", 1)):
        path = data / "train" / name
        path.write_bytes(path.read_bytes()[:-cut])
    folder.mkdir()
    (folder / "last.pt").write_bytes(b"PK\x03\x04 half a file")
    (folder / ".gclf-live-77.pt").write_bytes(b"left by a kill")
    refused = gclf_live("train", data, "-o", folder, *QUICK, "--resume")
    assert refused.code == 1
    assert "it is damaged; start again with --overwrite" in refused.refusal()
    yield FinishedRun(data, folder, gclf_live("train", data, "-o", folder, *QUICK, "--overwrite"))
    shutil.rmtree(base)


def test_overwrite_starts_again_over_a_damaged_state(messy: FinishedRun) -> None:
    assert messy.outcome.code == 0, messy.outcome.err
    assert not list(messy.folder.glob(".*"))
    assert len(_metrics(messy.folder)) == 1


def test_hidden_folders_and_strangers_are_named_and_are_no_class(messy: FinishedRun) -> None:
    assert load_checkpoint(messy.folder / "checkpoint.safetensors").meta.classes == ("female", "male")
    assert "ignored: train/.ipynb_checkpoints, train/female/.DS_Store" in messy.outcome.err


def test_truncated_pictures_are_named_before_training_and_not_counted(messy: FinishedRun) -> None:
    lines = messy.outcome.err.splitlines()
    named = next(i for i, line in enumerate(lines) if "left out" in line)
    assert "2 left out, damaged or without a face: train/female/4.jpg, train/male/3.jpg" in lines[named]
    assert named < next(i for i, line in enumerate(lines) if "epoch 1" in line)
    assert "gclf-live: train: 11 female, 11 male" in lines
    assert (messy.folder / "left_out.txt").read_text() == "train/female/4.jpg\ntrain/male/3.jpg\n"
    counts = load_checkpoint(messy.folder / "checkpoint.safetensors").meta.data["counts"]
    assert counts["train"] == {"female": 11, "male": 11}


def test_recipe_live_learns_from_faces_with_a_teacher(faces: Path, out: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(faces).as_posix() for path in (faces / "train").rglob("*.png"))
    teacher = tmp_path / "teacher.npz"
    np.savez(
        teacher,
        files=np.array(files),
        p_female=np.array([0.9 if "/female/" in file else 0.2 for file in files], np.float16),
        descriptor=np.random.default_rng(0).integers(-100, 100, (len(files), 6), dtype=np.int8),
        scale=np.full(6, 0.01, np.float32),
    )
    outcome = gclf_live(
        "train", faces, "--recipe", "live", "--teacher", teacher, "-o", out, *QUICK, "--terms", "test only"
    )
    assert outcome.code == 0, outcome.err
    assert "train: 4 female, 4 male" in outcome.err
    assert "teacher: knows 8 pictures; 0 left out" in outcome.err
    meta = load_checkpoint(out / "checkpoint.safetensors").meta
    assert (meta.recipe, meta.crop) == ("live", CropSpec(32, 1.15, Alignment.LANDMARKS))
    assert meta.data["terms"] == "test only"
    assert len(list((out / "crops").glob("*.npy"))) == 2


def test_run_is_not_resumed_with_another_teacher(faces: Path, out: Path, tmp_path: Path) -> None:
    files = sorted(path.relative_to(faces).as_posix() for path in (faces / "train").rglob("*.png"))
    for name, p_female in (("one", 0.5), ("two", 0.6)):
        np.savez(
            tmp_path / f"{name}.npz",
            files=np.array(files),
            p_female=np.full(len(files), p_female, np.float16),
            descriptor=np.ones((len(files), 2), np.int8),
            scale=np.ones(2, np.float32),
        )
    command = ("train", faces, "--recipe", "live", "-o", out, *QUICK, "--teacher")
    assert gclf_live(*command, tmp_path / "one.npz").code == 0
    outcome = gclf_live(*command, tmp_path / "two.npz", "--resume")
    assert outcome.code == 2
    assert "a run with --teacher table " in outcome.refusal()


def test_empty_class_is_one_line(colours: Path, out: Path) -> None:
    for path in (colours / "train/male").iterdir():
        path.unlink()
    code, line = _refused(colours, "-o", out)
    assert code == 1
    assert "no pictures in" in line
    assert "train/male'; put .jpg, .png or .webp files there" in line


def _refused(*arguments: object) -> tuple[int, str]:
    outcome = gclf_live("train", *arguments)
    return outcome.code, outcome.refusal()


def test_missing_data_folder_is_one_line(tmp_path: Path, out: Path) -> None:
    code, line = _refused(tmp_path / "nowhere", "-o", out)
    assert code == 1
    assert "nowhere/train'; wanted is DATA/train/CLASS and DATA/val/CLASS" in line


def test_missing_validation_folder_is_one_line(colours: Path, out: Path) -> None:
    shutil.rmtree(colours / "val")
    code, line = _refused(colours, "-o", out)
    assert code == 1
    assert "colours/val'; wanted is" in line


def test_other_classes_in_validation_are_one_line(colours: Path, out: Path) -> None:
    (colours / "val/male").rename(colours / "val/man")
    code, line = _refused(colours, "-o", out)
    assert code == 1
    assert "has the classes female, man; the other split has female, male" in line


def test_class_whose_pictures_are_all_damaged_is_one_line(colours: Path, out: Path) -> None:
    for path in (colours / "val/female").iterdir():
        path.write_bytes(b"")
    code, line = _refused(colours, "-o", out, "--image-size", 32)
    assert code == 1
    assert "no usable picture in" in line
    assert "val/female" in line


def test_pictures_without_faces_are_one_line_with_recipe_live(colours: Path, out: Path) -> None:
    code, line = _refused(colours, "-o", out, "--recipe", "live")
    assert code == 1
    assert "or use --recipe readme for things without faces" in line


def test_folder_that_cannot_be_written_is_one_line(colours: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, line = _refused(colours, "-o", tmp_path / "file" / "run")
    assert code == 1
    assert "Not a directory. Choose another folder with -o" in line


def test_teacher_needs_a_recipe_for_faces(colours: Path, out: Path, tmp_path: Path) -> None:
    code, line = _refused(colours, "-o", out, "--teacher", tmp_path / "t.npz")
    assert code == 2
    assert "--teacher goes with a recipe for face crops" in line


def test_missing_teacher_is_one_line_before_any_face_is_looked_for(
    colours: Path, out: Path, tmp_path: Path
) -> None:
    code, line = _refused(colours, "-o", out, "--recipe", "live", "--teacher", tmp_path / "t.npz")
    assert code == 1
    assert "cannot read the teacher" in line
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--recipe", "best"), "no recipe 'best'; there are live, readme"),
        (("--arch", "resnet19"), "unknown architecture 'resnet19'"),
        (("--image-size", 31), "31 is not in the range 32<=x<=512"),
        (("--image-size", 513), "513 is not in the range"),
        (("--batch-size", 1), "1 is not in the range x>=2"),
        (("--epochs", 0), "0 is not in the range"),
        (("--lr", 0), "0.0 is not in the range x>0"),
        (("--lr", "nan"), "lr nan"),
        (("--device", "gpu"), "unknown device 'gpu'"),
        (("--resume", "--overwrite"), "give one of them"),
    ],
)
def test_option_without_sense_is_wrong_usage(
    colours: Path, out: Path, options: tuple[object, ...], complaint: str
) -> None:
    code, line = _refused(colours, "-o", out, *options)
    assert code == 2
    assert complaint in line
    assert not out.exists()


def test_diverging_run_leaves_no_checkpoint(colours: Path, out: Path) -> None:
    outcome = gclf_live("train", colours, "-o", out, *QUICK, "--lr", 1e30)
    assert outcome.code == 1
    assert "start again with --overwrite and --lr below 1e+30" in outcome.refusal()
    assert not (out / "checkpoint.safetensors").exists()


def _from_checkpoint(finished: FinishedRun, out: Path, **replacing: object) -> tuple[object, ...]:
    init = replacing.get("init", finished.folder / "checkpoint.safetensors")
    return ("train", finished.data, "-o", out, "--init", init, *QUICK)


def test_run_that_starts_from_a_checkpoint_keeps_what_it_had_learned(
    finished: FinishedRun, out: Path
) -> None:
    outcome = gclf_live(*_from_checkpoint(finished, out), "--lr", "1e-12")
    assert outcome.code == 0, outcome.err
    start = load_checkpoint(finished.folder / "checkpoint.safetensors")
    end = load_checkpoint(out / "checkpoint.safetensors")
    for name in ("conv1.weight", "fc.weight", "fc.bias"):
        torch.testing.assert_close(end.state[name], start.state[name], rtol=1e-3, atol=1e-5)
    origin = end.meta.data["init"]
    assert origin["file"] == "checkpoint.safetensors"
    assert len(origin["sha256"]) == 64
    assert end.meta.data["teacher"] is None


def test_other_classes_take_everything_but_the_last_layer(
    finished: FinishedRun, colours: Path, out: Path
) -> None:
    for split in ("train", "val"):
        shutil.copytree(colours / split / "male", colours / split / "other")
    outcome = gclf_live(*_from_checkpoint(replace(finished, data=colours), out), "--lr", "1e-12")
    assert outcome.code == 0, outcome.err
    start = load_checkpoint(finished.folder / "checkpoint.safetensors")
    end = load_checkpoint(out / "checkpoint.safetensors")
    assert end.meta.classes == ("female", "male", "other")
    torch.testing.assert_close(end.state["conv1.weight"], start.state["conv1.weight"], rtol=1e-3, atol=1e-5)


def test_shipped_weights_can_be_named(finished: FinishedRun, out: Path) -> None:
    outcome = gclf_live(*_from_checkpoint(finished, out, init="shipped"))
    assert outcome.code == 0, outcome.err
    assert load_checkpoint(out / "checkpoint.safetensors").meta.data["init"]["file"].startswith("gclf_")


def test_resuming_from_other_first_weights_is_refused(finished: FinishedRun, out: Path) -> None:
    assert gclf_live(*_from_checkpoint(finished, out)).code == 0
    outcome = gclf_live(*_from_checkpoint(finished, out, init="shipped"), "--resume")
    assert outcome.code == 2
    assert "a run with --init weights " in outcome.refusal()


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        (("--init", "missing.safetensors"), 1, "missing.safetensors"),
        (("--init", "shipped", "--pretrained"), 2, "give one of them"),
        (("--init", "shipped", "--arch", "resnet34"), 2, "--arch resnet18"),
    ],
)
def test_start_that_cannot_be_is_one_line(
    colours: Path, out: Path, changes: tuple[object, ...], code: int, words: str
) -> None:
    outcome = gclf_live("train", colours, "-o", out, *QUICK, *changes)
    assert outcome.code == code
    assert words in outcome.refusal()
    assert not (out / "last.pt").exists()
