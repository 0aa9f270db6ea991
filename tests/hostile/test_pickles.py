"""A checkpoint never runs code, however its pickle tries."""

from __future__ import annotations

import builtins
import io
import os
import pickle
import subprocess
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from gclf_live.errors import CheckpointError
from gclf_live.model.checkpoint import load_checkpoint


class Call:
    """Unpickles by calling something."""

    def __init__(self, function: Callable[..., Any], *arguments: object) -> None:
        self._reduced = (function, arguments)

    def __reduce__(self) -> tuple[Any, ...]:
        return self._reduced


def ways(touched: Path) -> dict[str, Call]:
    """Calls each of which would make the file ``touched``."""
    code = f"open({str(touched)!r}, 'w').close()"
    return {
        "os.system": Call(os.system, f"touch '{touched}'"),
        "subprocess": Call(subprocess.call, ["touch", str(touched)]),
        "exec": Call(builtins.exec, code),
        "eval": Call(builtins.eval, code),
        "open": Call(builtins.open, str(touched), "w"),
        "import": Call(builtins.__import__, "os"),
        "getattr": Call(builtins.getattr, str, "format"),
        "torch.load again": Call(torch.load, str(touched)),
        "numpy": Call(np.fromfile, str(touched)),
    }


_NAMES = tuple(ways(Path("x")))


def refused(path: Path, touched: Path) -> str:
    """The one line with which a file is refused; nothing in it has run."""
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(path)
    assert not touched.exists()
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("name", _NAMES)
@pytest.mark.parametrize("is_zip", [True, False])
@pytest.mark.parametrize("deep", [True, False])
def test_call_inside_a_saved_state_is_refused(name: str, is_zip: bool, deep: bool, tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "model.pth"
    call = ways(touched)[name]
    state = {"fc.weight": torch.ones(2, 4), "extra": [{"more": call}]} if deep else call
    torch.save(state, path, _use_new_zipfile_serialization=is_zip)
    assert "could run code" in refused(path, touched)


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["os.system", "exec"])
def test_plain_pickle_of_any_protocol_is_refused(name: str, protocol: int, tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "model.pth"
    path.write_bytes(pickle.dumps(ways(touched)[name], protocol=protocol))
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a warning would be a second line
        refused(path, touched)


def test_call_in_a_second_pickle_behind_a_good_one_is_refused(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "model.pth"
    buffer = io.BytesIO()
    torch.save({"fc.weight": torch.ones(2, 4)}, buffer, _use_new_zipfile_serialization=False)
    path.write_bytes(buffer.getvalue() + pickle.dumps(ways(touched)["os.system"]))
    refused(path, touched)


def test_archive_with_code_in_it_is_refused(tmp_path: Path) -> None:
    touched, path = tmp_path / "touched", tmp_path / "model.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", pickle.dumps(ways(touched)["exec"]))
        archive.writestr("archive/version", "3\n")
        archive.writestr("archive/code/__torch__.py", f"open({str(touched)!r}, 'w')")
        archive.writestr("archive/constants.pkl", pickle.dumps(()))
    assert "TorchScript" in refused(path, touched)


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/urandom"])
def test_device_without_an_end_is_refused(device: str) -> None:
    with pytest.raises(CheckpointError, match="a device"):
        load_checkpoint(Path(device))
