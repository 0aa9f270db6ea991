"""A file that was cut off and promises its full length: the end is found without reading all of it."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from media_makers import make_video

from gclf_live.media.reader import VideoReader

STEP_S, FRAMES = 2, 600
CUT_SHARE = 0.4


def _noise() -> Iterator[np.ndarray]:
    generator = np.random.default_rng(1)
    for _ in range(FRAMES):
        yield generator.integers(0, 256, (192, 256, 3), np.uint8)


@pytest.fixture(scope="module", params=["mp4", "mkv"])
def cut_off(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twenty minutes, of which the first eight are there."""
    path = tmp_path_factory.mktemp("cut") / f"a.{request.param}"
    options = {"movflags": "+faststart"} if request.param == "mp4" else {"reserve_index_space": "100000"}
    make_video(
        path,
        images=_noise(),
        pts=[i * STEP_S for i in range(FRAMES)],
        time_base=Fraction(1),
        fps=1,
        codec="mjpeg",  # every picture is a key frame
        pix_fmt="yuvj420p",
        options=options,
    )
    data = path.read_bytes()
    path.write_bytes(data[: round(CUT_SHARE * len(data))])
    return path


def _bytes_read() -> int:
    facts = Path("/proc/self/io")
    if not facts.is_file():
        pytest.skip("this system does not count what a process reads")
    return int(next(line for line in facts.read_text().splitlines() if line.startswith("rchar")).split()[1])


def _end_told(damaged: str | None) -> str:
    """``it ends after 480.0 s of 1199.0 s``."""
    assert damaged is not None
    return damaged[damaged.index("it ends after") :]


def test_ranges_behind_the_real_end_do_not_read_the_file_again(cut_off: Path) -> None:
    with VideoReader(cut_off) as reader:
        assert len(list(reader.decoded())) in range(200, 260)
        end = _end_told(reader.damaged)
        assert list(reader.decoded(from_s=1000, to_s=1060)) == []
        before = _bytes_read()
        for from_s in (1060, 1120):
            assert list(reader.decoded(from_s=from_s, to_s=from_s + 60)) == []
            assert _end_told(reader.damaged) == end
        assert _bytes_read() - before < cut_off.stat().st_size / 2


@pytest.mark.parametrize("offset_s", [-100, -60, -7, 0, 1, 30])
def test_the_last_pictures_are_those_of_the_whole_file(cut_off: Path, offset_s: float) -> None:
    with VideoReader(cut_off) as reader:
        times = [frame.pts_s for frame in reader.decoded()]
        end, from_s = _end_told(reader.damaged), times[-1] + offset_s
        assert list(reader.decoded(from_s=1100)) == []
        assert [frame.pts_s for frame in reader.decoded(from_s=from_s)] == [t for t in times if t >= from_s]
        assert _end_told(reader.damaged) == end
