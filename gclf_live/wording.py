"""How names, times and shares are worded for people, in reports, tables and on the terminal."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from functools import lru_cache


# The same names come back in every row of a table: half of the time that a row takes.
@lru_cache(maxsize=1024)
def tidy_text(text: str) -> str:
    """The text as it was, but for the bytes of a foreign file name that UTF-8 cannot hold: ``\\xff``."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def pip_install(what: str) -> str:
    """The command that installs packages beside gclf-live, in whichever environment it runs.

    Args:
        what: as pip is told it.
    """
    python = sys.executable or "python"
    quoted = f'"{python}"' if " " in python else python
    return f"{quoted} -m pip install {what}"


def duration(seconds: float) -> str:
    """``42.3 s``, ``3:05 min`` or ``2:03:05 h``."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:.1f} s"
    hours, rest = divmod(whole, 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours:,}:{minutes:02}:{rest:02} h" if hours else f"{minutes}:{rest:02} min"


def moment(seconds: float) -> str:
    """A presentation time: ``0:42`` or ``2:03:05``."""
    hours, rest = divmod(math.floor(seconds), 3600)
    minutes, rest = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def percent(share: float | None) -> str:
    """``41.0 %``, or ``-`` where there is no share."""
    return "-" if share is None or not math.isfinite(share) else f"{100 * share:.1f} %"


def interval(low: float, high: float) -> str:
    """``30.2 to 55.0``, in per cent."""
    return f"{100 * low:.1f} to {100 * high:.1f}"


def number_of(count: int, noun: str) -> str:
    """``1 track`` or ``1,204 tracks``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def some(names: Sequence[str], most: int) -> str:
    """``a, b and 1,204 more``: the first ``most`` names, and how many further ones there are."""
    more = f" and {len(names) - most:,} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
