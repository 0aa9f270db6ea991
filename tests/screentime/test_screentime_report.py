"""What results come to: sums, shares, and what privacy and mixed weights do to them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from result_makers import make_result, make_track, random_result

from gclf_live.errors import UsageError
from gclf_live.screentime.report import collect_sample, make_report
from gclf_live.screentime.report_text import report_lines
from gclf_live.screentime.result import Result, without_people


def _facts(*results: Result) -> dict[str, Any]:
    """The document as a reader of JSON sees it."""
    document = json.loads(json.dumps(make_report(results).as_json(), allow_nan=False))
    assert isinstance(document, dict)
    return document


def test_sums_are_those_of_the_tracks() -> None:
    facts = _facts(
        make_result(make_track(1, 0.97, seconds=3), make_track(2, 0.02, seconds=6), frames_with_face=300),
        make_result(
            make_track(1, 0.6, seconds=2),
            make_track(2, 0.9, seconds=5, excluded="too small"),
            make_track(3, None, seconds=1),
            name="b.mp4",
            frames=500,
            frames_with_face=200,
        ),
    )
    assert facts["seconds"] == {"excluded: too small": 5, "female": 3, "male": 6, "unsure": 3}
    assert facts["tracks"] == {"excluded: too small": 1, "female": 1, "male": 1, "unsure": 2}
    assert facts["labelled_share"] == {"female": 0.3333, "male": 0.6667}
    assert (facts["frames"], facts["frames_with_face"], facts["frames_with_face_share"]) == (2000, 500, 0.25)
    assert facts["measured_s"] == 120
    assert [video["name"] for video in facts["videos"]] == ["talk.mp4", "b.mp4"]


def test_excluded_and_unclassified_tracks_say_nothing_of_the_shares() -> None:
    counted = [make_track(i, 0.99 if i % 3 else 0.01) for i in range(30)]
    others = [make_track(99, 0.99, seconds=500, excluded="too small"), make_track(98, None, seconds=500)]
    first, second = _facts(make_result(*counted)), _facts(make_result(*counted, *others))
    assert first["corrected_share"] == second["corrected_share"]


def test_unsure_tracks_count_by_their_probabilities() -> None:
    sure = [make_track(i, 0.99 if i % 2 else 0.01) for i in range(40)]
    leaning = [make_track(100 + i, 0.75) for i in range(20)]
    facts = _facts(make_result(*sure, *leaning))
    assert facts["labelled_share"]["female"] == 0.5
    assert facts["corrected_share"]["female"] > 0.6


def test_shares_come_with_an_interval_that_holds_them() -> None:
    facts = _facts(*(random_result(number) for number in range(5)))
    share, (low, high) = facts["corrected_share"]["female"], facts["corrected_share_interval"]["female"]
    assert 0 < low < share < high < 1
    assert facts["interval"] == {"confidence": 0.95, "unit": "videos", "units": 5}
    assert "Saerens" in facts["method"]["share"]


def test_two_parts_of_a_video_are_one_cluster() -> None:
    parts = [
        replace(
            random_result(number),
            name="film.mp4",
            source_sha256="a",
            from_s=200.0 * number,
            to_s=200.0 * (number + 1),
        )
        for number in range(4)
    ]
    assert _facts(*parts)["interval"]["unit"] == "tracks"
    assert _facts(*parts, random_result(9))["interval"]["units"] == 2


def test_prior_of_each_checkpoint_is_taken_out() -> None:
    """The same likelihoods, told by checkpoints that were calibrated on other mixtures."""
    tracks, shifted = [], []
    for i in range(60):
        odds = 9.0 if i % 3 else 0.1
        tracks.append(make_track(i, odds / (1 + odds)))
        shifted.append(make_track(i, 4 * odds / (1 + 4 * odds)))
    even = make_report([make_result(*tracks, class_prior=(0.5, 0.5))]).shares.corrected
    other = make_report([make_result(*shifted, class_prior=(0.8, 0.2))]).shares.corrected
    np.testing.assert_allclose(even, other, atol=2e-3)


def test_privacy_keeps_sums_share_and_interval() -> None:
    for several in (1, 6):
        results = [random_result(number, tracks=150) for number in range(several)]
        open_, private = _facts(*results), _facts(*map(without_people, results))
        for name in ("seconds", "tracks", "labelled_share", "frames_with_face_share"):
            assert private[name] == open_[name]
        share = open_["corrected_share"]["female"]
        assert private["corrected_share"]["female"] == pytest.approx(share, abs=0.003)
        assert private["corrected_share_interval"]["female"] == pytest.approx(
            open_["corrected_share_interval"]["female"], abs=0.02
        )
        assert private["timelines"] == []
        assert private["face_heights"] is None


def test_evidence_stands_for_as_many_tracks_as_its_seconds_are_worth() -> None:
    private = without_people(
        make_result(*(make_track(i, 0.97, seconds=s) for i, s in enumerate([9, 1, 1, 1])))
    )
    sample = collect_sample([private])
    assert len(sample.seconds) == 2  # 12 squared over 84
    assert sample.seconds.sum() == pytest.approx(12)


def test_nobody_on_screen_is_a_report_too() -> None:
    facts = _facts(make_result(frames=0, frames_with_face=0))
    assert facts["corrected_share"] == {"female": None, "male": None}
    assert facts["labelled_share"] is None
    assert facts["frames_with_face_share"] is None
    text = "\n".join(report_lines(make_report([make_result()])))
    assert "no track says anything" in text


def test_terminal_shows_what_the_document_says() -> None:
    results = [random_result(number) for number in range(4)]
    results[2] = replace(results[2], damaged="frames after 90 s")
    lines = list(report_lines(make_report(results)))
    facts = _facts(*results)
    female = next(line for line in lines if line.startswith("female"))
    low, high = facts["corrected_share_interval"]["female"]
    assert f"{facts['seconds']['female']:,.1f}" in female
    assert f"{100 * facts['corrected_share']['female']:.1f} % ({100 * low:.1f} to {100 * high:.1f})" in female
    assert "damaged: film 2.mp4: frames after 90 s" in lines
    assert any("Saerens" in line for line in lines)
    assert any("over 4 videos" in line for line in lines)


def test_report_of_nothing_or_of_other_classes_is_refused() -> None:
    with pytest.raises(UsageError, match="no results"):
        make_report([])
    with pytest.raises(UsageError, match="different classes"):
        make_report([make_result(), make_result(classes=("cat", "dog"))])


def test_three_classes_are_reported_alike() -> None:
    rows = [
        {"a": 0.9, "b": 0.05, "c": 0.05},
        {"a": 0.02, "b": 0.96, "c": 0.02},
        {"a": 0.1, "b": 0.1, "c": 0.8},
    ]
    tracks = [
        replace(
            make_track(i),
            label=max(row, key=row.__getitem__),
            confidence=max(row.values()),
            probabilities=row,
        )
        for i, row in enumerate(rows * 20)
    ]
    facts = _facts(make_result(*tracks, classes=("a", "b", "c"), class_prior=(0.4, 0.3, 0.3)))
    assert sum(facts["corrected_share"].values()) == pytest.approx(1, abs=1e-3)
    for low, high in facts["corrected_share_interval"].values():
        assert 0 < low < 1 / 3 < high < 1
