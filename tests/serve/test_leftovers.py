"""Temporary folders of servers that were killed go; those of servers that run stay."""

from __future__ import annotations

import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from serve_makers import SOON_S, Command, is_running, until, video_file

from gclf_live.serve.leftovers import PREFIX, Claim, private_folder, remove_leftovers


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for temporary files, whose short path leaves room for the names of sockets."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def abandoned(place: Path, name: str = "one") -> Path:
    """What a server leaves that was killed: a folder that was claimed, with an upload in it."""
    folder = place / f"{PREFIX}{name}"
    (folder / "jobs" / "an-id").mkdir(parents=True)
    (folder / "jobs" / "an-id" / "source").write_bytes(b"a video")
    Claim(folder).release()
    return folder


def test_next_start_removes_what_a_killed_server_left(weights: Path, place: Path, tmp_path: Path) -> None:
    killed, running = Command(place, "--weights", weights), None
    try:
        with httpx.Client(base_url=killed.address(), timeout=SOON_S) as client:
            data = video_file(tmp_path, frames=400, still=False)
            assert client.post("v1/jobs", files={"file": ("a.mp4", data)}).status_code == 202
        family = killed.family()
        killed.end(signal.SIGKILL)
        until(lambda: not any(is_running(pid) for pid in family))
        left = set(place.iterdir())
        assert [path for path in left if list(path.glob("jobs/*/source"))]
        running = Command(place, "--weights", weights)
        running.address()
        own = set(place.iterdir())
        assert not left & own
        assert own
        # One that runs keeps its own when another one starts.
        another = Command(place, "--weights", weights)
        another.address()
        assert own < set(place.iterdir())
        another.end(signal.SIGTERM)
        assert set(place.iterdir()) == own
        running.end(signal.SIGTERM)
        assert list(place.iterdir()) == []
    finally:
        for command in (killed, running):
            if command is not None:
                command.close()


def test_folder_in_use_is_left_alone(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with private_folder() as folder:
        (folder / "kept").write_bytes(b"")
        remove_leftovers(place)
        assert (folder / "kept").exists()
        assert folder.stat().st_mode & 0o077 == 0
        assert folder.parent.stat().st_mode & 0o077 == 0
    assert list(place.iterdir()) == []


def test_folder_whose_owner_has_gone_is_removed(place: Path) -> None:
    folders = [abandoned(place, "one"), abandoned(place, "two")]
    remove_leftovers(place, place, place / "none")
    assert not any(folder.exists() for folder in folders)


def test_folders_of_others_are_left_alone(place: Path) -> None:
    never_claimed = place / f"{PREFIX}unclaimed"
    never_claimed.mkdir()
    other_name = abandoned(place, "one").rename(place / "somebody")
    elsewhere = place / "elsewhere"
    elsewhere.mkdir()
    target = abandoned(elsewhere)
    (place / f"{PREFIX}link").symlink_to(target)
    remove_leftovers(place)
    assert never_claimed.is_dir()
    assert (other_name / "owner").is_file()
    assert (target / "jobs" / "an-id" / "source").is_file()


def test_link_in_a_folder_is_removed_and_not_followed(place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "kept").write_bytes(b"")
    folder = abandoned(place)
    (folder / "link").symlink_to(outside)
    (folder / "jobs" / "link").symlink_to(outside)
    remove_leftovers(place)
    assert not folder.exists()
    assert (outside / "kept").exists()
