"""What an audit's figures are worth where the truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.audit import (
    WORLDS,
    AuditWorld,
    audit_archive,
    draw_known_archive,
    estimated,
    try_audits,
)
from gclf_live.screentime.audit_estimates import (
    Proportion,
    StratifiedAnswers,
    collapse,
    proportion,
    ratio_of_parts,
)


def _answers(strata: list[int], *, totals: list[float], chance: float = 1e-6) -> StratifiedAnswers:
    count = len(strata)
    return StratifiedAnswers(
        np.array(strata),
        np.full(count, chance),
        np.ones(count),
        np.array(totals, np.float64),
        np.arange(len(totals)),
    )


def _of(answers: StratifiedAnswers, hits: list[bool]) -> Proportion:
    found = proportion(answers, np.array(hits), np.ones(len(hits), np.bool_))
    assert found is not None
    return found


def test_strata_count_by_their_known_size() -> None:
    answers = _answers([0, 0, 1, 1], totals=[90, 10])
    assert _of(answers, [True, True, False, False]).value == pytest.approx(0.9)
    assert _of(answers, [True, False, True, True]).value == pytest.approx(0.55)


def test_many_answers_of_one_kind_give_about_wilson_s_interval() -> None:
    found = _of(_answers([0] * 400, totals=[1.0]), [True] * 360 + [False] * 40)
    # Wilson's for 360 of 400, from the formula: 0.8666 to 0.9257.
    assert (found.low, found.high) == (pytest.approx(0.8666, abs=2e-3), pytest.approx(0.9257, abs=2e-3))


def test_no_mistake_found_does_not_mean_that_there_is_none() -> None:
    few, many = (_of(_answers([0] * n, totals=[1.0]), [True] * n) for n in (10, 100))
    assert few.value == many.value == few.high == many.high == 1
    assert 0.6 < few.low < 0.75
    assert 0.95 < many.low < 0.97


def test_what_was_labelled_completely_has_no_interval() -> None:
    found = _of(_answers([0, 0, 0, 0], totals=[4.0], chance=1.0), [True, True, True, False])
    assert found == Proportion(0.75, 0.75, 0.75)


def test_rare_draws_stand_for_more() -> None:
    answers = StratifiedAnswers(
        np.array([0, 0]), np.array([0.1, 0.9]), np.ones(2), np.array([10.0]), np.array([0])
    )
    assert _of(answers, [True, False]).value == pytest.approx(0.9)


def test_stratum_without_answers_is_stood_for_by_its_own_kind_first() -> None:
    answers = _answers([0, 1], totals=[10, 20, 30])
    near, far = np.array([0, 1, 0]), np.zeros(3, np.int64)
    assert collapse(answers, [near, far]).totals.tolist() == [40, 20, 0]
    assert collapse(answers, [np.arange(3), far]).totals.tolist() == [20, 40, 0]


def test_part_of_a_whole_keeps_within_its_bounds() -> None:
    found = ratio_of_parts(Proportion(0.9, 0.8, 0.95), Proportion(0.0, 0.0, 0.1), (50, 50))
    assert found is not None
    assert (found.value, found.high) == (1, 1)
    assert 0.85 < found.low < 0.95
    nothing = Proportion(0.0, 0.0, 0.1)
    assert ratio_of_parts(nothing, nothing, (50, 50)) is None


@pytest.mark.parametrize("broken", [{"chances": np.array([0.0])}, {"measures": np.array([0.0])}])
def test_chances_and_measures_of_nothing_are_refused(broken: dict[str, np.ndarray]) -> None:
    with pytest.raises(ValueError, match="above 0"):
        replace(_answers([0], totals=[1.0]), **broken)


def test_everything_labelled_gives_the_truth() -> None:
    archive = draw_known_archive(AuditWorld(tracks=150, videos=3), np.random.default_rng(5))
    said = estimated(audit_archive(archive, count=150, seed=0))
    for name, truth in archive.figures().items():
        found = said[name]
        assert found is not None
        assert (found.value, found.low, found.high) == pytest.approx((truth, truth, truth))


@pytest.mark.parametrize("name", ["biased on this footage", "women on screen for longer"])
def test_estimates_come_out_right_on_average_where_the_labels_do_not(name: str) -> None:
    world = replace(WORLDS[name], tracks=800, videos=6)
    rng = np.random.default_rng(1)
    labelled_bias = []
    for seed in range(20):
        archive = draw_known_archive(world, rng)
        share = audit_archive(archive, count=100, seed=seed).shares["female"]
        labelled_bias.append(share.labelled - archive.figures()["share"])
    trials = try_audits(world, count=100, archives=60)
    for figure in ("accuracy", "share", "share with excluded"):
        assert abs(trials[figure].bias) < max(3.5 * trials[figure].noise, 0.002), figure
        assert trials[figure].coverage >= 0.85, figure
    if name == "biased on this footage":
        assert np.mean(labelled_bias) > 0.01, "the error that the audit corrects"


def test_audit_that_was_stopped_halfway_is_right_too() -> None:
    trials = try_audits(replace(AuditWorld(), tracks=800, videos=6), count=200, archives=60, answered=70)
    for figure in ("accuracy", "share"):
        assert abs(trials[figure].bias) < max(3.5 * trials[figure].noise, 0.002), figure
        assert trials[figure].coverage >= 0.85, figure


@pytest.mark.slow
@pytest.mark.parametrize("name", list(WORLDS))
def test_intervals_hold_the_truth_in_about_95_of_100_archives(name: str) -> None:
    archives = 300
    for figure, trial in try_audits(WORLDS[name], count=200, archives=archives).items():
        least = 0.93 if figure == "share" else 0.91
        # Three standard errors of what 300 archives can show.
        assert trial.coverage >= least - 3 * np.sqrt(least * (1 - least) / archives), figure
        assert abs(trial.bias) < max(3.5 * trial.noise, 0.002), figure
