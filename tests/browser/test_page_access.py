"""The page for everybody: keyboard, screen reader, both themes, the width of a phone."""

from __future__ import annotations

import httpx
import pytest
from browsing import Visit, Watch, violations
from playwright.sync_api import Page, expect

TABS = ("camera", "picture", "video")


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
def test_axe_finds_nothing_to_object_to(visit: Visit, tab: str, theme: str) -> None:
    page = visit(tab=tab, color_scheme=theme)
    assert violations(page) == []


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_axe_finds_nothing_to_object_to_in_what_is_said_about_labels(visit: Visit, theme: str) -> None:
    page = visit(color_scheme=theme)
    page.get_by_role("button", name="About the labels").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page) == []


def test_model_facts_and_what_a_label_means_are_one_key_away(visit: Visit, server: str) -> None:
    page = visit()
    facts = httpx.get(f"{server}v1/model").json()
    button = page.get_by_role("button", name="About the labels")
    button.focus()
    page.keyboard.press("Enter")
    about = page.get_by_role("dialog", name="About the labels")
    for words in (
        "A label says how a face looks to a viewer, never who or what a person is.",
        "A perceived gender is what most viewers would say on seeing a face.",
        "Do not use labels to decide about people.",
        facts["name"],
        facts["sha256"],
        "female, male",
    ):
        expect(about).to_contain_text(words)
    page.keyboard.press("Escape")
    expect(about).to_be_hidden()
    expect(button).to_be_focused()


def test_axe_finds_nothing_to_object_to_in_the_description_of_the_api(
    visit: Visit, watch: Watch, server: str
) -> None:
    page = visit()
    # A page without an icon: Chromium looks for one by itself.
    watch.expected.append("the server responded with a status of 404")
    page.goto(f"{server}docs")
    expect(page.get_by_role("heading", level=1)).to_contain_text("gclf-live")
    assert violations(page) == []


def test_arrow_keys_move_between_tabs(visit: Visit) -> None:
    page = visit()
    page.get_by_role("tab", name="Camera").focus()
    for key, name in (
        *(("ArrowRight", "Picture"), ("ArrowRight", "Video"), ("ArrowRight", "Camera")),
        *(("ArrowLeft", "Video"), ("Home", "Camera"), ("End", "Video")),
    ):
        page.keyboard.press(key)
        expect(page.get_by_role("tab", name=name)).to_be_focused()
        expect(page.get_by_role("tabpanel", name=name)).to_be_visible()
        expect(page.get_by_role("tabpanel")).to_have_count(1)


def test_everything_that_can_be_done_is_reached_with_the_tab_key(visit: Visit) -> None:
    page = visit(tab="video")
    page.get_by_role("tab", name="Video").focus()
    reached = []
    for _ in range(4):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id"))
    assert reached[:3] == ["video-input", "video-threshold", "video-privacy"]


@pytest.mark.parametrize("tab", TABS)
def test_nothing_is_wider_than_a_small_phone(visit: Visit, tab: str) -> None:
    page = visit(tab=tab, viewport={"width": 320, "height": 640})
    assert _overflow(page) <= 0
    page.get_by_role("button", name="About the labels").click()
    assert _overflow(page) <= 0


def _overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - window.innerWidth"))


def test_the_tab_is_kept_over_a_reload(visit: Visit) -> None:
    page = visit()
    page.get_by_role("tab", name="Picture").click()
    page.reload()
    expect(page.get_by_role("tabpanel", name="Picture")).to_be_visible()
