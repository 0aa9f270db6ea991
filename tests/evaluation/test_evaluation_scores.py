"""The figures of answers whose right values are worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from evaluation_makers import drawn_answers, make_answers

from gclf_live.evaluation.scores import score, score_all
from gclf_live.model.calibration import expected_calibration_error, wilson_interval

THREE = ("cat", "dog", "owl")
ROWS = [
    (0, (0.9, 0.1, 0.0)),
    (0, (0.2, 0.7, 0.1)),
    (1, (0.1, 0.8, 0.1)),
    (1, (0.0, 0.95, 0.05)),
    (1, (0.5, 0.3, 0.2)),
    (2, (0.1, 0.3, 0.6)),
]


def test_figures_of_three_classes() -> None:
    scores = score(make_answers(ROWS, classes=THREE), np.ones(6, bool), threshold=0.7)
    assert scores.count == 6
    assert scores.accuracy.value == pytest.approx(4 / 6)
    assert (scores.accuracy.low, scores.accuracy.high) == wilson_interval(4, 6)
    assert {name: each.value for name, each in scores.recall.items()} == pytest.approx(
        {"cat": 1 / 2, "dog": 2 / 3, "owl": 1}
    )
    assert scores.balanced_accuracy is not None
    assert scores.balanced_accuracy.value == pytest.approx((1 / 2 + 2 / 3 + 1) / 3)


def test_confidence_at_the_threshold_is_labelled() -> None:
    # 0.9, 0.7, 0.8 and 0.95 reach it; the second is wrong.
    scores = score(make_answers(ROWS, classes=THREE), np.ones(6, bool), threshold=float(np.float32(0.7)))
    assert scores.coverage.value == pytest.approx(4 / 6)
    assert scores.error is not None
    assert scores.error.value == pytest.approx(1 / 4)


def test_nothing_labelled_has_no_error() -> None:
    scores = score(make_answers(ROWS, classes=THREE), np.ones(6, bool), threshold=1.0)
    assert scores.coverage.value == 0
    assert scores.error is None


def test_group_without_a_class_has_no_balanced_accuracy() -> None:
    chosen = np.array([True, True, False, False, False, True])
    scores = score(make_answers(ROWS, classes=THREE), chosen, threshold=0.5)
    assert scores.count == 3
    assert scores.accuracy.value == pytest.approx(2 / 3)
    assert scores.balanced_accuracy is None
    assert set(scores.recall) == {"cat", "owl"}


def test_confusion_has_labels_in_rows() -> None:
    overall = score_all(make_answers(ROWS, classes=THREE), threshold=0.5)
    assert overall.confusion.tolist() == [[1, 1, 0], [1, 2, 0], [0, 0, 1]]


def test_reliability_adds_up_to_the_calibration_error() -> None:
    answers = drawn_answers(400, sharpness=2, classes=3)
    overall = score_all(answers, threshold=0.5)
    bins = overall.reliability
    assert sum(each.count for each in bins) == 400
    gaps = sum(each.count * abs(each.confidence - each.accuracy.value) for each in bins)
    assert gaps / 400 == pytest.approx(overall.ece.value)
    assert overall.ece.value == pytest.approx(
        expected_calibration_error(answers.probabilities, answers.targets)
    )
    assert all(each.low < each.confidence <= each.high + 1e-6 for each in bins)


def test_risk_is_that_of_the_pictures_above_the_threshold() -> None:
    answers = drawn_answers(250, classes=3)
    points = score_all(answers, threshold=0.5).risk_coverage
    confidence = answers.probabilities.max(axis=1)
    wrong = answers.probabilities.argmax(axis=1) != answers.targets
    assert points[-1].coverage == 1
    assert points[-1].risk.value == pytest.approx(float(wrong.mean()))
    assert [each.coverage for each in points] == sorted({each.coverage for each in points})
    assert len(points) == 40
    for each in points:
        labelled = confidence >= each.threshold
        assert each.coverage == pytest.approx(float(labelled.mean()))
        assert each.risk.value == pytest.approx(float(wrong[labelled].mean()))


def test_pictures_of_equal_confidence_are_one_point() -> None:
    answers = make_answers([(0, (0.9, 0.1)), (1, (0.9, 0.1)), (1, (0.1, 0.9)), (0, (0.6, 0.4))])
    points = score_all(answers, threshold=0.5).risk_coverage
    assert [(each.coverage, each.risk.value) for each in points] == [
        (0.75, pytest.approx(1 / 3)),
        (1.0, pytest.approx(1 / 4)),
    ]


def test_single_picture_has_figures() -> None:
    overall = score_all(make_answers([(1, (0.3, 0.7))]), threshold=0.5)
    assert overall.scores.accuracy.value == 1
    assert overall.scores.balanced_accuracy is None
    assert overall.ece.value == pytest.approx(0.3, abs=1e-6)
    assert overall.ece.low <= overall.ece.value <= overall.ece.high
    assert len(overall.risk_coverage) == 1
