"""The live command with a camera on the network that fails."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from command_answers import Command
from media_makers import frame_times, plain

from benchmarks.stream_servers import NetworkCamera, RtspCamera, until


def test_session_outlives_its_camera_and_never_tells_the_password(
    command: Command, weights: Path, tmp_path: Path
) -> None:
    over = threading.Event()

    def fail_once() -> None:
        while not any(tmp_path.glob(".gclf-*")):  # the recording has begun
            time.sleep(0.02)
        over.wait(1.0)
        camera.stop()
        over.wait(1.0)
        camera.start()

    with RtspCamera(plain(320, 240, 120)) as camera:
        failing = threading.Thread(target=fail_once, daemon=True)
        failing.start()
        answer = command(
            *("--source", camera.url, "--no-window", "--seconds", "6", "--record", tmp_path / "r.mp4"),
            *("--device", "cpu", "--weights", weights, "--threshold", "0", "--json"),
        )
        failing.join()
    assert answer.code == 0, answer.err
    assert answer.document["outages"] >= 1
    assert answer.document["outage_s"] > 0.5
    assert "was lost: it was closed; reconnecting" in answer.err
    assert "is back after" in answer.err
    for secret in ("secret", "abcdefgh"):
        assert secret not in answer.out + answer.err
    assert frame_times(tmp_path / "r.mp4")[-1] > 2


def test_address_that_was_given_as_a_camera_is_refused_without_its_password(command: Command) -> None:
    answer = command("--camera", "rtsp://me:secret@host/1", "--no-window")
    assert answer.code == 2
    assert "rtsp://me:***@host/1" in answer.error
    assert "secret" not in answer.err


def test_summary_names_what_was_missing(command: Command, weights: Path) -> None:
    with NetworkCamera(plain(64, 48, 120)) as camera:

        def stop_soon() -> None:
            until(lambda: camera.accepted)
            time.sleep(1.0)
            camera.stop()

        threading.Thread(target=stop_soon, daemon=True).start()
        answer = command(
            *("--source", camera.url, "--no-window", "--seconds", "3"),
            *("--device", "cpu", "--weights", weights, "--threshold", "0"),
        )
    assert answer.code == 0, answer.err
    assert "no pictures: once, " in answer.out


def test_lost_stream_is_not_looked_for_where_that_is_not_wanted(command: Command, weights: Path) -> None:
    with NetworkCamera(plain(64, 48, 120)) as camera:

        def stop_soon() -> None:
            until(lambda: camera.accepted)
            time.sleep(1.0)
            camera.stop()

        failing = threading.Thread(target=stop_soon, daemon=True)
        failing.start()
        answer = command(
            *("--source", camera.url, "--no-window", "--seconds", "60", "--reconnect", "0", "--json"),
            *("--device", "cpu", "--weights", weights, "--threshold", "0"),
        )
        failing.join()
    assert answer.code == 0, "the end of a stream, as far as anyone can tell"
    assert answer.document["seconds"] < 30
    assert "reconnecting" not in answer.err
