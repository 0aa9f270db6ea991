"""The guide to screen time names every option, every value of the documents, and the paper."""

from __future__ import annotations

import json
import re
from pathlib import Path

import click
import pytest
from result_makers import random_result

from gclf_live.cli.app import app
from gclf_live.screentime.report import make_report
from gclf_live.screentime.result import without_people
from gclf_live.screentime.result_file import write_result

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "screen-time.md").read_text("utf-8")


def test_every_option_is_explained() -> None:
    options = [each for each in app.commands["report"].params if isinstance(each, click.Option)]
    names = {name for option in options for name in option.opts} - {"--help", "-h"}
    assert {name for name in names if f"`{name}" not in GUIDE} == set()
    assert {"--json", "--allow-mixed", "--privacy"} <= names


def test_every_value_of_a_report_is_explained() -> None:
    document = make_report([random_result(0), random_result(1)]).as_json()
    names = {*document, *document["interval"], *document["method"], *document["timelines"][0]}
    names |= set(document["face_heights"])
    assert {name for name in names if f"`{name}`" not in GUIDE} == set()


@pytest.mark.parametrize("privacy", [False, True])
def test_every_value_of_a_result_is_explained(tmp_path: Path, privacy: bool) -> None:
    result = random_result(0, crop=True)
    write_result(tmp_path / "r.json", without_people(result) if privacy else result)
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    tables = (Path(__file__).parent.parent.parent / "docs" / "tables.md").read_text("utf-8")
    names = set(document) - {"format", "kind"} | ({"spans_s", "crop_jpeg"} if not privacy else set())
    assert {name for name in names if f"`{name}`" not in GUIDE} == set()
    for row in document["tracks"][:1]:
        plain = {name for name in row if not name.startswith("p_")}
        assert {name for name in plain if f"`{name}`" not in GUIDE + tables} == set()


def test_simulation_is_shown_and_holds_what_is_promised() -> None:
    """The figures in the guide themselves: 93 to 97 % of the intervals, a bias below half a point."""
    table = GUIDE[GUIDE.index("<!-- simulation -->") : GUIDE.index("<!-- end -->")]
    rows = re.findall(
        r"^ +\d+ +\d+ +(?:\d+|-) +([\d.]+) \| +\S+ +\S+ +(\S+) \|.*?\| +\S+ +([\d.]+) %", table, re.M
    )
    assert len(rows) >= 30
    assert {float(share) for share, _, _ in rows} == {10, 25, 50, 75, 90}
    for _, bias, coverage in rows:
        assert abs(float(bias)) < 0.5
        assert 93 <= float(coverage) <= 97


def test_paper_and_what_a_label_is_are_named() -> None:
    for words in ("Saerens, Latinne, Decaestecker 2002", "10.1162/089976602753284446", "perceived"):
        assert words in GUIDE
