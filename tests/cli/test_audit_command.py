"""``audit`` in the terminal: asking, stopping and going on, summing up, comparing, and what it refuses."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from command_answers import Answer, Command

from gclf_live.screentime.audit_answers import DEFAULT_NAME
from gclf_live.screentime.result import Result, ResultTrack, without_people
from gclf_live.screentime.result_file import read_result, write_result

PATIENCE_S = 60.0
CLASSES = ("female", "male")
BRIGHT, DARK = 220, 30

Audit = Callable[..., Answer]


def _crop(shade: int) -> bytes:
    return cv2.imencode(".jpg", np.full((96, 96, 3), shade, np.uint8))[1].tobytes()


def _track(track_id: int, *, is_female: bool, says: str, **changes: Any) -> ResultTrack:
    """A track whose picture is bright if it is female, whatever the tool says."""
    chances = {"female": 0.97, "male": 0.03} if says == "female" else {"female": 0.03, "male": 0.97}
    values: dict[str, Any] = {
        "track_id": track_id,
        "spans_s": ((float(track_id), track_id + 2.0),),
        "seconds": 2.0,
        "faces": 50,
        "classified": 8,
        "median_height_px": 90.0,
        "label": says,
        "confidence": 0.97,
        "probabilities": chances,
        "crop_jpeg": _crop(BRIGHT if is_female else DARK),
    }
    return ResultTrack(**(values | changes))


def _result(name: str, tracks: list[ResultTrack], **changes: Any) -> Result:
    values: dict[str, Any] = {
        "name": name,
        "source_sha256": name.encode().hex(),
        "weights_sha256": "ab" * 32,
        "settings": {"threshold": 0.8},
        "classes": CLASSES,
        "class_prior": (0.5, 0.5),
        "from_s": 0.0,
        "to_s": 60.0,
        "frames": 1500,
        "frames_with_face": 900,
        "width_px": 1280,
        "height_px": 720,
        "cuts": 0,
        "damaged": "",
        "tracks": tuple(tracks),
    }
    return Result(**(values | changes))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two results: 30 tracks of women, 5 of them called male, and 30 of men, all called so."""
    folder = tmp_path / "results"
    folder.mkdir()
    women = [_track(n, is_female=True, says="male" if n <= 5 else "female") for n in range(1, 31)]
    men = [_track(n, is_female=False, says="male") for n in range(1, 31)]
    write_result(folder / "a.result.json", _result("a.mp4", women))
    write_result(folder / "b.result.json", _result("b.mp4", men))
    return folder


@pytest.fixture
def audit(command: Command, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Audit:
    """Run ``audit`` on the folder without a display, with these keys typed, each with Enter."""
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)

    def call(*arguments: object, keys: str = "", on: Path = folder) -> Answer:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{key}\n" for key in keys)))
        return command("audit", on, *arguments)

    return call


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def _right_keys(folder: Path, answers: Path) -> str:
    """What a person sees: f for a bright picture, m for a dark one, in the order of the sample."""
    shades = {
        (result.name, track.track_id): cv2.imdecode(np.frombuffer(track.crop_jpeg, np.uint8), 1).mean()
        for result in map(read_result, folder.glob("*.result.json"))
        for track in result.tracks
    }
    plan = _lines(answers)[0]
    drawn = [(plan["results"][each["result"]]["name"], each["track_id"]) for each in plan["sample"]]
    return "".join("f" if shades[key] > 128 else "m" for key in drawn)


def test_whole_audit_finds_the_mistakes_and_corrects_the_share(audit: Audit, folder: Path) -> None:
    answers = folder / "audit.jsonl"
    assert audit("-n", "60").code == 0
    answer = audit("--json", keys=_right_keys(folder, answers))
    assert answer.code == 0
    found = answer.document
    assert (found["drawn"], found["answered"], found["tracks"]) == (60, 60, 60)
    assert found["by_seconds"]["accuracy"] == pytest.approx(55 / 60, abs=1e-4)
    assert found["by_seconds"]["accuracy_interval"] == [found["by_seconds"]["accuracy"]] * 2, "a census"
    assert found["by_tracks"]["recall"]["female"]["value"] == pytest.approx(25 / 30, abs=1e-4)
    assert found["by_tracks"]["precision"]["female"]["value"] == 1
    assert found["shares"]["female"]["labelled"] == pytest.approx(25 / 60, abs=1e-4)
    assert found["shares"]["female"]["corrected"] == pytest.approx(0.5)
    assert found["confusion"]["answers"] == [[25, 5, 0, 0], [0, 30, 0, 0], [0, 0, 0, 0]]
    assert found["confusion"]["seconds"][0] == pytest.approx([50, 10, 0, 0])


def test_sample_has_intervals_that_hold_the_truth(audit: Audit, folder: Path) -> None:
    audit("-n", "30")
    found = audit("--json", keys=_right_keys(folder, folder / "audit.jsonl")).document
    low, high = found["shares"]["female"]["corrected_interval"]
    assert low < 0.5 < high
    assert high - low > 0.02


def test_audit_stops_with_q_and_goes_on(audit: Audit, folder: Path) -> None:
    first = audit("-n", "10", keys="fmq")
    assert first.code == 0
    assert "2 of 10 tracks have an answer; the same command goes on from there" in first.err
    second = audit(keys="u")
    assert "3 of 10: unclear" in second.err
    stored = [(line["number"], line["answer"]) for line in _lines(folder / "audit.jsonl")[1:]]
    assert stored == [(1, "female"), (2, "male"), (3, None)]


def test_tool_s_label_is_nowhere_while_it_asks(audit: Audit) -> None:
    asked = audit("-n", "5", keys="q").err
    shown = asked[asked.index("1 of 5") :]
    assert "female" not in shown
    assert "male" not in shown


def test_mistyped_keys_are_named_and_back_corrects(audit: Audit, folder: Path) -> None:
    answer = audit("-n", "5", keys="xFbmq")
    assert "no such key; there are f, m, u, b, q" in answer.err
    assert "1 of 5, you said female: male" in answer.err
    assert [line["answer"] for line in _lines(folder / "audit.jsonl")[1:]] == ["female", "male"]


def test_contact_sheets_show_every_track_by_number(audit: Audit, folder: Path) -> None:
    audit("-n", "60")
    assert [path.name for path in sorted(folder.glob("*.png"))] == ["audit.sheet-1.png"]
    sheet = cv2.imread(str(folder / "audit.sheet-1.png"))
    bright = (sheet.min(axis=2) > BRIGHT - 10) & (sheet.max(axis=2) < BRIGHT + 10)
    dark = (sheet.max(axis=2) < DARK + 8) & (sheet.min(axis=2) > DARK - 8)
    area = 116 * 116
    assert int(bright.sum()) == pytest.approx(30 * area, rel=0.02)
    assert int(dark.sum()) == pytest.approx(30 * area, rel=0.02)


def test_summary_asks_nothing(audit: Audit) -> None:
    audit("-n", "40", keys="fmfmfmu")
    answer = audit("--summary", keys="ffff")
    assert answer.code == 0
    assert "7 of 40 drawn tracks answered, out of 60 in 2 results" in answer.out
    assert "corrected by the audit" in answer.out
    assert answer.err == ""


def test_nothing_answered_yet_is_said(audit: Audit) -> None:
    audit("-n", "5")
    plain, document = audit("--summary"), audit("--summary", "--json")
    assert "no track has an answer yet" in plain.err
    assert plain.out == ""
    assert document.document == {"drawn": 5, "answered": 0}


def test_torn_line_is_dropped_with_a_word(audit: Audit, folder: Path) -> None:
    audit("-n", "5", keys="fm")
    with (folder / "audit.jsonl").open("a") as file:
        file.write('{"number": 3, "ans')
    answer = audit(keys="m")
    assert "the last line of" in answer.err
    assert "3 of 5: male" in answer.err
    assert len(_lines(folder / "audit.jsonl")) == 4


def test_two_people_are_compared(audit: Audit, folder: Path) -> None:
    first, second = folder / "audit.jsonl", folder / "second.jsonl"
    audit("-n", "20", keys="fm" * 10)
    audit("-n", "20", "--answers", second, keys="fm" * 9 + "mm")
    answer = audit("--compare", second)
    assert answer.out.splitlines()[0] == "20 tracks answered by both: 95.0 % (76.4 to 99.1) alike"
    assert "Cohen's kappa 0.90" in answer.out
    assert "they differ on number 19" in answer.out
    found = audit("--compare", second, "--json").document
    assert (found["count"], found["kappa"], found["differing"]) == (20, 0.9, [19])
    assert first.exists()


def test_people_who_were_asked_about_other_tracks_cannot_be_compared(audit: Audit, folder: Path) -> None:
    other = folder / "other.jsonl"
    audit("-n", "20", keys="f")
    audit("-n", "20", "--seed", "5", "--answers", other, keys="f")
    answer = audit("--compare", other)
    assert answer.code == 2
    assert "asks about other tracks" in answer.error


def test_order_in_which_results_are_named_does_not_matter(
    command: Command, audit: Audit, folder: Path
) -> None:
    audit("-n", "20", keys="f")
    one, other = folder / "a.result.json", folder / "b.result.json"
    answer = command("audit", other, one, other, "--answers", folder / "audit.jsonl", "--summary")
    assert answer.code == 0
    assert "1 of 20 drawn tracks answered" in answer.out


def test_result_that_has_changed_since_is_refused(audit: Audit, folder: Path) -> None:
    audit("-n", "5", keys="f")
    path = folder / "a.result.json"
    write_result(path, replace(read_result(path), cuts=1), overwrite=True)
    answer = audit(keys="f")
    assert answer.code == 2
    assert "the result of 'a.mp4' has changed since the audit began" in answer.error
    assert len(_lines(folder / "audit.jsonl")) == 2


def test_result_that_is_missing_is_refused(audit: Audit, folder: Path) -> None:
    audit("-n", "5", keys="f")
    (folder / "b.result.json").unlink()
    assert "begun with 2 results and got 1: 'b.mp4' is missing" in audit().error


def test_result_that_was_added_is_refused(audit: Audit, folder: Path) -> None:
    audit("-n", "5", keys="f")
    write_result(folder / "c.result.json", _result("c.mp4", [_track(1, is_female=True, says="female")]))
    assert "begun with 2 results and got 3: 'c.mp4' was not among them" in audit("--summary").error


@pytest.mark.parametrize(("option", "value"), [("-n", "7"), ("--seed", "3")])
def test_another_draw_into_the_same_file_is_refused(audit: Audit, option: str, value: str) -> None:
    audit("-n", "5", "--seed", "2", keys="f")
    answer = audit(option, value)
    assert answer.code == 2
    assert f"{option} {value} was given" in answer.error


def test_results_of_different_weights_are_refused_unless_allowed(audit: Audit, folder: Path) -> None:
    path = folder / "b.result.json"
    write_result(path, replace(read_result(path), weights_sha256="cd" * 32), overwrite=True)
    answer = audit("-n", "5")
    assert answer.code == 2
    assert "different weights" in answer.error
    assert not (folder / "audit.jsonl").exists()
    assert audit("-n", "5", "--allow-mixed", keys="f").code == 0


def test_results_of_different_settings_are_refused_unless_allowed(audit: Audit, folder: Path) -> None:
    path = folder / "b.result.json"
    write_result(path, replace(read_result(path), settings={"min_face_px": 40}), overwrite=True)
    answer = audit("-n", "5")
    assert answer.code == 2
    assert "measured differently (" in answer.error
    assert audit("-n", "5", "--allow-mixed", keys="f").code == 0


def test_results_of_other_classes_are_refused_always(audit: Audit, folder: Path) -> None:
    write_result(folder / "c.result.json", _result("c.mp4", [], classes=("cat", "dog")))
    error = audit("--allow-mixed").error
    assert "have the classes female, male and cat, dog. Give results of the same" in error


@pytest.mark.parametrize(
    ("classes", "told"),
    [
        (("excluded", "shown"), "a class is called 'excluded'"),
        (tuple(f"class {n}" for n in range(40)), "have 40 classes; there are keys for 32"),
    ],
)
def test_classes_that_cannot_be_asked_about_are_told(
    audit: Audit, tmp_path: Path, classes: tuple[str, ...], told: str
) -> None:
    chances = {name: 1 / len(classes) for name in classes}
    track = _track(1, is_female=True, says="female", label="unsure", probabilities=chances)
    prior = tuple(chances.values())
    write_result(tmp_path / "odd.json", _result("odd.mp4", [track], classes=classes, class_prior=prior))
    assert told in audit(on=tmp_path / "odd.json").error
    assert not (tmp_path / "audit.jsonl").exists()


def test_classes_of_one_s_own_have_keys_of_their_own(audit: Audit, tmp_path: Path) -> None:
    classes = ("blond", "brown", "red")
    chances = dict(zip(classes, (0.9, 0.05, 0.05), strict=True))
    tracks = [_track(n, is_female=True, says="female", label="blond", probabilities=chances) for n in (1, 2)]
    path = tmp_path / "hair.json"
    write_result(path, _result("hair.mp4", tracks, classes=classes, class_prior=(0.4, 0.4, 0.2)))
    answer = audit("--json", on=path, keys="lr")
    assert "keys: l blond, r brown, e red, u unclear, b back, q stop" in answer.err
    assert answer.document["by_seconds"]["precision"]["blond"]["value"] == 0.5
    assert answer.document["shares"]["brown"]["corrected"] == 0.5


def test_same_video_twice_is_refused(audit: Audit, folder: Path) -> None:
    write_result(folder / "c.result.json", replace(read_result(folder / "a.result.json"), cuts=9))
    assert "are of the same video ('a.mp4')" in audit().error


def test_privacy_is_told_in_one_line(audit: Audit, folder: Path) -> None:
    path = folder / "a.result.json"
    write_result(path, without_people(read_result(path)), overwrite=True)
    answer = audit()
    assert answer.code == 1
    assert "was made with --privacy and holds no picture of a face" in answer.error


def test_results_without_a_picture_are_told(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "bare.json"
    write_result(path, _result("bare.mp4", [_track(1, is_female=True, says="female", crop_jpeg=b"")]))
    assert "no track to show" in audit(on=path).error


def test_tracks_without_a_picture_are_counted_beside_the_figures(audit: Audit, folder: Path) -> None:
    bare = _track(1, is_female=True, says="female", crop_jpeg=b"", seconds=3.5)
    write_result(folder / "c.result.json", _result("c.mp4", [bare]))
    answer = audit("-n", "5", keys="f")
    assert "1 track(s) of 3.5 s without a picture or time on screen are in no figure" in answer.out


def test_picture_that_is_none_is_told(audit: Audit, tmp_path: Path) -> None:
    path = tmp_path / "torn.json"
    write_result(path, _result("torn.mp4", [_track(1, is_female=True, says="female", crop_jpeg=b"JFIF")]))
    answer = audit("-n", "1", on=path)
    assert answer.code == 1
    assert "picture of track number 1 of the sample is damaged" in answer.err
    assert "Traceback" not in answer.err


@pytest.mark.parametrize("option", ["--summary", "--compare"])
def test_answers_that_are_not_there_are_told(audit: Audit, tmp_path: Path, option: str) -> None:
    value = [tmp_path / "none.jsonl"] if option == "--compare" else []
    assert "no answers at" in audit(option, *value, "--answers", tmp_path / "none.jsonl").error


def test_window_that_is_asked_for_is_missed(audit: Audit) -> None:
    answer = audit("--window", "-n", "5")
    assert answer.code == 1
    assert "no window can be opened" in answer.err


class Terminal:
    """``gclf-live audit`` with a terminal of its own."""

    def __init__(self, *arguments: object) -> None:
        self._master, slave = pty.openpty()
        environ = {k: v for k, v in os.environ.items() if k not in {"DISPLAY", "WAYLAND_DISPLAY"}}
        command = [sys.executable, "-m", "gclf_live", "audit", *map(str, arguments)]
        self.process = subprocess.Popen(
            command,
            stdin=slave,
            stdout=slave,
            stderr=slave,
            env=environ,
            start_new_session=True,
            # A test run in the background is started with Ctrl-C ignored, and its children inherit that.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
        )
        os.close(slave)
        os.set_blocking(self._master, False)
        self.said = ""

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def wait_for(self, words: str) -> None:
        """Read until these words have come; what was read up to them is done with."""
        deadline = time.monotonic() + PATIENCE_S
        while words not in self.said:
            assert time.monotonic() < deadline, f"{words!r} did not come; it said {self.said!r}"
            time.sleep(0.02)
            with contextlib.suppress(OSError):
                self.said += os.read(self._master, 65536).decode()
        self.said = self.said.partition(words)[2]

    def close(self) -> None:
        self.process.kill()
        self.process.wait()
        os.close(self._master)


@pytest.fixture
def terminal() -> Iterator[Callable[..., Terminal]]:
    opened: list[Terminal] = []

    def open_terminal(*arguments: object) -> Terminal:
        opened.append(Terminal(*arguments))
        return opened[-1]

    yield open_terminal
    for each in opened:
        each.close()


def test_keys_at_a_terminal_need_no_enter_and_a_kill_loses_no_answer(
    terminal: Callable[..., Terminal], folder: Path
) -> None:
    first = terminal(folder, "-n", "10")
    first.wait_for("1 of 10: ")
    for number, key in enumerate("fmu", 1):
        first.type(key)
        first.wait_for(f"{number + 1} of 10: ")
    first.process.send_signal(signal.SIGKILL)
    assert first.process.wait(timeout=PATIENCE_S) == -signal.SIGKILL
    assert [line["answer"] for line in _lines(folder / "audit.jsonl")[1:]] == ["female", "male", None]
    second = terminal(folder)
    second.wait_for("4 of 10: ")
    second.type("\x7f")
    second.wait_for("3 of 10, you said unclear: ")
    second.type("m")
    second.wait_for("4 of 10: ")
    second.process.send_signal(signal.SIGINT)
    second.wait_for("interrupted; 3 of 10 tracks have an answer")
    assert second.process.wait(timeout=PATIENCE_S) == 130
    assert [line["answer"] for line in _lines(folder / "audit.jsonl")[4:]] == ["male"]


def test_fast_typing_loses_no_key_and_arrows_are_no_answers(
    terminal: Callable[..., Terminal], folder: Path
) -> None:
    asked = terminal(folder, "-n", "10")
    asked.wait_for("1 of 10: ")
    asked.type("fmufm")
    asked.wait_for("6 of 10: ")
    asked.type("\x1b[B")  # arrow down
    asked.wait_for("no such key")
    asked.wait_for("6 of 10: ")
    asked.type("\x04")
    asked.wait_for("5 of 10 tracks have an answer")
    assert asked.process.wait(timeout=PATIENCE_S) == 0
    assert [line["answer"] for line in _lines(folder / "audit.jsonl")[1:]] == [
        *("female", "male", None, "female", "male")
    ]


def test_help_names_the_file_of_the_answers(command: Command) -> None:
    assert f"{DEFAULT_NAME} beside the first RESULT" in " ".join(command("audit", "--help").out.split())
