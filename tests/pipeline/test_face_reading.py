"""Live labelling with the device's way of reading faces: the same labels as with the processor's."""

from __future__ import annotations

import numpy as np
import pytest
from face_makers import Face, ScriptedClock, scene

from gclf_live.model.classifier import Classifier
from gclf_live.model.device import Precision
from gclf_live.pipeline import live as module
from gclf_live.pipeline.face_reading import DeviceReader, FaceReader, ProcessorReader, face_reader
from gclf_live.pipeline.live import LiveLabeller
from gclf_live.profiling import NO_PROFILER
from gclf_live.records import Frame, FrameResult


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier.load(device="cpu", precision=Precision.FP32)


def _watched(labeller: LiveLabeller) -> list[FrameResult]:
    image = scene(Face("collins", 120, 140, 110), Face("obama", 330, 140, 90), width_px=460)
    return [labeller.label(Frame(image, i / 10, i)) for i in range(5)]


def test_both_ways_lead_to_the_same_labels(classifier: Classifier, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = _watched(LiveLabeller(classifier, clock=ScriptedClock()))
    readers: list[FaceReader] = []

    def on_device(classifier: Classifier, **options: object) -> FaceReader:
        readers.append(DeviceReader(classifier, **options))  # type: ignore[arg-type]
        return readers[-1]

    monkeypatch.setattr(module, "face_reader", on_device)
    other = _watched(LiveLabeller(classifier, clock=ScriptedClock()))
    assert len(readers) == 1
    for one, two in zip(usual, other, strict=True):
        assert one.labels == two.labels
        np.testing.assert_allclose(one.predictions.probabilities, two.predictions.probabilities, atol=0.03)
        np.testing.assert_allclose(one.quality, two.quality, rtol=0.1)
    assert set(usual[-1].labels) == {"female", "male"}


def test_processor_reads_where_there_is_no_card(classifier: Classifier) -> None:
    assert isinstance(face_reader(classifier, spans=NO_PROFILER), ProcessorReader)


@pytest.mark.gpu
def test_card_reads_where_there_is_one() -> None:
    reader = face_reader(Classifier.load(device="cuda"), spans=NO_PROFILER)
    assert isinstance(reader, DeviceReader)
