"""The rows that the model card has for groups."""

from __future__ import annotations

from typing import Any

from benchmarks.model_card import group_table


def _scores(**more: Any) -> dict[str, Any]:
    return {
        "count": 1200,
        "accuracy": 0.973,
        "accuracy_interval": [0.969, 0.977],
        "balanced_accuracy": 0.97,
        "recall": {"female": 0.98, "male": None},
        **more,
    }


def test_groups_of_adults_are_called_by_their_age() -> None:
    groups = {
        "adults": {"18 and older": _scores(), "under 18": _scores()},
        "age": {"00-12": _scores()},
        "source (adults)": {"web": _scores()},
        "face_height_px": {"0-23": _scores()},
    }
    heads, _, *rows = group_table(_scores(classes=["female", "male"], groups=groups))
    assert heads == "| pictures | count | accuracy (95 %) | balanced | female | male |"
    figures = "| 1,200 | 97.3 (96.9 to 97.7) | 97.0 | 98.0 | - |"
    names = ("all", "age 18 and older", "age under 18", "age 00-12", "source (adults) web")
    assert rows == [f"| {name} {figures}" for name in names]
