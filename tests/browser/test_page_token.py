"""The page of a server that asks for a token."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import urlsplit

import pytest
from browsing import Watch
from drawn import SAMPLES
from playwright.sync_api import Browser, expect
from served_page import serving

TOKEN = "for-this-test-alone"


@pytest.mark.slow
def test_the_token_in_the_address_opens_the_whole_page_and_leaves_the_address(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(tmp_path / "log.txt", "--token", TOKEN) as server:
        watch = Watch(urlsplit(server).netloc)
        page = browser.new_context(permissions=["camera"]).new_page()
        page.set_default_timeout(60_000)
        answer = page.goto(server)
        assert answer is not None
        assert answer.status == 401
        assert "open the address that gclf-live serve printed" in page.content()

        watch.follow(page)
        page.goto(f"{urlsplit(server).scheme}://{watch.host}/?token={TOKEN}")
        page.locator("html[data-ready]").wait_for()
        assert "token" not in page.url
        page.get_by_role("button", name="Start camera").click()
        page.locator("#camera-people li").first.wait_for()
        page.get_by_role("tab", name="Picture").click()
        page.locator("#picture-input").set_input_files(SAMPLES / "portraits" / "obama.jpg")
        expect(page.locator("#picture-total")).to_have_text("1 picture, 1 face: male", timeout=30_000)
        page.get_by_role("tab", name="Video").click()
        page.locator("#video-input").set_input_files(SAMPLES / "clip.mp4")
        expect(page.get_by_text("Labelling faces")).to_be_visible(timeout=60_000)
        page.get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("alert")).to_contain_text("Cancelled")
        assert watch.problems == []
        page.context.close()
