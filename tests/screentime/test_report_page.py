"""The report as a page: whole in itself, safe with any name, and the same facts as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from result_makers import make_result, make_track, random_result

from gclf_live.errors import OutputError, UsageError
from gclf_live.screentime.gather import SHEET
from gclf_live.screentime.page import render_page, write_report
from gclf_live.screentime.report import MOST_TIMELINES, make_report
from gclf_live.screentime.result import Result, without_people

VOID = {"meta", "img", "br", "path", "use", "rect"}


class Page(HTMLParser):
    """What a browser would make of a page: its elements, its text, and whether each is closed."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] not in {"style", "title"}:
            self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())

    def count(self, tag: str) -> int:
        return sum(name == tag for name, _ in self.elements)


def _page(*results: Result) -> Page:
    page = Page(render_page(make_report(results)))
    assert page.open == []
    return page


def test_page_of_one_video_has_every_part() -> None:
    tracks = [*random_result(0, crop=True).tracks, make_track(99, 0.9, excluded="too small", height_px=14)]
    page = _page(make_result(*tracks, name="talk.mp4", to_s=200.0))
    for heading in ("Screen time in talk.mp4", "Timeline", "Height of the faces", "Faces", "Method"):
        assert heading in page.text
    assert page.count("svg") == 3
    assert 20 < page.count("img") <= SHEET
    assert "Saerens, Latinne, Decaestecker 2002" in page.text
    assert "excluded, too small" in page.text
    assert "abababababababab" in page.text
    assert "threshold: 0.8" in page.text


def test_page_needs_nothing_beside_it() -> None:
    page = _page(random_result(0, crop=True), random_result(1))
    for tag, attributes in page.elements:
        assert tag not in {"script", "link", "iframe", "object"}
        for name in ("src", "href", "xlink:href"):
            target = attributes.get(name) or "#"
            assert target.startswith(("data:image/jpeg;base64,", "#"))
    assert "@import" not in render_page(make_report([random_result(0)]))


def test_drawings_do_not_take_each_others_parts() -> None:
    """Ids are global in a page: the clip of one drawing must not cut another."""
    page = _page(random_result(0), random_result(1), random_result(2))
    ids = [attributes["id"] for tag, attributes in page.elements if tag == "clippath"]
    assert len(ids) > 2
    assert len(set(ids)) == len(ids)


def test_page_is_made_for_dark_screens_and_for_paper() -> None:
    text = render_page(make_report([random_result(0)]))
    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    style = text[: text.index("</style>")]
    used = set(re.findall(r"var\((--[a-z0-9-]+)\)", text))
    assert {"--ink", "--class-0", "--class-1", "--unsure"} <= used
    for each in used:
        # Light, dark and paper.
        assert style.count(f"{each}:") == 3, each
    # The drawings' own colours are all told by name: none is left that the dark page cannot change.
    assert re.findall(r"#0[1-5][0-9a-f]{4}", text) == []


def test_page_with_privacy_shows_nobody() -> None:
    page = _page(*(without_people(random_result(number, crop=True)) for number in range(3)))
    assert page.count("img") == 0
    assert page.count("svg") == 1
    assert "Timeline" not in page.text
    assert "without people 3 results" in page.text


@pytest.mark.parametrize("name", ["<script>alert(1)</script>.mp4", 'a & b "q".mp4', "$x$ é \udcff 顔.mp4"])
def test_any_name_is_shown_as_it_is(name: str, tmp_path: Path) -> None:
    results = [replace(random_result(n), name=f"{n}{name}", damaged="<b>") for n in range(2)]
    write_report(tmp_path / "r.html", results)
    page = Page((tmp_path / "r.html").read_text("utf-8"))
    assert page.count("script") == 0
    assert page.count("b") == 0
    assert f"0{name}".replace("\udcff", "\\xff") in page.text


def test_archive_shows_the_first_timelines_and_a_row_for_each_video() -> None:
    number = MOST_TIMELINES + 3
    page = _page(*(random_result(n, tracks=10) for n in range(number)))
    assert page.count("svg") == MOST_TIMELINES + 2
    assert f"The first {MOST_TIMELINES} results; 3 more" in page.text
    assert all(f"film {n}.mp4" in page.text for n in range(number))


def test_nobody_on_screen_is_a_page_too() -> None:
    page = _page(make_result(frames_with_face=0))
    assert "a face in 0.0 % of 1,500 frames" in page.text
    assert page.count("img") == 0


def test_damage_is_said_above_the_figures() -> None:
    text = _page(replace(random_result(0), damaged="frames after 12 s")).text
    assert text.index("frames after 12 s") < text.index("corrected share")


def test_same_results_give_the_same_page() -> None:
    assert render_page(make_report([random_result(0)])) == render_page(make_report([random_result(0)]))


def test_json_has_the_facts_of_the_page(tmp_path: Path) -> None:
    results = [random_result(number) for number in range(4)]
    write_report(tmp_path / "r.json", results)
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert document == make_report(results).as_json()
    page = _page(*results)
    low, high = document["corrected_share_interval"]["male"]
    share = document["corrected_share"]["male"]
    assert f"{100 * share:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in page.text


def test_other_suffixes_and_existing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"allowed are \.html and \.json"):
        write_report(tmp_path / "r.pdf", [random_result(0)])
    (tmp_path / "r.html").write_text("mine")
    with pytest.raises(OutputError, match="--overwrite"):
        write_report(tmp_path / "r.html", [random_result(0)])
    assert (tmp_path / "r.html").read_text() == "mine"
    write_report(tmp_path / "r.html", [random_result(0)], overwrite=True)
    assert "Screen time" in (tmp_path / "r.html").read_text("utf-8")
