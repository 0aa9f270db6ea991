"""Previews from the planes that a decoder left."""

from __future__ import annotations

import av
import cv2
import numpy as np
from av.filter import Graph
from media_makers import corners

from gclf_live.media._planes import can_be_sampled, sampled
from gclf_live.media._upright import Uprighter
from gclf_live.media.decoded import DecodedFrame
from gclf_live.records import Matrix


def _stored(width_px: int, height_px: int) -> av.VideoFrame:
    picture = av.VideoFrame.from_ndarray(corners(width_px, height_px), format="bgr24")
    return picture.reformat(format="yuv420p")


def _flipped(frame: av.VideoFrame) -> av.VideoFrame:
    """The frame upside down, without a copy: its rows are read from the last to the first."""
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base or 1
    )
    flip, sink = graph.add("vflip"), graph.add("buffersink")
    source.link_to(flip)
    flip.link_to(sink)
    graph.configure()
    source.push(frame)
    flipped = sink.pull()
    assert isinstance(flipped, av.VideoFrame)
    return flipped


def test_rows_that_are_longer_than_the_picture_is_wide() -> None:
    frame = _stored(198, 102)
    assert any(plane.line_size > plane.width for plane in frame.planes)
    assert can_be_sampled(frame)
    found = sampled(frame, (66, 34), Matrix.BT601).astype(int)
    expected = cv2.resize(corners(198, 102), (66, 34)).astype(int)
    assert np.abs(found - expected).mean() < 3, "a difference is where two colours meet"


def test_rows_that_run_upwards_are_left_to_swscale() -> None:
    frame = _flipped(_stored(192, 96))
    assert not can_be_sampled(frame)
    shown = DecodedFrame(frame, Uprighter(), None, pts_s=0.0, index=0)
    small, large = shown.preview(48, 24).astype(int), shown.image.astype(int)
    assert np.abs(small[6, [12, 36]] - large[24, [48, 144]]).max() <= 4
    assert np.abs(large[24, 48] - corners(192, 96)[72, 48]).max() <= 6
