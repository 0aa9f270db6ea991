from __future__ import annotations

import io
import re
import sys

import pytest

from gclf_live.output.progress import progress_bar


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True

    def shown(self) -> str:
        return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", self.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    return Terminal()


def test_pipe_gets_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    stream = io.StringIO()
    with progress_bar("film.mp4", 10, stream=stream) as advance:
        advance(5, 10)
    assert stream.getvalue() == ""


def test_dumb_terminal_gets_nothing(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with progress_bar("film.mp4", 10, stream=terminal) as advance:
        advance(5, 10)
    assert terminal.getvalue() == ""


def test_terminal_shows_count_and_total(terminal: Terminal) -> None:
    with progress_bar("film [red].mp4", 4000, stream=terminal) as advance:
        advance(1200, 4000)
    assert "film [red].mp4" in terminal.shown()
    assert "1,200 of 4,000 frames" in terminal.shown()


@pytest.mark.parametrize("total", [None, 0, -1, 100])
def test_total_that_is_unknown_or_wrong_is_not_shown(terminal: Terminal, total: int | None) -> None:
    with progress_bar("film.webm", total, unit="pictures", stream=terminal) as advance:
        advance(120)
    last = terminal.shown().split("film.webm")[-1]
    assert "120 pictures" in last
    assert "of" not in last
    assert "left" not in last
    assert "-" not in last.replace("-:--", "")


def test_total_that_becomes_known_is_shown(terminal: Terminal) -> None:
    with progress_bar("film.webm", stream=terminal) as advance:
        advance(10)
        advance(120, 300)
        advance(130)
    assert "130 of 300 frames" in terminal.shown()


def test_results_in_a_pipe_stay_out_of_the_bar(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    with progress_bar("film.mp4", 10, stream=terminal) as advance:
        advance(5)
        sys.stdout.write('{"a": 1}\n')
    assert capsys.readouterr().out == '{"a": 1}\n'


def test_bar_is_cleared_when_the_work_fails(terminal: Terminal) -> None:
    def work() -> None:
        with progress_bar("film.mp4", 10, stream=terminal) as advance:
            advance(5)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert terminal.getvalue().endswith(("\x1b[2K", "\x1b[?25h"))
