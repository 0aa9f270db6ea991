"""Results: checksums, priors and settings that say how they came about."""

from __future__ import annotations

import hashlib
import json
from dataclasses import fields, replace
from pathlib import Path

import pytest
from face_makers import save_tiny_weights

from gclf_live.errors import CheckpointError, SourceError
from gclf_live.model.checkpoint import default_weights_path, load_checkpoint, save_checkpoint
from gclf_live.pipeline.measured import class_prior, file_sha256, settings_document, weights_sha256
from gclf_live.pipeline.settings import AnalysisSettings

CLASSES = ("female", "male")


def test_checksum_of_a_file_is_that_of_its_bytes(tmp_path: Path) -> None:
    content = bytes(range(256)) * 10_000
    (tmp_path / "v.mp4").write_bytes(content)
    assert file_sha256(tmp_path / "v.mp4") == hashlib.sha256(content).hexdigest()
    with pytest.raises(SourceError, match="No such file"):
        file_sha256(tmp_path / "none.mp4")


def test_checkpoints_are_told_apart_by_their_calibration_too(tmp_path: Path) -> None:
    path = save_tiny_weights(tmp_path / "tiny.safetensors")
    checkpoint = load_checkpoint(path)
    assert weights_sha256(path) == file_sha256(path)
    assert weights_sha256() == file_sha256(default_weights_path())
    hotter = replace(checkpoint, meta=replace(checkpoint.meta, temperature=checkpoint.meta.temperature + 1))
    save_checkpoint(tmp_path / "hotter.safetensors", hotter)
    assert weights_sha256(tmp_path / "hotter.safetensors") != weights_sha256(path)
    with pytest.raises(CheckpointError, match="No such file"):
        weights_sha256(tmp_path / "none.pth")


def test_prior_is_that_of_the_pictures_that_the_checkpoint_was_calibrated_on() -> None:
    counts = {"train": {"female": 10, "male": 90}, "val": {"female": 30, "male": 10}}
    assert class_prior({"counts": counts}, CLASSES) == (0.75, 0.25)
    assert class_prior({"counts": counts}, ("male", "female")) == (0.25, 0.75)
    assert class_prior({"counts": {"train": counts["train"]}}, CLASSES) == (0.1, 0.9)


@pytest.mark.parametrize(
    "data",
    [{}, {"counts": None}, {"counts": {"val": 5}}, {"counts": {"val": {"female": 3}}}],
    ids=str,
)
def test_prior_of_a_checkpoint_that_does_not_say_is_even(data: dict[str, object]) -> None:
    assert class_prior(data, CLASSES) == (0.5, 0.5)


def test_every_setting_of_the_first_pass_is_in_the_result() -> None:
    document = settings_document(AnalysisSettings(threshold=0.7, from_s=1.5))
    assert {field.name for field in fields(AnalysisSettings)} == set(document) - {"version"}
    assert json.loads(json.dumps(document)) == document
