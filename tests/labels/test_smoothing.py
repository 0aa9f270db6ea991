"""The live smoother on simulated tracks whose true class is known."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gclf_live.labels.smoothing import LiveSmoother, SmoothingSettings
from gclf_live.records import F32, I64, UNSURE

_CLASSES = ("female", "male")
_ONE: I64 = np.array([1], np.int64)


def logits_of(log_odds: float) -> F32:
    """Logits of one crop with the given log odds of the first class: (1, 2)."""
    return np.array([[log_odds, 0.0]], np.float32)


def feed(
    smoother: LiveSmoother, log_odds: npt.ArrayLike, *, fps: float = 30.0, weight: float = 1.0
) -> list[str]:
    """Label shown after each crop of track 1."""
    shown = []
    for k, value in enumerate(np.asarray(log_odds, np.float64)):
        smoother.update(_ONE, logits_of(float(value)), np.array([weight], np.float32), k / fps)
        shown += smoother.labels(_ONE, k / fps)
    return shown


def confidence(smoother: LiveSmoother, pts_s: float = 0.0) -> float:
    return float(smoother.predictions(_ONE, pts_s).probabilities[0, 0])


def changes(shown: list[str]) -> int:
    return sum(a != b for a, b in itertools.pairwise(shown))


def noisy_track(random: np.random.Generator, *, seconds: float, fps: float, strength: float = 1.5) -> F32:
    """Calibrated log odds of a track of the first class; part of the error is the track's, part the crop's.

    A crop's log odds are normal with mean m and variance 2m, which makes them calibrated; 0.6 of the
    variance is common to the track, the rest changes within half a second.
    """
    count = round(seconds * fps)
    kept = np.exp(-1 / fps / 0.5)
    noise = [random.normal()]
    for _ in range(count - 1):
        noise.append(kept * noise[-1] + np.sqrt(1 - kept**2) * random.normal())
    spread = np.sqrt(2 * strength)
    return np.asarray(
        strength + spread * (np.sqrt(0.6) * random.normal() + np.sqrt(0.4) * np.array(noise)), np.float32
    )


def test_track_that_was_never_classified_is_uniform_and_unsure() -> None:
    smoother = LiveSmoother(("a", "b", "c"))
    ids = np.array([7, 9], np.int64)
    np.testing.assert_allclose(smoother.predictions(ids, 0.0).probabilities, 1 / 3)
    assert smoother.labels(ids, 0.0) == (UNSURE, UNSURE)


def test_one_crop_is_believed_as_it_is() -> None:
    smoother = LiveSmoother(_CLASSES)
    assert feed(smoother, [2.0]) == ["female"]
    assert confidence(smoother) == pytest.approx(1 / (1 + np.exp(-2.0)), abs=1e-4)


def test_crops_of_the_same_moment_add_nothing() -> None:
    smoother = LiveSmoother(_CLASSES)
    for _ in range(50):
        smoother.update(_ONE, logits_of(1.0), np.ones(1, np.float32), 3.0)
    assert confidence(smoother, 3.0) == pytest.approx(1 / (1 + np.exp(-1.0)), abs=1e-4)


def test_agreeing_crops_over_time_raise_confidence_but_only_so_far() -> None:
    smoother = LiveSmoother(_CLASSES)
    feed(smoother, [1.0] * 30)
    after_one_second = confidence(smoother, 1.0)
    feed(smoother, [1.0] * 900)
    assert 1 / (1 + np.exp(-1.0)) < after_one_second < confidence(smoother, 30.0)
    # Correlation 0.6 makes any number of crops worth less than 1 / 0.6 of one.
    assert confidence(smoother, 30.0) < 1 / (1 + np.exp(-1.0 / 0.6))


@pytest.mark.parametrize("seconds", [0.5, 1.0, 4.0])
def test_frame_rate_does_not_change_confidence(seconds: float) -> None:
    found = []
    for fps in (10.0, 30.0, 60.0):
        smoother = LiveSmoother(_CLASSES)
        feed(smoother, [1.2] * (round(seconds * fps) + 1), fps=fps)
        found.append(confidence(smoother, seconds))
    assert max(found) - min(found) < 0.01


@pytest.mark.parametrize("fps", [10.0, 60.0])
def test_new_evidence_wins_within_a_few_time_constants(fps: float) -> None:
    smoother = LiveSmoother(_CLASSES)
    shown = feed(smoother, [3.0] * round(4 * fps) + [-3.0] * round(6 * fps), fps=fps)
    turned_s = shown.index("male") / fps - 4
    assert 0.5 < turned_s < 4.5
    assert changes(shown) <= 2


def test_label_does_not_flicker_around_the_threshold() -> None:
    at_threshold = np.log(0.8 / 0.2)
    wobble = at_threshold + 0.3 * np.sin(np.arange(300))
    smoother = LiveSmoother(_CLASSES, SmoothingSettings(correlation=1.0))
    assert changes(feed(smoother, wobble)) <= 1


def test_margin_of_zero_follows_the_threshold_exactly() -> None:
    settings = SmoothingSettings(switch_margin=0.0, correlation=1.0)
    smoother = LiveSmoother(_CLASSES, settings)
    for k, log_odds in enumerate([3, 1, 0.5, 1.2, -4, 2, 2, 2]):
        smoother.update(_ONE, logits_of(log_odds), np.ones(1, np.float32), k * 1.0)
        expected = smoother.predictions(_ONE, k * 1.0).labels(settings.threshold)
        assert smoother.labels(_ONE, k * 1.0) == expected


def test_shown_labels_flicker_less_and_are_righter_than_single_crops() -> None:
    random = np.random.default_rng(0)
    flicker_live = flicker_crops = right_live = right_crops = shown_live = shown_crops = 0
    for _ in range(40):
        track = noisy_track(random, seconds=4, fps=15, strength=2.0)
        live = feed(LiveSmoother(_CLASSES), track, fps=15)
        crops = np.where(track > np.log(4), "female", np.where(track < -np.log(4), "male", UNSURE)).tolist()
        flicker_live, flicker_crops = flicker_live + changes(live), flicker_crops + changes(crops)
        right_live, right_crops = right_live + live.count("female"), right_crops + crops.count("female")
        shown_live += len(live) - live.count(UNSURE)
        shown_crops += len(crops) - crops.count(UNSURE)
    assert flicker_live < flicker_crops / 5
    assert right_live / shown_live > right_crops / shown_crops


def test_confidence_is_calibrated_on_correlated_crops() -> None:
    random = np.random.default_rng(1)
    stated, right = [], []
    for _ in range(400):
        smoother = LiveSmoother(_CLASSES)
        feed(smoother, noisy_track(random, seconds=3, fps=10), fps=10)
        p = confidence(smoother, 3.0)
        stated.append(max(p, 1 - p))
        right.append(p >= 0.5)
    assert float(np.mean(stated)) == pytest.approx(float(np.mean(right)), abs=0.04)


def test_one_wild_crop_does_not_turn_a_settled_label() -> None:
    smoother = LiveSmoother(_CLASSES)
    assert "male" not in feed(smoother, [2.0] * 60 + [-80.0] + [2.0] * 30)


def test_better_crops_count_more() -> None:
    smoother = LiveSmoother(_CLASSES)
    for k in range(20):
        sign, weight = (1, 0.9) if k % 2 else (-1, 0.1)
        smoother.update(_ONE, logits_of(2.0 * sign), np.array([weight], np.float32), k / 2)
    assert confidence(smoother, 10.0) > 0.8


def test_settled_face_that_is_rarely_looked_at_keeps_its_past() -> None:
    smoother = LiveSmoother(_CLASSES)
    feed(smoother, [3.0] * 90)
    smoother.update(_ONE, logits_of(-1.0), np.ones(1, np.float32), 8.0)
    assert smoother.labels(_ONE, 8.0) == ("female",)


def test_crop_that_is_not_finite_is_left_out() -> None:
    smoother = LiveSmoother(_CLASSES)
    feed(smoother, [2.0])
    before = confidence(smoother)
    smoother.update(_ONE, logits_of(float("nan")), np.ones(1, np.float32), 1.0)
    assert confidence(smoother, 1.0) == before


def test_priority_goes_new_then_unsure_then_stale_then_settled() -> None:
    smoother = LiveSmoother(_CLASSES)
    new, unsure, stale, settled = 1, 2, 3, 4
    smoother.update(np.array([stale]), logits_of(4.0), np.ones(1, np.float32), 0.0)
    two = np.array([unsure, settled])
    smoother.update(two, np.concatenate([logits_of(0.1), logits_of(4.0)]), np.ones(2, np.float32), 3.0)
    found = smoother.needs_evidence(np.array([settled, stale, unsure, new]), 4.0).tolist()
    assert found == sorted(found)
    assert len(set(found)) == 4


def test_track_classified_just_now_is_not_due() -> None:
    smoother = LiveSmoother(_CLASSES)
    feed(smoother, [0.0])
    assert smoother.needs_evidence(_ONE, 0.0).tolist() == [0.0]


def test_ended_tracks_are_forgotten_and_present_ones_are_not() -> None:
    smoother = LiveSmoother(_CLASSES, SmoothingSettings(forget_after_s=2.0))
    both = np.array([1, 2], np.int64)
    smoother.update(both, np.repeat(logits_of(4.0), 2, axis=0), np.ones(2, np.float32), 0.0)
    for pts_s in (1.0, 2.0, 3.0):
        smoother.labels(_ONE, pts_s)
    assert len(smoother) == 1
    assert smoother.labels(both, 3.0) == ("female", UNSURE)


def test_more_than_two_classes() -> None:
    smoother = LiveSmoother(("cat", "dog", "fox"))
    for k in range(10):
        smoother.update(_ONE, np.array([[0.0, 4.0, 1.0]], np.float32), np.ones(1, np.float32), k / 5)
    assert smoother.labels(_ONE, 2.0) == ("dog",)
    np.testing.assert_allclose(smoother.predictions(_ONE, 2.0).probabilities.sum(axis=1), 1, atol=1e-6)


def test_no_tracks_give_no_values() -> None:
    smoother = LiveSmoother(_CLASSES)
    none = np.zeros(0, np.int64)
    smoother.update(none, np.zeros((0, 2), np.float32), np.zeros(0, np.float32), 0.0)
    assert smoother.predictions(none, 0.0).probabilities.shape == (0, 2)
    assert smoother.labels(none, 0.0) == ()
    assert smoother.needs_evidence(none, 0.0).shape == (0,)


def test_unusable_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="at least two"):
        LiveSmoother(("one",))
    with pytest.raises(ValueError, match="N x 2"):
        LiveSmoother(_CLASSES).update(_ONE, np.zeros((1, 3), np.float32), np.ones(1, np.float32), 0.0)


@pytest.mark.parametrize("options", [{"threshold": 1.0}, {"time_constant_s": 0.0}, {"correlation": 1.5}])
def test_unusable_settings_are_refused(options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        SmoothingSettings(**options)


@given(st.lists(st.tuples(st.floats(-500, 500), st.floats(0, 1), st.floats(-1, 5)), max_size=30))
def test_probabilities_are_finite_and_sum_to_one_whatever_comes(
    crops: list[tuple[float, float, float]],
) -> None:
    smoother = LiveSmoother(_CLASSES)
    now_s = 0.0
    for log_odds, weight, step_s in crops:
        now_s += step_s
        smoother.update(_ONE, logits_of(log_odds), np.array([weight], np.float32), now_s)
    row = smoother.predictions(_ONE, now_s).probabilities[0]
    assert np.isfinite(row).all()
    assert float(row.sum()) == pytest.approx(1, abs=1e-5)
