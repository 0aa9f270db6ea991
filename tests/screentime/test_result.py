"""The result of a video: what is written is what is read, and what is damaged is said to be."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from result_makers import make_jpeg, make_result, make_track, random_result

from gclf_live.errors import OutputError, SourceError
from gclf_live.screentime.result import Evidence, Result, ResultTrack, without_people
from gclf_live.screentime.result_file import RESULT_FORMAT, read_result, write_result


def _saved(tmp_path: Path, result: Result) -> Path:
    path = tmp_path / "talk.result.json"
    write_result(path, result)
    return path


def _changed(path: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")
    return path


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    result = make_result(
        make_track(1, 0.97),
        make_track(2, 0.6, start_s=10),
        make_track(3, 0.02, excluded="too small"),
        replace(make_track(4), spans_s=((1.0, 2.5), (4.0, 4.5)), seconds=2.0),
        name="häppchen \udcff.mp4",
        damaged="frames after 31.2 s",
    )
    assert read_result(_saved(tmp_path, result)) == result


def test_track_that_was_not_classified_is_kept(tmp_path: Path) -> None:
    track = read_result(_saved(tmp_path, make_result(make_track(female=None)))).tracks[0]
    assert math.isnan(track.confidence)
    assert (track.label, dict(track.probabilities)) == ("unsure", {})


def test_file_says_what_it_is_first_and_has_the_names_of_the_tables(tmp_path: Path) -> None:
    text = _saved(tmp_path, make_result(make_track())).read_text("utf-8")
    assert text.startswith('{"format":1,"kind":"gclf-live result"')
    row = json.loads(text)["tracks"][0]
    assert {"track_id", "start_s", "end_s", "median_height_px", "p_female", "p_male", "excluded"} <= set(row)
    assert (row["start_s"], row["end_s"]) == (0.0, 4.0)


def test_numbers_of_numpy_are_written_too(tmp_path: Path) -> None:
    track = replace(make_track(), median_height_px=np.float32(64.5), track_id=np.int64(7))
    again = read_result(_saved(tmp_path, make_result(track))).tracks[0]
    assert (again.track_id, again.median_height_px) == (7, 64.5)


def test_totals_hold_every_second_under_one_name() -> None:
    result = make_result(
        make_track(1, 0.97, seconds=3),
        make_track(2, 0.9, seconds=2),
        make_track(3, 0.6, seconds=1),
        make_track(4, 0.01, seconds=5, excluded="too small"),
    )
    assert result.totals == {"female": 5, "unsure": 1, "excluded: too small": 5}
    assert result.counts == {"female": 2, "unsure": 1, "excluded: too small": 1}


def test_pictures_can_be_left_out_when_reading(tmp_path: Path) -> None:
    path = _saved(tmp_path, make_result(make_track()))
    assert read_result(path).tracks[0].crop_jpeg == make_jpeg()
    assert read_result(path, crops=False).tracks[0].crop_jpeg == b""


def test_existing_file_is_kept(tmp_path: Path) -> None:
    path = _saved(tmp_path, make_result(make_track(1)))
    with pytest.raises(OutputError, match="--overwrite"):
        write_result(path, make_result())
    write_result(path, make_result(), overwrite=True)
    assert read_result(path).tracks == ()


def test_privacy_leaves_sums_alone(tmp_path: Path) -> None:
    tracks = [make_track(i, 0.9 + 0.001 * i, seconds=1 + i) for i in range(10)]
    result = make_result(*tracks, make_track(99, 0.2, excluded="too small"), make_track(98, None))
    private = without_people(result)
    path = _saved(tmp_path, private)
    assert read_result(path) == private
    assert private.tracks == ()
    assert private.privacy
    assert private.totals == result.totals
    assert private.counts == result.counts
    assert [(each.tracks, each.seconds) for each in private.evidence] == [(10, 55)]
    assert private.evidence[0].squared_seconds == sum(i**2 for i in range(1, 11))
    assert 0.9 < private.evidence[0].probabilities["female"] < 0.91
    text = path.read_text("utf-8")
    assert not any(word in text for word in ("crop_jpeg", "spans_s", "start_s", "track_id"))


def test_privacy_twice_is_privacy_once() -> None:
    private = without_people(random_result(0))
    assert without_people(private) == private
    assert len(private.evidence) < 30


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda d: d.pop("frames"), "lacks 'frames'"),
        (lambda d: d["tracks"][0].pop("seconds"), "lacks 'seconds'"),
        (lambda d: d["tracks"][0].pop("p_male"), "probabilities"),
        (lambda d: d["tracks"][0].update(seconds="4"), "seconds is '4'"),
        (lambda d: d["tracks"][0].update(seconds=-1), "seconds"),
        (lambda d: d["tracks"][0].update(label="dog"), "label 'dog'"),
        (lambda d: d["tracks"][0].update(p_male=0.9), "adding up to 1"),
        (lambda d: d["tracks"][0].update(spans_s=[[3, 2]]), "in order"),
        (lambda d: d["tracks"][0].update(spans_s=[]), "one or more"),
        (lambda d: d["tracks"][0].update(crop_jpeg="?"), "damaged"),
        (lambda d: d.update(tracks=None), "damaged"),
        (lambda d: d.update(settings=[]), "settings"),
        (lambda d: d.update(class_prior=[1.0, 0.0]), "prior"),
        (lambda d: d.update(classes=["female"]), "classes"),
        (lambda d: d.update(frames_with_face=10_000), "frames"),
        (lambda d: d.update(to_s=float("nan")), "finite range"),
        (lambda d: d.update(privacy=True), "privacy"),
        (
            lambda d: d["totals"].update(female=99.0),
            "its total of 'female' is 99 s, and its tracks add up to",
        ),
        (lambda d: d["totals"].update(female="4 s"), "'female' is '4 s'"),
        (lambda d: d["totals"].update(female=float("nan")), "'female' is nan"),
        (lambda d: d["totals"].update(female=-1), "'female' is -1"),
        (lambda d: d["counts"].update(female=None), "'female' is None"),
        (lambda d: d["counts"].update(female=10**400), "too large"),
        (lambda d: d["tracks"][0].update(spans_s=[[0, 10**400]]), "too large"),
        (lambda d: d.update(frames=10**400), "frames is 1000"),
        (lambda d: d.update(name="\ud800"), "surrogates"),
        (lambda d: d["settings"].update(threshold=float("inf")), "JSON compliant"),
    ],
)
def test_damaged_file_is_refused_in_one_line(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], word: str
) -> None:
    path = _changed(_saved(tmp_path, make_result(make_track())), change)
    with pytest.raises(SourceError) as caught:
        read_result(path)
    message = str(caught.value)
    assert word in message
    assert str(path) in message
    assert "\n" not in message
    assert len(message) < 400


@pytest.mark.parametrize(
    ("change", "word"),
    [
        (lambda row: row.update(squared_seconds="16"), "squared_seconds is '16'"),
        (lambda row: row.update(squared_seconds=-1), "squared seconds -1"),
        (lambda row: row.update(squared_seconds=float("nan")), "squared seconds nan"),
        (lambda row: row.update(tracks=1.5), "tracks is 1.5"),
        (lambda row: row.update(seconds=None), "seconds is None"),
    ],
)
def test_damaged_evidence_is_refused(
    tmp_path: Path, change: Callable[[dict[str, Any]], object], word: str
) -> None:
    private = without_people(make_result(make_track()))
    path = _changed(_saved(tmp_path, private), lambda d: change(d["evidence"][0]))
    with pytest.raises(SourceError, match=rf"is damaged: .*{re.escape(word)}"):
        read_result(path)


def test_half_a_file_is_refused(tmp_path: Path) -> None:
    path = _saved(tmp_path, make_result(make_track()))
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(SourceError, match="is damaged"):
        read_result(path)


def test_other_versions_are_refused(tmp_path: Path) -> None:
    path = _changed(_saved(tmp_path, make_result()), lambda d: d.update(format=RESULT_FORMAT + 1))
    with pytest.raises(SourceError, match=r"format 2; this gclf-live reads 1\. Measure"):
        read_result(path)


@pytest.mark.parametrize("content", [b"{}", b"[]", b'{"kind": "report"}', b"3"])
def test_other_json_files_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is no result of gclf-live"):
        read_result(path)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="cannot read the result"):
        read_result(tmp_path / "nothing.json")


def test_records_check_themselves() -> None:
    with pytest.raises(ValueError, match="spans"):
        ResultTrack(1, (), 0.0, 1, 1, 10.0, "female", 0.9, {})
    with pytest.raises(ValueError, match="above 0"):
        Evidence(0.0, 1, {})
