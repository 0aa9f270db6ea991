"""The list of benchmarks names scripts that exist, by their options."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import click
import pytest

FOLDER = Path(__file__).parent.parent.parent / "benchmarks"
OURS = (
    *("annotate", "audit", "busy", "corpus", "crowd", "fuzz", "growth", "hours", "kills", "live"),
    *("measuring", "memory", "outages", "peers", "serve_load", "startup", "stops"),
)


def rows() -> dict[str, str]:
    """The line of each script in the list."""
    text = (FOLDER / "README.md").read_text("utf-8")
    return {
        match[1]: match[0] for match in re.finditer(r"^\| `(?!python )(\w+)[^`]*` \|.*$", text, re.MULTILINE)
    }


def test_every_listed_script_exists() -> None:
    assert {name for name in rows() if not (FOLDER / f"{name}.py").is_file()} == set()


@pytest.mark.parametrize("name", OURS)
def test_script_has_the_options_that_the_list_gives_it(name: str) -> None:
    command = importlib.import_module(f"benchmarks.{name}").main
    assert isinstance(command, click.Command)
    named = set(re.findall(r"--[a-z][a-z-]*", rows()[name]))
    # Options of ours that its row only mentions: those of the command that it measures.
    known = {option for parameter in command.params for option in parameter.opts} | {
        "--help",
        "--max-latency",
    }
    assert named <= known
