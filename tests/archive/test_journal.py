"""The journal of an output folder: what it holds after each kind of end, and what is refused."""

from __future__ import annotations

import fcntl
import json
import os
import resource
from pathlib import Path

import pytest

from gclf_live import __version__
from gclf_live.archive.history import History
from gclf_live.archive.identity import FileState
from gclf_live.archive.journal import JOURNAL_FORMAT, Journal
from gclf_live.errors import OutputError


def _events(path: Path) -> list[str]:
    with Journal(path) as journal:
        return [event["event"] for event in journal.events()]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A journal with two events."""
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        journal.add("begun", file="a.mp4", part=0)
        journal.add("saved", file="a.mp4", part=0)
    return path


def test_events_come_back_in_order_and_more_are_added_behind(path: Path) -> None:
    with Journal(path) as journal:
        journal.add("done", file="\udcff.mp4")
        assert [event["event"] for event in journal.events()] == ["begun", "saved", "done"]
    assert _events(path) == ["begun", "saved", "done"]


def test_every_line_is_one_object_and_the_first_names_the_format(path: Path) -> None:
    first, *others = [json.loads(line) for line in path.read_text("ascii").splitlines()]
    assert first == {"format": JOURNAL_FORMAT, "kind": "gclf-live journal", "version": __version__}
    assert all(set(event) >= {"event", "at", "file"} for event in others)


def test_line_is_on_the_disk_before_the_journal_is_closed(path: Path) -> None:
    with Journal(path) as journal:
        journal.add("end")
        assert path.read_text().splitlines()[-1].startswith('{"event": "end"')


@pytest.mark.parametrize("torn", [b'{"event": "do', b"{", b"\0\0\0\0", '{"event": "ü'.encode()[:-1]])
def test_line_that_a_power_cut_left_incomplete_is_dropped(path: Path, torn: bytes) -> None:
    path.write_bytes(path.read_bytes() + torn)
    with Journal(path) as journal:
        journal.add("end")
    assert _events(path) == ["begun", "saved", "end"]


def test_line_that_was_torn_while_the_journal_is_open_is_dropped_before_the_next(path: Path) -> None:
    with Journal(path) as journal:
        with path.open("ab") as file:
            file.write(b'{"event": "sav')
        journal.add("end")
    assert _events(path) == ["begun", "saved", "end"]


@pytest.mark.parametrize("replaced", [False, True])
def test_journal_that_is_taken_away_ends_the_run(path: Path, replaced: bool) -> None:
    with Journal(path) as journal:
        path.unlink()
        if replaced:
            path.write_text("another one")
        with pytest.raises(OutputError, match="was removed or replaced while the run was at work"):
            journal.add("placing")
    assert not path.exists() or path.read_text() == "another one"


def test_line_that_can_neither_be_written_nor_taken_back_is_one_error(path: Path) -> None:
    # Memory that may not shrink: no file on a disk refuses that without the help of root.
    file = os.memfd_create("journal", os.MFD_ALLOW_SEALING)
    os.write(file, path.read_bytes())
    size = len(path.read_bytes())
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    with Journal(Path(f"/proc/self/fd/{file}")) as journal:
        fcntl.fcntl(file, fcntl.F_ADD_SEALS, fcntl.F_SEAL_SHRINK)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size + 10, limits[1]))
        try:
            with pytest.raises(OutputError, match="cannot write the journal"):
                journal.add("end")
            assert os.fstat(file).st_size == size + 10
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        with pytest.raises(OutputError, match="cannot write the journal"):
            journal.add("end")
        assert os.fstat(file).st_size == size + 10
    path.write_bytes(os.pread(file, size + 10, 0))
    os.close(file)
    assert _events(path) == ["begun", "saved"]


def test_journal_of_which_only_a_part_of_the_first_line_is_there_is_begun_again(tmp_path: Path) -> None:
    (tmp_path / "j").write_bytes(b'{"format": 1, "ki')
    assert _events(tmp_path / "j") == []


def test_journal_of_another_version_is_refused_with_what_to_do(path: Path) -> None:
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0].replace('"format": 1', '"format": 7').replace(__version__, "9.1.0") + lines[1])
    before = path.read_bytes()
    with pytest.raises(
        OutputError, match=r"format 7.*reads format 1; go on with gclf-live 9\.1\.0"
    ) as caught:
        Journal(path)
    assert "\n" not in str(caught.value)
    assert path.read_bytes() == before


@pytest.mark.parametrize("content", ["[1]\n", "notes of mine\n", '{"format": 1}\n'])
def test_file_that_is_no_journal_is_refused_and_left_alone(tmp_path: Path, content: str) -> None:
    (tmp_path / "j").write_text(content)
    with pytest.raises(OutputError, match="not a journal of gclf-live"):
        Journal(tmp_path / "j")
    assert (tmp_path / "j").read_text() == content


def test_damaged_line_is_named(path: Path) -> None:
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(lines[0] + b"\xff\xfe\n" + lines[2])
    with pytest.raises(OutputError, match=r"line 2 of the journal .* is damaged"):
        _events(path)


def test_journal_that_cannot_be_opened_is_told(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="cannot write the journal"):
        Journal(tmp_path / "missing" / "j")


def test_history_forgets_what_was_being_replaced_but_knows_whose_it_is(tmp_path: Path) -> None:
    done = {"event": "done", "file": "a.mp4", "outputs": {"a.result.json": "key"}, "seconds": {"female": 2.0}}
    history = History.read([done])
    (tmp_path / "a.result.json").touch()
    assert history.is_finished(tmp_path, {"a.result.json": "key"})
    assert not history.is_finished(tmp_path, {"a.result.json": "another key"})
    assert not history.is_finished(tmp_path, {"a.result.json": "key", "a.mp4": "key"})
    history.see({"event": "placing", "file": "a.mp4", "outputs": ["a.result.json"]})
    assert not history.is_finished(tmp_path, {"a.result.json": "key"})
    assert history.owned == {"a.result.json"}
    history.see(done)
    (tmp_path / "a.result.json").unlink()
    assert not history.is_finished(tmp_path, {"a.result.json": "key"})


def test_sha256_is_known_as_long_as_the_file_looks_the_same() -> None:
    event = {
        "event": "source",
        "file": "a.mp4",
        "source": "/in/a.mov",
        "size": 5,
        "mtime_ns": 7,
        "sha256": "ab",
    }
    history = History.read([event])
    assert history.source_sha256("a.mp4", Path("/in/a.mov"), FileState(5, 7)) == "ab"
    assert history.source_sha256("a.mp4", Path("/in/a.mov"), FileState(5, 8)) == ""
    assert history.source_sha256("a.mp4", Path("/in/a.mov"), FileState(6, 7)) == ""
    assert history.source_sha256("a.mp4", Path("/moved/a.mov"), FileState(5, 7)) == ""
