"""What runs in the child processes: the process that they are forked from imports this once, for all."""

from __future__ import annotations

from gclf_live.serve.live_work import live_work
from gclf_live.serve.picture_work import picture_work
from gclf_live.serve.video_work import video_work

__all__ = ["live_work", "picture_work", "video_work"]
