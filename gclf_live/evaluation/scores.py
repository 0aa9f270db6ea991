"""How often answers are right: the figures of all pictures and of any group of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from gclf_live.evaluation.answers import Answers
from gclf_live.evaluation.intervals import Estimate, area_under_risk, calibration_error, mean_of_shares, share
from gclf_live.records import I64, Bool

_BINS = 15
_CURVE_POINTS = 40


@dataclass(frozen=True, slots=True)
class Scores:
    """The figures of some pictures, at least one.

    Attributes:
        count: how many pictures.
        accuracy: share of right answers.
        balanced_accuracy: mean of the recalls; None where a class has no picture.
        recall: share of right answers among the pictures of each class that has any.
        coverage: share of pictures whose confidence reaches the threshold.
        error: share of wrong answers among those; None where there are none.
    """

    count: int
    accuracy: Estimate
    balanced_accuracy: Estimate | None
    recall: Mapping[str, Estimate]
    coverage: Estimate
    error: Estimate | None


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Pictures of like confidence.

    Attributes:
        low, high: bounds of the confidence; ``low`` excluded.
        count: how many pictures, at least one.
        confidence: their mean confidence.
        accuracy: share of right answers among them.
    """

    low: float
    high: float
    count: int
    confidence: float
    accuracy: Estimate


@dataclass(frozen=True, slots=True)
class RiskPoint:
    """What a threshold gives.

    Attributes:
        threshold: confidence from which a picture is labelled.
        coverage: share of pictures that are.
        risk: share of wrong answers among them.
    """

    threshold: float
    coverage: float
    risk: Estimate


@dataclass(frozen=True, slots=True)
class OverallScores:
    """The figures that are given for all pictures only.

    Attributes:
        scores: those that groups have too.
        confusion: int64, shape (C, C): rows are labels, columns answers.
        ece: expected calibration error.
        reliability: what it is summed over, by rising confidence.
        risk_coverage: by rising coverage, up to 1.
        risk_coverage_area: mean risk over all coverages.
    """

    scores: Scores
    confusion: I64
    ece: Estimate
    reliability: tuple[ReliabilityBin, ...]
    risk_coverage: tuple[RiskPoint, ...]
    risk_coverage_area: Estimate


def score(answers: Answers, chosen: Bool, *, threshold: float) -> Scores:
    """The figures of the pictures that ``chosen``, bool of shape (N,), names; at least one.

    Args:
        answers: of N pictures.
        chosen: which of them count.
        threshold: confidence from which an answer counts as a label.
    """
    targets = answers.targets[chosen]
    probabilities = answers.probabilities[chosen]
    right = probabilities.argmax(axis=1) == targets
    counts = np.bincount(targets, minlength=len(answers.classes)).tolist()
    hits = np.bincount(targets[right], minlength=len(answers.classes)).tolist()
    decided = probabilities.max(axis=1) >= threshold
    labelled = int(decided.sum())
    return Scores(
        count=len(targets),
        accuracy=share(int(right.sum()), len(targets)),
        balanced_accuracy=mean_of_shares(hits, counts) if all(counts) else None,
        recall={
            name: share(hit, count)
            for name, hit, count in zip(answers.classes, hits, counts, strict=True)
            if count
        },
        coverage=share(labelled, len(targets)),
        error=share(int((decided & ~right).sum()), labelled) if labelled else None,
    )


def score_all(answers: Answers, *, threshold: float) -> OverallScores:
    """The figures of all pictures; ``threshold`` as in ``score``."""
    wrong = answers.probabilities.argmax(axis=1) != answers.targets
    confidence = answers.probabilities.max(axis=1)
    return OverallScores(
        scores=score(answers, np.ones(len(wrong), bool), threshold=threshold),
        confusion=_confusion(answers),
        ece=calibration_error(answers.probabilities, answers.targets, bins=_BINS),
        reliability=_reliability(answers),
        risk_coverage=_risk_coverage(answers),
        risk_coverage_area=area_under_risk(confidence, wrong, answers.targets),
    )


def _confusion(answers: Answers) -> I64:
    matrix = np.zeros((len(answers.classes), len(answers.classes)), np.int64)
    np.add.at(matrix, (answers.targets, answers.probabilities.argmax(axis=1)), 1)
    return matrix


def _reliability(answers: Answers) -> tuple[ReliabilityBin, ...]:
    confidence = answers.probabilities.max(axis=1).astype(np.float64)
    right = answers.probabilities.argmax(axis=1) == answers.targets
    place = np.clip(np.ceil(confidence * _BINS).astype(int) - 1, 0, _BINS - 1)
    return tuple(
        ReliabilityBin(
            low=index / _BINS,
            high=(index + 1) / _BINS,
            count=int((place == index).sum()),
            confidence=float(confidence[place == index].mean()),
            accuracy=share(int(right[place == index].sum()), int((place == index).sum())),
        )
        for index in np.unique(place).tolist()
    )


def _risk_coverage(answers: Answers) -> tuple[RiskPoint, ...]:
    """Points at about even steps of coverage; pictures of equal confidence are labelled together."""
    confidence = answers.probabilities.max(axis=1)
    order = np.argsort(-confidence, kind="stable")
    falling = confidence[order]
    wrong = np.cumsum((answers.probabilities.argmax(axis=1) != answers.targets)[order])
    total = len(order)
    wanted = np.unique(np.ceil(total * np.arange(1, _CURVE_POINTS + 1) / _CURVE_POINTS).astype(int))
    labelled = np.unique(np.searchsorted(-falling, -falling[wanted - 1], side="right"))
    return tuple(
        RiskPoint(float(falling[n - 1]), n / total, share(int(wrong[n - 1]), n)) for n in labelled.tolist()
    )
