"""Calibration on made-up scores whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import softmax
from scipy.stats import binom

from gclf_live.errors import CheckpointError
from gclf_live.model.calibration import (
    THRESHOLDS,
    error_table,
    expected_calibration_error,
    fit_temperature,
    threshold_for_error,
    wilson_interval,
)
from gclf_live.model.meta import ErrorAtThreshold
from gclf_live.records import F32, I64


def _drawn(sharpness: float, *, classes: int = 2, count: int = 20_000) -> tuple[F32, I64]:
    """Logits that are ``sharpness`` times too sure, and targets drawn from the true probabilities."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 2, (count, classes))
    true = softmax(logits, axis=1)
    targets = (true.cumsum(axis=1) < rng.random((count, 1))).sum(axis=1).clip(max=classes - 1)
    return (logits * sharpness).astype(np.float32), targets.astype(np.int64)


@pytest.mark.parametrize("sharpness", [0.4, 1.0, 3.0])
@pytest.mark.parametrize("classes", [2, 5])
def test_temperature_undoes_overconfidence(sharpness: float, classes: int) -> None:
    logits, targets = _drawn(sharpness, classes=classes)
    assert fit_temperature(logits, targets) == pytest.approx(sharpness, rel=0.05)


def test_temperature_lowers_the_calibration_error() -> None:
    logits, targets = _drawn(3.0)
    temperature = fit_temperature(logits, targets)
    raw = expected_calibration_error(softmax(logits, axis=1), targets)
    calibrated = expected_calibration_error(softmax(logits / temperature, axis=1), targets)
    assert raw > 0.08
    assert calibrated < 0.015


def test_scores_without_a_best_temperature_stay_within_the_bounds() -> None:
    logits = np.array([[0.1, -0.1], [-0.1, 0.1]], np.float32)
    assert fit_temperature(logits, np.array([0, 1])) == pytest.approx(0.05, rel=0.01)
    assert fit_temperature(logits, np.array([1, 0])) == pytest.approx(20, rel=0.01)


def test_calibration_error_by_hand() -> None:
    probabilities = np.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6], [0.4, 0.6]], np.float32)
    targets = np.array([0, 1, 1, 1])
    # Two bins: 0.9 said and half right, 0.6 said and all right.
    assert expected_calibration_error(probabilities, targets) == pytest.approx(0.5 * 0.4 + 0.5 * 0.4)


def test_sure_and_right_is_perfectly_calibrated() -> None:
    assert expected_calibration_error(np.array([[1, 0]], np.float32), np.array([0])) == 0


def test_error_table_by_hand() -> None:
    probabilities = np.array([[0.95, 0.05], [0.2, 0.8], [0.75, 0.25], [0.45, 0.55]], np.float32)
    targets = np.array([0, 0, 0, 1])
    rows = error_table(probabilities, targets, thresholds=(0.5, 0.75, 0.9, 0.99))
    assert [row.coverage for row in rows] == [1.0, 0.75, 0.25, 0.0]
    assert [row.error for row in rows] == pytest.approx([1 / 4, 1 / 3, 0, 0])
    assert [row.labelled for row in rows] == [4, 3, 1, 0]


def test_default_table_runs_from_all_faces_to_nearly_sure_ones() -> None:
    logits, targets = _drawn(1.0)
    rows = error_table(softmax(logits, axis=1), targets)
    assert rows[0].threshold == 0.5
    assert rows[0].coverage == 1
    assert rows[-1].threshold == 0.999
    assert tuple(row.threshold for row in rows) == THRESHOLDS == tuple(sorted(set(THRESHOLDS)))
    coverages = [row.coverage for row in rows]
    assert coverages == sorted(coverages, reverse=True)
    assert all(row.error <= 1 - row.threshold + 0.01 for row in rows)


def _row(threshold: float, error: float, labelled: int, coverage: float = 0.5) -> ErrorAtThreshold:
    return ErrorAtThreshold(threshold, coverage, error, labelled)


def test_threshold_is_the_smallest_whose_error_is_low_enough() -> None:
    table = [_row(0.5, 0.1, 0), _row(0.7, 0.05, 0), _row(0.9, 0.01, 0)]
    assert threshold_for_error(table, 0.5) == 0.5
    assert threshold_for_error(table, 0.05) == 0.7
    assert threshold_for_error(table[::-1], 0.03) == 0.9


def test_threshold_keeps_its_promise_on_fresh_faces() -> None:
    logits, targets = _drawn(1.0, count=30_000)
    probabilities = softmax(logits, axis=1)
    chosen = threshold_for_error(error_table(probabilities[:10_000], targets[:10_000]), 0.05)
    assert 0.5 < chosen < 0.95
    fresh = probabilities[10_000:].max(axis=1) >= chosen
    wrong = probabilities[10_000:].argmax(axis=1) != targets[10_000:]
    assert wrong[fresh].mean() <= 0.05


def test_few_faces_are_not_taken_at_their_word() -> None:
    # Published upper bounds (the "rule of three" made exact): none wrong of 59 is just below 5 %.
    assert threshold_for_error([_row(0.9, 0, 59)], 0.05) == 0.9
    with pytest.raises(CheckpointError, match=r"is 0\.0504\."):
        threshold_for_error([_row(0.9, 0, 58)], 0.05)


@given(labelled=st.integers(1, 2000), share=st.floats(0, 1))
def test_bound_is_where_so_few_errors_would_be_a_surprise(labelled: int, share: float) -> None:
    wrong = int(share * labelled)
    with pytest.raises(CheckpointError) as caught:
        threshold_for_error([_row(0.5, wrong / labelled, labelled)], -1)
    bound = float(str(caught.value).split("vouch for is ")[1].split(". Ask")[0])
    # By definition the binomial chance of at most that many errors is 5 % there; the message rounds up.
    chance = 1.0 if wrong == labelled else binom.cdf(wrong, labelled, bound - 1e-4)
    assert chance >= 0.05
    assert bound == 1 or binom.cdf(wrong, labelled, bound) <= 0.05 + 1e-9


def test_smallest_error_that_the_refusal_names_can_be_had() -> None:
    table = [_row(0.5, 0.1, 4000), _row(0.9, 0.0123, 2000)]
    with pytest.raises(CheckpointError) as caught:
        threshold_for_error(table, 0.001)
    named = float(str(caught.value).split("vouch for is ")[1].split(". Ask")[0])
    assert threshold_for_error(table, named) == 0.9
    assert "\n" not in str(caught.value)


def test_threshold_that_no_face_reached_promises_nothing() -> None:
    with pytest.raises(CheckpointError, match=r"smallest .* is 0\.2"):
        threshold_for_error([_row(0.5, 0.2, 0), _row(0.99, 0, 0, coverage=0)], 0.01)


@pytest.mark.parametrize("table", [[], [_row(0.5, 0, 0, coverage=0)]])
def test_no_table_is_an_error_that_points_to_the_threshold(table: list[ErrorAtThreshold]) -> None:
    with pytest.raises(CheckpointError, match=r"no table .*--threshold P"):
        threshold_for_error(table, 0.1)


@pytest.mark.parametrize(
    "values", [(1.5, 1, 0, 0), (0.5, -0.1, 0, 0), (0.5, 1, float("nan"), 0), (0.5, 1, 0, -1)]
)
def test_row_out_of_range_is_refused(values: tuple[float, float, float, int]) -> None:
    with pytest.raises(ValueError, match="allowed are"):
        ErrorAtThreshold(*values)


def test_wilson_interval_of_a_published_example() -> None:
    # Newcombe 1998, doi:10.1002/(SICI)1097-0258(19980430)17:8<857::AID-SIM777>3.0.CO;2-E, table I.
    assert wilson_interval(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson_interval(15, 148) == pytest.approx((0.0624, 0.1605), abs=5e-5)
    assert wilson_interval(0, 20) == pytest.approx((0.0, 0.1611), abs=5e-5)


@given(n=st.integers(1, 10_000), share=st.floats(0, 1), level=st.floats(0.5, 0.999))
def test_wilson_interval_holds_the_share_and_stays_in_range(n: int, share: float, level: float) -> None:
    successes = round(share * n)
    lower, upper = wilson_interval(successes, n, level=level)
    assert 0 <= lower <= successes / n <= upper <= 1


def test_wilson_interval_without_trials_knows_nothing() -> None:
    assert wilson_interval(0, 0) == (0, 1)


@pytest.mark.parametrize(("successes", "n", "level"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0), (1, 3, 0.0)])
def test_wilson_interval_of_impossible_counts_is_refused(successes: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match="counts must be"):
        wilson_interval(successes, n, level=level)


@pytest.mark.parametrize(
    ("scores", "targets"),
    [
        (np.zeros((0, 2), np.float32), np.zeros(0, np.int64)),
        (np.zeros((2, 2), np.float32), np.zeros(3, np.int64)),
        (np.zeros((1, 2), np.float32), np.array([2])),
        (np.zeros((1, 2), np.float32), np.array([-1])),
        (np.zeros(2, np.float32), np.zeros(2, np.int64)),
    ],
)
def test_scores_and_targets_that_do_not_fit_are_refused(scores: F32, targets: I64) -> None:
    with pytest.raises(ValueError, match=r"scores|targets"):
        fit_temperature(scores, targets)
    with pytest.raises(ValueError, match=r"scores|targets"):
        expected_calibration_error(scores, targets)
    with pytest.raises(ValueError, match=r"scores|targets"):
        error_table(scores, targets)
