"""Archives to work through."""

from __future__ import annotations

from pathlib import Path

import pytest
from archive_makers import PART_S, Archive, make_clip
from face_makers import save_tiny_weights

from gclf_live.archive.run import ArchiveOptions
from gclf_live.media.writer import EncoderSettings
from gclf_live.pipeline.settings import AnalysisSettings


@pytest.fixture(scope="session")
def archive_weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("weights") / "tiny.safetensors")


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two clips, of 3 and 2 parts."""
    folder = tmp_path_factory.mktemp("clips")
    make_clip(folder / "a.mp4", 2.8)
    make_clip(folder / "sub" / "b.mkv", 2.0, name="obama")
    return folder


@pytest.fixture
def archive(tmp_path: Path, clips: Path, archive_weights: Path) -> Archive:
    """The two clips, measured with one process unless a test says otherwise."""
    options = ArchiveOptions(
        tmp_path,
        weights=archive_weights,
        device="cpu",
        analysis=AnalysisSettings(threshold=0.0),
        encoder=EncoderSettings(preset="ultrafast"),
        video=False,
        part_s=PART_S,
    )
    return Archive(clips, tmp_path / "out", options)
