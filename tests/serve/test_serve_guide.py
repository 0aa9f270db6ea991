"""The guide to the server: its examples run, and it names every option and address."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from serve_makers import ROOT, Serving

from gclf_live.cli.serve import serve

GUIDE = (ROOT / "docs" / "serve.md").read_text("utf-8")


def example(language: str, server: Serving) -> str:
    """The code block in that language, for this server."""
    block = re.search(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)
    assert block is not None
    assert "http://127.0.0.1:8000" in block[1]
    return block[1].replace("http://127.0.0.1:8000", server.url.rstrip("/"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the samples in it, to run examples in."""
    (tmp_path / "samples").symlink_to(ROOT / "samples")
    return tmp_path


def test_curl_example_runs(server: Serving, folder: Path) -> None:
    done = subprocess.run(
        ["bash", "-euc", example("sh", server).replace("curl ", "curl -sS --fail ")],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith('{"pictures":[{"path":"collins.jpg"')
    found = re.search(r'"id":"([\w-]+)"', done.stdout)
    assert found is not None
    server.client.delete(f"v1/jobs/{found[1]}")
    with Image.open(folder / "labelled.jpg") as picture:
        assert picture.size == (720, 900)


def test_python_example_runs(server: Serving, folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", example("python", server)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert re.fullmatch(r"(fe)?male [\d.]+", lines[0])
    assert [line.split(":")[0] for line in lines[1:]] == ["female", "male"]
    assert re.search(r"labelled for [\d.]+ s; \d+% of the face time \(\d+% to \d+%\)$", lines[1])
    assert (folder / "labelled.mp4").stat().st_size > 10_000


def test_guide_names_every_option_and_address(server: Serving) -> None:
    options = {option for parameter in serve.params for option in parameter.opts}
    assert {option for option in options if f"`{option}" not in GUIDE} == set()
    paths = server.client.get("openapi.json").json()["paths"]
    named = {path.replace("{job_id}", "ID").replace("{name}", "NAME") for path in paths}
    assert {path for path in (*named, "/v1/live") if path not in GUIDE} == set()
