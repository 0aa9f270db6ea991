"""What an audit found: how often the labels are right on this footage, and the shares corrected by it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from gclf_live.records import I64, UNSURE, Bool
from gclf_live.screentime.audit_answers import AuditPlan
from gclf_live.screentime.audit_estimates import (
    Proportion,
    StratifiedAnswers,
    collapse,
    proportion,
    ratio_of_parts,
)
from gclf_live.screentime.audit_sample import EXCLUDED

F64 = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class AuditFigures:
    """How often the labels are right, over seconds on screen or over tracks.

    A proportion is None where there is nothing that it could be of. Faces that the person could not tell
    count in ``unclear`` alone.

    Attributes:
        accuracy: of what has a class for its label, how much has the right one.
        precision: the same for what is labelled with each class.
        recall: of what is of each class and labelled, how much is labelled so.
        unclear: of what has a class for its label, how much the person could not tell.
    """

    accuracy: Proportion | None
    precision: Mapping[str, Proportion | None]
    recall: Mapping[str, Proportion | None]
    unclear: Proportion | None


@dataclass(frozen=True, slots=True)
class AuditedShare:
    """The share of one class in the screen time.

    Attributes:
        labelled: of the seconds whose label is a class, those with this one; NaN without any.
        corrected: of all seconds that are not excluded, unsure ones too, those of this class, as the person
            says; faces that cannot be told are left out.
        with_excluded: the same over the excluded seconds too.
    """

    labelled: float
    corrected: Proportion | None
    with_excluded: Proportion | None


@dataclass(frozen=True, slots=True)
class AuditSummary:
    """What an audit found.

    Attributes:
        plan: what was asked.
        answered: how many tracks have an answer.
        by_seconds, by_tracks: how often the labels are right.
        shares: of each class.
        counts: int64, shape (C + 1, C + 2): answers by what the person says (rows: the classes, unclear) and
            what the tool says (columns: the classes, unsure, excluded).
        seconds: float64, the same shape: the seconds of all tracks that these answers stand for.
        stood_for: strata without an answer, for which others of their kind stand.
    """

    plan: AuditPlan
    answered: int
    by_seconds: AuditFigures
    by_tracks: AuditFigures
    shares: Mapping[str, AuditedShare]
    counts: I64
    seconds: F64
    stood_for: int


def summarise(plan: AuditPlan, answers: Mapping[int, str | None]) -> AuditSummary | None:
    """Work out what an audit found so far; None before the first answer.

    Args:
        plan: what was asked.
        answers: number of a track, from 1, to what the person says; None is unclear.
    """
    if not answers:
        return None
    by_seconds = _Audited(plan, answers, of_seconds=True)
    counts = np.zeros((len(plan.classes) + 1, len(plan.classes) + 2), np.int64)
    np.add.at(counts, (by_seconds.truth, by_seconds.labels), 1)
    return AuditSummary(
        plan=plan,
        answered=len(answers),
        by_seconds=by_seconds.figures(),
        by_tracks=_Audited(plan, answers, of_seconds=False).figures(),
        shares=by_seconds.shares(),
        counts=counts,
        seconds=by_seconds.confusion(),
        stood_for=by_seconds.stood_for,
    )


class _Audited:
    """The answers as arrays: ``truth`` and ``labels`` are positions, see ``AuditSummary.counts``."""

    def __init__(self, plan: AuditPlan, answers: Mapping[int, str | None], *, of_seconds: bool) -> None:
        sample, self._classes = plan.sample, plan.classes
        numbers = sorted(answers)
        tracks = [sample.drawn[number - 1] for number in numbers]
        place = {name: position for position, name in enumerate((*plan.classes, UNSURE, EXCLUDED))}
        told = {name: position for position, name in enumerate(plan.classes)} | {None: len(plan.classes)}
        self.truth = np.array([told[answers[number]] for number in numbers])
        self.labels = np.array([place[track.label] for track in tracks])
        self._of_stratum = np.array([place[each.label] for each in sample.strata])
        stratum = np.array([track.stratum for track in tracks])
        drawn = np.array([each.drawn for each in sample.strata])
        answered = np.bincount(stratum, minlength=len(drawn)) / np.maximum(drawn, 1)
        self.stood_for = int((answered == 0).sum())
        bands = {each.band: position for position, each in enumerate(sample.strata)}
        kinds = self._of_stratum * len(drawn) + np.array([bands[each.band] for each in sample.strata])
        self._all = StratifiedAnswers(
            stratum=stratum,
            chances=np.array([track.chance for track in tracks]) * answered[stratum],
            measures=np.array([track.seconds if of_seconds else 1.0 for track in tracks]),
            totals=np.array([each.seconds if of_seconds else float(each.tracks) for each in sample.strata]),
            kinds=kinds,
        )
        # What may stand for a stratum without answers: its label and band, its label, or any other.
        self._kin = [kinds, self._of_stratum, np.zeros_like(kinds)]
        self._places = list(range(len(plan.classes)))
        self._is_class = self.labels < len(plan.classes)
        self._told = self.truth < len(plan.classes)

    def figures(self) -> AuditFigures:
        right = self._told & (self.truth == self.labels)
        labelled = self._told & self._is_class
        names = list(enumerate(self._classes))
        return AuditFigures(
            accuracy=self._of(right, labelled, self._with_label(self._places)),
            precision={
                name: self._of(
                    right & (self.labels == i), self._told & (self.labels == i), self._with_label([i])
                )
                for i, name in names
            },
            recall={name: self._recall(i) for i, name in names},
            unclear=self._of(~self._told & self._is_class, self._is_class, self._with_label(self._places)),
        )

    def shares(self) -> dict[str, AuditedShare]:
        counted = self._told & (self.labels != len(self._classes) + 1)
        inner = self._with_label([*self._places, len(self._classes)])
        everything = np.ones(len(inner), np.bool_)
        seconds = np.bincount(self._of_stratum, self._all.totals, minlength=len(self._classes))
        seconds = seconds[: len(self._classes)]
        with np.errstate(invalid="ignore"):
            labelled = seconds / seconds.sum()
        return {
            name: AuditedShare(
                labelled=float(labelled[i]),
                corrected=self._of(counted & (self.truth == i), counted, inner),
                with_excluded=self._of(self._told & (self.truth == i), self._told, everything),
            )
            for i, name in enumerate(self._classes)
        }

    def confusion(self) -> F64:
        """Seconds by what the person and what the tool says: float64, shape (C + 1, C + 2)."""
        whole = collapse(self._all, self._kin)
        sums = np.bincount(whole.stratum, whole.weights, minlength=len(whole.totals))
        worth = whole.weights * (whole.totals / np.where(sums > 0, sums, 1.0))[whole.stratum]
        table = np.zeros((len(self._classes) + 1, len(self._classes) + 2))
        np.add.at(table, (self.truth, self.labels), worth)
        return table

    def _with_label(self, labels: list[int]) -> Bool:
        return np.isin(self._of_stratum, labels)

    def _of(self, hits: Bool, counted: Bool, strata: Bool) -> Proportion | None:
        inside = strata[self._all.stratum]
        if not inside.any():
            return None
        return proportion(collapse(self._all.within(strata), self._kin), hits[inside], counted[inside])

    def _recall(self, place: int) -> Proportion | None:
        """Of the labelled seconds of a class, those labelled so; the two parts are in different strata."""
        own, others = self._with_label([place]), self._with_label([i for i in self._places if i != place])
        is_class, everything = self._told & (self.truth == place), np.ones(len(self.truth), np.bool_)
        found, missed = self._of(is_class, everything, own), self._of(is_class, everything, others)
        if found is None or missed is None:
            return None
        totals = self._all.totals
        return ratio_of_parts(found, missed, (float(totals[own].sum()), float(totals[others].sum())))
