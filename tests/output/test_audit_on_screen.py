"""An audit in a real window, on a virtual X screen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import pytest
import test_window_on_screen as on_screen

from gclf_live.screentime.result import Result, ResultTrack
from gclf_live.screentime.result_file import write_result

pytestmark = on_screen.pytestmark
screen = on_screen.screen  # the fixture: a virtual screen of this module's own

PATIENCE_S = on_screen.PATIENCE_S
# Colours that JPEG keeps; the faces of the two tracks, on which nothing of the card is alike.
RED, BLUE = (40, 40, 230), (230, 60, 40)


@dataclass
class RunningAudit:
    """The command, and the files that it writes."""

    process: subprocess.Popen[bytes]
    answers: Path
    output: Path
    complaints: Path

    def stored(self) -> list[str | None]:
        """The answers so far, in the order in which they were given."""
        return [json.loads(line)["answer"] for line in self.answers.read_text().splitlines()[1:]]


def _track(track_id: int, colour: tuple[int, int, int], label: str) -> ResultTrack:
    face = np.full((96, 96, 3), colour, np.uint8)
    return ResultTrack(
        track_id=track_id,
        spans_s=((0.0, 2.0),),
        seconds=2.0,
        faces=50,
        classified=8,
        median_height_px=90.0,
        label=label,
        confidence=0.97,
        probabilities={"female": 0.97, "male": 0.03} if label == "female" else {"female": 0.03, "male": 0.97},
        crop_jpeg=cv2.imencode(".jpg", face)[1].tobytes(),
    )


@pytest.fixture
def audit(screen: on_screen.Screen, tmp_path: Path) -> Iterator[RunningAudit]:
    result = Result(
        name="talk.mp4",
        source_sha256="12" * 32,
        weights_sha256="ab" * 32,
        settings={"threshold": 0.8},
        classes=("female", "male"),
        class_prior=(0.5, 0.5),
        from_s=0.0,
        to_s=60.0,
        frames=1500,
        frames_with_face=900,
        width_px=1280,
        height_px=720,
        cuts=0,
        damaged="",
        tracks=(_track(1, RED, "female"), _track(2, BLUE, "male")),
    )
    write_result(tmp_path / "talk.result.json", result)
    # What desktops with Wayland set for all programs; the wheel's Qt would abort on it.
    environ = os.environ | {"DISPLAY": screen.display, "QT_QPA_PLATFORM": "wayland"}
    command = [sys.executable, "-m", "gclf_live", "audit", str(tmp_path)]
    output, complaints = tmp_path / "stdout", tmp_path / "stderr"
    with output.open("wb") as stdout, complaints.open("wb") as stderr:
        process = subprocess.Popen(command, env=environ, stdout=stdout, stderr=stderr)
    try:
        window = on_screen._wait_for(
            lambda: screen.xdotool("search", "--onlyvisible", "--name", "gclf-live audit")
        )
        on_screen._wait_for(lambda: bool(_shown(screen)))
        screen.xdotool("windowfocus", "--sync", window)
        yield RunningAudit(process, tmp_path / "audit.jsonl", output, complaints)
    finally:
        process.kill()
        process.wait()


def _shown(screen: on_screen.Screen) -> str:
    """Which face is large on the screen: ``red``, ``blue``, or nothing."""
    pixels = screen.pixels().astype(np.int16)
    for name, colour in (("red", RED), ("blue", BLUE)):
        if int((np.abs(pixels - colour).max(axis=2) < 12).sum()) > 0.9 * 520 * 520:
            return name
    return ""


def test_person_labels_the_faces_that_the_window_shows(screen: on_screen.Screen, audit: RunningAudit) -> None:
    first = _shown(screen)
    second = "blue" if first == "red" else "red"
    keys = {"red": ("f", "female"), "blue": ("m", "male")}
    screen.xdotool("key", "u")
    on_screen._wait_for(lambda: _shown(screen) == second)
    assert audit.stored() == [None]
    screen.xdotool("key", "BackSpace")
    on_screen._wait_for(lambda: _shown(screen) == first)
    screen.xdotool("key", keys[first][0])
    on_screen._wait_for(lambda: _shown(screen) == second)
    screen.xdotool("key", keys[second][0])
    on_screen._wait_for(lambda: _shown(screen) == "")
    assert audit.stored() == [None, keys[first][1], keys[second][1]]
    screen.xdotool("key", "q")
    assert audit.process.wait(timeout=PATIENCE_S) == 0
    assert "2 of 2 drawn tracks answered" in audit.output.read_text()
    assert [line.split(": ")[0] for line in audit.complaints.read_text().splitlines()] == ["gclf-live"] * 2


def test_window_closed_by_mouse_stops_the_audit(screen: on_screen.Screen, audit: RunningAudit) -> None:
    window = screen.xdotool("search", "--onlyvisible", "--name", "gclf-live audit")
    on_screen._close_by_mouse(screen.display, int(window))
    assert audit.process.wait(timeout=PATIENCE_S) == 0
    assert audit.stored() == []
    assert "0 of 2 tracks have an answer" in audit.complaints.read_text()
