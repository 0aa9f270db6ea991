"""Two people's answers compared."""

from __future__ import annotations

import numpy as np
import pytest

from gclf_live.screentime.audit_agreement import compare_answers

CLASSES = ("female", "male")


def _people(
    *pairs: tuple[str | None, str | None, int],
) -> tuple[dict[int, str | None], dict[int, str | None]]:
    first = [a for a, _, count in pairs for _ in range(count)]
    second = [b for _, b, count in pairs for _ in range(count)]
    return dict(enumerate(first, 1)), dict(enumerate(second, 1))


def test_kappa_of_a_table_worked_out_by_hand() -> None:
    # 35 of 50 alike; by chance (25 * 30 + 25 * 20) / 50^2 = 0.5.
    first, second = _people(
        ("female", "female", 20), ("female", "male", 5), ("male", "female", 10), ("male", "male", 15)
    )
    found = compare_answers(first, second, CLASSES)
    assert found is not None
    assert found.kappa is not None
    assert found.same.value == pytest.approx(0.7)
    assert found.kappa.value == pytest.approx(0.4)
    # Wilson's for 35 of 50 is 0.5625 to 0.8090; beyond chance that is twice as far from a half.
    assert (found.kappa.low, found.kappa.high) == pytest.approx((0.1250, 0.6180), abs=2e-3)
    assert found.table.tolist() == [[20, 5, 0], [10, 15, 0], [0, 0, 0]]
    assert found.differing == tuple(range(21, 36))


def test_people_who_agree_on_everything_still_have_an_interval() -> None:
    found = compare_answers(
        *_people(("female", "female", 20), ("male", "male", 15), (None, None, 5)), CLASSES
    )
    assert found is not None
    assert found.kappa is not None
    assert (found.kappa.value, found.kappa.high) == (1, 1)
    assert 0.8 < found.kappa.low < 0.9
    assert found.differing == ()


def test_one_and_the_same_answer_throughout_has_no_kappa() -> None:
    found = compare_answers(*_people(("male", "male", 9)), CLASSES)
    assert found is not None
    assert found.kappa is None
    assert found.same.value == 1


def test_only_tracks_that_both_have_answered_count() -> None:
    found = compare_answers({1: "male", 2: "male"}, {2: "female", 3: "male"}, CLASSES)
    assert found is not None
    assert found.table.sum() == 1
    assert found.differing == (2,)
    assert compare_answers({1: "male"}, {2: "male"}, CLASSES) is None


@pytest.mark.parametrize("agreement", [0.8, 0.95])
def test_interval_of_kappa_holds_the_truth_in_about_95_of_100_pairs_of_people(agreement: float) -> None:
    rng = np.random.default_rng(0)
    # The first says female in half of the cases; the second says the same or the other.
    truth, held, pairs = 2 * agreement - 1, 0, 400
    for _ in range(pairs):
        first = rng.random(150) < 0.5
        second = np.where(rng.random(150) < agreement, first, ~first)
        sides = [{i: CLASSES[int(says)] for i, says in enumerate(person)} for person in (first, second)]
        found = compare_answers(sides[0], sides[1], CLASSES)
        assert found is not None
        assert found.kappa is not None
        held += found.kappa.low <= truth <= found.kappa.high
    assert 0.92 <= held / pairs <= 0.98
