"""Sides of a comparison run in turn, and how their figures are summed up."""

from __future__ import annotations

from functools import partial

import pytest

from benchmarks.interleaved import Spread, in_turn, ratios


def test_every_side_runs_once_a_round_and_each_round_begins_with_another() -> None:
    order: list[str] = []

    def side(name: str) -> float:
        order.append(name)
        return float(len(order))

    figures = in_turn({name: partial(side, name) for name in "abc"}, rounds=4)
    assert "".join(order) == "abcbcacababc"
    assert figures == {"a": [1, 6, 8, 10], "b": [2, 4, 9, 11], "c": [3, 5, 7, 12]}


def test_each_round_is_told() -> None:
    said: list[str] = []
    in_turn({"copy": lambda: 12.345678, "ours": lambda: 7.0}, rounds=2, say=said.append)
    assert said == ["round 1 of 2: copy 12.35, ours 7", "round 2 of 2: copy 12.35, ours 7"]


def test_spread_is_the_median_with_both_ends() -> None:
    spread = Spread.of([5.0, 1.0, 2.0])
    assert spread == Spread(2.0, 1.0, 5.0)
    assert f"{spread:.1f}" == "2.0 (1.0 to 5.0)"


def test_ratio_is_taken_within_each_round() -> None:
    # The machine was ten times slower in the second round, for both sides.
    assert ratios([50, 6, 55], [100, 10, 100]) == Spread(0.55, 0.5, 0.6)


def test_sides_of_different_length_have_no_ratio() -> None:
    with pytest.raises(ValueError, match="shorter"):
        ratios([1, 2], [1])
