"""Pictures of the page for the documentation: ``python -m benchmarks.screenshots [--out docs/serve]``."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import av
import click
import cv2

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

ROOT = Path(__file__).parent.parent
CLIP = ROOT / "samples" / "clip.mp4"
PORTRAITS = tuple(ROOT / "samples" / "portraits" / f"{name}.jpg" for name in ("collins", "obama_speaking"))
Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
WIDTHS: dict[str, dict[str, Any]] = {
    "wide": {"viewport": {"width": 1280, "height": 800}},
    "phone": {"viewport": {"width": 390, "height": 844}, "device_scale_factor": 2, "is_mobile": True},
}
_BROWSERS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
_LONG_MS = 300_000
_SETTLED_MS = 4000
_SHOWN_S = 7.0
_PEOPLE = 4
_SAME_TIMES = 6


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=ROOT / "docs" / "serve")
def main(out: Path) -> None:
    """Write TAB-THEME-WIDTH.jpg for the three tabs, both themes, wide and as a phone shows them.

    The camera shows the sample clip over and over; pictures and video are the samples, too. Needs Chromium
    and the extra ``test``.
    """
    from playwright.sync_api import sync_playwright

    out.mkdir(parents=True, exist_ok=True)
    found = next(filter(None, map(shutil.which, _BROWSERS)), None)
    if found is None:
        raise click.ClickException(f"no browser: none of {', '.join(_BROWSERS)} is on the PATH")
    with tempfile.TemporaryDirectory() as folder, _serving() as address, sync_playwright() as playwright:
        camera = Path(folder) / "clip.mjpeg"
        _write_camera(camera)
        browser = playwright.chromium.launch(
            executable_path=found,
            args=[
                "--no-sandbox",
                "--use-fake-device-for-media-stream",
                f"--use-file-for-fake-video-capture={camera}",
            ],
        )
        for theme in THEMES:
            for width in WIDTHS:
                for tab, show in (("camera", _camera), ("picture", _picture), ("video", _video)):
                    path = out / f"{tab}-{theme}-{width}.jpg"
                    with _page(browser, f"{address}#{tab}", theme, width) as page:
                        show(page)
                        page.screenshot(path=path, type="jpeg", quality=78, animations="disabled")
                    print(path.relative_to(ROOT) if path.is_relative_to(ROOT) else path)
        browser.close()


@contextmanager
def _serving() -> Iterator[str]:
    """The address of ``gclf-live serve`` with the shipped weights."""
    command = [sys.executable, "-m", "gclf_live", "serve", "--port", "0"]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stderr is not None
        for line in process.stderr:
            address = re.search(r"http://\S+", line)
            if address:
                yield address[0]
                break
        else:
            raise click.ClickException("gclf-live serve did not start")
    finally:
        process.terminate()
        process.communicate()


@contextmanager
def _page(browser: Browser, address: str, theme: Theme, width: str) -> Iterator[Page]:
    context = browser.new_context(
        permissions=["camera"], color_scheme=theme, reduced_motion="reduce", **WIDTHS[width]
    )
    try:
        page = context.new_page()
        page.goto(address)
        page.locator("html[data-ready]").wait_for()
        yield page
    finally:
        context.close()


def _camera(page: Page) -> None:
    from playwright.sync_api import expect

    page.get_by_role("button", name="Start camera").click()
    page.locator("#camera-people li").nth(2).wait_for()
    page.wait_for_timeout(_SETTLED_MS)  # until rate and latency have settled
    labelled = page.locator("#camera-people li", has_text="male")
    for _ in range(_SAME_TIMES):  # the list follows the boxes twice a second: nobody has just come or gone
        expect(labelled).to_have_count(_PEOPLE, timeout=_LONG_MS)
        page.wait_for_timeout(_SETTLED_MS / 20)


def _picture(page: Page) -> None:
    page.set_input_files("#picture-input", PORTRAITS)
    page.get_by_text(re.compile(r"%")).nth(1).wait_for()
    page.wait_for_timeout(_SETTLED_MS / 4)


def _video(page: Page) -> None:
    page.set_input_files("#video-input", CLIP)
    page.locator("#video-done").wait_for(timeout=_LONG_MS)
    page.locator("#video-player").evaluate(
        "(player, at) => new Promise(done => { player.onseeked = done; player.currentTime = at; })", _SHOWN_S
    )
    page.wait_for_timeout(_SETTLED_MS / 4)


def _write_camera(path: Path) -> None:
    """The sample clip as Motion JPEG, which Chromium's fake camera plays."""
    with av.open(str(CLIP)) as clip, path.open("wb") as file:
        for frame in clip.decode(video=0):
            image = frame.to_ndarray(format="bgr24")
            done, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])
            assert done
            file.write(jpeg.tobytes())


if __name__ == "__main__":
    main()
