"""What a player takes for the beginning of a file."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av

from gclf_live.media._libav import open_file
from gclf_live.media._sound import _KEPT_START_S


def played_from_s(path: Path) -> float:
    """Time of a file that players, and copies of it, show as 0.

    Broadcast recordings count from anywhere; a start of up to half a second is a delay that is kept.

    Raises:
        SourceError: the file cannot be opened.
    """
    with open_file(path) as container:
        start_s = Fraction(container.start_time or 0, av.time_base)
    return float(start_s) if start_s > _KEPT_START_S else 0.0
