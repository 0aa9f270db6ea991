from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gclf_live.errors import OutputError
from gclf_live.output.atomic import atomic_path


def _write(path: Path, text: str, then: Callable[[], object], *, overwrite: bool = False) -> None:
    with atomic_path(path, overwrite=overwrite) as partial:
        partial.write_text(text)
        then()


def _interrupt() -> None:
    raise KeyboardInterrupt


def test_file_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    final = tmp_path / "new" / "folder" / "é’🎬.csv"
    with atomic_path(final) as partial:
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
    with pytest.raises(OutputError, match=r"exists already\. Add --overwrite"), atomic_path(final):
        pytest.fail("the block must not run")
    with atomic_path(final, overwrite=True) as partial:
        partial.write_text("new")
    assert final.read_text() == "new"


def test_file_that_appeared_meanwhile_is_kept(tmp_path: Path) -> None:
    final = tmp_path / "out.csv"
    with pytest.raises(OutputError, match="exists already"):
        _write(final, "mine", lambda: final.write_text("theirs"))
    assert final.read_text() == "theirs"
    assert list(tmp_path.iterdir()) == [final]


def test_folder_of_that_name_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"), atomic_path(tmp_path, overwrite=True):
        pytest.fail("the block must not run")


def test_what_the_system_refuses_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with (
        pytest.raises(OutputError, match=r"cannot write '.*out.csv': .*\. Give another place") as caught,
        atomic_path(tmp_path / "file" / "out.csv"),
    ):
        pytest.fail("the block must not run")
    assert "\n" not in str(caught.value)


def test_link_is_followed(tmp_path: Path) -> None:
    target, link = tmp_path / "target.csv", tmp_path / "link.csv"
    target.write_text("old")
    link.symlink_to(target)
    with atomic_path(link, overwrite=True) as partial:
        partial.write_text("new")
    assert link.is_symlink()
    assert target.read_text() == "new"


def test_file_has_the_usual_permissions(tmp_path: Path) -> None:
    (tmp_path / "plain").write_text("")
    with atomic_path(tmp_path / "out.csv") as partial:
        partial.write_text("")
    modes = {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("plain", "out.csv")}
    assert len(modes) == 1
