"""The files of the package: what is not the one that was shipped is refused, in one line."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import gclf_live
from gclf_live.assets import DETECTOR, SHA256, WEIGHTS, asset_path, check_asset, read_asset
from gclf_live.errors import CheckpointError

PACKAGE = Path(gclf_live.__file__).parent
PORTRAIT = Path(__file__).parents[2] / "samples" / "portraits" / "obama.jpg"


def _package_with(folder: Path, name: str, content: bytes) -> Path:
    """A folder for PYTHONPATH: the package as it is, but for one of its files."""
    (folder / "gclf_live" / "assets").mkdir(parents=True)
    for entry in PACKAGE.iterdir():
        if entry.name not in {"assets", "__pycache__"}:
            (folder / "gclf_live" / entry.name).symlink_to(entry, target_is_directory=entry.is_dir())
    for entry in (PACKAGE / "assets").iterdir():
        if entry.is_file() and entry.name != name:
            shutil.copy(entry, folder / "gclf_live" / "assets")
    (folder / "gclf_live" / "assets" / name).write_bytes(content)
    return folder


def _predict(package: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gclf_live", "predict", str(PORTRAIT)],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(package)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def _assert_refused(done: subprocess.CompletedProcess[str], name: str) -> None:
    assert done.returncode == 1
    assert done.stdout == ""
    line = done.stderr.splitlines()[-1]
    assert f"{name}' is not the file that gclf-live ships: its SHA-256 is " in line
    assert line.endswith("install gclf-live again")
    assert "Traceback" not in done.stderr


def test_every_shipped_file_has_a_digest_and_a_licence() -> None:
    code = {"__init__.py", "__pycache__"}
    shipped = {p.name for p in (PACKAGE / "assets").iterdir() if p.suffix != ".LICENSE"} - code
    assert shipped == set(SHA256)
    for name in shipped:
        read_asset(name)
        assert asset_path(name).with_suffix(".LICENSE").stat().st_size > 100


def test_changed_bit_of_the_detector_is_told_in_one_line(tmp_path: Path) -> None:
    content = bytearray(read_asset(DETECTOR))
    content[len(content) // 2] ^= 1
    package = _package_with(tmp_path / "changed", DETECTOR, bytes(content))
    _assert_refused(_predict(package, tmp_path), DETECTOR)


def test_changed_description_of_the_weights_is_told_in_one_line(tmp_path: Path) -> None:
    # No tensor differs, and no number of bytes: the tensors' own digest would not tell.
    content = read_asset(WEIGHTS).replace(b'temperature\\": 0.7', b'temperature\\": 0.9', 1)
    assert content != read_asset(WEIGHTS)
    package = _package_with(tmp_path / "changed", WEIGHTS, content)
    _assert_refused(_predict(package, tmp_path), WEIGHTS)


def test_weights_of_ones_own_are_not_held_against_the_shipped_ones(tmp_path: Path) -> None:
    assert not check_asset(tmp_path / WEIGHTS, b"trained here")
    with pytest.raises(CheckpointError, match="is not the file that gclf-live ships"):
        check_asset(asset_path(WEIGHTS), b"trained elsewhere")


def test_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"lacks the file .*none\.onnx'; install gclf-live again"):
        asset_path("none.onnx")
