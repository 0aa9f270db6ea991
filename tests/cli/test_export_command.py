"""``export``: the file appears whole or not at all, and the documentation's own lines can use it."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
import pytest
from command_answers import Command
from face_makers import PORTRAITS, save_tiny_weights

from gclf_live.faces.detector import MODEL_FILE, FaceDetector
from gclf_live.geometry import Alignment, CropSpec, crop_faces
from gclf_live.media.pictures import read_picture, write_picture
from gclf_live.model.classifier import Classifier

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "export.md"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_file_is_written_and_summed_up_in_one_line(command: Command, weights: Path, folder: Path) -> None:
    answer = command("export", "--weights", weights, "-o", "new/model.onnx")
    assert answer.code == 0
    assert answer.err == ""
    (line,) = answer.out.splitlines()
    assert line.startswith(
        "new/model.onnx: resnet18, female, male; input Nx3x32x32 RGB 0..255; 44.7 MB in float32"
    )
    assert line.endswith("of torch (allowed 0.001)")
    session = onnxruntime.InferenceSession(folder / "new" / "model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", 3, 32, 32]
    assert _names(folder / "new") == ["model.onnx"]


def test_file_that_exists_is_kept_unless_told_otherwise(command: Command, folder: Path) -> None:
    three = save_tiny_weights(folder / "three.safetensors", ("cat", "dog", "owl"))
    (folder / "three.onnx").write_bytes(b"precious")
    arguments = ("export", "--weights", three, "--half")
    answer = command(*arguments)
    assert answer.code == 1
    assert "--overwrite" in answer.error
    assert (folder / "three.onnx").read_bytes() == b"precious"
    replaced = command(*arguments, "--overwrite")
    assert replaced.code == 0
    assert replaced.out.startswith("three.onnx: resnet18, cat, dog, owl;"), "named after the weights"
    assert "22.4 MB in float16" in replaced.out
    assert replaced.out.rstrip().endswith("(allowed 0.01)")
    assert 22e6 < (folder / "three.onnx").stat().st_size < 23e6
    assert _names(folder) == ["three.onnx", "three.safetensors"]


@pytest.mark.parametrize("name", ["model.pt", "model", "."])
def test_name_that_is_no_onnx_file_is_wrong_usage(
    command: Command, weights: Path, folder: Path, name: str
) -> None:
    answer = command("export", "--weights", weights, "-o", name)
    assert answer.code == 2
    assert "ends in .onnx" in answer.error
    assert _names(folder) == []


def test_unusable_weights_leave_nothing(command: Command, folder: Path) -> None:
    answer = command("export", "--weights", "none.safetensors", "-o", "m.onnx")
    assert answer.code == 1
    assert "none.safetensors" in answer.error
    assert _names(folder) == []


def test_missing_package_leaves_nothing(
    command: Command, weights: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    answer = command("export", "--weights", weights, "-o", "m.onnx")
    assert answer.code == 1
    assert "pip install onnx onnxruntime" in answer.error
    assert _names(folder) == []


def _block(number: int) -> str:
    """One of the Python examples of the documentation."""
    blocks: list[str] = re.findall(
        r"^```python\n(.*?)^```", DOCUMENT.read_text("utf-8"), re.MULTILINE | re.DOTALL
    )
    return blocks[number]


def _run(code: str) -> None:
    exec(compile(code, str(DOCUMENT), "exec"), {"__name__": "example"})


def test_documented_lines_label_a_photo_as_gclf_live_does(
    command: Command, folder: Path, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    assert command("export", "-o", "model.onnx").code == 0
    shutil.copy(ROOT / "gclf_live" / "assets" / MODEL_FILE, folder)
    facts = json.loads(
        onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
        .get_modelmeta()
        .custom_metadata_map["gclf_live"]
    )
    crop = facts["crop"]
    spec = CropSpec(crop["size_px"], crop["margin"], Alignment(crop["alignment"]))
    # About as large as the crop shows it, so that nothing has to be shrunk.
    photo = read_picture(PORTRAITS / "collins.jpg")
    scale = spec.size_px * 2.4 / photo.shape[0]
    photo = np.asarray(cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA), np.uint8)
    write_picture(folder / "photo.png", photo)

    _run(_block(1))
    crops = crop_faces(photo, FaceDetector().detect(photo), spec)[:1]
    np.testing.assert_allclose(read_picture(folder / "face.png"), crops[0], atol=12)

    _run(_block(0))
    label, confidence = capfdbinary.readouterr().out.decode().split()
    predicted = Classifier.load(device="cpu").predict(crops)
    assert label == predicted.labels(0)[0]
    assert float(confidence) == pytest.approx(float(predicted.confidences[0]), abs=0.03)


def test_first_example_is_short() -> None:
    assert len([line for line in _block(0).splitlines() if line]) <= 15


def test_documentation_names_every_option() -> None:
    text = DOCUMENT.read_text("utf-8")
    assert all(option in text for option in ("-o ", "--weights", "--half", "--overwrite", "0.001", "0.01"))
