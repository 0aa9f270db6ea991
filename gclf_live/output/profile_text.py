"""Where the time went, as a table for people and as JSON."""

from __future__ import annotations

from dataclasses import asdict

from gclf_live.output.rows import tidy_row
from gclf_live.profiling import Profile, StageTime
from gclf_live.wording import tidy_text

_HEADER = ("stage", "calls", "total s", "share", "p50 ms", "p95 ms", "thread")
_LONGEST_NAME = 32


def profile_table(profile: Profile) -> str:
    """One aligned line a stage and thread, and one for the whole, without a line break at the end."""
    rows = [_HEADER, *(_cells(row) for row in profile.stages)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEADER))]
    lines = [_aligned(row, widths) for row in rows]
    rest = f"{profile.unaccounted_s:,.2f} s ({profile.unaccounted_s / profile.wall_s:.1%})"
    return "\n".join([*lines, f"wall time {profile.wall_s:,.2f} s; main thread in no stage: {rest}"])


def profile_json(profile: Profile) -> dict[str, object]:
    """The figures of the table under their names in JSON."""
    whole = tidy_row({"wall_s": profile.wall_s, "unaccounted_s": profile.unaccounted_s})
    return whole | {"stages": [tidy_row(asdict(row)) for row in profile.stages]}


def _cells(row: StageTime) -> tuple[str, ...]:
    thread = tidy_text(row.thread)
    return (
        row.stage,
        f"{row.calls:,}",
        f"{row.total_s:,.2f}",
        f"{row.share:.1%}",
        f"{row.p50_ms:,.2f}",
        f"{row.p95_ms:,.2f}",
        thread if len(thread) <= _LONGEST_NAME else f"{thread[: _LONGEST_NAME - 1]}…",
    )


def _aligned(cells: tuple[str, ...], widths: list[int]) -> str:
    """The names to the left, the numbers to the right."""
    last = len(cells) - 1
    places = (
        f"{cell:<{width}}" if column in {0, last} else f"{cell:>{width}}"
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return "  ".join(places).rstrip()
