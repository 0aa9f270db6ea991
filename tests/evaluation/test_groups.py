"""Groups: bands of age and height, adults, crossed with the label, and the rows of a table."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from evaluation_makers import make_answers

from gclf_live.errors import UsageError
from gclf_live.evaluation.answers import Answers
from gclf_live.evaluation.groups import Grouping, make_groups
from gclf_live.evaluation.labelled import LabelledPictures
from gclf_live.evaluation.report import make_report
from gclf_live.groups_table import GroupsTable, read_groups_table


def _answers(count: int, **more: Sequence[float]) -> Answers:
    """Answers on ``female/0.png``, ``male/1.png``, ``female/2.png`` and so on."""
    return make_answers([(i % 2, (0.5, 0.5)) for i in range(count)], heights_px=more.get("heights_px"))


def _grouped(answers: Answers, **columns: Sequence[str]) -> dict[str, Grouping]:
    rows = {
        file: {column: values[i] for column, values in columns.items()}
        for i, file in enumerate(answers.files)
    }
    made, _ = make_groups(answers, GroupsTable(tuple(columns), rows))
    return {grouping.column: grouping for grouping in made}


def test_age_is_taken_in_bands() -> None:
    ages = ["0", "12", "12.9", "13", "19", "20", "39", "40", "59", "60", "116"]
    grouping = _grouped(_answers(11), age=ages)["age"]
    assert grouping.order == ("00-12", "13-19", "20-39", "40-59", "60+")
    assert grouping.values == (
        *("00-12", "00-12", "00-12", "13-19", "13-19", "20-39", "20-39"),
        *("40-59", "40-59", "60+", "60+"),
    )


def test_what_is_no_age_is_unknown() -> None:
    ages = ["30", "", "old", "-1", "nan", "inf", "50"]
    grouping = _grouped(_answers(7), age=ages)["age"]
    assert grouping.values == ("20-39", "", "", "", "", "", "40-59")
    assert grouping.order == ("20-39", "40-59")


def test_ages_that_are_no_numbers_are_said() -> None:
    answers = _answers(3)
    ages = ["(25, 32)", "40", ""]
    rows = {file: {"age": age} for file, age in zip(answers.files, ages, strict=True)}
    _, (note,) = make_groups(answers, GroupsTable(("age",), rows))
    assert note.startswith("1 ages are no number of years, such as '(25, 32)'")


def test_adults_are_told_from_18_years_on() -> None:
    grouping = _grouped(_answers(4), age=["17", "18", "60", ""])["adults"]
    assert grouping.values == ("under 18", "18 and older", "18 and older", "")
    assert grouping.order == ("18 and older", "under 18")


def test_age_is_crossed_with_the_label() -> None:
    grouping = _grouped(_answers(4), age=["10", "10", "70", ""])["age x label"]
    assert grouping.values == ("00-12 female", "00-12 male", "60+ female", "")
    assert grouping.order == ("00-12 female", "00-12 male", "60+ female")


def test_other_columns_are_given_for_adults_alone_too() -> None:
    grouped = _grouped(
        _answers(5), age=["17", "18", "60", "", "x"], source=["web", "web", "film", "film", "film"]
    )
    assert grouped["source (adults)"].values == ("", "web", "film", "", "")
    assert grouped["source (adults)"].order == ("film", "web")
    assert "source (adults)" not in _grouped(_answers(2), source=["web", "film"])
    assert "split (adults)" not in _grouped(_answers(2), split=["test"] * 2, age=["9", "30"])


def test_label_and_height_need_no_table() -> None:
    made, notes = make_groups(_answers(5, heights_px=[10, 24, 47.9, 48, 500]))
    assert [grouping.column for grouping in made] == ["label", "face_height_px"]
    assert made[0].values == ("female", "male", "female", "male", "female")
    assert made[1].values == ("0-23", "24-31", "32-47", "48-63", "192 and more")
    assert made[1].order == ("0-23", "24-31", "32-47", "48-63", "192 and more")
    assert notes == ()


def test_whole_pictures_are_not_grouped_by_height() -> None:
    made, _ = make_groups(_answers(4, heights_px=[np.nan] * 4))
    assert [grouping.column for grouping in made] == ["label"]


def test_class_without_a_usable_picture_is_no_group() -> None:
    chances = (0.2, 0.5, 0.3)
    answers = make_answers([(1, chances), (2, chances), (1, chances)], classes=("cat", "man", "woman"))
    made, _ = make_groups(answers)
    assert made[0].order == ("man", "woman")
    assert set(make_report(answers, made, threshold=0.4).groups["label"]) == {"man", "woman"}


def test_label_is_the_folders_whatever_the_table_says() -> None:
    grouping = _grouped(_answers(2), label=["male", "female"])["label"]
    assert grouping.values == ("female", "male")


def test_column_that_is_alike_everywhere_is_no_grouping() -> None:
    grouped = _grouped(_answers(3), split=["test"] * 3, source=["web", "", "web"])
    assert "split" not in grouped
    assert grouped["source"].order == ("web",)


def test_column_of_too_many_values_is_left_out_and_said() -> None:
    answers = _answers(41)
    rows = {file: {"person": str(i)} for i, file in enumerate(answers.files)}
    made, (note,) = make_groups(answers, GroupsTable(("person",), rows))
    assert "person" not in {grouping.column for grouping in made}
    assert "'person'" in note
    assert "41" in note


PICTURES = LabelledPictures(
    Path("/data/test"), ("female/1.png", "male/1.png", "male/deep/2.png"), np.array([0, 1, 1])
)

Write = Callable[[str], Path]


@pytest.fixture
def table(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        path = tmp_path / "groups.csv"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def _table_of(path: Path, pictures: LabelledPictures) -> GroupsTable:
    return read_groups_table(path, pictures.folder, pictures.files)


@pytest.mark.parametrize("prefix", ["", "./", "test/", "/data/test/", "data/test/"])
def test_rows_are_found_by_the_end_of_the_path(table: Write, prefix: str) -> None:
    read = _table_of(
        table(f"file,source\n{prefix}male/1.png,b\n{prefix}female/1.png,a\n{prefix}male/deep/2.png,c\n"),
        PICTURES,
    )
    assert read.values("source", PICTURES.files) == ["a", "b", "c"]
    assert read.columns == ("source",)
    assert read.notes == ()


def test_rows_of_another_folder_are_not_taken(table: Write) -> None:
    read = _table_of(
        table("file,source\ntrain/male/1.png,x\nval/male/1.png,y\ntest/male/1.png,z\n"), PICTURES
    )
    assert read.values("source", PICTURES.files) == ["", "z", ""]


def test_longest_end_wins(table: Write) -> None:
    read = _table_of(table("file,source\n1.png,short\nmale/1.png,long\n"), PICTURES)
    assert read.values("source", PICTURES.files) == ["short", "long", ""]


def test_pictures_without_a_row_are_counted(table: Write) -> None:
    (note,) = _table_of(table("file,source\nfemale/1.png,a\n"), PICTURES).notes
    assert "2 of 3 pictures" in note


@pytest.mark.parametrize("delimiter", [";", "\t", ","])
def test_spreadsheets_own_csv_is_understood(tmp_path: Path, delimiter: str) -> None:
    path = tmp_path / "groups.csv"
    lines = [["file", "age", "note"], ["female\\1.png", "30", '"x, y"'], [], ["male/1.png", " 8 "]]
    path.write_bytes("\r\n".join(delimiter.join(line) for line in lines).encode("utf-8-sig"))
    read = _table_of(path, PICTURES)
    assert read.columns == ("age", "note")
    assert read.values("age", PICTURES.files) == ["30", "8", ""]
    assert read.values("note", PICTURES.files) == ["x, y", "", ""]


def test_composed_and_decomposed_names_are_the_same(table: Write) -> None:
    name = "é’🎬.png"
    stored = unicodedata.normalize("NFD", name)
    pictures = LabelledPictures(Path("/data"), (f"male/{stored}",), np.array([1]))
    read = _table_of(table(f"file,source\n{unicodedata.normalize('NFC', name)},a\n"), pictures)
    assert read.values("source", pictures.files) == ["a"]


def test_link_is_known_by_its_own_name_and_by_where_it_leads(table: Write, tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    pictures = LabelledPictures(tmp_path / "link", ("a/1.png", "a/2.png"), np.array([0, 0]))
    read = _table_of(table("file,source\nlink/a/1.png,x\nreal/a/2.png,y\n"), pictures)
    assert read.values("source", pictures.files) == ["x", "y"]


def test_same_row_twice_is_no_contradiction(table: Write) -> None:
    read = _table_of(table("file,source\nfemale/1.png,a\nfemale/1.png,a\n"), PICTURES)
    assert read.values("source", PICTURES.files[:1]) == ["a"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "have the columns none"),
        ("name,source\nfemale/1.png,a\n", "have the columns name, source"),
        ("file\nfemale/1.png\n", "have the columns file"),
        ("file,source,source\nfemale/1.png,a,b\n", "each once"),
        ("file,source\n", "name none of the 3 pictures"),
        ("file,source\nfemale/9.png,a\n", "such as 'female/1.png'; it holds 'female/9.png'"),
        ("file,source\nfemale/1.png,a\nfemale/1.png,b\n", "two things of 'female/1.png'"),
    ],
)
def test_unusable_table_says_what_is_wanted(table: Write, text: str, told: str) -> None:
    with pytest.raises(UsageError) as error:
        _table_of(table(text), PICTURES)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_table_that_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "groups.csv"
    path.write_bytes(b"\xff\xfe\x00\x81")
    with pytest.raises(UsageError, match="CSV in UTF-8"):
        _table_of(path, PICTURES)
    with pytest.raises(UsageError, match="No such file"):
        _table_of(tmp_path / "none.csv", PICTURES)
