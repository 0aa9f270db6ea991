"""Ways in which a run can end before its end, and how the next one goes on."""

from __future__ import annotations

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_makers import PART_S, Archive, make_clip

from benchmarks.kills import Archive as Killed
from benchmarks.kills import contents, count_parts, differences, journal, kill, kill_through, wait_for_work
from gclf_live.archive.lock import FolderLock
from gclf_live.errors import OutputError

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ROOT = Path(__file__).parent.parent.parent
_SOON_S = 120.0


@pytest.fixture
def killed(clips: Path, archive_weights: Path) -> Killed:
    """The same archive, run by processes of their own."""
    return Killed(clips, part_s=PART_S, video=False, jobs=2, weights=archive_weights)


def _until(condition: Callable[[], object]) -> None:
    end_s = time.monotonic() + _SOON_S
    while not condition():
        assert time.monotonic() < end_s, "did not happen"
        time.sleep(0.01)


def _events(output: Path, event: str) -> int:
    return sum(line.get("event") == event for line in journal(output))


def _is_alive(pid: int) -> bool:
    """Whether a process is there and has not ended."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return status.rpartition(")")[2].split()[0] not in "ZX"


def _workers(pid: int) -> list[int]:
    """The worker processes of a run; Python's own helper is none."""
    found = []
    with contextlib.suppress(OSError):  # it has ended meanwhile
        for text in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if b"spawn_main" in Path(f"/proc/{text}/cmdline").read_bytes():
                    found.append(int(text))
    return found


def _kill_workers(running: subprocess.Popen[bytes]) -> None:
    for pid in _workers(running.pid):
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


@pytest.mark.slow
def test_kills_at_any_moment_lose_nothing_that_was_saved(killed: Killed, tmp_path: Path) -> None:
    pace = killed.finish(tmp_path / "unbroken")
    done = kill_through(killed, tmp_path / "broken", moments=random.Random(6), pace=pace, kills=3)
    assert done > 0
    assert differences(contents(tmp_path / "unbroken"), contents(tmp_path / "broken")) == []
    saved, _, twice = count_parts(list(journal(tmp_path / "broken")))
    assert (saved, twice) == (5, 0)


@linux_only
def test_kill_of_the_first_process_ends_its_workers_and_keeps_what_is_saved(
    killed: Killed, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    running = killed.start(output)
    _until(lambda: _events(output, "saved") >= 1)
    workers = _workers(running.pid)
    running.kill()
    running.communicate()
    assert workers
    _until(lambda: not any(map(_is_alive, workers)))
    killed.finish(output)
    saved, _, twice = count_parts(list(journal(output)))
    assert (saved, twice) == (5, 0)


@linux_only
def test_workers_that_die_are_replaced_and_their_parts_begun_again(killed: Killed, tmp_path: Path) -> None:
    output = tmp_path / "out"
    running = killed.start(output)
    _until(lambda: _events(output, "begun") >= 1)
    _kill_workers(running)
    _, told = running.communicate(timeout=_SOON_S)
    assert running.returncode == 0
    assert told.startswith(b"cpu: as asked")
    assert told.count(b"\n") == 1  # the device, and nothing of the workers
    assert (_events(output, "done"), _events(output, "failed")) == (2, 0)


@linux_only
def test_input_whose_workers_die_again_and_again_has_failed(killed: Killed, tmp_path: Path) -> None:
    running = killed.start(tmp_path / "out")
    while running.poll() is None:
        _kill_workers(running)
        time.sleep(0.05)
    _, told = running.communicate()
    assert running.returncode == 1
    assert told.count(b"the process at work on it died 2 times (SIGKILL); if memory ran out") == 2
    assert b"Traceback" not in told


@linux_only
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_signal_ends_the_run_and_its_workers(
    tmp_path: Path, archive_weights: Path, number: signal.Signals, code: int
) -> None:
    make_clip(tmp_path / "in" / "a.mp4", 12.0)
    output = tmp_path / "out"
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "gclf_live", "annotate", tmp_path / "in", "--out-dir", output),
            *("--no-video", "--weights", archive_weights, "--device", "cpu"),
        ],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that runs the tests in its background leaves Ctrl-C ignored, and children inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # noqa: PLW1509 - no threads here
    )
    _until(lambda: _events(output, "begun") >= 1)
    workers = _workers(running.pid)
    running.send_signal(number)
    _, told = running.communicate(timeout=_SOON_S)
    how = "interrupted" if number == signal.SIGINT else "terminated"
    assert running.returncode == code
    device, last = told.splitlines()
    assert device.startswith("gclf-live: cpu: as asked")
    assert last == f"gclf-live: {how}; 0 of 1 inputs are done; the same command goes on there"
    _until(lambda: not any(map(_is_alive, workers)))
    *_, last = journal(output)
    assert (last["event"], last["how"]) == ("end", "stopped")
    assert list(output.rglob(".gclf-live-*")) == []


def test_second_run_into_the_folder_is_refused(killed: Killed, archive: Archive) -> None:
    running = killed.start(archive.output)
    try:
        wait_for_work(running, archive.output)
        with pytest.raises(
            OutputError, match=rf"another run \(process {running.pid} on .*\) is at work"
        ) as caught:
            archive.run()
        assert "\n" not in str(caught.value)
    finally:
        running.communicate(timeout=_SOON_S)
    assert running.returncode == 0


def test_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with FolderLock(tmp_path / "lock"), pytest.raises(OutputError, match="another run"):
            FolderLock(tmp_path / "lock")


def test_journal_of_another_version_ends_the_run(archive: Archive) -> None:
    archive.run()
    text = archive.journal.read_text()
    archive.journal.write_text(text.replace('"format": 1', '"format": 2', 1))
    with pytest.raises(OutputError, match="has format 2"):
        archive.run()


def test_part_that_cannot_be_read_back_is_analysed_again(killed: Killed, tmp_path: Path) -> None:
    output = tmp_path / "out"
    work = output / ".gclf-live" / "work"
    running = killed.start(output)
    _until(lambda: list(work.rglob("part-*.npz")))
    kill(running)
    path = next(work.rglob("part-*.npz"))
    path.write_bytes(b"rotten")
    killed.finish(output)
    killed.finish(tmp_path / "whole")
    assert differences(contents(tmp_path / "whole"), contents(output)) == []


_DISK = """
set -e
mount -t tmpfs -o size={small} none {disk}
echo FULL; {run} || echo "ended with $?"
mount -o remount,size=64m {disk}
echo ROOM; {run}
cp -r {disk} {copy}
"""


@pytest.mark.skipif(shutil.which("unshare") is None, reason="a small disk needs unshare of util-linux")
def test_full_disk_is_one_line_and_loses_nothing(
    archive: Archive, tmp_path: Path, archive_weights: Path
) -> None:
    disk, copy = tmp_path / "disk", tmp_path / "copy"
    disk.mkdir()
    command = (
        f"{sys.executable} -m gclf_live annotate {archive.inputs} --out-dir {disk}/out --preset ultrafast "
        f"--weights {archive_weights} --device cpu --threshold 0 --crf 5"
    )
    script = _DISK.format(small="200k", disk=disk, run=command, copy=copy)
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script],
        cwd=ROOT,
        capture_output=True,
        check=False,
        text=True,
        timeout=_SOON_S,
    )
    if "FULL" not in done.stdout:
        pytest.skip(f"no small disk here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    full, _, room = done.stdout.partition("ROOM")
    assert "ended with 1" in full
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("gclf-live: cannot")]
    assert re.search("No space left on device.*what is saved is kept", line)
    assert room.count(f"{archive.inputs}/") == 2
    assert "Traceback" not in done.stderr
    assert {path.name for path in (copy / "out").glob("*.result.json")} == {"a.result.json"}
    _, _, twice = count_parts(list(journal(copy / "out")))
    assert twice == 0
