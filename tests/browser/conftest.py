"""A server as users start it, and Chromium to look at its page with."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from browsing import Visit, Watch
from drawn import write_camera
from playwright.sync_api import Browser, Page, sync_playwright
from served_page import serving

_NAMES = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything in this folder drives a browser."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.browser)


@pytest.fixture(scope="session")
def chromium() -> str:
    """The browser; a machine that lands changes must have one."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is not None:
        return found
    words = f"no browser: none of {', '.join(_NAMES)} is on the PATH; on Debian, apt-get install chromium"
    if os.environ.get("CI", "").lower() not in {"", "0", "false"}:
        pytest.fail(f"CI is set and there is {words}", pytrace=False)
    pytest.skip(words)


@pytest.fixture(scope="session")
def camera(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the fake camera shows, over and over: the sample clip, each frame with its number."""
    path = tmp_path_factory.mktemp("camera") / "clip.mjpeg"
    write_camera(path)
    return path


@pytest.fixture(scope="session")
def server(chromium: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of ``gclf-live serve`` with the shipped weights, in a process of its own."""
    with serving(tmp_path_factory.mktemp("serve") / "log.txt") as address:
        yield address


# Not for the whole session: Playwright's event loop would be in the way of tests that run their own.
@pytest.fixture(scope="module")
def browser(chromium: str, camera: Path) -> Iterator[Browser]:
    """Chromium with a camera that shows the sample clip."""
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(
            executable_path=chromium,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}",
            ],
        )
        yield started
        started.close()


@pytest.fixture
def watch(server: str) -> Iterator[Watch]:
    """What happens in the pages of a test; at its end nothing may have gone wrong in them."""
    watched = Watch(urlsplit(server).netloc)
    yield watched
    assert watched.unexpected() == []


@pytest.fixture
def visit(browser: Browser, server: str, watch: Watch) -> Iterator[Visit]:
    """Open the page in a browser of its own: nothing is kept from another test.

    Its arguments: ``tab`` to begin with, ``script`` that runs before the page's own, and those of
    Playwright's ``new_context``. The camera is allowed unless ``permissions`` says otherwise.
    """
    contexts = []

    def open_page(*, tab: str = "camera", script: str = "", **options: Any) -> Page:
        context = browser.new_context(**{"permissions": ["camera"], **options})
        contexts.append(context)
        context.set_default_timeout(60_000)
        if script:
            context.add_init_script(script)
        page = context.new_page()
        watch.follow(page)
        page.goto(f"{server}#{tab}")
        page.locator("html[data-ready]").wait_for()
        return page

    yield open_page
    for context in contexts:
        context.close()
