"""What a live session gave up, in words and figures."""

from __future__ import annotations

from pathlib import Path

from gclf_live.output.live_costs import LiveCosts, costs_summary


def test_what_was_given_up_is_named() -> None:
    costs = LiveCosts(not_shown=1200, crops_put_off=1, smaller_searches=2, outages=2, outage_s=14.25)
    assert costs_summary(costs, max_latency_ms=80) == [
        "given up for 80 ms: 1,200 frames not shown, 1 crop put off, 2 searches on a smaller picture",
        "no pictures: 2 times, 14.2 s together",
    ]


def test_what_was_not_given_up_is_not_named() -> None:
    assert costs_summary(LiveCosts(crops_put_off=3, outages=1, outage_s=2), max_latency_ms=40.5) == [
        "given up for 40.5 ms: 3 crops put off",
        "no pictures: once, 2.0 s together",
    ]
    assert costs_summary(LiveCosts(), max_latency_ms=80) == []
    assert costs_summary(LiveCosts(playback_speed=0.97), max_latency_ms=80) == []


def test_file_that_went_by_slowly_is_told() -> None:
    (line,) = costs_summary(LiveCosts(playback_speed=0.625), max_latency_ms=80)
    assert line.startswith("played at 62% of its speed")


def test_figures_have_names_in_json() -> None:
    assert LiveCosts(5, 4, 3, 2, 1.5, 0.5).as_json() == {
        "crops_put_off": 4,
        "smaller_searches": 3,
        "outages": 2,
        "outage_s": 1.5,
        "playback_speed": 0.5,
    }


def test_every_figure_is_explained() -> None:
    guide = (Path(__file__).parent.parent.parent / "docs" / "live.md").read_text("utf-8")
    assert {name for name in LiveCosts().as_json() if f"`{name}`" not in guide} == set()
