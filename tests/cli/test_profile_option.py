"""``--profile`` and ``--trace``: what they print and write, for files and for the live window."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_answers import Answer, Command
from face_makers import ColourClassifier, Face, scene
from media_makers import make_video

from gclf_live.media.pictures import write_picture
from gclf_live.media.source import FramePolicy
from gclf_live.output.window import LiveWindow
from gclf_live.pipeline.live import LiveLabeller
from gclf_live.pipeline.session import LiveSession
from gclf_live.profiling import Profiler
from gclf_live.records import U8

Run = Callable[..., Answer]
ROOT = Path(__file__).parent.parent.parent
FACE = Face("collins", 160, 120, 90)
FILE_STAGES = {
    *("load", "decode", "wait", "shot cuts", "detect", "track", "crop", "classify"),
    *("interpolate", "draw", "encode", "tables"),
}
LIVE_STAGES = {
    *("load", "capture", "wait", "shot cuts", "detect", "track", "crop", "classify", "smooth", "draw"),
    "record",
}


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Half a second with one face."""
    return make_video(tmp_path / "v.mp4", images=[scene(FACE)] * 8, fps=16)


@pytest.fixture
def annotate(command: Command, weights: Path, clip: Path, tmp_path: Path) -> Run:
    """Annotate the clip with weights that mean nothing."""

    def call(*arguments: object) -> Answer:
        options = ("--device", "cpu", "--weights", weights, "--preset", "ultrafast")
        return command("annotate", *options, clip, "-o", tmp_path / "out.mp4", *arguments)

    return call


@pytest.fixture
def live(command: Command, weights: Path, clip: Path) -> Run:
    """Play the clip live, without a window."""

    def call(*arguments: object) -> Answer:
        return command("--device", "cpu", "--weights", weights, "--source", clip, "--no-window", *arguments)

    return call


def _table(text: str) -> list[str]:
    """The lines of the table that a text contains, the header first."""
    lines = text.splitlines()
    (at,) = (i for i, line in enumerate(lines) if line.startswith("stage "))
    (end,) = (i for i, line in enumerate(lines) if line.startswith("wall time "))
    return lines[at : end + 1]


def _by_thread(document: Any) -> dict[tuple[str, str], dict[str, Any]]:
    return {(row["stage"], row["thread"]): row for row in document["profile"]["stages"]}


def test_annotate_prints_every_stage_with_its_figures(annotate: Run, tmp_path: Path) -> None:
    answer = annotate("--profile", "--tracks", tmp_path / "t.csv")
    assert answer.code == 0
    table = _table(answer.err)
    for stage in FILE_STAGES:
        assert any(line.startswith(f"{stage} ") for line in table), stage
    assert "stage " not in answer.out
    assert answer.out.startswith(f"{tmp_path / 'out.mp4'}: ")


def test_annotate_json_has_the_profile_when_it_was_asked_for(annotate: Run, tmp_path: Path) -> None:
    answer = annotate("--profile", "--json", "--tracks", tmp_path / "t.csv")
    rows = _by_thread(answer.document)
    assert {stage for stage, _ in rows} == FILE_STAGES
    assert rows["draw", "draw, second pass"]["calls"] == rows["shot cuts", "decode, first pass"]["calls"] == 8
    # One more: the look that finds the end of the file. The first pass also makes a preview of each frame.
    assert rows["decode", "draw, second pass"]["calls"] == 9
    assert rows["decode", "decode, first pass"]["calls"] == 9 + 8
    profile = answer.document["profile"]
    main_s = sum(row["total_s"] for (_, thread), row in rows.items() if thread == "main")
    assert main_s + profile["unaccounted_s"] == pytest.approx(profile["wall_s"], abs=1e-4)
    searching = rows["detect", "search, first pass"]
    assert searching["share"] == pytest.approx(searching["total_s"] / profile["wall_s"], abs=1e-3)


def test_without_the_option_nothing_is_said(annotate: Run) -> None:
    answer = annotate("--json")
    assert "profile" not in answer.document
    assert "wall time" not in answer.err


def test_picture_is_profiled_too(command: Command, weights: Path, tmp_path: Path) -> None:
    write_picture(tmp_path / "p.png", scene(FACE))
    answer = command(
        *("annotate", "--device", "cpu", "--weights", weights, "--profile", "--json"),
        *(tmp_path / "p.png", "-o", tmp_path / "out.png"),
    )
    stages = {stage for stage, _ in _by_thread(answer.document)}
    assert stages == {"load", "decode", "label picture", "draw", "encode"}


def test_live_prints_every_stage_and_its_json_has_them(live: Run, tmp_path: Path) -> None:
    answer = live("--profile", "--json", "--record", tmp_path / "r.mp4")
    assert answer.code == 0
    rows = _by_thread(answer.document)
    assert {stage for stage, _ in rows} == LIVE_STAGES
    assert rows["detect", "main"]["calls"] == 8
    assert rows["record", "record r.mp4"]["calls"] == 8
    capture_threads = {thread for stage, thread in rows if stage == "capture"}
    assert "main" not in capture_threads
    assert len(capture_threads) == 1
    table = _table(answer.err)
    for stage in LIVE_STAGES:
        assert any(line.startswith(f"{stage} ") for line in table), stage


def test_window_is_a_stage_of_its_own() -> None:
    class Stream:
        width_px, height_px, name = 320, 240, "pictures"

        def __init__(self) -> None:
            self._left = 3

        def read(self) -> U8 | None:
            self._left -= 1
            return scene(FACE).copy() if self._left >= 0 else None

        def close(self) -> None:
            return

    class Screen:
        def open(self, title: str, *, width_px: int, height_px: int) -> None:
            return

        def show(self, title: str, image: U8) -> None:
            return

        def wait_key(self, wait_ms: int) -> int:
            return -1

        def is_visible(self, title: str) -> bool:
            return True

        def close(self, title: str) -> None:
            return

    profiler = Profiler()
    LiveSession(
        Stream(),
        LiveLabeller(ColourClassifier()),  # type: ignore[arg-type]
        window=LiveWindow(backend=Screen(), check=lambda: None),
        policy=FramePolicy.EVERY,
        spans=profiler,
    ).run()
    calls = {row.stage: row.calls for row in profiler.profile().stages if row.thread == "main"}
    assert calls["draw"] == 3
    assert calls["show"] >= 6, "each picture is handed over, and the keys are asked for"


def test_trace_has_the_stages_of_all_threads(annotate: Run, tmp_path: Path) -> None:
    answer = annotate("--trace", tmp_path / "trace.json")
    assert answer.code == 0
    assert "wall time" not in answer.err, "the trace implies no table"
    assert str(tmp_path / "trace.json") in answer.err
    events = json.loads((tmp_path / "trace.json").read_text())["traceEvents"]
    spans = [event for event in events if event["ph"] == "X"]
    names = {e["tid"]: e["args"]["name"] for e in events if e["name"] == "thread_name"}
    assert {event["name"] for event in spans} == FILE_STAGES - {"tables"}
    assert set(names.values()) == {"main", "decode, first pass", "search, first pass", "draw, second pass"}
    assert {event["tid"] for event in spans} == names.keys()


def test_trace_that_exists_is_refused_before_the_work(annotate: Run, live: Run, tmp_path: Path) -> None:
    trace = tmp_path / "trace.json"
    trace.write_text("precious")
    for run in (annotate, live):
        answer = run("--trace", trace)
        assert answer.code == 1
        assert "--overwrite" in answer.error
    assert trace.read_text() == "precious"
    assert not (tmp_path / "out.mp4").exists()
    assert annotate("--trace", trace, "--overwrite").code == 0
    assert trace.read_text().startswith("{")


def test_trace_needs_a_name_of_its_own_that_says_what_it_is(annotate: Run, tmp_path: Path) -> None:
    answer = annotate("--trace", tmp_path / "trace.txt")
    assert (answer.code, ".json or .json.gz" in answer.error) == (2, True)
    answer = annotate("--trace", tmp_path / "t.json", "--tracks", tmp_path / "t.json")
    assert (answer.code, "file of its own" in answer.error) == (2, True)


def test_failure_still_gets_its_table_and_its_own_exit_code(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    (tmp_path / "bad.mp4").write_bytes(b"no video" * 50)
    answer = command(
        *("annotate", "--device", "cpu", "--weights", weights, "--profile"),
        *(tmp_path / "bad.mp4", "-o", tmp_path / "out.mp4"),
    )
    assert answer.code == 1
    assert _table(answer.err)[1].startswith("load ")


def test_interrupted_run_prints_its_table_and_writes_its_trace(weights: Path, tmp_path: Path) -> None:
    long = make_video(tmp_path / "long.mp4", frames=600, fps=10)
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "gclf_live", "--source", str(long), "--no-window", "--device", "cpu"),
            *("--weights", str(weights), "--profile", "--trace", str(tmp_path / "t.json")),
            *("--record", str(tmp_path / "r.mp4")),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    end = time.monotonic() + 120
    while not any(path.stat().st_size > 0 for path in tmp_path.glob(".gclf-*.mp4")):
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < end, "nothing was recorded"
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=120)
    assert process.returncode == 130
    assert any(line.startswith("detect ") for line in _table(err))
    assert json.loads((tmp_path / "t.json").read_text())["traceEvents"]
