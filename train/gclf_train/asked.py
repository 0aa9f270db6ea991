"""What a run was started with, in the words of the command line, to say what another one has otherwise."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

from gclf_train.config import Recipe

_OPTIONS = {
    "name": "--recipe",
    "epochs": "--epochs",
    "patience": "--patience",
    "batch_size": "--batch-size",
    "lr": "--lr",
    "image_sizes": "--image-size",
    "architecture": "--arch",
    "seed": "--seed",
    "pretrained": "--pretrained",
}
"""Fields of a recipe that an option of ``train`` sets; the others are named as in a recipe's file."""

_MOST_NAMED = 4


def asked_for(recipe: Recipe, files: Mapping[str, str]) -> dict[str, str]:
    """Each setting and its value, as text.

    Args:
        recipe: how to train.
        files: what the run reads besides, by what to call it, each with what tells it from another.
    """
    settings = {}
    for name, value in _flat(asdict(recipe)):
        settings[_OPTIONS.get(name, f"the recipe's {name}")] = _text(value)
    return settings | dict(files)


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """What of two runs' settings is not alike: ``--epochs 30, not 40; --lr 0.001, not 0.01``.

    Args:
        before: of the run that is there; empty where an older version kept none.
        now: of the one that is asked for.

    Returns:
        Options first, and the first few only; empty where nothing is known to differ.
    """
    if not before:
        return ""
    unlike = [name for name in (*now, *(set(before) - set(now))) if before.get(name) != now.get(name)]
    unlike.sort(key=lambda name: name.startswith("the recipe's"))
    named = [f"{name} {before.get(name, '-')}, not {now.get(name, '-')}" for name in unlike[:_MOST_NAMED]]
    more = [f"{len(unlike) - _MOST_NAMED} more"] if len(unlike) > _MOST_NAMED else []
    return "; ".join(named + more)


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in table.items():
        if isinstance(value, dict) and name not in _OPTIONS:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):  # sizes by the percent of the epochs from which they hold
        return "/".join(str(each) for each in value.values())
    return str(value) if isinstance(value, str) else json.dumps(value)
