from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from gclf_live.output.picture_json import picture_entry, pictures_document
from gclf_live.records import FrameResult


def test_picture_has_its_size_and_faces_without_times(make_result: Callable[..., FrameResult]) -> None:
    entry = picture_entry(
        "Übung 你好/é’🎬.jpg", width_px=640, height_px=480, result=make_result([(10, 20, 50, 70)])
    )
    assert entry == {
        "path": "Übung 你好/é’🎬.jpg",
        "width_px": 640,
        "height_px": 480,
        "faces": [
            {
                "x_px": 10.0,
                "y_px": 20.0,
                "width_px": 40.0,
                "height_px": 50.0,
                "detection_score": 0.875,
                "quality": 0.5,
                "label": "female",
                "confidence": 0.97,
                "p_female": 0.97,
                "p_male": 0.03,
            }
        ],
    }


@pytest.mark.parametrize("count", [0, 2])
def test_document_is_valid_json(make_result: Callable[..., FrameResult], count: int) -> None:
    result = make_result([])
    entries = (picture_entry(f"{i}\udcff.jpg", width_px=1, height_px=1, result=result) for i in range(count))
    text = json.dumps(pictures_document(entries), ensure_ascii=False, allow_nan=False)
    pictures = json.loads(text.encode("utf-8"))["pictures"]
    assert [picture["path"] for picture in pictures] == [f"{i}\\xff.jpg" for i in range(count)]
    assert all(picture["faces"] == [] for picture in pictures)
