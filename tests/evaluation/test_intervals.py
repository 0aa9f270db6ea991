"""Intervals: they hold the figure, shrink with the count, and hold the truth as often as they say."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_makers import drawn_answers
from hypothesis import given, settings
from hypothesis import strategies as st

from gclf_live.evaluation.intervals import area_under_risk, calibration_error, mean_of_shares, share
from gclf_live.model.calibration import expected_calibration_error, wilson_interval


def _area(confidence: list[float], wrong: list[bool]) -> float:
    targets = np.zeros(len(wrong), np.int64)
    return area_under_risk(np.array(confidence, np.float32), np.array(wrong), targets).value


def test_share_has_wilsons_interval() -> None:
    estimate = share(90, 100)
    assert estimate.value == 0.9
    assert (estimate.low, estimate.high) == wilson_interval(90, 100)


def test_mean_of_shares_is_that_of_large_samples() -> None:
    # The standard error of the mean of two proportions of 0.9 and 0.8, 400 and 100 trials.
    half = 1.96 * np.sqrt(0.9 * 0.1 / 400 + 0.8 * 0.2 / 100) / 2
    estimate = mean_of_shares([360, 80], [400, 100])
    assert estimate.value == pytest.approx(0.85)
    assert estimate.low == pytest.approx(0.85 - half, abs=0.004)
    assert estimate.high == pytest.approx(0.85 + half, abs=0.004)


def test_group_without_a_mistake_is_not_certain() -> None:
    estimate = mean_of_shares([5, 5], [5, 5])
    assert (estimate.value, estimate.high) == (1.0, 1.0)
    assert 0.5 < estimate.low < 0.8
    assert mean_of_shares([500, 500], [500, 500]).low > 0.99


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), min_size=1, max_size=6))
def test_mean_of_shares_lies_in_its_interval(pairs: list[tuple[int, int]]) -> None:
    counts = [count for _, count in pairs]
    hits = [min(hit, count) for hit, count in pairs]
    estimate = mean_of_shares(hits, counts)
    assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
    assert estimate.low < estimate.high


@pytest.mark.parametrize("classes", [2, 5])
def test_calibration_error_is_that_of_the_checkpoint(classes: int) -> None:
    answers = drawn_answers(300, sharpness=1.7, classes=classes)
    estimate = calibration_error(answers.probabilities, answers.targets)
    expected = expected_calibration_error(answers.probabilities, answers.targets)
    assert estimate.value == pytest.approx(expected, abs=1e-9)
    assert estimate.low < estimate.value < estimate.high


def test_calibrated_answers_have_an_interval_down_to_nearly_nothing() -> None:
    # The plain percentile interval of a good calibration lies wholly above it, most of the time.
    lows = [
        calibration_error(answers.probabilities, answers.targets).low
        for answers in (drawn_answers(600, seed=seed) for seed in range(8))
    ]
    assert sorted(lows)[4] < 0.006


def test_overconfident_answers_have_an_interval_above_zero() -> None:
    answers = drawn_answers(2000, sharpness=3.0)
    estimate = calibration_error(answers.probabilities, answers.targets)
    assert estimate.low > 0.05
    assert estimate.high - estimate.low < 0.06


def test_area_is_the_mean_risk_by_hand() -> None:
    # Risks 0/1, 1/2, 1/3, 2/4 as one picture after the other is labelled.
    assert _area([0.9, 0.8, 0.7, 0.6], [False, True, False, True]) == pytest.approx(
        (0 + 1 / 2 + 1 / 3 + 1 / 2) / 4
    )


def test_area_does_not_depend_on_the_order_of_equals() -> None:
    one = _area([0.9, 0.9, 0.6], [True, False, False])
    other = _area([0.9, 0.9, 0.6], [False, True, False])
    assert one == other == pytest.approx((1 / 2 + 1 / 2 + 1 / 3) / 3)


def test_ordering_that_knows_its_mistakes_has_the_smaller_area() -> None:
    wrong = [False] * 90 + [True] * 10
    rising = np.linspace(0.5, 1, 100).tolist()
    assert _area(rising[::-1], wrong) < 0.01
    assert _area(rising, wrong) > 0.3


def test_area_without_a_mistake_is_not_certain() -> None:
    few = area_under_risk(np.array([0.9, 0.8], np.float32), np.zeros(2, bool), np.zeros(2, np.int64))
    assert (few.value, few.low) == (0.0, 0.0)
    assert few.high == share(0, 2).high


@pytest.mark.parametrize("counts", [(1,), (1, 1), (1, 5), (3, 3), (1, 1, 40)])
@pytest.mark.parametrize("mistake", [False, True])
def test_few_pictures_never_give_a_figure_that_is_certain(counts: tuple[int, ...], mistake: bool) -> None:
    targets = np.repeat(np.arange(len(counts)), counts)
    answers = targets.copy()
    if mistake:
        answers[0] = (answers[0] + 1) % max(2, len(counts))
    probabilities = np.full((len(targets), max(2, len(counts))), 0.1 / max(1, len(counts) - 1), np.float32)
    probabilities[np.arange(len(targets)), answers] = 0.9
    error = calibration_error(probabilities, targets)
    area = area_under_risk(probabilities.max(axis=1), answers != targets, targets)
    for estimate in (error, area):
        assert 0 <= estimate.low <= estimate.value <= estimate.high <= 1
        assert estimate.high - estimate.low > 0.02, estimate
    if not mistake:  # a confidence of 0.9 may belong to a lower accuracy than was seen
        furthest = max(0.1, 0.9 - share(len(targets), len(targets)).low)
        assert error.high == pytest.approx(furthest, abs=0.001)


def test_area_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth_of = drawn_answers(50_000, seed=99)
    wrong = truth_of.probabilities.argmax(axis=1) != truth_of.targets
    order = np.argsort(-truth_of.probabilities.max(axis=1))
    truth = float((wrong[order].cumsum() / np.arange(1, len(wrong) + 1)).mean())
    held = 0
    for seed in range(25):
        answers = drawn_answers(150, seed=seed)
        confidence = answers.probabilities.max(axis=1)
        mistakes = answers.probabilities.argmax(axis=1) != answers.targets
        estimate = area_under_risk(confidence, mistakes, answers.targets)
        held += estimate.low <= truth <= estimate.high
    assert held >= 21


def test_intervals_are_the_same_every_time_and_in_blocks() -> None:
    answers = drawn_answers(2100)  # too many to resample all at once
    wrong = answers.probabilities.argmax(axis=1) != answers.targets
    confidence = answers.probabilities.max(axis=1)
    one = area_under_risk(confidence, wrong, answers.targets)
    assert one == area_under_risk(confidence, wrong, answers.targets)
    first = calibration_error(answers.probabilities, answers.targets)
    assert first == calibration_error(answers.probabilities, answers.targets)
