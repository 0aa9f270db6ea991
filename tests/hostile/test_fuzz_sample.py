"""A seeded sample of ``benchmarks.fuzz``."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks.confined import Confined, load_pipeline
from benchmarks.fuzz import mutate, run_kind, work
from benchmarks.fuzz_seeds import KINDS
from gclf_live.errors import SourceError
from gclf_live.media.pictures import read_picture
from gclf_live.media.reader import VideoReader


@pytest.fixture(scope="module")
def child() -> Iterator[Confined]:
    with Confined(work, prepare=load_pipeline) as confined:
        yield confined


@pytest.mark.parametrize(("name", "count"), [("pictures", 25), ("videos", 15), ("checkpoints", 15)])
def test_mutated_files_are_read_or_refused_with_one_line(name: str, count: int, child: Confined) -> None:
    counted = run_kind(KINDS[name], range(count), child, say=print)
    assert counted.faults == []
    assert counted.runs == count


def test_same_number_gives_the_same_file() -> None:
    content, other = bytes(range(256)) * 20, bytes(5000)
    first, again = (mutate(content, other, random.Random("pictures 7")) for _ in range(2))
    assert first == again
    changed = {mutate(content, other, random.Random(f"pictures {i}")) for i in range(50)}
    assert len(changed) > 45
    assert content not in changed


def test_pipe_without_a_writer_is_refused_and_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in.mp4")
    for read in (VideoReader, read_picture):
        with pytest.raises(SourceError, match="a pipe or a device"):
            read(tmp_path / "in.mp4")
