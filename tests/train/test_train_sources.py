"""Whole pictures from files, and stored pictures from memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from train_makers import CPU, coloured

from gclf_live.errors import DatasetError
from gclf_train.config import load_recipe
from gclf_train.data import load_dataset
from gclf_train.sources import PICTURE_ERRORS, FileSource, MemorySource, read_square


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_come_in_the_order_that_was_asked_for(colours: Path, workers: int) -> None:
    files = [f"train/{name}/{i}.jpg" for name in ("female", "male") for i in range(3)]
    source = FileSource(colours, files, size_px=32, workers=workers)
    order = [np.array([5, 0]), np.array([3]), np.array([1, 2, 4])]
    batches = list(source.batches(order))
    assert [batch.shape for batch in batches] == [(2, 32, 32, 3), (1, 32, 32, 3), (3, 32, 32, 3)]
    for index, batch in zip(order, batches, strict=True):
        for i, picture in zip(index, batch, strict=True):
            np.testing.assert_array_equal(picture.numpy(), read_square(colours / files[i], 32))


def test_picture_that_vanishes_during_a_run_ends_it_in_one_line(colours: Path) -> None:
    source = FileSource(colours, ["train/male/1.jpg", "train/male/2.jpg"], size_px=32, workers=1)
    (colours / "train/male/2.jpg").unlink()
    with pytest.raises(DatasetError, match=r"cannot read '.*male/2.jpg'.*--resume$"):
        list(source.batches([np.array([0, 1])]))


def test_memory_gives_the_rows_that_were_asked_for() -> None:
    pictures = np.stack([coloured("male", i) for i in range(4)])
    (batch,) = MemorySource(pictures, device=CPU).batches([np.array([3, 1])])
    np.testing.assert_array_equal(batch.numpy(), pictures[[3, 1]])


def test_picture_is_squeezed_into_a_square_in_bgr(tmp_path: Path) -> None:
    Image.new("RGB", (60, 30), (250, 10, 90)).save(tmp_path / "p.png")
    square = read_square(tmp_path / "p.png", 32)
    assert square.shape == (32, 32, 3)
    assert square[5, 5].tolist() == [90, 10, 250]


@pytest.mark.parametrize("mode", ["L", "P", "RGBA", "CMYK", "1", "LA"])
def test_picture_of_any_mode_becomes_bgr(tmp_path: Path, mode: str) -> None:
    suffix = "tiff" if mode == "CMYK" else "png"
    Image.new("RGB", (40, 40), "white").convert(mode).save(tmp_path / f"p.{suffix}")
    assert read_square(tmp_path / f"p.{suffix}", 32).shape == (32, 32, 3)


def test_picture_is_turned_upright_as_its_camera_says(tmp_path: Path) -> None:
    picture = Image.new("RGB", (40, 40), "white")
    picture.paste("black", (0, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6  # the picture is to be turned a quarter clockwise: its top comes to the right
    picture.save(tmp_path / "p.jpg", exif=exif)
    square = read_square(tmp_path / "p.jpg", 32)
    assert square[:, 28].mean() < 20 < 230 < square[:, 4].mean()


@pytest.mark.parametrize("cut", [1, 400])
def test_truncated_picture_is_damaged(colours: Path, cut: int) -> None:
    path = colours / "train/male/0.jpg"
    path.write_bytes(path.read_bytes()[:-cut])
    with pytest.raises(PICTURE_ERRORS):
        read_square(path, 32)


def test_decompression_bomb_is_left_out(colours: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1000)
    Image.new("RGB", (60, 60)).save(colours / "train/male/bomb.png")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1700)
    dataset = load_dataset(
        colours, load_recipe("readme", image_size=32), cache_dir=colours, device=CPU, workers=1
    )
    assert dataset.left_out == ("train/male/bomb.png",)


def test_many_pictures_are_checked_by_processes_that_tell_how_far_they_are(colours: Path) -> None:
    path = colours / "train/female/0.jpg"
    for i in range(100, 300):
        (path.parent / f"{i}.jpg").hardlink_to(path)
    (path.parent / "250.jpg").unlink()
    (path.parent / "250.jpg").write_bytes(b"no picture")
    told: list[tuple[str, int, int]] = []
    dataset = load_dataset(
        colours,
        load_recipe("readme", image_size=32),
        cache_dir=colours,
        device=CPU,
        workers=1,
        progress=lambda what, done, total: told.append((what, done, total)),
    )
    assert dataset.left_out == ("train/female/250.jpg",)
    assert told == [("checking pictures: train", done, 224) for done in range(1, 225)]
