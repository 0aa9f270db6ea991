"""The sample that a person is asked about: who is in it, with which chance, in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from result_makers import make_result, make_track

from benchmarks.audit import AuditWorld, draw_known_archive
from gclf_live.screentime.audit_sample import Candidate, candidates, draw_sample


def _tracks(count: int = 300, seed: int = 0, **changes: float) -> tuple[Candidate, ...]:
    world = replace(AuditWorld(tracks=count, videos=4), **changes)
    return draw_known_archive(world, np.random.default_rng(seed)).tracks


@pytest.mark.parametrize("count", [1, 3, 17, 100, 300, 5000])
def test_as_many_different_tracks_as_asked_for_or_all(count: int) -> None:
    tracks = _tracks()
    drawn = draw_sample(tracks, count=count, seed=1).drawn
    assert len({track.track_id for track in drawn}) == len(drawn) == min(count, len(tracks))
    assert all(0 < track.chance <= 1 for track in drawn)


def test_each_track_is_drawn_as_often_as_its_chance_says() -> None:
    tracks = _tracks(60)
    draws = 1000
    stated: dict[int, float] = {}
    times: Counter[int] = Counter()
    for seed in range(draws):
        for track in draw_sample(tracks, count=24, seed=seed).drawn:
            assert stated.setdefault(track.track_id, track.chance) == pytest.approx(track.chance)
            times[track.track_id] += 1
    assert len(stated) == len(tracks), "every track can be drawn"
    for track_id, chance in stated.items():
        noise = max(np.sqrt(chance * (1 - chance) / draws), 1e-6)
        assert abs(times[track_id] / draws - chance) < 4.5 * noise


def test_chances_within_a_stratum_follow_the_seconds() -> None:
    sample = draw_sample(_tracks(2000), count=150, seed=0)
    for number, stratum in enumerate(sample.strata):
        inside = [track for track in sample.drawn if track.stratum == number]
        per_second = [track.chance / track.seconds for track in inside]
        if stratum.certain:
            assert all(track.chance == 1 for track in inside)
        else:
            assert per_second == pytest.approx([stratum.drawn / stratum.seconds] * len(inside))


def test_strata_hold_every_track_once() -> None:
    tracks = _tracks(1000)
    sample = draw_sample(tracks, count=120, seed=0)
    assert sum(each.tracks for each in sample.strata) == len(tracks)
    assert sum(each.seconds for each in sample.strata) == pytest.approx(sum(t.seconds for t in tracks))
    assert Counter(track.stratum for track in sample.drawn) == {
        number: each.drawn for number, each in enumerate(sample.strata)
    }
    assert all(sample.strata[track.stratum].label == track.label for track in sample.drawn)
    assert {each.label for each in sample.strata} == {"female", "male", "unsure", "excluded"}
    assert any(each.result is not None for each in sample.strata), "videos with enough in them stand alone"


def test_tracks_of_a_video_share_a_stratum_where_they_are_few() -> None:
    many = draw_sample(_tracks(2000), count=30, seed=0)
    assert all(each.result is None for each in many.strata if not each.certain)


def test_excluded_tracks_take_a_tenth_of_the_sample_at_most_or_two_a_stratum() -> None:
    sample = draw_sample(_tracks(3000, excluded=0.6), count=200, seed=0)
    drawn = Counter(track.label for track in sample.drawn)
    assert 2 <= drawn["excluded"] <= 24


def test_any_beginning_of_the_order_is_a_small_sample_of_the_same_kind() -> None:
    sample = draw_sample(_tracks(3000), count=200, seed=0)
    whole = Counter(track.label for track in sample.drawn)
    half = Counter(track.label for track in sample.drawn[:100])
    assert all(abs(half[label] - whole[label] / 2) <= 6 for label in whole)


def test_same_seed_asks_about_the_same_tracks() -> None:
    tracks = _tracks()
    assert draw_sample(tracks, count=50, seed=3) == draw_sample(tracks, count=50, seed=3)
    assert draw_sample(tracks, count=50, seed=3) != draw_sample(tracks, count=50, seed=4)


def test_tracks_without_a_picture_or_without_time_cannot_be_drawn() -> None:
    result = make_result(
        make_track(1),
        make_track(2, crop=False),
        make_track(3, seconds=0.0),
        make_track(4, excluded="too small"),
    )
    found = candidates(result, 7)
    assert [(each.result, each.track_id, each.label) for each in found] == [
        (7, 1, "female"),
        (7, 4, "excluded"),
    ]


def test_track_that_was_not_classified_has_a_band_of_its_own() -> None:
    (track,) = candidates(make_result(make_track(1, None)), 0)
    assert track.band == "not classified"
    assert len(draw_sample([track], count=1, seed=0).drawn) == 1
