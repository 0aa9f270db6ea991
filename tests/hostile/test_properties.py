"""What holds of geometry, tracker, smoothing and tables whatever goes in (Hypothesis)."""

from __future__ import annotations

import csv
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gclf_live.faces.tracker import FaceTracker
from gclf_live.geometry import Alignment, CropSpec, box_area, box_iou, clip_boxes, crop_faces, crop_transform
from gclf_live.labels.aggregate import combine_track
from gclf_live.labels.smoothing import LiveSmoother
from gclf_live.output.rows import tidy_row
from gclf_live.output.tables import write_rows
from gclf_live.records import F32, Faces

CLASSES = ("female", "male", "other")

_side = st.floats(4, 200, width=32)
_boxes = st.lists(
    st.tuples(st.floats(-100, 700, width=32), st.floats(-100, 500, width=32), _side, _side),
    min_size=1,
    max_size=5,
)
# Any float32 that a detector could be brought to give, but for those that are no numbers.
_wild = st.floats(-1e6, 1e6, width=32)


def boxes_of(rows: Sequence[tuple[float, ...]]) -> F32:
    """x, y, width, height as x1, y1, x2, y2."""
    table = np.array(rows, np.float32).reshape(-1, 4)
    return np.concatenate([table[:, :2], table[:, :2] + table[:, 2:]], axis=1)


def faces_in(boxes: F32) -> Faces:
    """Faces whose landmarks lie where they usually do."""
    places = np.array([[0.3, 0.4], [0.7, 0.4], [0.5, 0.6], [0.35, 0.8], [0.65, 0.8]], np.float32)
    sides = boxes[:, None, 2:] - boxes[:, None, :2]
    return Faces(boxes, np.full(len(boxes), 0.9, np.float32), boxes[:, None, :2] + sides * places)


@given(_boxes, st.floats(0.25, 8))
def test_overlap_does_not_depend_on_the_size_of_the_picture(
    rows: list[tuple[float, ...]], scale: float
) -> None:
    boxes = boxes_of(rows)
    scaled = np.asarray(boxes * np.float32(scale), np.float32)
    np.testing.assert_allclose(box_iou(boxes, boxes), box_iou(scaled, scaled), atol=1e-3)
    np.testing.assert_allclose(np.diag(box_iou(boxes, boxes)), 1, atol=1e-3)


@given(_boxes, st.integers(1, 640), st.integers(1, 480))
def test_box_cut_at_the_edges_is_inside_no_larger_and_stays(
    rows: list[tuple[float, ...]], width: int, height: int
) -> None:
    boxes = boxes_of(rows)
    cut = clip_boxes(boxes, width_px=width, height_px=height)
    assert (cut >= 0).all()
    assert (cut[:, [0, 2]] <= width).all()
    assert (cut[:, [1, 3]] <= height).all()
    assert (box_area(cut) <= box_area(boxes) * 1.0001 + 1e-3).all()
    np.testing.assert_array_equal(clip_boxes(cut, width_px=width, height_px=height), cut)


@given(
    st.floats(-np.pi, np.pi), st.floats(0.3, 5), st.floats(-500, 500), st.floats(-500, 500), st.floats(0.5, 2)
)
def test_turned_scaled_and_moved_face_gives_the_same_crop(
    angle: float, scale: float, x: float, y: float, margin: float
) -> None:
    faces, spec = faces_in(boxes_of([(0, 0, 90, 110)])), CropSpec(112, margin)
    turn = scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    moved = np.asarray(faces.landmarks[0] @ turn.T + [x, y], np.float32)
    before, after = (
        points @ matrix[:, :2].T + matrix[:, 2]
        for points in (faces.landmarks[0], moved)
        for matrix in [crop_transform(faces.boxes[0], points, spec)]
    )
    np.testing.assert_allclose(before, after, atol=0.1)


@settings(deadline=None)
@given(
    st.lists(_wild, min_size=14, max_size=14),
    st.sampled_from(list(Alignment)),
    st.integers(1, 60),
    st.integers(1, 60),
)
def test_any_box_and_any_landmarks_give_a_crop(
    values: list[float], alignment: Alignment, width: int, height: int
) -> None:
    numbers = np.array(values, np.float32)
    faces = Faces(numbers[None, :4], np.ones(1, np.float32), numbers[4:].reshape(1, 5, 2))
    crops = crop_faces(np.full((height, width, 3), 7, np.uint8), faces, CropSpec(32, 1.0, alignment))
    assert crops.shape == (1, 32, 32, 3)
    assert crops.dtype == np.uint8


_film = st.lists(st.tuples(_boxes, st.floats(0.02, 0.3)), min_size=1, max_size=6)


def ids_of(
    film: list[tuple[list[tuple[float, ...]], float]], *, scale: float = 1.0, start_s: float = 0.0
) -> list[list[int]]:
    """The ids that a tracker gives to the faces of each frame."""
    tracker, now_s, found = FaceTracker(), start_s, []
    for rows, step_s in film:
        now_s += step_s
        boxes = np.asarray(boxes_of(rows) * np.float32(scale), np.float32)
        found.append(tracker.update(faces_in(boxes), now_s).ids.tolist())
    return found


@settings(deadline=None)
@given(_film, st.sampled_from([0.25, 0.5, 2.0, 4.0]))
def test_tracks_do_not_depend_on_the_size_of_the_picture(
    film: list[tuple[list[tuple[float, ...]], float]], scale: float
) -> None:
    # A power of two, so that no rounding decides between two faces that are as likely.
    assert ids_of(film, scale=scale) == ids_of(film)


@settings(deadline=None)
@given(_film, st.sampled_from([-64.0, 1024.0, 4096.0]))
def test_tracks_do_not_depend_on_when_the_video_begins(
    film: list[tuple[list[tuple[float, ...]], float]], start_s: float
) -> None:
    exact = [(rows, round(step_s * 1024) / 1024) for rows, step_s in film]
    assert ids_of(exact, start_s=start_s) == ids_of(exact)


@settings(deadline=None)
@given(_film)
def test_ids_are_given_out_once_and_in_order(film: list[tuple[list[tuple[float, ...]], float]]) -> None:
    highest = 0
    for ids in ids_of(film):
        assert len(set(ids)) == len(ids)
        new = sorted(i for i in ids if i > highest)
        assert new == list(range(highest + 1, highest + 1 + len(new)))
        highest = max(highest, *ids)


_crops = st.lists(
    st.tuples(*[st.floats(-8, 8, width=32)] * 3, st.floats(0.0625, 1, width=32), st.floats(0, 20)),
    min_size=1,
    max_size=8,
)


def smoothed(rows: list[tuple[float, ...]], *, order: Sequence[int] = (0, 1, 2), shift: float = 0.0) -> F32:
    """Probabilities of one live track, its classes in another order, its logits off by a constant."""
    smoother, ids = LiveSmoother(tuple(CLASSES[i] for i in order)), np.array([1], np.int64)
    for a, b, c, weight, pts_s in sorted(rows, key=lambda row: row[-1]):
        logits = np.array([[(a, b, c)[i] + shift for i in order]], np.float32)
        smoother.update(ids, logits, np.array([weight], np.float32), pts_s)
    return np.asarray(smoother.predictions(ids, 20.0).probabilities[0], np.float32)


@given(_crops, st.permutations([0, 1, 2]))
def test_live_label_does_not_depend_on_the_order_of_the_classes(
    rows: list[tuple[float, ...]], order: list[int]
) -> None:
    np.testing.assert_allclose(smoothed(rows, order=order), smoothed(rows)[order], atol=1e-4)


@given(_crops, st.sampled_from([-32.0, 64.0]))
def test_live_label_does_not_depend_on_a_constant_in_the_logits(
    rows: list[tuple[float, ...]], shift: float
) -> None:
    np.testing.assert_allclose(smoothed(rows, shift=shift), smoothed(rows), atol=1e-3)


@given(_crops, st.permutations([0, 1, 2]))
def test_label_of_a_track_depends_on_no_order(rows: list[tuple[float, ...]], order: list[int]) -> None:
    table = np.array(rows, np.float32)
    mixed = table[np.random.default_rng(len(rows)).permutation(len(table))]
    one, other = (combine_track(t[:, :3], t[:, 3], t[:, 4]) for t in (table, mixed))
    np.testing.assert_allclose(one, other, atol=1e-4)
    turned = combine_track(table[:, order], table[:, 3], table[:, 4])
    np.testing.assert_allclose(turned, one[order], atol=1e-4)


_cell = st.one_of(
    st.none(), st.integers(-(2**53), 2**53), st.floats(), st.text(st.characters(exclude_categories=[]))
)
_column = st.sampled_from(["label", "path", "pts_s", "x_px", "p_female", "other"])
_rows = st.lists(st.dictionaries(_column, _cell, max_size=4), max_size=5)


@settings(deadline=None)
@given(_rows, st.sampled_from(["json", "jsonl"]))
def test_any_value_comes_back_from_json_as_it_was_tidied(rows: list[dict[str, object]], ending: str) -> None:
    columns = ("label", "pts_s", "other")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"table.{ending}"
        write_rows(path, rows, columns)
        text = path.read_text("utf-8")
    found = json.loads(text) if ending == "json" else [json.loads(line) for line in text.split("\n")[:-1]]
    assert found == [tidy_row({name: row.get(name) for name in columns}) for row in rows]


@settings(deadline=None)
@given(_rows)
def test_any_value_comes_back_from_csv_as_text(rows: list[dict[str, object]]) -> None:
    columns = ("label", "p_female", "path")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.csv"
        write_rows(path, rows, columns)
        with path.open(encoding="utf-8", newline="") as file:
            found = list(csv.DictReader(file))
    wanted = [tidy_row({name: row.get(name) for name in columns}) for row in rows]
    texts = [{k: "" if v is None else str(v) for k, v in row.items()} for row in wanted]
    # A row of empty cells is an empty line, which a reader passes over.
    assert [row for row in found if any(row.values())] == [row for row in texts if any(row.values())]


@given(st.dictionaries(_column, _cell))
def test_tidying_twice_changes_nothing(row: dict[str, object]) -> None:
    assert tidy_row(tidy_row(row)) == tidy_row(row)


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2**40), st.floats(), st.text(max_size=8)), max_size=5))
def test_numbers_and_texts_come_back_from_parquet(rows: list[tuple[int, float, str]]) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    assume(all(text.isprintable() for _, _, text in rows))
    names = ("track_id", "pts_s", "label")
    given_rows = [dict(zip(names, row, strict=True)) for row in rows]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        write_rows(path, given_rows, names)
        assert parquet.read_table(path).to_pylist() == [tidy_row(row) for row in given_rows]
