"""Label faces, live or in recorded video, by how they are perceived, and say how sure the label is.

The names in ``__all__`` are those to import; ``docs/python.md`` shows their use. What a name needs is loaded
when it is first asked for, so that ``import gclf_live`` costs nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gclf_live.errors import (
        CheckpointError,
        DatasetError,
        DeviceError,
        DisplayError,
        GclfError,
        OutputError,
        SourceError,
        UsageError,
    )
    from gclf_live.media.pictures import read_picture, write_picture
    from gclf_live.media.reader import VideoReader
    from gclf_live.media.writer import EncoderSettings
    from gclf_live.model.classifier import Classifier
    from gclf_live.output.overlay import Overlay
    from gclf_live.output.rows import TrackSummary
    from gclf_live.pipeline.analysis import VideoAnalysis
    from gclf_live.pipeline.annotate import Annotated, annotate_video
    from gclf_live.pipeline.first_pass import analyse_video
    from gclf_live.pipeline.live import LiveLabeller, LiveSettings
    from gclf_live.pipeline.pictures import PictureLabeller
    from gclf_live.pipeline.settings import AnalysisSettings
    from gclf_live.records import UNSURE, Faces, Frame, FrameResult, Predictions, Tracks

__version__ = "0.1.0"

__all__ = [
    "UNSURE",
    "AnalysisSettings",
    "Annotated",
    "CheckpointError",
    "Classifier",
    "DatasetError",
    "DeviceError",
    "DisplayError",
    "EncoderSettings",
    "Faces",
    "Frame",
    "FrameResult",
    "GclfError",
    "LiveLabeller",
    "LiveSettings",
    "OutputError",
    "Overlay",
    "PictureLabeller",
    "Predictions",
    "SourceError",
    "TrackSummary",
    "Tracks",
    "UsageError",
    "VideoAnalysis",
    "VideoReader",
    "analyse_video",
    "annotate_video",
    "read_picture",
    "write_picture",
]

_MODULES = {
    "Annotated": "pipeline.annotate",
    "AnalysisSettings": "pipeline.settings",
    "Classifier": "model.classifier",
    "EncoderSettings": "media.writer",
    "LiveLabeller": "pipeline.live",
    "LiveSettings": "pipeline.live",
    "Overlay": "output.overlay",
    "PictureLabeller": "pipeline.pictures",
    "TrackSummary": "output.rows",
    "VideoAnalysis": "pipeline.analysis",
    "VideoReader": "media.reader",
    "analyse_video": "pipeline.first_pass",
    "annotate_video": "pipeline.annotate",
    "read_picture": "media.pictures",
    "write_picture": "media.pictures",
    **dict.fromkeys(("UNSURE", "Faces", "Frame", "FrameResult", "Predictions", "Tracks"), "records"),
}
"""Where each name of ``__all__`` is; the errors are in ``errors``."""


def __getattr__(name: str) -> Any:
    """A public name, the first time that it is asked for."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{_MODULES.get(name, 'errors')}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
