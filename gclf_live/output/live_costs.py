"""What a live session gave up to keep up with the clock, and how long its source was away."""

from __future__ import annotations

from dataclasses import dataclass

from gclf_live.output.rows import tidy_row

_SLOW = 0.95


@dataclass(frozen=True, slots=True)
class LiveCosts:
    """What it took to stay within the delay that was allowed, and what the source was missing for.

    Attributes:
        not_shown: frames that a newer one replaced.
        crops_put_off: crops that were due in a frame and left for a later one.
        smaller_searches: frames that were searched for faces on a smaller picture than usual.
        outages: how often no pictures came for so long that it was told.
        outage_s: seconds without pictures, added up over these.
        playback_speed: of a source that waits, such as a file: how fast it went by, 1 being as it should.
    """

    not_shown: int = 0
    crops_put_off: int = 0
    smaller_searches: int = 0
    outages: int = 0
    outage_s: float = 0.0
    playback_speed: float | None = None

    def as_json(self) -> dict[str, object]:
        """The figures under their names in JSON; ``not_shown`` is ``dropped`` of the session."""
        figures: dict[str, object] = {
            "crops_put_off": self.crops_put_off,
            "smaller_searches": self.smaller_searches,
            "outages": self.outages,
            "outage_s": self.outage_s,
            "playback_speed": self.playback_speed,
        }
        return tidy_row(figures)


def costs_summary(costs: LiveCosts, *, max_latency_ms: float) -> list[str]:
    """The figures in a line or two for people; none where nothing was given up and nothing was missing."""
    given_up = [
        _count(costs.not_shown, "frame", "not shown"),
        _count(costs.crops_put_off, "crop", "put off"),
        _count(costs.smaller_searches, "search", "on a smaller picture", plural="searches"),
    ]
    lines = []
    if any(given_up):
        lines.append(f"given up for {max_latency_ms:g} ms: {', '.join(text for text in given_up if text)}")
    if costs.outages:
        times = "once" if costs.outages == 1 else f"{costs.outages:,} times"
        lines.append(f"no pictures: {times}, {costs.outage_s:,.1f} s together")
    if costs.playback_speed is not None and costs.playback_speed < _SLOW:
        lines.append(
            f"played at {costs.playback_speed:.0%} of its speed: this machine could not label every frame in "
            "time"
        )
    return lines


def _count(number: int, noun: str, what: str, *, plural: str | None = None) -> str:
    if not number:
        return ""
    return f"{number:,} {noun if number == 1 else plural or noun + 's'} {what}"
