"""How far an archive is, on a terminal and nowhere else."""

from __future__ import annotations

import io
import re

import pytest

from gclf_live.archive.display import archive_display, left


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Screen()


def test_file_gets_nothing() -> None:
    stream = io.StringIO()
    with archive_display(stream) as display:
        display.all(1, 2, 0.5)
        display.one("a.mp4", 0.3)
    assert stream.getvalue() == ""


def test_terminal_shows_all_inputs_and_those_in_work(screen: Screen) -> None:
    with archive_display(screen) as display:
        display.all(1204, 10_000, 0.12)
        display.one("news [bold].mp4", 0.5)
    assert "1,204 of 10,000 inputs" in screen.shown()
    assert re.search(r"news \[bold\]\.mp4 .* 50 %", screen.shown())


def test_input_that_has_ended_is_no_longer_shown(screen: Screen) -> None:
    with archive_display(screen) as display:
        display.one("first.mp4", 0.5)
        display.one("first.mp4", 1.0)
        display.one("never-begun.mp4", 1.0)
        before = len(screen.getvalue())
        display.one("second.mp4", 0.1)
    assert "never-begun" not in screen.shown()
    assert "first" not in re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", screen.getvalue()[before:])


@pytest.mark.parametrize(
    ("percent", "left_s", "text"),
    [
        (0.0, None, "0 %"),
        (37.9, 7553.2, "37 %, 2:05:53 left"),
        (99.0, 4.0, "99 %, 0:04 left"),
        (100.0, 0.0, "100 %"),
    ],
)
def test_time_left_is_told_where_it_is_known(percent: float, left_s: float | None, text: str) -> None:
    assert left(percent, left_s) == text
