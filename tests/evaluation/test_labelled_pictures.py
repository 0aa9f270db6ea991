"""Listing labelled pictures: what counts, what is passed over, and what is said of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from gclf_live.errors import DatasetError
from gclf_live.evaluation.labelled import list_pictures

CLASSES = ("cat", "dog", "owl")


@pytest.fixture
def data(tmp_path: Path) -> Path:
    for name in CLASSES:
        _file(tmp_path / name / "1.jpg")
    return tmp_path


def _file(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a picture, as far as a listing is concerned")
    return path


def test_targets_follow_the_order_of_the_checkpoints_classes(data: Path) -> None:
    _file(data / "dog" / "deep" / "er" / "2.PNG")
    listed = list_pictures(data, ("owl", "dog", "cat"))
    assert listed.files == ("owl/1.jpg", "dog/1.jpg", "dog/deep/er/2.PNG", "cat/1.jpg")
    assert listed.targets.tolist() == [0, 1, 1, 2]
    assert listed.notes == ()


def test_hidden_files_and_folders_are_no_pictures(data: Path) -> None:
    _file(data / "cat" / ".ipynb_checkpoints" / "1.jpg")
    _file(data / "cat" / "._1.jpg")
    _file(data / "cat" / ".DS_Store")
    assert list_pictures(data, CLASSES).files == ("cat/1.jpg", "dog/1.jpg", "owl/1.jpg")


def test_extra_folders_and_other_files_are_named(data: Path) -> None:
    _file(data / "cow" / "1.jpg")
    _file(data / "dog" / "Thumbs.db")
    _file(data / "labels.csv")
    listed = list_pictures(data, CLASSES)
    assert len(listed.files) == 3
    folders, files = listed.notes
    assert "cow" in folders
    assert "dog/Thumbs.db" in files


def test_many_ignored_files_are_counted_not_all_named(data: Path) -> None:
    for i in range(30):
        _file(data / "cat" / f"{i:02}.txt")
    (note,) = list_pictures(data, CLASSES).notes
    assert note.endswith("cat/04.txt and 25 more")


def test_linked_folders_are_entered_once(data: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    _file(elsewhere / "2.jpg")
    (elsewhere / "loop").symlink_to(elsewhere)
    (data / "cat" / "more").symlink_to(elsewhere)
    assert list_pictures(data, CLASSES).files[:2] == ("cat/1.jpg", "cat/more/2.jpg")
    assert len(list_pictures(data, CLASSES).files) == 4


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no folder .*nowhere"):
        list_pictures(tmp_path / "nowhere", CLASSES)


def test_missing_class_names_what_there_is(data: Path) -> None:
    (data / "owl").rename(data / "Owl")
    with pytest.raises(
        DatasetError, match=r"lacks the class folder\(s\) owl; it has Owl, cat, dog.* cat, dog, owl"
    ):
        list_pictures(data, CLASSES)


def test_folder_of_splits_says_which_to_give(data: Path, tmp_path: Path) -> None:
    (tmp_path / "test").mkdir()
    for name in CLASSES:
        (data / name).rename(data / "test" / name)
    with pytest.raises(DatasetError, match=r"give .*/test'$"):
        list_pictures(data, CLASSES)


def test_empty_class_is_an_error(data: Path) -> None:
    (data / "dog" / "1.jpg").rename(data / "dog" / "1.txt")
    with pytest.raises(DatasetError, match=r"no pictures in .*/dog'"):
        list_pictures(data, CLASSES)
