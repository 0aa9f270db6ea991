"""Reading a dataset folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gclf_live.errors import DatasetError
from gclf_train.folders import read_split


def _touch(root: Path, *names: str) -> Path:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def test_classes_are_the_folder_names_in_alphabetical_order(tmp_path: Path) -> None:
    root = _touch(tmp_path, "train/zebra/1.jpg", "train/ant/2.PNG", "train/ant/1.webp", "train/mole/x/y.jpeg")
    split = read_split(root, "train")
    assert split.classes == ("ant", "mole", "zebra")
    assert split.files == ("train/ant/1.webp", "train/ant/2.PNG", "train/mole/x/y.jpeg", "train/zebra/1.jpg")
    assert split.targets == (0, 0, 1, 2)


def test_hidden_folders_and_files_that_are_no_pictures_are_named_and_left_out(tmp_path: Path) -> None:
    root = _touch(
        tmp_path,
        "train/.ipynb_checkpoints/1.jpg",
        "train/notes.txt",
        "train/a/1.jpg",
        "train/a/.hidden.jpg",
        "train/a/.ipynb_checkpoints/1-checkpoint.jpg",
        "train/a/Thumbs.db",
        "train/b/1.jpg",
        "train/b/.DS_Store",
    )
    split = read_split(root, "train")
    assert split.classes == ("a", "b")
    assert split.files == ("train/a/1.jpg", "train/b/1.jpg")
    assert set(split.ignored) == {
        "train/.ipynb_checkpoints",
        "train/notes.txt",
        "train/a/.hidden.jpg",
        "train/a/.ipynb_checkpoints",
        "train/a/Thumbs.db",
        "train/b/.DS_Store",
    }


def test_links_to_a_folder_above_are_not_entered_and_others_are(tmp_path: Path) -> None:
    root = _touch(tmp_path, "train/a/1.jpg", "train/b/x/2.jpg", "elsewhere/3.jpg")
    (root / "train/b/loop").symlink_to(root / "train/b", target_is_directory=True)
    (root / "train/b/more").symlink_to(root / "elsewhere", target_is_directory=True)
    split = read_split(root, "train")
    assert split.files == ("train/a/1.jpg", "train/b/more/3.jpg", "train/b/x/2.jpg")
    assert split.ignored == ("train/b/loop",)


def test_missing_folder_is_named_with_what_is_wanted(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder '.*val'; wanted is DATA/train/CLASS"):
        read_split(tmp_path, "val")


def test_one_class_alone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="has 1 class folder"):
        read_split(_touch(tmp_path, "train/a/1.jpg", "train/.b/1.jpg"), "train")


def test_empty_class_is_named(tmp_path: Path) -> None:
    root = _touch(tmp_path, "train/a/1.jpg", "train/b/readme.md")
    with pytest.raises(DatasetError, match=r"no pictures in '.*train/b'"):
        read_split(root, "train")


@pytest.mark.parametrize("second", ["b", "A"])
def test_other_classes_than_the_other_split_are_refused(tmp_path: Path, second: str) -> None:
    root = _touch(tmp_path, "val/a/1.jpg", f"val/{second}/1.jpg")
    with pytest.raises(DatasetError, match="the other split has a, c"):
        read_split(root, "val", classes=("a", "c"))


def test_class_that_only_validation_has_is_refused(tmp_path: Path) -> None:
    root = _touch(tmp_path, "val/a/1.jpg", "val/b/1.jpg", "val/c/1.jpg")
    with pytest.raises(DatasetError, match=r"val' has the classes a, b, c; the other split has a, c:"):
        read_split(root, "val", classes=("a", "c"))


def test_class_called_unsure_is_refused_before_any_training(tmp_path: Path) -> None:
    root = _touch(tmp_path, "train/sure/1.jpg", "train/unsure/1.jpg")
    with pytest.raises(DatasetError, match="marks faces without a label"):
        read_split(root, "train")


def test_folder_names_of_any_language_are_classes(tmp_path: Path) -> None:
    root = _touch(tmp_path, "train/女/é 1.jpg", "train/男/🎬.jpg")
    assert read_split(root, "train").classes == ("女", "男")
    shutil.rmtree(root)
