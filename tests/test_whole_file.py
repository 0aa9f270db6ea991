"""WholeFile and whole_file: a name stands for a complete file, or for nothing."""

from __future__ import annotations

import stat
from collections.abc import Callable
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
