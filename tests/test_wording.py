"""Words that several parts share."""

from __future__ import annotations

import sys

import pytest

from gclf_live.wording import pip_install


@pytest.mark.parametrize(
    ("python", "run"),
    [
        ("/home/me/.venv/bin/python", "/home/me/.venv/bin/python"),
        ("/home/my work/.venv/bin/python", '"/home/my work/.venv/bin/python"'),
        ("", "python"),
    ],
)
def test_packages_go_into_the_environment_that_runs(
    python: str, run: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", python)
    assert pip_install("pyarrow") == f"{run} -m pip install pyarrow"
