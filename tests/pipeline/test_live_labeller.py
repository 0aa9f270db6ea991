"""Live labelling: labels appear, stay, and never take longer than the frame allows."""

from __future__ import annotations

import numpy as np
import pytest
from face_makers import BLUE, ColourClassifier, Face, ScriptedClock, scene

from gclf_live.pipeline.live import LiveLabeller, LiveSettings
from gclf_live.records import U8, UNSURE, Frame, FrameResult

CROWD = tuple(Face("collins", 80 + 100 * (i % 4), 90 + 120 * (i // 4), 60) for i in range(8))


def _labeller(
    classifier: ColourClassifier, clock: ScriptedClock | None = None, **settings: float
) -> LiveLabeller:
    return LiveLabeller(
        classifier,  # type: ignore[arg-type]
        LiveSettings(**settings),  # type: ignore[arg-type]
        clock=clock or ScriptedClock(),
    )


def _crowd() -> U8:
    return scene(*CROWD, width_px=480, height_px=300)


def _play(labeller: LiveLabeller, images: list[U8], *, fps: float = 30) -> list[FrameResult]:
    return [labeller.label(Frame(image, i / fps, i)) for i, image in enumerate(images)]


def test_label_appears_and_stays() -> None:
    image = scene(Face("collins", 90, 120), Face("obama", 230, 120, tint=BLUE))
    results = _play(_labeller(ColourClassifier()), [image] * 20)
    for result in results:
        order = result.tracks.faces.boxes[:, 0].argsort()
        assert [result.labels[i] for i in order] == ["female", "male"]
    assert len({tuple(result.tracks.ids.tolist()) for result in results}) == 1


def test_settled_faces_are_not_classified_in_every_frame() -> None:
    classifier = ColourClassifier()
    labeller = _labeller(classifier)
    classifier.batches.clear()
    _play(labeller, [_crowd()] * 10)
    # There is time for all 8 of them in each of the 10 frames, a third of a second: 80 crops.
    assert sum(classifier.batches) == 8
    for i in range(10, 45):
        labeller.label(Frame(_crowd(), i / 30, i))
    assert sum(classifier.batches) == 16, "once more after a second"


def test_missed_face_keeps_its_box_for_a_quarter_second_and_no_longer() -> None:
    labeller = _labeller(ColourClassifier())
    nothing = scene()
    seen = labeller.label(Frame(scene(Face("collins", 160, 120)), 0.0, 0))
    held = {t: labeller.label(Frame(nothing, t, 1)) for t in (0.1, 0.2, 0.24, 0.26, 0.3)}
    assert {t: len(result.tracks) for t, result in held.items()} == {0.1: 1, 0.2: 1, 0.24: 1, 0.26: 0, 0.3: 0}
    assert held[0.24].tracks.ids.tolist() == seen.tracks.ids.tolist()
    assert held[0.24].labels == ("female",)


def test_held_box_gives_way_to_another_face_in_its_place() -> None:
    labeller = _labeller(ColourClassifier())
    # Twice as large a face at once is no motion that a tracker believes: it is someone nearer.
    labeller.label(Frame(scene(Face("collins", 160, 120, 60)), 0.0, 0))
    labeller.label(Frame(scene(), 0.03, 1))
    result = labeller.label(Frame(scene(Face("collins", 160, 120, 60)), 0.06, 2))
    assert len(result.tracks) == 1
    both = labeller.label(Frame(scene(Face("obama", 165, 122, 105, BLUE)), 0.1, 3))
    assert len(both.tracks) == 1, "one box, not the new one and the held one"


def test_faces_after_a_cut_are_new_tracks_without_old_boxes() -> None:
    labeller = _labeller(ColourClassifier())
    before = _play(labeller, [scene(Face("collins", 90, 120, 90))] * 4)[-1]
    after = labeller.label(Frame(scene(Face("obama", 220, 110, 110, BLUE), backdrop=40), 0.14, 4))
    assert len(before.tracks) == len(after.tracks) == 1
    assert after.tracks.ids.tolist() != before.tracks.ids.tolist()
    assert after.labels == ("male",)


def test_crops_of_a_frame_are_fitted_into_the_time_left() -> None:
    clock = ScriptedClock()
    # Unsure for ever, so that everyone always needs evidence.
    classifier = ColourClassifier(strength=1.2, clock=clock, cost_s=0.0099)
    labeller = _labeller(classifier, clock, max_latency_s=0.08)
    # 80 ms less 20 in reserve: 6 crops of 10 ms.
    labeller.label(Frame(_crowd(), 0.0, 0))
    assert classifier.batches[-1] == 6
    # A frame that waited 35 ms already leaves 25.
    labeller.label(Frame(_crowd(), 0.3, 1), age_s=0.035)
    assert classifier.batches[-1] == 2


def test_slower_classifier_gets_fewer_crops_but_never_none() -> None:
    clock = ScriptedClock()
    classifier = ColourClassifier(strength=1.2, clock=clock, cost_s=0.0099)
    labeller = _labeller(classifier, clock, max_latency_s=0.08)
    classifier.cost_s = 0.100
    _play(labeller, [_crowd()] * 12, fps=2)
    counts = classifier.batches[-12:]
    assert counts[0] == 6
    assert counts[-1] == 1
    assert counts == sorted(counts, reverse=True)


def test_everyone_in_a_crowd_gets_a_label_even_one_crop_a_frame() -> None:
    clock = ScriptedClock()
    classifier = ColourClassifier(clock=clock, cost_s=1.0)
    results = _play(_labeller(classifier, clock), [_crowd()] * 8)
    assert set(classifier.batches[-8:]) == {1}
    assert len(results[-1].tracks) == 8
    assert [r.labels.count(UNSURE) for r in results] == [7, 6, 5, 4, 3, 2, 1, 0]


@pytest.mark.parametrize(("threshold", "label"), [(0.0, "female"), (1.0, UNSURE)])
def test_extreme_thresholds_are_allowed(threshold: float, label: str) -> None:
    labeller = _labeller(ColourClassifier(), threshold=threshold)
    (result,) = _play(labeller, [scene(Face("collins", 160, 120))])
    assert result.labels == (label,)


def test_source_without_faces_gives_empty_results() -> None:
    results = _play(_labeller(ColourClassifier()), [np.full((120, 160, 3), 90, np.uint8)] * 3)
    assert [(result.index, len(result.tracks)) for result in results] == [(0, 0), (1, 0), (2, 0)]
