"""The report pages at a phone's width: the page itself never scrolls sideways, its tables do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Browser, Page
from result_makers import random_result

from gclf_live.evaluation.answers import Answers, Unreadable
from gclf_live.evaluation.groups import make_groups
from gclf_live.evaluation.mistakes import Mistake
from gclf_live.evaluation.page import render_page as evaluation_page
from gclf_live.evaluation.report import make_report as make_evaluation
from gclf_live.screentime.page import render_page as screen_time_page
from gclf_live.screentime.report import make_report as make_screen_time

PHONE = {"viewport": {"width": 375, "height": 800}}
LONG = "a-name-that-nothing-breaks-" * 6


def evaluation(*, classes: tuple[str, ...]) -> str:
    generator = np.random.default_rng(1)
    count = 60
    chances = generator.dirichlet(np.ones(len(classes)), count).astype(np.float32)
    answers = Answers(
        classes=classes,
        folder=Path("data"),
        files=tuple(f"{i}.png" for i in range(count)),
        targets=generator.integers(0, len(classes), count),
        probabilities=chances,
        boxes=generator.uniform(0, 90, (count, 4)).astype(np.float32).cumsum(axis=1),
        missing=(f"{LONG}.png",),
        unreadable=(Unreadable(f"{LONG}.jpg", f"cannot read {LONG!r}"),),
    )
    report = make_evaluation(answers, make_groups(answers)[0], threshold=0.8)
    mistake = Mistake(f"{LONG}.png", classes[0], classes[1], 0.99, np.zeros((160, 160, 3), np.uint8))
    return evaluation_page(report, [mistake], name=f"weights on {LONG}")


def screen_time() -> str:
    results = [random_result(i, crop=i == 0) for i in range(3)]
    odd = replace(results[2], name=f"{LONG}.mp4", damaged=f"ends at 0:10: {LONG}")
    return screen_time_page(make_screen_time([*results[:2], odd]))


def opened(browser: Browser, text: str) -> Page:
    page = browser.new_context(**PHONE).new_page()
    page.set_content(text)
    return page


def scrolled(page: Page) -> float:
    """How far the page goes sideways when somebody pushes it."""
    page.evaluate("scrollTo(10000, 0)")
    return float(page.evaluate("scrollX"))


@pytest.mark.parametrize("kind", ["evaluation", "ten classes", "screen time"])
def test_page_does_not_scroll_sideways_on_a_phone(browser: Browser, kind: str) -> None:
    many = tuple(f"class {i}" for i in range(10))
    texts = {
        "evaluation": lambda: evaluation(classes=("female", "male")),
        "ten classes": lambda: evaluation(classes=many),
        "screen time": screen_time,
    }
    page = opened(browser, texts[kind]())
    assert page.locator("table").count() >= 2
    assert page.evaluate("document.documentElement.scrollWidth") == 375
    assert scrolled(page) == 0
    page.context.close()


@pytest.mark.parametrize("kind", ["evaluation", "screen time"])
def test_what_is_wider_than_a_phone_scrolls_in_itself(browser: Browser, kind: str) -> None:
    page = opened(browser, screen_time() if kind == "screen time" else evaluation(classes=("female", "male")))
    inner = "each => [each.scrollWidth > each.clientWidth, (each.scrollLeft = 50, each.scrollLeft)]"
    wide = page.locator(".wide", has=page.locator("table th")).first
    assert wide.evaluate(inner) == [True, 50]
    plot = page.locator(".wide-plot" if kind == "evaluation" else ".plot").first
    assert plot.evaluate(inner) == [True, 50]
    page.context.close()
