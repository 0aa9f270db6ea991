"""One label a track, on simulated tracks whose true class is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclf_live.labels.aggregate import combine_track, pick_crops
from gclf_live.records import F32


def combine(log_odds: list[float], *, weights: list[float] | None = None, apart_s: float = 10.0) -> float:
    """Probability of the first class from crops that lie ``apart_s`` from one another."""
    logits = np.array([[value, 0] for value in log_odds], np.float32).reshape(-1, 2)
    share = np.ones(len(logits)) if weights is None else np.array(weights)
    return float(combine_track(logits, share.astype(np.float32), np.arange(len(logits)) * apart_s)[0])


def sigmoid(log_odds: float) -> float:
    return float(1 / (1 + np.exp(-log_odds)))


def simulate(random: np.random.Generator, *, tracks: int, crops: int, strength: float, rho: float) -> F32:
    """Calibrated log odds of the true class, (tracks, crops): mean m, variance 2m, rho of it the track's."""
    noise = np.sqrt(rho) * random.normal(size=(tracks, 1)) + np.sqrt(1 - rho) * random.normal(
        size=(tracks, crops)
    )
    return np.asarray(strength + np.sqrt(2 * strength) * noise, np.float32)


def test_no_crops_are_uniform() -> None:
    found = combine_track(np.zeros((0, 3), np.float32), np.zeros(0, np.float32), np.zeros(0))
    np.testing.assert_allclose(found, 1 / 3)
    assert found.dtype == np.float32


def test_one_crop_is_believed_as_it_is() -> None:
    assert combine([1.7]) == pytest.approx(sigmoid(1.7), abs=1e-5)


@pytest.mark.parametrize("count", [2, 5, 50])
def test_agreeing_crops_are_worth_what_kish_says(count: int) -> None:
    views = count / (1 + (count - 1) * 0.8)
    assert combine([1.0] * count) == pytest.approx(sigmoid(views), abs=1e-4)


def test_crops_of_the_same_moment_are_worth_one() -> None:
    assert combine([1.0] * 20, apart_s=0.001) == pytest.approx(sigmoid(1.0), abs=0.005)


def test_weights_decide_between_contradicting_crops() -> None:
    assert combine([2.0, -2.0], weights=[0.9, 0.1]) > 0.75
    assert combine([2.0, -2.0], weights=[0.5, 0.5]) == pytest.approx(0.5, abs=1e-5)
    assert combine([2.0, -2.0], weights=[0.0, 0.0]) == pytest.approx(0.5, abs=1e-5)


def test_one_bad_crop_does_not_turn_the_track() -> None:
    assert combine([2.0, 2.5, 1.5, 2.0, -30.0]) > 0.85


def test_order_of_the_crops_does_not_matter() -> None:
    values = [0.5, 2.0, -1.0, 3.0]
    logits = np.array([[v, 0] for v in values], np.float32)
    weights = np.array([0.2, 0.9, 0.4, 0.7], np.float32)
    times = np.array([0.0, 0.3, 2.0, 7.0])
    swap = np.array([2, 0, 3, 1])
    np.testing.assert_allclose(
        combine_track(logits, weights, times),
        combine_track(logits[swap], weights[swap], times[swap]),
        atol=1e-6,
    )


def test_logits_shifted_by_a_constant_mean_the_same() -> None:
    logits = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    arguments = np.ones(4, np.float32), np.arange(4.0)
    np.testing.assert_allclose(
        combine_track(logits, *arguments), combine_track(logits - 7, *arguments), atol=1e-5
    )


@pytest.mark.parametrize("rho", [0.7, 0.8, 0.9])
@pytest.mark.parametrize("crops", [3, 8])
def test_combined_confidence_is_calibrated_and_righter_than_single_crops(rho: float, crops: int) -> None:
    sample = simulate(np.random.default_rng(5), tracks=1500, crops=crops, strength=1.2, rho=rho)
    found = np.array([combine(row) for row in sample.tolist()])
    stated = np.maximum(found, 1 - found).mean()
    accuracy = (found >= 0.5).mean()
    assert stated == pytest.approx(accuracy, abs=0.03)
    assert accuracy > (sample > 0).mean()
    # Taken for independent, the same crops would claim far too much.
    naive = 1 / (1 + np.exp(-np.abs(sample.sum(axis=1))))
    assert naive.mean() - accuracy > 3 * abs(stated - accuracy)


def test_misfitting_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="K weights"):
        combine_track(np.zeros((2, 2), np.float32), np.ones(3, np.float32), np.zeros(2))


@given(
    st.lists(
        st.tuples(st.floats(-100, 100), st.floats(-100, 100), st.floats(0, 1), st.floats(0, 100)), max_size=12
    )
)
def test_probabilities_are_finite_and_sum_to_one(rows: list[tuple[float, float, float, float]]) -> None:
    table = np.array(rows, np.float32).reshape(-1, 4)
    found = combine_track(table[:, :2], table[:, 2], table[:, 3])
    assert np.isfinite(found).all()
    assert float(found.sum()) == pytest.approx(1, abs=1e-5)


def test_picked_crops_are_the_best_of_each_part_of_the_track() -> None:
    quality = np.array([0.9, 0.8, 0.1, 0.2, 0.3, 0.4], np.float32)
    times = np.array([0.0, 1.0, 4.0, 5.0, 8.0, 9.0])
    assert pick_crops(quality, times, count=3).tolist() == [0, 3, 5]


def test_parts_without_crops_go_to_the_best_of_the_rest() -> None:
    quality = np.array([0.9, 0.8, 0.7, 0.1], np.float32)
    assert pick_crops(quality, np.array([0.0, 0.1, 0.2, 9.0]), count=3).tolist() == [0, 1, 3]


def test_fewer_crops_than_asked_for_are_all_picked_in_order_of_time() -> None:
    assert pick_crops(np.array([0.1, 0.9], np.float32), np.array([5.0, 2.0]), count=8).tolist() == [1, 0]
    assert pick_crops(np.zeros(0, np.float32), np.zeros(0), count=3).tolist() == []


def test_picking_none_is_refused() -> None:
    with pytest.raises(ValueError, match="count=0"):
        pick_crops(np.ones(2, np.float32), np.zeros(2), count=0)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 50)), max_size=40), st.integers(1, 12))
def test_picked_crops_are_distinct_and_hold_the_best(rows: list[tuple[float, float]], count: int) -> None:
    table = np.array(rows, np.float64).reshape(-1, 2)
    quality = table[:, 0].astype(np.float32)
    picked = pick_crops(quality, table[:, 1], count=count)
    assert len(set(picked.tolist())) == len(picked) == min(count, len(rows))
    assert (np.diff(table[picked, 1]) >= 0).all()
    if rows:
        assert quality[picked].max() == quality.max()
