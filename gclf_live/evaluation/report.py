"""Everything that an evaluation found, as one record and as one JSON document."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from gclf_live.evaluation.answers import Answers
from gclf_live.evaluation.groups import Grouping
from gclf_live.evaluation.intervals import Estimate
from gclf_live.evaluation.scores import OverallScores, ReliabilityBin, RiskPoint, Scores, score, score_all
from gclf_live.wording import tidy_text

_DECIMALS = 4


@dataclass(frozen=True, slots=True)
class Report:
    """The figures of an evaluation.

    Attributes:
        answers: what they are about.
        threshold: confidence from which an answer counts as a label.
        overall: the figures of all pictures.
        groups: by column and group, the figures of its pictures.
    """

    answers: Answers
    threshold: float
    overall: OverallScores
    groups: Mapping[str, Mapping[str, Scores]]

    def as_json(self) -> dict[str, Any]:
        """The document of ``evaluate --json``; its names are described in ``docs/evaluation.md``.

        Shares have four decimals; ``*_interval`` holds the lower and upper end at 95 %.
        """
        overall, answers = self.overall, self.answers
        document = {"classes": [tidy_text(name) for name in answers.classes], **_scores(overall.scores)}
        document["decided"] = {"threshold": self.threshold, **document["decided"]}
        document |= _estimate("ece", overall.ece)
        document["confusion"] = overall.confusion.tolist()
        document["reliability"] = [_bin(each) for each in overall.reliability]
        document["risk_coverage"] = [_point(each) for each in overall.risk_coverage]
        document |= _estimate("risk_coverage_area", overall.risk_coverage_area)
        document["groups"] = {
            tidy_text(column): {tidy_text(value): _scores(scores) for value, scores in values.items()}
            for column, values in self.groups.items()
        }
        document["missing"] = [tidy_text(file) for file in answers.missing]
        document["unreadable"] = [
            {"file": tidy_text(each.file), "reason": tidy_text(each.reason)} for each in answers.unreadable
        ]
        return document


def make_report(answers: Answers, groups: tuple[Grouping, ...] = (), *, threshold: float) -> Report:
    """Work out the figures.

    Args:
        answers: of N pictures.
        groups: ways to divide them, see ``make_groups``.
        threshold: confidence in [0, 1] from which an answer counts as a label.
    """
    by_column: dict[str, dict[str, Scores]] = {}
    for grouping in groups:
        values = np.asarray(grouping.values)
        by_column[grouping.column] = {
            value: score(answers, np.asarray(values == value), threshold=threshold)
            for value in grouping.order
        }
    return Report(answers, threshold, score_all(answers, threshold=threshold), by_column)


def _scores(scores: Scores) -> dict[str, Any]:
    return {
        "count": scores.count,
        **_estimate("accuracy", scores.accuracy),
        **_estimate("balanced_accuracy", scores.balanced_accuracy),
        "recall": {tidy_text(name): _round(each.value) for name, each in scores.recall.items()},
        "recall_interval": {tidy_text(name): _ends(each) for name, each in scores.recall.items()},
        "decided": {**_estimate("coverage", scores.coverage), **_estimate("error", scores.error)},
    }


def _bin(each: ReliabilityBin) -> dict[str, Any]:
    return {
        "low": _round(each.low),
        "high": _round(each.high),
        "count": each.count,
        "confidence": _round(each.confidence),
        **_estimate("accuracy", each.accuracy),
    }


def _point(each: RiskPoint) -> dict[str, Any]:
    return {
        "coverage": _round(each.coverage),
        **_estimate("risk", each.risk),
        # Not rounded: a threshold that is rounded up labels fewer pictures than it says.
        "threshold": each.threshold,
    }


def _estimate(name: str, estimate: Estimate | None) -> dict[str, Any]:
    if estimate is None:
        return {name: None, f"{name}_interval": None}
    return {name: _round(estimate.value), f"{name}_interval": _ends(estimate)}


def _ends(estimate: Estimate) -> list[float]:
    return [_round(estimate.low), _round(estimate.high)]


def _round(value: float) -> float:
    return round(value, _DECIMALS)
