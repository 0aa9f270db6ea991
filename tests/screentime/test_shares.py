"""Shares of screen time: what the correction gives where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.screentime import World, draw_archive
from gclf_live.screentime.shares import (
    TrackSample,
    corrected_shares,
    estimate_shares,
    labelled_shares,
)

EVEN = np.array([0.5, 0.5])


def _sample(
    first: list[float], seconds: list[float] | None = None, videos: list[int] | None = None
) -> TrackSample:
    probabilities = np.array([[p, 1 - p] for p in first]).reshape(-1, 2)
    return TrackSample(
        np.array(seconds or [1.0] * len(first)), probabilities, np.array(videos or [0] * len(first), np.int64)
    )


def test_certain_tracks_are_added_up() -> None:
    sample = _sample([1, 0, 1], seconds=[3, 5, 2])
    np.testing.assert_allclose(labelled_shares(sample), [0.5, 0.5])
    np.testing.assert_allclose(corrected_shares(sample, EVEN), [0.5, 0.5], atol=1e-4)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_errors_of_the_classifier_do_not_move_the_corrected_share(share: float) -> None:
    world = World(videos=200, tracks=200, concentration=1000, strength=2.5, prior=0.5)
    sample = draw_archive(world, share, np.random.default_rng(0))
    corrected = corrected_shares(sample, EVEN)
    assert corrected.sum() == pytest.approx(1)
    assert abs(corrected[0] - share) < 0.01
    if share != 0.5:
        assert abs(labelled_shares(sample)[0] - share) > 0.05, "the error that is corrected"


def test_the_mixture_that_it_was_calibrated_on_is_taken_out() -> None:
    rng = np.random.default_rng(1)
    for prior in (0.2, 0.5, 0.8):
        world = World(videos=300, tracks=100, concentration=1000, strength=3, prior=prior)
        sample = draw_archive(world, 0.4, rng)
        assert abs(corrected_shares(sample, np.array([prior, 1 - prior]))[0] - 0.4) < 0.01


def test_long_tracks_weigh_more() -> None:
    sample = _sample([0.99, 0.01], seconds=[9, 1])
    assert corrected_shares(sample, EVEN)[0] == pytest.approx(0.9, abs=0.02)


def test_three_classes_work_alike() -> None:
    rng = np.random.default_rng(2)
    truth = rng.choice(3, 20_000, p=[0.6, 0.3, 0.1])
    scores = rng.normal(0, 1, (20_000, 3)) + 2.0 * np.eye(3)[truth]
    likelihoods = np.exp(2.0 * scores)
    sample = TrackSample(
        np.ones(20_000), likelihoods / likelihoods.sum(1, keepdims=True), np.zeros(20_000, np.int64)
    )
    np.testing.assert_allclose(corrected_shares(sample, np.full(3, 1 / 3)), [0.6, 0.3, 0.1], atol=0.015)
    assert np.abs(labelled_shares(sample) - [0.6, 0.3, 0.1]).max() > 0.02


def test_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    world = World(videos=20, tracks=25, concentration=8, strength=3.5, prior=0.53)
    rng = np.random.default_rng(3)
    held, missed_by = 0, []
    for number in range(120):
        sample = draw_archive(world, 0.25, rng)
        result = estimate_shares(sample, np.array([0.53, 0.47]), draws=300, seed=number)
        held += int(result.low[0] <= 0.25 <= result.high[0])
        missed_by.append(result.corrected[0] - 0.25)
    # 120 intervals of 95 %: 106 to 119 with a probability of 0.997.
    assert 106 <= held <= 119
    assert abs(np.mean(missed_by)) < 0.015


def test_videos_are_drawn_again_where_there_are_several() -> None:
    """Tracks of one video are alike: taking them for independent would make the interval too narrow."""
    first = [0.99] * 40 + [0.01] * 40
    together = estimate_shares(_sample(first), EVEN, draws=400)
    apart = estimate_shares(_sample(first, videos=[i // 20 for i in range(80)]), EVEN, draws=400)
    assert (together.unit, together.units) == ("tracks", 80)
    assert (apart.unit, apart.units) == ("videos", 4)
    assert apart.high[0] - apart.low[0] > 2 * (together.high[0] - together.low[0])


def test_too_few_to_know_is_said_so() -> None:
    for sample in (_sample([0.9]), _sample([0.9, 0.9, 0.9], videos=[0, 0, 1])):
        result = estimate_shares(sample, EVEN)
        assert (result.low[0], result.high[0]) == (0, 1)
    nothing = estimate_shares(_sample([]), EVEN)
    assert np.isnan(nothing.corrected).all()
    assert nothing.units == 0


def test_same_seed_gives_the_same_interval() -> None:
    sample = _sample([0.9, 0.2, 0.7, 0.99, 0.4, 0.05])
    a, b, c = (estimate_shares(sample, EVEN, draws=200, seed=seed) for seed in (1, 1, 2))
    assert a.low[0] == b.low[0]
    assert (a.low[0], a.high[0]) != (c.low[0], c.high[0])


@pytest.mark.parametrize(
    "broken",
    [
        {"seconds": np.array([1.0, 0.0])},
        {"probabilities": np.array([[1.0, 0.0]])},
        {"videos": np.zeros(3, np.int64)},
    ],
    ids=lambda broken: next(iter(broken)),
)
def test_tables_that_do_not_fit_are_refused(broken: dict[str, np.ndarray]) -> None:
    parts = {
        "seconds": np.array([1.0, 2.0]),
        "probabilities": np.array([[0.9, 0.1], [0.2, 0.8]]),
        "videos": np.zeros(2, np.int64),
    }
    with pytest.raises(ValueError, match=r"each track|must be"):
        TrackSample(**(parts | broken))


@pytest.mark.parametrize("prior", [np.array([1.0, 0.0]), np.array([0.3, 0.3, 0.4])])
def test_prior_that_does_not_fit_is_refused(prior: np.ndarray) -> None:
    with pytest.raises(ValueError, match="prior"):
        corrected_shares(_sample([0.9, 0.1]), prior)
