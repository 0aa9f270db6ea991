"""The command in a process of its own: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from command_answers import Command as Called
from face_makers import PORTRAITS, Face, scene
from serve_makers import SOON_S, Command, is_running, jpeg, until, video_file
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

Start = Callable[..., Command]


@pytest.fixture
def start() -> Iterator[Start]:
    """Start ``gclf-live serve`` with these arguments; whatever is left of it ends with the test."""
    started: list[Command] = []
    # A short path: with a long one the sockets lie elsewhere, and here is looked for what is left.
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:

        def call(*arguments: object) -> Command:
            started.append(Command(Path(folder), *arguments))
            return started[-1]

        yield call
        for running in started:
            running.close()


def soon_s() -> float:
    """Five seconds of a machine that has nothing else to do."""
    return 5 * max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def nothing_left(running: Command, family: set[int]) -> bool:
    """No process, and no file; a killed process may take a moment to go."""
    until(lambda: not any(is_running(pid) for pid in family))
    return list(running.temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "group", "code", "how"),
    [
        (signal.SIGINT, True, 130, "interrupted"),
        (signal.SIGTERM, False, 143, "terminated"),
    ],
    ids=["Ctrl-C", "SIGTERM"],
)
def test_signal_ends_it_within_5_s_with_everything_that_runs(
    start: Start, weights: Path, tmp_path: Path, number: signal.Signals, group: bool, code: int, how: str
) -> None:
    running = start("--weights", weights)
    url = running.address()
    told: list[str] = []
    with httpx.Client(base_url=url, timeout=SOON_S) as client:
        data = video_file(tmp_path, frames=400, still=False)
        jobs = [client.post("v1/jobs", files={"file": ("a.mp4", data)}).json() for _ in range(2)]

        def follow() -> None:
            address = f"{url}v1/jobs/{jobs[0]['id']}/events"
            with httpx.stream("GET", address, timeout=SOON_S) as answer:
                told.extend(line for line in answer.iter_lines() if line.startswith("data: "))

        following = threading.Thread(target=follow)
        following.start()
        with connect(url.replace("http", "ws") + "v1/live") as live:
            live.send(jpeg(scene(Face("collins", 120, 120))))
            live.recv(timeout=SOON_S)
            until(lambda: any('"progress": 0.' in line for line in told))
            family = running.family()
            assert len(family) > 4
            took_s = running.end(number, group=group)
            with pytest.raises(ConnectionClosed):
                live.recv(timeout=SOON_S)
        following.join()
    assert took_s < soon_s()
    assert running.process.returncode == code
    assert running.lines[-1] == f"gclf-live: {how}; 2 jobs were interrupted"
    assert json.loads(told[-1].removeprefix("data: "))["state"] == "interrupted"
    assert nothing_left(running, family)


def test_second_ctrl_c_leaves_nothing_either(start: Start, weights: Path) -> None:
    running = start("--weights", weights)
    running.address()
    family = running.family()
    running.process.send_signal(signal.SIGINT)
    running.process.send_signal(signal.SIGINT)
    assert running.end(signal.SIGINT) < soon_s()
    assert running.process.returncode == 130
    assert not [line for line in running.lines if "Traceback" in line]
    assert nothing_left(running, family)


@pytest.mark.parametrize("after_s", [0.6, 1.5, 2.5, 3.5])
def test_signal_while_it_starts_leaves_nothing(start: Start, weights: Path, after_s: float) -> None:
    running = start("--weights", weights)
    time.sleep(after_s)
    family = running.family()
    running.end(signal.SIGTERM, group=True)
    assert running.process.returncode in {143, -signal.SIGTERM}
    assert not [line for line in running.lines if "Traceback" in line]
    assert nothing_left(running, family)


def test_long_path_of_the_temporary_folder_does_no_harm(weights: Path, tmp_path: Path) -> None:
    temporary = tmp_path / ("long " * 20)
    temporary.mkdir()
    running = Command(temporary, "--weights", weights)
    try:
        with httpx.Client(base_url=running.address(), timeout=60) as client:
            assert client.get("healthz").status_code == 200
        running.end(signal.SIGTERM)
    finally:
        running.close()
    assert list(temporary.iterdir()) == []


def test_processes_end_when_the_server_is_killed(start: Start, weights: Path) -> None:
    running = start("--weights", weights)
    running.address()
    family = running.family()
    running.end(signal.SIGKILL)
    until(lambda: not any(is_running(pid) for pid in family))


def test_log_tells_neither_pictures_nor_names(start: Start, weights: Path, tmp_path: Path) -> None:
    running = start("--weights", weights)
    url = running.address()
    with httpx.Client(base_url=url, timeout=SOON_S) as client:
        for data in (jpeg(scene(Face("collins", 120, 120))), b"no picture", b""):
            client.post("v1/predict", files={"file": ("secret-name.jpg", data)})
            client.post("v1/jobs", files={"file": ("secret-name.mp4", data)})
        job = client.post("v1/jobs", files={"file": ("secret-name.mp4", video_file(tmp_path))}).json()
        until(lambda: client.get(f"v1/jobs/{job['id']}").json()["state"] == "done")
    running.end(signal.SIGTERM)
    assert len(running.lines) == 3  # the device, the address, the end
    assert "secret" not in "".join(running.lines)
    assert job["id"] not in "".join(running.lines)


def test_shipped_weights_label_the_portraits_right(start: Start) -> None:
    running = start()
    with httpx.Client(base_url=running.address(), timeout=SOON_S) as client:
        assert client.get("v1/model").json()["name"] == "gclf_resnet18"
        names = ("collins", "obama", "biden")
        files = [("file", (name, (PORTRAITS / f"{name}.jpg").read_bytes())) for name in names]
        pictures = client.post("v1/predict", files=files).json()["pictures"]
    assert [p["faces"][0]["label"] for p in pictures] == ["female", "male", "male"]
    running.end(signal.SIGTERM)


def test_address_beyond_this_machine_gets_a_token_that_is_printed(start: Start, weights: Path) -> None:
    running = start("--weights", weights, "--host", "0.0.0.0")
    address = running.address()
    assert "?token=" in address
    local = address.replace("0.0.0.0", "127.0.0.1")
    with httpx.Client(timeout=SOON_S) as client:
        base = local.split("?", maxsplit=1)[0]
        assert client.get(f"{base}v1/model").status_code == 401
        token = local.split("?token=")[1]
        headers = {"authorization": f"Bearer {token}"}
        assert client.get(f"{base}v1/model", headers=headers).status_code == 200
        assert client.get(local, follow_redirects=True).status_code in {200, 404}
        assert client.get(f"{base}v1/model").status_code == 200
    running.end(signal.SIGTERM)


def test_token_that_was_given_is_not_printed(
    start: Start, weights: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GCLF_LIVE_TOKEN", "a-token-of-my-own")
    running = start("--weights", weights)
    address = running.address()
    with httpx.Client(base_url=address, timeout=SOON_S) as client:
        assert client.get("v1/model").status_code == 401
        headers = {"authorization": "Bearer a-token-of-my-own"}
        assert client.get("v1/model", headers=headers).status_code == 200
    running.end(signal.SIGTERM)
    assert "a-token-of-my-own" not in "".join(running.lines)


def test_port_that_is_taken_is_one_line(command: Called, weights: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = command("serve", "--weights", weights, "--port", taken.getsockname()[1])
    assert answer.code == 2
    assert "--port" in answer.error


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "no.such.host.invalid"),
        ("--token", "short"),
        ("--token", "späßchen-mit-umlauten"),
        ("--port", "70000"),
        ("--keep", "0"),
        ("--max-jobs", "0"),
    ],
)
def test_wrong_options_are_one_line(command: Called, arguments: tuple[str, ...]) -> None:
    answer = command("serve", *arguments)
    assert answer.code == 2
    assert answer.error
