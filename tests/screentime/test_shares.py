"""Shares of screen time: what the correction gives where the truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import optimize, special

from benchmarks.screentime import PRIOR, Scores, World, draw_archive, simulate
from gclf_live.screentime.shares import (
    TrackSample,
    corrected_shares,
    estimate_shares,
    labelled_shares,
)
from gclf_live.screentime.uncertainty import CalibrationDoubt

EVEN = np.array([0.5, 0.5])
CALIBRATED = CalibrationDoubt(0.0, 0.0)


@pytest.fixture(scope="module")
def scores() -> Scores:
    """What the shipped weights say, as their own table of errors has it."""
    return Scores.shipped()


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
def test_errors_of_the_classifier_do_not_move_the_corrected_share(share: float, scores: Scores) -> None:
    world = World(videos=1, tracks=40_000, people=0, doubt=CALIBRATED)
    archive = draw_archive(world, share, scores, np.random.default_rng(0))
    corrected = corrected_shares(archive.sample, PRIOR)
    assert corrected.sum() == pytest.approx(1)
    assert abs(corrected[0] - archive.own_share) < 0.005
    if share != 0.5:
        off = labelled_shares(archive.sample)[0] - archive.own_share
        assert abs(off) > 0.02, "the error that is corrected"


def test_the_mixture_that_it_was_calibrated_on_is_taken_out(scores: Scores) -> None:
    rng = np.random.default_rng(1)
    first = rng.random(40_000) < 0.4
    odds = scores.draw(first, rng)
    for prior in (0.2, 0.5, 0.8):
        p = special.expit(odds + special.logit(prior))
        sample = TrackSample(np.ones(len(p)), np.column_stack([p, 1 - p]), np.zeros(len(p), np.int64))
        assert abs(corrected_shares(sample, np.array([prior, 1 - prior]))[0] - first.mean()) < 0.005


def test_share_is_that_of_largest_likelihood(scores: Scores) -> None:
    """Against a plain search over the likelihood of tracks that are not rounded to kinds."""
    sample = draw_archive(World(8, 40), 0.3, scores, np.random.default_rng(5)).sample
    ratio = sample.probabilities[:, 0] / sample.probabilities[:, 1] * PRIOR[1] / PRIOR[0]

    def loss(share: float) -> float:
        return -float((sample.seconds * np.log(share * ratio + 1 - share)).sum())

    best = optimize.minimize_scalar(loss, bounds=(0, 1), method="bounded", options={"xatol": 1e-9}).x
    assert corrected_shares(sample, PRIOR)[0] == pytest.approx(best, abs=5e-4)


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


@pytest.mark.parametrize(
    ("world", "share"), [(World(20, 25), 0.25), (World(6, 40), 0.9), (World(1, 80, 0), 0.1)]
)
def test_interval_holds_the_truth_about_as_often_as_it_says(
    world: World, share: float, scores: Scores
) -> None:
    row = simulate(world, share, scores, archives=160, draws=200)
    # 160 intervals of 95 %: 143 to 159 with a probability of 0.997.
    assert 143 / 160 <= row.coverage / 100 <= 159 / 160
    assert abs(row.corrected) < abs(row.likeliest) / 2
    assert abs(row.likeliest) > 1
    assert row.width < 60


def test_calibration_is_doubted_however_much_footage_there_is(scores: Scores) -> None:
    world = World(400, 30, doubt=CALIBRATED)
    sample = draw_archive(world, 0.5, scores, np.random.default_rng(4)).sample
    usual, sure = (estimate_shares(sample, PRIOR, draws=200, doubt=doubt) for doubt in (None, CALIBRATED))
    assert sure.calibration_error[0] == pytest.approx(0, abs=1e-6)
    # A shift of 0.4 moves a share of 50 % by about a point.
    assert 0.005 < usual.calibration_error[0] < 0.02
    assert usual.standard_error[0] ** 2 == pytest.approx(
        sure.standard_error[0] ** 2 + usual.calibration_error[0] ** 2, rel=1e-3
    )
    assert usual.high[0] - usual.low[0] > sure.high[0] - sure.low[0]


def test_doubted_calibration_is_as_far_off_as_its_change_shows(scores: Scores) -> None:
    """The stated error against the share that a shifted classifier gives."""
    sample = draw_archive(World(1, 5000, 0, doubt=CALIBRATED), 0.3, scores, np.random.default_rng(6)).sample
    shifted = special.expit(special.logit(sample.probabilities[:, 0]) + 0.4)
    moved = corrected_shares(
        TrackSample(sample.seconds, np.column_stack([shifted, 1 - shifted]), sample.videos), PRIOR
    )[0]
    stated = estimate_shares(sample, PRIOR, draws=10, doubt=CalibrationDoubt(0.0, 0.4)).calibration_error[0]
    assert stated == pytest.approx(moved - corrected_shares(sample, PRIOR)[0], rel=0.15)


def test_nobody_of_a_class_leaves_room_for_a_few() -> None:
    result = estimate_shares(_sample([0.0001] * 60), EVEN, draws=200)
    assert result.corrected[0] < 1e-3
    assert result.low[0] < 1e-3
    assert 0.02 < result.high[0] < 0.12
    assert result.low[1] == pytest.approx(1 - result.high[0])


def test_few_videos_that_are_alike_are_not_taken_for_sure() -> None:
    """A hundred tracks of the same few people say less than a hundred people."""
    first = [0.999] * 50 + [0.001] * 50
    alike = estimate_shares(_sample(first * 4, videos=[i // 100 for i in range(400)]), EVEN, draws=200)
    assert alike.high[0] - alike.low[0] > 0.25


def test_bounds_of_two_classes_mirror_each_other(scores: Scores) -> None:
    sample = draw_archive(World(9, 30), 0.2, scores, np.random.default_rng(8)).sample
    result = estimate_shares(sample, PRIOR, draws=200)
    assert (result.low < result.corrected).all()
    assert (result.corrected < result.high).all()
    np.testing.assert_allclose(result.low, 1 - result.high[::-1], atol=1e-3)


@pytest.mark.parametrize("videos", [1, 5])
def test_certain_tracks_of_one_class_are_worth_no_more_than_they_are(videos: int) -> None:
    certain = np.tile([1.0, 0.0], (5, 1))
    shares = estimate_shares(TrackSample(np.ones(5), certain, np.arange(5) % videos), np.array([0.5, 0.5]))
    # Wilson's interval for five of five, with Student's t of four degrees of freedom.
    assert shares.low[0] == pytest.approx(1 / (1 + 2.776**2 / 5), abs=1e-3)
    np.testing.assert_allclose(shares.low, 1 - shares.high[::-1], atol=1e-6)


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
