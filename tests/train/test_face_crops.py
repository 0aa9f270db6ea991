"""Faces of a labelled split, and their cache."""

from __future__ import annotations

import os
import shutil
import zlib
from pathlib import Path

import numpy as np
import pytest
from train_makers import CPU, PORTRAITS

from gclf_live.errors import DatasetError, OutputError
from gclf_live.geometry import CropSpec
from gclf_train.config import load_recipe
from gclf_train.crops import load_crops
from gclf_train.data import Dataset, load_dataset
from gclf_train.folders import read_split

SPEC = CropSpec(48, 1.5)


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four portraits among pictures without a face and files that are no pictures."""
    root = tmp_path_factory.mktemp("mixed")
    for name, person in (("female", "collins"), ("female", "hopper"), ("male", "biden"), ("male", "obama")):
        folder = root / "train" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(PORTRAITS / f"{person}.jpg", folder)
    content = (PORTRAITS / "obama.jpg").read_bytes()
    (root / "train/male/cut.jpg").write_bytes(content[: len(content) // 2])
    (root / "train/male/empty.jpg").touch()
    (root / "train/male/text.png").write_text("no picture")
    (root / "train/male/ \udce9.jpg").write_bytes(b"")
    (root / "train/male/nowhere.jpg").symlink_to(root / "gone.jpg")
    shutil.copytree(root / "train", root / "val", symlinks=True)
    return root


@pytest.fixture(scope="module")
def cache(mixed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its filled cache."""
    folder = tmp_path_factory.mktemp("cache")
    load_crops(read_split(mixed, "train"), SPEC, cache_dir=folder, workers=1)
    return folder


def test_faces_are_cut_out_and_pictures_without_one_are_named(mixed: Path, cache: Path) -> None:
    crops = load_crops(read_split(mixed, "train"), SPEC, cache_dir=cache)
    assert crops.files == tuple(
        f"train/{name}.jpg" for name in ("female/collins", "female/hopper", "male/biden", "male/obama")
    )
    assert crops.targets.tolist() == [0, 0, 1, 1]
    assert set(crops.missing) == {
        f"train/male/{name}" for name in ("cut.jpg", "empty.jpg", "text.png", "nowhere.jpg", " \udce9.jpg")
    }
    assert crops.crops.dtype == np.uint8
    assert crops.crops.shape[1:] == (48, 48, 3)
    assert all(crop.std() > 20 for crop in crops.crops[: len(crops)])


def test_filled_cache_is_not_filled_again(mixed: Path, cache: Path) -> None:
    calls: list[int] = []
    load_crops(
        read_split(mixed, "train"), SPEC, cache_dir=cache, progress=lambda done, total: calls.append(done)
    )
    assert calls == []


@pytest.mark.parametrize("lost", ["npy", "json"])
def test_cache_of_which_a_part_is_lost_is_filled_again(
    mixed: Path, cache: Path, tmp_path: Path, lost: str
) -> None:
    shutil.copytree(cache, tmp_path / "copy")
    next((tmp_path / "copy").glob(f"*.{lost}")).unlink()
    calls: list[tuple[int, int]] = []
    crops = load_crops(
        read_split(mixed, "train"),
        SPEC,
        cache_dir=tmp_path / "copy",
        workers=1,
        progress=lambda done, total: calls.append((done, total)),
    )
    assert calls == [(i, 9) for i in range(1, 10)]
    assert len(crops) == 4
    assert len(list((tmp_path / "copy").iterdir())) == 2


def test_changed_picture_or_crop_has_a_cache_of_its_own(mixed: Path, cache: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed, tmp_path / "data", symlinks=True)
    os.utime(tmp_path / "data/train/male/obama.jpg", (1, 1))
    both = tmp_path / "cache"
    shutil.copytree(cache, both)
    load_crops(read_split(tmp_path / "data", "train"), SPEC, cache_dir=both, workers=1)
    load_crops(read_split(mixed, "train"), CropSpec(40, 1.5), cache_dir=both, workers=1)
    assert len(list(both.glob("*.npy"))) == 3


def test_cache_that_cannot_be_written_is_one_line(mixed: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="choose another folder with --cache"):
        load_crops(read_split(mixed, "train"), SPEC, cache_dir=tmp_path / "file" / "cache")


def _load(root: Path, cache_dir: Path) -> Dataset:
    recipe = load_recipe("live", image_size=32)
    return load_dataset(root, recipe, cache_dir=cache_dir, device=CPU, workers=1)


def test_dataset_of_faces_counts_what_is_used(mixed: Path, tmp_path: Path) -> None:
    dataset = _load(mixed, tmp_path)
    assert dataset.counts() == {"train": {"female": 2, "male": 2}, "val": {"female": 2, "male": 2}}
    assert len(dataset.left_out) == 10
    assert dataset.zoom == pytest.approx(1.15 / 1.5)
    (batch,) = dataset.train.source.batches([np.array([3, 0])])
    assert batch.shape == (2, 40, 40, 3)


def test_class_without_a_single_face_is_named(mixed: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed, tmp_path / "data", symlinks=True)
    for path in (tmp_path / "data/train/female").iterdir():
        path.write_bytes(b"no picture")
    with pytest.raises(DatasetError, match=r"no usable picture in '.*train/female'.*--recipe readme"):
        _load(tmp_path / "data", tmp_path / "cache")


def test_picture_of_a_billion_pixels_is_named_as_the_others(mixed: Path, tmp_path: Path) -> None:
    shutil.copytree(mixed / "train", tmp_path / "data" / "train", symlinks=True)
    (tmp_path / "data/train/male/vast.png").write_bytes(_vast_picture())
    crops = load_crops(read_split(tmp_path / "data", "train"), SPEC, cache_dir=tmp_path / "cache", workers=1)
    assert "train/male/vast.png" in crops.missing
    assert len(crops) == 4


def _vast_picture() -> bytes:
    """A PNG that says it has 50,000 pixels each way, for which OpenCV raises an error of its own."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4, "big") + kind + data + zlib.crc32(kind + data).to_bytes(4, "big")

    head = (50_000).to_bytes(4, "big") * 2 + bytes([1, 0, 0, 0, 0])
    rows = zlib.compress(bytes(6251 * 10))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
