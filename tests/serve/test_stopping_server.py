"""The command in a process of its own: what it says, and how it ends."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import cast

import httpx
import pytest
import uvicorn
from command_answers import Command as Called
from face_makers import PORTRAITS, Face, scene
from fastapi import FastAPI
from serve_makers import SOON_S, Command, is_running, jpeg, until, video_file
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from gclf_live.serve.engine import Engine
from gclf_live.serve.server import _Server, _undisturbed

Start = Callable[..., Command]

CONFINED = """
import resource
from gclf_live.serve.confine import allow_cpu, confine
from gclf_live.serve.limits import KernelLimits
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
resource.setrlimit(resource.RLIMIT_CPU, (100, 100))
limits = KernelLimits(1 << 30, 20, 1 << 28)
confine(limits)
allow_cpu(limits)
allow_cpu(KernelLimits(1 << 30, 8 * 3600, 0))
which = (resource.RLIMIT_FSIZE, resource.RLIMIT_CPU, resource.RLIMIT_CORE)
print(*(resource.getrlimit(each)[0] for each in which))
"""


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


def test_ctrl_c_for_others_does_not_end_a_job_in_the_background(weights: Path, tmp_path: Path) -> None:
    running = Command(tmp_path, "--weights", weights, in_background=True)
    try:
        with httpx.Client(base_url=running.address(), timeout=60) as client:
            running.process.send_signal(signal.SIGINT)
            time.sleep(0.5)
            assert client.get("healthz").status_code == 200
        how = f"(Ctrl-C is ignored here; kill {running.process.pid} ends it)"
        assert running.lines[-1].endswith(how)
        running.end(signal.SIGTERM)
    finally:
        running.close()
    assert running.process.returncode == 143
    assert running.lines[-1] == "gclf-live: terminated"


def test_ignored_ctrl_c_that_reaches_uvicorns_handler_does_not_end_it_either() -> None:
    """uvicorn installs it for a moment: it would end without a line, and with 0."""
    server = _Server(uvicorn.Config(FastAPI()), FastAPI(), cast(Engine, None), lambda: None)
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with server.capture_signals():
            assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
            server.handle_exit(signal.SIGINT, None)
            assert not server.should_exit
            server.handle_exit(signal.SIGTERM, None)
            assert server.should_exit
            server._captured_signals.clear()  # uvicorn would raise it again
    finally:
        signal.signal(signal.SIGINT, before)


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
    assert running.process.stderr is not None
    others = running.process.stderr.readline().split("from other machines: ")[1].strip()
    assert re.fullmatch(r"http://[\w.-]+:\d+/\?token=[\w-]+", others)
    assert "0.0.0.0" not in others
    assert others.split(":")[2] == address.split(":")[2]
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


def test_page_is_opened_with_the_token_as_it_was_given(
    start: Start, weights: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    opener, opened = tmp_path / "bin" / "xdg-open", tmp_path / "opened"
    opener.parent.mkdir()
    opener.write_text(f'#!/bin/sh\necho "$1" > {opened}.new\nmv {opened}.new {opened}\n')
    opener.chmod(0o755)
    monkeypatch.setenv("PATH", str(opener.parent), prepend=":")
    running = start("--weights", weights, "--open", "--token", "a+b/c=&d#%e f")
    running.address()
    until(opened.exists)
    with httpx.Client(timeout=SOON_S) as client:
        assert client.get(opened.read_text().strip(), follow_redirects=True).status_code == 200
    running.end(signal.SIGTERM)


def test_limits_of_the_user_hold_where_they_are_lower() -> None:
    found = subprocess.run(
        [sys.executable, "-c", CONFINED], capture_output=True, text=True, timeout=SOON_S, check=False
    )
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout == "1000000 100 0\n"


def test_signals_while_it_tidies_up_change_nothing() -> None:
    def refuse(number: int, frame: object) -> None:
        raise AssertionError(number)

    before = {number: signal.signal(number, refuse) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with _undisturbed():
            for number in before:
                os.kill(os.getpid(), number)
        assert [signal.getsignal(number) for number in before] == [refuse, refuse]
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def test_port_that_is_taken_is_one_line(command: Called, weights: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answer = command("serve", "--weights", weights, "--port", taken.getsockname()[1])
    assert answer.code == 2
    assert "--port" in answer.error


@pytest.mark.parametrize(
    "arguments",
    [
        ("--host", "no.such.host.invalid"),
        ("--host", "192.168.1..5"),
        ("--keep", "nan"),
        ("--max-video-seconds", "nan"),
        ("--max-video-seconds", "inf"),
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
