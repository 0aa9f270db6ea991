"""``docs/tables.md``: it has every column, and its queries run over a folder of Parquet tables."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from gclf_live.output.rows import FACE_COLUMNS, TRACK_COLUMNS, TrackSummary, track_columns
from gclf_live.output.tables import write_rows
from gclf_live.screentime.result import Result
from gclf_live.screentime.result_file import write_result
from gclf_live.screentime.tracks import ResultTrack

GUIDE = (Path(__file__).parent.parent.parent / "docs" / "tables.md").read_text("utf-8")
QUERIES = re.findall(r"```sql\n(.+?)```", GUIDE, re.DOTALL)


def _section(title: str) -> str:
    return GUIDE.split(f"\n## {title}\n")[1].split("\n## ")[0]


@pytest.mark.parametrize(
    ("title", "columns"), [("One row a track", TRACK_COLUMNS), ("One row a face and frame", FACE_COLUMNS)]
)
def test_every_column_is_described_in_its_order(title: str, columns: tuple[str, ...]) -> None:
    first_cells = [line.split("|")[1] for line in _section(title).splitlines() if line.startswith("| `")]
    named = [name for cell in first_cells for name in re.findall(r"`(\w+|p_<class>)`", cell)]
    assert [name for name in named if name != "p_<class>"] == list(columns)
    assert "p_<class>" in named


def test_every_name_of_a_result_is_described(tmp_path: Path) -> None:
    write_result(tmp_path / "r.json", _result())
    document = json.loads((tmp_path / "r.json").read_text("utf-8"))
    first_cells = [
        line.split("|")[1] for line in _section("The result").splitlines() if line.startswith("| `")
    ]
    described = {name for cell in first_cells for name in re.findall(r"`([\w.\[\]]+)`", cell)}
    assert {name for name in described if "." not in name} | {"format", "kind"} == set(document)
    (track,) = document["tracks"]
    own = {name.removeprefix("tracks[].") for name in described if "." in name}
    assert own | {*TRACK_COLUMNS, "p_female", "p_male"} == set(track)


def _result() -> Result:
    track = ResultTrack(
        track_id=1,
        spans_s=((0.0, 2.0),),
        seconds=2.0,
        faces=20,
        classified=8,
        median_height_px=90.0,
        label="female",
        confidence=0.9,
        probabilities={"female": 0.9, "male": 0.1},
    )
    return Result(
        name="a.mp4",
        source_sha256="0" * 64,
        weights_sha256="1" * 64,
        settings={},
        classes=("female", "male"),
        class_prior=(0.5, 0.5),
        from_s=0.0,
        to_s=4.0,
        frames=100,
        frames_with_face=50,
        width_px=640,
        height_px=360,
        cuts=0,
        damaged="",
        tracks=(track,),
    )


def _track(number: int, start_s: float, seconds: float, label: str, excluded: str = "") -> TrackSummary:
    female = {"female": 0.95, "male": 0.05, "unsure": 0.6}[label]
    return TrackSummary(
        track_id=number,
        start_s=start_s,
        end_s=start_s + seconds,
        seconds=seconds,
        faces=int(seconds * 10),
        classified=8,
        median_height_px=90,
        label=label,
        confidence=max(female, 1 - female),
        probabilities={"female": female, "male": 1 - female},
        excluded=excluded,
    )


@pytest.fixture
def measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Tables of two videos, one in a sub-folder, as an archive leaves them."""
    videos = {
        "a": [_track(1, 0, 30, "female"), _track(2, 40, 10, "male"), _track(3, 700, 15, "male")],
        "deep/b": [_track(1, 5, 60, "female"), _track(2, 80, 20, "unsure", "too small")],
    }
    for name, tracks in videos.items():
        path = tmp_path / "measured" / f"{name}.tracks.parquet"
        write_rows(path, [track.as_row() for track in tracks], track_columns(("female", "male")))
    monkeypatch.chdir(tmp_path)


@pytest.mark.usefixtures("measured")
def test_queries_of_the_guide_answer_what_they_promise() -> None:
    by_video, left_out, over_time = (duckdb.sql(query).fetchall() for query in QUERIES)
    assert [(Path(name).name, *rest) for name, *rest in by_video] == [
        ("a.tracks.parquet", "female", 1, 30.0),
        ("a.tracks.parquet", "male", 2, 25.0),
        ("b.tracks.parquet", "female", 1, 60.0),
    ]
    assert left_out == [("", 4, 85.2), ("too small", 1, 14.8)]
    assert over_time == [(0.0, 0.9), (10.0, 0.0)]
