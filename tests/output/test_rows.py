from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import TypeAlias

import numpy as np
import pytest

from gclf_live.output.rows import TrackSummary, face_columns, face_rows, tidy_row, track_columns
from gclf_live.records import FrameResult

MakeResult: TypeAlias = Callable[..., FrameResult]


def _track(**changes: object) -> TrackSummary:
    fields: dict[str, object] = {
        "track_id": 3,
        "start_s": 1.0,
        "end_s": 2.5,
        "seconds": 1.5,
        "faces": 45,
        "classified": 8,
        "median_height_px": 90.0,
        "label": "female",
        "confidence": 0.75,
        "probabilities": {"female": 0.75, "male": 0.25},
    }
    return TrackSummary(**(fields | changes))  # type: ignore[arg-type]


def test_face_row_has_the_columns_in_order(make_result: MakeResult) -> None:
    (row,) = face_rows([make_result([(10.126, 20, 50.126, 70)], index=7, pts_s=0.2333333333)])
    assert tuple(row) == face_columns(["female", "male"])
    assert row == {
        "track_id": 1,
        "frame": 7,
        "pts_s": 0.233333,
        "x_px": 10.13,
        "y_px": 20.0,
        "width_px": 40.0,
        "height_px": 50.0,
        "detection_score": 0.875,
        "quality": 0.5,
        "label": "female",
        "confidence": 0.97,
        "p_female": 0.97,
        "p_male": 0.03,
    }
    assert {type(value) for value in row.values()} == {int, float, str}


def test_faces_come_frame_by_frame_and_none_from_an_empty_frame(make_result: MakeResult) -> None:
    box = (1, 2, 3, 4)
    results = [make_result([box, box], index=0), make_result([], index=1), make_result([box], index=2)]
    rows = list(face_rows(results))
    assert [(row["frame"], row["track_id"]) for row in rows] == [(0, 1), (0, 2), (2, 1)]


def test_frames_are_not_collected(make_result: MakeResult) -> None:
    results = (make_result(index=i) for i in range(100))
    next(face_rows(results))
    assert next(results).index == 1


def test_track_row_has_the_columns_in_order() -> None:
    row = _track(excluded="too small").as_row()
    assert tuple(row) == track_columns(["female", "male"])
    assert row["p_male"] == 0.25
    assert row["excluded"] == "too small"


def test_track_that_was_never_classified_has_no_probabilities() -> None:
    row = tidy_row(_track(classified=0, confidence=math.nan, probabilities={}).as_row())
    assert row["confidence"] is None
    assert not any(name.startswith("p_") for name in row)


@pytest.mark.parametrize(
    ("column", "value", "tidy"),
    [
        ("pts_s", 1 / 3, 0.333333),
        ("seconds", 2 / 3, 0.666667),
        ("x_px", -0.001, 0.0),
        ("x_px", np.float32(10.126), 10.13),
        ("p_male", 0.123456, 0.1235),
        ("confidence", math.nan, None),
        ("confidence", np.float32("inf"), None),
        ("anything", 1 / 3, 0.333333),
        ("frame", np.int64(5), 5),
        ("label", "weiblich é 女", "weiblich é 女"),
        ("path", "bad\udcff.jpg", "bad\\xff.jpg"),
        ("excluded", None, None),
    ],
)
def test_values_are_tidied_by_column(column: str, value: object, tidy: object) -> None:
    (got,) = tidy_row({column: value}).values()
    assert got == tidy
    assert type(got) is type(tidy)
    assert not (isinstance(got, float) and math.copysign(1, got) < 0)
    json.dumps(got, allow_nan=False)
