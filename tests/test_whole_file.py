"""WholeFile and whole_file: a name stands for a complete file, or for nothing."""

from __future__ import annotations

import contextlib
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from gclf_live.errors import OutputError, SourceError
from gclf_live.whole_file import WholeFile, remove_leftovers, whole_file


def _write(path: Path, text: str, then: Callable[[], object], *, overwrite: bool = False) -> None:
    with whole_file(path, overwrite=overwrite) as partial:
        partial.write_text(text)
        then()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    final = tmp_path / "new" / "folder" / "é’🎬.csv"
    with whole_file(final, parents=True) as partial:
        partial.write_text("whole")
        assert not final.exists()
        assert partial.parent == final.parent
    assert final.read_text() == "whole"
    assert list(final.parent.iterdir()) == [final]


def test_nothing_is_left_when_the_block_fails(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with pytest.raises(KeyboardInterrupt):
        _write(final, "half", _interrupt)
    assert list(tmp_path.iterdir()) == []


def test_failed_overwrite_keeps_the_old_file(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    final.write_text("old")
    with pytest.raises(KeyboardInterrupt):
        _write(final, "half", _interrupt, overwrite=True)
    assert final.read_text() == "old"
    assert list(tmp_path.iterdir()) == [final]


def test_existing_file_is_kept_unless_overwriting(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    final.write_text("old")
    with pytest.raises(OutputError, match=r"exists already\. Add --overwrite"), whole_file(final):
        pytest.fail("the block must not run")
    with whole_file(final, overwrite=True) as partial:
        partial.write_text("new")
    assert final.read_text() == "new"


def test_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with pytest.raises(OutputError, match="exists already"):
        _write(final, "mine", lambda: final.write_text("theirs"))
    assert final.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [final]


def test_missing_folder_is_named_unless_it_is_to_be_made(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"no folder '.*new'"), whole_file(tmp_path / "new" / "out.csv"):
        pytest.fail("the block must not run")
    assert list(tmp_path.iterdir()) == []


def test_error_of_the_work_itself_is_passed_on(tmp_path: Path) -> None:
    def fail() -> None:
        raise SourceError("the input ended")

    with pytest.raises(SourceError, match="the input ended"):
        _write(tmp_path / "out.csv", "half", fail)
    assert list(tmp_path.iterdir()) == []


def test_file_can_be_kept_under_another_name(tmp_path: Path) -> None:
    file = WholeFile(tmp_path / "out.csv")
    file.temp.write_text("some of it")
    assert file.commit("out.partial.csv") == tmp_path / "out.partial.csv"
    file.discard()
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [
        ("out.partial.csv", "some of it")
    ]


def test_folder_of_that_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), whole_file(tmp_path, overwrite=True):
        pytest.fail("the block must not run")


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OutputError, match=r"cannot write '.*out.csv': .*\. Make room there") as caught,
        whole_file(tmp_path / "file" / "out.csv", parents=True),
    ):
        pytest.fail("the block must not run")
    assert "\n" not in str(caught.value)


def test_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with whole_file(link, overwrite=True) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with whole_file(tmp_path / "out.csv") as partial:
        partial.write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "out.csv")}
    assert len(modes) == 1


def test_leftovers_of_a_kill_are_removed_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    kept = [tmp_path / "a.csv", tmp_path / ".hidden", tmp_path / "sub" / "b.csv"]
    for path in kept:
        path.touch()
    names = [WholeFile(tmp_path / "c.csv").temp, WholeFile(tmp_path / "sub" / "d.csv").temp]
    remove_leftovers(tmp_path)
    assert [path.exists() for path in names] == [False, True]
    remove_leftovers(tmp_path, below=True)
    assert sorted(path for path in tmp_path.rglob("*") if path.is_file()) == sorted(kept)


_WRITER = """
import sys
from pathlib import Path
from gclf_live.whole_file import whole_file
with whole_file(Path(sys.argv[1])) as partial:
    partial.write_text("theirs")
    print("writing", flush=True)
    sys.stdin.readline()
"""
ROOT = Path(__file__).parent.parent


@contextlib.contextmanager
def _another_run(path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that is in the middle of writing a file; a line on its standard input lets it finish."""
    process = subprocess.Popen(
        [sys.executable, "-c", _WRITER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def test_next_run_into_the_folder_removes_what_a_kill_has_left(tmp_path: Path) -> None:
    with _another_run(tmp_path / "theirs.csv") as process:
        process.kill()
        process.wait()
        assert len(list(tmp_path.iterdir())) == 1
    with whole_file(tmp_path / "mine.csv") as partial:
        partial.write_text("mine")
        assert list(tmp_path.iterdir()) == [partial]
    assert list(tmp_path.iterdir()) == [tmp_path / "mine.csv"]


def test_what_another_run_is_writing_is_left_alone(tmp_path: Path) -> None:
    with _another_run(tmp_path / "theirs.csv") as process:
        for _ in range(2):
            with whole_file(tmp_path / "mine.csv", overwrite=True) as partial:
                partial.write_text("mine")
        process.communicate("go on\n", timeout=60)
        assert process.returncode == 0
    assert (tmp_path / "theirs.csv").read_text() == "theirs"
    assert {path.name for path in tmp_path.iterdir()} == {"mine.csv", "theirs.csv"}


def test_hidden_file_of_another_machine_is_left_alone(tmp_path: Path) -> None:
    theirs = tmp_path / ".gclf-live-0123abcd-5f2a90c1d7e3.mp4"
    theirs.touch()
    with whole_file(tmp_path / "mine.csv") as partial:
        partial.write_text("mine")
    assert theirs.exists()


def test_files_that_are_begun_at_the_same_time_do_not_take_one_another_for_abandoned(tmp_path: Path) -> None:
    def write(number: int) -> None:
        for turn in range(20):
            with whole_file(tmp_path / f"{number}-{turn}.csv") as partial:
                partial.write_text(f"{number} {turn}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(8)))
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        f"{number}-{turn}.csv": f"{number} {turn}" for number in range(8) for turn in range(20)
    }


def test_no_file_stays_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for turn in range(3):
        with whole_file(tmp_path / "a.csv", overwrite=True) as partial:
            partial.write_text(str(turn))
        with pytest.raises(KeyboardInterrupt):
            _write(tmp_path / "b.csv", "half", _interrupt)
    assert len(list(Path("/proc/self/fd").iterdir())) == before
