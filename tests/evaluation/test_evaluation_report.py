"""The report: its JSON document, its lines, its page and its folder."""

from __future__ import annotations

import base64
import csv
import json
import re
import warnings
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import cv2
import numpy as np
import pytest
from evaluation_makers import drawn_answers, face_picture, make_answers

from gclf_live.errors import OutputError
from gclf_live.evaluation.answers import Unreadable
from gclf_live.evaluation.folder import FILES, check_folder, write_report
from gclf_live.evaluation.groups import make_groups
from gclf_live.evaluation.mistakes import contact_sheet, worst_mistakes
from gclf_live.evaluation.page import render_page
from gclf_live.evaluation.report import Report, make_report
from gclf_live.evaluation.text import report_lines
from gclf_live.media.pictures import read_picture, write_picture
from gclf_live.whole_file import WholeFile

ROWS = [
    (0, (0.9, 0.1)),
    (0, (0.02, 0.98)),
    (0, (0.7, 0.3)),
    (1, (0.1, 0.9)),
    (1, (0.6, 0.4)),
    (1, (0.05, 0.95)),
]


@pytest.fixture
def report(tmp_path: Path) -> Report:
    """Two mistakes among six, one picture without a face and one that could not be read."""
    data = tmp_path / "data"
    for label, red in (("female", True), ("male", False)):
        (data / label).mkdir(parents=True)
        for i in range(6):
            write_picture(data / label / f"{i}.png", face_picture(red=red))
    answers = make_answers(
        ROWS,
        folder=data,
        heights_px=[20, 20, 40, 40, 80, 80],
        missing=("male/none.png",),
        unreadable=(Unreadable("male/<b>.png", "cannot read it: it is & no picture"),),
    )
    return make_report(answers, make_groups(answers)[0], threshold=0.8)


@pytest.fixture
def small(report: Report) -> Report:
    """The same without groups, whose plots take most of the time that a page does."""
    return replace(report, groups={})


class _Page(HTMLParser):
    """Checks that tags close in order, and keeps text and sources."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text = ""
        self.sources: list[str] = []
        self.feed(page)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in {"meta", "img", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def decoded(self, kind: str) -> list[bytes]:
        """The content of every data URL of a kind."""
        start = f"data:{kind};base64,"
        return [base64.b64decode(s.removeprefix(start)) for s in self.sources if s.startswith(start)]


def test_document_has_the_documented_names(report: Report) -> None:
    document = json.loads(json.dumps(report.as_json(), allow_nan=False))
    assert set(document) == {
        *("classes", "count", "accuracy", "accuracy_interval", "balanced_accuracy"),
        *("balanced_accuracy_interval", "recall", "recall_interval", "decided", "ece", "ece_interval"),
        *("confusion", "reliability", "risk_coverage", "risk_coverage_area", "risk_coverage_area_interval"),
        *("groups", "missing", "unreadable"),
    }
    assert (document["count"], document["accuracy"]) == (6, 0.6667)
    assert document["recall"] == {"female": 0.6667, "male": 0.6667}
    assert document["confusion"] == [[2, 1], [1, 2]]
    assert document["decided"]["threshold"] == 0.8
    assert (document["decided"]["coverage"], document["decided"]["error"]) == (0.6667, 0.25)
    assert set(document["risk_coverage"][0]) == {"coverage", "risk", "risk_interval", "threshold"}
    assert document["missing"] == ["male/none.png"]
    assert document["unreadable"][0]["file"] == "male/<b>.png"


def test_document_has_every_group_in_order(report: Report) -> None:
    groups = report.as_json()["groups"]
    assert list(groups) == ["label", "face_height_px"]
    assert list(groups["face_height_px"]) == ["0-23", "32-47", "64-95"]
    small = groups["face_height_px"]["0-23"]
    assert (small["count"], small["accuracy"], small["balanced_accuracy"]) == (2, 0.5, None)
    assert small["recall"] == {"female": 0.5}


def test_lines_give_every_group_and_what_was_left_out(report: Report) -> None:
    lines = list(report_lines(report))
    assert re.search(r"^ +count +accuracy +balanced +female +male +labelled +error$", lines[0])
    assert re.search(r"^all +6 +66.67 % +66.67 % +66.67 % +66.67 % +66.67 % +25.00 %$", lines[1])
    assert any(re.search(r"^face_height_px 0-23 +2 +50.00 % +- +50.00 % +- ", line) for line in lines)
    assert len({len(line) for line in lines[:7]}) == 1, "columns do not line up"
    assert any(re.search(r"accuracy +66.67 % \(\d+.\d\d to \d+.\d\d\)", line) for line in lines)
    assert "no face found in 1 picture(s), left out of the figures:" in lines
    assert "  male/<b>.png" in lines


def test_long_list_of_faceless_pictures_is_cut_with_its_count() -> None:
    answers = make_answers(ROWS, missing=tuple(f"male/{i}.png" for i in range(25)))
    lines = list(report_lines(make_report(answers, threshold=0.8)))
    assert sum("male/" in line for line in lines) == 10
    assert "  and 15 more; --json and -o list them all" in lines


def test_mistakes_are_the_most_confident_wrong_answers(report: Report) -> None:
    mistakes = worst_mistakes(report.answers)
    assert [(each.file, each.label, each.answer) for each in mistakes] == [
        ("female/1.png", "female", "male"),
        ("male/4.png", "male", "female"),
    ]
    assert [each.confidence for each in mistakes] == pytest.approx([0.98, 0.6])
    assert [each.file for each in worst_mistakes(report.answers, most=1)] == ["female/1.png"]


def test_thumbnail_shows_the_picture_and_the_box(report: Report) -> None:
    first = worst_mistakes(report.answers)[0]
    plain = cv2.resize(face_picture(red=True), (180, 180), interpolation=cv2.INTER_AREA)
    changed = np.abs(first.thumbnail.astype(int) - plain).max(axis=2) > 2
    # The box of 15 x 20 px of the 240 px picture, drawn at three quarters.
    ys, xs = np.nonzero(changed)
    assert (xs.min(), ys.min(), xs.max(), ys.max()) == pytest.approx((0, 0, 10, 14), abs=1)


def test_picture_that_has_gone_leaves_a_grey_tile(report: Report) -> None:
    (report.answers.folder / "female" / "1.png").unlink()
    assert worst_mistakes(report.answers)[0].thumbnail.std() == 0


def test_contact_sheet_has_a_tile_for_each_mistake(report: Report) -> None:
    one, two = worst_mistakes(report.answers)
    single, wide, tall = contact_sheet([one]), contact_sheet([one, two]), contact_sheet([one] * 7)
    assert wide.shape == (single.shape[0], 2 * single.shape[1], 3)
    assert tall.shape == (2 * single.shape[0], 6 * single.shape[1], 3)
    assert (wide[:, : single.shape[1]] == single).all()
    assert (tall[single.shape[0] :, single.shape[1] :] == 255).all()
    assert contact_sheet([]).ndim == 3


def test_page_needs_nothing_beside_it_and_shows_everything(report: Report) -> None:
    page = _Page(render_page(report, worst_mistakes(report.answers), name="weights on <data>"))
    assert all(source.startswith("data:") for source in page.sources)
    drawings = [ElementTree.fromstring(svg) for svg in page.decoded("image/svg+xml")]
    assert len(drawings) == 3 + len(report.groups)
    assert len(page.decoded("image/jpeg")) == 2
    for told in (
        *("weights on <data>", "66.67 %", "By face_height_px", "32-47", "female/1.png"),
        *(
            "female answered as male, 98.0 %",
            "male/none.png",
            "male/<b>.png: cannot read it: it is & no picture",
        ),
    ):
        assert told in page.text


def test_page_without_mistakes_says_so() -> None:
    answers = make_answers([(0, (0.9, 0.1)), (1, (0.2, 0.8))])
    report = make_report(answers, make_groups(answers)[0], threshold=0.8)
    page = _Page(render_page(report, worst_mistakes(answers), name="good"))
    assert "No mistakes" in page.text
    assert page.decoded("image/jpeg") == []


@pytest.mark.parametrize(
    "classes",
    [("女", "男", "$a_b$"), tuple(f"a class with a long name, number {i}" for i in range(20))],
    ids=["any script", "twenty"],
)
def test_any_number_of_classes_in_any_script_is_drawn(classes: tuple[str, ...]) -> None:
    drawn = drawn_answers(200, classes=len(classes))
    rows = list(zip(drawn.targets.tolist(), drawn.probabilities.tolist(), strict=True))
    answers = make_answers(rows, classes=classes)
    report = make_report(answers, make_groups(answers)[0], threshold=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        page = _Page(render_page(report, (), name="many"))
    drawings = b"".join(page.decoded("image/svg+xml")).decode()
    assert all(name in drawings for name in classes)
    assert next(report_lines(report)).split()[-2:] == ["labelled", "error"]


def test_folder_holds_page_figures_predictions_and_sheet(small: Report, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    write_report(out, small, name="a name")
    assert sorted(path.name for path in out.iterdir()) == sorted(FILES)
    assert "a name" in (out / "index.html").read_text("utf-8")
    assert json.loads((out / "evaluation.json").read_text("utf-8")) == json.loads(json.dumps(small.as_json()))
    assert read_picture(out / "mistakes.jpg").shape[1] > 300
    with (out / "predictions.csv").open(encoding="utf-8", newline="") as handle:
        rows = list(csv.DictReader(handle))
    assert len(rows) == 6
    assert rows[1] == {
        "file": "female/1.png",
        "label": "female",
        "answer": "male",
        "confidence": "0.98",
        "p_female": "0.02",
        "p_male": "0.98",
        "face_height_px": "20.0",
    }


def test_foreign_bytes_in_a_name_do_not_stop_the_report(tmp_path: Path) -> None:
    answers = make_answers(ROWS, missing=("male/\udcff.png",), unreadable=(Unreadable("a\udcfe", "b\udcfe"),))
    report = make_report(answers, threshold=0.8)
    write_report(tmp_path / "out", report, name="n\udcff")
    "\n".join(report_lines(report)).encode()
    assert "male/\\xff.png" in (tmp_path / "out" / "index.html").read_text("utf-8")


def test_report_is_replaced_only_when_asked(small: Report, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    write_report(out, small, name="first")
    with pytest.raises(OutputError, match="--overwrite"):
        write_report(out, small, name="second")
    assert "first" in (out / "index.html").read_text("utf-8")
    write_report(out, small, name="third", overwrite=True)
    assert "third" in (out / "index.html").read_text("utf-8")
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_what_a_killed_run_left_is_removed_and_what_another_one_writes_is_not(
    small: Report, tmp_path: Path
) -> None:
    running = WholeFile(tmp_path / "any.mark")
    killed = running.temp.with_name(f"{running.temp.name.rpartition('-')[0]}-0123456789ab.mark")
    killed.touch()  # nobody holds a lock on it
    parts = [mark.with_suffix(".part") for mark in (running.temp, killed)]
    for part in parts:
        part.mkdir()
        (part / "index.html").write_text("half a page")
    write_report(tmp_path / "out", small, name="a name")
    assert [part.exists() for part in parts] == [True, False]
    hidden = {path for path in tmp_path.iterdir() if path.name.startswith(".")}
    assert hidden == {running.temp, parts[0]}
    running.discard()


def test_folder_with_other_files_is_never_replaced(small: Report, tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("three years of work")
    with pytest.raises(OutputError, match=r"'data'|'thesis.docx'"):
        write_report(tmp_path, small, name="a name", overwrite=True)
    assert (tmp_path / "thesis.docx").read_text() == "three years of work"


def test_file_in_place_of_the_folder_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(OutputError, match="it is a file"):
        check_folder(tmp_path / "out", overwrite=True)


def test_failure_half_way_leaves_the_old_report_and_nothing_else(small: Report, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_report(out, small, name="first")
    before = {path.name: path.read_bytes() for path in out.iterdir()}
    # The page is written by the time that the last prediction lacks its box.
    short = replace(small, answers=replace(small.answers, boxes=small.answers.boxes[:5]))
    with pytest.raises(IndexError):
        write_report(out, short, name="second", overwrite=True)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "out"]
