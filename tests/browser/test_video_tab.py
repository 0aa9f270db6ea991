"""The Video tab: a video goes up, is watched, cancelled, found again, and comes back."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from urllib.parse import urljoin

import pytest
from browsing import Visit, Watch, drop, violations
from drawn import SAMPLES
from playwright.sync_api import Page, expect

CLIP = SAMPLES / "clip.mp4"
LONG_MS = 120_000
# What the player has at the moment at which a job is removed.
WATCH_PLAYER = """() => {
    const { fetch } = window;
    window.fetch = (...given) => {
        if (given[1]?.method === "DELETE") {
            window.playerHadVideo = document.querySelector("#video-player").hasAttribute("src");
        }
        return fetch(...given);
    };
}"""


def give(page: Page) -> None:
    drop(page, "#video-drop", CLIP)
    expect(page.get_by_text("Labelling faces")).to_be_visible(timeout=LONG_MS)


def progress(page: Page) -> float:
    return float(page.locator("#video-progress").evaluate("bar => bar.position"))


def job_id(page: Page) -> str:
    return str(page.evaluate("JSON.parse(sessionStorage.getItem('gclf-live job')).id"))


@pytest.mark.slow
def test_a_dropped_video_is_watched_through_a_reload_and_comes_back(visit: Visit, server: str) -> None:
    page = visit(tab="video")
    give(page)
    seen: set[float] = set()
    left: set[str] = set()
    deadline_s = time.monotonic() + 60
    while (len(seen) < 3 or not any(left)) and time.monotonic() < deadline_s:
        share = progress(page)
        if 0 < share < 1:
            seen.add(share)
            left.add(page.locator("#video-left").inner_text())
        page.wait_for_timeout(100)
    assert len(seen) >= 3
    assert any(re.fullmatch(r"a few seconds left|about \d+ (s|min) left", words) for words in left), left

    before = job_id(page)
    page.reload()
    expect(page.get_by_role("heading", name="clip.mp4").first).to_be_visible()
    assert job_id(page) == before

    expect(page.locator("#video-done")).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#video-summary")).to_contain_text("10.0 s of video · 300 frames")
    _plays(page)
    _tells_shares_and_tracks(page)
    _offers_files(page, server)
    for theme in ("light", "dark"):
        # Without the fading from one theme's colours to the other's.
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")
        assert violations(page) == []

    page.get_by_role("button", name="Another video").click()
    expect(page.get_by_text("Drop a video here")).to_be_visible()
    page.reload()  # it is found again, for as long as the server keeps it
    assert violations(page) == []
    page.get_by_role("button", name="Show the result of clip.mp4").click()
    expect(page.locator("#video-done")).to_be_visible()
    assert job_id(page) == before

    page.evaluate(WATCH_PLAYER)
    page.get_by_role("button", name="Remove").click()
    expect(page.get_by_text("Drop a video here")).to_be_visible()
    assert page.evaluate("window.playerHadVideo") is False, "it would ask for a video that is gone"
    expect(page.locator("#video-earlier")).to_be_hidden()
    assert page.request.get(f"{server}v1/jobs/{before}").status == 404


def _plays(page: Page) -> None:
    player = page.locator("#video-player")
    player.evaluate("async player => { player.muted = true; await player.play(); }")
    assert player.evaluate("player => [player.videoWidth, player.videoHeight]") == [1280, 720]
    assert round(float(player.evaluate("player => player.duration"))) == 10
    page.get_by_role("button", name="Play from 0:05.0").first.click()
    page.wait_for_timeout(300)
    assert float(player.evaluate("player => player.currentTime")) >= 4.9


def _tells_shares_and_tracks(page: Page) -> None:
    shares = page.locator("#video-shares .share")
    expect(shares).to_have_count(2)
    expect(shares.first).to_contain_text("female")
    expect(shares.first).to_contain_text("95 %:")
    rows = page.locator("#video-tracks tbody tr")
    assert rows.count() >= 8
    expect(rows.first).to_contain_text("#1")
    labels = rows.locator("td.label").all_inner_texts()
    assert {text.split()[0] for text in labels} >= {"female", "male"}


def _offers_files(page: Page, server: str) -> None:
    links = page.locator("#video-downloads a")
    starts = {}
    for link in links.all():
        answer = page.request.get(urljoin(server, link.get_attribute("href") or ""))
        assert answer.ok
        starts[str(link.get_attribute("download"))] = answer.body()[:12]
    assert list(starts) == [
        *("clip.annotated.mp4", "clip.tracks.csv", "clip.faces.csv"),
        *("clip.subtitles.vtt", "clip.report.html", "clip.result.json"),
    ]
    assert starts["clip.annotated.mp4"][4:8] == b"ftyp"
    assert starts["clip.tracks.csv"].startswith(b"track_id")
    assert starts["clip.subtitles.vtt"].startswith(b"WEBVTT")


@pytest.mark.slow
def test_cancel_cancels(visit: Visit, server: str) -> None:
    page = visit(tab="video")
    give(page)
    job = job_id(page)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled")
    expect(page.get_by_text("Drop a video here")).to_be_visible()
    expect(page.locator("#video-input")).to_be_focused()
    answer = page.request.get(f"{server}v1/jobs/{job}")
    assert answer.status == 404 or answer.json()["state"] == "cancelled"
    page.reload()
    expect(page.get_by_text("Drop a video here")).to_be_visible()


@pytest.mark.slow
def test_a_private_copy_has_totals_and_no_tracks(visit: Visit) -> None:
    page = visit(tab="video")
    page.get_by_label("Make every face unrecognisable").check()
    drop(page, "#video-drop", CLIP)
    expect(page.locator("#video-done")).to_be_visible(timeout=LONG_MS)
    expect(page.locator("#video-shares .share")).to_have_count(2)
    expect(page.locator("#video-tracks-card")).to_be_hidden()
    expect(page.get_by_role("link", name="Faces in every frame, CSV")).to_have_count(0)


def test_what_is_no_video_is_told(visit: Visit, watch: Watch, tmp_path: Path) -> None:
    fake = tmp_path / "talk.mp4"
    fake.write_bytes(b"no video at all " * 400)
    watch.expected.append("the server responded with a status of 4")
    page = visit(tab="video")
    drop(page, "#video-drop", fake)
    expect(page.get_by_role("alert")).to_contain_text("talk.mp4")
    expect(page.get_by_text("Drop a video here")).to_be_visible()


def test_a_job_that_is_gone_is_told_after_a_reload(visit: Visit, watch: Watch) -> None:
    watch.expected.append("the server responded with a status of 404")
    gone = 'sessionStorage.setItem("gclf-live job", \'{"id": "AAAAAAAAAAAAAAAAAAAAAA", "name": "talk.mp4"}\')'
    page = visit(tab="video", script=gone)
    expect(page.get_by_role("alert")).to_contain_text("This job is not on the server any more")
    expect(page.get_by_text("Drop a video here")).to_be_visible()


def test_leaving_while_a_second_video_is_sent_is_asked_about(visit: Visit, watch: Watch) -> None:
    watch.expected.append("the server responded with a status of 404")  # for the first one's copy
    kept = (
        'sessionStorage.setItem("gclf-live job", \'{"id": "AAAAAAAAAAAAAAAAAAAAAA", "name": "first.mp4"}\')'
    )
    page = visit(tab="picture", script=kept)
    done = {"state": "done", "files": {"video": "/v1/jobs/AAAAAAAAAAAAAAAAAAAAAA/video.mp4"}, "tracks": []}
    told = f"data: {json.dumps(done)}\n\n"
    page.route(
        "**/v1/jobs/*/events", lambda route: route.fulfill(body=told, content_type="text/event-stream")
    )
    page.route("**/v1/jobs/AAAAAAAAAAAAAAAAAAAAAA", lambda route: route.fulfill(json=done))
    page.route("**/v1/jobs", lambda route: None)  # the second one is on its way for as long as the test runs
    page.goto(page.url.replace("#picture", "#video"))
    page.reload()
    expect(page.locator("#video-done")).to_be_visible()
    asked = "!window.dispatchEvent(new Event('beforeunload', { cancelable: true }))"
    assert not page.evaluate(asked)
    drop(page, "body", CLIP)
    expect(page.get_by_text("Sending the video")).to_be_visible()
    assert page.evaluate(asked)
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("alert")).to_contain_text("Cancelled")
    assert not page.evaluate(asked)
