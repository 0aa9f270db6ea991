"""Scripts that print the figures of the documentation, with the machine that they were measured on."""

from __future__ import annotations

from pathlib import Path

from gclf_live.cpu_threads import wait_briefly

wait_briefly()  # as the command does

SAMPLE_CLIP = Path(__file__).parent.parent / "samples" / "clip.mp4"
