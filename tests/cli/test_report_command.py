"""``report``: what it prints, writes, and says of results that it cannot use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_answers import Command
from result_makers import make_result, random_result

from gclf_live.archive.journal import Journal
from gclf_live.screentime.result_file import write_result


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A folder with the results of five videos."""
    folder = tmp_path / "archive"
    folder.mkdir()
    for number in range(5):
        write_result(folder / f"film {number}.result.json", random_result(number, crop=True))
    return folder


def test_table_has_a_line_for_each_class(command: Command, archive: Path) -> None:
    answer = command("report", archive)
    assert answer.code == 0
    lines = answer.out.splitlines()
    assert lines[0].startswith("5 results: 16:40 min, 300 tracks, a face in 60.0 % of 7,500 frames")
    assert [line.split()[0] for line in lines[3:6]] == ["female", "male", "unsure"]
    assert answer.err == ""


def test_document_and_files_say_the_same(command: Command, archive: Path, tmp_path: Path) -> None:
    answer = command("report", archive, "--json", "-o", tmp_path / "r.json")
    assert answer.code == 0
    assert answer.document == json.loads((tmp_path / "r.json").read_text("utf-8"))
    assert answer.document["interval"]["units"] == 5
    assert "wrote" in answer.error
    page = tmp_path / "r.html"
    assert command("report", archive, "-o", page).code == 0
    share = answer.document["corrected_share"]["female"]
    assert f"{100 * share:.1f} % (" in page.read_text("utf-8")
    assert "<img" in page.read_text("utf-8")


def test_privacy_leaves_the_faces_out(command: Command, archive: Path, tmp_path: Path) -> None:
    page = tmp_path / "r.html"
    assert command("report", archive, "--privacy", "-o", page).code == 0
    assert "<img" not in page.read_text("utf-8")


def test_videos_of_an_archive_that_failed_are_named(command: Command, archive: Path, tmp_path: Path) -> None:
    (archive / ".gclf-live").mkdir()
    with Journal(archive / ".gclf-live" / "journal.jsonl") as journal:
        journal.add("run", inputs=6)
        journal.add("failed", file="broken.mp4", source="/films/broken.mkv", error="cannot be read")
        journal.add("end", how="ended")
    answer = command("report", archive, "-o", tmp_path / "r.html")
    assert answer.out.splitlines()[-1] == "not done: broken.mkv: failed"
    page = (tmp_path / "r.html").read_text("utf-8")
    assert "Failed or not finished, and not in these figures unless it says so:" in page
    assert "<ul><li>broken.mkv: failed</li></ul>" in page
    assert command("report", archive, "--json").document["not_done"] == ["broken.mkv: failed"]


def test_archive_without_a_result_yet_is_called_that(command: Command, tmp_path: Path) -> None:
    (tmp_path / ".gclf-live").mkdir()
    with Journal(tmp_path / ".gclf-live" / "journal.jsonl") as journal:
        journal.add("run", inputs=1)
        journal.add("begun", file="talk.mp4", step="analyse", key="", part=0)
    answer = command("report", tmp_path)
    assert answer.code == 1
    assert answer.error == (
        "gclf-live: nothing is measured yet (talk.mp4: not finished and 1 more). Run the same annotate "
        "command again, it goes on"
    )


def test_same_video_is_counted_once_where_asked_for(command: Command, archive: Path) -> None:
    (archive / "z.result.json").write_bytes((archive / "film 0.result.json").read_bytes())
    answer = command("report", archive, "--once")
    assert answer.code == 0
    assert answer.out.startswith("5 results")
    assert answer.error == (
        f"gclf-live: left out, as the same video is there already: {str(archive / 'z.result.json')!r}"
    )


def test_file_that_is_no_result_is_called_that(command: Command, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("<!DOCTYPE html>")
    answer = command("report", tmp_path / "r.html")
    assert answer.code == 1
    assert "r.html' is no result of gclf-live; give a file of annotate --result" in answer.error


def test_existing_report_is_kept_before_any_work(command: Command, tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    answer = command("report", tmp_path / "missing", "-o", tmp_path / "r.html")
    assert answer.code == 1
    assert "--overwrite" in answer.error
    assert (tmp_path / "r.html").read_text() == "mine"


def test_mixed_weights_are_refused_unless_asked_for(command: Command, archive: Path) -> None:
    other = archive / "other.result.json"
    write_result(other, make_result(weights_sha256="cd" * 32, name="other.mp4"))
    answer = command("report", archive)
    assert answer.code == 2
    assert "different weights" in answer.error
    assert "--allow-mixed" in answer.error
    assert command("report", archive, "--allow-mixed").code == 0


def test_same_video_twice_is_refused(command: Command, archive: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.json"
    again.write_bytes((archive / "film 0.result.json").read_bytes())
    answer = command("report", archive, again)
    assert answer.code == 2
    assert "same video" in answer.error


@pytest.mark.parametrize(
    ("content", "word"),
    [
        ('{"format":1,"kind":"gclf-live result"', "damaged"),
        ('{"format":9,"kind":"gclf-live result"}', "format 9"),
        ('{"format":1,"kind":"gclf-live result"}', "lacks"),
        ("{}", "no result of gclf-live"),
    ],
)
def test_file_that_cannot_be_used_is_named(command: Command, tmp_path: Path, content: str, word: str) -> None:
    path = tmp_path / "bad.json"
    path.write_text(content)
    answer = command("report", path)
    assert answer.code == 1
    assert word in answer.error
    assert "bad.json" in answer.error


def test_wrong_usage_is_said(command: Command, tmp_path: Path) -> None:
    assert command("report").code == 2
    answer = command("report", tmp_path, "-o", tmp_path / "r.pdf")
    assert answer.code == 2
    assert ".html and .json" in answer.error
    assert command("report", tmp_path).code == 1
