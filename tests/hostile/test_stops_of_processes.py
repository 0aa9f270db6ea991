"""Signals, a closed terminal, readers that have gone and limits of the kernel, met by real processes."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from face_makers import save_tiny_weights
from media_makers import frame_times, make_video

from benchmarks.stop_commands import hidden_files
from benchmarks.stop_running import Running, Surroundings
from gclf_live.cli.stopping import Stopped, StopRequest, stop_on_signals

PORTRAITS = Path(__file__).parent.parent.parent / "samples" / "portraits"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose answers mean nothing."""
    return save_tiny_weights(tmp_path_factory.mktemp("tiny") / "tiny.safetensors")


@pytest.fixture(scope="module")
def noise(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A video that takes a while to encode."""
    tile = np.random.default_rng(3).integers(0, 255, (240, 320, 3), np.uint8)
    images = (np.roll(tile, 37 * i, axis=1) for i in range(240))
    return make_video(tmp_path_factory.mktemp("noise") / "noise.mp4", images=images)


@pytest.fixture
def handlers() -> Iterator[None]:
    """Those of this process, put back; before, none is ignored, as SIGHUP is under ``nohup``."""
    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.getsignal(number) for number in numbers}
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _has_begun(folder: Path, size: int) -> bool:
    return any(path.stat().st_size > size for path in hidden_files(folder))


def test_hang_up_while_a_copy_is_drawn_leaves_a_part_that_plays(
    noise: Path, tiny: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments: list[object] = ["annotate", noise, "-o", out / "o.mp4", "--weights", tiny, "--device", "cpu"]
    with Running(arguments, tmp_path / "log") as running:
        assert running.until(lambda: _has_begun(out, 100_000))
        running.process.send_signal(signal.SIGHUP)
        assert running.wait() == 129
        told = running.said().splitlines()[-1]
    partial = out / "o.partial.mp4"
    assert told == f"gclf-live: hung up; what was done is in '{partial}'"
    assert [path.name for path in out.iterdir()] == ["o.partial.mp4"]
    assert 0 < len(frame_times(partial)) < 240


def test_terminal_that_is_closed_keeps_the_recording(tiny: Path, tmp_path: Path) -> None:
    source = make_video(tmp_path / "v.mp4", frames=300, fps=10)
    out = tmp_path / "out"
    out.mkdir()
    arguments: list[object] = [
        *("--source", source, "--no-window", "--record", out / "r.mp4"),
        *("--weights", tiny, "--device", "cpu"),
    ]
    with Running(arguments, tmp_path / "log", Surroundings(terminal=True)) as running:
        assert running.until(lambda: _has_begun(out, 40))
        running.go_away()
        assert running.wait() == 129
    assert [path.name for path in out.iterdir()] == ["r.partial.mp4"]
    assert len(frame_times(out / "r.partial.mp4")) > 0


def test_terminal_that_is_closed_while_a_hang_up_is_ignored_ends_it_alike(tiny: Path, tmp_path: Path) -> None:
    pictures = [PORTRAITS] * 40
    with Running(
        ["predict", *pictures, "--weights", tiny, "--device", "cpu"],
        tmp_path / "log",
        Surroundings(terminal=True, ignored=(signal.SIGHUP,)),
    ) as running:
        assert running.until(lambda: ".jpg: " in running.said())
        running.go_away()
        assert running.wait() == 129


@pytest.mark.parametrize("closed", [1, 2])
def test_reader_that_has_gone_is_no_trace(tmp_path: Path, closed: int) -> None:
    arguments: list[object] = ["--help"] if closed == 1 else ["report", tmp_path / "missing.json"]
    reader, writer = os.pipe()
    os.close(reader)  # before the command starts: on a busy machine it may be done before we go on
    with (tmp_path / "log").open("wb") as log:
        streams = (writer, log) if closed == 1 else (log, writer)
        done = subprocess.run(
            [sys.executable, "-m", "gclf_live", *map(str, arguments)],
            stdin=subprocess.DEVNULL,
            stdout=streams[0],
            stderr=streams[1],
            check=False,
        )
    os.close(writer)
    assert done.returncode == 1
    assert (tmp_path / "log").read_bytes() == b""


def test_full_disk_behind_standard_output_is_one_line(tmp_path: Path) -> None:
    error = tmp_path / "error"
    with error.open("wb") as told, Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "gclf_live", "--help"], stdout=full, stderr=told, check=False
        )
    assert done.returncode == 1
    assert error.read_text() == (
        "gclf-live: cannot write to standard output: No space left on device. Make room there\n"
    )


def test_memory_that_does_not_suffice_is_one_line(tiny: Path, tmp_path: Path) -> None:
    limits = Surroundings(limits={resource.RLIMIT_AS: 1_000_000_000})
    arguments: list[object] = ["predict", tmp_path, "--weights", tiny, "--device", "cpu"]
    with Running(arguments, tmp_path / "log", limits) as running:
        assert running.wait() == 1
        assert running.said().startswith("gclf-live: memory ran out. ")
        assert running.said().count("\n") == 1


@pytest.mark.parametrize(
    ("number", "how", "code"), [(signal.SIGTERM, "terminated", 143), (signal.SIGHUP, "hung up", 129)]
)
def test_signal_that_ends_a_command_is_heard_once(
    handlers: None, number: signal.Signals, how: str, code: int
) -> None:
    stop_on_signals()
    with pytest.raises(Stopped) as caught:
        signal.raise_signal(number)
    assert (caught.value.how, caught.value.exit_code) == (how, code)
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGHUP)


def test_interrupt_that_comes_where_nothing_can_be_raised_is_not_lost(
    handlers: None, capfd: pytest.CaptureFixture[str]
) -> None:
    class Held:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    hook = sys.unraisablehook
    stop_on_signals()
    try:
        with pytest.raises(Stopped):
            _let_go_and_wait([Held()])
    finally:
        sys.unraisablehook = hook
    assert capfd.readouterr().err == ""


def _let_go_and_wait(held: list[object]) -> None:
    held.clear()
    time.sleep(30)


def test_hang_up_that_is_ignored_stays_ignored(handlers: None) -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    stop_on_signals()
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN


def test_work_that_ends_at_a_place_of_its_own_is_told_of_a_hang_up(handlers: None) -> None:
    stop_on_signals()
    with StopRequest(insist=True) as stop:
        signal.raise_signal(signal.SIGHUP)
        assert stop()
        with pytest.raises(Stopped) as caught:
            stop.pass_on("saved")
    assert (caught.value.exit_code, caught.value.__notes__) == (129, ["saved"])


IMPORTS = """
import sys, time
from gclf_live.cli import stopping

stopping.stop_on_signals()
try:
    import loads_slowly
    time.sleep(60)
except KeyboardInterrupt as stopped:
    print(type(stopped).__name__, sys.modules["loads_slowly"].loaded)
"""
LOADS_SLOWLY = """
import os, time

os.kill(os.getpid(), {number})
end_s = time.monotonic() + 0.3
while time.monotonic() < end_s:
    pass
loaded = True
"""


@pytest.mark.parametrize(
    ("number", "told"),
    [(signal.SIGINT, "KeyboardInterrupt"), (signal.SIGTERM, "Stopped"), (signal.SIGHUP, "Stopped")],
)
def test_signal_while_a_module_is_imported_waits_for_its_end(
    tmp_path: Path, number: signal.Signals, told: str
) -> None:
    """torch's own modules end the process with a core dump where an exception comes up while they load."""
    assert _told(IMPORTS, tmp_path, number) == [told, "True"]


def test_signal_that_waits_can_be_heard_before_the_next_import(tmp_path: Path) -> None:
    """Between two imports the timer may not tick; the second one may be torch, which takes seconds."""
    code = IMPORTS.replace("try:", "stopping._AGAIN_S = 60\ntry:", 1)
    code = code.replace("time.sleep(60)", "stopping.raise_waiting()", 1)
    assert _told(code, tmp_path, signal.SIGTERM) == ["Stopped", "True"]


def _told(code: str, folder: Path, number: signal.Signals) -> list[str]:
    """What ``code`` prints that imports a module during which the signal comes."""
    (folder / "loads_slowly.py").write_text(LOADS_SLOWLY.format(number=int(number)))
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path])}
    done = subprocess.run(
        [sys.executable, "-c", code],
        env=environ,
        check=False,
        capture_output=True,
        text=True,
        timeout=30,
        preexec_fn=_as_a_terminal_starts_it,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.split()


def _as_a_terminal_starts_it() -> None:
    for each in (signal.SIGINT, signal.SIGHUP):
        signal.signal(each, signal.SIG_DFL)
